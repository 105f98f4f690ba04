"""An open state comes in; what is wrong with it and its files, and which files it does not name, goes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from merx.engine import fingerprint
from merx.engine.diagnostic import PolicyError
from merx.engine.durable import PARTIAL
from merx.engine.state import FOLDERS, State
from merx.engine.tables import read_parquet


@dataclass(frozen=True, slots=True)
class Stock:
    """problems: in words. files: how many the state names. leftovers: files that it does not name."""

    problems: tuple[str, ...]
    files: int
    leftovers: tuple[Path, ...]


def named_files(state: State) -> list[Path]:
    """The files that the state needs, each once."""
    found = [
        *_in(state, "snapshots", "select file as name from snapshots"),
        *_in(state, "snapshots", "select id || '.rejects.parquet' as name from snapshots where rejected > 0"),
        *_in(state, "outcomes", "select file as name from outcomes"),
        # The file of a plan that is over is gone.
        *_in(state, "plans", "select file as name from plans where status in ('made', 'applying')"),
        *_in(state, "accepted", "select file as name from accounts where file is not null"),
    ]
    return list(dict.fromkeys(found))


def _in(state: State, folder: str, sql: str) -> Iterator[Path]:
    for row in state.rows(sql):
        yield state.folder / folder / Path(str(row["name"])).name


def leftovers(state: State) -> list[Path]:
    """Files that the state does not name, and that were not written whole. Whoever asks holds the lock."""
    named = set(named_files(state))
    below = [path for folder in FOLDERS for path in sorted((state.folder / folder).iterdir())]
    unnamed = [path for path in below if path not in named and path.is_file()]
    return [*unnamed, *sorted(path for path in state.folder.glob(f"*{PARTIAL}") if path.is_file())]


def stocktake(state: State) -> Stock:
    """Looks at every row and every file. Raises PolicyError where the state cannot be read at all."""
    problems = state.problems()
    named = named_files(state)
    snapshots = {state.folder / "snapshots" / str(row["file"]): row for row in state.rows("select * from snapshots")}
    for path in named:
        problems += _wrong(path, snapshots.get(path))
    return Stock(tuple(problems), len(named), tuple(leftovers(state)))


def _wrong(path: Path, snapshot: dict[str, Any] | None) -> list[str]:
    if not path.is_file():
        return [f"`{path}` is not there"]
    try:
        frame = read_parquet(path)
        if snapshot is None:
            return []
        types = json.dumps(json.loads(snapshot["schema"])["types"], sort_keys=True)
        name = fingerprint.of_text(fingerprint.of_frame(fingerprint.of_columns(frame)), types)
    except PolicyError as error:
        return [one.message for one in error.diagnostics]
    except (ValueError, KeyError, TypeError):
        return [f"what the state says of the snapshot `{snapshot['id'] if snapshot else path}` cannot be read"]
    return [] if name == snapshot["id"] else [f"`{path}` has not the content that its name says"]
