"""The sandbox on a loopback port: connections come in, its answers go out, or, on demand, the failure of them."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import sqlite3
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from merx.engine.clock import Clock
from merx.plugins.sandbox_market import BATCH, Answer, Sandbox, delivered_twice, failed, too_many, unusable
from merx.plugins.sandbox_page import POLICY
from merx.plugins.sandbox_store import SandboxStore

_LARGEST = 16 * 1024 * 1024
"""Bytes of a request, at most."""

_IDLE = 60
"""Seconds after which a connection that sends nothing is closed."""


class SandboxServer:
    """A running sandbox. It answers from when it is made until `close`.

    path: its file, made where there is none. port: 0 is a free one. token, batch, per_second: see `Sandbox`.
    Raises OSError, sqlite3.Error and NotASandbox where the port or the file cannot be had.
    """

    def __init__(
        self,
        path: Path,
        *,
        port: int = 0,
        token: str | None = None,
        batch: int = BATCH,
        per_second: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.store = SandboxStore(path, clock)
        try:
            self._sockets = _Sockets(port, Sandbox(self.store, token, batch, per_second))
        except BaseException:
            self.store.close()
            raise
        self.address = f"http://127.0.0.1:{self._sockets.server_port}"
        # The interval is how long `close` may have to wait.
        self._thread = threading.Thread(target=self._sockets.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops. A call that is being carried out is finished, or nothing of it is done."""
        if not self._sockets.stopping.is_set():
            self._sockets.stopping.set()
            self._sockets.shutdown()
            self._thread.join()
            self._sockets.server_close()
            self.store.close()


class _Sockets(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.stopping = threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # The library's own asks the name service for this machine's name, which may take its time.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may leave at any time, and the file is closed while some still ask."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "merx-sandbox"
    sys_version = ""
    timeout = _IDLE
    disable_nagle_algorithm = True
    # Headers and body leave together: apart, the second would wait for the first to be acknowledged.
    wbufsize = -1
    server: _Sockets

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET

    def handle_expect_100(self) -> bool:
        done = super().handle_expect_100()
        self.wfile.flush()
        return done

    def log_message(self, format: str, *args: Any) -> None:
        """Whoever asked knows what became of it."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        # What the library itself finds wrong with a request.
        self.close_connection = True
        self._send(failed(code, "not_http", (message or "this is no request").lower()))

    def _serve(self) -> None:
        sandbox = self.server.sandbox
        try:
            parts = urlsplit(self.path)
        except ValueError:
            self.send_error(400, "the address is not one")
            return
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self._body()
        if isinstance(body, Answer):
            self.close_connection = True
            self._send(body)
            return
        turned_away = sandbox.turned_away(self.command, parts.path, self.headers.get("Authorization"))
        if turned_away is not None:
            self._send(turned_away)
            return
        try:
            fault = sandbox.store.draw() if sandbox.market(parts.path) else None
        except sqlite3.Error as error:
            self._send(unusable(error))
            return
        self._deliver(fault, lambda: sandbox.answer(self.command, parts.path, query, body))

    def _body(self) -> bytes | Answer:
        """The body, or why it is not read."""
        if "Transfer-Encoding" in self.headers:
            return failed(411, "no_length", "a request says its length")
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > 18:
            return failed(400, "not_http", "the length of the request is no number")
        if int(length) > _LARGEST:
            return failed(413, "too_large", f"a request has at most {_LARGEST} bytes")
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else failed(400, "not_http", "the request breaks off")

    def _deliver(self, fault: str | None, answer: Callable[[], Answer]) -> None:
        """The answer, or what the fault makes of it."""
        match fault:
            case "429":
                self._send(too_many(1))
            case "500":
                self._send(failed(500, "internal_error", "an internal error, made on demand"))
            case "timeout_before":
                self._hang()
            case "timeout_after":
                answer()
                self._hang()
            case "drop":
                self._drop()
            case "drop_after":
                answer()
                self._drop()
            case "duplicate":
                answer()
                self._send(delivered_twice(answer()))
            case _:
                self._send(answer())

    def _hang(self) -> None:
        """Says nothing until the client gives up, the server stops, or the time is over."""
        end = time.monotonic() + self.server.sandbox.store.faults().hang
        while time.monotonic() < end and not self.server.stopping.wait(0.02):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                break
        self._drop()

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", POLICY)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
