"""Outcomes of products come in; what a person wants to see of them goes out."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from merx.engine.snapshot import Snapshot
from merx.plugins.output import text_columns
from merx.plugins.terminal import plural, printable, say, table

if TYPE_CHECKING:
    import polars as pl

ON_TERMINAL = 40
"""So many products are shown to a person; the others are counted."""

_REASONS = 12
_NUMBERS = ("price", "sale_price", "quantity", "images", "ready", "held", "products")


def summary(outcomes: pl.DataFrame, snapshot: Snapshot, day: datetime.date) -> str:
    """One line: how many products are ready, held, unlisted and rejected."""
    counts = dict(outcomes["status"].value_counts().iter_rows())
    told = [f"{counts[status]:,} {status}" for status in ("ready", "held", "unlisted") if status in counts]
    if snapshot.rejects:
        told.append(f"{len(snapshot.rejects):,} rejected")
    return f"{plural(snapshot.rows, 'product')} on {day}: {', '.join(told) or 'none'}"


def show_outcomes(outcomes: pl.DataFrame, snapshot: Snapshot, day: datetime.date) -> None:
    """The summary, the listings, the products and why some are held."""
    say(summary(outcomes, snapshot, day))
    if not outcomes.height:
        return
    say()
    table(["listing", "ready", "held"], _listings(outcomes), right=_NUMBERS)
    say()
    person = sys.stdout.isatty()
    shown = outcomes.head(ON_TERMINAL) if person else outcomes
    last = ["reasons"] if person else ["main_image", "reasons"]
    columns = [name for name in outcomes.columns if name not in ("reasons", "main_image")] + last
    table(columns, _rows(shown, columns), right=_NUMBERS)
    if shown.height < outcomes.height:
        say(f"… and {outcomes.height - shown.height:,} more: --format csv writes them all")
    held = list(_held(outcomes))
    if held:
        say("\nheld because")
        for count, reason in held[:_REASONS]:
            say(f"{count:>6,}  {printable(reason)}")
        if len(held) > _REASONS:
            say(f"        … and {plural(len(held) - _REASONS, 'further reason')}")


def _listings(outcomes: pl.DataFrame) -> Iterator[tuple[str, str, str]]:
    import polars as pl

    grouped = outcomes.group_by("listing").agg(
        (pl.col("status") == "ready").sum().alias("ready"), (pl.col("status") == "held").sum().alias("held"), pl.len()
    )
    for row in grouped.sort("listing", nulls_last=True).iter_rows(named=True):
        if row["listing"] is not None:
            yield row["listing"], f"{row['ready']:,}", f"{row['held']:,}"
        elif row["held"]:
            yield "(undecided)", "", f"{row['held']:,}"


def _rows(outcomes: pl.DataFrame, columns: list[str]) -> Iterator[list[str]]:
    for row in text_columns(outcomes).iter_rows(named=True):
        yield [_cell(name, row[name]) for name in columns]


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "images":
        return str(len(value))
    if isinstance(value, list):
        return "; ".join(str(one) for one in value)
    return str(value)


def _held(outcomes: pl.DataFrame) -> Iterator[tuple[int, str]]:
    """How many products share a reason, the most frequent first."""
    import polars as pl

    reasons = outcomes.select(pl.col("reasons").explode().alias("reason")).drop_nulls()
    counted = reasons.group_by("reason").len().sort(["len", "reason"], descending=[True, False])
    for reason, count in counted.iter_rows():
        yield count, reason
