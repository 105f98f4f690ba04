"""The settings of an inventory policy come in; the steps from the stock to the quantity that is shown go out.

Each `add_…` takes the steps so far and what the step before it gives, adds a step where the settings want one, and
returns what the next step reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR
from typing import TYPE_CHECKING

from merx.engine.expression import (
    And,
    Attribute,
    Constant,
    Expression,
    Fail,
    HasAttribute,
    Local,
    Not,
    OneOf,
    Or,
    Program,
    Step,
    number,
    substitute,
)
from merx.engine.nodes import (
    at_least,
    at_most,
    compare,
    first_of,
    is_missing,
    minus,
    missing,
    noted,
    or_else,
    plus,
    present,
    require,
    rounded,
    text,
    times,
    when,
)
from merx.engine.policy import Bounds, Context
from merx.engine.source import Span
from merx.engine.standard import SOURCE_PREFIX
from merx.engine.types import FLAG, NUMBER, TEXT, Type

if TYPE_CHECKING:
    from merx.plugins.inventory import InventorySettings, Threshold

READ: Mapping[str, tuple[Type, tuple[str, ...]]] = {
    "type_id": (TEXT, ("text",)),
    "status": (NUMBER, ("number", "flag")),
    "manage_stock": (FLAG, ("flag", "number")),
    "is_in_stock": (FLAG, ("flag", "number")),
    "backorders": (NUMBER, ("number", "flag")),
    "qty": (NUMBER, ("number",)),
    "salable_qty": (NUMBER, ("number",)),
    "min_qty": (NUMBER, ("number",)),
}
"""The attributes that stock is read from → their standard type, and the kinds that a catalogue may give them."""


@dataclass(slots=True)
class Steps:
    """The steps so far."""

    settings: InventorySettings
    context: Context
    made: list[Step] = field(default_factory=list)

    def add(
        self, name: str, value: Expression, label: str, setting: str | None = None, span: Span | None = None
    ) -> Local:
        """Adds a step; returns what later steps read its value with."""
        self.made.append(Step(name=name, value=value, label=label, setting=setting, span=span))
        return Local(type=value.type, name=name)

    def read(self, name: str) -> Attribute:
        return self.context.attribute(name, READ[name][0])


def inventory_program(settings: InventorySettings, context: Context) -> Program:
    """The steps in the order of the settings, and the one outcome `quantity`."""
    steps = Steps(settings, context)
    parent = steps.add("is_parent", compare(steps.read("type_id"), "==", text("configurable")), "configurable parent")
    disabled = steps.add("is_disabled", is_disabled(steps.read("status")), "disabled")
    unmanaged = steps.add("is_unmanaged", is_no(steps.read("manage_stock")), "stock not managed")
    stock = add_stock(steps, Or(operands=(parent, disabled, unmanaged)))
    available = steps.add("available", rounded_stock(stock), "available, a whole number")
    shown = add_shown(steps, available)
    decided = [
        (parent, noted("its children have quantities, a configurable parent has none", missing(NUMBER))),
        (disabled, noted("disabled", number(0))),
        (is_missing(stock), without_stock(settings, unmanaged)),
        (compare(available, "<=", 0), sold_out(settings)),
    ]
    quantity: Expression = steps.add("decided", first_of(decided, shown), "quantity, if it may be sold")
    quantity = add_backorders(steps, quantity, Or(operands=(parent, disabled, unmanaged, is_missing(stock))))
    quantity = add_bounds(steps, quantity)
    quantity = add_ensured(steps, quantity, available)
    return Program(outcome="quantity", steps=tuple(steps.made), outcomes=(("quantity", quantity),))


# --- what the attributes say


def is_no(flag: Attribute) -> Expression:
    """Whether a flag, or a number that stands for one, says no; a missing one does not."""
    return compare(flag, "==", number(0) if flag.type.kind == "number" else Constant(type=FLAG, value=False))


def is_disabled(status: Attribute) -> Expression:
    """`status` is 1 or 2; a catalogue may have made a flag of it. Missing is enabled."""
    return is_no(status) if status.type.kind == "flag" else compare(status, "==", 2)


def takes_backorders(backorders: Attribute) -> Expression:
    """1 and 2 take them, 0 and missing do not."""
    if backorders.type.kind == "flag":
        return compare(backorders, "==", Constant(type=FLAG, value=True))
    return OneOf(operand=backorders, options=(number(1), number(2)))


# --- stock


def add_stock(steps: Steps, not_asked: Expression) -> Local:
    """The stock before it is made whole; missing where nobody needs it or there is no record of it."""
    settings = steps.settings
    if settings.sources is not None:
        value, setting = of_sources(steps, settings.sources), "sources"
    elif settings.stock is not None:
        value, setting = {"salable": salable, "physical": physical}[settings.stock](steps), "stock"
    else:
        has_salable = HasAttribute(name="salable_qty")
        value, setting = when(has_salable, salable(steps), physical(steps)), "stock"
    return steps.add("stock", when(not_asked, missing(NUMBER), value), "stock", setting)


def known(attribute: Attribute, what: str, value: Expression) -> Expression:
    """value, or a fault where the products have no such attribute at all: that is no zero, and no missing record."""
    return when(HasAttribute(name=attribute.name), value, Fail(type=value.type, message=f"the products have no {what}"))


def salable(steps: Steps) -> Expression:
    """The salable quantity, which the store has already taken its minimum from."""
    quantity = steps.read("salable_qty")
    return known(quantity, "salable stock (`salable_qty`)", unless_out_of_stock(steps, quantity))


def physical(steps: Steps) -> Expression:
    """The stock item's quantity less the minimum that the store keeps."""
    quantity = steps.read("qty")
    return known(quantity, "stock (`qty`)", unless_out_of_stock(steps, above_minimum(steps, quantity)))


def unless_out_of_stock(steps: Steps, quantity: Expression) -> Expression:
    """A stock item that is marked out of stock counts 0, whatever else is known of it."""
    return when(is_no(steps.read("is_in_stock")), number(0), quantity)


def above_minimum(steps: Steps, quantity: Expression) -> Expression:
    # A negative minimum is how a store allows backorders; they are not stock.
    kept = at_least(or_else(steps.read("min_qty"), number(0)), number(0))
    if not quantity.type.optional:
        return minus(quantity, kept)
    return when(is_missing(quantity), missing(NUMBER), minus(present(quantity), kept))


def of_sources(steps: Steps, codes: tuple[str, ...]) -> Expression:
    """The sum of the physical stock of the sources, less the minimum that the store keeps."""
    total: Expression | None = None
    for code in dict.fromkeys(codes):
        source = steps.context.attribute(SOURCE_PREFIX + code, NUMBER)
        counted = noted(f"not in source `{code}`", or_else(source, number(0)), is_missing(source))
        counted = known(source, f"source `{code}`", counted)
        total = counted if total is None else plus(total, counted)
    assert total is not None, "`problems` refuses an empty list"
    return above_minimum(steps, total)


def rounded_stock(stock: Expression) -> Expression:
    """Down to a whole number, not below 0; 0 where no stock is counted."""
    return at_least(rounded(or_else(stock, number(0)), "floor", 1), number(0))


# --- what is shown of it


def add_shown(steps: Steps, available: Local) -> Expression:
    """The quantity after buffer, threshold, maximum and minimum, or after the author's own expression."""
    settings = steps.settings
    if settings.quantity is not None:
        own = substitute(settings.quantity, {"available": available})
        value = at_least(rounded(where_any(available, own), "floor", 1), number(0))
        return steps.add("own_quantity", value, "quantity", "quantity", own.span)
    running = available
    if settings.buffer is not None:
        running = steps.add(
            "buffered", buffered(running, settings.buffer), "after the buffer", "buffer", settings.buffer.span
        )
    if settings.threshold is not None:
        running = steps.add("threshold", at_threshold(running, settings.threshold), "threshold", "threshold")
    if settings.maximum is not None:
        running = steps.add("maximum", at_most(running, number(settings.maximum)), "at most", "maximum")
    if settings.minimum is not None:
        running = steps.add("minimum", at_minimum(running, settings.minimum), "at least, or 0", "minimum")
    return running


def where_any(available: Expression, value: Expression) -> Expression:
    """value where there is stock: what is sold out needs no further expression, which could fail."""
    return value if isinstance(value, Constant) else when(compare(available, ">", 0), value, number(0))


def buffered(available: Expression, buffer: Expression) -> Expression:
    kept = times(available, buffer) if buffer.type.kind == "percent" else buffer
    if not isinstance(buffer, Constant):
        message = "the buffer is negative"
        kept = require(compare(buffer, ">=", 0), message, kept, buffer.span)
    left = at_least(minus(available, rounded(kept, "ceiling", 1)), number(0))
    return left if isinstance(buffer, Constant) else where_any(available, left)


def at_threshold(quantity: Expression, threshold: Threshold) -> Expression:
    greater, lesser = (shown(quantity, one, threshold.cap) for one in (threshold.greater, threshold.lesser))
    much, little = compare(quantity, ">", threshold.value), compare(quantity, "<", threshold.value)
    return first_of([(compare(quantity, "==", 0), quantity), (much, greater), (little, lesser)], quantity)


def shown(quantity: Expression, promised: int, cap: bool) -> Expression:
    return at_most(quantity, number(promised)) if cap else number(promised)


def at_minimum(quantity: Expression, minimum: int) -> Expression:
    return when(compare(quantity, "<", minimum), number(0), quantity)


# --- what is shown without it


def default_of(settings: InventorySettings) -> int | None:
    """`default_quantity` within `maximum` and `minimum`; None without one."""
    default = settings.default_quantity
    if default is None:
        return None
    if settings.maximum is not None:
        default = min(default, settings.maximum)
    return 0 if settings.minimum is not None and default < settings.minimum else default


def without_stock(settings: InventorySettings, unmanaged: Expression) -> Expression:
    default = default_of(settings)
    if default is None:
        unmanaged_fault = "the stock is not managed, and there is no `default_quantity`"
        record_fault = "there is no stock record, and no `default_quantity`"
        return when(unmanaged, Fail(type=NUMBER, message=unmanaged_fault), Fail(type=NUMBER, message=record_fault))
    value = noted("the stock is not managed: `default_quantity`", number(default), unmanaged)
    return noted("no stock record: `default_quantity`", value, Not(operand=unmanaged))


def sold_out(settings: InventorySettings) -> Expression:
    default = default_of(settings)
    if settings.out_of_stock == "zero" or default is None:
        return noted("sold out", number(0))
    return noted("sold out: `default_quantity`", number(default))


def add_backorders(steps: Steps, quantity: Expression, settled: Expression) -> Expression:
    """A managed product with nothing to show, that may be ordered all the same, shows `default_quantity`. What its stock
    item marks out of stock may not be ordered, backorders or not."""
    default = default_of(steps.settings)
    if steps.settings.backorders == "ignore" or default is None:
        return quantity
    nothing_left = And(
        operands=(
            Not(operand=settled),
            compare(quantity, "==", 0),
            takes_backorders(steps.read("backorders")),
            Not(operand=is_no(steps.read("is_in_stock"))),
        )
    )
    value = when(nothing_left, noted("may be ordered beyond its stock: `default_quantity`", number(default)), quantity)
    return steps.add("backordered", value, "with backorders", "backorders")


# --- what may be sent


def where_shown(quantity: Expression, body: Callable[[Expression], Expression]) -> Expression:
    """body of a quantity that is there, else missing."""
    made = body(present(quantity))
    return when(is_missing(quantity), missing(NUMBER), made)


def add_bounds(steps: Steps, quantity: Expression) -> Expression:
    """Never above the marketplace's most. What is below its least becomes 0: more would be promised than there is."""
    bounds = steps.context.bounds.get("quantity")
    if bounds is None or (bounds.high is None and not bounds.low):
        return quantity
    value = where_shown(quantity, lambda found: within(found, bounds))
    return steps.add("bounded", value, f"within the bounds of {bounds.name}")


def within(quantity: Expression, bounds: Bounds) -> Expression:
    value = quantity
    if bounds.high is not None:
        high = number(bounds.high.to_integral_value(ROUND_FLOOR))
        message = f"{bounds.name} takes at most {bounds.high:f}"
        value = noted(message, at_most(quantity, high), compare(quantity, ">", high))
    if bounds.low is not None and bounds.low > 0:
        low = number(bounds.low)
        message = f"{bounds.name} takes at least {bounds.low:f}: 0"
        value = when(compare(quantity, "<", low), noted(message, number(0), compare(quantity, ">", 0)), value)
    return value


def add_ensured(steps: Steps, quantity: Expression, available: Expression) -> Expression:
    """Each `ensure`, where there is something to sell: holding a 0 would go on selling what is not there."""
    if not steps.settings.ensure:
        return steps.add("quantity", quantity, "quantity to show")
    value = present(quantity)
    for one in reversed(steps.settings.ensure):
        condition = substitute(one.condition, {"quantity": present(quantity), "available": available})
        value = require(condition, one.message, value, one.span)
    nothing = Or(operands=(is_missing(quantity), compare(present(quantity), "<=", 0)))
    return steps.add("quantity", when(nothing, quantity, value), "quantity to show", "ensure")
