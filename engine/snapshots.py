"""Products that were read come in and are kept; each snapshot is immutable and bears the name of its content.

The products stand in Parquet files, written whole or not at all; the state says which there are and in what order they were
pulled. The last pull is what plans are made from.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from merx.engine import fingerprint
from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.snapshot import Reject, Schema, Snapshot
from merx.engine.state import State
from merx.engine.tables import read_parquet, stacked, write_parquet
from merx.engine.types import Type

SHORT = 10
"""Characters of a name that people are shown; any unambiguous beginning names a snapshot."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A snapshot that is kept. at, origin: of its last pull, and mark: what that pull knew its source by.
    columns: attribute → the name of its content."""

    id: str
    at: str
    origin: str
    mark: str
    products: int
    rows: int
    rejected: int
    columns: Mapping[str, str]
    schema: Schema
    notes: tuple[str, ...]
    file: Path

    @property
    def short(self) -> str:
        return self.id[:SHORT]


_KEPT = """
select snapshots.*, pulls.at, pulls.origin, pulls.mark from snapshots
join pulls on pulls.id = (select max(id) from pulls where snapshot = snapshots.id)
"""


def kept_snapshots(state: State) -> list[Kept]:
    """Every snapshot, the last pulled first."""
    return [_kept(state, row) for row in state.rows(f"{_KEPT} order by pulls.id desc")]


def latest_snapshot(state: State) -> Kept | None:
    row = state.row(f"{_KEPT} order by pulls.id desc limit 1")
    return None if row is None else _kept(state, row)


def snapshot_named(state: State, name: str) -> Kept:
    """The snapshot whose name starts so; `latest` is the last pulled, `latest~1` the one before it.

    Raises PolicyError (M810) where there is none, or more than one.
    """
    every = kept_snapshots(state)
    if name == "latest" or name.startswith("latest~"):
        back = int(name[7:]) if name[7:].isascii() and name[7:].isdecimal() else 0 if name == "latest" else len(every)
        found = every[back : back + 1]
    else:
        found = [one for one in every if name and one.id.startswith(name.lower())]
    if len(found) == 1:
        return found[0]
    what = f"`{name}` names {len(found)} snapshots" if found else f"there is no snapshot `{name}`"
    help = (
        "`merx snapshot list` shows them" if every else "take one: `merx snapshot pull`, or `merx snapshot import FILE`"
    )
    raise PolicyError([Diagnostic("M810", "error", what, None, help)])


def keep(state: State, snapshot: Snapshot, origin: str, mark: str) -> tuple[Kept, bool]:
    """The snapshot as it is kept from now on, and whether its content differs from the last pulled one's."""
    before = latest_snapshot(state)
    columns = fingerprint.of_columns(snapshot.frame)
    types = json.dumps({name: _type_data(type_) for name, type_ in snapshot.schema.attributes.items()}, sort_keys=True)
    name = fingerprint.of_text(fingerprint.of_frame(columns), types)
    new = state.row("select id from snapshots where id = ?", [name]) is None
    if new:
        _write(state, name, snapshot)
    with state.atomic():
        if new:
            schema = {"title": snapshot.schema.title, "whole": snapshot.schema.whole, "types": json.loads(types)}
            state.insert(
                "snapshots",
                {
                    "id": name, "file": f"{name}.parquet", "products": snapshot.frame.height, "rows": snapshot.rows,
                    "rejected": len(snapshot.rejects), "columns": json.dumps(columns),
                    "schema": json.dumps(schema), "notes": json.dumps(snapshot.notes),
                },
            )  # fmt: skip
        state.insert("pulls", {"snapshot": name, "at": state.now(), "origin": origin, "mark": mark})
    found = snapshot_named(state, name)
    return found, before is None or before.id != found.id


def _write(state: State, name: str, snapshot: Snapshot) -> None:
    folder = state.folder / "snapshots"
    if snapshot.rejects:
        rows = [asdict(one) for one in snapshot.rejects]
        schema = {"line": pl.Int64, "sku": pl.String, "reason": pl.String}
        write_parquet(pl.DataFrame(rows, schema=schema), folder / f"{name}.rejects.parquet")
    write_parquet(snapshot.frame, folder / f"{name}.parquet")


def frame_of(kept: Kept, columns: Collection[str] | None = None) -> pl.DataFrame:
    """The products. columns: the attributes that are wanted, those the snapshot has; None is all."""
    wanted = None if columns is None else [name for name in kept.columns if name in columns or name == "sku"]
    return read_parquet(kept.file, wanted)


def rejects_of(kept: Kept) -> tuple[Reject, ...]:
    """The rows that were kept out."""
    if not kept.rejected:
        return ()
    frame = read_parquet(kept.file.with_name(f"{kept.id}.rejects.parquet"))
    return tuple(Reject(**row) for row in frame.iter_rows(named=True))


def merge(before: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    """The products of `before`, those of the same SKU replaced by `changed`'s, and its new ones behind them."""
    rows = stacked(before, changed)
    last = rows.with_row_index("row#").group_by("sku", maintain_order=True).agg(pl.all().last())
    return last.drop("row#").select(rows.columns)


def prune(state: State, kept: int) -> list[Kept]:
    """Forgets all but the last `kept` snapshots and those that a plan or an evaluation still needs; returns the others."""
    every = kept_snapshots(state)
    needed = {str(row["snapshot"]) for row in state.rows("select snapshot from outcomes")}
    needed |= {
        str(row["snapshot"]) for row in state.rows("select snapshot from plans where status in ('made', 'applying')")
    }
    gone = [one for one in every[max(kept, 1) :] if one.id not in needed]
    with state.atomic():
        for one in gone:
            ended = "select id from plans where snapshot = ?"
            state.run(f"delete from refusals where plan in ({ended})", [one.id])
            state.run(f"delete from intents where plan in ({ended})", [one.id])
            state.run("delete from plans where snapshot = ?", [one.id])
            state.run("delete from pulls where snapshot = ?", [one.id])
            state.run("delete from snapshots where id = ?", [one.id])
    for one in gone:
        one.file.unlink(missing_ok=True)
        one.file.with_name(f"{one.id}.rejects.parquet").unlink(missing_ok=True)
    return gone


# --- rows of the state


def _kept(state: State, row: Mapping[str, Any]) -> Kept:
    schema = json.loads(row["schema"])
    types = {name: _type_of(data) for name, data in schema["types"].items()}
    return Kept(
        row["id"], row["at"], row["origin"], row["mark"], row["products"], row["rows"], row["rejected"],
        json.loads(row["columns"]), Schema(schema["title"], types, schema["whole"]), tuple(json.loads(row["notes"])),
        state.folder / "snapshots" / row["file"],
    )  # fmt: skip


def _type_data(type_: Type) -> dict[str, Any]:
    item = None if type_.item is None else _type_data(type_.item)
    return {"kind": type_.kind, "currency": type_.currency, "item": item, "optional": type_.optional}


def _type_of(data: Mapping[str, Any]) -> Type:
    item = None if data["item"] is None else _type_of(data["item"])
    return Type(data["kind"], data["currency"], item, data["optional"])
