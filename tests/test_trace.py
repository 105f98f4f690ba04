from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest

from merx.engine.expression import (
    And,
    Attribute,
    Branch,
    Choose,
    Coalesce,
    Compare,
    Constant,
    Expression,
    Has,
    If,
    Let,
    Local,
    Not,
    Noted,
    Or,
    Present,
    Program,
    Require,
    Round,
    Step,
    number,
)
from merx.engine.source import Source, Span
from merx.engine.trace import (
    Clause,
    ConditionTrace,
    Noticed,
    ProgramTrace,
    Read,
    Taken,
    Trace,
    explain_condition,
    explain_listing,
    explain_program,
    format_value,
)
from merx.engine.types import (
    DATE,
    DURATION,
    FLAG,
    NUMBER,
    PERCENT,
    SIZE,
    TEXT,
    TEXTS,
    UNKNOWN,
    Type,
    Value,
    money,
)

TODAY = datetime.date(2026, 11, 23)

RULES = Source(
    "rules/bags.merx",
    'start = map ?? price\nround = half_up\n  to 0.05\nensure price > 5.00 "too cheap"\n'
    "ladder qty {\n  above 10 -> 20\n  else -> 2\n}\n"
    'assign = categories has "Bags" and (price >= 20.00 or color == "Red") and not color == "Blue"\n',
)


def at(text: str) -> Span:
    start = RULES.text.index(text)
    return Span(RULES, start, start + len(text))


EUR = money("EUR")
PRICE = Attribute(type=EUR, name="price")
MAP = Attribute(type=EUR.maybe(), name="map")
COLOR = Attribute(type=TEXT.maybe(), name="color")
QTY = Attribute(type=NUMBER, name="qty")
CATEGORIES = Attribute(type=TEXTS, name="categories")
START = Local(type=EUR, name="start")
ROUNDED = Local(type=EUR, name="rounded")

PROGRAM = Program(
    outcome="price",
    steps=(
        Step(
            name="start",
            value=Coalesce(type=EUR, operands=(MAP, PRICE), span=at("map ?? price")),
            label="start",
            span=at("start = map ?? price"),
        ),
        Step(
            name="rounded",
            value=Noted(
                type=EUR,
                condition=Compare(operator=">", left=START, right=number(11)),
                message="rounded down",
                body=Round(type=EUR, operand=START, step=number("0.05"), mode="half_up"),
                span=at("half_up\n  to 0.05"),
            ),
            label="rounded",
        ),
        Step(
            name="ensured",
            value=Require(
                type=EUR,
                condition=Compare(operator=">", left=ROUNDED, right=number(5), span=at("price > 5.00")),
                message="too cheap",
                body=ROUNDED,
                span=at('ensure price > 5.00 "too cheap"'),
            ),
            label="ensure",
        ),
    ),
    outcomes=(("price", Local(type=EUR, name="ensured")),),
)


def explained(program: Program, **product: Any) -> ProgramTrace:
    return explain_program(program, product, today=TODAY, kind="pricing", title="Plain")


def test_a_program_is_explained_from_what_was_read_to_what_is_sent() -> None:
    trace = explained(PROGRAM, map=None, price=Decimal("11.07"))
    assert [(step.label, step.value, step.rule, step.place) for step in trace.steps] == [
        ("start", "11.07", "start = map ?? price", "rules/bags.merx:1"),
        ("rounded", "11.05", "half_up to 0.05", "rules/bags.merx:2"),
        ("ensure", "11.05", 'ensure price > 5.00 "too cheap"', "rules/bags.merx:4"),
    ]
    assert trace.steps[0].reads == (Read("map", "missing"), Read("price", "11.07"))
    assert trace.steps[1].reads == (Read("start", "11.07", step=True),)
    assert trace.steps[1].notes == (Noticed("rounded down", "rules/bags.merx:2"),)
    assert [(one.name, one.value) for one in trace.outcomes] == [("price", "11.05")]
    assert (trace.values, trace.reason) == ({"price": "11.05"}, None)


def test_a_held_program_is_explained_up_to_the_step_that_faulted() -> None:
    trace = explained(PROGRAM, price=Decimal("4.99"))
    assert [(step.name, step.value) for step in trace.steps] == [
        ("start", "4.99"),
        ("rounded", "5"),
        ("ensured", None),
    ]
    assert trace.steps[2].reads == (Read("rounded", "5", step=True),)
    assert trace.outcomes == ()
    assert (trace.values, trace.reason) == ({"price": None}, "price: too cheap (rules/bags.merx:4)")


def test_a_trace_shows_which_rung_was_taken() -> None:
    ladder = Choose(
        type=NUMBER,
        branches=(
            Branch(
                condition=Compare(operator=">", left=QTY, right=number(10), span=at("above 10")),
                value=Constant(type=NUMBER, value=Decimal(20), span=at("20\n")),
            ),
        ),
        otherwise=Constant(type=NUMBER, value=Decimal(2), span=at("2\n}")),
        message="no rung takes `qty`",
    )
    program = Program(
        outcome="quantity",
        steps=(Step(name="quantity", value=ladder, label="threshold"),),
        outcomes=(("quantity", Local(type=NUMBER, name="quantity")),),
    )
    assert explained(program, qty=11).steps[0].taken == (Taken("above 10 -> 20", "rules/bags.merx:6"),)
    assert explained(program, qty=10).steps[0].taken == (Taken("2 }", "rules/bags.merx:7"),)


def test_a_trace_shows_which_branch_of_an_if_was_taken() -> None:
    choice = If(
        type=NUMBER,
        condition=Compare(operator=">", left=QTY, right=number(10)),
        then=Constant(type=NUMBER, value=Decimal(20), span=at("20\n")),
        otherwise=number(2),
        span=at("ladder qty"),
    )
    program = Program(outcome="quantity", steps=(), outcomes=(("quantity", choice),))
    assert explained(program, qty=11).outcomes[0].taken == (Taken("20", "rules/bags.merx:6"),)
    assert explained(program, qty=1).outcomes[0].taken == (Taken("ladder qty", "rules/bags.merx:5"),)


BAGS = Has(
    operand=CATEGORIES,
    items=(Constant(type=TEXT, value="Bags"),),
    every=True,
    span=at('categories has "Bags"'),
)
DEAR = Compare(operator=">=", left=PRICE, right=number(20), span=at("price >= 20.00"))
RED = Compare(operator="==", left=COLOR, right=Constant(type=TEXT, value="Red"), span=at('color == "Red"'))
BLUE = Compare(operator="==", left=COLOR, right=Constant(type=TEXT, value="Blue"), span=at('color == "Blue"'))
ASSIGN = And(
    operands=(
        BAGS,
        Or(operands=(DEAR, RED), span=at('price >= 20.00 or color == "Red"')),
        Not(operand=BLUE, span=at('not color == "Blue"')),
    ),
    span=at('categories has "Bags" and (price >= 20.00 or color == "Red") and not color == "Blue"'),
)
BAG: dict[str, Value] = {"categories": ("Bags",), "price": Decimal(25), "color": "Green"}


def because(**changed: Value) -> list[tuple[str | None, bool, dict[str, str]]]:
    trace = explain_condition(ASSIGN, {**BAG, **changed}, today=TODAY)
    return [(one.rule, one.holds, {read.name: read.value for read in one.reads}) for one in trace.because]


def test_of_an_and_the_first_false_part_is_why() -> None:
    assert because(categories=("Shoes",), color="Blue") == [
        ('categories has "Bags"', False, {"categories": '["Shoes"]'})
    ]


def test_of_an_or_every_part_is_why() -> None:
    assert because(price=Decimal("19.99"), color=None) == [
        ("price >= 20.00", False, {"price": "19.99"}),
        ('color == "Red"', False, {"color": "missing"}),
    ]


def test_a_not_is_shown_whole_where_it_has_no_parts() -> None:
    assert because(color="Blue") == [('not color == "Blue"', False, {"color": '"Blue"'})]


def test_a_condition_that_holds_shows_what_made_it_hold() -> None:
    trace = explain_condition(ASSIGN, {**BAG, "color": "Red", "price": Decimal(1)}, today=TODAY)
    assert trace.holds is True
    assert [one.rule for one in trace.because] == [
        'categories has "Bags"',
        'color == "Red"',
        'not color == "Blue"',
    ]


def test_the_parts_of_a_negated_or_and_of_what_is_bound_inside_are_found() -> None:
    bound = Let(
        type=FLAG,
        name="x",
        value=PRICE,
        body=Not(operand=Or(operands=(BLUE, Compare(operator=">", left=Local(type=EUR, name="x"), right=number(5))))),
        span=at("price > 5.00"),
    )
    trace = explain_condition(Present(type=FLAG, operand=bound), BAG, today=TODAY)
    assert trace == ConditionTrace(
        False, (Clause("price > 5.00", "rules/bags.merx:4", True, (Read("x", "25", step=True),)),)
    )


def test_the_branch_of_an_if_is_why_together_with_its_condition() -> None:
    choice = If(type=FLAG, condition=BLUE, then=DEAR, otherwise=RED)
    trace = explain_condition(choice, BAG, today=TODAY)
    assert [(one.rule, one.holds) for one in trace.because] == [('color == "Blue"', False), ('color == "Red"', False)]


def test_a_condition_that_faults_says_so_with_a_place() -> None:
    unnamed: Expression = Compare(operator=">", left=PRICE, right=number(5))
    trace = explain_condition(unnamed, {}, today=TODAY, span=at("assign"))
    assert trace == ConditionTrace(None, (), "listing: `price` is missing (rules/bags.merx:9)")


def test_a_listing_says_whether_it_took_the_product_and_why_not() -> None:
    def listing(*, assign: Expression | None, picked: bool = False, **changed: Value) -> dict[str, Any]:
        return explain_listing(
            title="Bags EU",
            priority=Decimal("10.0"),
            assign=assign,
            picked=picked,
            span=at("assign"),
            product={**BAG, **changed},
            today=TODAY,
        ).to_dict()

    taken = listing(assign=ASSIGN)
    assert (taken["title"], taken["priority"], taken["took"], taken["place"]) == (
        "Bags EU",
        "10",
        True,
        "rules/bags.merx:9",
    )
    assert listing(assign=ASSIGN, color="Blue")["took"] is False
    assert listing(assign=ASSIGN, price=None)["condition"] == {
        "holds": None,
        "because": (),
        "fault": "listing: `price` is missing (rules/bags.merx:9)",
    }
    assert (listing(assign=None)["took"], listing(assign=None)["condition"]) == (False, None)
    assert (listing(assign=ASSIGN, picked=True, color="Blue")["took"]) is True


def test_a_whole_trace_is_plain_json_with_stable_keys() -> None:
    program = explained(PROGRAM, price=Decimal("11.07"))
    trace = Trace("24-MB01", "Bags EU", "ready", (), (), (program,), program.values)
    shown = json.loads(json.dumps(trace.to_dict()))
    assert list(shown) == ["sku", "listing", "status", "reasons", "listings", "programs", "values"]
    assert list(shown["programs"][0]) == ["kind", "title", "outcome", "steps", "outcomes", "values", "reason"]
    assert list(shown["programs"][0]["steps"][0]) == [
        "label",
        "name",
        "value",
        "rule",
        "place",
        "reads",
        "taken",
        "notes",
    ]
    assert shown["programs"][0]["steps"][0]["reads"][0] == {"name": "map", "value": "missing", "step": False}


@pytest.mark.parametrize(
    ("value", "type_", "text"),
    [
        (Decimal("11.0550"), NUMBER, "11.055"),
        (Decimal("1E+5"), NUMBER, "100000"),
        (Decimal("1E-7"), NUMBER, "0.0000001"),
        (Decimal("-0.00"), NUMBER, "0"),
        (Decimal("100"), NUMBER, "100"),
        (Decimal("9" * 38), EUR, "9" * 38),
        (Decimal("12.50"), EUR, "12.5"),
        (Decimal("0.1"), PERCENT, "10%"),
        (Decimal("-0.025"), PERCENT, "-2.5%"),
        (Decimal("0." + "3" * 38), PERCENT, "33." + "3" * 36 + "%"),
        (Decimal(900), DURATION, "15m"),
        (Decimal(5400), DURATION, "90m"),
        (Decimal(7200), DURATION, "2h"),
        (Decimal(1209600), DURATION, "14d"),
        (Decimal("1.5"), DURATION, "1.5s"),
        (Decimal(0), DURATION, "0s"),
        (Decimal(2000000), SIZE, "2MB"),
        (Decimal(1024), SIZE, "1024B"),
        ('a "b" \\ c', TEXT, '"a \\"b\\" \\\\ c"'),
        (True, FLAG, "yes"),
        (False, FLAG, "no"),
        (TODAY, DATE, "2026-11-23"),
        (None, TEXT.maybe(), "missing"),
        (("a", "b"), TEXTS, '["a", "b"]'),
        ((Decimal("0.5"),), Type("list", item=PERCENT), "[50%]"),
        ((Decimal("0.50"), "a", True), UNKNOWN, '[0.5, "a", yes]'),
        ((), TEXTS, "[]"),
    ],
)
def test_values_are_shown_as_people_read_them(value: Value, type_: Type, text: str) -> None:
    assert format_value(value, type_) == text


def test_money_shows_its_currency_where_asked() -> None:
    assert format_value(Decimal("12.50"), EUR, currency=True) == "12.5 EUR"
    assert format_value((Decimal(1),), Type("list", item=EUR), currency=True) == "[1 EUR]"
    assert format_value(Decimal(1), NUMBER, currency=True) == "1"
