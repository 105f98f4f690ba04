"""What an expression may name and what is already known about it: the input of `infer` beside the syntax."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from merx.engine.diagnostic import Diagnostic, Note
from merx.engine.expression import (
    And,
    Between,
    Compare,
    Expression,
    IsMissing,
    Not,
    OneOf,
    Or,
    Present,
)
from merx.engine.hooks import Function
from merx.engine.snapshot import Schema
from merx.engine.source import Span
from merx.engine.types import Type


@dataclass(frozen=True, slots=True)
class Rates:
    """The `rates` declarations: (base, quote) → rate and its place."""

    table: Mapping[tuple[str, str], tuple[Decimal, Span | None]] = field(default_factory=dict)
    as_of: datetime.date | None = None


Facts = frozenset[Expression]
"""Optional expressions that are known to be present where one stands."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Names and facts in force at one place of a rule file.

    schema: the attributes; None where nobody has told of them: then each is of unknown type.
    names: the locals, which shadow attributes of the same name unless in backticks.
    problems: where diagnostics are collected, shared by every scope made from this one.
    """

    functions: Mapping[str, Function]
    problems: list[Diagnostic]
    schema: Schema | None = None
    names: Mapping[str, Type] = field(default_factory=dict)
    rates: Rates = field(default_factory=Rates)
    facts: Facts = frozenset()

    def knowing(self, facts: Facts) -> Scope:
        return replace(self, facts=self.facts | facts) if facts else self

    def naming(self, names: Mapping[str, Type]) -> Scope:
        return replace(self, names=names)

    def error(self, code: str, message: str, span: Span, help: str | None = None, *notes: Note) -> None:
        self.problems.append(Diagnostic(code, "error", message, span, help, notes))

    def warn(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        self.problems.append(Diagnostic(code, "warning", message, span, help))


def _bare(expression: Expression) -> Expression:
    return expression.operand if isinstance(expression, Present) else expression


def facts_where(expression: Expression, holds: bool) -> Facts:
    """What is present wherever the condition came out as `holds`."""
    match expression:
        case Not():
            return facts_where(expression.operand, not holds)
        case IsMissing():
            return frozenset() if holds else frozenset({_bare(expression.operand)})
        case And():
            return _facts_of_chain(expression.operands, holds, stops_at=False)
        case Or():
            return _facts_of_chain(expression.operands, holds, stops_at=True)
        # A missing value equals nothing, so what compared equal was there.
        case Compare(operator="==") if holds:
            return _optional(expression.left) | _optional(expression.right)
        case Compare(operator="!=") if not holds:
            return _optional(expression.left) | _optional(expression.right)
        case OneOf() | Between() if holds:
            return _optional(expression.operand)
    return frozenset()


def _optional(expression: Expression) -> Facts:
    return frozenset({expression}) if expression.type.optional else frozenset()


def _facts_of_chain(operands: tuple[Expression, ...], holds: bool, *, stops_at: bool) -> Facts:
    if holds != stops_at:  # every operand came out as `holds`
        return frozenset().union(*(facts_where(one, holds) for one in operands))
    # One of them decided, and those before it came out the other way.
    before: Facts = frozenset()
    ways: list[Facts] = []
    for one in operands:
        ways.append(before | facts_where(one, holds))
        before |= facts_where(one, not holds)
    return frozenset.intersection(*ways)
