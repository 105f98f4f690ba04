"""Programs and a bound frame come in; exact outcomes of every row go out, computed as columns.

What cannot be computed in 128 bits is given to `interpret` row by row: first only the rows whose numbers are unusually
large, and where that does not help, all of them. One product's size never stops the others.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import polars as pl

from merx.engine import interpret
from merx.engine.compile import Compiler, first_fault
from merx.engine.exact import EXACT
from merx.engine.expression import Expression, Program
from merx.engine.fault import reason
from merx.engine.fixed import Column, Unfit, to_decimal
from merx.engine.frame import products
from merx.engine.measure import Bound
from merx.engine.types import DIGITS, Type, Value

WINDOWS: tuple[int | None, ...] = (None, 10**18, 10**15, 10**12, 10**9, 10**6, 10**3)
"""How large numbers may be, tried in turn until every number of a program fits; None is no limit."""

_FAULT = "fault!"
_ASKED = "asked!"
_NOBODY_ASKS = ""

TOO_WIDE = "no column of numbers holds this one beside the other products'"
"""Why a number of many digits before the point is held where others have many after it."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Of one program over some rows. values: a column an outcome, null where missing or held; numbers are Decimal.
    reasons: why a row is held, null where it is not."""

    values: pl.DataFrame
    reasons: pl.Series


def bind(frame: pl.DataFrame) -> Bound:
    """The frame, to be measured as far as it is read. Float columns are refused by name (M601) when they are."""
    return Bound(frame)


def run(
    program: Program,
    bound: Bound,
    *,
    today: datetime.date,
    rows: pl.Series | None = None,
    asked: pl.Series | None = None,
) -> Outcome:
    """The outcomes of a program, one row for each row of the bound frame.

    rows: the numbers of the rows to compute, in the order of the answer, which then has only these.
    asked: for each row whether its outcome is wanted; null in the others.
    """
    read = [name for name in bound.frame.columns if name in program.attributes]
    # A frame of no columns has no rows either.
    frame = bound.frame.select(read or bound.frame.columns[:1])
    if asked is not None:
        frame = frame.with_columns(asked.alias(_ASKED))
    if rows is not None:
        frame = frame[rows]
    if not frame.height:
        return _nothing(program)
    for window in WINDOWS:
        try:
            return _run_within(program, bound, frame, today, window)
        except Unfit:
            continue
    order = pl.int_range(frame.height, dtype=pl.UInt32, eager=True)
    return _merged(program, _nothing(program), _interpreted(program, frame, today), order)


def _run_within(
    program: Program, bound: Bound, frame: pl.DataFrame, today: datetime.date, window: int | None
) -> Outcome:
    if window is None:
        return _computed(program, bound, frame, today, window)
    fits = frame.select(bound.within(program.attributes, window).alias("fits")).to_series()
    if fits.all():
        return _computed(program, bound, frame, today, window)
    fits = fits if fits.len() == frame.height else fits.new_from_index(0, frame.height)
    inside = _computed(program, bound, frame.filter(fits), today, window)
    outside = _interpreted(program, frame.filter(~fits), today)
    order = pl.concat([fits.arg_true(), (~fits).arg_true()]).arg_sort()
    return _merged(program, inside, outside, order)


def _computed(program: Program, bound: Bound, frame: pl.DataFrame, today: datetime.date, window: int | None) -> Outcome:
    """Raises Unfit."""
    compiler = Compiler(bound, frame, today, program.outcome, window)
    faults: list[pl.Expr | None] = [] if _ASKED not in frame.columns else [_not_asked(compiler)]
    for step in program.steps:
        compiler.around.append(step.span)
        found = compiler.looked_at(compiler.kept(compiler.compile(step.value)))
        compiler.around.pop()
        faults.append(found.fault)
        compiler.locals[step.name] = replace(found, fault=None)
    outcomes: list[tuple[str, Column]] = []
    for name, value in program.outcomes:
        found = compiler.compile(value)
        faults.append(found.fault)
        outcomes.append((name, found))
    fault = first_fault(*faults)
    done = compiler.compute(_wanted(outcomes, fault))
    if done.height != frame.height:  # every column is the same in each row
        done = pl.concat([done] * frame.height) if frame.height else done.clear()
    return Outcome(done.drop(_FAULT), _texts(done[_FAULT], compiler.reasons))


def _not_asked(compiler: Compiler) -> pl.Expr:
    """Holds the rows that nobody asks for, without a reason."""
    compiler.reasons.append(_NOBODY_ASKS)
    number = pl.lit(len(compiler.reasons) - 1, dtype=pl.Int32)
    return pl.when(pl.col(_ASKED)).then(pl.lit(None, dtype=pl.Int32)).otherwise(number)


def _wanted(outcomes: Sequence[tuple[str, Column]], fault: pl.Expr | None) -> list[pl.Expr]:
    nobody = pl.lit(None, dtype=pl.Int32)
    wanted = [(nobody if fault is None else fault).alias(_FAULT)]
    for name, column in outcomes:
        expr = column.expr
        if column.kind == "number":
            expr = to_decimal(column)
        elif column.kind == "list" and column.item == "number":
            expr = expr.list.eval(pl.element().reinterpret(dtype=pl.Decimal(38, column.scale)))
        wanted.append((expr if fault is None else pl.when(fault.is_null()).then(expr)).alias(name))
    return wanted


def _texts(faults: pl.Series, reasons: Sequence[str]) -> pl.Series:
    """The text of each fault number; null where there is none."""
    known = [None if text is _NOBODY_ASKS else text for text in reasons]
    nothing = pl.Series("reason", [None], dtype=pl.String)
    if faults.null_count() == faults.len() or not any(known):
        return nothing.new_from_index(0, faults.len()) if faults.len() else nothing.clear()
    texts = pl.Series("reason", [*known, None], dtype=pl.String)
    return texts.gather(faults.fill_null(len(known)).cast(pl.UInt32))


def _interpreted(program: Program, frame: pl.DataFrame, today: datetime.date) -> list[interpret.Outcome]:
    """The rows one by one, by the definition of the language."""
    asked = frame[_ASKED].to_list() if _ASKED in frame.columns else [True] * frame.height
    nothing = interpret.Outcome(dict.fromkeys(name for name, _ in program.outcomes), None)
    return [
        interpret.run(program, product, today=today) if wanted else nothing
        for product, wanted in zip(products(frame), asked, strict=True)
    ]


def _merged(program: Program, inside: Outcome, outside: Sequence[interpret.Outcome], order: pl.Series) -> Outcome:
    """Both parts in the order of the rows. Amounts that no one Decimal column holds beside the others are held."""
    columns: list[pl.Series] = []
    unheld = pl.Series([False]).new_from_index(0, order.len())
    for name, expression in program.outcomes:
        values = [one.values[name] for one in outside]
        series = _stacked(inside.values[name], values, expression.type)[order]
        was = pl.concat(
            [inside.values[name].is_null(), pl.Series([value is None for value in values], dtype=pl.Boolean)]
        )
        unheld = unheld | (series.is_null() & ~was[order])
        columns.append(series.alias(name))
    reasons = pl.concat([inside.reasons, pl.Series("reason", [one.reason for one in outside], dtype=pl.String)])[order]
    if not unheld.any():
        return Outcome(pl.DataFrame(columns), reasons)
    told = pl.Series([reason(program.outcome, TOO_WIDE, None)])
    kept = pl.DataFrame(columns).select(pl.when(~unheld).then(pl.all()))
    return Outcome(kept, told.new_from_index(0, order.len()).zip_with(unheld & reasons.is_null(), reasons))


def _stacked(computed: pl.Series, values: Sequence[Value], type_: Type) -> pl.Series:
    """One column of both, exact; null where a number does not fit the column."""
    if type_.kind == "list":
        return _listed(computed, values, type_)
    if not type_.numeric:
        return pl.concat([computed, pl.Series(computed.name, values, dtype=computed.dtype)])
    scale = max([_places(value) for value in values if isinstance(value, Decimal)], default=0)
    if isinstance(computed.dtype, pl.Decimal) and not computed.is_empty():
        scale = max(scale, computed.dtype.scale)
        computed = computed.cast(pl.Decimal(DIGITS, scale), strict=False)
    else:
        computed = computed.cast(pl.Decimal(DIGITS, scale))
    return pl.concat([computed, _decimals(computed.name, [_units(value, scale) for value in values], scale)])


def _units(value: Value, scale: int) -> int | None:
    """The number in units of the last place of a Decimal column; None where the column does not hold it."""
    if not isinstance(value, Decimal) or abs(value) >= 10 ** (DIGITS - scale):
        return None
    numerator, denominator = value.as_integer_ratio()
    return int(numerator * 10**scale // denominator)


def _decimals(name: str, units: Sequence[int | None], scale: int) -> pl.Series:
    """Made of integers: from Decimals of several exponents Polars makes wrong ones."""
    return pl.Series(name, units, dtype=pl.Int128).reinterpret(dtype=pl.Decimal(DIGITS, scale))


def _places(value: Decimal) -> int:
    exponent = value.normalize(EXACT).as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def _listed(computed: pl.Series, values: Sequence[Value], type_: Type) -> pl.Series:
    """One column of both lists, exact; null where a number does not fit the column."""
    found = [list(one) if isinstance(one, tuple) else one for one in values]
    if type_.item is None or not type_.item.numeric:
        return pl.concat([computed, pl.Series(computed.name, found, dtype=computed.dtype)])
    numbers = [item for one in values if isinstance(one, tuple) for item in one if isinstance(item, Decimal)]
    scale = max([_places(item) for item in numbers], default=0)
    inner = computed.dtype.inner if isinstance(computed.dtype, pl.List) else None
    if isinstance(inner, pl.Decimal):
        scale = max(scale, inner.scale)
    widened = computed.cast(pl.List(pl.Decimal(DIGITS, scale)), strict=False)
    whole = widened.list.eval(pl.element().is_null()).list.any()
    widened = widened.to_frame("x").select(pl.when(~whole.fill_null(False)).then(pl.col("x"))).to_series()
    return pl.concat([widened.alias(computed.name), _lists(computed.name, values, scale)])


def _lists(name: str, values: Sequence[Value], scale: int) -> pl.Series:
    """Lists of numbers; null where a number does not fit the column."""
    units: list[list[int | None] | None] = []
    for value in values:
        found = [_units(item, scale) for item in value] if isinstance(value, tuple) else None
        units.append(None if found is None or None in found else found)
    integers = pl.Series(name, units, dtype=pl.List(pl.Int128)).to_frame()
    return integers.select(
        pl.col(name).list.eval(pl.element().reinterpret(dtype=pl.Decimal(DIGITS, scale)))
    ).to_series()


def _nothing(program: Program) -> Outcome:
    """The outcome of no row, from which the columns of the others take their types."""
    schema = {name: _dtype(one.type) for name, one in program.outcomes}
    return Outcome(pl.DataFrame(schema=schema), pl.Series("reason", [], dtype=pl.String))


def _dtype(type_: Type) -> Any:
    if type_.kind == "list":
        return pl.List(_dtype(type_.item) if type_.item is not None else pl.String)
    kinds: dict[str, Any] = {"text": pl.String, "unknown": pl.String, "flag": pl.Boolean, "date": pl.Date}
    return kinds.get(type_.kind, pl.Decimal(DIGITS, 0))


def truths(
    conditions: Sequence[Expression], bound: Bound, *, today: datetime.date
) -> list[tuple[pl.Series, pl.Series | None]]:
    """For each condition: whether it holds in each row, and where it faults the reason, null elsewhere (None: nowhere)."""
    programs = [Program(outcome="listing", steps=(), outcomes=(("holds", condition),)) for condition in conditions]
    found: list[tuple[pl.Series, pl.Series | None]] = []
    for program in programs:
        outcome = run(program, bound, today=today)
        some = outcome.reasons.null_count() < outcome.reasons.len()
        found.append((outcome.values["holds"].fill_null(False), outcome.reasons if some else None))
    return found
