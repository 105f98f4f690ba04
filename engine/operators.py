"""Which types go together: two typed operands come in, a typed expression goes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from merx.engine.expression import Arithmetic, Constant, Expression, Present, number
from merx.engine.scope import Scope
from merx.engine.source import Span
from merx.engine.types import NUMBER, PERCENT, UNKNOWN, Type

Operator = Literal["+", "-", "*", "/"]


def present(found: Expression, scope: Scope) -> Expression:
    """The operand of what takes no missing value; a value that may be missing is an error."""
    if not found.type.optional:
        return found
    if found.span is not None:
        text = found.span.text
        help = f"guard it: `{text} ?? …`, or `{text} is present and …`"
        scope.error("M102", f"`{text}` may be missing here", found.span, help)
    return Present(type=found.type.maybe(False), operand=found, span=found.span)


def _said(type_: Type) -> str:
    """A type in the merchant's words, for `in EUR`, `a text`."""
    if type_.kind == "money":
        return f"an amount in {type_.currency}"
    return f"a {type_.kind}" if type_.kind != "number" else "a plain number"


def _text(one: Expression) -> str:
    # Only the running price of a change stands nowhere in the rule's text.
    return f"`{one.span.text}`" if one.span is not None else "the price"


def _convert(one: Expression, other: Expression) -> str:
    """The help for two currencies: convert the one that is written out."""
    if one.span is None:
        one, other = other, one
    return f"convert one of them first: `convert({_text(one)[1:-1]}, {other.type.currency})`"


def _two_currencies(left: Type, right: Type) -> bool:
    return left.kind == right.kind == "money" and left.currency != right.currency


def _report_currencies(verb: str, joiner: str, left: Expression, right: Expression, span: Span, scope: Scope) -> None:
    message = f"cannot {verb} {_text(left)} in {left.type.currency} {joiner} {_text(right)} in {right.type.currency}"
    scope.error(
        "M104", message, span, f"convert one of them first: `convert({_text(right)[1:-1]}, {left.type.currency})`"
    )


def comparable(left: Expression, right: Expression, span: Span, scope: Scope, *, ordering: bool = False) -> bool:
    """Whether the two can be compared; an error over `span` where not. ordering: by `<` and its like."""
    a, b = left.type, right.type
    if "unknown" in {a.kind, b.kind}:
        return True
    if _two_currencies(a, b):
        _report_currencies("compare", "with", left, right, span, scope)
        return False
    if {a.kind, b.kind} == {"money", "number"}:
        plain = a if a.kind == "number" else b
        if plain.literal:
            return True
        scope.error(
            "M105", f"cannot compare {_text(left)}, {_said(a)}, with {_text(right)}, {_said(b)}", span,
            "an amount compares with amounts of its currency, and with literals",
        )  # fmt: skip
        return False
    if a.kind != b.kind and {a.kind, b.kind} != {"percent", "number"}:
        scope.error(
            "M103", f"cannot compare {_text(left)}, {_said(a)}, with {_text(right)}, {_said(b)}", span, _hint(a, b)
        )
        return False
    if ordering and not (a.numeric or a.kind == "date"):
        scope.error("M103", f"{_said(a)} is neither smaller nor larger than another", span, "compare with `==` or `!=`")
        return False
    if a.kind == "list":
        scope.error("M103", "lists do not compare", span, "write `has`, `has any [..]` or `has all [..]`")
        return False
    return True


def _hint(a: Type, b: Type) -> str | None:
    if {a.kind, b.kind} == {"money", "percent"}:
        return "a percent compares with a share, `(price - cost) / price`; of an amount write `cost * 115%`"
    if "list" in {a.kind, b.kind}:
        return "write `has` to look into a list"
    if "text" in {a.kind, b.kind}:
        return "a text is in double quotes, a number is not"
    if {a.kind, b.kind} & {"duration", "size"}:
        return "give both the same kind of unit"
    return None


def _unify(a: Type, b: Type) -> Type | None:
    """The one type of two alternatives; None where there is none."""
    if "unknown" in {a.kind, b.kind}:
        return UNKNOWN
    if a.kind == b.kind == "list":
        assert a.item is not None and b.item is not None
        item = b.item if a.item.kind == "unknown" else a.item if b.item.kind == "unknown" else _unify(a.item, b.item)
        return None if item is None else Type("list", item=item)
    if a.kind == b.kind:
        same = replace(a, optional=False, literal=a.literal and b.literal)
        return same if a.currency == b.currency else None
    if {a.kind, b.kind} == {"money", "number"}:
        amount, plain = (a, b) if a.kind == "money" else (b, a)
        return replace(amount, optional=False) if plain.literal else None
    return None


def common_type(found: Sequence[Expression], span: Span, scope: Scope, what: str) -> Type:
    """The type that all of `found` have; an error where they differ. what: `the two branches of if`."""
    type_ = found[0].type
    for one in found[1:]:
        joined = _unify(type_, one.type)
        if joined is None:
            if _two_currencies(type_, one.type):
                a, b = found[0], one
                scope.error(
                    "M104", f"{what} are in {type_.currency} and in {one.type.currency}", one.span or span,
                    f"convert one of them: `convert({_text(b)[1:-1]}, {a.type.currency})`",
                )  # fmt: skip
            else:
                scope.error(
                    "M106", f"{what} are {_said(type_)} and {_said(one.type)}", one.span or span, "make them alike"
                )
            return UNKNOWN
        type_ = joined
    return type_


def arithmetic(operator: Operator, left: Expression, right: Expression, span: Span, scope: Scope) -> Expression:
    """`left operator right` over typed operands; `X + p%` comes out as a product."""
    left, right = present(left, scope), present(right, scope)
    for side in (left, right):
        if not side.type.numeric and side.type.kind != "unknown":
            scope.error(
                "M101", f"cannot compute with {_text(side)}, {_said(side.type)}", span, _not_a_number(side.type)
            )
            return Constant(type=UNKNOWN, value=None, span=span)
    a, b = left.type, right.type
    if "unknown" in {a.kind, b.kind}:
        return Arithmetic(type=UNKNOWN, operator=operator, left=left, right=right, span=span)
    if operator in {"+", "-"} and b.kind == "percent" and a.kind != "percent":
        factor = scaled_by(operator, right)
        return Arithmetic(
            type=replace(a, literal=a.literal and b.literal), operator="*", left=left, right=factor, span=span
        )
    typed = _sum(a, b) if operator in {"+", "-"} else _product(a, b) if operator == "*" else _quotient(a, b)
    if typed is None:
        _refuse(operator, left, right, span, scope)
        return Constant(type=UNKNOWN, value=None, span=span)
    return Arithmetic(type=typed, operator=operator, left=left, right=right, span=span)


def scaled_by(operator: Literal["+", "-"], percent: Expression) -> Expression:
    """1 + p or 1 - p: what `+ p%` multiplies by."""
    if isinstance(percent, Constant) and isinstance(percent.value, Decimal):
        share = percent.value if operator == "+" else -percent.value
        return replace(number(Decimal(1) + share), span=percent.span)
    return Arithmetic(type=NUMBER, operator=operator, left=number(1), right=percent, span=percent.span)


def _not_a_number(type_: Type) -> str:
    if type_.kind == "date":
        return "count days with `days_between(from, to)`"
    return "arithmetic is for numbers, amounts and percentages"


def _sum(a: Type, b: Type) -> Type | None:
    if a.kind == "percent" and b.kind != "percent":
        return None
    return _unify(a, b)


def _product(a: Type, b: Type) -> Type | None:
    kinds = (a.kind, b.kind)
    literal = a.literal and b.literal
    if kinds == ("percent", "percent"):
        return replace(PERCENT, literal=literal)
    for amount, factor in ((a, b), (b, a)):
        if amount.kind in {"money", "duration", "size"}:
            return amount if factor.kind in {"number", "percent"} else None
    return replace(NUMBER, literal=literal)


def _quotient(a: Type, b: Type) -> Type | None:
    literal = a.literal and b.literal
    if b.kind in {"number", "percent"}:
        return replace(NUMBER, literal=literal) if a.kind in {"number", "percent"} else a
    if a.kind == b.kind and a.currency == b.currency:
        return NUMBER
    return None


def _refuse(operator: Operator, left: Expression, right: Expression, span: Span, scope: Scope) -> None:
    a, b = left.type, right.type
    verb, joiner = {"+": ("add", "to"), "-": ("subtract", "from"), "*": ("multiply", "by"), "/": ("divide", "by")}[
        operator
    ]
    first, second = (right, left) if operator in {"+", "-"} else (left, right)
    if _two_currencies(a, b) and operator != "*":
        _report_currencies(verb, joiner, first, second, span, scope)
        return
    help = "an amount adds to amounts of its currency, and to literals"
    if a.kind == b.kind == "money":
        help = "an amount is multiplied by a number or a percent"
    elif a.kind == "percent" and operator in {"+", "-"}:
        help = f"write the amount first: `{_text(right)[1:-1]} {operator} {_text(left)[1:-1]}`"
    elif operator == "/":
        help = "divide amounts of one currency, or by a number"
    scope.error(
        "M107" if a.kind == b.kind == "money" else "M105",
        f"cannot {verb} {_text(first)}, {_said(first.type)}, {joiner} {_text(second)}, {_said(second.type)}", span, help,
    )  # fmt: skip
