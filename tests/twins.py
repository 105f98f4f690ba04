"""The two evaluators side by side: a program and a frame come in, the first difference goes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import polars as pl

from merx.engine import columns, interpret
from merx.engine.compile import Compiler
from merx.engine.expression import Expression, Program
from merx.engine.fault import reason
from merx.engine.fixed import Column
from merx.engine.frame import products
from merx.engine.types import DIGITS, Value
from snapshots import TODAY
from strategies import Example, shown


def hold(example: Example) -> None:
    """Every product of the example's snapshot has the same outcome by both. Raises AssertionError where one has not."""
    frame = example.frame()
    wanted = [interpret.run(example.program, product, today=TODAY) for product in products(frame)]
    every = list(range(frame.height))
    compare(example.program, frame, wanted, every, rows=None, asked=None)
    # Now and then as an evaluation asks: for some of the rows, in another order, or with some that nobody asks for.
    if example.seed % 4 == 1:
        some = every[::-2]
        compare(example.program, frame, wanted, some, rows=pl.Series(some, dtype=pl.UInt32), asked=None)
    if example.seed % 4 == 2:
        asked = [row % 3 != 0 for row in every]
        unasked = interpret.Outcome({name: None for name, _ in example.program.outcomes}, None)
        wanted = [one if is_asked else unasked for one, is_asked in zip(wanted, asked, strict=True)]
        compare(example.program, frame, wanted, every, rows=None, asked=pl.Series(asked))


def compare(
    program: Program,
    frame: pl.DataFrame,
    wanted: list[interpret.Outcome],
    order: list[int],
    **how: pl.Series | None,
) -> None:
    """wanted: of each row of the frame. order: the rows that the columns' answer has."""
    try:
        found = columns.run(program, columns.bind(frame), today=TODAY, **how)
    except (Exception, pl.exceptions.PanicException) as error:
        raise AssertionError(f"columns raised {error!r} for\n{shown(program)}") from error
    assert found.values.columns == [name for name, _ in program.outcomes]
    assert found.values.height == found.reasons.len() == len(order)
    rows = zip(order, found.values.iter_rows(named=True), found.reasons, strict=True)
    for row, values, told in rows:
        got = {name: _plain(value) for name, value in values.items()}
        expected = wanted[row]
        if _same(got, expected.values) and told == expected.reason:
            continue
        if told == reason(program.outcome, columns.TOO_WIDE, None) and _too_wide(expected, found.values):
            assert set(got.values()) == {None}, got
            continue
        product = products(frame[row])[0]
        read = {name: product.get(name) for name in sorted(program.attributes)}
        raise AssertionError(
            f"row {row}\ncolumns:   {got} {told!r}\ninterpret: {dict(expected.values)} {expected.reason!r}\n"
            f"reads {read}\n{shown(program)}"
        )


def _plain(value: Any) -> Value:
    return tuple(value) if isinstance(value, list) else value


def _same(got: dict[str, Value], expected: Any) -> bool:
    # A flag equals 1 in Python.
    return got == dict(expected) and all(type(got[name]) is type(value) for name, value in expected.items())


def _too_wide(expected: interpret.Outcome, values: pl.DataFrame) -> bool:
    """Whether some number of the outcome has more digits before the point than the column of all products leaves."""
    for name, value in expected.values.items():
        dtype = values.schema[name]
        inner = dtype.inner if isinstance(dtype, pl.List) else dtype
        if isinstance(inner, pl.Decimal):
            numbers = value if isinstance(value, tuple) else (value,)
            limit = 10 ** (DIGITS - inner.scale)
            if any(isinstance(one, Decimal) and abs(one) >= limit for one in numbers):
                return True
    return False


@contextmanager
def counted_ways() -> Iterator[Counter[str]]:
    """How often numbers were computed in `Int64` and in `Int128`, and for how many rows `interpret` was asked."""
    seen: Counter[str] = Counter()
    compile_, interpreted = Compiler.compile, columns._interpreted

    def compiling(self: Compiler, expression: Expression) -> Column:
        column = compile_(self, expression)
        if column.kind == "number":
            seen["Int128" if column.wide else "Int64"] += 1
        return column

    def interpreting(program: Program, frame: pl.DataFrame, today: Any) -> list[interpret.Outcome]:
        seen["rows"] += frame.height
        seen["all rows" if frame.height >= 20 else "some rows"] += 1
        return interpreted(program, frame, today)

    Compiler.compile, columns._interpreted = compiling, interpreting  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        Compiler.compile, columns._interpreted = compile_, interpreted  # type: ignore[method-assign]
