"""A plan comes in; one HTML page that shows it goes out: no script, no font, no picture from anywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from merx.engine.planfile import field_name, said
from merx.engine.rails import Broken, moves
from merx.plugins.plan_report import largest_moves

if TYPE_CHECKING:
    from merx.engine.planning import Plan
    from merx.engine.snapshots import Kept

ROWS = 500
"""So many products are listed; the JSON has them all."""

_STEPS = ((10_000, "up to 1%"), (50_000, "up to 5%"), (100_000, "up to 10%"), (250_000, "up to 25%"), (None, "more"))
"""Bounds of the price moves in the chart, in millionths."""

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --create: #2e7d32; --change: #1565c0; --hold: #b26a00; --withdraw: #c62828; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } td, th { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } .dim { opacity: .7; }
svg text { font: 13px system-ui, sans-serif; fill: currentColor; } .broken { border-left: 4px solid var(--withdraw); padding-left: .8rem; }
"""


def page(plan: Plan, kept: Kept, broken: Sequence[Broken]) -> str:
    """The whole page. Every text of a shop or a rule is escaped."""
    summary = plan.compared.summary
    parts = [
        f"<h1>Plan for {escape(plan.account)} on {plan.day}</h1>",
        f'<p class="dim">{kept.products:,} products, snapshot {kept.short} of {escape(kept.at)} · plan {plan.id[:10]}</p>',
        *(f'<p class="broken">{escape(one.message)} (<code>--allow {one.name}</code>)</p>' for one in broken),
        "<h2>What is to be done</h2>",
        bars([(name, count, f"var(--{name})") for name, count in summary.items()]),
        _price_chart(plan),
        _moves(plan),
        _reasons(plan),
        _products(plan),
    ]
    title = escape(f"merx plan {plan.account} {plan.day}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head><body>\n{"".join(parts)}\n</body></html>\n'


def bars(counts: Sequence[tuple[str, int, str]]) -> str:
    """A bar chart: (what, how many, colour)."""
    most = max([count for _, count, _ in counts], default=0) or 1
    rows = []
    for number, (what, count, colour) in enumerate(counts):
        width, top = count * 480 // most, number * 26
        rows.append(
            f'<text x="110" y="{top + 17}" text-anchor="end">{escape(what)}</text>'
            f'<rect x="120" y="{top + 4}" width="{width}" height="18" rx="2" style="fill:{colour}"/>'
            f'<text x="{128 + width}" y="{top + 17}">{count:,}</text>'
        )
    height = len(counts) * 26 + 4
    return f'<svg role="img" viewBox="0 0 720 {height}" width="720" height="{height}">{"".join(rows)}</svg>'


def _price_chart(plan: Plan) -> str:
    moved = moves(plan.items).drop_nulls()
    if not moved.len():
        return ""
    counts, low = [], -1
    for high, what in _STEPS:
        within = moved > low if high is None else (moved > low) & (moved <= high)
        counts.append((what, int(within.sum()), "var(--change)"))
        low = high or low
    return f"<h2>Price moves</h2>{bars(counts)}"


def _table(head: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> str:
    """head: (title, class of the column)."""
    titles = "".join(f'<th class="{kind}">{escape(name)}</th>' for name, kind in head)
    body = "".join(
        "<tr>" + "".join(f'<td class="{kind}">{escape(str(cell))}</td>' for cell, (_, kind) in zip(row, head, strict=True)) + "</tr>"
        for row in rows
    )  # fmt: skip
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _moves(plan: Plan) -> str:
    rows = [
        (row["sku"], said(row["old:price"]), said(row["new:price"]), move, plan.by.get((row["listing"], "price"), ""))
        for row, move in largest_moves(plan)
    ]
    head = (("SKU", ""), ("from", "n"), ("to", "n"), ("move", "n"), ("rule", ""))
    return f"<h2>Largest price moves</h2>{_table(head, rows)}" if rows else ""


def _reasons(plan: Plan) -> str:
    counts: dict[str, int] = {}
    for reasons in plan.items["reasons"]:
        for reason in reasons:
            counts[reason] = counts.get(reason, 0) + 1
    rows = [(f"{count:,}", reason) for reason, count in sorted(counts.items(), key=lambda one: -one[1])]
    return f"<h2>Held because</h2>{_table((('products', 'n'), ('reason', '')), rows[:ROWS])}" if rows else ""


def _products(plan: Plan) -> str:
    rows = []
    for row in plan.items.sort("action", maintain_order=True).head(ROWS).iter_rows(named=True):
        told = "; ".join(_change(row, field) for field in row["fields"]) or "; ".join(row["reasons"])
        rows.append((row["action"], row["sku"], row["listing"] or "", told))
    if not rows:
        return "<p>Nothing is to be sent.</p>"
    more = plan.items.height - len(rows)
    left = f'<p class="dim">… and {more:,} more</p>' if more > 0 else ""
    head = (("action", ""), ("SKU", ""), ("listing", ""), ("changes, or why it is held", ""))
    return f"<h2>Products</h2>{_table(head, rows)}{left}"


def _change(row: dict[str, Any], field: str) -> str:
    old, new = (_shown(row[f"{side}:{field}"]) for side in ("old", "new"))
    name = field_name(field)
    return f"{name} {new}" if row["action"] == "create" else f"{name} {old} → {new}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} images"
    return "none" if value is None else str(said(value))
