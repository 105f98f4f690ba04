"""A plan comes in; what a person wants to see of it goes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from merx.engine.plan import ACTIONS
from merx.engine.planfile import field_name, said
from merx.engine.rails import Broken, moves
from merx.plugins.terminal import plural, printable, say, table

if TYPE_CHECKING:
    import polars as pl

    from merx.engine.drift import Drift
    from merx.engine.planning import Plan
    from merx.engine.snapshots import Kept

SHOWN = 20
"""So many rows of each table are shown, unless all are asked for."""

_SIGNS = {"create": "+", "change": "~", "hold": "!", "withdraw": "-", "unchanged": "="}
_LONGEST = 60


def show_plan(plan: Plan, kept: Kept, broken: Sequence[Broken], drift: Drift | None, *, every: bool = False) -> None:
    """The summary, what changes most, and why products are held. every: each row of the plan, however many."""
    say(
        f'plan for "{plan.account}" on {plan.day}: {plural(kept.products, "product")}, snapshot {kept.short} of {kept.at[:16]}'
    )
    if drift is not None:
        say(drift_text(drift))
    say()
    summary = plan.compared.summary
    say("   ".join(f"{_SIGNS[name]} {count:,} {name}" for name, count in summary.items()))
    if plan.compared.hidden:
        say(f"    {plan.compared.hidden:,} not published: the store does not show them on their own")
    if plan.doubtful:
        say(f"    {plan.doubtful:,} in doubt: something was sent, and nobody knows whether it was accepted")
    _by_listing(plan)
    _by_rule(plan)
    _price_moves(plan)
    _rows(plan, every)
    _held(plan.items)
    for one in broken:
        say(f"\n`merx apply` will refuse: {one.message}\n  where it is meant: merx apply --allow {one.name}")
    if plan.empty:
        say("\nnothing to send: the marketplace shows what the rules decide")


def drift_text(drift: Drift) -> str:
    told = [
        f"{plural(len(skus), 'listing')} {what}"
        for skus, what in (
            (drift.differing, "shown otherwise than accepted"), (drift.gone, "not there any more"),
            (drift.adopted, "there that were not known"),
        )
        if skus
    ]  # fmt: skip
    if drift.foreign:
        told.append(f"{plural(drift.foreign, 'listing')} of no product here, left alone")
    return f"the marketplace: {'; '.join(told) or 'shows what it accepted'}"


def _by_listing(plan: Plan) -> None:
    import polars as pl

    if not plan.items.height:
        return
    counted = plan.items.group_by("listing").agg(
        *((pl.col("action") == action).sum().alias(action) for action in ACTIONS)
    )
    rows = [
        [row["listing"] or "(undecided)", *(f"{row[action]:,}" for action in ACTIONS)]
        for row in counted.sort("listing", nulls_last=True).iter_rows(named=True)
    ]
    say()
    table(["listing", *ACTIONS], rows[:SHOWN], right=ACTIONS)


def _by_rule(plan: Plan) -> None:
    """How many values each policy changes, of published products."""
    import polars as pl

    changed = plan.items.filter(pl.col("action") == "change").select(
        "listing", pl.col("fields").explode(empty_as_null=False, keep_nulls=False)
    )
    counts: dict[str, int] = {}
    for listing, field, count in changed.group_by("listing", "fields").len().iter_rows():
        rule = plan.by.get((listing, field))
        if rule is not None:
            counts[rule] = counts.get(rule, 0) + count
    if counts:
        say()
        rows = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        table(["changed by", "values"], [[rule, f"{count:,}"] for rule, count in rows[:SHOWN]], right=["values"])


def largest_moves(plan: Plan) -> list[tuple[dict[str, Any], str]]:
    """The rows whose price moves most, with the move in percent."""
    moved = moves(plan.items)
    found = plan.items.with_columns(moved.alias("move#")).filter(moved.is_not_null())
    rows = found.sort("move#", descending=True, maintain_order=True).head(SHOWN).iter_rows(named=True)
    return [(row, _percent(int(row["move#"]), row["new:price"] > row["old:price"])) for row in rows]


def _percent(millionths: int, up: bool) -> str:
    tenths = (millionths + 500) // 1000
    return f"{'+' if up else '-'}{tenths // 10}.{tenths % 10}%"


def _price_moves(plan: Plan) -> None:
    rows = [
        [row["sku"], said(row["old:price"]), said(row["new:price"]), move, plan.by.get((row["listing"], "price"), "")]
        for row, move in largest_moves(plan)
    ]
    if rows:
        say()
        table(["largest price moves", "from", "to", "move", "by"], rows, right=["from", "to", "move"])


def _rows(plan: Plan, every: bool) -> None:
    items = plan.items if every else plan.items.head(SHOWN)
    if not items.height:
        return
    say()
    table(["", "sku", "listing", "changes"], list(_cells(items)))
    if items.height < plan.items.height:
        say(f"… and {plan.items.height - items.height:,} more: --all lists them, -o plan.json saves them")


def _cells(items: pl.DataFrame) -> Iterator[list[str]]:
    for row in items.iter_rows(named=True):
        told = [f"{field_name(field)} {_change(row, field)}" for field in row["fields"] if field != "listing"]
        yield [_SIGNS[row["action"]], row["sku"], row["listing"] or "", ", ".join(told) or "; ".join(row["reasons"])]


def _change(row: dict[str, Any], field: str) -> str:
    new = _shown(row[f"new:{field}"])
    return new if row["action"] == "create" else f"{_shown(row[f'old:{field}'])} → {new}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return plural(len(value), "image")
    text = "none" if value is None else str(said(value))
    return text if len(text) <= _LONGEST else f"…{text[1 - _LONGEST :]}"


def _held(items: pl.DataFrame) -> None:
    import polars as pl

    reasons = items.select(pl.col("reasons").explode(empty_as_null=False, keep_nulls=False).alias("reason"))
    counted = reasons.group_by("reason").len().sort(["len", "reason"], descending=[True, False])
    if counted.height:
        say("\nheld because")
    for reason, count in counted.head(SHOWN).iter_rows():
        say(f"{count:>6,}  {printable(reason)}")
    if counted.height > SHOWN:
        say(f"        … and {plural(counted.height - SHOWN, 'further reason')}")
