"""What a marketplace shows now comes in; what it was last known to show is corrected by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from merx.engine.accepted import Accepted, accepted_of, keep_accepted, with_rows
from merx.engine.evaluate import SCHEMA
from merx.engine.marketplace import Connection, Offer
from merx.engine.plan import DETAIL, LISTING
from merx.engine.state import State
from merx.engine.tables import alike


@dataclass(frozen=True, slots=True)
class Drift:
    """differing: SKUs of listings that show something else than was accepted; gone: that are not there any more;
    adopted: that are there and were not known to be; foreign: listings of no product of the shop, which are left alone."""

    differing: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    adopted: tuple[str, ...] = ()
    foreign: int = 0

    @property
    def some(self) -> bool:
        return bool(self.differing or self.gone or self.adopted)


def refresh(state: State, account: str, connection: Connection, products: pl.Series) -> Drift:
    """Records what the marketplace shows as what it accepted, and says what that changes.

    products: the SKUs of the shop. Raises Unavailable, Denied.
    """
    accepted = accepted_of(state, account)
    shown = _frame(connection.shown())
    known = accepted.frame["sku"]
    ours = shown["sku"].is_in(products.implode()) | shown["sku"].is_in(known.implode())
    foreign = int((~ours).sum())
    shown = shown.filter(ours)
    published = accepted.frame.filter("published")
    drift = Drift(
        tuple(_differing(published, shown)),
        tuple(published.join(shown.select("sku"), on="sku", how="anti")["sku"]),
        tuple(shown.join(published.select("sku"), on="sku", how="anti")["sku"]),
        foreign,
    )
    if drift.some or accepted.frame["in_doubt"].any():
        with state.atomic():
            keep_accepted(state, account, accepted, _corrected(accepted, shown, drift))
    return drift


def _frame(offers: Iterable[Offer]) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    names: dict[str, None] = {}
    for one in offers:
        row: dict[str, Any] = {
            name: list(value) if isinstance(value, tuple) else value for name, value in one.values.items()
        }
        row.update({f"{DETAIL}{name}": value for name, value in one.details.items()})
        names.update(dict.fromkeys(row))
        rows.append({"sku": one.sku, **row})
    columns = [pl.Series("sku", [row["sku"] for row in rows], dtype=pl.String)]
    for name in names:
        columns.append(_column(name, [row.get(name) for row in rows]))
    return pl.DataFrame(columns)


def _column(name: str, values: list[Any]) -> pl.Series:
    if name.startswith(DETAIL) or name == LISTING:
        return pl.Series(name, values, dtype=pl.String)
    amounts = [one for one in values if isinstance(one, Decimal)]
    if SCHEMA.get(name) == pl.Int64:
        return pl.Series(name, [None if one is None else int(one) for one in values], dtype=pl.Int64)
    if amounts:
        places = max(max(0, -int(one.as_tuple().exponent)) for one in amounts)
        return pl.Series(name, values, dtype=pl.Decimal(38, places))
    return pl.Series(name, values, dtype=SCHEMA.get(name))


def _differing(published: pl.DataFrame, shown: pl.DataFrame) -> pl.Series:
    """SKUs of which some value that was accepted is shown otherwise."""
    names = [name for name in shown.columns if name in published.columns and name != "sku"]
    mine = alike(published.select("sku", *names), shown)
    theirs = alike(shown.select("sku", *names), mine)
    both = mine.join(theirs, on="sku", how="inner", suffix=":shown")
    tests = [pl.col(name).ne_missing(pl.col(f"{name}:shown")) for name in names]
    return both.filter(pl.any_horizontal(pl.lit(False), *tests))["sku"]


def _corrected(accepted: Accepted, shown: pl.DataFrame, drift: Drift) -> pl.DataFrame:
    names = [name for name in shown.columns if name != "sku"]
    rows = shown.with_columns(
        *(pl.lit(True).alias(f"set:{name}") for name in names),
        pl.lit(True).alias("published"), pl.lit(True).alias("set:published"),
        pl.lit(False).alias("in_doubt"), pl.lit(True).alias("set:in_doubt"),
    )  # fmt: skip
    frame = with_rows(accepted.frame, rows)
    here = pl.col("sku").is_in(shown["sku"].implode())
    # What is not shown is not there: nothing of it is in doubt any more.
    return frame.with_columns(
        (pl.col("published") & here).alias("published"), (pl.col("in_doubt") & here).alias("in_doubt")
    )
