"""One product and what decides it come in; what `merx explain` shows comes out, as data.

Everything here turns into plain JSON by `to_dict()`: values are text as people read them, places are `file:line`, what
is not there is null. The keys are the fields' names.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

from merx.engine.expression import (
    And,
    Attribute,
    Choose,
    Expression,
    If,
    Let,
    Local,
    Not,
    Noted,
    Or,
    Present,
    Program,
    Step,
)
from merx.engine.fault import Fault, reason
from merx.engine.interpret import Product, evaluate, run
from merx.engine.source import Span
from merx.engine.types import DIGITS, UNKNOWN, Type, Value
from merx.engine.units import UNITS


class _Data:
    """A dataclass that turns into plain JSON."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True, slots=True)
class Read(_Data):
    """An attribute that was looked at, or an earlier step's value (step). value: `missing` where it has none."""

    name: str
    value: str
    step: bool = False


@dataclass(frozen=True, slots=True)
class Taken(_Data):
    """The way that an `if`, a ladder or a lookup went. rule: the rung or branch, as written; null without a text."""

    rule: str | None
    place: str | None


@dataclass(frozen=True, slots=True)
class Noticed(_Data):
    """What the merchant should know, though it holds nothing."""

    message: str
    place: str | None


@dataclass(frozen=True, slots=True)
class StepTrace(_Data):
    """One step of a program. value: null where it faulted. rule: the text of the rule that it comes from."""

    label: str
    name: str
    value: str | None
    rule: str | None
    place: str | None
    reads: tuple[Read, ...]
    taken: tuple[Taken, ...]
    notes: tuple[Noticed, ...]


@dataclass(frozen=True, slots=True)
class ProgramTrace(_Data):
    """How a policy came to its outcomes. steps: up to the one that faulted. values: outcome → its text, null where
    held. reason: why it is held."""

    kind: str
    title: str
    outcome: str
    steps: tuple[StepTrace, ...]
    outcomes: tuple[StepTrace, ...]
    values: Mapping[str, str | None]
    reason: str | None


@dataclass(frozen=True, slots=True)
class Clause(_Data):
    """A part of a condition that made it come out as it did. holds: whether the part itself is true (inside a `not`
    that is what makes the whole false)."""

    rule: str | None
    place: str | None
    holds: bool
    reads: tuple[Read, ...]


@dataclass(frozen=True, slots=True)
class ConditionTrace(_Data):
    """How a condition came out. holds: null where it faulted, and then fault says why.
    because: the parts that decided: of an `and` the first false one, of an `or` all of them."""

    holds: bool | None
    because: tuple[Clause, ...]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class ListingTrace(_Data):
    """A listing that was considered. picked: the SKU is named in its `products`. condition: null where it was not
    asked, because the SKU is picked or the listing has no query."""

    title: str
    priority: str
    took: bool
    picked: bool
    place: str | None
    condition: ConditionTrace | None


@dataclass(frozen=True, slots=True)
class Trace(_Data):
    """How one product was decided. status: `ready`, `held` or `unlisted`. values: outcome → its text, null where it
    is held or nothing sets it."""

    sku: str
    listing: str | None
    status: str
    reasons: tuple[str, ...]
    listings: tuple[ListingTrace, ...]
    programs: tuple[ProgramTrace, ...]
    values: Mapping[str, str | None] = field(default_factory=dict)


# --- programs


@dataclass(slots=True)
class _Recorder:
    """A `Watch` that keeps what it is told, by step."""

    steps: list[StepTrace] = field(default_factory=list)
    _step: Step | None = None
    _reads: dict[tuple[str, bool], Read] = field(default_factory=dict)
    _taken: list[Taken] = field(default_factory=list)
    _notes: list[Noticed] = field(default_factory=list)

    def begin(self, step: Step) -> None:
        self.finish()
        self._step = step

    def end(self, value: Value) -> None:
        if self._step is not None:
            self._keep(format_value(value, self._step.value.type))

    def finish(self) -> None:
        """The step that was begun, if it has not ended, has faulted."""
        if self._step is not None:
            self._keep(None)

    def _keep(self, value: str | None) -> None:
        assert self._step is not None
        span = self._step.span or self._step.value.span
        self.steps.append(
            StepTrace(
                self._step.label,
                self._step.name,
                value,
                _rule(span),
                _place(span),
                tuple(self._reads.values()),
                tuple(self._taken),
                tuple(self._notes),
            )
        )
        self._step = None
        self._reads, self._taken, self._notes = {}, [], []

    def reads(self) -> tuple[Read, ...]:
        return tuple(self._reads.values())

    def read(self, node: Attribute | Local, value: Value) -> None:
        step = isinstance(node, Local)
        self._reads.setdefault((node.name, step), Read(node.name, format_value(value, node.type), step))

    def branch(self, node: If | Choose, taken: int) -> None:
        span = _branch_span(node, taken)
        self._taken.append(Taken(_rule(span), _place(span)))

    def note(self, node: Noted) -> None:
        self._notes.append(Noticed(node.message, _place(node.span)))


def _branch_span(node: If | Choose, taken: int) -> Span | None:
    """From the condition of the rung to its value, as far as these are in the rule's text."""
    if isinstance(node, If):
        return (node.then, node.otherwise)[taken].span or node.span
    if taken == len(node.branches):
        return (node.otherwise.span if node.otherwise is not None else None) or node.span
    condition, value = node.branches[taken].condition.span, node.branches[taken].value.span
    if condition is None or value is None:
        return condition or value or node.span
    return condition.to(value) if condition.source is value.source and condition.start <= value.start else condition


def explain_program(program: Program, product: Product, *, today: datetime.date, kind: str, title: str) -> ProgramTrace:
    """How the program of the policy `title` comes to its outcomes for one product. kind: of the policy."""
    recorder = _Recorder()
    outcome = run(program, product, today=today, watch=recorder)
    recorder.finish()
    count = len(program.steps)
    types = {column: expression.type for column, expression in program.outcomes}
    values = {
        column: None if value is None else format_value(value, types[column])
        for column, value in outcome.values.items()
    }
    return ProgramTrace(
        kind,
        title,
        program.outcome,
        tuple(recorder.steps[:count]),
        tuple(recorder.steps[count:]),
        values,
        outcome.reason,
    )


# --- conditions


def explain_condition(
    condition: Expression,
    product: Product,
    *,
    today: datetime.date,
    outcome: str = "listing",
    span: Span | None = None,
) -> ConditionTrace:
    """How a condition comes out for one product, and which of its parts decided.

    outcome: the name that a fault's text starts with; span: its place where the condition has none.
    """
    try:
        holds = bool(evaluate(condition, product, today=today))
    except Fault as fault:
        return ConditionTrace(None, (), reason(outcome, fault.message, fault.span or span))
    return ConditionTrace(holds, tuple(_because(condition, product, today, {}, condition.span or span)))


def explain_listing(
    *,
    title: str,
    priority: Decimal,
    assign: Expression | None,
    picked: bool,
    span: Span | None,
    product: Product,
    today: datetime.date,
) -> ListingTrace:
    """Whether a listing takes the product by itself (priorities and ties are not known here), and why not."""
    condition = None
    if not picked and assign is not None:
        condition = explain_condition(assign, product, today=today, span=span)
    took = picked or (condition is not None and condition.holds is True)
    return ListingTrace(title, plain(priority), took, picked, _place(span), condition)


def _because(
    expression: Expression, product: Product, today: datetime.date, locals_: Mapping[str, Value], around: Span | None
) -> Iterable[Clause]:
    """The smallest parts of an expression, which does not fault, that made it come out as it does."""
    span = expression.span or around

    def holds(part: Expression) -> bool:
        return bool(evaluate(part, product, today=today, locals_=locals_))

    def drilled(*parts: Expression) -> Iterable[Clause]:
        return [clause for part in parts for clause in _because(part, product, today, locals_, span)]

    match expression:
        case And() | Or():
            deciding = isinstance(expression, Or)
            for operand in expression.operands:
                if holds(operand) == deciding:
                    return drilled(operand)
            return drilled(*expression.operands)
        case Not(operand=operand) if isinstance(operand, And | Or | Not | Let | If | Present):
            return drilled(operand)
        case Present():
            return drilled(expression.operand)
        case If():
            return drilled(
                expression.condition, expression.then if holds(expression.condition) else expression.otherwise
            )
        case Let():
            value = evaluate(expression.value, product, today=today, locals_=locals_)
            return _because(expression.body, product, today, {**locals_, expression.name: value}, span)
    recorder = _Recorder()
    value = evaluate(expression, product, today=today, locals_=locals_, watch=recorder)
    return [Clause(_rule(span), _place(span), bool(value), recorder.reads())]


# --- texts

# Wide enough that showing a number never rounds it, as the thread's own context would.
_WIDE = Context(prec=4 * DIGITS)


def _place(span: Span | None) -> str | None:
    return None if span is None else span.place


def _rule(span: Span | None) -> str | None:
    """The rule as written, on one line."""
    return None if span is None else " ".join(span.text.split())


def plain(number: Decimal) -> str:
    """A number without exponent and without trailing zeros of its fraction."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def format_value(value: Value, type_: Type, *, currency: bool = False) -> str:
    """A value as people read it: `12.5`, `10%`, `"tote"`, `yes`, `2026-11-27`, `15m`, `[…]`, `missing`.

    currency: money carries its currency, `12.50` then being `12.5 EUR`.
    """
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, tuple):
        item_type = type_.item or UNKNOWN
        return f"[{', '.join(format_value(item, item_type, currency=currency) for item in value)}]"
    match type_.kind:
        case "percent":
            return f"{plain(_WIDE.scaleb(value, 2))}%"
        case "duration" | "size":
            return _with_unit(value, type_.kind)
        case "money" if currency:
            return f"{plain(value)} {type_.currency}"
        case _:
            return plain(value)


def _with_unit(value: Decimal, kind: str) -> str:
    """In the largest unit that divides it: 5400 seconds are `90m`."""
    units = sorted(((factor, unit) for unit, (of, factor) in UNITS.items() if of == kind), reverse=True)
    for factor, unit in units:
        # Weeks are for writing; people count days.
        if unit != "w" and value and _WIDE.remainder(value, factor) == 0:
            return f"{plain(_WIDE.divide(value, factor))}{unit}"
    return f"{plain(value)}{units[-1][1]}"
