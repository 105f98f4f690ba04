"""What the marketplace last accepted of each product of an account: a Parquet file, and its serial number in the state.

The serial goes up each time the file changes, so that a plan can tell whether it was made from what stands now.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from merx.engine.fingerprint import of_text
from merx.engine.state import State
from merx.engine.tables import read_parquet, stacked, write_parquet

_TEXTS, _FLAGS = ("sku", "assigned", "listing"), ("published", "in_doubt")
EMPTY = pl.DataFrame(schema={**dict.fromkeys(_TEXTS, pl.String), **dict.fromkeys(_FLAGS, pl.Boolean)})


@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """frame: a row a product that has a listing at the marketplace, or that an assignment gave one; see `merx.engine.plan`.
    assigned: the listing that the last assignment gave it, empty where it took one away; listing: what was sent of that.
    in_doubt: something was sent, and nobody knows whether it was accepted."""

    serial: int
    frame: pl.DataFrame

    @property
    def published(self) -> int:
        return int(self.frame["published"].sum())


def accepted_of(state: State, account: str) -> Accepted:
    """As it stands now."""
    row = state.row("select serial, file from accounts where title = ?", [account])
    if row is None or row["file"] is None:
        return Accepted(0 if row is None else row["serial"], EMPTY)
    return Accepted(row["serial"], read_parquet(state.folder / "accepted" / row["file"]))


def serial_of(state: State, account: str) -> int:
    row = state.row("select serial from accounts where title = ?", [account])
    return 0 if row is None else int(row["serial"])


def keep_accepted(state: State, account: str, before: Accepted, frame: pl.DataFrame) -> Accepted:
    """The frame is what the account stands at from now on. To be called within `state.atomic()` together with whatever must
    be true at the same moment; the file is on disk before the state names it."""
    serial = before.serial + 1
    name = f"{of_text(account)[:10]}-{serial}.parquet"
    write_parquet(frame, state.folder / "accepted" / name)
    state.replace("accounts", {"title": account, "serial": serial, "file": name, "at": state.now()})
    return Accepted(serial, frame)


def forget_older(state: State) -> None:
    """Removes files that the state no longer names: what was accepted before, and what was not written whole."""
    named = {str(row["file"]) for row in state.rows("select file from accounts where file is not null")}
    for path in (state.folder / "accepted").iterdir():
        if path.name not in named:
            path.unlink(missing_ok=True)


def with_rows(before: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The frame with these rows' values: those of a SKU it has are changed where a value is given, new ones added.

    rows: sku, and for each field to change a column `FIELD` and a flag column `set:FIELD`.
    """
    fields = [name for name in rows.columns if f"set:{name}" in rows.columns]
    base = stacked(before, rows.select("sku", *fields).clear())
    new = rows.join(base.select("sku"), on="sku", how="anti")
    added = new.select("sku", *(pl.when(pl.col(f"set:{name}")).then(pl.col(name)).alias(name) for name in fields))
    given = rows.rename({name: f"new:{name}" for name in fields})
    changed = base.join(given, on="sku", how="left", maintain_order="left").with_columns(
        pl.when(pl.col(f"set:{name}").fill_null(False))
        .then(_as(f"new:{name}", base, name))
        .otherwise(pl.col(name))
        .alias(name)
        for name in fields
    )
    whole = stacked(changed.select(base.columns), added)
    return whole.with_columns(pl.col("published", "in_doubt").fill_null(False))


def _as(column: str, frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(column).cast(frame.schema[name])
