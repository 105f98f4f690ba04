"""Short names for the nodes that policy types build with: operands come in, a typed node goes out.

`merx.plugins.price_steps` shows them at work. What each node means is in `merx.engine.expression`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from merx.engine.expression import (
    Arithmetic,
    Branch,
    Call,
    Choose,
    Coalesce,
    Compare,
    Constant,
    Expression,
    If,
    IsMissing,
    Let,
    Local,
    Noted,
    Present,
    Require,
    Round,
    RoundingMode,
    number,
)
from merx.engine.functions import FUNCTIONS
from merx.engine.source import Span
from merx.engine.types import FLAG, TEXT, Type

YES = Constant(type=FLAG, value=True)


def text(value: str) -> Constant:
    return Constant(type=TEXT, value=value)


def missing(type_: Type) -> Constant:
    """No value, of a type that may have one."""
    return Constant(type=replace(type_, literal=False).maybe(), value=None)


def is_missing(operand: Expression) -> Expression:
    return IsMissing(operand=operand)


def present(operand: Expression) -> Expression:
    """The operand where something before it has made sure that it is there."""
    return Present(type=operand.type.maybe(False), operand=operand) if operand.type.optional else operand


def or_else(operand: Expression, otherwise: Expression) -> Expression:
    """operand, and otherwise where it is missing."""
    if not operand.type.optional:
        return operand
    return Coalesce(type=operand.type.maybe(otherwise.type.optional), operands=(operand, otherwise))


def compare(
    left: Expression, operator: Literal["==", "!=", "<", "<=", ">", ">="], right: Expression | int
) -> Expression:
    """A comparison; `==` and `!=` take operands that may be missing."""
    return Compare(operator=operator, left=left, right=number(right) if isinstance(right, int) else right)


def _joined(a: Type, b: Type) -> Type:
    """The type of two alternatives of one kind: not the literal's, and optional where either is."""
    return (b if a.literal else a).maybe(a.optional or b.optional)


def when(condition: Expression, then: Expression, otherwise: Expression) -> Expression:
    return If(type=_joined(then.type, otherwise.type), condition=condition, then=then, otherwise=otherwise)


def first_of(branches: Iterable[tuple[Expression, Expression]], otherwise: Expression) -> Expression:
    """The value of the first branch (condition, value) whose condition holds."""
    made = tuple(Branch(condition=condition, value=value) for condition, value in branches)
    type_ = otherwise.type
    for branch in made:
        type_ = _joined(type_, branch.value.type)
    return Choose(type=type_, branches=made, otherwise=otherwise, message="no branch holds") if made else otherwise


def let(name: str, value: Expression, body: Callable[[Expression], Expression]) -> Expression:
    """body of value, which is computed once. name: of the local that holds it meanwhile."""
    made = body(Local(type=replace(value.type, literal=False), name=name))
    return Let(type=made.type, name=name, value=value, body=made)


def where_present(name: str, value: Expression, body: Callable[[Expression], Expression]) -> Expression:
    """body of value where there is one, else missing."""

    def guarded(local: Expression) -> Expression:
        made = body(present(local))
        return when(is_missing(local), missing(made.type), made)

    return let(name, value, guarded if value.type.optional else body)


def require(condition: Expression, message: str, body: Expression, span: Span | None = None) -> Expression:
    """body; the fault `message` where condition is false."""
    return Require(type=body.type, condition=condition, message=message, body=body, span=span)


def noted(message: str, body: Expression, condition: Expression = YES) -> Expression:
    """body; `explain` shows `message` where condition is true."""
    return Noted(type=body.type, condition=condition, message=message, body=body)


def plus(left: Expression, right: Expression) -> Expression:
    return Arithmetic(type=_joined(left.type, right.type), operator="+", left=left, right=right)


def minus(left: Expression, right: Expression) -> Expression:
    return Arithmetic(type=_joined(left.type, right.type), operator="-", left=left, right=right)


def times(left: Expression, factor: Expression) -> Expression:
    """left scaled by a plain number or a percent; it keeps the type of left."""
    return Arithmetic(type=left.type, operator="*", left=left, right=factor)


def rounded(operand: Expression, mode: RoundingMode, step: Decimal | int) -> Expression:
    """operand to a multiple of step, which is above 0."""
    return Round(type=replace(operand.type, literal=False), operand=operand, step=number(step), mode=mode)


def call(name: str, type_: Type, *arguments: Expression) -> Expression:
    """A function of the language over present arguments."""
    return Call(type=type_, function=FUNCTIONS[name], arguments=arguments)


def at_least(operand: Expression, low: Expression) -> Expression:
    """The larger of the two."""
    return call("max", _joined(operand.type, low.type), operand, low)


def at_most(operand: Expression, high: Expression) -> Expression:
    """The smaller of the two."""
    return call("min", _joined(operand.type, high.type), operand, high)
