"""A start price and the settings of a pricing policy come in; the steps to the price that is sent go out.

Each `add_…` takes the course so far and what the step before it gives, adds a step where the settings want one, and
returns what the next step reads.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from merx.engine.expression import (
    And,
    Arithmetic,
    Constant,
    Demand,
    Expression,
    Fail,
    Local,
    Or,
    Step,
    Today,
    children,
    number,
    substitute,
)
from merx.engine.nodes import (
    YES,
    at_least,
    at_most,
    compare,
    is_missing,
    let,
    minus,
    missing,
    noted,
    plus,
    present,
    require,
    rounded,
    times,
    when,
    where_present,
)
from merx.engine.policy import RUNNING, Context, Rounding
from merx.engine.source import Span
from merx.engine.types import DATE, Type, minor_unit

if TYPE_CHECKING:
    from merx.plugins.pricing import PricingSettings


@dataclass(slots=True)
class Course:
    """The steps from a start price to a price that may be sent. The price takes it, and the sale price again.

    target: the type of the price that is sent.
    prefix, label: what the names and the labels of the steps start with.
    start: what later steps read the start price with.
    sale: the step that is missing where there is no sale; every later step of the sale is missing with it.
    floor, ceiling: what later steps read the limits with.
    """

    settings: PricingSettings
    context: Context
    target: Type
    start: Expression
    prefix: str = ""
    label: str = ""
    sale: Expression | None = None
    floor: Expression | None = None
    ceiling: Expression | None = None
    steps: list[Step] = field(default_factory=list)

    def add(self, name: str, value: Expression, label: str, setting: str, span: Span | None = None) -> Expression:
        """Adds a step; returns what later steps read its value with."""
        type_ = replace(value.type, literal=False)
        if self.sale is not None:
            value, type_ = when(is_missing(self.sale), missing(type_), value), type_.maybe()
        name = self.prefix + name
        self.steps.append(Step(name=name, value=value, label=self.label + label, setting=setting, span=span))
        return present(Local(type=type_, name=name))


def price_course(start: Expression, target: Type, settings: PricingSettings, context: Context) -> Course:
    """The course of the price, with the step that demands a start price above zero."""
    demanded: Expression = start
    if start.type.optional:
        message = "the start price is missing"
        demanded = Demand(type=start.type.maybe(False), operand=start, message=message, span=start.span)
    step = Step(
        name="start", value=above_zero(demanded, "start price"), label="start price", setting="start", span=start.span
    )
    local = Local(type=step.value.type, name=step.name)
    course = Course(settings, context, target, local, steps=[step])
    if settings.max_rate_age is not None and reads_rates(settings, start.type, target):
        value = while_fresh(YES, settings.max_rate_age, context.rates_as_of)
        course.add("rates_fresh", value, "rates are fresh enough", "max_rate_age")
    return course


def sale_course(price: Course, offer: Expression) -> Course:
    """The course of the sale price, after the price's. offer: missing where there is no sale."""
    offer = substitute(offer, {"start": price.start})
    value = where_present("offer", offer, lambda found: above_zero(found, "start price of the sale"))
    step = Step(name="sale_start", value=value, label="sale: start price", setting="sale", span=offer.span)
    local = Local(type=value.type.maybe(), name=step.name)
    return replace(price, start=present(local), prefix="sale_", label="sale: ", sale=local, steps=[*price.steps, step])


def above_zero(value: Expression, what: str) -> Expression:
    message = f"the {what} is zero or negative"
    return let("value", value, lambda found: require(compare(found, ">", 0), message, found, value.span))


def special_price(context: Context, start: Type) -> Expression:
    """`special_price` on the days from `special_from_date` to `special_to_date`, both included; else missing."""
    special = context.attribute("special_price", start)
    first, last = context.attribute("special_from_date", DATE), context.attribute("special_to_date", DATE)
    today = Today(type=DATE)
    begun = Or(operands=(is_missing(first), compare(present(first), "<=", today)))
    not_over = Or(operands=(is_missing(last), compare(present(last), ">=", today)))
    return when(And(operands=(begun, not_over)), special, missing(special.type))


def walk(course: Course) -> Expression:
    """Adds every step up to the rounded price, and returns what reads that."""
    running = add_changes(course)
    running = add_conversion(course, running)
    add_limits(course)
    running = add_clamp(course, running)
    return add_rounding(course, running)


# --- change and currency


def add_changes(course: Course) -> Expression:
    """Each change reads the price that the one before it left, and the start price."""
    running = course.start
    changes = course.settings.change.steps if course.settings.change else ()
    for index, change in enumerate(changes, 1):
        value = replace(substitute(change, {RUNNING: running, "start": course.start}), type=course.start.type)
        label = f"change {index}" if len(changes) > 1 else "change"
        running = course.add(f"change_{index}", value, label, "change", change.span)
    return running


def add_conversion(course: Course, running: Expression) -> Expression:
    """The policy's own rate, else the declared one; `problems` has told where there is none."""
    settings, target = course.settings, course.target
    if running.type == target:
        return running
    if settings.rate is not None:
        rate, span = settings.rate, None
    else:
        found = course.context.rate(running.type.currency or "", target.currency or "")
        if found is None:
            unknown = Fail(type=target, message="the currency of the start price is not known")
            return course.add("converted", unknown, f"in {target.currency}", "currency")
        rate, span = found
    value = replace(times(running, replace(number(rate), span=span)), type=target)
    setting = "currency" if settings.rate is None else "rate"
    return course.add("converted", value, f"in {target.currency} at {rate:f}", setting)


def reads_rates(settings: PricingSettings, start: Type, target: Type) -> bool:
    """Whether a price depends on a declared rate: on its way into `currency`, or in an expression."""
    if settings.rate is None and settings.currency is not None and start.currency != target.currency:
        return True
    limits = (settings.start, settings.floor, settings.ceiling, settings.sale)
    changes = settings.change.steps if settings.change else ()
    every = (*limits, *changes, *(one.condition for one in settings.ensure))
    return any(one is not None and converts(one) for one in every)


def converts(expression: Expression) -> bool:
    """Whether an amount comes into another currency somewhere in it: nothing but `convert` does that."""
    if isinstance(expression, Arithmetic):
        given, made = expression.left.type, expression.type
        if given.kind == made.kind == "money" and given.currency != made.currency:
            return True
    return any(converts(one) for one in children(expression))


def while_fresh(value: Expression, age: datetime.timedelta, as_of: datetime.date | None) -> Expression:
    """value on the days on which rates of the day `as_of` are not older than `age`; else a fault."""
    if as_of is None:
        return Fail(type=value.type, message="`rates` does not say `as_of` which day it is, and `max_rate_age` is set")
    days = min(age.days, (datetime.date.max - as_of).days)
    last = Constant(type=DATE, value=as_of + datetime.timedelta(days=days))
    message = f"the rates are of {as_of}, which is longer ago than `max_rate_age`"
    return require(compare(Today(type=DATE), "<=", last), message, value)


# --- floor, ceiling and rounding


def add_limits(course: Course) -> None:
    """Floor and ceiling are steps of their own; the sale reads those of the price."""
    floor, ceiling = course.settings.floor, course.settings.ceiling
    if course.sale is not None:
        return
    if floor is not None:
        course.floor = course.add("floor", replace(floor, type=course.target), "floor", "floor", floor.span)
    if ceiling is not None:
        value = replace(ceiling, type=course.target)
        if course.floor is not None:
            low, message = course.floor, "the floor is above the ceiling"
            value = let("high", value, lambda high: require(compare(low, "<=", high), message, high, ceiling.span))
        course.ceiling = course.add("ceiling", value, "ceiling", "ceiling", ceiling.span)


def add_clamp(course: Course, running: Expression) -> Expression:
    if course.floor is not None:
        running = course.add("at_floor", at_least(running, course.floor), "not below the floor", "floor")
    if course.ceiling is not None:
        running = course.add("at_ceiling", at_most(running, course.ceiling), "not above the ceiling", "ceiling")
    return running


def ending_step(ending: Decimal) -> Decimal:
    """How far apart the prices with this ending lie: the smallest power of ten above it, at least 1."""
    return Decimal(10) ** max(0, ending.adjusted() + 1) if ending else Decimal(1)


def add_rounding(course: Course, running: Expression) -> Expression:
    """Moves up to the ending, or rounds; what that takes out of the limits goes one step back into them."""
    ending = course.settings.ending
    if ending is not None:
        step, setting, label = ending_step(ending), "ending", f"ending {ending:f}"
        value = plus(rounded(minus(running, number(ending)), "ceiling", step), number(ending))
    else:
        rounding = course.settings.round or Rounding("half_up", minor_unit(course.target.currency))
        step, setting, label = rounding.step, "round", f"rounded {rounding.mode} to {rounding.step:f}"
        value = rounded(running, rounding.mode, rounding.step)
    price = course.add("rounded", value, label, setting)
    if course.floor is None and course.ceiling is None:
        return price
    return course.add("moved", moved(price, step, course), "back within the limits", setting)


def moved(price: Expression, step: Decimal, course: Course) -> Expression:
    """The next price a step up where `price` is below the floor, a step down where it is above the ceiling."""
    value, floor, ceiling = price, course.floor, course.ceiling
    if ceiling is not None:
        value = when(compare(price, ">", ceiling), minus(price, number(step)), value)
    if floor is not None:
        value = when(compare(price, "<", floor), plus(price, number(step)), value)
    if floor is None or ceiling is None:
        return value
    message = "no price that is rounded this way lies between the floor and the ceiling"

    def inside(found: Expression) -> Expression:
        return require(And(operands=(compare(found, ">=", floor), compare(found, "<=", ceiling))), message, found)

    return let("next", value, inside)


# --- what may be sent


def sendable(course: Course, price: Expression) -> Expression:
    """price where it is above zero, within the marketplace's bounds and as every `ensure` wants it; else a fault."""
    value = price
    for one in reversed(course.settings.ensure):
        condition = substitute(one.condition, {"price": price, "start": course.start})
        value = require(condition, one.message, value, one.span)
    what = "the sale price" if course.sale is not None else "the price"
    bounds = course.context.bounds.get("price")
    if bounds is not None and bounds.high is not None:
        message = f"{what} is above the {bounds.high:f} that {bounds.name} takes at most"
        value = require(compare(price, "<=", number(bounds.high)), message, value)
    if bounds is not None and bounds.low is not None:
        message = f"{what} is below the {bounds.low:f} that {bounds.name} takes at least"
        value = require(compare(price, ">=", number(bounds.low)), message, value)
    return require(compare(price, ">", 0), f"{what} is zero or negative", value)


def add_price(course: Course, running: Expression) -> Expression:
    return course.add("price", sendable(course, running), "price to send", "ensure")


def add_sale_price(course: Course, running: Expression, price: Expression) -> Expression:
    """The sale price to send; missing where there is none or it is not below the price."""
    no_sale = noted("the sale price is not below the price: sent without a sale", missing(running.type))
    value = when(compare(running, ">=", price), no_sale, sendable(course, running))
    course.add("price", value, "price to send", "sale")
    return Local(type=running.type.maybe(), name="sale_price")
