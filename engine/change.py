"""A `change` setting's syntax comes in; expressions over the running price go out.

A change is signed: `+X`, `-X`, `* X`. Without a sign, an expression that reads something is the new price; a literal is
an error, for it could be meant either way.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Literal, cast

from merx.engine import syntax
from merx.engine.expression import Arithmetic, Attribute, Constant, Expression, Local, children
from merx.engine.infer import infer, infer_if, infer_ladder, infer_lookup
from merx.engine.operators import arithmetic, present, scaled_by
from merx.engine.policy import RUNNING, Changes
from merx.engine.scope import Scope
from merx.engine.types import UNKNOWN, Type

Sign = Literal["+", "-", "*"]


def infer_changes(node: syntax.Expression, scope: Scope, price: Type) -> Changes:
    """price: the type of the running price, which every change keeps."""
    nodes = node.items if isinstance(node, syntax.ListOf) else (node,)
    return Changes(tuple(_change(one, scope, price) for one in nodes))


def _change(node: syntax.Expression, scope: Scope, price: Type) -> Expression:
    def branch(inner: syntax.Expression, inside: Scope) -> Expression:
        return _change(inner, inside, price)

    match node:
        case syntax.If():
            return infer_if(node, scope, branch)
        case syntax.Ladder():
            return infer_ladder(node, scope, branch)
        case syntax.Lookup():
            return infer_lookup(node, scope, branch)
        case syntax.Binary(operator="+" | "-") if _leading_sign(node) is not None:
            _two_readings(node, scope)
            return Constant(type=UNKNOWN, value=None, span=node.span)
    sign = _leading_sign(node)
    return _unsigned(node, scope, price) if sign is None else _signed(node, sign, scope, price)


def _leading_sign(node: syntax.Expression) -> Sign | None:
    """The sign that a chain of operators starts with: `+cost * 10%` is `+(cost * 10%)`."""
    while isinstance(node, syntax.Binary) and node.operator != "??":
        node = node.left
    return node.operator if isinstance(node, syntax.Unary) else None


def _unsigned_amount(node: syntax.Expression) -> syntax.Expression:
    """The chain without the sign it starts with."""
    if isinstance(node, syntax.Binary):
        return replace(node, left=_unsigned_amount(node.left))
    assert isinstance(node, syntax.Unary)
    return node.operand


def _signed(node: syntax.Expression, sign: Sign, scope: Scope, price: Type) -> Expression:
    amount = present(infer(_unsigned_amount(node), scope), scope)
    running = Local(type=price, name=RUNNING)
    if sign == "*" and amount.type.kind in {"number", "percent", "unknown"}:
        return Arithmetic(type=price, operator="*", left=running, right=amount, span=node.span)
    if sign != "*" and amount.type.kind == "percent":
        return Arithmetic(type=price, operator="*", left=running, right=scaled_by(sign, amount), span=node.span)
    if sign != "*" and price.kind == "unknown":
        return Arithmetic(type=price, operator=sign, left=running, right=amount, span=node.span)
    if sign == "*":
        scope.error(
            "M310", f"a price is multiplied by a number or a percent, not by a {amount.type.kind}", node.span,
            "write `* 1.2` or `* 120%`",
        )  # fmt: skip
        return Constant(type=UNKNOWN, value=None, span=node.span)
    found = arithmetic(sign, replace(running, span=None), amount, node.span, scope)
    return replace(found, type=price) if found.type.kind != "unknown" else found


def _unsigned(node: syntax.Expression, scope: Scope, price: Type) -> Expression:
    found = present(infer(node, scope), scope)
    if not _reads(found):
        text = node.span.text
        scope.error(
            "M311", f"`{text}` could raise the price or be the price", node.span,
            f"write `+{text}` to raise it by that, `-{text}` to lower it, or let `start` be the new price",
        )  # fmt: skip
        return Constant(type=UNKNOWN, value=None, span=node.span)
    fits = "unknown" in {found.type.kind, price.kind} or (found.type.kind, found.type.currency) == (
        price.kind,
        price.currency,
    )
    if not fits and not (found.type.kind == "number" and found.type.literal):
        scope.error(
            "M312", f"the new price is a {found.type}, and the price it stands for is a {price}", node.span,
            "convert it, or write a sign before it to make it a change",
        )  # fmt: skip
        return Constant(type=UNKNOWN, value=None, span=node.span)
    return found


def _reads(found: Expression) -> bool:
    if isinstance(found, Attribute | Local) or found.type.kind == "unknown":
        return True
    return any(_reads(one) for one in children(found))


def _two_readings(node: syntax.Binary, scope: Scope) -> None:
    first, second = node.left.span.text, f"{node.operator}{node.right.span.text}"
    help = f"write `[{first}, {second}]` for one after the other, or one change for both"
    percents = [_percent(node.left), _percent(node.right)]
    if None not in percents:
        a, b = cast("list[Decimal]", percents)
        b = b if node.operator == "+" else -b
        both = a + b
        help = (
            f"write `[{first}, {second}]` for one after the other, or `{'+' if both >= 0 else ''}{both:f}%` for the sum"
        )
    scope.error("M313", f"`{node.span.text}` has two readings", node.span, help)


def _percent(node: syntax.Expression) -> Decimal | None:
    match node:
        case syntax.Percent(value=value):
            return value
        case syntax.Unary(operator="+" | "-" as sign, operand=syntax.Percent(value=value)):
            return value if sign == "+" else -value
    return None
