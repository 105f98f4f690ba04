"""Columns of fixed-point numbers: exact integer arithmetic over Polars expressions, with the range of each known.

A number column is an integer expression and a scale: the value is the integer times 10 to the power of minus scale. Its
range is proven, so its width is too: Int64 where the range fits, else Int128. What fits neither raises `Unfit`, and the
caller narrows what it takes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import polars as pl

from merx.engine.exact import EXACT
from merx.engine.expression import RoundingMode
from merx.engine.types import DIGITS, QUOTIENT_PLACES

_INT64 = 2**63
_BOUND = 10**DIGITS


class Unfit(Exception):
    """A number of this range has no fixed-point form of 128 bits."""


class _Unknown:
    """No constant: the value of `Column.constant` where rows differ."""


VARIES = _Unknown()


@dataclass(frozen=True, slots=True)
class Column:
    """A value for each row.

    expr: null is a missing value; in rows with a fault anything may stand. kind: number (of every numeric type), text,
    flag, date, list. scale, low, high: of numbers, the range at that scale. optional: may be missing.
    fault: number of the fault of each row, null where there is none; None where there can be none.
    constant: the value where it is the same in every row (None is missing), else VARIES.
    level: how many materialised stages it stands on.
    """

    expr: pl.Expr
    kind: str
    scale: int = 0
    low: int = 0
    high: int = 0
    optional: bool = False
    fault: pl.Expr | None = None
    constant: Any = VARIES
    level: int = 0
    item: str = "text"

    @property
    def wide(self) -> bool:
        return is_wide(self.low, self.high)

    @property
    def dtype(self) -> Any:
        if self.kind == "number":
            return pl.Int128 if self.wide else pl.Int64
        if self.kind == "list":
            return pl.List(_DTYPES[self.item])
        return _DTYPES[self.kind]

    def among(self, *others: Column) -> int:
        """The level of what is computed from this and the others."""
        return max(self.level, *(one.level for one in others)) if others else self.level


_DTYPES: dict[str, Any] = {"text": pl.String, "flag": pl.Boolean, "date": pl.Date, "number": pl.Int128}


def is_wide(low: int, high: int) -> bool:
    return not (-_INT64 < low and high < _INT64)


def checked(low: int, high: int, scale: int) -> None:
    """Raises Unfit where a number of the range could have more than 38 digits."""
    if not (-_BOUND < low and high < _BOUND and 0 <= scale <= DIGITS):
        raise Unfit


def number(expr: pl.Expr, scale: int, low: int, high: int, **rest: Any) -> Column:
    """A number column whose integers are of the width of its range. Raises Unfit."""
    checked(low, high, scale)
    return Column(expr, "number", scale, low, high, **rest)


def constant(value: Decimal) -> Column:
    """The same number in every row. Raises Unfit."""
    sign, digits, exponent = value.normalize(EXACT).as_tuple() if value else (0, (0,), 0)
    assert isinstance(exponent, int)
    scale = max(0, -exponent)
    fixed = int("".join(map(str, digits))) * 10 ** max(0, exponent) * (-1 if sign else 1)
    checked(fixed, fixed, scale)
    return Column(literal(fixed, is_wide(fixed, fixed)), "number", scale, fixed, fixed, constant=value)


def literal(value: int, wide: bool) -> pl.Expr:
    return pl.lit(value, dtype=pl.Int128 if wide else pl.Int64)


def widened(column: Column, wide: bool) -> pl.Expr:
    """The column's integers, in Int128 where wide."""
    if isinstance(column.constant, Decimal):
        return literal(column.low, wide or column.wide)
    return column.expr.cast(pl.Int128) if wide and not column.wide else column.expr


def at_scale(column: Column, scale: int) -> Column:
    """The same numbers at a scale that is not smaller. Raises Unfit."""
    if column.scale == scale:
        return column
    factor = 10 ** (scale - column.scale)
    low, high = column.low * factor, column.high * factor
    checked(low, high, scale)
    wide = is_wide(low, high)
    if isinstance(column.constant, Decimal):
        return replace(column, expr=literal(low, wide), scale=scale, low=low, high=high)
    return replace(column, expr=times(column, factor, wide), scale=scale, low=low, high=high)


def times(column: Column, factor: int, wide: bool) -> pl.Expr:
    """The column's integers times a power of ten, in a width that holds the results."""
    if factor == 1:
        return widened(column, wide)
    if is_wide(factor, factor) and not wide:
        # Only zeros stay narrow under such a factor.
        return column.expr * literal(0, False)
    return widened(column, wide) * literal(factor, wide)


def narrowed(expr: pl.Expr, low: int, high: int) -> pl.Expr:
    """Integers in the width of their range. In rows that hold a fault anything may stand, which must stop nobody."""
    return expr.cast(pl.Int128 if is_wide(low, high) else pl.Int64, strict=False)


def negated(expr: pl.Expr, wide: bool) -> pl.Expr:
    """Polars has no sign for Int128."""
    return literal(0, wide) - expr


def aligned(columns: Sequence[Column]) -> list[Column]:
    """The numbers at one scale and of one width, ready to be compared or chosen between. Raises Unfit."""
    scale = max(one.scale for one in columns)
    scaled = [at_scale(one, scale) for one in columns]
    wide = any(one.wide for one in scaled)
    return [replace(one, expr=widened(one, wide)) for one in scaled]


def aligned_lists(columns: Sequence[Column]) -> list[Column]:
    """Lists of one type of element: numbers at one scale, the empty list as the others'. Raises Unfit."""
    known = [one for one in columns if one.constant != ()] or list(columns)
    item = known[0].item
    scale = max(one.scale for one in known)
    lined: list[Column] = []
    for one in columns:
        if one.constant == ():
            model = replace(known[0], constant=(), scale=scale, low=0, high=0, fault=one.fault, level=one.level)
            lined.append(replace(model, expr=pl.lit([], dtype=model.dtype)))
            continue
        factor = 10 ** (scale - one.scale)
        low, high = one.low * factor, one.high * factor
        checked(low, high, scale)
        expr = one.expr.list.eval(pl.element() * literal(factor, True)) if item == "number" and factor > 1 else one.expr
        lined.append(replace(one, expr=expr, scale=scale, low=low, high=high))
    return lined


def added(left: Column, right: Column, sign: int) -> tuple[pl.Expr, int, int, int]:
    """left + sign * right: the integers, scale, low and high."""
    left, right = aligned([left, right])
    ends = (sign * right.low, sign * right.high)
    low, high = left.low + min(ends), left.high + max(ends)
    checked(low, high, left.scale)
    wide = is_wide(low, high)
    a, b = widened(left, wide), widened(right, wide)
    return (a + b if sign > 0 else a - b), left.scale, low, high


def multiplied(left: Column, right: Column) -> tuple[pl.Expr, int, int, int]:
    products = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    low, high, scale = min(products), max(products), left.scale + right.scale
    checked(low, high, scale)
    wide = is_wide(low, high)
    return widened(left, wide) * widened(right, wide), scale, low, high


def divided(left: Column, right: Column) -> tuple[pl.Expr, int, int, int]:
    """The quotient, half-even, at 12 places; null where right is zero."""
    shift = QUOTIENT_PLACES + right.scale - left.scale
    up, down = 10 ** max(0, shift), 10 ** max(0, -shift)
    n_low, n_high = left.low * up, left.high * up
    d_low, d_high = right.low * down, right.high * down
    most = max(abs(n_low), abs(n_high))
    least = min(abs(d_low), abs(d_high)) if d_low > 0 or d_high < 0 else 1
    bound = most // max(1, least) + 1
    checked(-bound, bound, QUOTIENT_PLACES)
    # Remainders are doubled on the way.
    checked(2 * min(d_low, n_low), 2 * max(d_high, n_high), 0)
    wide = is_wide(2 * min(d_low, n_low), 2 * max(d_high, n_high))
    n, d = times(left, up, wide), times(right, down, wide)
    if d_low < 0:
        negative = d < 0
        n = pl.when(negative).then(negated(n, wide)).otherwise(n)
        d = pl.when(negative).then(negated(d, wide)).otherwise(d)
    low, high = (0 if n_low >= 0 and d_low >= 0 else -bound), bound
    quotient = _whole(n, d, "half_even", n_low < 0 or d_low < 0, wide)
    return narrowed(quotient, low, high), QUOTIENT_PLACES, low, high


def rounded(value: Column, step: Column, mode: RoundingMode) -> tuple[pl.Expr, int, int, int]:
    """value to a multiple of step; anything where step is not above 0."""
    scale = max(value.scale, step.scale)
    x, d = at_scale(value, scale), at_scale(step, scale)
    if d.high <= 0:
        return literal(0, False), scale, 0, 0
    low, high = x.low - d.high, x.high + d.high
    checked(2 * low - d.high, 2 * high + d.high, scale)
    wide = is_wide(2 * low - d.high, 2 * high + d.high)
    n, m = widened(x, wide), widened(d, wide)
    if isinstance(step.constant, Decimal):
        quotient = _whole_constant(n, d.low, mode, x.low < 0, wide)
        # A multiple of the step needs no more places than the step.
        q_low, q_high = x.low // d.low, x.high // d.low + 1
        out_low, out_high = q_low * step.low, q_high * step.low
        narrow = is_wide(out_low, out_high)
        expr = narrowed(quotient, out_low, out_high) if narrow != wide else quotient
        expr = expr * literal(step.low, narrow) if step.low != 1 else expr
        return expr, step.scale, min(out_low, out_high), max(out_low, out_high)
    found = _whole(n, m, mode, x.low < 0, wide) * m
    return narrowed(found, low, high), scale, low, high


def _whole_constant(n: pl.Expr, step: int, mode: RoundingMode, negatives: bool, wide: bool) -> pl.Expr:
    def lit(value: int) -> pl.Expr:
        return literal(value, wide)

    if step == 1:
        return n
    if mode == "floor" or (mode == "down" and not negatives):
        return n // lit(step)
    if mode == "ceiling" or (mode == "up" and not negatives):
        return (n + lit(step - 1)) // lit(step)
    if mode == "half_up" and not negatives:
        return (n + lit(step // 2)) // lit(step)
    return _whole(n, lit(step), mode, negatives, wide)


def _whole(n: pl.Expr, d: pl.Expr, mode: RoundingMode, negatives: bool, wide: bool) -> pl.Expr:
    """n / d to a whole number; d above 0."""
    below = n // d
    rest = n - below * d
    if mode == "floor":
        return below
    more = rest > 0
    if mode == "up" and negatives:
        more = more & (n > 0)
    elif mode == "down":
        more = more & (n < 0)
    elif mode == "half_up":
        twice = rest * literal(2, wide)
        more = (twice > d) | ((twice == d) & (n > 0)) if negatives else twice >= d
    elif mode == "half_even":
        twice = rest * literal(2, wide)
        more = (twice > d) | ((twice == d) & (below % literal(2, wide) != 0))
    return below + more.cast(pl.Int128 if wide else pl.Int64)


def to_decimal(column: Column) -> pl.Expr:
    """The numbers as an exact Decimal(38, scale) column."""
    return widened(column, True).cast(pl.Int128).reinterpret(dtype=pl.Decimal(38, column.scale))


def decimal_series(name: str, values: Sequence[Decimal | None], scale: int) -> pl.Series:
    """An exact Decimal(38, scale) column. Made of integers: from Decimals of several exponents Polars makes wrong ones.

    values: each of at most `scale` places and 38 digits at that scale.
    """
    units: list[int | None] = []
    for value in values:
        numerator, denominator = (0, 1) if value is None else value.as_integer_ratio()
        units.append(None if value is None else numerator * 10**scale // denominator)
    return pl.Series(name, units, dtype=pl.Int128).reinterpret(dtype=pl.Decimal(DIGITS, scale))
