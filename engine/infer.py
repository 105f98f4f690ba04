"""An expression's syntax comes in; a typed expression goes out, and what is wrong with it into the scope's problems.

An expression that cannot be typed comes out as `UNKNOWN`, which goes with everything, so that one mistake is told once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import assert_never

from merx.engine import syntax
from merx.engine.calls import infer_call
from merx.engine.diagnostic import Note, did_you_mean
from merx.engine.expression import (
    And,
    Attribute,
    Between,
    Branch,
    Choose,
    Coalesce,
    Compare,
    Constant,
    Demand,
    Expression,
    Has,
    If,
    IsMissing,
    Let,
    ListOf,
    Local,
    Matches,
    Negate,
    Not,
    OneOf,
    Or,
    Present,
    TextTest,
    Today,
)
from merx.engine.interpret import regex_problem
from merx.engine.ladder import RungTest, check_rungs
from merx.engine.operators import arithmetic, common_type, comparable, present
from merx.engine.scope import Scope, facts_where
from merx.engine.source import Span
from merx.engine.standard import standard_type
from merx.engine.types import DATE, DURATION, FLAG, NUMBER, PERCENT, SIZE, TEXT, UNKNOWN, Type
from merx.engine.units import UNITS

Infer = Callable[[syntax.Expression, Scope], Expression]


def unknown(span: Span) -> Expression:
    """What stands for an expression that could not be typed; a ruleset with errors is never run."""
    return Constant(type=UNKNOWN, value=None, span=span)


def infer(node: syntax.Expression, scope: Scope) -> Expression:
    """The typed expression of `node`."""
    return _infer(node, scope)


def infer_flag(node: syntax.Expression, scope: Scope, what: str) -> Expression:
    """A condition: a flag that is present. what: `the condition of ensure`, for the message."""
    found = present(infer(node, scope), scope)
    if found.type.kind not in {"flag", "unknown"}:
        scope.error("M110", f"{what} is a {found.type.kind}, not yes or no", node.span, "compare it with something")
    return found


@functools.singledispatch
def _infer(node: syntax.Expression, scope: Scope) -> Expression:
    raise NotImplementedError(type(node).__name__)


@_infer.register
def _(node: syntax.Number, scope: Scope) -> Expression:
    return Constant(type=replace(NUMBER, literal=True), value=node.value, span=node.span)


@_infer.register
def _(node: syntax.Percent, scope: Scope) -> Expression:
    return Constant(type=replace(PERCENT, literal=True), value=node.value.scaleb(-2), span=node.span)


@_infer.register
def _(node: syntax.Quantity, scope: Scope) -> Expression:
    if node.unit not in UNITS:
        help = did_you_mean(node.unit, UNITS) or f"the units are {', '.join(UNITS)}"
        scope.error("M108", f"unknown unit `{node.unit}`", node.span, help)
        return unknown(node.span)
    kind, factor = UNITS[node.unit]
    return Constant(type=DURATION if kind == "duration" else SIZE, value=node.value * factor, span=node.span)


@_infer.register
def _(node: syntax.Text, scope: Scope) -> Expression:
    return Constant(type=TEXT, value=node.value, span=node.span)


@_infer.register
def _(node: syntax.Flag, scope: Scope) -> Expression:
    return Constant(type=FLAG, value=node.value, span=node.span)


@_infer.register
def _(node: syntax.Date, scope: Scope) -> Expression:
    return Constant(type=DATE, value=node.value, span=node.span)


@_infer.register
def _(node: syntax.Name, scope: Scope) -> Expression:
    if not node.quoted and node.name in scope.names:
        return _narrowed(Local(type=scope.names[node.name], name=node.name, span=node.span), scope)
    schema = scope.schema
    if schema is None:
        if node.name == "today" and not node.quoted:
            return Today(type=DATE, span=node.span)
        return Attribute(type=UNKNOWN, name=node.name, span=node.span)
    if node.name in schema.attributes:
        return _narrowed(Attribute(type=schema.attributes[node.name], name=node.name, span=node.span), scope)
    if node.name == "today" and not node.quoted:
        return Today(type=DATE, span=node.span)
    known = [*schema.attributes, *scope.names, "today"]
    where = f"`{schema.title}` has no attribute" if schema.attributes else "there is no name"
    scope.error(
        "M201", f"{where} `{node.name}`", node.span, did_you_mean(node.name, known) or _declare(node.name, scope)
    )
    return unknown(node.span)


def _declare(name: str, scope: Scope) -> str:
    if scope.schema is not None and not scope.schema.attributes:
        return f'give it a value, or put the text in double quotes: `"{name}"`'
    known = standard_type(name, None)
    type_ = known.maybe() if known is not None else "text?"
    return f'declare it in the `catalog` block (`{name}: {type_}`), or write a text in double quotes: `"{name}"`'


def _narrowed(found: Expression, scope: Scope) -> Expression:
    if found.type.optional and found in scope.facts:
        return Present(type=found.type.maybe(False), operand=found, span=found.span)
    return found


@_infer.register
def _(node: syntax.ListOf, scope: Scope) -> Expression:
    items = tuple(present(infer(item, scope), scope) for item in node.items)
    item_type = common_type(items, node.span, scope, "the elements of a list") if items else UNKNOWN
    return ListOf(type=Type("list", item=item_type), items=items, span=node.span)


@_infer.register
def _(node: syntax.Range, scope: Scope) -> Expression:
    scope.error(
        "M111",
        "a range stands only after `in`",
        node.span,
        f"write `x in {node.span.text}`, or `from`/`upto` in a ladder",
    )
    return unknown(node.span)


@_infer.register
def _(node: syntax.Unary, scope: Scope) -> Expression:
    if node.operator == "*":
        scope.error("M112", "nothing stands before `*`", node.span, "only a `change` starts with `*`: `change = * 1.2`")
        return unknown(node.span)
    operand = present(infer(node.operand, scope), scope)
    if not operand.type.numeric and operand.type.kind != "unknown":
        scope.error("M101", f"a sign before a {operand.type.kind}", node.span, "signs go before numbers and amounts")
        return unknown(node.span)
    if node.operator == "+":
        return replace(operand, span=node.span)
    if isinstance(operand, Constant) and isinstance(operand.value, Decimal):
        return replace(operand, value=-operand.value, span=node.span)
    return Negate(type=operand.type, operand=operand, span=node.span)


@_infer.register
def _(node: syntax.Binary, scope: Scope) -> Expression:
    if node.operator == "??":
        return _coalesce(node, scope)
    return arithmetic(node.operator, infer(node.left, scope), infer(node.right, scope), node.span, scope)


def _coalesce(node: syntax.Binary, scope: Scope) -> Expression:
    left, right = infer(node.left, scope), infer(node.right, scope)
    if left.type.kind == "list":
        scope.warn("M113", f"`{node.left.span.text}` is never missing: a missing list is an empty one", node.left.span)
    elif not left.type.optional and left.type.kind != "unknown":
        scope.warn(
            "M113",
            f"`{node.left.span.text}` is never missing here",
            node.left.span,
            "what stands after `??` is never used",
        )
    if (
        isinstance(node.right, syntax.Binary)
        and node.right.operator in {"+", "-", "*", "/"}
        and not _bracketed(node.right)
    ):
        a, b = node.left.span.text, node.right.span.text
        scope.warn(
            "M114",
            f"`{b}` is computed only where `{a}` is missing",
            node.span,
            f"if that is meant, write `{a} ?? ({b})`; else `({a} ?? {node.right.left.span.text}) {node.right.operator} …`",
        )
    type_ = common_type((left, right), node.span, scope, "the two sides of `??`").maybe(right.type.optional)
    parts = left.operands if isinstance(left, Coalesce) else (left,)
    return Coalesce(type=type_, operands=(*parts, right), span=node.span)


def _bracketed(node: syntax.Expression) -> bool:
    """Whether the author put brackets around the node (which the tree does not keep)."""
    text, before, after = node.span.source.text, node.span.start - 1, node.span.end
    while before >= 0 and text[before].isspace():
        before -= 1
    while after < len(text) and text[after].isspace():
        after += 1
    return before >= 0 and after < len(text) and text[before] == "(" and text[after] == ")"


@_infer.register
def _(node: syntax.Compare, scope: Scope) -> Expression:
    match node.operator:
        case "==" | "!=" | "<" | "<=" | ">" | ">=":
            return _order(node, scope)
        case "in" | "not in":
            found = _membership(node, scope)
            return Not(operand=found, span=node.span) if node.operator == "not in" else found
        case "has" | "has any" | "has all":
            return _has(node, scope)
        case "contains" | "starts with" | "ends with" | "matches":
            return _text_test(node, scope)
        case _:
            assert_never(node.operator)


def _order(node: syntax.Compare, scope: Scope) -> Expression:
    left, right = infer(node.left, scope), infer(node.right, scope)
    ordering = node.operator not in {"==", "!="}
    if ordering:
        left, right = present(left, scope), present(right, scope)
    comparable(left, right, node.span, scope, ordering=ordering)
    return Compare(operator=node.operator, left=left, right=right, span=node.span)  # type: ignore[arg-type]


def _membership(node: syntax.Compare, scope: Scope) -> Expression:
    left = infer(node.left, scope)
    if isinstance(node.right, syntax.ListOf):
        options = tuple(infer(item, scope) for item in node.right.items)
        for option in options:
            comparable(left, option, option.span or node.span, scope)
        return OneOf(operand=left, options=options, span=node.span)
    if isinstance(node.right, syntax.Range):
        low = present(infer(node.right.low, scope), scope)
        high = present(infer(node.right.high, scope), scope)
        for end in (low, high):
            comparable(left, end, node.span, scope, ordering=True)
        if isinstance(low, Constant) and isinstance(high, Constant) and _empty_range(low, high):
            scope.error("M115", "the range is empty", node.right.span, "write the smaller end first")
        return Between(operand=left, low=low, high=high, span=node.span)
    listed = infer(node.right, scope)
    return _in_list(listed, (left,), True, node, scope)


def _empty_range(low: Constant, high: Constant) -> bool:
    if isinstance(low.value, Decimal) and isinstance(high.value, Decimal):
        return low.value > high.value
    return low.type.kind == high.type.kind == "date" and low.value > high.value  # type: ignore[operator]


def _has(node: syntax.Compare, scope: Scope) -> Expression:
    listed = infer(node.left, scope)
    if node.operator == "has":
        if isinstance(node.right, syntax.ListOf):
            scope.error("M116", "`has` takes one element", node.right.span, "write `has any [..]` or `has all [..]`")
            return unknown(node.span)
        return _in_list(listed, (infer(node.right, scope),), True, node, scope)
    if not isinstance(node.right, syntax.ListOf):
        scope.error("M116", f"`{node.operator}` takes a list", node.right.span, f"write `{node.operator} [..]`")
        return unknown(node.span)
    items = tuple(infer(item, scope) for item in node.right.items)
    return _in_list(listed, items, node.operator == "has all", node, scope)


def _in_list(
    listed: Expression, items: tuple[Expression, ...], every: bool, node: syntax.Compare, scope: Scope
) -> Expression:
    if listed.type.kind not in {"list", "unknown"}:
        name = (node.right if node.operator in {"in", "not in"} else node.left).span
        text = name.text
        help = f"for a text write `{text} contains …`, for one value `{text} == …`"
        scope.error("M116", f"`{text}` is a {listed.type.kind}, not a list", name, help)
    elif listed.type.item is not None:
        for item in items:
            element = Constant(type=listed.type.item, value=None, span=listed.span)
            comparable(element, item, item.span or node.span, scope)
    return Has(operand=listed, items=items, every=every, span=node.span)


def _text_test(node: syntax.Compare, scope: Scope) -> Expression:
    left, right = present(infer(node.left, scope), scope), present(infer(node.right, scope), scope)
    for side, written in ((left, node.left), (right, node.right)):
        if side.type.kind not in {"text", "unknown"}:
            help = "write `has` to look into a list" if side.type.kind == "list" else "text tests are for texts"
            scope.error("M117", f"`{written.span.text}` is a {side.type.kind}, not a text", written.span, help)
            return unknown(node.span)
    if node.operator != "matches":
        return TextTest(operator=node.operator, left=left, right=right, span=node.span)  # type: ignore[arg-type]
    if not isinstance(right, Constant) or not isinstance(right.value, str):
        scope.error("M118", "the pattern of `matches` is a text literal", node.right.span, 'write `matches "^[A-Z]+$"`')
        return unknown(node.span)
    if trouble := regex_problem(right.value):
        scope.error(
            "M118", f"not a regular expression: {trouble}", node.right.span, "a backslash is written twice: `\\\\d`"
        )
        return unknown(node.span)
    return Matches(operand=left, pattern=right.value, span=node.span)


@_infer.register
def _(node: syntax.Presence, scope: Scope) -> Expression:
    operand = infer(node.operand, scope)
    if not operand.type.optional and operand.type.kind != "unknown":
        text = node.operand.span.text
        help = f"a missing list is an empty one: `length({text}) == 0`" if operand.type.kind == "list" else None
        scope.warn("M113", f"`{text}` is never missing here", node.span, help)
    missing = IsMissing(operand=operand, span=node.span)
    return Not(operand=missing, span=node.span) if node.present else missing


@_infer.register
def _(node: syntax.Logical, scope: Scope) -> Expression:
    operands: list[Expression] = []
    for part in node.operands:
        found = infer_flag(part, scope, f"a side of `{node.connective}`")
        operands.append(found)
        # What stands after it is evaluated only where it came out true (and) or false (or).
        scope = scope.knowing(facts_where(found, node.connective == "and"))
    chain = And if node.connective == "and" else Or
    return chain(operands=tuple(operands), span=node.span)


@_infer.register
def _(node: syntax.Not, scope: Scope) -> Expression:
    return Not(operand=infer_flag(node.operand, scope, "what `not` stands before"), span=node.span)


@_infer.register
def _(node: syntax.If, scope: Scope) -> Expression:
    return infer_if(node, scope, infer)


@_infer.register
def _(node: syntax.Ladder, scope: Scope) -> Expression:
    return infer_ladder(node, scope, infer)


@_infer.register
def _(node: syntax.Lookup, scope: Scope) -> Expression:
    return infer_lookup(node, scope, infer)


@_infer.register
def _(node: syntax.Call, scope: Scope) -> Expression:
    return infer_call(node, scope, infer)


@_infer.register
def _(node: syntax.Every, scope: Scope) -> Expression:
    scope.error("M119", "`every` is only for the schedule of a synchronization", node.span)
    return unknown(node.span)


@_infer.register
def _(node: syntax.Rounding, scope: Scope) -> Expression:
    scope.error(
        "M119", "a rounding is only for a `round` setting", node.span, "in an expression write `round(x, 0.05)`"
    )
    return unknown(node.span)


def infer_if(node: syntax.If, scope: Scope, value: Infer) -> Expression:
    """value: how the branches are typed (expressions, or the changes of a `change` setting)."""
    condition = infer_flag(node.condition, scope, "the condition of `if`")
    then = value(node.then, scope.knowing(facts_where(condition, True)))
    otherwise = value(node.otherwise, scope.knowing(facts_where(condition, False)))
    type_ = common_type((then, otherwise), node.span, scope, "the two branches of `if`")
    type_ = type_.maybe(then.type.optional or otherwise.type.optional)
    return If(type=type_, condition=condition, then=then, otherwise=otherwise, span=node.span)


def _subject(node: syntax.Expression, scope: Scope, demand: bool) -> tuple[Expression, Expression | None]:
    """What the conditions compare, and the expression to bind it to where it is worth computing once."""
    found = infer(node, scope)
    if demand and found.type.optional:
        message = f"`{node.span.text}` is missing"
        found = Demand(type=found.type.maybe(False), operand=found, message=message, span=node.span)
    if isinstance(found, Attribute | Local | Present):
        return found, None
    # Named by its depth, so that a ladder within a ladder keeps its own.
    name = f"subject{sum(1 for known in scope.names if known.startswith('subject'))}"
    return Local(type=found.type, name=name, span=node.span), found


def _bound_to(subject: Expression, value: Expression | None, chosen: Choose) -> Expression:
    if value is None or not isinstance(subject, Local):
        return chosen
    return Let(type=chosen.type, name=subject.name, value=value, body=chosen, span=chosen.span)


def _inside(subject: Expression, value: Expression | None, scope: Scope) -> Scope:
    if value is None or not isinstance(subject, Local):
        return scope
    return scope.naming({**scope.names, subject.name: subject.type})


_RUNG_OPERATORS = {"above": ">", "from": ">=", "below": "<", "upto": "<=", "exactly": "=="}


def infer_ladder(node: syntax.Ladder, scope: Scope, value: Infer) -> Expression:
    """A `Choose` over the subject; see `infer_if` for value."""
    subject, bound = (None, None) if node.subject is None else _subject(node.subject, scope, demand=True)
    if subject is not None and not (subject.type.numeric or subject.type.kind in {"date", "unknown"}):
        scope.error(
            "M401", f"a ladder climbs numbers, and this is a {subject.type.kind}", subject.span or node.span,
            "write `lookup` for texts",
        )  # fmt: skip
        subject = replace(subject, type=UNKNOWN)
    if subject is not None:
        scope = _inside(subject, bound, scope)
    branches: list[Branch] = []
    tests: list[RungTest] = []
    otherwise: Expression | None = None
    below = scope
    for rung in node.rungs:
        if rung.kind == "else":
            otherwise = value(rung.value, below)
            tests.append(RungTest(rung, None))
            continue
        condition = _rung_condition(rung, subject, below)
        tests.append(RungTest(rung, condition))
        branches.append(
            Branch(condition=condition, value=value(rung.value, below.knowing(facts_where(condition, True))))
        )
        below = below.knowing(facts_where(condition, False))
    check_rungs(node, tests, scope)
    message = f"no rung takes `{node.subject.span.text}`" if node.subject is not None else "no rung of the ladder holds"
    return _bound_to(subject or unknown(node.span), bound, _choose(branches, otherwise, message, node.span, scope))


def _rung_condition(rung: syntax.Rung, subject: Expression | None, scope: Scope) -> Expression:
    assert rung.bound is not None
    if rung.kind == "when":
        return infer_flag(rung.bound, scope, "the condition of `when`")
    limit = present(infer(rung.bound, scope), scope)
    if subject is None:
        scope.error(
            "M402",
            f"`{rung.kind}` needs something to compare",
            rung.span,
            "name it after `ladder`: `ladder price { … }`",
        )
        return unknown(rung.span)
    comparable(subject, limit, rung.bound.span, scope, ordering=True)
    operator = _RUNG_OPERATORS[rung.kind]
    return Compare(operator=operator, left=subject, right=limit, span=rung.span)  # type: ignore[arg-type]


def infer_lookup(node: syntax.Lookup, scope: Scope, value: Infer) -> Expression:
    """A `Choose` by equality; a missing subject equals no key and so takes `else`."""
    subject, bound = _subject(node.subject, scope, demand=False)
    scope = _inside(subject, bound, scope)
    branches: list[Branch] = []
    otherwise: Expression | None = None
    rest: syntax.Case | None = None
    seen: dict[object, syntax.Expression] = {}
    for case in node.cases:
        if case.key is None:
            if rest is not None:
                scope.error("M405", "`else` stands twice", case.span, "remove one of the two",
                            Note("the first is here", rest.span))  # fmt: skip
            otherwise, rest = value(case.value, scope), case
            continue
        key = infer(case.key, scope)
        comparable(subject, key, case.key.span, scope)
        if not isinstance(key, Constant):
            if key.type.kind != "unknown":
                help = f'write a text in double quotes: `"{case.key.span.text}"`'
                scope.error("M403", "a key of `lookup` is a literal", case.key.span, help)
        elif key.value in seen:
            _told_twice(case.key, seen[key.value], scope)
        else:
            seen[key.value] = case.key
        condition = Compare(operator="==", left=subject, right=key, span=case.span)
        branches.append(
            Branch(condition=condition, value=value(case.value, scope.knowing(facts_where(condition, True))))
        )
    complete = subject.type.kind == "flag" and not subject.type.optional and {True, False} <= set(seen)
    if otherwise is None and not complete:
        scope.warn(
            "M404", "values that are not listed reach no entry, and are held", node.span, "add `else -> …` for the rest"
        )
    message = f"no entry takes `{node.subject.span.text}`"
    return _bound_to(subject, bound, _choose(branches, otherwise, message, node.span, scope))


def _told_twice(key: syntax.Expression, first: syntax.Expression, scope: Scope) -> None:
    scope.error(
        "M405",
        f"`{key.span.text}` is mapped twice",
        key.span,
        "remove one of the two",
        Note("the first is here", first.span),
    )


def _choose(branches: list[Branch], otherwise: Expression | None, message: str, span: Span, scope: Scope) -> Choose:
    values = [branch.value for branch in branches] + ([otherwise] if otherwise is not None else [])
    type_ = common_type(tuple(values), span, scope, "the values") if values else UNKNOWN
    type_ = type_.maybe(any(value.type.optional for value in values))
    return Choose(type=type_, branches=tuple(branches), otherwise=otherwise, message=message, span=span)
