"""A value from outside (of a product, or of a plugin's function) comes in; the language's own value goes out."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from merx.engine.exact import BEYOND, EXACT
from merx.engine.fault import OVERFLOW, Fault
from merx.engine.source import Span
from merx.engine.types import UNKNOWN, Type, Value

_PYTHON: dict[str, type] = {"text": str, "flag": bool, "date": datetime.date}


def taken(given: Any, type_: Type, name: str, span: Span | None) -> Value:
    """The value of the language that `given`, not None, stands for: an int is a Decimal, a list a tuple without Nones.

    name, span: whose value it is.
    Raises Fault for a number beyond 38 digits, TypeError for what is not of `type_` (a float never is).
    """
    if type_.kind == "list" and isinstance(given, tuple | list):
        return tuple([taken(item, type_.item or UNKNOWN, name, span) for item in given if item is not None])
    if type_.numeric and isinstance(given, int | Decimal) and not isinstance(given, bool):
        return _number(given, name, span)
    if type_.kind == "unknown":
        return _anything(given, name, span)
    if isinstance(given, _PYTHON.get(type_.kind, ())):
        return _anything(given, name, span)
    raise _refused(given, type_, name)


def _number(given: int | Decimal, name: str, span: Span | None) -> Decimal:
    number = Decimal(given)
    if not number.is_finite():
        raise TypeError(f"`{name}` was given {given}, which is no number")
    try:
        return EXACT.plus(number)
    except BEYOND:
        raise Fault(OVERFLOW, span) from None


def _anything(given: Any, name: str, span: Span | None) -> Value:
    if isinstance(given, tuple | list):
        return tuple([_anything(item, name, span) for item in given if item is not None])
    if isinstance(given, int | Decimal) and not isinstance(given, bool):
        return _number(given, name, span)
    # A datetime is a date to Python, and a moment to everyone else.
    if isinstance(given, str | bool | datetime.date) and not isinstance(given, datetime.datetime):
        return given
    raise _refused(given, UNKNOWN, name)


def _refused(given: object, type_: Type, name: str) -> TypeError:
    wanted = "a value" if type_.kind == "unknown" else f"a {type_.kind}"
    return TypeError(f"`{name}` is {wanted}, and was given {given!r}, of type {type(given).__name__}")
