"""The rungs of a ladder come in; what can be proved of them goes out as diagnostics: gaps, dead rungs, twice the same.

A rung with a literal bound takes an interval of the number line. Only what holds for every product is said: a rung
whose bound is computed, or a `when`, may take anything or nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from merx.engine import syntax
from merx.engine.diagnostic import Note
from merx.engine.expression import Compare, Constant, Expression
from merx.engine.scope import Scope


@dataclass(frozen=True, slots=True)
class RungTest:
    """A rung and its typed condition, None for `else`."""

    rung: syntax.Rung
    condition: Expression | None


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """A point between numbers: just below `at`, or just above it. at None with after False is minus infinity,
    with after True plus infinity."""

    infinite: int  # -1, 0, 1: sorts the infinities around every number
    at: Decimal = Decimal(0)
    after: bool = False


_BOTTOM, _TOP = Edge(-1), Edge(1)
Interval = tuple[Edge, Edge]


def _interval(kind: str, at: Decimal) -> Interval:
    below, above = Edge(0, at, False), Edge(0, at, True)
    return {
        "above": (above, _TOP),
        "from": (below, _TOP),
        "below": (_BOTTOM, below),
        "upto": (_BOTTOM, above),
        "exactly": (below, above),
    }[kind]


def _without(free: list[Interval], taken: Interval) -> list[Interval]:
    """The parts of `free` that `taken` leaves."""
    left: list[Interval] = []
    for low, high in free:
        if taken[1] <= low or high <= taken[0]:
            left.append((low, high))
            continue
        if low < taken[0]:
            left.append((low, taken[0]))
        if taken[1] < high:
            left.append((taken[1], high))
    return left


def _said(interval: Interval) -> str:
    """`exactly 10`, `above 10 and below 20`, `below 2`."""
    low, high = interval
    if low.infinite == 0 and high.infinite == 0 and low.at == high.at:
        return f"exactly {low.at:f}"
    parts = []
    if low.infinite == 0:
        parts.append(f"above {low.at:f}" if low.after else f"{low.at:f} or more")
    if high.infinite == 0:
        parts.append(f"{high.at:f} or less" if high.after else f"below {high.at:f}")
    return " and ".join(parts) or "any number"


def check_rungs(node: syntax.Ladder, tests: list[RungTest], scope: Scope) -> None:
    """Reports `exactly` twice (M405), rungs that can never be reached (M406), and gaps (M407)."""
    free: list[Interval] = [(_BOTTOM, _TOP)]
    computed: dict[Expression, set[str]] = defaultdict(set)
    exact: dict[Decimal, syntax.Rung] = {}
    provable, closed = True, False
    for test in tests:
        rung, condition = test.rung, test.condition
        bound = condition.right if isinstance(condition, Compare) and rung.kind != "when" else None
        if rung.kind == "exactly" and isinstance(bound, Constant) and isinstance(bound.value, Decimal):
            first = exact.setdefault(bound.value, rung)
            if first is not rung:
                scope.error(
                    "M405", f"`exactly {bound.value:f}` stands twice", rung.span, "remove one of the two",
                    Note("the first is here", first.span),
                )  # fmt: skip
                continue
        if closed or not free:
            why = "`else` before it takes the rest" if closed else "the rungs before it take every number"
            scope.error("M406", f"this rung is never reached: {why}", rung.span, "remove it, or move it up")
            continue
        if condition is None:
            closed = True
            continue
        if not isinstance(bound, Constant) or not isinstance(bound.value, Decimal):
            provable = False
            if bound is not None:
                computed[bound].add(rung.kind)
                closed = _covers(computed[bound])
            continue
        taken = _interval(rung.kind, bound.value)
        left = _without(free, taken)
        if left == free:
            scope.error(
                "M406", f"this rung is never reached: the rungs before it take {_said(taken)}", rung.span,
                "put the narrower rung first",
            )  # fmt: skip
        free = left
    if free and not closed and provable:
        _report_gap(node, free, scope)


def _covers(kinds: set[str]) -> bool:
    """Whether rungs of these kinds at one and the same computed bound take every number."""
    upper = {"above", "from"} & kinds
    lower = {"below", "upto"} & kinds
    return bool(upper and lower and ("from" in kinds or "upto" in kinds or "exactly" in kinds))


def _report_gap(node: syntax.Ladder, free: list[Interval], scope: Scope) -> None:
    gaps = ", and ".join(_said(one) for one in free)
    subject = f"`{node.subject.span.text}`" if node.subject is not None else "the subject"
    head = type(node.span)(node.span.source, node.span.start, node.span.start + len("ladder"))
    span = head.to(node.subject.span) if node.subject is not None else head
    scope.error("M407", f"no rung takes {subject} {gaps}", span, "add a rung for it, or `else -> …`")
