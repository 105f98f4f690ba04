"""One expression and the values of its names come in; its value goes out."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping
from decimal import Decimal

from merx.engine import interpret
from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.expression import Expression
from merx.engine.fault import Fault
from merx.engine.hooks import Function
from merx.engine.infer import infer
from merx.engine.parse import parse_expression
from merx.engine.registry import registry
from merx.engine.scope import Scope
from merx.engine.snapshot import Schema
from merx.engine.source import Source, Span
from merx.engine.testblock import type_of
from merx.engine.types import Type, Value

GIVEN = "the values given"


def evaluate_expression(
    text: str,
    given: Mapping[str, str | int | Decimal | bool | datetime.date | list[object] | tuple[object, ...] | None]
    | None = None,
    *,
    today: datetime.date | None = None,
) -> Value:
    """The value of an expression of the language.

    given: the names it may read. A str stays a text, an int or Decimal is a number, a bool a flag, a list a list; None
    is missing. Names that the expression does not read are no error.
    Returns a Decimal, str, bool, date, tuple, or None where it is missing.
    Raises PolicyError with the diagnostics: of the text, of the types (M601 for a float), or of what happened (M503).
    """
    expression, _, product = typed_expression(text, given or {})
    return run_expression(expression, product, text, today or datetime.datetime.now(datetime.UTC).date())


def typed_expression(text: str, given: Mapping[str, object]) -> tuple[Expression, Type, dict[str, Value]]:
    """The checked expression, its type, and the given values as those of the language."""
    product = {name: _value(name, value) for name, value in given.items()}
    types = tuple(sorted(((name, _type(value)) for name, value in product.items()), key=lambda pair: pair[0]))
    expression = _checked(text, types)
    return expression, expression.type, product


def run_expression(expression: Expression, product: Mapping[str, Value], text: str, today: datetime.date) -> Value:
    """Raises PolicyError (M503) where the expression faults."""
    try:
        return interpret.evaluate(expression, product, today=today)
    except Fault as fault:
        span = fault.span or Span(Source("<expression>", text), 0, len(text))
        raise PolicyError([Diagnostic("M503", "error", fault.message, span, _HELP.get(fault.message))]) from None


_HELP = {
    "division by zero": "guard it: `if x == 0 then … else y / x`",
    "a number beyond 38 digits": "a value has at most 38 digits before and after its point",
}


@functools.lru_cache(maxsize=1024)
def _checked(text: str, types: tuple[tuple[str, Type], ...]) -> Expression:
    tree, problems = parse_expression(Source("<expression>", text))
    errors = [one for one in problems if one.level == "error"]
    if tree is None or errors:
        raise PolicyError(errors)
    found: list[Diagnostic] = []
    scope = Scope(_functions(), found, Schema(GIVEN if types else "", dict(types)))
    expression = infer(tree, scope)
    if errors := [one for one in found if one.level == "error"]:
        raise PolicyError(errors)
    return expression


@functools.cache
def _functions() -> Mapping[str, Function]:
    return registry().functions


def _type(value: Value) -> Type:
    # Nothing is known of a name that is given as missing, but that it is.
    return Type("unknown", optional=True) if value is None else type_of(value)


def _value(name: str, value: object) -> Value:
    match value:
        case None | str() | bool() | Decimal():
            if isinstance(value, Decimal) and not value.is_finite():
                raise _refused(name, "is not a number", "give a finite Decimal")
            return value
        case int():
            return Decimal(value)
        case datetime.datetime():
            raise _refused(name, "is a moment, not a day", "give its `.date()`")
        case datetime.date():
            return value
        case list() | tuple():
            items = tuple(_value(name, one) for one in value if one is not None)
            if len({type_of(item) for item in items}) > 1:
                raise _refused(name, "is a list of values of several kinds", "give a list of one: texts, numbers …")
            return items
        case float():
            raise _refused(name, "is a float, which is not exact", "give a Decimal, an int or a text")
    raise _refused(name, f"is a {type(value).__name__}", "give a text, a number, a flag, a date, a list or None")


def _refused(name: str, message: str, help: str) -> PolicyError:
    return PolicyError([Diagnostic("M601", "error", f"`{name}` {message}", None, help)])
