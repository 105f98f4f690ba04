"""Marketplaces for tests, on loopback and with real sockets: a sandbox that runs, an account opened at it, and servers
that answer whatever a test wants."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from merx.engine.marketplace import Batch, Exchange, Offer, Operation, Refusal, Setup
from merx.plugins.sandbox import SandboxOptions, connect
from merx.plugins.sandbox_client import SandboxConnection
from merx.plugins.sandbox_server import SandboxServer

_KEYS = itertools.count(1)


@contextlib.contextmanager
def sandbox(path: Path, **settings: Any) -> Iterator[SandboxServer]:
    """A running sandbox over the file. settings: see `SandboxServer`."""
    server = SandboxServer(path, **settings)
    try:
        yield server
    finally:
        server.close()


@dataclass(eq=False)
class Account:
    """An open account of a sandbox, and every exchange that it recorded."""

    connection: SandboxConnection
    exchanges: list[Exchange] = field(default_factory=list)

    def publish(self, *offers: Offer, operation: Operation = "create", key: str | None = None) -> tuple[Refusal, ...]:
        """key: a new one each time, where none is given."""
        return self.connection.publish(Batch(operation, key or f"batch {next(_KEYS)}", offers))

    def shown(self) -> dict[str, Offer]:
        """What the sandbox shows, by SKU."""
        return {one.sku: one for one in self.connection.shown()}

    def order(self, *lines: tuple[str, int], key: str = "order 1") -> dict[str, Any]:
        return self.connection.place_order(key, dict(lines), {"name": "Ada"})


@contextlib.contextmanager
def account(folder: Path, *, timeout: float = 8.0, **options: Any) -> Iterator[Account]:
    """An account of a project in this folder. options: what merx.toml says of it (see `SandboxOptions`)."""
    exchanges: list[Exchange] = []
    connection = connect(Setup("main", SandboxOptions(**options), folder, exchanges.append, timeout))
    try:
        yield Account(connection, exchanges)
    finally:
        connection.close()


@contextlib.contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """The address of a server that gives each connection one of the answers, the last one again and again."""
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_answer, args=(listener, answers), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # Closing alone would not wake the thread that waits for a connection.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _answer(listener: socket.socket, answers: Sequence[bytes]) -> None:
    for number in range(10_000):
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(5)
            head = b""
            while b"\r\n\r\n" not in head and (read := connection.recv(65_536)):
                head += read
            with contextlib.suppress(OSError):
                connection.sendall(answers[min(number, len(answers) - 1)])
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass


def response(status: str, body: bytes = b"", kind: str = "application/json", **headers: str) -> bytes:
    """An HTTP answer as bytes; status as in `200 OK`."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
