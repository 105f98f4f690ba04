"""A call's syntax comes in; a typed expression goes out: the functions, and `round` and `convert`, which are more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from merx.engine import syntax
from merx.engine.diagnostic import did_you_mean
from merx.engine.expression import Arithmetic, Call, Constant, Expression, Round, number
from merx.engine.hooks import Function
from merx.engine.operators import common_type, comparable, present
from merx.engine.types import UNKNOWN, Type, money

if TYPE_CHECKING:
    from merx.engine.scope import Scope

Infer = Callable[[syntax.Expression, "Scope"], Expression]

_MORE = ("round", "convert")


def infer_call(node: syntax.Call, scope: Scope, infer: Infer) -> Expression:
    name = node.function.name
    if name == "round":
        return _round(node, scope, infer)
    if name == "convert":
        return _convert(node, scope, infer)
    function = scope.functions.get(name)
    if function is None or function.signature is None:
        known = [*_MORE, *scope.functions]
        help = did_you_mean(name, known) or f"the functions are {', '.join(sorted(known))}"
        scope.error("M202", f"there is no function `{name}`", node.function.span, help)
        for argument in node.arguments:
            infer(argument, scope)
        return Constant(type=UNKNOWN, value=None, span=node.span)
    arguments = tuple(present(infer(argument, scope), scope) for argument in node.arguments)
    if not _fits(function, arguments, node, scope):
        return Constant(type=UNKNOWN, value=None, span=node.span)
    if any(argument.type.kind == "unknown" for argument in arguments):
        return Call(type=UNKNOWN, function=function, arguments=arguments, span=node.span)
    try:
        result = function.signature.result(tuple(argument.type for argument in arguments))
    except ValueError as error:
        scope.error("M109", f"`{name}` {error}", node.span, function.doc)
        result = UNKNOWN
    return Call(type=result, function=function, arguments=arguments, span=node.span)


def _fits(function: Function, arguments: tuple[Expression, ...], node: syntax.Call, scope: Scope) -> bool:
    assert function.signature is not None
    parameters = function.signature.parameters
    needed = len(parameters)
    if len(arguments) < needed or (len(arguments) > needed and not function.signature.variadic):
        some = f"{needed} or more" if function.signature.variadic else str(needed)
        scope.error(
            "M109", f"`{function.name}` takes {some} values, and here are {len(arguments)}", node.span, function.doc
        )
        return False
    for index, argument in enumerate(arguments):
        wanted, given = parameters[min(index, needed - 1)], argument.type
        if not _takes(wanted, given):
            scope.error(
                "M109", f"`{function.name}` takes a {wanted.kind} here, not a {given.kind}",
                argument.span or node.span, function.doc,
            )  # fmt: skip
            return False
    if function.signature.variadic and len(arguments) > 1:
        return common_type(arguments, node.span, scope, f"the values of `{function.name}`").kind != "unknown" or any(
            argument.type.kind == "unknown" for argument in arguments
        )
    return True


def _takes(wanted: Type, given: Type) -> bool:
    if "unknown" in {wanted.kind, given.kind}:
        return True
    if wanted.kind == "list":
        return given.kind == "list"
    if wanted.kind == "number":
        return given.numeric
    return wanted.kind == given.kind


def _round(node: syntax.Call, scope: Scope, infer: Infer) -> Expression:
    if len(node.arguments) != 2:
        scope.error("M109", "`round` takes a value and a step", node.span, "write `round(price, 0.05)`")
        return Constant(type=UNKNOWN, value=None, span=node.span)
    value, step = (present(infer(argument, scope), scope) for argument in node.arguments)
    for side in (value, step):
        if not side.type.numeric and side.type.kind != "unknown":
            scope.error("M109", f"`round` takes numbers, not a {side.type.kind}", side.span or node.span)
            return Constant(type=UNKNOWN, value=None, span=node.span)
    if not comparable(value, step, node.span, scope, ordering=True):
        return Constant(type=UNKNOWN, value=None, span=node.span)
    if isinstance(step, Constant) and isinstance(step.value, Decimal) and step.value <= 0:
        scope.error("M120", "the step to round to is not above 0", step.span or node.span, "write a step like 0.05")
    # A literal takes the currency of its step: it has come out as a multiple of that.
    number_alone = value.type.kind == "number" and value.type.literal
    type_ = step.type if number_alone and step.type.kind in {"number", "money"} else value.type
    return Round(type=type_, operand=value, step=step, mode="half_up", span=node.span)


def _convert(node: syntax.Call, scope: Scope, infer: Infer) -> Expression:
    nothing = Constant(type=UNKNOWN, value=None, span=node.span)
    if len(node.arguments) != 2 or not isinstance(node.arguments[1], syntax.Name):
        scope.error("M109", "`convert` takes an amount and a currency", node.span, "write `convert(cost, USD)`")
        return nothing
    amount = present(infer(node.arguments[0], scope), scope)
    target = node.arguments[1]
    if amount.type.kind == "unknown":
        return replace(nothing, type=UNKNOWN)
    if amount.type.kind != "money":
        scope.error(
            "M121", f"`{node.arguments[0].span.text}` has no currency to convert from", node.arguments[0].span,
            "declare it as `money(EUR)` in the `catalog` block, or name the currency with `--currency`",
        )  # fmt: skip
        return nothing
    return converted(amount, target.name, node, scope)


def converted(amount: Expression, currency: str, node: syntax.Node, scope: Scope) -> Expression:
    """The amount in another currency, by the declared rate; an error where there is none."""
    base = amount.type.currency or ""
    if base == currency:
        return amount
    known = scope.rates.table.get((base, currency))
    if known is None:
        bases = {one for pair in scope.rates.table for one in pair}
        help = did_you_mean(currency, bases - {currency}) if currency not in bases else None
        scope.error(
            "M203", f"there is no rate from {base} to {currency}", node.span,
            help or f"add it: `rates {{ {base} -> {currency} = 1.0850 }}`; rates are never inverted or chained",
        )  # fmt: skip
        return Constant(type=UNKNOWN, value=None, span=node.span)
    rate, span = known
    factor = replace(number(rate), span=span)
    return Arithmetic(
        type=replace(money(currency), optional=False), operator="*", left=amount, right=factor, span=node.span
    )
