"""`columns` and `interpret` give every product the same outcome, to the last digit, with the same reasons.

`make test` holds them together over the same examples each time, `make fuzz` over new ones, as many as one likes.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from merx.engine import columnar_functions, columns, compile, fixed, measure
from merx.engine.compile import Compiler
from merx.engine.fixed import Column
from snapshots import TODAY, snapshot
from strategies import EVERYTHING, Example, examples, rolled, tally
from twins import counted_ways, hold

PARTS = 8
EXAMPLES = int(os.environ.get("MERX_EXAMPLES", "650"))
"""A part, of those that run side by side: 5,200 together. An example is one program over 20 products."""


def twins(part: int, phases: Sequence[Phase]) -> Counter[str]:
    """Holds the twins together over one part's examples; returns what these were made of."""
    written: Counter[str] = Counter()
    start = part if "MERX_EXAMPLES" not in os.environ else random.SystemRandom().randrange(2**32)

    @seed(start)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=phases, suppress_health_check=list(HealthCheck)
    )
    @given(examples())
    def agree(example: Example) -> None:
        written["examples"] += 1
        written.update(tally(example.program))
        hold(example)

    try:
        agree()
    except AssertionError as error:
        error.add_note(f"found from seed {start}")
        raise
    return written


@pytest.mark.parametrize("part", range(PARTS))
def test_both_evaluators_give_every_product_the_same(part: int) -> None:
    with counted_ways() as ways:
        written = twins(part, (Phase.generate, Phase.shrink))
    assert written["examples"] >= EXAMPLES
    if EXAMPLES < 650:
        return  # too few to have everything
    assert EVERYTHING - set(written) == frozenset()
    # Columns went every way they have: narrow, wide, and to `interpret` with some of the rows or all of them.
    assert min(ways["Int64"], ways["Int128"]) >= 100
    assert min(ways["some rows"], ways["all rows"]) >= 3


def test_no_products_have_no_outcomes() -> None:
    for one in range(20):
        outcome = columns.run(rolled(one).program, columns.bind(snapshot(one, rows=0)), today=TODAY)
        assert (outcome.values.height, outcome.reasons.len()) == (0, 0)


# --- faults planted into columns, each of which the property finds


def _rounding(given: str, done: str) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        rounded = fixed.rounded
        patch.setattr(fixed, "rounded", lambda x, step, mode: rounded(x, step, done if mode == given else mode))  # type: ignore[arg-type]

    return plant


def _scale_is_off_by_one(patch: pytest.MonkeyPatch) -> None:
    multiplied = fixed.multiplied

    def wrong(left: Column, right: Column) -> tuple[pl.Expr, int, int, int]:
        expr, scale, low, high = multiplied(left, right)
        return expr, scale + 1, low, high

    patch.setattr(fixed, "multiplied", wrong)


def _missing_is_zero(patch: pytest.MonkeyPatch) -> None:
    column = measure.Bound.column

    def wrong(self: measure.Bound, *which: Any) -> Column | None:
        found = column(self, *which)
        if found is None or found.kind != "number" or not found.optional:
            return found
        return replace(found, expr=found.expr.fill_null(0), optional=False, constant=fixed.VARIES)

    patch.setattr(measure.Bound, "column", wrong)


def _branches(change: Callable[[Sequence[Any]], Sequence[Any]]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        chosen = compile._chosen
        patch.setattr(compile, "_chosen", lambda branches, *rest: chosen(change(branches), *rest))

    return plant


def _untaken_branch_faults(patch: pytest.MonkeyPatch) -> None:
    chosen = compile._chosen

    def wrong(branches: Sequence[tuple[Column, Column]], *rest: Any) -> Column:
        found, values = chosen(branches, *rest), [value for _, value in branches]
        fault = compile.first_fault(found.fault, *(value.fault for value in values))
        return replace(found, fault=fault, level=found.among(*values))

    patch.setattr(compile, "_chosen", wrong)


def _operator(operator: str, wrong: Callable[[Any, Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setitem(compile._COMPARE, operator, wrong)


def _quotient_is_cut_off(patch: pytest.MonkeyPatch) -> None:
    whole = fixed._whole
    patch.setattr(
        fixed, "_whole", lambda n, d, mode, *rest: whole(n, d, "down" if mode == "half_even" else mode, *rest)
    )


def _later_fault_wins(patch: pytest.MonkeyPatch) -> None:
    first = compile.first_fault
    patch.setattr(compile, "first_fault", lambda *faults: first(*reversed(faults)))


def _fault_is_placed_outside(patch: pytest.MonkeyPatch) -> None:
    told = Compiler.fault

    def wrong(self: Compiler, message: str) -> pl.Expr:
        inner, self.around[-1] = self.around[-1], self.around[0]
        found = told(self, message)
        self.around[-1] = inner
        return found

    patch.setattr(Compiler, "fault", wrong)


def _blank_elements_stay(patch: pytest.MonkeyPatch) -> None:
    measured = measure._measure
    patch.setattr(measure, "_measure", lambda *of: replace(measured(*of), item_nulls=False))


def _name_hidden_for_good(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compile, "_compile", _leaking(compile._compile))


def _leaking(compile_: Any) -> Callable[[Any, Compiler], Column]:
    def wrong(node: Any, run: Compiler) -> Column:
        found: Column = compile_(node, run)
        if type(node).__name__ == "Let" and node.name in run.locals:
            run.locals[node.name] = run.compile(node.value)
        return found

    return wrong


PLANTED: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "half_up rounds ties to even": _rounding("half_up", "half_even"),
    "half_even rounds ties up": _rounding("half_even", "half_up"),
    "down is towards minus infinity": _rounding("down", "floor"),
    "a product's scale is off by one": _scale_is_off_by_one,
    "a missing number is zero": _missing_is_zero,
    "the branches are asked in the wrong order": _branches(lambda branches: branches[::-1]),
    "only the last branch is asked": _branches(lambda branches: branches[-1:]),
    "a branch that is not taken faults": _untaken_branch_faults,
    "nobody looks for numbers beyond 38 digits": lambda patch: patch.setattr(fixed, "checked", lambda *range_: None),
    "numbers wrap around in Int64": lambda patch: patch.setattr(fixed, "_INT64", 2**66),
    "missing equals missing": _operator("==", lambda a, b: a.eq_missing(b)),
    "below takes what is equal": _operator("<", lambda a, b: a <= b),
    "from leaves out what is equal": _operator(">=", lambda a, b: a > b),
    "a quotient is cut off": _quotient_is_cut_off,
    "a quotient has eleven places": lambda patch: patch.setattr(fixed, "QUOTIENT_PLACES", 11),
    "the later of two faults is told": _later_fault_wins,
    "a fault is told at an outer place": _fault_is_placed_outside,
    "blank elements stay in lists": _blank_elements_stay,
    "an inner name hides an outer one for good": _name_hidden_for_good,
    "trim takes off blanks only": lambda patch: patch.setattr(columnar_functions, "WHITE_SPACE", " "),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[fault](monkeypatch)
    with pytest.raises(AssertionError, match="columns"):
        for part in range(PARTS):
            twins(part, (Phase.generate,))
