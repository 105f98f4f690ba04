"""A project's state comes in; the right to write it goes out, to one process at a time."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import filelock

from merx.engine.clock import Clock, stamp
from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.durable import cannot_write

FILE = "lock"
HOLDER = "lock.json"
"""Beside the lock: who holds it, for the message to the others."""


@contextlib.contextmanager
def locked(
    folder: Path, doing: str, clock: Clock, *, wait: float = 0, stop: threading.Event | None = None
) -> Iterator[None]:
    """The body runs while no other process holds the lock of this `.merx` folder.

    doing: what the others are told, for example `merx apply`. wait: seconds to wait for another holder.
    The operating system frees the lock of a process that died, so there is none to break.
    Raises PolicyError: M802 where another holds it, M803 where the folder cannot be written.
    """
    lock = filelock.FileLock(folder / FILE, is_singleton=False)
    try:
        lock.acquire(timeout=wait, poll_interval=0.05, cancel_check=stop.is_set if stop is not None else None)
    except filelock.Timeout:
        raise PolicyError([_held(folder)]) from None
    except OSError as error:
        raise cannot_write(folder, error) from None
    try:
        with contextlib.suppress(OSError):
            holder = {"doing": doing, "pid": os.getpid(), "since": stamp(clock.now())}
            (folder / HOLDER).write_text(json.dumps(holder), encoding="utf-8")
        yield
    finally:
        (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def _held(folder: Path) -> Diagnostic:
    try:
        told = json.loads((folder / HOLDER).read_text(encoding="utf-8"))
        who = f"`{told['doing']}` (process {told['pid']}, since {told['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process"
    help = "let it finish, or wait for it with `--wait 60`"
    return Diagnostic("M802", "error", f"{who} is at work in this project", None, help)
