"""The built-in functions of the language: their types, what they are for, and their definitions over plain values.

`round` and `convert` are not here: the checker turns them into arithmetic. The columnar twins are registered by name
where `columns` is.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from merx.engine.hooks import Function, Signature
from merx.engine.types import DATE, NUMBER, TEXT, UNKNOWN, Type, Value

WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What `trim` takes off: Unicode's White_Space property, spelled out so that both evaluators mean the same."""

ANY_LIST = Type("list", item=UNKNOWN)


# --- result types


def _one_of(allowed: str, kinds: frozenset[str], types: tuple[Type, ...]) -> None:
    for given in types:
        if given.kind not in kinds:
            raise ValueError(f"takes {allowed}, not a {given.kind}")


def _joined(a: Type, b: Type) -> Type:
    """The type of two values of one kind; a literal number goes with money."""
    if a.kind == "unknown" or b.kind == "unknown":
        return b if a.kind == "unknown" else a
    if a.kind == "list" and b.kind == "list" and a.item is not None and b.item is not None:
        return replace(a, item=_joined(a.item, b.item))
    if a.kind == b.kind and a.currency == b.currency:
        return replace(a, literal=a.literal and b.literal, optional=False)
    for amount, plain in ((a, b), (b, a)):
        if amount.kind == "money" and plain.kind == "number" and plain.literal:
            return replace(amount, optional=False)
    raise ValueError(f"cannot go with {a} and {b} at once")


def _joined_all(types: tuple[Type, ...]) -> Type:
    result = types[0]
    for one in types[1:]:
        result = _joined(result, one)
    return result


_ORDERED = frozenset({"number", "money", "percent", "duration", "size", "date", "unknown"})


def _extreme_type(types: tuple[Type, ...]) -> Type:
    _one_of("numbers or dates", _ORDERED, types)
    return _joined_all(types)


def _number_type(types: tuple[Type, ...]) -> Type:
    _one_of("a number", _ORDERED - {"date"}, types)
    return types[0]


def _length_type(types: tuple[Type, ...]) -> Type:
    _one_of("a text or a list", frozenset({"text", "list", "unknown"}), types)
    return NUMBER


def _first_type(types: tuple[Type, ...]) -> Type:
    return (types[0].item or UNKNOWN).maybe()


# --- definitions


def _floor(number: Decimal) -> int:
    return int(number.to_integral_value(rounding=ROUND_FLOOR))


def _minimum(*values: Any) -> Value:
    return min(values)  # type: ignore[no-any-return]


def _maximum(*values: Any) -> Value:
    return max(values)  # type: ignore[no-any-return]


def _absolute(number: Decimal) -> Value:
    return number.copy_abs()  # `abs` would round to the thread's context


def _lower(text: str) -> Value:
    return text.lower()


def _upper(text: str) -> Value:
    return text.upper()


def _trim(text: str) -> Value:
    return text.strip(WHITE_SPACE)


def _length(value: str | tuple[Value, ...]) -> Value:
    return Decimal(len(value))


def _days_between(first: datetime.date, last: datetime.date) -> Value:
    return Decimal((last - first).days)


def _first(items: tuple[Value, ...]) -> Value:
    return items[0] if items else None


def _take(items: tuple[Value, ...], count: Decimal) -> Value:
    return items[: max(0, _floor(count))]


def _distinct(items: tuple[Value, ...]) -> Value:
    return tuple(dict.fromkeys(items))


def _join(*lists: tuple[Value, ...]) -> Value:
    return tuple(item for items in lists for item in items)


_BUILT_IN = (
    Function(
        "min",
        Signature((UNKNOWN,), _extreme_type, variadic=True),
        "The smallest of its values, numbers of one kind or dates: `min(price, map ?? price)`.",
        _minimum,
    ),
    Function(
        "max",
        Signature((UNKNOWN,), _extreme_type, variadic=True),
        "The largest of its values, numbers of one kind or dates: `max(cost * 115%, 5.00)`.",
        _maximum,
    ),
    Function("abs", Signature((NUMBER,), _number_type), "A number without its sign: `abs(price - cost)`.", _absolute),
    Function("lower", Signature((TEXT,), lambda _: TEXT), 'A text in lower case: `lower(color) == "red"`.', _lower),
    Function("upper", Signature((TEXT,), lambda _: TEXT), "A text in upper case: `upper(sku)`.", _upper),
    Function(
        "trim", Signature((TEXT,), lambda _: TEXT), "A text without white space at its ends: `trim(name)`.", _trim
    ),
    Function(
        "length",
        Signature((UNKNOWN,), _length_type),
        "How many characters a text has, or elements a list: `length(name) <= 128`.",
        _length,
    ),
    Function(
        "days_between",
        Signature((DATE, DATE), lambda _: NUMBER),
        "Days from the first date to the second, negative where it is earlier: `days_between(news_from_date, today)`.",
        _days_between,
    ),
    Function(
        "first",
        Signature((ANY_LIST,), _first_type),
        'The first element of a list, missing where it is empty: `first(categories) ?? "none"`.',
        _first,
    ),
    Function(
        "take",
        Signature((ANY_LIST, NUMBER), lambda types: types[0]),
        "The first so many elements of a list, fewer where it is shorter, none for a number below 1: "
        "`take(media_gallery, 5)`.",
        _take,
    ),
    Function(
        "distinct",
        Signature((ANY_LIST,), lambda types: types[0]),
        "A list with each element once, where it first stood: `distinct(categories)`.",
        _distinct,
    ),
    Function(
        "join",
        Signature((ANY_LIST, ANY_LIST), _joined_all, variadic=True),
        "The elements of lists of one kind, one list after the other: `join([image], media_gallery)`.",
        _join,
    ),
)

FUNCTIONS: Mapping[str, Function] = {function.name: function for function in _BUILT_IN}
"""Name → function."""
