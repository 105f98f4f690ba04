"""What the grammar recognised comes in, rule by rule; nodes of the syntax tree go out. Nothing past it sees Lark."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, cast

from lark import Token

from merx.engine.depth import too_deep_here
from merx.engine.diagnostic import Diagnostic
from merx.engine.scan import DEEPEST
from merx.engine.source import Source, Span
from merx.engine.syntax import (
    Binary,
    Call,
    Case,
    Compare,
    CompareOperator,
    Date,
    Declaration,
    Ensure,
    Entry,
    Every,
    Expression,
    File,
    Flag,
    If,
    Item,
    Ladder,
    ListOf,
    Logical,
    Lookup,
    Name,
    Not,
    Number,
    Percent,
    Presence,
    Quantity,
    Range,
    Rate,
    Rounding,
    Rung,
    RungKind,
    Section,
    Setting,
    Text,
    Typed,
    TypeName,
    Unary,
    Use,
)
from merx.engine.types import DIGITS

building: ContextVar[tuple[Source, int]] = ContextVar("building")
"""The source that is being parsed, and where in it the parsed text starts: one builder serves every parse, of any
thread."""


class Refused(Exception):
    """The grammar takes it, and it still cannot be: an impossible date, a number of 39 digits."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


@dataclass(frozen=True, slots=True)
class Group:
    """An expression in parentheses: the node keeps its own span, while what is built around it spans them too."""

    node: Expression
    span: Span


def ungroup(value: Any) -> Any:
    """The node inside any parentheses."""
    return value.node if type(value) is Group else value


def _from_parts(method: Callable[..., Any]) -> Callable[[Builder, list[Any]], Any]:
    """A builder method that is given the span of its parts, then the parts without parentheses."""

    def build(builder: Builder, parts: list[Any]) -> Any:
        first, last = parts[0], parts[-1]
        source, offset = building.get()
        start = offset + first.start_pos if type(first) is Token else first.span.start  # type: ignore[operator]
        end = offset + last.end_pos if type(last) is Token else last.span.end  # type: ignore[operator]
        span = Span(source, start, end)
        return method(builder, span, *[part.node if type(part) is Group else part for part in parts])

    return build


_NUMERAL = re.compile(r"([0-9.]+)([A-Za-z]*)")
_ESCAPE = re.compile(r'\\(["\\])')


def _number(span: Span, digits: str) -> Decimal:
    if len(digits) - digits.count(".") > DIGITS:
        raise Refused(
            Diagnostic(
                "M007",
                "error",
                f"a number has at most {DIGITS} digits, this one has {len(digits) - digits.count('.')}",
                span,
                "write a shorter number",
            )
        )
    return Decimal(digits)


def _refuse_tab(span: Span, content: str, what: str) -> None:
    if "\t" in content:
        at = span.start + 1 + content.index("\t")
        raise Refused(
            Diagnostic("M004", "error", f"a tab inside a {what}", Span(span.source, at, at + 1), "write a space")
        )


class Builder:
    """One method for each rule and alias of grammar/merx.lark, which Lark calls as soon as it has recognised one.

    Every token is kept, so the parts are what the grammar says, punctuation included.
    """

    # --- files

    def file(self, parts: list[Any]) -> File:
        return File(
            source=building.get()[0],
            uses=tuple(part for part in parts if isinstance(part, Use)),
            declarations=tuple(part for part in parts if isinstance(part, Declaration)),
        )

    @_from_parts
    def use(self, span: Span, _use: Token, path: Text) -> Use:
        return Use(span=span, path=path)

    @_from_parts
    def declaration(self, span: Span, kind: Name, *rest: Any) -> Declaration:
        title = rest[0] if isinstance(rest[0], Text) else None
        items = rest[1:-1] if title is None else rest[2:-1]
        head = kind.span if title is None else kind.span.to(title.span)
        return Declaration(span=span, kind=kind, title=title, items=items, head=head)

    # --- items

    @_from_parts
    def setting(self, span: Span, name: Name, _is: Token, value: Expression) -> Setting:
        return Setting(span=span, name=name, value=value)

    @_from_parts
    def section(self, span: Span, name: Name, _open: Token, *rest: Any) -> Section:
        return Section(span=span, name=name, items=cast(tuple[Item, ...], rest[:-1]))

    @_from_parts
    def typed(self, span: Span, name: Name, _colon: Token, type: TypeName) -> Typed:
        return Typed(span=span, name=name, type=type)

    @_from_parts
    def rate(self, span: Span, base: Name, _to: Token, quote: Name, _is: Token, value: Expression) -> Rate:
        return Rate(span=span, base=base, quote=quote, value=value)

    @_from_parts
    def entry(self, span: Span, key: Expression | Token, _to: Token, value: Expression) -> Entry:
        return Entry(span=span, key=None if isinstance(key, Token) else key, value=value)

    @_from_parts
    def ensure(self, span: Span, _ensure: Token, condition: Expression, message: Text) -> Ensure:
        return Ensure(span=span, condition=condition, message=message)

    @_from_parts
    def every(self, span: Span, _every: Token, interval: Expression) -> Every:
        return Every(span=span, interval=interval)

    @_from_parts
    def rounding(self, span: Span, mode: Name, _to: Token, step: Expression) -> Rounding:
        return Rounding(span=span, mode=mode, step=step)

    @_from_parts
    def type(self, span: Span, name: Token, *rest: Any) -> TypeName:
        argument = next((part for part in rest if isinstance(part, TypeName)), None)
        return TypeName(span=span, name=str(name), argument=argument, optional=bool(rest) and rest[-1] == "?")

    # --- expressions

    @_from_parts
    def conditional(
        self,
        span: Span,
        _if: Token,
        condition: Expression,
        _then: Token,
        then: Expression,
        _else: Token,
        other: Expression,
    ) -> If:
        return If(span=span, condition=condition, then=then, otherwise=other)

    @_from_parts
    def logical(self, span: Span, *parts: Any) -> Logical:
        connective = cast(Literal["and", "or"], str(parts[1]))
        return Logical(span=span, connective=connective, operands=parts[::2])

    @_from_parts
    def negated(self, span: Span, _not: Token, operand: Expression) -> Not:
        return Not(span=span, operand=operand)

    @_from_parts
    def compare(self, span: Span, *parts: Any) -> Compare:
        operator = cast(CompareOperator, " ".join(parts[1:-1]))
        return Compare(span=span, operator=operator, left=parts[0], right=parts[-1])

    @_from_parts
    def presence(self, span: Span, operand: Expression, _is: Token, word: Token) -> Presence:
        return Presence(span=span, operand=operand, present=word == "present")

    @_from_parts
    def between(self, span: Span, low: Expression, _to: Token, high: Expression) -> Range:
        return Range(span=span, low=low, high=high)

    @_from_parts
    def binary(self, span: Span, left: Expression, operator: Token, right: Expression) -> Binary:
        depth, below = 1, left
        while type(below) is Binary:
            depth, below = depth + 1, below.left
        if depth > DEEPEST:
            # Said as soon as it is known: a chain as long as the file need not be read to its end.
            raise Refused(too_deep_here(span))
        return Binary(
            span=span, operator=cast(Literal["+", "-", "*", "/", "??"], str(operator)), left=left, right=right
        )

    @_from_parts
    def unary(self, span: Span, operator: Token, operand: Expression) -> Unary:
        return Unary(span=span, operator=cast(Literal["+", "-", "*"], str(operator)), operand=operand)

    @_from_parts
    def call(self, span: Span, function: Name, _open: Token, *rest: Any) -> Call:
        return Call(span=span, function=function, arguments=rest[:-1:2])

    @_from_parts
    def list_of(self, span: Span, _open: Token, *rest: Any) -> ListOf:
        return ListOf(span=span, items=rest[:-1:2])

    @_from_parts
    def group(self, span: Span, _open: Token, node: Expression, _close: Token) -> Group:
        return Group(node, span)

    @_from_parts
    def ladder(self, span: Span, _ladder: Token, *rest: Any) -> Ladder:
        subject = None if isinstance(rest[0], Token) else rest[0]
        return Ladder(span=span, subject=subject, rungs=rest[1:-1] if subject is None else rest[2:-1])

    @_from_parts
    def rung(self, span: Span, word: Token, *rest: Any) -> Rung:
        return Rung(
            span=span, kind=cast(RungKind, str(word)), bound=rest[0] if len(rest) == 3 else None, value=rest[-1]
        )

    @_from_parts
    def lookup(self, span: Span, _lookup: Token, subject: Expression, _open: Token, *rest: Any) -> Lookup:
        return Lookup(span=span, subject=subject, cases=cast(tuple[Case, ...], rest[:-1]))

    @_from_parts
    def case(self, span: Span, key: Expression | Token, _to: Token, value: Expression) -> Case:
        return Case(span=span, key=None if isinstance(key, Token) else key, value=value)

    # --- literals and names

    @_from_parts
    def number(self, span: Span, token: Token) -> Number:
        return Number(span=span, value=_number(span, token))

    @_from_parts
    def percent(self, span: Span, token: Token) -> Percent:
        return Percent(span=span, value=_number(span, token[:-1]))

    @_from_parts
    def quantity(self, span: Span, token: Token) -> Quantity:
        [(digits, unit)] = _NUMERAL.findall(token)
        return Quantity(span=span, value=_number(span, digits), unit=unit)

    @_from_parts
    def date(self, span: Span, token: Token) -> Date:
        year, month, day = (int(part) for part in token.split("-"))
        padded = f"{year:04}-{month:02}-{day:02}"
        try:
            value = datetime.date(year, month, day)
        except ValueError:
            help = "a date is year-month-day: `2026-11-27`; put spaces around `-` where a difference is meant"
            raise Refused(Diagnostic("M008", "error", f"there is no day `{token}`", span, help)) from None
        if token != padded:
            help = f"write `{padded}`; put spaces around `-` where a difference is meant"
            raise Refused(
                Diagnostic("M008", "error", f"a date has two digits for month and day: `{token}`", span, help)
            )
        return Date(span=span, value=value)

    @_from_parts
    def flag(self, span: Span, token: Token) -> Flag:
        return Flag(span=span, value=token in ("yes", "on"), word=str(token))

    @_from_parts
    def text(self, span: Span, token: Token) -> Text:
        content = token[1:-1]
        _refuse_tab(span, content, "text")
        return Text(span=span, value=_ESCAPE.sub(r"\1", content) if "\\" in content else content)

    @_from_parts
    def word(self, span: Span, token: Token) -> Name:
        return Name(span=span, name=str(token))

    @_from_parts
    def quoted(self, span: Span, token: Token) -> Name:
        content = token[1:-1]
        _refuse_tab(span, content, "name")
        return Name(span=span, name=content, quoted=True)


def missing_methods(rules: Sequence[Any]) -> list[str]:
    """The rules and aliases of a grammar that no builder method is for, which Lark would make trees of."""
    found = set()
    for rule in rules:
        passes_through = rule.options.expand1 and len(rule.expansion) == 1
        name = rule.alias or str(rule.origin.name)
        if not name.startswith("_") and (rule.alias or not passes_through) and not hasattr(Builder, name):
            found.add(name)
    return sorted(found)
