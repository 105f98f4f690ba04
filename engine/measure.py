"""A frame comes in; for each attribute that is read, its fixed-point column and what is true of all its values go out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.fixed import Column, checked, is_wide, literal
from merx.engine.types import Type


@dataclass(frozen=True, slots=True)
class _Measured:
    """scale, low, high: of the integers behind a number column. nulls: whether some row has none."""

    kind: str
    scale: int
    low: int
    high: int
    nulls: bool
    item: str = "text"
    item_nulls: bool = False


@dataclass(slots=True, eq=False)
class Bound:
    """A frame whose columns are measured when they are first read. It lasts for one evaluation."""

    frame: pl.DataFrame
    _measured: dict[str, _Measured] = field(default_factory=dict)

    def knows(self, name: str) -> bool:
        return name in self.frame.columns

    def column(self, name: str, type_: Type, window: int | None) -> Column | None:
        """The attribute's column, None where the frame has none.

        window: how large numbers may be, as whole numbers; rows beyond are not asked (see `within`).
        """
        if name not in self.frame.columns:
            return None
        found = self._measure(name)
        if found.kind == "number":
            if found.nulls and self.frame[name].null_count() == self.frame.height:
                return Column(pl.lit(None, dtype=pl.Int64), "number", optional=True, constant=None)
            return _number(name, self.frame.schema[name], found, window)
        if found.kind == "list":
            return _list(name, self.frame.schema[name], found, window)
        if found.nulls and self.frame[name].null_count() == self.frame.height:
            return Column(pl.lit(None, dtype=_DTYPES[found.kind]), found.kind, optional=True, constant=None)
        expr = pl.col(name).cast(pl.String) if found.kind == "text" else pl.col(name)
        return Column(expr, found.kind, optional=found.nulls)

    def within(self, names: frozenset[str], window: int) -> pl.Expr:
        """Whether every number of a row fits the window."""
        tests = [pl.lit(True)]
        for name in sorted(names & set(self.frame.columns)):
            found = self._measure(name)
            limit = window * 10**found.scale
            if found.kind == "number" and not -limit < found.low <= found.high < limit:
                raw = _integers(name, self.frame.schema[name])
                tests.append(raw.is_between(literal(-limit, True), literal(limit, True), closed="none").fill_null(True))
            elif found.kind == "list" and found.item == "number" and not -limit < found.low <= found.high < limit:
                raw = _integer_lists(name, self.frame.schema[name])
                low, high = raw.list.min(), raw.list.max()
                tests.append(((low > literal(-limit, True)) & (high < literal(limit, True))).fill_null(True))
        return pl.all_horizontal(tests)

    def _measure(self, name: str) -> _Measured:
        if name not in self._measured:
            self._measured[name] = _measure(name, self.frame[name])
        return self._measured[name]


_DTYPES: dict[str, Any] = {"text": pl.String, "flag": pl.Boolean, "date": pl.Date}


def _measure(name: str, series: pl.Series) -> _Measured:
    dtype, nulls = series.dtype, series.null_count() > 0
    if dtype.is_integer() or dtype.is_decimal():
        low, high = _ends(series)
        return _Measured("number", _scale(dtype), low, high, nulls)
    if isinstance(dtype, pl.List):
        inner: Any = dtype.inner
        items = series.explode(empty_as_null=False, keep_nulls=False)
        item_nulls = items.null_count() > 0
        if inner.is_integer() or inner.is_decimal():
            low, high = _ends(items)
            return _Measured("list", _scale(inner), low, high, nulls, "number", item_nulls)
        return _Measured("list", 0, 0, 0, nulls, _kind(name, inner), item_nulls)
    return _Measured(_kind(name, dtype), 0, 0, 0, nulls)


def _kind(name: str, dtype: Any) -> str:
    if dtype == pl.Boolean:
        return "flag"
    if dtype == pl.Date:
        return "date"
    if dtype in {pl.String, pl.Null} or isinstance(dtype, pl.Categorical | pl.Enum):
        return "text"
    message = f"the column `{name}` holds {dtype}, which the rules cannot read"
    help = "floats are not exact: cast the column to Decimal where it is made" if dtype.is_float() else None
    raise PolicyError([Diagnostic("M601", "error", message, None, help)])


def _scale(dtype: Any) -> int:
    return int(dtype.scale) if dtype.is_decimal() else 0


def _ends(series: pl.Series) -> tuple[int, int]:
    # Decimals are compared as they are; their integers are read off the two ends.
    physical = (
        series.to_frame("x").select(pl.col("x").reinterpret(dtype=pl.Int128)).to_series()
        if (series.dtype.is_decimal())
        else series
    )
    low, high = physical.min(), physical.max()
    return (0, 0) if low is None else (int(low), int(high))  # type: ignore[arg-type]


def _integers(name: str, dtype: Any) -> pl.Expr:
    """The integers behind a number column, in Int128."""
    return pl.col(name).reinterpret(dtype=pl.Int128) if dtype.is_decimal() else pl.col(name).cast(pl.Int128)


def _integer_lists(name: str, dtype: Any) -> pl.Expr:
    element = pl.element()
    return pl.col(name).list.eval(
        element.reinterpret(dtype=pl.Int128) if dtype.inner.is_decimal() else element.cast(pl.Int128)
    )


def _clipped(found: _Measured, window: int | None) -> tuple[int, int]:
    """The range of the rows that are asked. Raises Unfit."""
    low, high = found.low, found.high
    if window is not None:
        limit = window * 10**found.scale - 1
        low, high = max(min(low, limit), -limit), min(max(high, -limit), limit)
    checked(low, high, found.scale)
    return low, high


def _number(name: str, dtype: Any, found: _Measured, window: int | None) -> Column:
    low, high = _clipped(found, window)
    raw = pl.col(name).reinterpret(dtype=pl.Int128) if dtype.is_decimal() else pl.col(name)
    expr = raw.cast(pl.Int128 if is_wide(low, high) else pl.Int64)
    return Column(expr, "number", found.scale, low, high, optional=found.nulls)


def _list(name: str, dtype: Any, found: _Measured, window: int | None) -> Column:
    low = high = 0
    if found.item == "number":
        low, high = _clipped(found, window)
        expr = _integer_lists(name, dtype)
    else:
        expr = pl.col(name).cast(pl.List(pl.String)) if found.item == "text" else pl.col(name)
    if found.item_nulls:
        expr = expr.list.drop_nulls()
    column = Column(expr, "list", found.scale, low, high, item=found.item)
    if found.nulls:
        column = replace(column, expr=expr.fill_null(pl.lit([], dtype=column.dtype)))
    return column
