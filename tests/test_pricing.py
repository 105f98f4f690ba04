"""The kind `pricing`, through rule text: what a product costs, what holds its price, and its mistakes."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from merx.engine.decide import Decision
from merx.engine.diagnostic import PolicyError
from merx.engine.ruleset import check_text
from merx.plugins.price_steps import ending_step
from merx.plugins.pricing import Pricing

CATALOG = """catalog "shop" {
  price: money(EUR)  msrp: money(EUR)?  cost: money(EUR)?  usd: money(USD)?  name: text
  special_price: money(EUR)?  special_from_date: date?  special_to_date: date?
}
"""
DAY = datetime.date(2026, 11, 27)
ACCOUNT = 'account "main" { connector = aliexpress }'


def decide(
    body: str, *, rules: str = CATALOG, bounded: bool = False, day: datetime.date = DAY, **product: Any
) -> Decision:
    """What a policy of this body decides about a product."""
    text = f'{rules}\n{ACCOUNT}\npricing "p" {{ {body} }}\nlisting "all" {{ assign = yes  pricing = "p" }}'
    ruleset, problems = check_text(text)
    assert [str(one) for one in problems if one.level == "error"] == []
    values = {name: Decimal(value) if isinstance(value, str) else value for name, value in product.items()}
    return ruleset.decide({"sku": "a", **values}, as_of=day, account="main" if bounded else None)


def price(body: str, **options: Any) -> Decimal | None:
    decision = decide(body, **options)
    assert decision.reasons == ()
    return decision.values["price"]  # type: ignore[return-value]


def prices(body: str, **options: Any) -> tuple[Any, Any]:
    decision = decide(body, **options)
    assert decision.reasons == ()
    return decision.values["price"], decision.values["sale_price"]


def held(body: str, **options: Any) -> str:
    """The one reason for which the price is held."""
    decision = decide(body, **options)
    assert decision.status == "held"
    assert [decision.values[name] for name in ("price", "sale_price", "currency")] == [None, None, None]
    [reason] = decision.reasons
    return reason.partition(" (")[0]


def problems(body: str, rules: str = CATALOG) -> list[tuple[str, str, str]]:
    """(code, level, underlined text) of what is wrong with a policy of this body."""
    _, found = check_text(f'{rules}\npricing "p" {{ {body} }}')
    return [(one.code, one.level, one.span.text if one.span else "") for one in found]


# --- start and change


def test_starts_from_the_price_and_leaves_it_as_it_is():
    decision = decide("", price="12.34")

    assert (decision.values["price"], decision.values["sale_price"]) == (Decimal("12.34"), None)
    assert decision.values["currency"] == "EUR"


def test_a_plain_number_has_no_currency():
    ruleset, _ = check_text('pricing "p" { change = +10% } listing "all" { assign = yes  pricing = "p" }')

    decision = ruleset.decide({"sku": "a", "price": Decimal("10.05")})

    assert (decision.values["price"], decision.values["currency"]) == (Decimal("11.06"), None)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("+10%", "11.00"),
        ("-10%", "9.00"),
        ("+2.50", "12.50"),
        ("-2.50", "7.50"),
        ("* 1.2", "12.00"),
        ("[+10%, +5%]", "11.55"),
        ("[+10%, -2.50]", "8.50"),
        ("[-2.50, +10%]", "8.25"),
        ("start * 3", "30.00"),
        ("ladder start { from 100 -> +5%  from 10 -> +20%  else -> +1 }", "12.00"),
        ("if msrp is present then +1 else +50%", "15.00"),
    ],
)
def test_a_change(change: str, expected: str):
    assert price(f"change = {change}", price="10.00") == Decimal(expected)


def test_a_change_reads_the_start_price_and_not_the_running_one():
    assert price("change = [+50%, +start * 1]", price="10.00") == Decimal("25.00")


def test_starts_from_any_expression():
    assert price("start = msrp ?? price * 2", price="10.00") == Decimal("20.00")
    assert price("start = msrp ?? price * 2", price="10.00", msrp="15.00") == Decimal("15.00")


def test_a_literal_start_is_in_the_currency_of_the_catalogue():
    assert decide("start = 5", price="10.00").values["currency"] == "EUR"


@pytest.mark.parametrize("start", ["0", "-0.01"])
def test_a_start_price_that_is_not_above_zero_is_held(start: str):
    assert held("change = +10", price=start) == "price: the start price is zero or negative"


def test_a_missing_start_price_is_held():
    assert held("start = msrp  change = +10", price="10.00") == "price: the start price is missing"


def test_a_coalesced_start_replaces_what_is_missing_and_not_zero():
    assert held("start = msrp ?? price", price="10.00", msrp="0") == "price: the start price is zero or negative"


def test_a_price_does_not_start_from_a_text():
    assert problems("start = name") == [("M330", "error", "name")]


# --- currency

RATES = CATALOG + "rates { as_of = 2026-11-25  EUR -> USD = 1.0850 }"


def test_converts_with_the_declared_rate():
    decision = decide("currency = USD  change = +0.005", rules=RATES, price="10.00")

    assert (decision.values["price"], decision.values["currency"]) == (Decimal("10.86"), "USD")


def test_its_own_rate_goes_before_the_declared_one():
    assert price("currency = USD  rate = 2", rules=RATES, price="10.00") == Decimal("20.00")


def test_the_own_currency_needs_no_rate():
    assert price("currency = EUR", price="10.00") == Decimal("10.00")


def test_plain_numbers_are_converted_with_an_own_rate():
    decision = decide("currency = USD  rate = 1.5", rules='catalog "c" { price: number }', price="10.00")

    assert (decision.values["price"], decision.values["currency"]) == (Decimal("15.00"), "USD")


@pytest.mark.parametrize("day, fresh", [(27, True), (28, False)])
def test_prices_are_held_when_the_rates_are_too_old(day: int, fresh: bool):
    decision = decide("currency = USD  max_rate_age = 2d", rules=RATES, day=datetime.date(2026, 11, day), price="10.00")

    assert decision.values["price"] == (Decimal("10.85") if fresh else None)
    reason = "price: the rates are of 2026-11-25, which is longer ago than `max_rate_age`"
    assert [one.partition(" (")[0] for one in decision.reasons] == ([] if fresh else [reason])


def test_part_of_a_day_is_no_day():
    options: dict[str, Any] = {"rules": RATES, "day": datetime.date(2026, 11, 27), "price": "10.00"}

    assert price("currency = USD  max_rate_age = 49h", **options) == Decimal("10.85")
    assert "longer ago" in held("currency = USD  max_rate_age = 47h", **options)


@pytest.mark.parametrize(
    "body",
    [
        "start = convert(price, USD)  sale = no",
        "currency = USD  rate = 1.1  floor = convert(cost ?? 1, USD) * 115%",
        'currency = USD  rate = 1.1  ensure price > convert(cost ?? 1, USD) "below cost"',
        "change = if convert(price, USD) > 5 then +1 else +2",
    ],
)
def test_an_old_rate_holds_the_price_wherever_it_is_read(body: str):
    options: dict[str, Any] = {"rules": RATES, "price": "10.00"}

    assert "longer ago" in held(f"{body}  max_rate_age = 2d", day=datetime.date(2026, 11, 28), **options)
    assert price(f"{body}  max_rate_age = 2d", day=datetime.date(2026, 11, 27), **options) is not None
    assert problems(f"{body}  max_rate_age = 2d", RATES) == []


def test_rates_without_a_day_hold_the_price_where_their_age_counts():
    rates = CATALOG + "rates { EUR -> USD = 1.0850 }"

    assert "does not say `as_of`" in held("currency = USD  max_rate_age = 2d", rules=rates, price="10.00")
    assert problems("currency = USD  max_rate_age = 2d", rates) == [("M323", "warning", "2d")]


def test_the_age_of_rates_in_several_blocks_is_that_of_the_oldest():
    other = RATES + " rates { as_of = 2026-11-20  EUR -> GBP = 0.8 }"
    unknown = RATES + " rates { EUR -> GBP = 0.8 }"

    assert "the rates are of 2026-11-20" in held("currency = USD  max_rate_age = 2d", rules=other, price="10.00")
    assert "does not say `as_of`" in held("currency = GBP  max_rate_age = 2d", rules=unknown, price="10.00")


def test_rates_are_of_one_day():
    twice = CATALOG + "rates { as_of = 2026-11-25  as_of = 2026-11-26  EUR -> USD = 1.0850 }"

    assert problems("currency = USD", twice) == [("M302", "error", "as_of")]


def test_an_age_that_reaches_past_the_calendar_is_no_error():
    assert price("currency = USD  max_rate_age = 36000d", rules=RATES, price="10.00") == Decimal("10.85")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("currency = GBP", [("M203", "error", "GBP")]),
        ("currency = usd", [("M209", "error", "usd")]),
        ("currency = USD  rate = 0", [("M321", "error", "0")]),
        ("rate = 1.1", [("M321", "error", "1.1")]),
        ("currency = EUR  rate = 1.1", [("M321", "error", "1.1")]),
        ("currency = USD  rate = 1.1  max_rate_age = 1d", [("M323", "warning", "1d")]),
        ("max_rate_age = 1d", [("M323", "warning", "1d")]),
        ('currency = "USD"', [("M309", "error", '"USD"')]),
    ],
)
def test_a_wrong_currency(body: str, found: list[tuple[str, str, str]]):
    assert problems(body, RATES) == found


def test_rates_are_neither_inverted_nor_chained():
    rates = CATALOG + "rates { USD -> EUR = 0.9 EUR -> GBP = 0.8 GBP -> CHF = 1.1 }"

    assert problems("currency = USD", rates) == [("M203", "error", "USD")]
    assert problems("currency = CHF", rates) == [("M203", "error", "CHF")]


def test_plain_numbers_have_no_rate():
    assert problems("currency = USD", 'catalog "c" { price: number }') == [("M121", "error", "USD")]


# --- floor, ceiling, rounding


def test_clamps_to_floor_and_ceiling_in_the_target_currency():
    body = "currency = USD  floor = convert(cost, USD) * 115%  ceiling = 50"
    rates = RATES.replace("cost: money(EUR)?", "cost: money(EUR)")

    assert price(body, rules=rates, price="1.00", cost="10.00") == Decimal("12.48")
    assert price(body, rules=rates, price="100.00", cost="10.00") == Decimal("50.00")
    assert price(body, rules=rates, price="20.00", cost="10.00") == Decimal("21.70")


def test_a_floor_in_another_currency_is_an_error():
    assert problems("currency = USD  floor = price", RATES)[0][0] == "M104"


def test_a_floor_that_may_be_missing_is_an_error():
    assert problems("floor = cost") == [("M102", "error", "cost")]


def test_a_floor_above_the_ceiling_holds_the_price():
    assert held("floor = price * 2  ceiling = price", price="10.00") == "price: the floor is above the ceiling"
    assert problems("floor = 20  ceiling = 10") == [("M324", "warning", "10")]


@pytest.mark.parametrize(
    ("rounding", "start", "expected"),
    [
        ("half_up to 0.05", "10.025", "10.05"),
        ("half_even to 0.05", "10.025", "10.00"),
        ("up to 1", "10.01", "11"),
        ("down to 1", "10.99", "10"),
        ("ceiling to 5", "10.01", "15"),
        ("floor to 5", "14.99", "10"),
    ],
)
def test_rounds_as_told(rounding: str, start: str, expected: str):
    assert price(f"round = {rounding}", price=start) == Decimal(expected)


@pytest.mark.parametrize(
    ("currency", "expected"), [("EUR", "10.13"), ("JPY", "10"), ("KWD", "10.125"), ("CLF", "10.1250")]
)
def test_rounds_to_the_smallest_amount_of_the_currency(currency: str, expected: str):
    assert price("", rules=f'catalog "c" {{ price: money({currency}) }}', price="10.125") == Decimal(expected)


@pytest.mark.parametrize(
    ("ending", "start", "expected"),
    [
        ("0.99", "12.34", "12.99"),
        ("0.99", "12.99", "12.99"),
        ("0.99", "12.995", "13.99"),
        ("0.99", "0.01", "0.99"),
        ("9.99", "10.00", "19.99"),
        ("9.99", "5.00", "9.99"),
        ("9.99", "19.99", "19.99"),
        ("0", "12.01", "13"),
        ("5", "5.01", "15"),
        ("95", "101.00", "195"),
    ],
)
def test_an_ending_is_reached_upwards(ending: str, start: str, expected: str):
    assert price(f"ending = {ending}", price=start) == Decimal(expected)


@pytest.mark.parametrize(
    ("ending", "step"), [("0", 1), ("0.5", 1), ("0.99", 1), ("1", 10), ("9.99", 10), ("10", 100), ("99.95", 100)]
)
def test_endings_repeat_at_the_smallest_power_of_ten_above_them(ending: str, step: int):
    assert ending_step(Decimal(ending)) == step


@pytest.mark.parametrize(
    ("body", "start", "expected"),
    [
        ("ending = 0.99  ceiling = 10.50", "10.20", "9.99"),
        ("ending = 0.99  floor = 10.50", "3.00", "10.99"),
        ("round = half_up to 5  floor = 11", "11.00", "15"),
        ("round = half_up to 5  ceiling = 14", "14.00", "10"),
        ("floor = 10.004", "10.00", "10.01"),
        ("ceiling = 10.006", "11.00", "10.00"),
    ],
)
def test_what_rounding_takes_out_of_the_limits_moves_back(body: str, start: str, expected: str):
    assert price(body, price=start) == Decimal(expected)


@pytest.mark.parametrize(
    "body", ["ending = 0.99  floor = 10  ceiling = 10.50", "round = up to 5  floor = 11  ceiling = 14"]
)
def test_no_rounded_price_between_the_limits_is_held(body: str):
    assert (
        held(body, price="12.00") == "price: no price that is rounded this way lies between the floor and the ceiling"
    )


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("ending = 0.99  round = up to 1", [("M325", "error", "up to 1")]),
        ("ending = -0.01", [("M326", "error", "-0.01")]),
        ("round = up to 0.005", [("M327", "warning", "up to 0.005")]),
        ("ending = 0.999", [("M327", "warning", "0.999")]),
        ("round = up to 0", [("M308", "error", "up to 0")]),
    ],
)
def test_a_wrong_rounding(body: str, found: list[tuple[str, str, str]]):
    assert problems(body) == found


# --- bounds and ensure


def test_a_price_outside_the_bounds_is_held_and_not_clamped():
    assert price("", bounded=True, price="100000.00") == Decimal(100000)
    assert price("", bounded=True, price="0.01") == Decimal("0.01")
    assert held("", bounded=True, price="100000.01") == (
        "price: the price is above the 100000 that AliExpress takes at most"
    )


@pytest.mark.parametrize("bounded", [True, False])
def test_a_price_that_comes_to_nothing_is_held(bounded: bool):
    assert held("change = -10", bounded=bounded, price="10.00") == "price: the price is zero or negative"
    assert held("", bounded=bounded, price="0.004") == "price: the price is zero or negative"


def test_ensure_sees_the_price_that_would_be_sent():
    body = 'ending = 0.99  ensure price == 10.99 "not the ending"  ensure price > start "not above the start"'

    assert price(body, price="10.50") == Decimal("10.99")
    assert held(body, price="9.50") == "price: not the ending"


def test_backticks_in_ensure_mean_the_attribute():
    assert price('change = +1 ensure `price` == 10 "x"', price="10.00") == Decimal("11.00")


def test_the_first_false_ensure_is_the_reason():
    body = 'ensure price > 1 "first"  ensure price > 20 "second"  ensure price > 30 "third"'

    assert held(body, price="10.00") == "price: second"


def test_a_reason_names_the_line_of_the_ensure():
    decision = decide('\nensure price > 20 "too low"', price="10.00")

    [reason] = decision.reasons
    assert reason.startswith("price: too low (<rules>:")


# --- sale


@pytest.mark.parametrize(
    ("first", "last", "on"),
    [
        (None, None, True),
        (27, None, True),
        (28, None, False),
        (None, 27, True),
        (None, 26, False),
        (27, 27, True),
        (20, 26, False),
    ],
)
def test_a_special_price_counts_on_its_days_both_included(first: int | None, last: int | None, on: bool):
    dates: dict[str, Any] = {}
    if first:
        dates["special_from_date"] = datetime.date(2026, 11, first)
    if last:
        dates["special_to_date"] = datetime.date(2026, 11, last)

    assert prices("", price="10.00", special_price="8.00", **dates) == (10, 8 if on else None)


def test_a_sale_runs_through_every_step_from_its_own_start():
    rules = RATES
    body = "change = ladder start { from 10 -> +10%  else -> +50% }  currency = USD  ending = 0.99"

    # 8.00 + 50% is 12.00, in dollars 13.02; 20.00 + 10% is 22.00, in dollars 23.87.
    assert prices(body, rules=rules, price="20.00", special_price="8.00") == (Decimal("23.99"), Decimal("13.99"))


def test_the_limits_hold_for_the_sale_too():
    assert prices("floor = 9", price="10.00", special_price="8.00") == (10, 9)


@pytest.mark.parametrize(
    "body, special", [("", "10.00"), ("", "11.00"), ("round = up to 5", "6.00"), ("floor = 10", "8.00")]
)
def test_a_sale_that_is_not_below_the_price_after_rounding_is_none(body: str, special: str):
    assert prices(body, price="10.00", special_price=special) == (10, None)


def test_no_sale_is_noted():
    text = CATALOG + 'pricing "p" {} listing "all" { assign = yes  pricing = "p" }'
    trace = check_text(text)[0].explain({"sku": "a", "price": Decimal(10), "special_price": Decimal(10)}, as_of=DAY)

    assert "the sale price is not below the price: sent without a sale" in str(trace.to_dict())


@pytest.mark.parametrize("special", ["0", "-1"])
def test_a_fault_of_the_sale_holds_both(special: str):
    assert held("", price="10.00", special_price=special) == "price: the start price of the sale is zero or negative"


def test_bounds_and_ensure_hold_for_the_sale():
    assert held('ensure price >= 9 "too low"', price="10.00", special_price="8.00") == "price: too low"
    assert (
        held("change = -8", bounded=True, price="10.00", special_price="8.00")
        == "price: the sale price is zero or negative"
    )


def test_a_start_of_its_own_brings_a_sale_of_its_own():
    assert prices("sale = price * 80%", price="10.00", special_price="1.00") == (10, 8)
    assert prices("start = price * 2  sale = start * 75%", price="10.00") == (20, 15)
    assert prices("sale = msrp", price="10.00") == (10, None)


def test_a_sale_that_is_a_number_is_in_the_currency_of_the_start():
    assert prices("sale = 8", price="10.00") == (10, 8)
    assert prices("sale = if price > 10 then 8 else 12", price="10.00") == (10, None)
    assert prices("sale = 8  currency = USD", rules=RATES, price="10.00") == (Decimal("10.85"), Decimal("8.68"))


def test_sale_no_never_sends_a_sale_price():
    assert prices("sale = no", price="10.00", special_price="8.00") == (10, None)
    assert problems("sale = yes") == [("M328", "error", "yes")]


def test_the_special_price_must_be_in_the_currency_of_the_start():
    assert problems("start = usd ?? 1") == [("M329", "error", "usd ?? 1")]
    assert problems("start = usd ?? 1  sale = no") == []


def test_special_dates_that_are_no_dates_are_an_error():
    rules = 'catalog "c" { price: number  special_from_date: text? }'

    assert problems("", rules) == [("M329", "error", 'pricing "p"')]


def test_a_catalogue_without_special_prices_has_no_sale():
    assert prices("", rules='catalog "c" { price: number }', price="10.00") == (10, None)


# --- the model


def test_every_field_says_what_it_is_for():
    assert [name for name, field in Pricing.fields.model_fields.items() if not field.description] == []


def test_an_unknown_field_is_told_with_the_nearest_one():
    _, [problem] = check_text(f'{CATALOG} pricing "p" {{ celing = 5 }}')

    assert (problem.code, problem.help) == ("M301", "did you mean `ceiling`?")


def test_rules_without_a_schema_are_checked_as_far_as_they_can_be():
    ruleset, found = check_text(
        'pricing "p" { start = foo  currency = USD  floor = bar * 2 } listing "l" { pricing = "p" }'
    )

    assert [one for one in found if one.level == "error"] == []
    with pytest.raises(PolicyError):
        ruleset.decide({"sku": "a", "price": Decimal(1)})
