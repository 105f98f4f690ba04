"""A file's new content comes in; the file holds all of it or what it held before, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from merx.engine.diagnostic import Diagnostic, PolicyError

PARTIAL = ".tmp"
"""How the name of a file ends that is not yet whole."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file beside `path` that takes its place, synced, when the body is through, and vanishes when it is not.

    A device or a named pipe is written to, not replaced. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(21, "it is a directory", str(path))
    if target.exists() and not target.is_file():
        with target.open("wb") as stream:
            yield stream
        return
    beside = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    try:
        with beside.open("wb") as stream:
            if target.exists():
                os.chmod(beside, target.stat().st_mode & 0o777)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, target)
        sync_folder(target.parent)
    finally:
        beside.unlink(missing_ok=True)


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def cannot_write(path: Path, error: Exception) -> PolicyError:
    """M804 where there is no more room, M803 for any other reason."""
    # Polars words what the system said, and loses its number.
    if getattr(error, "errno", None) in _NO_ROOM or any(os.strerror(one) in str(error) for one in _NO_ROOM):
        message = f"the disk is full: `{path}` cannot be written"
        help = "make room on the disk, and run the command again: nothing is lost"
        return PolicyError([Diagnostic("M804", "error", message, None, help)])
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    help = "give the user who runs merx the right to write there"
    return PolicyError([Diagnostic("M803", "error", f"`{path}` cannot be written: {reason}", None, help)])


_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE, of Linux."""


def exchanged(one: Path, other: Path) -> bool:
    """Each has the other's name from now on, in one step; False where the system has no such step, and nothing changed."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def sync_folder(folder: Path) -> None:
    """A new name is on disk only when its folder is; some systems cannot open one."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
