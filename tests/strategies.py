"""Well-typed expressions and programs, and snapshots to run them over, for property tests.

`Writer` writes over any `Chooser`, so that the same writer serves hypothesis (which shrinks what it chose) and a plain
`random.Random` (which is fast). Whatever it writes, the checker could have written: an operand that may be missing
stands only where the language takes one, or behind a guard.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Protocol, TypeVar

import polars as pl
from hypothesis import strategies as st

from merx.engine.expression import (
    And,
    Arithmetic,
    Attribute,
    Between,
    Branch,
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
    children,
)
from merx.engine.functions import FUNCTIONS
from merx.engine.hooks import Function, Signature
from merx.engine.source import Source, Span
from merx.engine.types import DATE, DURATION, FLAG, NUMBER, PERCENT, TEXT, TEXTS, Type, Value
from snapshots import ABSENT, COLUMNS, DATES, DAYS, EUR, FLAGS, NUMBERS, TEXTS_TO_SHOW, snapshot

RULES = Source("rules/generated.merx", "x\n" * 40)

Item = TypeVar("Item")


class Chooser(Protocol):
    """Where choices come from. Smaller and earlier is simpler."""

    def below(self, count: int) -> int:
        """A whole number from 0 to count - 1."""


class Drawn:
    """Choices that hypothesis drew as bytes: drawing each of them by itself takes longer and varies less. Bytes shrink
    towards zero, and after the last one every choice is the simplest."""

    def __init__(self, choices: bytes) -> None:
        self._choices = iter(choices)

    def below(self, count: int) -> int:
        if count <= 1:
            return 0
        first, second = next(self._choices, 0), next(self._choices, 0)
        return (first * 256 + second) % count


class Rolled:
    """Choices of a seeded random number generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        return self._random.randrange(count)


# --- functions of a plugin: no columns of their own, so each distinct argument is given to the definition


def _initials(text: str) -> Value:
    return "".join(word[0] for word in text.split())


def _digits_of(text: str) -> Value:
    digits = "".join(char for char in text if char in "0123456789")
    return Decimal(digits) if digits else None


def _thrice(number: Decimal) -> Value:
    return number * 3 if number < 10**9 and number > -(10**9) else Decimal(10) ** 40


PLUGIN_FUNCTIONS = (
    Function("initials", Signature((TEXT,), lambda _: TEXT), "First letters.", _initials),
    Function("digits_of", Signature((TEXT,), lambda _: NUMBER.maybe()), "The digits as a number.", _digits_of),
    Function("thrice", Signature((NUMBER,), lambda types: types[0]), "Overflows for large numbers.", _thrice),
)


# --- what is written into rules

PATTERNS = (
    "a", "^a", "b$", "(?i)tote", r"^\s", r"\d+", "[a-c]{2,}", r"^\p{Lu}", "^$", ".", "a|b", r"\bbag\b", "(?s)a.b",
    "ß", "x*", "^(red|blue)$",
)  # fmt: skip
NUMBERS_TO_WRITE = (
    "0", "1", "2", "-1", "10", "5", "20", "100", "0.5", "0.05", "0.99", "1.1", "1.10", "0.9137", "1.15", "-0.01",
    "2.50", "12.345", "3", "7",
    "1000", "99999", "0.001", "1E+3", "0.000000000001", "0.0000000000005", "123456789012", "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808", "99999999999999999999999999999999999999", "0.00000000000000000000000000000000000001",
    "1234567890123456789.0987654321098765432", "170141183460469231731687303715884105727",
)  # fmt: skip
_PLAIN = 25
"""How many of the numbers come from everyday rules; the others are there to overflow."""
_WRITABLE = tuple(one for one in NUMBERS_TO_WRITE if len(one.lstrip("-0.").replace(".", "")) <= 38)
STEPS_TO_WRITE = tuple(
    "1 0.1 0.05 10 0.01 1 0.5 5 0.1 0.25 10 0.99 7 0.001 0.0000001 100000000000000000000 0.00 -1".split()
)


# --- expressions


@dataclass(frozen=True)
class Scope:
    """What may be read at one place. locals: name → type. present: optional expressions a guard has proved present."""

    locals: Mapping[str, Type] = field(default_factory=dict)
    present: tuple[Expression, ...] = ()
    depth: int = 0

    def deeper(self) -> Scope:
        return replace(self, depth=self.depth + 1)


_MODES = ("half_up", "half_even", "up", "down", "ceiling", "floor")
_ORDERS = ("<", "<=", ">", ">=")
_NUMERIC = (NUMBER, EUR, PERCENT, DURATION)


class Writer:
    """Writes expressions of a wanted type. depth: how deep they may nest. wide: whether numbers near the bound of 38
    digits are written and read, and so faults of overflow are common."""

    def __init__(self, chooser: Chooser, *, depth: int = 5, wide: bool = False) -> None:
        self._chooser = chooser
        self._depth = depth
        self._wide = wide
        self._lets = 0

    # choices

    def pick(self, items: Sequence[Item]) -> Item:
        return items[self._chooser.below(len(items))]

    def chance(self, percent: int) -> bool:
        """Yes so many times in a hundred; no is simpler."""
        return self._chooser.below(100) >= 100 - percent

    def span(self) -> Span | None:
        line = self._chooser.below(60)
        return Span(RULES, 2 * line, 2 * line + 1) if line < 40 else None

    # programs

    def program(self) -> Program:
        steps: list[Step] = []
        scope = Scope()
        for index in range(1 + self._chooser.below(3)):
            type_ = self._any_type()
            value = self.expression(type_, scope)
            name = f"step{index}"
            steps.append(Step(name=name, value=value, label=name, span=self.span()))
            scope = replace(scope, locals={**scope.locals, name: type_})
        # What no outcome shows, no difference shows in.
        outcomes: list[tuple[str, Expression]] = [
            (step.name, Local(type=step.value.type, name=step.name)) for step in steps
        ]
        outcomes.append(("more", self.expression(self._any_type(), replace(scope, depth=max(0, self._depth - 2)))))
        return Program(outcome="price", steps=tuple(steps), outcomes=tuple(outcomes))

    def _any_type(self) -> Type:
        type_ = self.pick(
            (NUMBER, EUR, FLAG, NUMBER, EUR, TEXT, FLAG, TEXTS, PERCENT, DATE, NUMBERS, DURATION, DATES, FLAGS)
        )
        return type_.maybe() if self.chance(25) else type_

    # every type

    def expression(self, type_: Type, scope: Scope) -> Expression:
        """An expression of the type, missing only where the type is optional."""
        if type_.optional:
            return self._optional(type_, scope)
        if scope.depth >= self._depth or not self.chance(85):
            return self._leaf(type_, scope)
        inner = scope.deeper()
        if self.chance(15 if type_.kind == "flag" else 35):
            return self.pick(_GENERAL)(self, type_, inner)
        special = _SPECIAL.get(type_.kind)
        if type_.numeric:
            return self.pick(_NUMERIC_FORMS + (_NUMBER_FORMS if type_ == NUMBER else ()))(self, type_, inner)
        return self._leaf(type_, scope) if special is None else self.pick(special)(self, type_, inner)

    def constant(self, type_: Type) -> Expression:
        return Constant(type=replace(type_, literal=type_ == NUMBER), value=self._value(type_), span=self.span())

    def _value(self, type_: Type) -> Value:
        match type_.kind:
            case "text":
                return self.pick(TEXTS_TO_SHOW)
            case "flag":
                return bool(self._chooser.below(2))
            case "date":
                return self.pick(DAYS)
            case "percent":
                return Decimal(self.pick(("0.1", "0.15", "1.15", "0", "-0.05", "0.0725")))
            case _:
                return Decimal(self.pick(_WRITABLE if self._wide else _WRITABLE[:_PLAIN]))

    def _leaf(self, type_: Type, scope: Scope) -> Expression:
        found = [one for one in self._readable(type_) if not one.type.optional]
        found += [Local(type=of, name=name) for name, of in scope.locals.items() if of == type_]
        found += [Present(type=type_, operand=one) for one in scope.present if one.type.maybe(False) == type_]
        if type_ == DATE:
            found.append(Today(type=DATE))
        if type_.kind == "list":
            return self._placed(self.pick(found)) if found and self.chance(80) else self._list(type_, scope)
        if not found or self.chance(40):
            return self.constant(type_)
        return self._placed(self.pick(found))

    def _readable(self, type_: Type) -> list[Expression]:
        wide = {"edge", "huge", "fine", "mixed", "unsigned", "widest"}
        every = [Attribute(type=one.type, name=one.name) for one in COLUMNS if self._wide or one.name not in wide]
        every += [one for one in ABSENT if one.type.optional or one.type.kind == "list"]
        return [one for one in every if one.type.maybe(False) == type_.maybe(False)]

    def _placed(self, expression: Expression) -> Expression:
        return replace(expression, span=self.span())

    def _optional(self, type_: Type, scope: Scope) -> Expression:
        present = type_.maybe(False)
        readable: list[Expression] = [one for one in self._readable(type_) if one.type.optional]
        readable += [Local(type=of, name=name) for name, of in scope.locals.items() if of == type_]
        if scope.depth >= self._depth or not self.chance(50):
            if not readable or self.chance(10):
                return Constant(type=type_, value=None, span=self.span())
            return self._placed(self.pick(readable))
        inner = scope.deeper()
        forms: list[Callable[[], Expression]] = [
            lambda: Coalesce(
                type=type_, operands=(self._optional(type_, inner), self._optional(type_, inner)), span=self.span()
            ),
            lambda: self._if(type_, inner),
            lambda: self._choose(type_, inner),
            lambda: self._let(type_, inner),
            lambda: self.expression(present, inner),
        ]
        if present in {TEXT, NUMBER, DATE, FLAG}:
            items = Type("list", item=present)
            forms.append(
                lambda: Call(
                    type=type_,
                    function=FUNCTIONS["first"],
                    arguments=(self.expression(items, inner),),
                    span=self.span(),
                )
            )
        if present == NUMBER:
            digits = PLUGIN_FUNCTIONS[1]
            forms.append(
                lambda: Call(type=type_, function=digits, arguments=(self.expression(TEXT, inner),), span=self.span())
            )
        return self.pick(forms)()

    def _maybe_optional(self, type_: Type, scope: Scope) -> Expression:
        """For operands that take a missing value."""
        return self.expression(type_.maybe() if self.chance(40) else type_, scope)

    # forms of every type

    def _if(self, type_: Type, scope: Scope) -> Expression:
        condition, then, otherwise = self._guarded(scope)
        return If(
            type=type_,
            condition=condition,
            then=self.expression(type_, then),
            otherwise=self.expression(type_, otherwise),
            span=self.span(),
        )

    def _guarded(self, scope: Scope) -> tuple[Expression, Scope, Scope]:
        """A condition, and what is known where it is true and where it is false."""
        if not self.chance(40):
            return self.expression(FLAG, scope), scope, scope
        type_ = self.pick((NUMBER, EUR, TEXT, PERCENT, DATE, FLAG)).maybe()
        guarded = self.pick(
            [one for one in self._readable(type_) if one.type.optional] or [Constant(type=type_, value=None)]
        )
        missing = IsMissing(operand=guarded, span=self.span())
        known = replace(scope, present=(*scope.present, guarded))
        match self._chooser.below(4):
            case 0:
                return Not(operand=missing, span=self.span()), known, scope
            case 1:
                return missing, scope, known
            case 2:
                more = self.expression(FLAG, known.deeper())
                return And(operands=(Not(operand=missing), more), span=self.span()), known, scope
            case _:
                more = self.expression(FLAG, known.deeper())
                return Or(operands=(missing, more), span=self.span()), scope, known

    def _choose(self, type_: Type, scope: Scope) -> Expression:
        branches = []
        for _ in range(1 + self._chooser.below(3)):
            condition, then, scope = self._guarded(scope)
            branches.append(Branch(condition=condition, value=self.expression(type_, then)))
        otherwise = self.expression(type_, scope) if not self.chance(25) else None
        return Choose(
            type=type_, branches=tuple(branches), otherwise=otherwise, message="no rung holds", span=self.span()
        )

    def _let(self, type_: Type, scope: Scope) -> Expression:
        of = self._any_type()
        # Few names, so that one hides another.
        self._lets += 1
        name = ("running", "step0", f"let{self._lets}")[self._chooser.below(3)]
        inner = replace(scope, locals={**scope.locals, name: of})
        # What a guard proved of a local is not true of another local of that name.
        inner = replace(inner, present=tuple(one for one in inner.present if not isinstance(one, Local)))
        value, body = self.expression(of, scope), self.expression(type_, inner)
        return Let(type=type_, name=name, value=value, body=body, span=self.span())

    def _coalesce(self, type_: Type, scope: Scope) -> Expression:
        if type_.kind == "list":
            return self._if(type_, scope)
        some = tuple(self._optional(type_.maybe(), scope) for _ in range(1 + self._chooser.below(2)))
        return Coalesce(type=type_, operands=(*some, self.expression(type_, scope)), span=self.span())

    def _demand(self, type_: Type, scope: Scope) -> Expression:
        if type_.kind == "list":
            return self._require(type_, scope)
        operand = self._optional(type_.maybe(), scope)
        return Demand(type=type_, operand=operand, message="it is missing", span=self.span())

    def _require(self, type_: Type, scope: Scope) -> Expression:
        condition, known, _ = self._guarded(scope)
        body = self.expression(type_, known)
        return Require(type=type_, condition=condition, message="it does not hold", body=body, span=self.span())

    def _fail(self, type_: Type, scope: Scope) -> Expression:
        fail = Fail(type=type_, message="never this", span=self.span())
        return If(
            type=type_, condition=self.expression(FLAG, scope), then=self.expression(type_, scope), otherwise=fail
        )

    def _noted(self, type_: Type, scope: Scope) -> Expression:
        condition, body = self.expression(FLAG, scope), self.expression(type_, scope)
        return Noted(type=type_, condition=condition, message="note this", body=body, span=self.span())

    # numbers

    def _sum(self, type_: Type, scope: Scope) -> Expression:
        left, right = self.expression(type_, scope), self.expression(type_, scope)
        return Arithmetic(type=type_, operator=self.pick(("+", "-")), left=left, right=right, span=self.span())

    def _product(self, type_: Type, scope: Scope) -> Expression:
        left, right = self.expression(type_, scope), self.expression(self.pick((NUMBER, PERCENT)), scope)
        return Arithmetic(type=type_, operator="*", left=left, right=right, span=self.span())

    def _quotient(self, type_: Type, scope: Scope) -> Expression:
        left, right = self.expression(type_, scope), self.expression(NUMBER, scope)
        if type_ == NUMBER and self.chance(40):
            left, right = self.expression(EUR, scope), self.expression(EUR, scope)
        return Arithmetic(type=type_, operator="/", left=left, right=right, span=self.span())

    def _negate(self, type_: Type, scope: Scope) -> Expression:
        return Negate(type=type_, operand=self.expression(type_, scope), span=self.span())

    def _round(self, type_: Type, scope: Scope) -> Expression:
        # A step is above 0 most of the time; what is below is a fault.
        steps = STEPS_TO_WRITE if self.chance(20) else STEPS_TO_WRITE[:13]
        step: Expression = Constant(type=type_, value=Decimal(self.pick(steps)), span=self.span())
        if self.chance(15):
            step = self.expression(type_, scope)
        operand = self._leaf(type_, scope) if self.chance(50) else self.expression(type_, scope)
        return Round(type=type_, operand=operand, step=step, mode=self.pick(_MODES), span=self.span())

    def _extreme(self, type_: Type, scope: Scope) -> Expression:
        arguments = tuple(self.expression(type_, scope) for _ in range(1 + self._chooser.below(3)))
        return Call(type=type_, function=FUNCTIONS[self.pick(("min", "max"))], arguments=arguments, span=self.span())

    def _absolute(self, type_: Type, scope: Scope) -> Expression:
        function = PLUGIN_FUNCTIONS[2] if self.chance(20) else FUNCTIONS["abs"]
        return Call(type=type_, function=function, arguments=(self.expression(type_, scope),), span=self.span())

    def _length(self, type_: Type, scope: Scope) -> Expression:
        of = self.expression(self.pick((TEXT, TEXTS, NUMBERS)), scope)
        return Call(type=NUMBER, function=FUNCTIONS["length"], arguments=(of,), span=self.span())

    def _days_between(self, type_: Type, scope: Scope) -> Expression:
        ends = (self.expression(DATE, scope), self.expression(DATE, scope))
        return Call(type=NUMBER, function=FUNCTIONS["days_between"], arguments=ends, span=self.span())

    # flags

    def _pair(self, of: Type, scope: Scope) -> tuple[Expression, Expression]:
        """Two operands that are often equal."""
        left = self.expression(of, scope)
        if self.chance(30):
            return left, left
        present = of.maybe(False)
        if self.chance(40):
            return self._leaf(present, scope), self.constant(present)
        return left, self.expression(of, scope)

    def _equality(self, type_: Type, scope: Scope) -> Expression:
        of = self.pick((*_NUMERIC, TEXT, TEXT, FLAG, DATE))
        left, right = self._pair(of.maybe() if self.chance(50) else of, scope)
        return Compare(operator=self.pick(("==", "!=")), left=left, right=right, span=self.span())

    def _order(self, type_: Type, scope: Scope) -> Expression:
        left, right = self._pair(self.pick((*_NUMERIC, DATE)), scope)
        return Compare(operator=self.pick(_ORDERS), left=left, right=right, span=self.span())

    def _one_of(self, type_: Type, scope: Scope) -> Expression:
        of = self.pick((*_NUMERIC, TEXT, TEXT, FLAG, DATE))
        options = tuple(self._maybe_optional(of, scope) for _ in range(self._chooser.below(4)))
        return OneOf(operand=self._maybe_optional(of, scope), options=options, span=self.span())

    def _between(self, type_: Type, scope: Scope) -> Expression:
        of = self.pick((*_NUMERIC, DATE))
        low, high = self.expression(of, scope), self.expression(of, scope)
        return Between(operand=self._maybe_optional(of, scope), low=low, high=high, span=self.span())

    def _has(self, type_: Type, scope: Scope) -> Expression:
        of = self.pick((TEXT, TEXT, NUMBER, NUMBER, DATE, FLAG))
        items = tuple(self._maybe_optional(of, scope) for _ in range(self._chooser.below(3)))
        operand = self.expression(Type("list", item=of), scope)
        return Has(operand=operand, items=items, every=self.chance(50), span=self.span())

    def _text_test(self, type_: Type, scope: Scope) -> Expression:
        operator = self.pick(("contains", "starts with", "ends with"))
        left, right = self.expression(TEXT, scope), self.expression(TEXT, scope)
        return TextTest(operator=operator, left=left, right=right, span=self.span())

    def _matches(self, type_: Type, scope: Scope) -> Expression:
        return Matches(operand=self.expression(TEXT, scope), pattern=self.pick(PATTERNS), span=self.span())

    def _is_missing(self, type_: Type, scope: Scope) -> Expression:
        of = self.pick((NUMBER, EUR, TEXT, FLAG, DATE))
        return IsMissing(operand=self.expression(of.maybe(), scope), span=self.span())

    def _has_attribute(self, type_: Type, scope: Scope) -> Expression:
        return HasAttribute(name=self.pick(("price", "color", "tags", "absent_text")), span=self.span())

    def _not(self, type_: Type, scope: Scope) -> Expression:
        return Not(operand=self.expression(FLAG, scope), span=self.span())

    def _connected(self, type_: Type, scope: Scope) -> Expression:
        operands = tuple(self.expression(FLAG, scope) for _ in range(2 + self._chooser.below(2)))
        return self.pick((And, Or))(operands=operands, span=self.span())

    def _guard(self, type_: Type, scope: Scope) -> Expression:
        return self._guarded(scope)[0]

    # texts, dates, lists

    def _folded(self, type_: Type, scope: Scope) -> Expression:
        function = self.pick((FUNCTIONS["lower"], FUNCTIONS["upper"], FUNCTIONS["trim"], PLUGIN_FUNCTIONS[0]))
        return Call(type=TEXT, function=function, arguments=(self.expression(TEXT, scope),), span=self.span())

    def _list(self, type_: Type, scope: Scope) -> Expression:
        item = type_.item or TEXT
        if self.chance(20):
            values = tuple(self._value(item) for _ in range(self._chooser.below(4)))
            return Constant(type=type_, value=values, span=self.span())
        items = tuple(self.expression(item, scope.deeper()) for _ in range(self._chooser.below(4)))
        return ListOf(type=type_, items=items, span=self.span())

    def _taken(self, type_: Type, scope: Scope) -> Expression:
        arguments = (self.expression(type_, scope), self.expression(NUMBER, scope))
        return Call(type=type_, function=FUNCTIONS["take"], arguments=arguments, span=self.span())

    def _distinct(self, type_: Type, scope: Scope) -> Expression:
        return Call(
            type=type_, function=FUNCTIONS["distinct"], arguments=(self.expression(type_, scope),), span=self.span()
        )

    def _join(self, type_: Type, scope: Scope) -> Expression:
        arguments = tuple(self.expression(type_, scope) for _ in range(2 + self._chooser.below(2)))
        return Call(type=type_, function=FUNCTIONS["join"], arguments=arguments, span=self.span())


_Form = Callable[[Writer, Type, Scope], Expression]
_GENERAL: tuple[_Form, ...] = (
    Writer._if, Writer._if, Writer._choose, Writer._choose, Writer._let, Writer._let, Writer._coalesce, Writer._coalesce,
    Writer._coalesce, Writer._noted, Writer._demand, Writer._require, Writer._fail,
)  # fmt: skip
_NUMERIC_FORMS: tuple[_Form, ...] = (
    Writer._sum, Writer._sum, Writer._product, Writer._product, Writer._quotient, Writer._round, Writer._round,
    Writer._negate,
    Writer._extreme, Writer._absolute,
)  # fmt: skip
_NUMBER_FORMS: tuple[_Form, ...] = (Writer._length, Writer._days_between)
_SPECIAL: dict[str, tuple[_Form, ...]] = {
    "flag": (
        Writer._order, Writer._order, Writer._order, Writer._order, Writer._equality, Writer._equality,
        Writer._equality, Writer._one_of, Writer._between, Writer._has, Writer._has, Writer._text_test,
        Writer._text_test, Writer._matches, Writer._is_missing, Writer._has_attribute, Writer._not,
        Writer._connected, Writer._connected, Writer._guard,
    ),
    "text": (Writer._folded,),
    "date": (Writer._extreme,),
    "list": (Writer._list, Writer._taken, Writer._distinct, Writer._join),
}  # fmt: skip


@dataclass(frozen=True)
class Example:
    """One program and the snapshot it runs over. seed: of the snapshot."""

    program: Program
    seed: int

    def __repr__(self) -> str:
        return f"Example of the snapshot {self.seed}"  # whoever finds a difference shows the program

    def frame(self) -> pl.DataFrame:
        return snapshot(self.seed)


def _example(chooser: Chooser, seed: int) -> Example:
    writer = Writer(chooser, depth=1 + chooser.below(5), wide=chooser.below(3) == 2)
    return Example(writer.program(), seed)


def examples() -> st.SearchStrategy[Example]:
    """Hypothesis shrinks the program to a smaller one, and the snapshot to an earlier seed."""
    choices = st.binary(min_size=3000, max_size=3000).map(Drawn)
    return st.builds(_example, choices, st.integers(0, 2**31))


def rolled(seed: int) -> Example:
    """The example of a seed, made without hypothesis."""
    chooser = Rolled(seed)
    return _example(chooser, chooser.below(2**31))


# --- what was written


def parts(expression: Expression) -> Iterable[Expression]:
    """The expression and everything in it."""
    yield expression
    for child in children(expression):
        yield from parts(child)


def shown(part: object) -> str:
    """An expression for people who look for a fault: without types and places."""
    match part:
        case Function():
            return part.name
        case tuple():
            return f"[{', '.join(shown(one) for one in part)}]"
        case Expression() | Branch() | Step():
            named = {
                one.name: getattr(part, one.name) for one in fields(part) if one.name not in {"type", "span", "label"}
            }
            inner = ", ".join(f"{name}={shown(value)}" for name, value in named.items())
            return f"{type(part).__name__}({inner})"
        case Program():
            steps = [f"{step.name} = {shown(step.value)}" for step in part.steps]
            return "\n".join([*steps, *(f"{name}: {shown(value)}" for name, value in part.outcomes)])
    return repr(part)


def tally(program: Program) -> Counter[str]:
    """How often each node, function, operator and rounding mode stands in the program."""
    found: Counter[str] = Counter()
    for value in [*(step.value for step in program.steps), *(value for _, value in program.outcomes)]:
        for part in parts(value):
            found[type(part).__name__] += 1
            match part:
                case Call():
                    found[f"{part.function.name}()"] += 1
                case Round():
                    found[f"round {part.mode}"] += 1
                case Arithmetic() | Compare() | TextTest():
                    found[part.operator] += 1
                case Choose():
                    found["Choose with otherwise" if part.otherwise else "Choose without otherwise"] += 1
                case Has():
                    found["has all" if part.every else "has any"] += 1
    return found


_WHAT_THERE_IS = (
    [one.__name__ for one in Expression.__subclasses__()]
    + [f"{name}()" for name in (*FUNCTIONS, *(one.name for one in PLUGIN_FUNCTIONS))]
    + [f"round {mode}" for mode in _MODES]
    + ["+", "-", "*", "/", "==", "!=", *_ORDERS, "contains", "starts with", "ends with"]
    + ["Choose with otherwise", "Choose without otherwise", "has all", "has any"]
)
EVERYTHING = frozenset(_WHAT_THERE_IS)
"""What `tally` finds in enough programs: every node, every function, every operator, every rounding mode."""
