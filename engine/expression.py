"""Typed expressions: what every rule and every policy desugars into, and all that the evaluators know.

The meaning of each node is its docstring; `interpret` is its definition and `columns` its twin. Nodes are strict
(operands left to right, the first fault wins) unless the docstring says what is evaluated only when needed.
A *fault* is a message and the place of the node that raised it. Percentages are fractions here, `X + p%` is already a
product, a conversion is already a multiplication.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from merx.engine.source import Span
from merx.engine.types import FLAG, NUMBER, Type, Value

if TYPE_CHECKING:
    from merx.engine.hooks import Function


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """span: the rule text this came from; equality is about meaning and leaves it out."""

    type: Type
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Expression):
    """A literal; value None is a missing value of an optional type."""

    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Expression):
    """An attribute of the product. Missing where the product has none or a blank one: that is the value None
    where the type is optional, the empty list where it is a list, and otherwise the fault "`name` is missing"."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HasAttribute(Expression):
    """Whether the snapshot knows the attribute at all (the same answer for each product of a snapshot)."""

    name: str
    type: Type = FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Local(Expression):
    """The value of an earlier step of the program, or of the enclosing `Let`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Let(Expression):
    """value, once; then body, in which `Local(name)` is that value."""

    name: str
    value: Expression
    body: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Today(Expression):
    """The day of the evaluation, an input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present(Expression):
    """An optional operand that a guard before it proves present; no fault can come of it."""

    operand: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand(Expression):
    """An optional operand; missing is the fault `message`."""

    operand: Expression
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Require(Expression):
    """condition; false is the fault `message` and body is not evaluated; else body."""

    condition: Expression
    message: str
    body: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(Expression):
    """Always the fault `message`."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Expression):
    """body; the trace carries `message` where condition is true. A condition that faults notes nothing:
    a note never changes an outcome, so `columns` evaluates body alone."""

    condition: Expression
    message: str
    body: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic(Expression):
    """`+ - *` exact; `/` rounded half-even to 12 places, division by zero is a fault at this node.
    A result beyond 38 digits is a fault at this node."""

    operator: Literal["+", "-", "*", "/"]
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Negate(Expression):
    operand: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Round(Expression):
    """operand to a multiple of step; a step that is not above 0 is a fault at this node.
    half_up: ties away from zero. up, down: away from, towards zero. ceiling, floor: towards plus, minus infinity."""

    operand: Expression
    step: Expression
    mode: RoundingMode


RoundingMode = Literal["half_up", "half_even", "up", "down", "ceiling", "floor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Expression):
    """Numbers by value, text and flags exactly, dates by day. `==` and `!=` take optional operands: a missing value
    equals nothing, not even another missing one. `< <= > >=` take numbers and dates that are present."""

    operator: Literal["==", "!=", "<", "<=", ">", ">="]
    left: Expression
    right: Expression
    type: Type = FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf(Expression):
    """Whether operand equals one of options; a missing operand or option equals nothing."""

    operand: Expression
    options: tuple[Expression, ...]
    type: Type = FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Between(Expression):
    """Whether operand lies in low..high, both included; a missing operand does not."""

    operand: Expression
    low: Expression
    high: Expression
    type: Type = FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Has(Expression):
    """Whether the list operand holds any (or all) of items; a missing item is in no list."""

    operand: Expression
    items: tuple[Expression, ...]
    every: bool
    type: Type = FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTest(Expression):
    """Exact, case and all. Both operands are present texts; the empty text is in every text."""

    operator: Literal["contains", "starts with", "ends with"]
    left: Expression
    right: Expression
    type: Type = FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches(Expression):
    """Whether Rust's regular expression `pattern` is found anywhere in operand."""

    operand: Expression
    pattern: str
    type: Type = FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class IsMissing(Expression):
    operand: Expression
    type: Type = FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Expression):
    operand: Expression
    type: Type = FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class And(Expression):
    """Left to right, stopping at the first false one."""

    operands: tuple[Expression, ...]
    type: Type = FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Or(Expression):
    """Left to right, stopping at the first true one."""

    operands: tuple[Expression, ...]
    type: Type = FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class If(Expression):
    """condition, then only the branch it picks."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One condition of a `Choose` and its value."""

    condition: Expression
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose(Expression):
    """The value of the first branch whose condition holds; conditions after it and other values are not evaluated.
    None of them: otherwise; where that is None, the fault `message`. Ladders and lookups are this."""

    branches: tuple[Branch, ...]
    otherwise: Expression | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coalesce(Expression):
    """The first operand that is not missing; those after it are not evaluated."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf(Expression):
    """A list of present values."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Expression):
    """A function of the language over present arguments (lists may be empty)."""

    function: Function
    arguments: tuple[Expression, ...]


def children(expression: Expression) -> tuple[Expression, ...]:
    """The direct operands, in the order of evaluation."""
    found: list[Expression] = []
    for one in fields(expression):
        value = getattr(expression, one.name)
        if isinstance(value, Expression):
            found.append(value)
        elif isinstance(value, tuple):
            for part in value:
                if isinstance(part, Expression):
                    found.append(part)
                elif isinstance(part, Branch):
                    found += [part.condition, part.value]
    return tuple(found)


def rebuild(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """The same node over changed operands; the node itself where none changed."""
    changed: dict[str, Any] = {}
    for one in fields(expression):
        value = getattr(expression, one.name)
        new: Any = value
        if isinstance(value, Expression):
            new = change(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Expression):
            new = tuple(change(part) for part in value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Branch):
            new = tuple(Branch(condition=change(part.condition), value=change(part.value)) for part in value)
        if new is not value:
            changed[one.name] = new
    return replace(expression, **changed) if changed else expression


def substitute(expression: Expression, locals_: Mapping[str, Expression]) -> Expression:
    """Each free `Local` of a name in `locals_` replaced."""
    if isinstance(expression, Local):
        return locals_.get(expression.name, expression)
    if isinstance(expression, Let) and expression.name in locals_:
        inner = {name: value for name, value in locals_.items() if name != expression.name}
        return replace(expression, value=substitute(expression.value, locals_), body=substitute(expression.body, inner))
    return rebuild(expression, lambda operand: substitute(operand, locals_))


def attributes(expression: Expression) -> frozenset[str]:
    """The names of the attributes that the expression may read."""
    if isinstance(expression, Attribute | HasAttribute):
        return frozenset({expression.name})
    return frozenset().union(*(attributes(operand) for operand in children(expression)))


def number(value: Decimal | int | str) -> Constant:
    """A plain number that goes with every currency."""
    return Constant(type=replace(NUMBER, literal=True), value=Decimal(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One named value of a program. label: what `explain` calls it, in the merchant's words.

    setting: the dotted field of the policy that the step carries out, None where none was written; the place of that
    setting stands for `span` where the step has none of its own.
    """

    name: str
    value: Expression
    label: str
    span: Span | None = field(default=None, compare=False, repr=False)
    setting: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a policy comes to for a product: steps in order, each seeing the earlier ones as `Local`s, and the columns
    it sets. The first fault of any step, then of any outcome, holds all of its outcomes, for that reason.

    outcome: the name that reasons start with (`price`).
    outcomes: column of the result → expression over the steps.
    """

    outcome: str
    steps: tuple[Step, ...]
    outcomes: tuple[tuple[str, Expression], ...]

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes that the program may read."""
        every = [step.value for step in self.steps] + [value for _, value in self.outcomes]
        return frozenset().union(*(attributes(one) for one in every))
