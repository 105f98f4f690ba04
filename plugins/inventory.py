"""Policies of the kind `inventory`: how many of a product a marketplace shows.

One rule stands above the settings: a product that is disabled or sold out shows 0, whatever else about it cannot be
decided. So nothing but the stock itself is looked at before that, and no `ensure` holds a 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from merx.engine.diagnostic import did_you_mean
from merx.engine.expression import Constant, Expression, Program
from merx.engine.hooks import hookimpl
from merx.engine.policy import Context, Ensured, Expected, PolicyType, Problem, Settings
from merx.engine.types import FLAG, NUMBER, PERCENT
from merx.plugins.stock_steps import READ, inventory_program


class Threshold(BaseModel):
    """`threshold { value = 10  greater = 20  lesser = 2 }`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: int = Field(description="The quantity, after the buffer, that divides much from little; it is shown itself.")
    greater: int = Field(description="What is shown above `value`.")
    lesser: int = Field(description="What is shown below `value`, but for 0, which stays 0.")
    cap: bool = Field(False, description="`yes`: never more than there is after the buffer.")


class InventorySettings(Settings):
    """The fields of `inventory`, in the order in which they are read, checked and carried out."""

    sources: tuple[str, ...] | None = Field(
        None, description="Codes of stock sources whose physical stock is added up, instead of `stock`."
    )
    stock: Literal["salable", "physical"] | None = Field(
        None, description="Which stock counts; by default `salable` where the products have it, else `physical`."
    )
    default_quantity: int | None = Field(
        None, description="What is shown for products whose stock is not managed or that have no stock record."
    )
    out_of_stock: Literal["zero", "default_quantity"] = Field(
        "zero", description="What is shown for a managed product that is sold out."
    )
    buffer: Expression | None = Field(
        None, description="What is kept back: a number, or a percent of the stock, rounded up; 0 by default."
    )
    threshold: Threshold | None = Field(None, description="Shows one quantity for much and another for little.")
    maximum: int | None = Field(None, description="Never more than this is shown.")
    minimum: int | None = Field(None, description="Less than this is shown as 0.")
    quantity: Expression | None = Field(
        None,
        description="The quantity to show, instead of `buffer`, `threshold`, `maximum` and `minimum`; `available` is "
        "what there is.",
    )
    backorders: Literal["ignore", "default_quantity"] = Field(
        "ignore", description="What is shown, instead of 0, for a product that may be ordered beyond its stock."
    )
    ensure: tuple[Ensured, ...] = Field(
        (), description="Conditions over `quantity` where it is above 0; a false one holds it with its message."
    )


class Inventory(PolicyType):
    """`sources` or `stock`, `default_quantity`, `buffer`, `threshold`, `maximum`, `minimum`, bounds, `ensure`."""

    kind = "inventory"
    applies_to = "product"
    fields = InventorySettings

    def expect(self, field: str, given: Mapping[str, Any], context: Context) -> Expected:
        match field:
            case "buffer":
                return Expected((NUMBER, PERCENT))
            case "quantity":
                return Expected((NUMBER,), names={"available": NUMBER})
            case _:
                return Expected((FLAG,), names={"quantity": NUMBER, "available": NUMBER})

    def problems(self, settings: InventorySettings, context: Context) -> Iterable[Problem]:
        yield from attribute_problems(context)
        yield from source_problems(settings, context)
        yield from default_problems(settings)
        yield from number_problems(settings)
        yield from threshold_problems(settings)

    def program(self, settings: InventorySettings, context: Context) -> Program:
        return inventory_program(settings, context)


def attribute_problems(context: Context) -> Iterator[Problem]:
    """A `catalog` block may give a standard attribute a type that cannot be read as stock."""
    for name, (type_, kinds) in READ.items():
        found = context.attribute(name, type_).type.kind
        if found != "unknown" and found not in kinds:
            help = f"declare it as `{type_}?` in the `catalog` block"
            yield Problem("M340", f"`{name}` is a {found}, and stock is not read from that", None, help)


def source_problems(settings: InventorySettings, context: Context) -> Iterator[Problem]:
    if settings.sources is None:
        return
    if not settings.sources:
        yield Problem(
            "M341", "`sources` names no source", "sources", 'write `sources = ["eu_warehouse"]`, or remove it'
        )
    if settings.stock is not None:
        message = "`sources` and `stock` both say which stock counts"
        yield Problem("M341", message, "stock", "remove one of the two: `sources` are physical stock")
    known = context.sources
    for code in settings.sources if known is not None else ():
        assert known is not None
        if code not in known:
            others = f"the sources are {', '.join(known)}" if known else "the products tell of no source"
            yield Problem("M342", f"there is no source `{code}`", "sources", did_you_mean(code, known) or others)


def default_problems(settings: InventorySettings) -> Iterator[Problem]:
    default = settings.default_quantity
    for name in ("out_of_stock", "backorders"):
        if default is None and getattr(settings, name) == "default_quantity":
            yield Problem("M343", f"`{name}` needs a `default_quantity`", name, "add `default_quantity = 5`")
    if default is None:
        return
    if settings.maximum is not None and default > settings.maximum:
        message = f"`default_quantity` is above `maximum`, so {settings.maximum} is shown"
        yield Problem("M344", message, "default_quantity", "lower it, or raise `maximum`", "warning")
    elif settings.minimum is not None and 0 < default < settings.minimum:
        message = "`default_quantity` is below `minimum`, so 0 is shown"
        yield Problem("M344", message, "default_quantity", "raise it, or lower `minimum`", "warning")


def number_problems(settings: InventorySettings) -> Iterator[Problem]:
    """No quantity is negative, and what `quantity` replaces is not given beside it."""
    for name in ("default_quantity", "maximum", "minimum"):
        value = getattr(settings, name)
        if value is not None and value < 0:
            yield Problem("M345", f"`{name}` is negative", name, "a quantity is 0 or more")
    buffer = settings.buffer
    if isinstance(buffer, Constant) and isinstance(buffer.value, Decimal) and buffer.value < 0:
        yield Problem("M345", "a buffer is not negative: it is kept back", "buffer", "write `buffer = 5`")
    if settings.maximum is not None and settings.minimum is not None and settings.minimum > settings.maximum:
        yield Problem("M346", "`minimum` is above `maximum`, so nothing is ever shown", "minimum", "exchange the two")
    for name in ("buffer", "threshold", "maximum", "minimum"):
        if settings.quantity is not None and getattr(settings, name) is not None:
            help = "remove one of the two, and let `quantity` reckon with `available`"
            yield Problem("M347", f"`quantity` replaces `{name}`", name, help)


def threshold_problems(settings: InventorySettings) -> Iterator[Problem]:
    threshold = settings.threshold
    if threshold is None:
        return
    for name in ("value", "greater", "lesser"):
        if getattr(threshold, name) < 0:
            yield Problem("M345", f"`{name}` is negative", f"threshold.{name}", "a quantity is 0 or more")
    much = threshold.greater > threshold.value + 1
    little = threshold.lesser > 1 and threshold.value > 1
    if (much or little) and "cap" not in threshold.model_fields_set:
        stock, shown = (threshold.value + 1, threshold.greater) if much else (1, threshold.lesser)
        message = f"with {stock} in stock this shows {shown}: more can be sold than there is"
        help = "add `cap = yes` to show no more than there is, or `cap = no` to keep it"
        yield Problem("M348", message, "threshold", help, "warning")


@hookimpl
def merx_policy_types() -> Iterable[PolicyType]:
    return [Inventory()]
