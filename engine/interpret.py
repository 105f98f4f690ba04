"""The definition of the language: an expression and one product come in, its exact value or a fault goes out.

Plain on purpose: one function a node, Python `decimal`, nothing that could round where the language does not. `columns`
is held equal to this file, not the other way round.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from pydantic_core import SchemaError, SchemaValidator, core_schema

from merx.engine import exact
from merx.engine.expression import (
    And,
    Arithmetic,
    Attribute,
    Between,
    Call,
    Choose,
    Coalesce,
    Compare,
    Constant,
    Demand,
    Expression,
    Fail,
    Has,
    HasAttribute,
    If,
    IsMissing,
    Let,
    ListOf,
    Local,
    Matches,
    Negate,
    Not,
    Noted,
    OneOf,
    Or,
    Present,
    Program,
    Require,
    Round,
    Step,
    TextTest,
    Today,
)
from merx.engine.fault import DIVISION, MISSING, OVERFLOW, STEP, Fault, reason
from merx.engine.given import taken
from merx.engine.types import Value

Product = Mapping[str, Value]
"""Attribute → value; a name that is absent or None is missing. Numbers are Decimal, an int is taken as one."""


class Watch(Protocol):
    """Who looks on while a program runs; see `merx.engine.trace`."""

    def begin(self, step: Step) -> None:
        """What follows belongs to this step, or to the outcome of that name."""

    def end(self, value: Value) -> None:
        """The step came to `value`."""

    def read(self, node: Attribute | Local, value: Value) -> None:
        """An attribute or an earlier value was looked at; None is missing."""

    def branch(self, node: If | Choose, taken: int) -> None:
        """Which way was taken: of a `Choose` the number of the branch, its `otherwise` after the last; of an `If`
        0 or 1."""

    def note(self, node: Noted) -> None:
        """The condition of a note held."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program gives for one product. values: column → value, all None where held. reason: why it is held."""

    values: Mapping[str, Value]
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Frame:
    """What an expression may look at."""

    product: Product
    today: datetime.date
    locals: Mapping[str, Value]
    watch: Watch | None


def evaluate(
    expression: Expression,
    product: Product,
    *,
    today: datetime.date,
    locals_: Mapping[str, Value] | None = None,
    watch: Watch | None = None,
) -> Value:
    """The value of a typed expression for one product.

    Raises Fault, with the span of the node that raised it, or else of the nearest one around it that has a span.
    Raises TypeError for a product whose values are not of the types the expression was checked with.
    """
    return _value(expression, _Frame(product, today, locals_ or {}, watch))


def run(program: Program, product: Product, *, today: datetime.date, watch: Watch | None = None) -> Outcome:
    """The outcomes of a program for one product; the first fault holds all of them."""
    locals_: dict[str, Value] = {}
    frame = _Frame(product, today, locals_, watch)
    values: dict[str, Value] = {}
    try:
        for step in program.steps:
            locals_[step.name] = _step(step, frame)
        for column, expression in program.outcomes:
            values[column] = _step(Step(name=column, value=expression, label=column), frame)
    except Fault as fault:
        return Outcome(
            dict.fromkeys((column for column, _ in program.outcomes), None),
            reason(program.outcome, fault.message, fault.span),
        )
    return Outcome(values, None)


def _step(step: Step, frame: _Frame) -> Value:
    if frame.watch is not None:
        frame.watch.begin(step)
    try:
        value = _value(step.value, frame)
    except Fault as fault:
        if fault.span is None:
            fault.span = step.span
        raise
    if frame.watch is not None:
        frame.watch.end(value)
    return value


# --- nodes

_Node = TypeVar("_Node", bound=Expression)
_Meaning = Callable[[Any, _Frame], Value]
_MEANINGS: dict[type[Expression], _Meaning] = {}


def _means(node: type[_Node]) -> Callable[[Callable[[_Node, _Frame], Value]], Callable[[_Node, _Frame], Value]]:
    """Registers the meaning of a node. A table and not `singledispatch`, which takes longer than most nodes do."""

    def register(meaning: Callable[[_Node, _Frame], Value]) -> Callable[[_Node, _Frame], Value]:
        _MEANINGS[node] = meaning
        return meaning

    return register


def _value(expression: Expression, frame: _Frame) -> Value:
    try:
        return _MEANINGS[type(expression)](expression, frame)
    except Fault as fault:
        if fault.span is None:
            fault.span = expression.span
        raise


def _number(expression: Expression, frame: _Frame) -> Decimal:
    value = _value(expression, frame)
    assert isinstance(value, Decimal), f"{expression} is not a number"
    return value


def _text(expression: Expression, frame: _Frame) -> str:
    value = _value(expression, frame)
    assert isinstance(value, str), f"{expression} is not a text"
    return value


def _list(expression: Expression, frame: _Frame) -> tuple[Value, ...]:
    value = _value(expression, frame)
    assert isinstance(value, tuple), f"{expression} is not a list"
    return value


@_means(Constant)
def _constant(node: Constant, frame: _Frame) -> Value:
    return node.value


@_means(Attribute)
def _attribute(node: Attribute, frame: _Frame) -> Value:
    given = frame.product.get(node.name)
    value = None if given is None else taken(given, node.type, node.name, node.span)
    if value is None and node.type.kind == "list":
        value = ()
    if frame.watch is not None:
        frame.watch.read(node, value)
    if value is None and not node.type.optional:
        raise Fault(MISSING.format(name=node.name), node.span)
    return value


@_means(HasAttribute)
def _has_attribute(node: HasAttribute, frame: _Frame) -> Value:
    return node.name in frame.product


@_means(Local)
def _local(node: Local, frame: _Frame) -> Value:
    value = frame.locals[node.name]
    if frame.watch is not None:
        frame.watch.read(node, value)
    return value


@_means(Let)
def _let(node: Let, frame: _Frame) -> Value:
    value = _value(node.value, frame)
    inner = _Frame(frame.product, frame.today, {**frame.locals, node.name: value}, frame.watch)
    return _value(node.body, inner)


@_means(Today)
def _today(node: Today, frame: _Frame) -> Value:
    return frame.today


@_means(Present)
def _present(node: Present, frame: _Frame) -> Value:
    return _value(node.operand, frame)


@_means(Demand)
def _demand(node: Demand, frame: _Frame) -> Value:
    value = _value(node.operand, frame)
    if value is None:
        raise Fault(node.message, node.span)
    return value


@_means(Require)
def _require(node: Require, frame: _Frame) -> Value:
    if not _value(node.condition, frame):
        raise Fault(node.message, node.span)
    return _value(node.body, frame)


@_means(Fail)
def _fail(node: Fail, frame: _Frame) -> Value:
    raise Fault(node.message, node.span)


@_means(Noted)
def _noted(node: Noted, frame: _Frame) -> Value:
    if frame.watch is not None:
        unwatched = _Frame(frame.product, frame.today, frame.locals, None)
        try:
            if _value(node.condition, unwatched):
                frame.watch.note(node)
        except Fault:
            pass  # a note never changes an outcome
    return _value(node.body, frame)


@_means(If)
def _if(node: If, frame: _Frame) -> Value:
    taken = 0 if _value(node.condition, frame) else 1
    if frame.watch is not None:
        frame.watch.branch(node, taken)
    return _value((node.then, node.otherwise)[taken], frame)


@_means(Choose)
def _choose(node: Choose, frame: _Frame) -> Value:
    for index, branch in enumerate(node.branches):
        if _value(branch.condition, frame):
            if frame.watch is not None:
                frame.watch.branch(node, index)
            return _value(branch.value, frame)
    if node.otherwise is None:
        raise Fault(node.message, node.span)
    if frame.watch is not None:
        frame.watch.branch(node, len(node.branches))
    return _value(node.otherwise, frame)


@_means(Coalesce)
def _coalesce(node: Coalesce, frame: _Frame) -> Value:
    value: Value = None
    for operand in node.operands:
        value = _value(operand, frame)
        if value is not None:
            break
    return value


@_means(IsMissing)
def _is_missing(node: IsMissing, frame: _Frame) -> Value:
    return _value(node.operand, frame) is None


@_means(Not)
def _not(node: Not, frame: _Frame) -> Value:
    return not _value(node.operand, frame)


@_means(And)
def _and(node: And, frame: _Frame) -> Value:
    return all(_value(operand, frame) for operand in node.operands)


@_means(Or)
def _or(node: Or, frame: _Frame) -> Value:
    return any(_value(operand, frame) for operand in node.operands)


@_means(Compare)
def _compare(node: Compare, frame: _Frame) -> Value:
    left: Any = _value(node.left, frame)
    right: Any = _value(node.right, frame)
    match node.operator:
        case "==":
            return _equal(left, right)
        case "!=":
            return not _equal(left, right)
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)


def _equal(left: Value, right: Value) -> bool:
    """Numbers by value, whatever zeros they were written with; missing equals nothing, not even missing."""
    return left is not None and right is not None and left == right


@_means(OneOf)
def _one_of(node: OneOf, frame: _Frame) -> Value:
    value = _value(node.operand, frame)
    options = [_value(option, frame) for option in node.options]
    return any(_equal(value, option) for option in options)


@_means(Between)
def _between(node: Between, frame: _Frame) -> Value:
    value: Any = _value(node.operand, frame)
    low: Any = _value(node.low, frame)
    high: Any = _value(node.high, frame)
    return value is not None and bool(low <= value <= high)


@_means(Has)
def _has(node: Has, frame: _Frame) -> Value:
    held = _list(node.operand, frame)
    found = [item is not None and item in held for item in [_value(item, frame) for item in node.items]]
    return all(found) if node.every else any(found)


@_means(TextTest)
def _text_test(node: TextTest, frame: _Frame) -> Value:
    left, right = _text(node.left, frame), _text(node.right, frame)
    match node.operator:
        case "contains":
            return right in left
        case "starts with":
            return left.startswith(right)
        case "ends with":
            return left.endswith(right)


@_means(Matches)
def _matches(node: Matches, frame: _Frame) -> Value:
    return _regex(node.pattern).isinstance_python(_text(node.operand, frame))


@_means(ListOf)
def _list_of(node: ListOf, frame: _Frame) -> Value:
    return tuple([_value(item, frame) for item in node.items])


@_means(Call)
def _call(node: Call, frame: _Frame) -> Value:
    arguments = [_value(argument, frame) for argument in node.arguments]
    result = node.function.interpret(*arguments)
    return None if result is None else taken(result, node.type, node.function.name, node.span)


@_means(Arithmetic)
def _arithmetic(node: Arithmetic, frame: _Frame) -> Value:
    left, right = _number(node.left, frame), _number(node.right, frame)
    if node.operator == "/" and not right:
        raise Fault(DIVISION, node.span)
    try:
        match node.operator:
            case "+":
                return exact.EXACT.add(left, right)
            case "-":
                return exact.EXACT.subtract(left, right)
            case "*":
                return exact.EXACT.multiply(left, right)
            case "/":
                return exact.quotient(left, right)
    except exact.BEYOND:
        raise Fault(OVERFLOW, node.span) from None


@_means(Negate)
def _negate(node: Negate, frame: _Frame) -> Value:
    return exact.EXACT.minus(_number(node.operand, frame))


@_means(Round)
def _round(node: Round, frame: _Frame) -> Value:
    operand, step = _number(node.operand, frame), _number(node.step, frame)
    if step <= 0:
        raise Fault(STEP, node.span)
    try:
        return exact.rounded(operand, step, node.mode)
    except exact.BEYOND:
        raise Fault(OVERFLOW, node.span) from None


# --- regular expressions


@functools.lru_cache(maxsize=1024)
def _regex(pattern: str) -> SchemaValidator:
    """Rust's regular expressions, as the columns have them: linear in the text, and the same syntax. The validator
    searches anywhere in the text."""
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


def regex_problem(pattern: str) -> str | None:
    """What is wrong with a regular expression, in one line; None for a good one."""
    try:
        _regex(pattern)
    except SchemaError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[-1].removeprefix("error: ").removesuffix(".").replace("SchemaError: ", "")
    return None
