"""A project's folder comes in; its state goes out: one SQLite file that says what there is, and the folders it names files in.

SQLite is the control plane and Parquet the data plane: here stand runs, plans, intents, logs and the names of files, and
never a catalogue's rows. Whoever writes holds the lock (`merx.engine.lock`); whoever reads need not.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from merx.engine.clock import TOLERANCE, Clock, SystemClock, moment, stamp
from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.durable import cannot_write

FOLDER = ".merx"
FILE = "state.db"
FOLDERS = ("snapshots", "outcomes", "plans", "accepted")
"""Below `.merx`: where the files lie that the state names."""

RESTORING = f"{FOLDER}.restoring-"
"""How the name of the folder beside begins in which a backup is unpacked and verified."""

_BUSY = 30
"""Seconds that a statement waits for another process's; the lock makes that rare."""

MIGRATIONS = Migrations("merx")


@MIGRATIONS()
def first(db: Database) -> None:
    text, whole = str, int
    db.table("facts").create({"name": text, "value": text}, pk="name")
    db.table("snapshots").create(
        {
            "id": text, "file": text, "products": whole, "rows": whole, "rejected": whole,
            "columns": text, "schema": text, "notes": text,
        },
        pk="id",
    )  # fmt: skip
    db.table("pulls").create(
        {"id": whole, "snapshot": text, "at": text, "origin": text, "mark": text},
        pk="id",
        foreign_keys=[("snapshot", "snapshots", "id")],
    )
    db.table("accounts").create({"title": text, "serial": whole, "file": text, "at": text}, pk="title")
    db.table("outcomes").create(
        {"account": text, "mode": text, "snapshot": text, "rules": text, "day": text, "file": text, "at": text},
        pk=("account", "mode"),
        foreign_keys=[("snapshot", "snapshots", "id")],
    )
    db.table("plans").create(
        {
            "id": text, "account": text, "snapshot": text, "rules": text, "serial": whole, "day": text,
            "scope": text, "file": text, "summary": text, "status": text, "at": text,
        },
        pk="id",
        foreign_keys=[("snapshot", "snapshots", "id")],
    )  # fmt: skip
    db.table("intents").create(
        {
            "id": whole, "plan": text, "number": whole, "operation": text, "first": whole, "count": whole,
            "key": text, "status": text, "attempts": whole, "problem": text, "at": text,
        },
        pk="id",
        foreign_keys=[("plan", "plans", "id")],
    )  # fmt: skip
    db.table("intents").create_index(["plan", "number"], unique=True)
    db.table("refusals").create(
        {"id": whole, "plan": text, "intent": whole, "sku": text, "code": text, "message": text, "at": text},
        pk="id",
        foreign_keys=[("plan", "plans", "id"), ("intent", "intents", "id")],
    )
    db.table("refusals").create_index(["plan"])
    db.table("jobs").create(
        {
            "account": text, "job": text, "schedule": text, "due": text, "started": text, "finished": text,
            "result": text, "runs": whole, "failures": whole,
        },
        pk=("account", "job"),
    )  # fmt: skip
    db.table("log").create(
        {
            "id": whole, "at": text, "level": text, "account": text, "job": text, "run": text, "message": text,
            "skus": text,
        },
        pk="id",
    )  # fmt: skip
    db.table("log").create_index(["at"])
    db.table("exchanges").create(
        {
            "id": whole, "at": text, "account": text, "job": text, "run": text, "operation": text, "address": text,
            "status": whole, "milliseconds": whole, "request": text, "response": text, "skus": text,
        },
        pk="id",
    )  # fmt: skip
    db.table("exchanges").create_index(["at"])
    db.table("history").create(
        {
            "id": whole, "at": text, "who": text, "action": text, "kind": text, "title": text, "file": text,
            "before": text, "after": text,
        },
        pk="id",
    )  # fmt: skip


@MIGRATIONS()
def place_of_changes(db: Database) -> None:
    """Where in its file a change was made, so that it can be taken back to the byte."""
    db.table("history").add_column("place", str)


@dataclass(slots=True, eq=False)
class State:
    """The open state of a project. folder: its `.merx`.

    Every method raises PolicyError: M800 where the file is damaged, M803 where it cannot be written, M804 where the
    disk is full.
    """

    folder: Path
    clock: Clock
    _db: Database

    @property
    def path(self) -> Path:
        return self.folder / FILE

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        """Every row that a query gives."""
        with told(self.path):
            return list(self._db.query(sql, dict(parameters) if isinstance(parameters, Mapping) else list(parameters)))

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> dict[str, Any] | None:
        """The first row, None without one."""
        return next(iter(self.rows(sql, parameters)), None)

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Carries out a statement that gives no rows; returns how many it touched."""
        with told(self.path):
            return self._db.execute(sql, list(parameters)).rowcount

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """The row's number."""
        with told(self.path):
            return int(self._db.table(table).insert(dict(row)).last_rowid or 0)

    def insert_all(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        with told(self.path):
            self._db.table(table).insert_all(dict(row) for row in rows)

    def replace(self, table: str, row: Mapping[str, Any]) -> None:
        """Puts the row in place of the one with its key."""
        with told(self.path):
            self._db.table(table).insert(dict(row), replace=True)

    @contextlib.contextmanager
    def atomic(self) -> Iterator[None]:
        """All of what the body writes is kept, or nothing of it."""
        with told(self.path), self._db.atomic():
            yield

    @property
    def version(self) -> int:
        """Of its tables: how many migrations made them."""
        with told(self.path):
            return len(MIGRATIONS.applied(self._db))

    def now(self) -> str:
        """The moment, as rows carry it."""
        return stamp(self.clock.now())

    def day(self) -> datetime.date:
        return self.clock.now().date()

    def fact(self, name: str) -> str | None:
        found = self.row("select value from facts where name = ?", [name])
        return None if found is None else str(found["value"])

    def note(self, name: str, value: str) -> None:
        self.replace("facts", {"name": name, "value": value})

    def check_clock(self) -> None:
        """Notes the moment. Raises PolicyError (M806) where it is before what was noted last: with a clock that is set
        back, an ended promotion would apply again."""
        last, now = self.fact("seen"), self.clock.now()
        try:
            before = None if last is None else moment(last)
            late = before is not None and now < before - TOLERANCE
        except (ValueError, TypeError, OverflowError):
            raise _damaged(self.path, f"`{last}` is no moment") from None
        if late:
            message = f"the clock says {stamp(now)}, and this project was last written at {last}"
            help = "set the clock right; if the earlier time was the wrong one: `merx state check --accept-clock`"
            raise PolicyError([Diagnostic("M806", "error", message, None, help)])
        if before is None or now > before:
            self.note("seen", stamp(now))

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file."""
        with told(self.path):
            found = [str(row[0]) for row in self._db.execute("pragma integrity_check").fetchall() if row[0] != "ok"]
            broken = self._db.execute("pragma foreign_key_check").fetchall()
        return found + [f"a row of `{row[0]}` names a row of `{row[2]}` that is not there" for row in broken]

    def vacuum(self) -> None:
        with told(self.path):
            self._db.vacuum()

    def copy_to(self, path: Path) -> None:
        """A whole copy of the file, as it is at this moment."""
        with told(path), contextlib.closing(sqlite3.connect(path)) as other:
            self._db.conn.backup(other)

    def close(self) -> None:
        self._db.close()


def open_state(project: Path, clock: Clock | None = None) -> State:
    """The state of the project in this folder; made where there is none yet.

    Raises PolicyError: M800 a damaged file, M801 one of a newer merx, M803 a folder that cannot be written, M804 a full disk.
    """
    folder = ready(project)
    path = folder / FILE
    with told(path):
        connection = sqlite3.connect(path, timeout=_BUSY, check_same_thread=False)
        db = Database(connection)
        try:
            _refuse_newer(db, path)
            db.enable_wal()
            db.execute("pragma foreign_keys = on")
            # A commit is on disk when it returns: what an intent says must outlive the machine's power.
            db.execute("pragma synchronous = full")
            if MIGRATIONS.pending(db):
                MIGRATIONS.apply(db)
        except BaseException:
            db.close()
            raise
    return State(folder, clock or SystemClock(), db)


def ready(project: Path) -> Path:
    """The folder of the project's state, made where there is none yet.

    Raises PolicyError: M800, M815 where a state has been there and is not any more, M803 where it cannot be made.
    """
    folder = project / FOLDER
    _refuse_remains(project, folder / FILE)
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from None
    return folder


def _refuse_remains(project: Path, path: Path) -> None:
    """A new state is not made where an old one has lost its file: its listings would look as if nobody had sent them."""
    if path.exists() and path.stat().st_size:
        return
    if not path.parent.exists() and any(project.glob(f"{RESTORING}*/{FOLDER}/{FILE}")):
        message = f"a restore was interrupted, and `{path.parent}` is not there"
        help = "run it again: `merx state restore FILE`"
        raise PolicyError([Diagnostic("M815", "error", message, None, help)])
    if any(one.suffix == ".parquet" for name in FOLDERS for one in path.parent.glob(f"{name}/*")):
        message = (
            f"the state `{path}` is damaged: it is {'empty' if path.exists() else 'gone'}, and its files are there"
        )
        help = "restore a copy: `merx state restore FILE`"
        raise PolicyError([Diagnostic("M800", "error", message, None, help)])


def _refuse_newer(db: Database, path: Path) -> None:
    known = {one.name for one in MIGRATIONS.pending(db)} | {one.name for one in MIGRATIONS.applied(db)}
    ours = {one.name for one in MIGRATIONS._migrations}
    if newer := sorted(known - ours):
        message = f"`{path}` was written by a newer merx ({', '.join(newer)})"
        raise PolicyError([Diagnostic("M801", "error", message, None, "install that version of merx, or a newer one")])


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """SQLite's errors of the body as diagnostics."""
    try:
        yield
    except UnicodeDecodeError:
        raise _damaged(path, "it holds text that is none") from None
    except sqlite3.DatabaseError as error:
        raise _fault(path, str(error)) from None


_LITTLE = 1 << 20
"""Bytes: where there is less room than this, what SQLite calls a “disk I/O error” is a full disk."""


def _fault(path: Path, text: str) -> PolicyError:
    failing = "disk I/O" in text
    if "full" in text or (failing and shutil.disk_usage(path.parent).free < _LITTLE):
        return cannot_write(path, OSError(errno.ENOSPC, text))
    if "readonly" in text or "unable to open" in text:
        return cannot_write(path, OSError(errno.EACCES, text))
    if "malformed" in text or "not a database" in text or "disk image" in text:
        return _damaged(path, text)
    help = (
        "the disk may be failing: what was written before is not lost" if failing else "`merx state check` looks at it"
    )
    return PolicyError([Diagnostic("M805", "error", f"the state `{path}` cannot be used: {text}", None, help)])


def _damaged(path: Path, why: str) -> PolicyError:
    help = "restore a copy: `merx state restore FILE`; `merx state check` says what is damaged"
    return PolicyError([Diagnostic("M800", "error", f"the state `{path}` is damaged: {why}", None, help)])
