"""Policies of the kind `pricing`: what a product costs on a marketplace, and what it costs while it is on sale.

Read this as the example of a policy type. `PricingSettings` says what may be written; the engine reads and types it.
`Pricing.expect` says what each expression may be, `Pricing.problems` what else can be wrong, and `Pricing.program`
turns the settings into steps of expressions, made by the small functions of `merx.plugins.price_steps`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from merx.engine.blocks import is_currency
from merx.engine.expression import Constant, Expression, Program
from merx.engine.hooks import hookimpl
from merx.engine.nodes import missing, text
from merx.engine.policy import Changes, Context, Ensured, Expected, PolicyType, Problem, Rounding, Settings, Word, Words
from merx.engine.types import DATE, FLAG, NUMBER, TEXT, UNKNOWN, Type, minor_unit, money
from merx.plugins.price_steps import (
    add_price,
    add_sale_price,
    price_course,
    reads_rates,
    sale_course,
    special_price,
    walk,
)

AMOUNTS = ("money", "number", "unknown")
"""The kinds that a price may start from."""


class PricingSettings(Settings):
    """The fields of `pricing`, in the order in which they are read, checked and carried out."""

    start: Expression | None = Field(None, description="The attribute or expression to start from; `price` by default.")
    change: Changes | None = Field(
        None,
        description="How the start price is changed: `+10%`, `-2.50`, `* 1.2`, a ladder of these, or a list of these "
        "applied in order. An expression without a sign is the new price.",
    )
    currency: Annotated[Word | None, Words()] = Field(
        None, description="The currency to sell in; by default the one of the start price."
    )
    rate: Decimal | None = Field(
        None, description="This policy's own exchange rate, instead of the one that `rates` declares."
    )
    max_rate_age: datetime.timedelta | None = Field(
        None, description="Prices are held when the `as_of` of `rates` is older than this, or not given."
    )
    floor: Expression | None = Field(None, description="The lowest price, in the currency to sell in.")
    ceiling: Expression | None = Field(None, description="The highest price, in the currency to sell in.")
    ending: Decimal | None = Field(
        None, description="A charm price: the nearest price with this ending that is not lower, for example 0.99."
    )
    round: Rounding | None = Field(
        None,
        description="How to round, for example `half_up to 0.05`; by default to the currency's smallest amount.",
    )
    sale: Expression | None = Field(
        None,
        description="The price that the sale price starts from; by default `special_price` between `special_from_date` "
        "and `special_to_date`. `no`: never a sale price.",
    )
    ensure: tuple[Ensured, ...] = Field(
        (), description="Conditions over the price that would be sent; a false one holds it with its message."
    )


class Pricing(PolicyType):
    """`start`, `change`, conversion, `floor` and `ceiling`, `ending` or `round`, the marketplace's bounds, `ensure`."""

    kind = "pricing"
    applies_to = "product"
    fields = PricingSettings

    def expect(self, field: str, given: Mapping[str, Any], context: Context) -> Expected:
        start = start_of(given.get("start"), context).type.maybe(False)
        if start.kind not in AMOUNTS:
            start = UNKNOWN  # `problems` tells it, once
        target = target_of(given.get("currency"), start)
        match field:
            case "start":
                return Expected(optional=True)
            case "change":
                return Expected((start,), names={"start": start})
            case "sale":
                return Expected((start, FLAG), optional=True, names={"start": start})
            case "ensure":
                return Expected((FLAG,), names={"price": target, "start": start})
            case _:
                return Expected((target,))

    def problems(self, settings: PricingSettings, context: Context) -> Iterable[Problem]:
        start = start_of(settings.start, context).type
        if start.kind not in AMOUNTS:
            help = "start from an amount, such as `price` or `msrp ?? price`"
            yield Problem("M330", f"a price does not start from a {start.kind}", "start", help)
            return
        yield from currency_problems(settings, context)
        yield from limit_problems(settings)
        yield from rounding_problems(settings, context)
        yield from sale_problems(settings, context)

    def program(self, settings: PricingSettings, context: Context) -> Program:
        start = start_of(settings.start, context)
        target = target_of(settings.currency, start.type.maybe(False))
        course = price_course(start, target, settings, context)
        price = add_price(course, walk(course))
        sale_price: Expression = missing(target)
        if not never_on_sale(settings):
            offer = settings.sale or special_price(context, start.type)
            course = sale_course(course, amount_like(offer, start.type))
            sale_price = add_sale_price(course, walk(course), price)
        currency = text(target.currency) if target.currency else missing(TEXT)
        outcomes = (("price", price), ("sale_price", sale_price), ("currency", currency))
        return Program(outcome="price", steps=tuple(course.steps), outcomes=outcomes)


def start_of(given: Expression | None, context: Context) -> Expression:
    """The start price: the setting, else the attribute `price`. A literal is in the currency of the catalogue."""
    price = context.attribute("price", NUMBER)
    if given is None:
        return price
    return amount_like(given, price.type)


def amount_like(given: Expression, type_: Type) -> Expression:
    """A literal is an amount of the type; every other expression has one of its own."""
    return replace(given, type=type_.maybe(False)) if given.type.literal else given


def target_of(currency: Word | None, start: Type) -> Type:
    """The type of the price that is sent."""
    return money(currency.name) if currency is not None else start


def never_on_sale(settings: PricingSettings) -> bool:
    """`sale = no`."""
    return isinstance(settings.sale, Constant) and settings.sale.value is False


# --- what can be wrong beyond the types


def currency_problems(settings: PricingSettings, context: Context) -> Iterator[Problem]:
    source = start_of(settings.start, context).type
    code, declared = settings.currency.name if settings.currency else None, settings.rate is None
    if code is not None and not is_currency(code):
        yield Problem("M209", f"`{code}` is not a currency code", "currency", "three capitals: `EUR`")
    elif settings.rate is not None and settings.rate <= 0:
        yield Problem("M321", "a rate is above 0", "rate", "write how much one unit of the start's currency is worth")
    elif settings.rate is not None and (code is None or code == source.currency):
        help = "remove it, or name another `currency` to sell in"
        yield Problem("M321", "there is nothing to convert with `rate`", "rate", help)
    elif code is not None and declared and source.kind == "number":
        help = "declare `price: money(EUR)` in the `catalog` block, name the currency with `--currency`, or give `rate`"
        yield Problem("M121", "the currency of the start price is not known", "currency", help)
    elif code is not None and declared and not _convertible(source, code, context):
        help = f"add `rates {{ {source.currency} -> {code} = 1.0850 }}`, or give `rate`; none is inverted or chained"
        yield Problem("M203", f"there is no rate from {source.currency} to {code}", "currency", help)
    if settings.max_rate_age is None:
        return
    if not reads_rates(settings, source, target_of(settings.currency, source)):
        message = "`max_rate_age` has no effect: nothing is converted with `rates`"
        yield Problem("M323", message, "max_rate_age", "remove it", "warning")
    elif context.rates_as_of is None:
        message = "every price will be held: `rates` does not say of which day it is"
        yield Problem("M323", message, "max_rate_age", "add `as_of = 2026-11-23` to `rates`", "warning")


def _convertible(source: Type, code: str, context: Context) -> bool:
    return source.currency in {None, code} or context.rate(source.currency, code) is not None


def limit_problems(settings: PricingSettings) -> Iterator[Problem]:
    floor, ceiling = settings.floor, settings.ceiling
    if isinstance(floor, Constant) and isinstance(ceiling, Constant):
        low, high = floor.value, ceiling.value
        if isinstance(low, Decimal) and isinstance(high, Decimal) and low > high:
            message = "every price will be held: the floor is above the ceiling"
            yield Problem("M324", message, "ceiling", "exchange them", "warning")


def rounding_problems(settings: PricingSettings, context: Context) -> Iterator[Problem]:
    ending, rounding = settings.ending, settings.round
    if ending is not None and rounding is not None:
        yield Problem("M325", "`ending` and `round` both say how a price is rounded", "round", "remove one of the two")
    if ending is not None and ending < 0:
        yield Problem("M326", "an ending is not negative", "ending", "write `ending = 0.99`")
    currency = target_of(settings.currency, start_of(settings.start, context).type).currency
    unit = minor_unit(currency)
    for name, step in (("ending", ending), ("round", rounding.step if rounding else None)):
        if currency is not None and step is not None and step % unit:
            message = f"the smallest amount in {currency} is {unit:f}, and this makes finer prices"
            yield Problem("M327", message, name, f"use a multiple of {unit:f}", "warning")


def sale_problems(settings: PricingSettings, context: Context) -> Iterator[Problem]:
    sale, start = settings.sale, start_of(settings.start, context).type
    if sale is not None:
        if sale.type.kind == "flag" and not never_on_sale(settings):
            yield Problem("M328", "`sale` is an amount, or `no`", "sale", "write `sale = special_price` or `sale = no`")
        return
    special = context.attribute("special_price", start).type
    if "unknown" not in {special.kind, start.kind} and (special.kind, special.currency) != (start.kind, start.currency):
        message = f"`special_price` is a {special.maybe(False)}, and the price starts from a {start.maybe(False)}"
        yield Problem("M329", message, "start", "say what the sale starts from, `sale = …`, or write `sale = no`")
    for name in ("special_from_date", "special_to_date"):
        found = context.attribute(name, DATE).type.kind
        if found not in {"date", "unknown"}:
            help = "declare it as `date?` in the `catalog` block, or write `sale = no`"
            yield Problem("M329", f"`{name}` is a {found}, and a sale needs days", None, help)


@hookimpl
def merx_policy_types() -> Iterable[PolicyType]:
    return [Pricing()]
