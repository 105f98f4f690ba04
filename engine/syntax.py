"""The syntax tree of rule files: what the author wrote, with a span on every node and no meaning yet."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from merx.engine.source import Source, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Equality is about meaning: two nodes that say the same at different places are equal."""

    span: Span = field(compare=False, repr=False)


# --- expressions


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Node):
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Percent(Node):
    """`10%`: value is 10, as written."""

    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity(Node):
    """A number that touches letters: `15m`, `2MB`; the checker knows which units there are."""

    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Node):
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(Node):
    """`yes`, `no`, `on` or `off`; word is the one written."""

    value: bool
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Date(Node):
    value: datetime.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Node):
    """A bare name, or one in backticks (quoted), which always means the attribute."""

    name: str
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf(Node):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range(Node):
    """`low..high`, both ends included."""

    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Node):
    """A sign before an operand; `*` only starts a change (`* 1.2`)."""

    operator: Literal["+", "-", "*"]
    operand: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Node):
    operator: Literal["+", "-", "*", "/", "??"]
    left: Expression
    right: Expression


CompareOperator = Literal[
    "==", "!=", "<", "<=", ">", ">=", "in", "not in",
    "has", "has any", "has all", "contains", "starts with", "ends with", "matches",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Node):
    operator: CompareOperator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence(Node):
    """`x is present` or `x is missing`."""

    operand: Expression
    present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Logical(Node):
    """A chain of one connective, flat: `a and b and c` has three operands."""

    connective: Literal["and", "or"]
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Node):
    operand: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class If(Node):
    condition: Expression
    then: Expression
    otherwise: Expression


RungKind = Literal["above", "from", "below", "upto", "exactly", "when", "else"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung(Node):
    """One line of a ladder; bound is the number, or the condition of `when`, None for `else`."""

    kind: RungKind
    bound: Expression | None
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder(Node):
    subject: Expression | None
    rungs: tuple[Rung, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Node):
    """One entry of a lookup; key None is `else`."""

    key: Expression | None
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup(Node):
    subject: Expression
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    function: Name
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Every(Node):
    """`every 15m`."""

    interval: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding(Node):
    """`half_up to 0.05`."""

    mode: Name
    step: Expression


Expression = (
    Number | Percent | Quantity | Text | Flag | Date | Name | ListOf | Range | Unary | Binary | Compare
    | Presence | Logical | Not | If | Ladder | Lookup | Call | Every | Rounding
)  # fmt: skip


# --- items of a declaration


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeName(Node):
    """`money(EUR)?`, `list(text)`: name, what stands in the brackets, and whether it may be missing."""

    name: str
    argument: TypeName | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Node):
    """`name = value`."""

    name: Name
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Section(Node):
    """`name { items }`."""

    name: Name
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Node):
    """`key -> value` of a map; key None is `else`."""

    key: Expression | None
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate(Node):
    """`EUR -> USD = 1.0850`."""

    base: Name
    quote: Name
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed(Node):
    """`name: type` of a catalog."""

    name: Name
    type: TypeName


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensure(Node):
    condition: Expression
    message: Text


Item = Setting | Section | Entry | Rate | Typed | Ensure


# --- files


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(Node):
    path: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration(Node):
    """`kind "title" { items }`; head is the span of `kind "title"`."""

    kind: Name
    title: Text | None
    items: tuple[Item, ...]
    head: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """partial: something could not be read, so a name that is not found may stand in the lost part."""

    source: Source = field(compare=False)
    uses: tuple[Use, ...]
    declarations: tuple[Declaration, ...]
    partial: bool = False
