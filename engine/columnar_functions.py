"""The built-in functions over columns, by name, and the way of functions that have only a plain definition."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import polars as pl

from merx.engine import fixed
from merx.engine.expression import Call, Constant, Expression, ListOf
from merx.engine.fixed import VARIES, Column
from merx.engine.functions import WHITE_SPACE
from merx.engine.source import Span
from merx.engine.types import Type, Value

Columnar = Callable[[Sequence[Column]], Column]


def call(node: Call, arguments: Sequence[Column]) -> Column:
    """The function's value for each row; faults of the arguments are the caller's."""
    function = node.function
    definition = BUILT_IN.get(function.name) if function.columns is None else function.columns
    if definition is None:
        definition = functools.partial(_each_distinct, function.interpret, node)
    found = definition(arguments)
    return replace(found, fault=None, constant=VARIES)


def _extreme(pick: Callable[..., pl.Expr], end: Callable[..., int], columns: Sequence[Column]) -> Column:
    if columns[0].kind != "number":
        # Polars compares days only as numbers when one is a literal.
        days = pick([one.expr.cast(pl.Int32) for one in columns])
        return replace(columns[0], expr=days.cast(pl.Date))
    lined = fixed.aligned(columns)
    low, high = end(one.low for one in lined), end(one.high for one in lined)
    wide = any(one.wide for one in lined)
    expr = pick([one.expr for one in lined])
    narrow = fixed.is_wide(low, high)
    expr = expr if narrow == wide else fixed.narrowed(expr, low, high)
    return fixed.number(expr, lined[0].scale, low, high)


def _absolute(columns: Sequence[Column]) -> Column:
    [one] = columns
    high = max(abs(one.low), abs(one.high))
    low = 0 if one.low <= 0 <= one.high else min(abs(one.low), abs(one.high))
    return replace(one, expr=one.expr.abs(), low=low, high=high)


def _native_where_ascii(native: Callable[[pl.Expr], pl.Expr], plain: Callable[[str], str]) -> Columnar:
    """Polars' own way for ASCII; for other texts Python's, whose tables of letters `interpret` goes by."""

    def convert(series: pl.Series) -> pl.Series:
        done = series.to_frame("x").select(native(pl.col("x"))).to_series()
        odd = series.str.len_bytes() != series.str.len_chars()
        if not odd.any():
            return done
        rows = odd.fill_null(False).arg_true()
        texts = [plain(text) for text in series.gather(rows).to_list()]
        return done.scatter(rows, texts)

    def function(columns: Sequence[Column]) -> Column:
        [one] = columns
        return replace(one, expr=one.expr.map_batches(convert, return_dtype=pl.String, is_elementwise=True))

    return function


def _trim(columns: Sequence[Column]) -> Column:
    return replace(columns[0], expr=columns[0].expr.str.strip_chars(WHITE_SPACE))


def _length(columns: Sequence[Column]) -> Column:
    [one] = columns
    expr = one.expr.list.len() if one.kind == "list" else one.expr.str.len_chars()
    return Column(expr.cast(pl.Int64), "number", 0, 0, 2**32)


def _days_between(columns: Sequence[Column]) -> Column:
    first, last = columns
    days = last.expr.cast(pl.Int32).cast(pl.Int64) - first.expr.cast(pl.Int32).cast(pl.Int64)
    return Column(days, "number", 0, -(2**33), 2**33)


def _first(columns: Sequence[Column]) -> Column:
    [one] = columns
    return (
        replace(one, expr=one.expr.list.first(), kind=one.item, optional=True)
        if one.item != "number"
        else replace(
            one, expr=one.expr.list.first().cast(pl.Int128 if one.wide else pl.Int64), kind="number", optional=True
        )
    )


def _take(columns: Sequence[Column]) -> Column:
    items, count = columns
    if isinstance(count.constant, Decimal):
        return replace(items, expr=items.expr.list.head(min(max(0, math.floor(count.constant)), 2**31)))
    whole = fixed.widened(count, True) // fixed.literal(10**count.scale, True)
    # Polars forgets that a list's elements are dates where the list is one row and the count is not.
    days = items.item == "date"
    lists = items.expr.cast(pl.List(pl.Int32)) if days else items.expr
    taken = lists.list.head(whole.clip(0, 2**31).cast(pl.Int64))
    return replace(items, expr=taken.cast(pl.List(pl.Date)) if days else taken)


def _distinct(columns: Sequence[Column]) -> Column:
    return replace(columns[0], expr=columns[0].expr.list.unique(maintain_order=True))


def _join(columns: Sequence[Column]) -> Column:
    lined = fixed.aligned_lists(columns)
    low, high = min(one.low for one in lined), max(one.high for one in lined)
    return replace(lined[0], expr=pl.concat_list([one.expr for one in lined]), low=low, high=high)


BUILT_IN: dict[str, Columnar] = {
    "min": functools.partial(_extreme, pl.min_horizontal, min),
    "max": functools.partial(_extreme, pl.max_horizontal, max),
    "abs": _absolute,
    "lower": _native_where_ascii(lambda text: text.str.to_lowercase(), str.lower),
    "upper": _native_where_ascii(lambda text: text.str.to_uppercase(), str.upper),
    "trim": _trim,
    "length": _length,
    "days_between": _days_between,
    "first": _first,
    "take": _take,
    "distinct": _distinct,
    "join": _join,
}


@dataclass(frozen=True, slots=True)
class Gallery:
    """`take(distinct(join([first], rest)), most)`: a list of images with the main one first.

    Most products have their main image first in their gallery, and that gallery is the answer as it stands. Making
    lists anew is the dearest thing that columns do, so only the other products' are.
    """

    first: Expression
    rest: Expression
    most: int | None

    @property
    def operands(self) -> tuple[Expression, Expression]:
        return (self.first, self.rest)

    def column(self, columns: Sequence[Column]) -> Column:
        first, rest = columns
        both = pl.map_batches(
            [first.expr, rest.expr], lambda found: self._made(*found), return_dtype=rest.dtype, is_elementwise=True
        )
        return replace(rest, expr=both, fault=None, constant=VARIES)

    def _made(self, first: pl.Series, rest: pl.Series) -> pl.Series:
        height = max(first.len(), rest.len())
        # A constant comes as one row.
        first = first.new_from_index(0, height) if first.len() != height else first
        rest = rest.new_from_index(0, height) if rest.len() != height else rest
        asis = (rest.list.first() == first) & (rest.list.n_unique() == rest.list.len())
        if self.most is not None:
            asis = asis & (rest.list.len() <= self.most)
        asis = asis.fill_null(False)
        rows = (~asis).arg_true()
        if not rows.len():
            return rest
        if rows.len() * 2 > height:
            return self._anew(first, rest)
        made = self._anew(first.gather(rows), rest.gather(rows))
        at = pl.Series([None], dtype=pl.UInt32).new_from_index(0, height)
        at = at.scatter(rows, pl.int_range(rows.len(), dtype=pl.UInt32, eager=True))
        return rest.zip_with(asis, made.gather(at))

    def _anew(self, first: pl.Series, rest: pl.Series) -> pl.Series:
        lists = pl.concat_list("first", "rest").list.unique(maintain_order=True)
        lists = lists if self.most is None else lists.list.head(self.most)
        return pl.DataFrame({"first": first, "rest": rest}).select(lists).to_series()


def fused_gallery(node: Call) -> Gallery | None:
    """The call as one `Gallery`, where it has that shape."""
    most: int | None = None
    inner: Expression = node
    if node.function.name == "take" and isinstance(node.arguments[1], Constant):
        count = node.arguments[1].value
        assert isinstance(count, Decimal)
        most, inner = max(0, math.floor(count)), node.arguments[0]
    if not isinstance(inner, Call) or inner.function.name != "distinct":
        return None
    joined = inner.arguments[0]
    if not isinstance(joined, Call) or joined.function.name != "join" or len(joined.arguments) != 2:
        return None
    head, rest = joined.arguments
    if not isinstance(head, ListOf) or len(head.items) != 1 or head.items[0].type.kind != "text":
        return None
    around = joined.span or inner.span or node.span
    return Gallery(_placed(head.items[0], head.span or around), _placed(rest, around), most)


def _placed(expression: Expression, around: Span | None) -> Expression:
    """The expression, said to be where what is around it is if it has no place of its own."""
    return expression if expression.span is not None else replace(expression, span=around)


def _each_distinct(plain: Callable[..., Value], node: Call, columns: Sequence[Column]) -> Column:
    """Asks the plain definition once for each distinct row of arguments."""
    result = node.type
    kind = "number" if result.numeric else result.kind
    if kind == "number" or (result.item is not None and result.item.numeric):
        # The range of what it gives is not known before it is asked.
        raise fixed.Unfit
    model = Column(pl.lit(None), kind, item=_item(result))

    def ask(series: pl.Series) -> pl.Series:
        rows = series.unique(maintain_order=True)
        asked: dict[Any, Value] = {}
        for row in rows.to_list():
            if row is None:
                continue
            values = [_value(one, found) for one, found in zip(columns, row.values(), strict=True)]
            asked[_key(row)] = None if any(value is None for value in values) else plain(*values)
        found = [None if row is None else asked[_key(row)] for row in series.to_list()]
        listed = [list(one) if isinstance(one, tuple) else one for one in found]
        return pl.Series(series.name, listed, dtype=model.dtype)

    arguments = pl.struct([one.expr.alias(f"argument{index}") for index, one in enumerate(columns)])
    expr = arguments.map_batches(ask, return_dtype=model.dtype, is_elementwise=True)
    return replace(model, expr=expr, optional=result.optional)


def _item(type_: Type) -> str:
    return "text" if type_.item is None or type_.item.kind == "unknown" else type_.item.kind


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(tuple(one) if isinstance(one, list) else one for one in row.values())


def _value(column: Column, found: Any) -> Value:
    if found is None:
        return None
    if column.kind == "number":
        return Decimal(found).scaleb(-column.scale)
    if column.kind == "list":
        scaled = column.item == "number"
        return tuple(Decimal(one).scaleb(-column.scale) if scaled else one for one in found)
    return found  # type: ignore[no-any-return]
