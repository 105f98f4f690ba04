"""A state comes in and goes out as one tar file; such a file comes in and takes the state's place, or changes nothing."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from merx.engine.clock import Clock, stamp
from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.durable import PARTIAL, cannot_write, exchanged, replacing, sync_folder
from merx.engine.lock import FILE as LOCK
from merx.engine.lock import HOLDER, locked
from merx.engine.state import FILE, FOLDER, FOLDERS, RESTORING, State, open_state
from merx.engine.stocktake import named_files, stocktake

CONTENTS = "contents.json"
"""The first member: what the others are, and the hash of each."""

FORMER = f"{FOLDER}.before-restore-"
"""How the name begins that the former state has after a restore."""

_OWN = {FILE, f"{FILE}-wal", f"{FILE}-shm", LOCK, HOLDER, *FOLDERS}
_PART = 1 << 20


def back_up(state: State, target: Path) -> int:
    """Writes the state and the files it names; returns how many files. Whoever calls holds the lock.

    Raises PolicyError: M803, M804 where the target cannot be written, M811 where a file is not there.
    """
    copy = state.folder / f"backup.{os.getpid()}{PARTIAL}"
    try:
        state.copy_to(copy)
        named = {path.relative_to(state.folder).as_posix(): path for path in named_files(state)}
        members = {FILE: copy, **named}
        with _written(target), replacing(target) as stream, tarfile.open(fileobj=stream, mode="w") as tar:
            hashes = {name: _hash(path) for name, path in members.items()}
            contents = json.dumps({"format": 1, "made": state.now(), "files": hashes}, indent=1).encode()
            member = tarfile.TarInfo(CONTENTS)
            member.size = len(contents)
            tar.addfile(member, io.BytesIO(contents))
            for name, path in members.items():
                tar.add(path, arcname=name, recursive=False)
        return len(members)
    finally:
        for path in state.folder.glob(f"{copy.name}*"):
            path.unlink(missing_ok=True)


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()
    except FileNotFoundError:
        help = "`merx state check` says what else is missing; `merx snapshot pull` takes products anew"
        message = f"`{path}` is not there, and a backup without it would be none"
        raise PolicyError([Diagnostic("M811", "error", message, None, help)]) from None


@contextlib.contextmanager
def _written(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_write(target, error) from None


def restore(project: Path, source: Path, clock: Clock, *, wait: float = 0) -> Path | None:
    """The backup is the project's state from now on. Returns where the former state is, None where there was none.

    Raises PolicyError: M814 where the file is no whole backup, M802, M803, M804; then nothing has changed.
    """
    folder = project / FOLDER
    with _written(folder):
        folder.mkdir(exist_ok=True)
    with locked(folder, "merx state restore", clock, wait=wait):
        for old in project.glob(f"{RESTORING}*"):
            shutil.rmtree(old, ignore_errors=True)
        stage = project / f"{RESTORING}{os.getpid()}"
        try:
            with _written(stage):
                (stage / FOLDER).mkdir(parents=True)
            _unpack(source, stage / FOLDER)
            _verify(stage, source, clock)
            with _written(folder):
                return _swap(folder, stage / FOLDER, project / f"{FORMER}{stamp(clock.now()).replace(':', '')}")
        finally:
            if folder.exists():
                shutil.rmtree(stage, ignore_errors=True)


def _unpack(source: Path, folder: Path) -> None:
    try:
        with source.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            members = iter(tar)
            hashes = _contents(tar, next(members, None))
            for member in members:
                name = member.name
                expected = hashes.pop(name, None)
                if expected is None or not member.isreg() or not _harmless(name):
                    raise _unusable(source, f"`{name}` does not belong into it")
                content = tar.extractfile(member)
                assert content is not None
                with _written(folder / name):
                    (folder / name).parent.mkdir(exist_ok=True)
                    made = _copy(content, folder / name)
                if made != expected:
                    raise _unusable(source, f"`{name}` is damaged")
    except OSError as error:
        raise _unusable(source, (error.strerror or str(error)).lower()) from None
    except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _unusable(source, "it is not what `merx state backup` writes, or not all of it") from None
    if hashes or not (folder / FILE).is_file():
        raise _unusable(source, f"`{next(iter(hashes), FILE)}` is missing in it")


def _contents(tar: tarfile.TarFile, member: tarfile.TarInfo | None) -> dict[str, str]:
    if member is None or member.name != CONTENTS or not member.isreg():
        raise ValueError(CONTENTS)
    stream = tar.extractfile(member)
    assert stream is not None
    data: Any = json.loads(stream.read())
    if data["format"] != 1:
        raise ValueError(data["format"])
    return {str(name): str(hash) for name, hash in data["files"].items()}


def _harmless(name: str) -> bool:
    """A member lies where the state's files lie, and nowhere else."""
    folder, slash, file = name.partition("/")
    return name == FILE or (
        bool(slash) and folder in FOLDERS and file not in {"", ".", ".."} and not {"/", "\\", "\0"} & set(file)
    )


def _copy(content: IO[bytes], path: Path) -> str:
    made = hashlib.blake2b()
    with path.open("xb") as file:
        while part := content.read(_PART):
            made.update(part)
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    return made.hexdigest()


def _verify(stage: Path, source: Path, clock: Clock) -> None:
    state = open_state(stage, clock)
    try:
        found = stocktake(state)
    finally:
        state.close()
    if found.problems:
        raise _unusable(source, found.problems[0].replace(f"{stage / FOLDER}{os.sep}", ""))


def _swap(folder: Path, new: Path, former: Path) -> Path | None:
    """The new folder takes the old one's name; returns where the old one is, None where there was no state in it.

    Where the system can exchange two names, there is no moment without a whole state under its own.
    """
    kept = any(path.name not in {LOCK, HOLDER, *FOLDERS} for path in folder.iterdir())
    while former.exists():
        former = former.with_name(f"{former.name}+")
    _share(folder, new)
    new.rename(former)
    if not exchanged(folder, former):
        former.rename(new)
        folder.rename(former)
        try:
            new.rename(folder)
        except BaseException:
            former.rename(folder)
            raise
    sync_folder(folder.parent)
    _clear(former, folder)
    if kept:
        return former
    shutil.rmtree(former, ignore_errors=True)
    return None


def _share(folder: Path, new: Path) -> None:
    """Gives the new folder what stays when the state changes, before anybody can see it: the lock, which would otherwise be
    free there while it is held, and what others keep in the folder, such as a sandbox marketplace. A link is the same file
    under two names, so that nothing is missing under either."""
    for path in folder.iterdir():
        if path.is_file() and (path.name in {LOCK, HOLDER} or _foreign(path)):
            # Some systems have no links: then `_clear` moves the file.
            with contextlib.suppress(OSError):
                os.link(path, new / path.name)


def _clear(former: Path, folder: Path) -> None:
    """Takes out of the former folder what is no part of its state."""
    for path in list(former.iterdir()):
        if path.name in {LOCK, HOLDER} or (_foreign(path) and (folder / path.name).exists()):
            path.unlink(missing_ok=True)
        elif _foreign(path):
            path.rename(folder / path.name)


def _foreign(path: Path) -> bool:
    return path.name not in _OWN and path.suffix != PARTIAL


def _unusable(source: Path, why: str) -> PolicyError:
    help = "nothing was changed; take another backup"
    return PolicyError([Diagnostic("M814", "error", f"`{source}` is no usable backup: {why}", None, help)])
