"""The kind `inventory`, through rule text: how many are shown, and that a 0 is never held."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from merx.engine.decide import Decision
from merx.engine.ruleset import check_text
from merx.plugins.inventory import Inventory, Threshold

THRESHOLD = "threshold { value = 10  greater = 20  lesser = 2 }"
CAPPED = "threshold { value = 10  greater = 20  lesser = 2  cap = yes }"
ACCOUNT = 'account "main" { connector = aliexpress }'


def decide(body: str, *, rules: str = "", bounded: bool = False, **product: Any) -> Decision:
    """What a policy of this body decides about a product. `source_eu` stands for the attribute `source:eu`."""
    text = f'{rules}\n{ACCOUNT}\ninventory "p" {{ {body} }}\nlisting "all" {{ assign = yes  inventory = "p" }}'
    ruleset, problems = check_text(text)
    assert [str(one) for one in problems if one.level == "error"] == []
    values = {
        name.replace("source_", "source:"): Decimal(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else value
        for name, value in product.items()
    }
    day = datetime.date(2026, 11, 27)
    return ruleset.decide({"sku": "a", **values}, as_of=day, account="main" if bounded else None)


def quantity(body: str, **options: Any) -> Decimal | None:
    decision = decide(body, **options)
    assert decision.reasons == ()
    return decision.values["quantity"]  # type: ignore[return-value]


def held(body: str, **options: Any) -> str:
    decision = decide(body, **options)
    assert (decision.status, decision.values["quantity"]) == ("held", None)
    [reason] = decision.reasons
    return reason.partition(" (<")[0]


def problems(body: str, rules: str = "") -> list[tuple[str, str, str]]:
    """(code, level, underlined text) of what is wrong with a policy of this body."""
    _, found = check_text(f'{rules}\ninventory "p" {{ {body} }}')
    return [(one.code, one.level, one.span.text if one.span else "") for one in found]


# --- which stock


def test_salable_stock_counts_where_the_products_have_it():
    assert quantity("", qty=18, salable_qty=7) == 7
    assert quantity("", qty=18) == 18


def test_the_stock_that_is_named_counts():
    assert quantity("stock = physical", qty=18, salable_qty=7) == 18
    assert quantity("stock = salable", qty=18, salable_qty=7) == 7


def test_products_without_the_stock_that_counts_are_held():
    assert held("default_quantity = 5  stock = salable", qty=18) == (
        "quantity: the products have no salable stock (`salable_qty`)"
    )
    assert held("default_quantity = 5") == "quantity: the products have no stock (`qty`)"


def test_a_product_without_a_salable_quantity_has_no_record_though_it_has_physical_stock():
    assert quantity("default_quantity = 5", qty=18, salable_qty=None) == 5


def test_the_minimum_is_taken_from_physical_stock_only():
    assert quantity("stock = physical", qty=18, min_qty=3) == 15
    assert quantity("stock = salable", salable_qty=18, min_qty=3) == 18
    assert quantity("", qty=2, min_qty=3) == 0


def test_a_minimum_below_zero_is_no_stock():
    assert quantity("", qty=0, min_qty=-10) == 0


def test_a_stock_item_that_is_marked_out_of_stock_counts_zero():
    assert quantity("", qty=18, is_in_stock=False) == 0
    assert quantity("", qty=18, salable_qty=18, is_in_stock=False) == 0
    assert quantity("default_quantity = 5", qty=None, is_in_stock=False) == 0


@pytest.mark.parametrize(("stock", "whole"), [("8.9", 8), ("0.9", 0), ("-0.5", 0), ("10.99", 10)])
def test_stock_is_floored_before_anything_is_compared(stock: str, whole: int):
    assert quantity("", qty=Decimal(stock)) == whole


def test_what_is_floored_is_compared_with_the_threshold():
    assert quantity(THRESHOLD, qty=Decimal("10.99")) == 10


def test_negative_stock_is_none():
    assert quantity("", qty=-4) == 0


# --- sources


def test_sources_are_summed():
    assert quantity('sources = ["eu", "us"]', source_eu=5, source_us=8, qty=99) == 13


def test_a_source_that_is_named_twice_counts_once():
    assert quantity('sources = ["eu", "eu"]', source_eu=5) == 5


def test_a_source_that_the_product_is_not_in_counts_zero_and_is_noted():
    text = 'inventory "p" { sources = ["eu", "us"] } listing "all" { assign = yes  inventory = "p" }'
    ruleset, _ = check_text(text)

    trace = ruleset.explain({"sku": "a", "source:eu": Decimal(5), "source:us": None})

    assert quantity('sources = ["eu", "us"]', source_eu=5, source_us=None) == 5
    assert "not in source `us`" in str(trace.to_dict())


def test_a_product_in_none_of_the_sources_is_sold_out():
    assert quantity('default_quantity = 5  sources = ["eu"]', source_eu=None) == 0


def test_a_source_that_the_products_do_not_know_is_an_error():
    catalog = 'catalog "c" { `source:eu`: number?  `source:us`: number? }'

    assert problems('sources = ["eu", "uk"]', catalog) == [("M342", "error", '["eu", "uk"]')]
    assert problems('sources = ["eu", "us"]', catalog) == []
    assert held('sources = ["uk"]', rules='catalog "c" { qty: number }', qty=5) == (
        "quantity: the products have no source `uk`"
    )


def test_the_stock_item_does_not_overrule_the_sources_but_its_minimum_is_kept():
    assert quantity('sources = ["eu"]', source_eu=5, is_in_stock=False, min_qty=2) == 3


def test_sources_and_stock_are_one_too_many():
    assert problems('sources = ["eu"]  stock = salable') == [("M341", "error", "salable")]
    assert problems("sources = []") == [("M341", "error", "[]")]


# --- without stock


@pytest.mark.parametrize(
    "product", [{"qty": 0, "manage_stock": False}, {"qty": 99, "manage_stock": False}, {"qty": None}]
)
def test_the_default_is_sent_as_it_is_where_no_stock_counts(product: dict[str, Any]):
    assert quantity(f"default_quantity = 5  buffer = 3  {THRESHOLD}", **product) == 5


def test_without_a_default_such_a_product_is_held():
    assert (
        held("", qty=0, manage_stock=False) == "quantity: the stock is not managed, and there is no `default_quantity`"
    )
    assert held("", qty=None) == "quantity: there is no stock record, and no `default_quantity`"


def test_a_managed_product_that_is_sold_out_is_not_sold():
    assert quantity("default_quantity = 5", qty=0, manage_stock=True) == 0
    assert quantity("default_quantity = 5  out_of_stock = default_quantity", qty=0, manage_stock=True) == 5


def test_what_a_buffer_takes_is_not_sold_out():
    assert quantity("default_quantity = 5  buffer = 5  out_of_stock = default_quantity", qty=3) == 0


def test_the_limits_hold_for_the_default_and_say_so():
    assert quantity("default_quantity = 5  maximum = 3", qty=None) == 3
    assert quantity("default_quantity = 5  minimum = 6", qty=None) == 0
    assert problems("default_quantity = 5  maximum = 3") == [("M344", "warning", "5")]
    assert problems("default_quantity = 5  minimum = 6") == [("M344", "warning", "5")]


@pytest.mark.parametrize("field", ["out_of_stock", "backorders"])
def test_a_default_that_is_asked_for_must_be_given(field: str):
    assert problems(f"{field} = default_quantity") == [("M343", "error", "default_quantity")]


# --- buffer, threshold, limits


@pytest.mark.parametrize(
    ("buffer", "stock", "shown"),
    [
        ("5", 18, 13),
        ("5", 5, 0),
        ("5", 3, 0),
        ("0", 3, 3),
        ("2.5", 10, 7),
        ("10%", 18, 16),
        ("10%", 1, 0),
        ("150%", 9, 0),
    ],
)
def test_a_buffer_is_kept_back(buffer: str, stock: int, shown: int):
    assert quantity(f"buffer = {buffer}", qty=stock) == shown


def test_a_buffer_may_come_from_an_attribute():
    catalog = 'catalog "c" { qty: number  reserve: number? }'

    assert quantity("buffer = reserve ?? 2", rules=catalog, qty=18, reserve=5) == 13
    assert quantity("buffer = reserve ?? 2", rules=catalog, qty=18, reserve=None) == 16
    assert held("buffer = reserve ?? 2", rules=catalog, qty=18, reserve=-5) == "quantity: the buffer is negative"


@pytest.mark.parametrize(
    ("stock", "literal", "capped"),
    [
        (100, 20, 20), (21, 20, 20), (20, 20, 20), (15, 20, 15), (11, 20, 11), (10, 10, 10), (9, 2, 2), (2, 2, 2),
        (1, 2, 1), (0, 0, 0),
    ],
)  # fmt: skip
def test_a_threshold(stock: int, literal: int, capped: int):
    assert quantity(THRESHOLD, qty=stock) == literal
    assert quantity(CAPPED, qty=stock) == capped


@pytest.mark.parametrize(("stock", "shown"), [(18, 20), (15, 10), (14, 2), (6, 2), (5, 0), (3, 0), (0, 0)])
def test_a_threshold_is_compared_with_what_the_buffer_leaves(stock: int, shown: int):
    assert quantity(f"buffer = 5  {THRESHOLD}", qty=stock) == shown


def test_a_threshold_that_promises_more_than_there_is_is_told():
    assert [one[:2] for one in problems(THRESHOLD)] == [("M348", "warning")]
    assert problems(CAPPED) == []
    assert problems(THRESHOLD.replace("}", "cap = no }")) == []
    assert problems("threshold { value = 10  greater = 11  lesser = 1 }") == []


def test_maximum_and_minimum():
    body = "maximum = 10  minimum = 3"

    assert [quantity(body, qty=stock) for stock in (11, 10, 3, 2, 0)] == [10, 10, 3, 0, 0]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("default_quantity = -1", ("M345", "error", "-1")),
        ("maximum = -1", ("M345", "error", "-1")),
        ("buffer = -5", ("M345", "error", "-5")),
        ("threshold { value = -1  greater = 0  lesser = 0 }", ("M345", "error", "-1")),
        ("maximum = 3  minimum = 5", ("M346", "error", "5")),
        ("quantity = available  buffer = 5", ("M347", "error", "5")),
        ("quantity = available  maximum = 5", ("M347", "error", "5")),
        ("default_quantity = 2.5", ("M308", "error", "2.5")),
        ("buffer = 2MB", ("M307", "error", "2MB")),
    ],
)
def test_wrong_numbers(body: str, found: tuple[str, str, str]):
    assert problems(body) == [found]


def test_a_threshold_needs_its_three_numbers():
    assert ("M305", "error", "threshold") in problems("threshold { value = 10  greater = 20 }")


# --- an expression of one's own


def test_the_authors_own_quantity_reads_what_is_available():
    body = "quantity = ladder available { above 50 -> 50  from 5 -> available / 2  else -> 1 }"

    assert [quantity(body, qty=stock) for stock in (99, 9, 1, 0)] == [50, 4, 1, 0]


def test_a_quantity_below_zero_is_zero():
    assert quantity("quantity = available - 10", qty=3) == 0


def test_a_constant_quantity_is_shown_while_there_is_stock():
    assert quantity("quantity = 7", qty=3) == 7
    assert quantity("quantity = 7", qty=0) == 0


# --- a zero is never held


@pytest.mark.parametrize(
    "body",
    [
        "",
        "buffer = (reserve ?? 1) / 0",
        "quantity = available / (1 - (reserve ?? 1))",
        'ensure quantity > 100 "too few"',
        'sources = ["nowhere"]',
        "stock = salable",
    ],
)
def test_a_disabled_product_shows_zero_whatever_cannot_be_decided(body: str):
    assert quantity(body, qty=None, status=2, reserve=1) == 0
    assert quantity(body, qty=18, status=2, manage_stock=False, reserve=1) == 0


@pytest.mark.parametrize(
    "body",
    [
        "buffer = (reserve ?? 1) / 0",
        "quantity = available / 0",
        'ensure quantity > 100 "too few"',
        "buffer = (reserve ?? 0) - 9",
    ],
)
def test_a_sold_out_product_shows_zero_whatever_cannot_be_decided(body: str):
    assert quantity(body, qty=0, reserve=1) == 0


def test_a_fault_where_there_is_stock_holds_the_quantity():
    assert held("buffer = (reserve ?? 1) / 0", qty=3, reserve=1) == "quantity: division by zero"


def test_ensure_sees_the_quantity_that_would_be_sent_and_what_is_available():
    body = 'buffer = 5  ensure quantity == 13 "not 13"  ensure available == 18 "not 18"'

    assert quantity(body, qty=18) == 13
    assert held(body, qty=17) == "quantity: not 13"


# --- backorders, parents, bounds


@pytest.mark.parametrize(("backorders", "shown"), [(0, 0), (1, 5), (2, 5), (None, 0)])
def test_what_may_be_ordered_beyond_its_stock_shows_the_default(backorders: int | None, shown: int):
    assert quantity("default_quantity = 5  backorders = default_quantity", qty=0, backorders=backorders) == shown
    assert quantity("default_quantity = 5", qty=0, backorders=backorders) == 0


def test_what_is_marked_out_of_stock_takes_no_backorders():
    body = "default_quantity = 5  backorders = default_quantity"

    assert [quantity(body, qty=0, backorders=1, is_in_stock=one) for one in (True, False, None)] == [5, 0, 5]


def test_backorders_count_only_where_nothing_is_left_to_show():
    body = "default_quantity = 5  backorders = default_quantity  buffer = 5"

    assert [quantity(body, qty=stock, backorders=1) for stock in (18, 3)] == [13, 5]
    assert quantity(body, qty=3, backorders=1, status=2) == 0


def test_a_configurable_parent_has_no_quantity_of_its_own():
    assert quantity("", qty=18, type_id="configurable") is None
    assert quantity('default_quantity = 5 ensure quantity > 100 "few"', qty=None, type_id="configurable") is None
    assert quantity("", qty=18, type_id="simple") == 18


def test_the_marketplaces_bounds_clamp():
    assert quantity("", bounded=True, qty=1_000_000) == 999_999
    assert quantity("default_quantity = 2000000", bounded=True, qty=None) == 999_999
    assert quantity("", qty=1_000_000) == 1_000_000


def test_clamping_is_noted():
    text = f'{ACCOUNT} inventory "p" {{}} listing "all" {{ assign = yes  inventory = "p" }}'
    trace = check_text(text)[0].explain({"sku": "a", "qty": Decimal(1_000_000)}, account="main")

    assert "AliExpress takes at most 999999" in str(trace.to_dict())


def test_a_marketplaces_least_quantity_is_never_reached_by_promising_more():
    from merx.engine.interpret import run
    from merx.engine.policy import Bounds
    from merx.engine.rules import RuleContext
    from merx.engine.scope import Rates
    from merx.plugins.inventory import InventorySettings

    context = RuleContext(Rates(), None, {"quantity": Bounds("Bazaar", Decimal(3), None)})
    program = Inventory().program(InventorySettings(), context)

    shown = [
        run(program, {"qty": Decimal(stock)}, today=datetime.date.min).values["quantity"] for stock in (4, 3, 2, 0)
    ]

    assert shown == [4, 3, 0, 0]


# --- what catalogues call things


def test_flags_may_be_numbers():
    catalog = (
        'catalog "c" { qty: number  manage_stock: number?  is_in_stock: number?  status: flag?  backorders: flag? }'
    )
    body = "default_quantity = 5  backorders = default_quantity"

    assert quantity(body, rules=catalog, qty=18, manage_stock=0) == 5
    assert quantity(body, rules=catalog, qty=18, manage_stock=1) == 18
    assert quantity(body, rules=catalog, qty=18, is_in_stock=0) == 0
    assert quantity(body, rules=catalog, qty=18, status=False) == 0
    assert quantity(body, rules=catalog, qty=0, backorders=True) == 5


def test_stock_is_not_read_from_a_text():
    assert problems("", 'catalog "c" { qty: text }') == [("M340", "error", 'inventory "p"')]


def test_every_field_says_what_it_is_for():
    fields = {**Inventory.fields.model_fields, **Threshold.model_fields}

    assert [name for name, field in fields.items() if not field.description] == []
