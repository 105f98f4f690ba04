"""Typed expressions come in; Polars expressions over a bound frame go out: the columnar twin of `interpret`.

Every operand is computed for every row, for that is what columns are good at; what a branch not taken would have faulted
is left out when faults are put together. A fault is a number, null where there is none; `Compiler.reasons` has the texts.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import polars as pl

from merx.engine import fixed, interpret
from merx.engine.columnar_functions import call, fused_gallery
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
    Require,
    Round,
    TextTest,
    Today,
    children,
)
from merx.engine.fault import DIVISION, MISSING, STEP, Fault, reason
from merx.engine.fixed import VARIES, Column
from merx.engine.measure import Bound
from merx.engine.source import Span
from merx.engine.types import Type, Value

FAULT = pl.Int32

_DEEP = 4
"""How deep an expression may grow before it is kept. Most nodes read an operand twice, for its value and for its fault,
so that an expression kept nowhere would double at each level of nesting."""


@dataclass(slots=True)
class Compiler:
    """One compilation against a bound frame.

    frame: the rows to compute, and what of them is computed already. outcome: what reasons start with. window: see
    `Bound.column`. reasons: the text of each fault number.
    """

    bound: Bound
    frame: pl.DataFrame
    today: datetime.date
    outcome: str
    window: int | None = None
    reasons: list[str] = field(default_factory=list)
    locals: dict[str, Column] = field(default_factory=dict)
    around: list[Span | None] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _attributes: dict[str, Column] = field(default_factory=dict)
    _stages: list[list[pl.Expr]] = field(default_factory=list)
    _done: int = 0
    _stored: int = 0
    _deep: int = 0

    def compile(self, expression: Expression) -> Column:
        """The column of the expression. Raises Unfit where its numbers do not fit 128 bits."""
        if (folded := self._folded(expression)) is not None:
            return folded
        self.around.append(expression.span or (self.around[-1] if self.around else None))
        beside, self._deep = self._deep, 0
        try:
            found = _compile(expression, self)
        finally:
            self.around.pop()
        self._deep += _grows(expression)
        if self._deep >= _DEEP:
            found, self._deep = self.kept(found), 0
        self._deep = max(self._deep, beside)
        return found

    def attribute(self, name: str, type_: Type) -> Column:
        """The attribute's column, stored once in its fixed-point form."""
        if name not in self._attributes:
            found = self.bound.column(name, type_, self.window)
            if found is None:
                found = self.value(() if type_.kind == "list" else None, type_)
            self._attributes[name] = self.kept(found) if found.kind == "number" else found
        return self._attributes[name]

    def fault(self, message: str) -> pl.Expr:
        """The number of a fault at the node that is being compiled."""
        text = reason(self.outcome, message, self.around[-1])
        if text not in self._numbers:
            self._numbers[text] = len(self.reasons)
            self.reasons.append(text)
        return pl.lit(self._numbers[text], dtype=FAULT)

    def kept(self, column: Column) -> Column:
        """The column computed once and stored beside the frame's, for what reads it more than once."""
        if column.constant is not VARIES and column.fault is None:
            return column
        level = max(column.level, self._done)
        while len(self._stages) <= level - self._done:
            self._stages.append([])
        stage = self._stages[level - self._done]
        self._stored += 1
        name = f"#{self._stored}"
        stage.append(column.expr.alias(name))
        fault = None
        if column.fault is not None:
            stage.append(column.fault.alias(f"{name}!"))
            fault = pl.col(f"{name}!")
        return replace(column, expr=pl.col(name), fault=fault, level=level + 1)

    def looked_at(self, column: Column) -> Column:
        """A kept column with what its values tell that its expression did not: that none is missing, or that all are."""
        if not column.optional or column.constant is not VARIES:
            return column
        self.frame = self.compute([])
        nulls = self.frame.select(column.expr.alias("value")).to_series().null_count()
        if nulls == 0:
            return replace(column, optional=False)
        if nulls == self.frame.height and column.fault is None:
            return replace(column, constant=None)
        return column

    def compute(self, wanted: Sequence[pl.Expr]) -> pl.DataFrame:
        """What is wanted of the frame, or where nothing is, the frame with all that is kept."""
        query = self.frame.lazy()
        for stage in self._stages:
            query = query.with_columns(stage)
        if wanted:
            return query.select(wanted).collect()
        self._done += len(self._stages)
        self._stages = []
        return query.collect()

    def _folded(self, expression: Expression) -> Column | None:
        """The column of an expression that reads nothing."""
        if isinstance(expression, Constant):
            return self.value(expression.value, expression.type)
        if not _is_constant(expression):
            return None
        try:
            return self.value(interpret.evaluate(expression, {}, today=self.today), expression.type)
        except Fault as fault:
            self.around.append(fault.span or (self.around[-1] if self.around else None))
            number = self.fault(fault.message)
            self.around.pop()
            return replace(self.value(None, expression.type), fault=number)

    def value(self, value: Value, type_: Type) -> Column:
        """The same value in every row."""
        kind = "number" if type_.numeric else type_.kind
        if value is None:
            model = Column(pl.lit(None), kind, optional=True, constant=None, item=item_kind(type_))
            return replace(model, expr=pl.lit(None, dtype=model.dtype))
        match value:
            case bool():
                return flag(pl.lit(value), constant=value)
            case Decimal():
                return fixed.constant(value)
            case str():
                return Column(pl.lit(value, dtype=pl.String), "text", constant=value)
            case datetime.date():
                return Column(pl.lit(value, dtype=pl.Date), "date", constant=value)
        items = [self.value(item, type_.item or type_) for item in value]
        return list_of(items, type_)


def _grows(expression: Expression) -> int:
    """How many levels of nesting the node counts for: rounding reads its operand many times over."""
    match expression:
        case Attribute() | Local():
            return 0
        case Arithmetic(operator="/"):
            return _DEEP
        case Round():
            return 2
        case _:
            return 1


def _is_constant(expression: Expression) -> bool:
    if isinstance(expression, Attribute | HasAttribute | Local):
        return False
    return all(_is_constant(operand) for operand in children(expression))


def flag(expr: pl.Expr, **rest: Any) -> Column:
    return Column(expr, "flag", **rest)


def first_fault(*faults: pl.Expr | None) -> pl.Expr | None:
    """The first of several faults in the order of evaluation."""
    some = [one for one in faults if one is not None]
    return None if not some else some[0] if len(some) == 1 else pl.coalesce(some)


def _nobody() -> pl.Expr:
    return pl.lit(None, dtype=FAULT)


def fault_where(condition: pl.Expr, fault: pl.Expr | None) -> pl.Expr | None:
    return None if fault is None else pl.when(condition).then(fault).otherwise(_nobody())


@functools.singledispatch
def _compile(node: Expression, run: Compiler) -> Column:
    raise NotImplementedError(type(node).__name__)


@_compile.register
def _(node: Attribute, run: Compiler) -> Column:
    found = run.attribute(node.name, node.type)
    if found.optional and not node.type.optional:
        missing = run.fault(MISSING.format(name=node.name))
        fault = missing if found.constant is None else fault_where(found.expr.is_null(), missing)
        return replace(found, optional=False, fault=fault)
    return found


@_compile.register
def _(node: HasAttribute, run: Compiler) -> Column:
    known = run.bound.knows(node.name)
    return flag(pl.lit(known), constant=known)


@_compile.register
def _(node: Local, run: Compiler) -> Column:
    # What a step faulted with has been told by the step.
    return run.locals[node.name]


@_compile.register
def _(node: Let, run: Compiler) -> Column:
    value = run.kept(run.compile(node.value))
    before = run.locals.get(node.name)
    run.locals[node.name] = replace(value, fault=None)
    body = run.compile(node.body)
    if before is None:
        del run.locals[node.name]
    else:
        run.locals[node.name] = before
    return replace(body, fault=first_fault(value.fault, body.fault), level=body.among(value))


@_compile.register
def _(node: Today, run: Compiler) -> Column:
    return run.value(run.today, node.type)


@_compile.register
def _(node: Present, run: Compiler) -> Column:
    return replace(run.compile(node.operand), optional=False)


@_compile.register
def _(node: Demand, run: Compiler) -> Column:
    found = run.compile(node.operand)
    if not found.optional:
        return found
    missing = run.fault(node.message)
    own = missing if found.constant is None else fault_where(found.expr.is_null(), missing)
    return replace(found, optional=False, fault=first_fault(found.fault, own))


@_compile.register
def _(node: Require, run: Compiler) -> Column:
    condition, body = run.compile(node.condition), run.compile(node.body)
    own = run.fault(node.message)
    if condition.constant is True:
        return replace(body, fault=first_fault(condition.fault, body.fault), level=body.among(condition))
    if condition.constant is False:
        return replace(body, fault=first_fault(condition.fault, own), level=body.among(condition))
    unmet = pl.when(condition.expr).then(_nobody() if body.fault is None else body.fault).otherwise(own)
    return replace(body, fault=first_fault(condition.fault, unmet), level=body.among(condition), constant=VARIES)


@_compile.register
def _(node: Fail, run: Compiler) -> Column:
    return replace(run.value(None, node.type), optional=node.type.optional, fault=run.fault(node.message))


@_compile.register
def _(node: Noted, run: Compiler) -> Column:
    return run.compile(node.body)


@_compile.register
def _(node: Arithmetic, run: Compiler) -> Column:
    left, right = run.compile(node.left), run.compile(node.right)
    fault = first_fault(left.fault, right.fault)
    if node.operator in {"+", "-"}:
        expr, scale, low, high = fixed.added(left, right, 1 if node.operator == "+" else -1)
    elif node.operator == "*":
        expr, scale, low, high = fixed.multiplied(left, right)
    else:
        expr, scale, low, high = fixed.divided(left, right)
        if right.low <= 0 <= right.high:
            fault = first_fault(fault, fault_where(right.expr == 0, run.fault(DIVISION)))
    return fixed.number(expr, scale, low, high, fault=fault, level=left.among(right))


@_compile.register
def _(node: Negate, run: Compiler) -> Column:
    found = run.compile(node.operand)
    expr = fixed.negated(found.expr, found.wide)
    return replace(found, expr=expr, low=-found.high, high=-found.low, constant=VARIES)


@_compile.register
def _(node: Round, run: Compiler) -> Column:
    value, step = run.compile(node.operand), run.compile(node.step)
    expr, scale, low, high = fixed.rounded(value, step, node.mode)
    fault = first_fault(value.fault, step.fault)
    if step.low <= 0:
        fault = first_fault(fault, fault_where(step.expr <= 0, run.fault(STEP)))
    return fixed.number(expr, scale, low, high, fault=fault, level=value.among(step))


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@_compile.register
def _(node: Compare, run: Compiler) -> Column:
    return _compared(node.operator, run.compile(node.left), run.compile(node.right))


def _compared(operator: str, left: Column, right: Column) -> Column:
    fault = first_fault(left.fault, right.fault)
    level = left.among(right)
    if left.constant is None or right.constant is None:
        return flag(pl.lit(operator == "!="), constant=operator == "!=", fault=fault, level=level)
    if left.kind == "number":
        left, right = fixed.aligned([left, right])
        proven = _proven(operator, left, right)
        if proven is not None and not (left.optional or right.optional):
            return flag(pl.lit(proven), constant=proven, fault=fault, level=level)
    expr = _COMPARE[operator](left.expr, right.expr)
    if left.optional or right.optional:
        expr = expr.fill_null(operator == "!=")
    return flag(expr, fault=fault, level=level)


def _proven(operator: str, left: Column, right: Column) -> bool | None:
    """What the ranges alone tell."""
    if left.high < right.low:
        return operator in {"<", "<=", "!="}
    if left.low > right.high:
        return operator in {">", ">=", "!="}
    if operator == "<=" and left.high <= right.low:
        return True
    if operator == ">=" and left.low >= right.high:
        return True
    return None


@_compile.register
def _(node: OneOf, run: Compiler) -> Column:
    operand = run.compile(node.operand)
    options = [run.compile(option) for option in node.options]
    fault = first_fault(operand.fault, *(one.fault for one in options))
    if operand.kind == "text" and options and all(isinstance(one.constant, str) for one in options):
        expr = operand.expr.is_in([one.constant for one in options])
        return flag(expr.fill_null(False) if operand.optional else expr, fault=fault, level=operand.level)
    return _any([_compared("==", operand, option) for option in options], fault, operand.among(*options))


def _any(tests: Sequence[Column], fault: pl.Expr | None, level: int) -> Column:
    if any(one.constant is True for one in tests):
        return flag(pl.lit(True), constant=True, fault=fault, level=level)
    some = [one.expr for one in tests if one.constant is VARIES]
    if not some:
        return flag(pl.lit(False), constant=False, fault=fault, level=level)
    return flag(functools.reduce(lambda a, b: a | b, some), fault=fault, level=level)


@_compile.register
def _(node: Between, run: Compiler) -> Column:
    operand, low, high = run.compile(node.operand), run.compile(node.low), run.compile(node.high)
    fault = first_fault(operand.fault, low.fault, high.fault)
    level = operand.among(low, high)
    if operand.constant is None:
        return flag(pl.lit(False), constant=False, fault=fault, level=level)
    above, below = _compared(">=", operand, low), _compared("<=", operand, high)
    expr = above.expr & below.expr
    return flag(expr.fill_null(False) if operand.optional else expr, fault=fault, level=level)


@_compile.register
def _(node: Has, run: Compiler) -> Column:
    operand = run.compile(node.operand)
    items = [run.compile(item) for item in node.items]
    fault = first_fault(operand.fault, *(one.fault for one in items))
    if operand.constant == ():
        none = node.every and not items
        return flag(pl.lit(none), constant=none, fault=fault, level=operand.among(*items))
    tests = [_contains(operand, item) for item in items]
    empty = pl.lit(node.every)
    joined = functools.reduce(lambda a, b: a & b if node.every else a | b, tests) if tests else empty
    return flag(joined, fault=fault, level=operand.among(*items))


def _contains(operand: Column, item: Column) -> pl.Expr:
    if item.constant is None:
        return pl.lit(False)
    if operand.item == "number":
        scale = max(operand.scale, item.scale)
        factor = 10 ** (scale - operand.scale)
        item = fixed.at_scale(item, scale)
        fixed.checked(operand.low * factor, operand.high * factor, scale)
        lists = operand.expr.list.eval(pl.element() * fixed.literal(factor, True)) if factor > 1 else operand.expr
        found = lists.list.contains(fixed.widened(item, True).cast(pl.Int128))
    else:
        found = operand.expr.list.contains(item.expr)
    return found.fill_null(False) & item.expr.is_not_null() if item.optional else found


@_compile.register
def _(node: TextTest, run: Compiler) -> Column:
    left, right = run.compile(node.left), run.compile(node.right)
    text = left.expr.str
    if node.operator == "contains":
        expr = text.contains(right.expr, literal=True)
    else:
        expr = text.starts_with(right.expr) if node.operator == "starts with" else text.ends_with(right.expr)
    return flag(expr, fault=first_fault(left.fault, right.fault), level=left.among(right))


@_compile.register
def _(node: Matches, run: Compiler) -> Column:
    found = run.compile(node.operand)
    return flag(found.expr.str.contains(node.pattern), fault=found.fault, level=found.level)


@_compile.register
def _(node: IsMissing, run: Compiler) -> Column:
    found = run.compile(node.operand)
    if found.constant is None:
        return flag(pl.lit(True), constant=True, fault=found.fault, level=found.level)
    if not found.optional:
        return flag(pl.lit(False), constant=False, fault=found.fault, level=found.level)
    return flag(found.expr.is_null(), fault=found.fault, level=found.level)


@_compile.register
def _(node: Not, run: Compiler) -> Column:
    found = run.compile(node.operand)
    if found.constant is not VARIES:
        return replace(found, expr=pl.lit(not found.constant), constant=not found.constant)
    return replace(found, expr=~found.expr)


@_compile.register
def _(node: And, run: Compiler) -> Column:
    return _chain(node.operands, run, stops_at=False)


@_compile.register
def _(node: Or, run: Compiler) -> Column:
    return _chain(node.operands, run, stops_at=True)


def _chain(operands: tuple[Expression, ...], run: Compiler, *, stops_at: bool) -> Column:
    """Conjuncts (or disjuncts), left to right; a fault counts only where those before did not stop."""
    asked: list[Column] = []
    for one in map(run.compile, operands):
        if one.constant is (not stops_at) and one.fault is None:
            continue
        asked.append(one)
        if one.constant is stops_at and one.fault is None:
            break
    if not asked:
        return flag(pl.lit(not stops_at), constant=not stops_at)
    fault: pl.Expr | None = None
    for one in reversed(asked):
        fault = first_fault(one.fault, fault_where(~one.expr if stops_at else one.expr, fault))
    level = asked[0].among(*asked[1:])
    if fault is None and asked[-1].constant is stops_at:
        return flag(pl.lit(stops_at), constant=stops_at, level=level)
    test = pl.any_horizontal if stops_at else pl.all_horizontal
    return flag(asked[0].expr if len(asked) == 1 else test([one.expr for one in asked]), fault=fault, level=level)


@_compile.register
def _(node: If, run: Compiler) -> Column:
    return _chosen([(run.compile(node.condition), run.compile(node.then))], run.compile(node.otherwise), node.type, run)


@_compile.register
def _(node: Choose, run: Compiler) -> Column:
    branches = [(run.compile(one.condition), run.compile(one.value)) for one in node.branches]
    if node.otherwise is not None:
        return _chosen(branches, run.compile(node.otherwise), node.type, run)
    nothing = replace(run.value(None, node.type), optional=node.type.optional, fault=run.fault(node.message))
    return _chosen(branches, nothing, node.type, run)


def _chosen(branches: Sequence[tuple[Column, Column]], otherwise: Column, type_: Type, run: Compiler) -> Column:
    """The value of the first branch whose condition holds."""
    kept: list[tuple[Column, Column]] = []
    for condition, value in branches:
        if condition.constant is False and condition.fault is None:
            continue
        if condition.constant is True and condition.fault is None:
            otherwise = value
            break
        kept.append((condition, value))
    if not kept:
        return otherwise
    values = same_kind([*(value for _, value in kept), otherwise])
    expr, fault = values[-1].expr, otherwise.fault
    for (condition, value), same in zip(reversed(kept), reversed(values[:-1]), strict=True):
        expr = pl.when(condition.expr).then(same.expr).otherwise(expr)
        if value.fault is not None or fault is not None:
            own = pl.when(condition.expr).then(_or_nobody(value.fault)).otherwise(_or_nobody(fault))
            fault = first_fault(condition.fault, own)
        else:
            fault = condition.fault
    level = otherwise.among(*(one for pair in kept for one in pair))
    optional = any(one.optional for one in values)
    return replace(joined(values, expr), optional=optional and type_.optional, fault=fault, level=level)


def _or_nobody(fault: pl.Expr | None) -> pl.Expr:
    return _nobody() if fault is None else fault


def same_kind(columns: Sequence[Column]) -> list[Column]:
    """Columns that can stand in one `when`: numbers at one scale and width, nothing as the others' type."""
    known = [one for one in columns if one.constant is not None]
    if not known:
        return list(columns)
    if known[0].kind == "number":
        scaled = iter(fixed.aligned(known))
        lined = [next(scaled) if one.constant is not None else one for one in columns]
        wide = any(one.wide for one in lined)
        model = next(one for one in lined if one.constant is not None)
        return [
            one if one.constant is not None
            else replace(model, expr=pl.lit(None, dtype=pl.Int128 if wide else pl.Int64), optional=True, constant=None, fault=one.fault)
            for one in lined
        ]  # fmt: skip
    if known[0].kind == "list":
        return fixed.aligned_lists(columns)
    dtype = known[0].dtype
    return [
        one if one.constant is not None else replace(one, expr=pl.lit(None, dtype=dtype), kind=known[0].kind)
        for one in columns
    ]


def joined(columns: Sequence[Column], expr: pl.Expr) -> Column:
    """A column that takes its rows from columns of one kind."""
    model = next((one for one in columns if one.constant is not None), columns[0])
    numbers = [one for one in columns if one.constant is not None] or list(columns)
    return replace(
        model,
        expr=expr,
        low=min(one.low for one in numbers),
        high=max(one.high for one in numbers),
        constant=VARIES,
    )


@_compile.register
def _(node: Coalesce, run: Compiler) -> Column:
    some: list[Column] = []
    for operand in node.operands:
        found = run.compile(operand)
        if found.constant is None and found.fault is None and operand is not node.operands[-1]:
            continue
        some.append(found)
        if not found.optional:
            break
    if len(some) == 1:
        return some[0]
    values = same_kind(some)
    fault = some[-1].fault
    for one in reversed(some[:-1]):
        fault = first_fault(one.fault, fault_where(one.expr.is_null(), fault))
    found = joined(values, pl.coalesce([one.expr for one in values]))
    return replace(found, optional=some[-1].optional, fault=fault, level=some[0].among(*some[1:]))


@_compile.register
def _(node: ListOf, run: Compiler) -> Column:
    return list_of([run.compile(item) for item in node.items], node.type)


def item_kind(type_: Type) -> str:
    """The kind of column that the elements of a list type make; of other types nobody asks."""
    if type_.item is None or type_.item.kind == "unknown":
        return "text"
    return "number" if type_.item.numeric else type_.item.kind


def list_of(items: Sequence[Column], type_: Type) -> Column:
    """A list of the items of each row."""
    kind = item_kind(type_)
    if not items:
        model = Column(pl.lit([]), "list", item=kind)
        return replace(model, expr=pl.lit([], dtype=model.dtype), constant=())
    fault = first_fault(*(one.fault for one in items))
    level = items[0].among(*items[1:])
    if kind != "number":
        return Column(pl.concat_list([one.expr for one in items]), "list", fault=fault, level=level, item=kind)
    lined = fixed.aligned(items)
    expr = pl.concat_list([fixed.widened(one, True).cast(pl.Int128) for one in lined])
    low, high = min(one.low for one in lined), max(one.high for one in lined)
    return Column(expr, "list", lined[0].scale, low, high, fault=fault, level=level, item=kind)


@_compile.register
def _(node: Call, run: Compiler) -> Column:
    fused = fused_gallery(node)
    operands = node.arguments if fused is None else fused.operands
    arguments = [run.compile(operand) for operand in operands]
    found = call(node, arguments) if fused is None else fused.column(arguments)
    fault = first_fault(*(one.fault for one in arguments))
    level = arguments[0].among(*arguments[1:]) if arguments else 0
    return replace(found, fault=fault, level=level)
