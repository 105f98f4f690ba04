from __future__ import annotations

import datetime
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

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
    RoundingMode,
    Step,
    TextTest,
    Today,
    number,
)
from merx.engine.fault import Fault
from merx.engine.functions import FUNCTIONS
from merx.engine.hooks import Function
from merx.engine.interpret import Product, evaluate, regex_problem, run
from merx.engine.source import Source, Span
from merx.engine.types import DATE, FLAG, NUMBER, TEXT, TEXTS, UNKNOWN, Type, Value, money

TODAY = datetime.date(2026, 11, 23)
FULL = Decimal("9" * 38)
TINY = Decimal("1E-38")
YES, NO = Constant(type=FLAG, value=True), Constant(type=FLAG, value=False)
FAILS = Fail(type=FLAG, message="it was evaluated")
PRICE = Attribute(type=NUMBER, name="price")
COST = Attribute(type=NUMBER.maybe(), name="cost")


def value(expression: Expression, **product: Any) -> Value:
    return evaluate(expression, product, today=TODAY)


def fault(expression: Expression, **product: Any) -> str:
    with pytest.raises(Fault) as raised:
        evaluate(expression, product, today=TODAY)
    return raised.value.message


def text(given: str | None) -> Expression:
    return Constant(type=TEXT.maybe(given is None), value=given)


def nothing(type_: Type = NUMBER) -> Expression:
    return Constant(type=type_.maybe(), value=None)


def sum_(operator: Any, left: Any, right: Any) -> Expression:
    return Arithmetic(type=NUMBER, operator=operator, left=number(left), right=number(right))


def rounded(given: str, step: str, mode: RoundingMode) -> Value:
    return value(Round(type=NUMBER, operand=number(given), step=number(step), mode=mode))


def compared(operator: Any, left: Expression, right: Expression, **product: Any) -> Value:
    return value(Compare(operator=operator, left=left, right=right), **product)


# --- numbers


def test_sums_differences_and_products_are_exact() -> None:
    assert value(sum_("+", "0.1", "0.2")) == Decimal("0.3")
    assert value(sum_("-", "1", FULL)) == Decimal("-9" + "9" * 36 + "8")
    assert value(sum_("*", "1.0000000000000000001", "1.000000000000000001")) == Decimal(
        "1.0000000000000000011000000000000000001"
    )


@pytest.mark.parametrize(
    ("left", "right", "quotient"),
    [
        ("1", "3", "0.333333333333"),
        ("2", "3", "0.666666666667"),
        ("-2", "3", "-0.666666666667"),
        ("2", "-3", "-0.666666666667"),
        ("1", "8", "0.125"),
        ("0.000000000001", "2", "0"),
        ("0.000000000003", "2", "0.000000000002"),
        ("-0.000000000003", "2", "-0.000000000002"),
        ("0.00000000000250000000000000000001", "1", "0.000000000003"),
        ("0", "5", "0"),
    ],
)
def test_a_quotient_is_rounded_once_half_even_to_twelve_places(left: str, right: str, quotient: str) -> None:
    assert value(sum_("/", left, right)) == Decimal(quotient)


def test_division_by_zero_is_a_fault() -> None:
    assert fault(sum_("/", "1", "0.00")) == "division by zero"


@pytest.mark.parametrize(
    ("operator", "left", "right"),
    [
        ("+", FULL, "1"),
        ("+", FULL, "0.1"),
        ("-", -FULL, "1"),
        ("*", FULL, "1.1"),
        ("*", "1E+20", "1E+18"),
        ("*", TINY, "0.1"),
        ("+", "1E+30", TINY),
        ("/", FULL, "0.1"),
        ("/", FULL, "3.5"),
    ],
)
def test_a_result_beyond_38_digits_is_a_fault_and_never_rounded(operator: str, left: Any, right: Any) -> None:
    assert fault(sum_(operator, left, right)) == "a number beyond 38 digits"


@pytest.mark.parametrize(
    ("operator", "left", "right", "result"),
    [
        ("+", "9" * 37 + "8", "1", FULL),
        ("+", "0." + "9" * 37 + "1", "0." + "0" * 37 + "9", "1"),
        ("*", "9" * 37 + "0", "0.10", "9" * 37),
        ("*", "1E+19", "1E+18", "1E+37"),
        ("*", "5E-20", "2E-18", TINY * 10),
        ("/", "1E+37", "1E-0", "1E+37"),
    ],
)
def test_zeros_at_the_end_of_a_fraction_do_not_count_as_digits(
    operator: str, left: Any, right: Any, result: Any
) -> None:
    assert value(sum_(operator, left, right)) == Decimal(result)


def test_a_fault_of_the_left_operand_comes_before_one_of_the_right() -> None:
    both = Arithmetic(type=NUMBER, operator="/", left=COST_DEMANDED, right=number(0))
    assert fault(both) == "no cost"
    assert fault(both, cost=1) == "division by zero"


COST_DEMANDED = Demand(type=NUMBER, operand=COST, message="no cost")

MODES: dict[RoundingMode, list[str]] = {
    #               0.1   0.5   0.9   1.5   2.5  -0.1  -0.5  -0.9  -1.5  -2.5
    "half_up": ["0", "1", "1", "2", "3", "0", "-1", "-1", "-2", "-3"],
    "half_even": ["0", "0", "1", "2", "2", "0", "0", "-1", "-2", "-2"],
    "up": ["1", "1", "1", "2", "3", "-1", "-1", "-1", "-2", "-3"],
    "down": ["0", "0", "0", "1", "2", "0", "0", "0", "-1", "-2"],
    "ceiling": ["1", "1", "1", "2", "3", "0", "0", "0", "-1", "-2"],
    "floor": ["0", "0", "0", "1", "2", "-1", "-1", "-1", "-2", "-3"],
}


@pytest.mark.parametrize("mode", MODES)
def test_each_rounding_mode_rounds_to_whole_numbers_as_it_says(mode: RoundingMode) -> None:
    given = ["0.1", "0.5", "0.9", "1.5", "2.5", "-0.1", "-0.5", "-0.9", "-1.5", "-2.5"]
    assert [rounded(one, "1", mode) for one in given] == [Decimal(one) for one in MODES[mode]]


def test_rounding_is_to_multiples_of_any_step() -> None:
    assert rounded("11.055", "0.05", "half_up") == Decimal("11.05")
    assert rounded("11.075", "0.05", "half_up") == Decimal("11.10")
    assert rounded("10", "7", "half_up") == Decimal(7)
    assert rounded("10.5", "7", "half_up") == Decimal(14)
    assert rounded("12.34", "0.99", "up") == Decimal("12.87")


@pytest.mark.parametrize("step", ["0", "-0.01"])
def test_a_step_that_is_not_above_zero_is_a_fault(step: str) -> None:
    expression = Round(type=NUMBER, operand=number(1), step=number(step), mode="half_up")
    assert fault(expression) == "the step to round to is not above 0"


def test_rounding_beyond_38_digits_is_a_fault() -> None:
    expression = Round(type=NUMBER, operand=number(FULL), step=number("1E+37"), mode="up")
    assert fault(expression) == "a number beyond 38 digits"


def test_the_negative_of_zero_is_zero() -> None:
    assert str(value(Negate(type=NUMBER, operand=number(0)))) == "0"
    assert value(Negate(type=NUMBER, operand=number(FULL))) == Decimal("-" + "9" * 38)


# --- attributes


def test_an_attribute_that_is_absent_or_none_is_missing() -> None:
    assert value(COST) is None
    assert value(COST, cost=None) is None
    assert value(COST, cost=0) == 0


def test_a_missing_attribute_that_must_be_there_is_a_fault_with_its_name() -> None:
    assert fault(PRICE) == "`price` is missing"


def test_the_empty_text_is_not_missing() -> None:
    assert value(Attribute(type=TEXT, name="color"), color="") == ""


def test_a_missing_list_is_empty_and_missing_elements_are_left_out() -> None:
    categories = Attribute(type=TEXTS, name="categories")
    assert value(categories) == ()
    assert value(categories, categories=None) == ()
    assert value(categories, categories=["a", None, "b"]) == ("a", "b")


def test_a_list_of_numbers_holds_decimals() -> None:
    steps = Attribute(type=Type("list", item=NUMBER), name="steps")
    assert value(steps, steps=(1, None, Decimal("2.50"))) == (Decimal(1), Decimal("2.5"))


@pytest.mark.parametrize(
    ("type_", "given"),
    [
        (NUMBER, 1.5),
        (NUMBER, True),
        (NUMBER, "1"),
        (NUMBER, Decimal("NaN")),
        (NUMBER, Decimal("Infinity")),
        (NUMBER, Decimal("sNaN")),
        (money("EUR"), 10.0),
        (TEXT, 1),
        (FLAG, 1),
        (DATE, "2026-01-01"),
        (DATE, datetime.datetime(2026, 1, 1)),
        (TEXTS, "a"),
        (TEXTS, (1,)),
        (UNKNOWN, 1.5),
        (UNKNOWN, object()),
        (UNKNOWN, [0.5]),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(type_: Type, given: Any) -> None:
    with pytest.raises(TypeError, match="`x`"):
        value(Attribute(type=type_, name="x"), x=given)


def test_a_given_number_beyond_38_digits_is_a_fault() -> None:
    assert fault(PRICE, price=10**38) == "a number beyond 38 digits"
    assert value(PRICE, price=10**38 - 1) == FULL


def test_an_attribute_of_unknown_type_is_taken_as_it_is() -> None:
    x = Attribute(type=UNKNOWN.maybe(), name="x")
    assert [value(x, x=one) for one in (1, "1", True, TODAY, [1, None], None)] == [
        Decimal(1),
        "1",
        True,
        TODAY,
        (Decimal(1),),
        None,
    ]


def test_an_attribute_is_known_where_the_product_has_its_column_even_blank() -> None:
    assert value(HasAttribute(name="cost"), cost=None) is True
    assert value(HasAttribute(name="cost")) is False


def test_today_is_an_input() -> None:
    assert value(Today(type=DATE)) == TODAY


# --- names


def test_a_let_shadows_only_in_its_body() -> None:
    x = Local(type=NUMBER, name="x")
    inner = Let(type=NUMBER, name="x", value=Arithmetic(type=NUMBER, operator="+", left=x, right=number(1)), body=x)
    both = Let(
        type=NUMBER,
        name="x",
        value=number(1),
        body=Arithmetic(type=NUMBER, operator="*", left=inner, right=x),
    )
    assert value(both) == 2


def test_the_value_of_a_let_is_evaluated_even_where_nothing_reads_it() -> None:
    assert fault(Let(type=FLAG, name="x", value=FAILS, body=YES)) == "it was evaluated"


# --- conditions


def test_a_missing_value_equals_nothing_not_even_another() -> None:
    assert compared("==", COST, number(0)) is False
    assert compared("!=", COST, number(0)) is True
    assert compared("==", COST, COST) is False
    assert compared("!=", COST, COST) is True


def test_numbers_are_equal_by_value_and_texts_exactly() -> None:
    assert compared("==", number("1.50"), number("1.5")) is True
    assert compared("==", text("a"), text("A")) is False
    assert compared("==", YES, YES) is True


@pytest.mark.parametrize(
    ("operator", "outcomes"),
    [
        ("<", [True, False, False]),
        ("<=", [True, True, False]),
        (">", [False, False, True]),
        (">=", [False, True, True]),
        ("==", [False, True, False]),
        ("!=", [True, False, True]),
    ],
)
def test_orders_hold_at_below_and_above_equality(operator: str, outcomes: list[bool]) -> None:
    assert [compared(operator, number(one), number(2)) for one in (1, 2, 3)] == outcomes
    days = [Constant(type=DATE, value=TODAY + datetime.timedelta(days=one)) for one in (-1, 0, 1)]
    assert [compared(operator, day, Today(type=DATE)) for day in days] == outcomes


def test_one_of_takes_missing_operands_and_options() -> None:
    options = (number(1), nothing(), number("2.0"))
    assert value(OneOf(operand=number(2), options=options)) is True
    assert value(OneOf(operand=nothing(), options=options)) is False
    assert value(OneOf(operand=number(3), options=())) is False


def test_one_of_evaluates_every_option() -> None:
    assert fault(OneOf(operand=YES, options=(YES, FAILS))) == "it was evaluated"


def test_a_range_holds_both_its_ends_and_no_missing_value() -> None:
    def between(operand: Expression) -> Value:
        return value(Between(operand=operand, low=number(1), high=number(3)))

    assert [between(number(one)) for one in (0, 1, 2, 3, 4)] == [False, True, True, True, False]
    assert between(nothing()) is False


def test_a_list_has_any_or_all_of_items_and_never_a_missing_one() -> None:
    ab = ListOf(type=TEXTS, items=(text("a"), text("b")))

    def has(every: bool, *items: str | None) -> Value:
        return value(Has(operand=ab, items=tuple(text(item) for item in items), every=every))

    assert [has(True, "a", "b"), has(True, "a", "c"), has(True, "a", None), has(True)] == [True, False, False, True]
    assert [has(False, "c", "b"), has(False, "c"), has(False, None), has(False)] == [True, False, False, False]


@pytest.mark.parametrize(
    ("operator", "left", "right", "outcome"),
    [
        ("contains", "a tote bag", "tote", True),
        ("contains", "a tote bag", "Tote", False),
        ("contains", "", "", True),
        ("starts with", "tote", "to", True),
        ("starts with", "tote", "ot", False),
        ("ends with", "tote", "te", True),
        ("ends with", "tote", "", True),
        ("ends with", "te", "tote", False),
    ],
)
def test_text_tests_are_exact(operator: Any, left: str, right: str, outcome: bool) -> None:
    assert value(TextTest(operator=operator, left=text(left), right=text(right))) is outcome


@pytest.mark.parametrize(
    ("pattern", "given", "outcome"),
    [
        ("b+", "abba", True),
        ("^b", "abba", False),
        (r"^\p{Lu}", "Ärmel", True),
        ("(?i)TOTE", "a tote", True),
        (r"\d", "٣", True),
        ("^$", "", True),
        ("a.c", "a\nc", False),
    ],
)
def test_matches_searches_with_rusts_regular_expressions(pattern: str, given: str, outcome: bool) -> None:
    assert value(Matches(operand=text(given), pattern=pattern)) is outcome


def test_a_bad_regular_expression_is_named_in_one_line() -> None:
    assert regex_problem("a|b") is None
    assert regex_problem("(a") == "unclosed group"
    assert regex_problem("(?=a)") == "look-around, including look-ahead and look-behind, is not supported"
    assert regex_problem("a{1000}{1000}{1000}") == "Compiled regex exceeds size limit of 10485760 bytes"


def test_missing_and_not() -> None:
    assert value(IsMissing(operand=COST)) is True
    assert value(Not(operand=IsMissing(operand=COST)), cost=0) is True


# --- what is evaluated only when needed


def test_and_stops_at_the_first_false_and_or_at_the_first_true() -> None:
    assert value(And(operands=(YES, NO, FAILS))) is False
    assert value(Or(operands=(NO, YES, FAILS))) is True
    assert value(And(operands=(YES, YES))) is True
    assert value(Or(operands=(NO, NO))) is False
    assert fault(And(operands=(YES, FAILS))) == "it was evaluated"


def test_if_evaluates_only_the_branch_it_picks() -> None:
    assert value(If(type=FLAG, condition=YES, then=NO, otherwise=FAILS)) is False
    assert value(If(type=FLAG, condition=NO, then=FAILS, otherwise=YES)) is True


def test_choose_takes_the_first_branch_that_holds_and_evaluates_none_after_it() -> None:
    branches = (
        Branch(condition=NO, value=FAILS),
        Branch(condition=YES, value=number(1)),
        Branch(condition=FAILS, value=FAILS),
    )
    assert value(Choose(type=NUMBER, branches=branches, otherwise=FAILS, message="no rung")) == 1


def test_choose_without_a_branch_that_holds_is_otherwise_or_a_fault() -> None:
    branches = (Branch(condition=NO, value=FAILS),)
    assert value(Choose(type=NUMBER, branches=branches, otherwise=number(2), message="no rung")) == 2
    assert fault(Choose(type=NUMBER, branches=branches, otherwise=None, message="no rung")) == "no rung"


def test_coalesce_is_the_first_that_is_not_missing() -> None:
    assert value(Coalesce(type=NUMBER, operands=(COST, PRICE, FAILS)), price=0) == 0
    assert value(Coalesce(type=NUMBER.maybe(), operands=(COST, COST))) is None


def test_demand_require_and_fail_say_their_message() -> None:
    assert fault(COST_DEMANDED) == "no cost"
    assert value(COST_DEMANDED, cost=3) == 3
    assert fault(Require(type=FLAG, condition=NO, message="never below cost", body=FAILS)) == "never below cost"
    assert value(Require(type=FLAG, condition=YES, message="never below cost", body=NO)) is False
    assert value(Present(type=NUMBER, operand=COST), cost=3) == 3


@pytest.mark.parametrize("condition", [YES, NO, FAILS])
def test_a_note_changes_nothing(condition: Expression) -> None:
    assert value(Noted(type=NUMBER, condition=condition, message="clamped", body=number(1))) == 1


# --- functions


def test_a_function_is_called_with_the_values_of_its_arguments() -> None:
    call = Call(type=NUMBER, function=FUNCTIONS["max"], arguments=(PRICE, number(5)))
    assert [value(call, price=one) for one in (4, 6)] == [5, 6]


def test_what_a_function_gives_is_held_against_its_type() -> None:
    def call(result: Any, type_: Type) -> Expression:
        return Call(type=type_, function=Function("f", None, "", lambda: result), arguments=())

    assert value(call(3, NUMBER)) == Decimal(3)
    assert value(call(None, NUMBER.maybe())) is None
    assert fault(call(10**38, NUMBER)) == "a number beyond 38 digits"
    with pytest.raises(TypeError, match=r"`f` is a number, and was given 0\.5, of type float"):
        value(call(0.5, NUMBER))


# --- programs and places

RULE = Source("rules/a.merx", "one\ntwo\nthree\n")
LINE_1, LINE_2, LINE_3 = Span(RULE, 0, 3), Span(RULE, 4, 7), Span(RULE, 8, 13)


def outcome_of(program: Program, product: Product) -> tuple[dict[str, Value], str | None]:
    outcome = run(program, product, today=TODAY)
    return dict(outcome.values), outcome.reason


def test_steps_see_earlier_steps_and_outcomes_see_all_of_them() -> None:
    start = Local(type=NUMBER, name="start")
    program = Program(
        outcome="price",
        steps=(
            Step(name="start", value=PRICE, label="start"),
            Step(name="next", value=Negate(type=NUMBER, operand=start), label="next"),
        ),
        outcomes=(("price", start), ("sale_price", Local(type=NUMBER, name="next"))),
    )
    assert outcome_of(program, {"price": 2}) == ({"price": Decimal(2), "sale_price": Decimal(-2)}, None)


def test_one_fault_holds_every_outcome_of_the_program_with_its_place() -> None:
    program = Program(
        outcome="price",
        steps=(Step(name="a", value=PRICE, label="a"),),
        outcomes=(("price", number(1)), ("sale_price", Fail(type=NUMBER, message="too dear", span=LINE_3))),
    )
    nothing_ = {"price": None, "sale_price": None}
    assert outcome_of(program, {"price": 2}) == (nothing_, "price: too dear (rules/a.merx:3)")
    assert outcome_of(program, {}) == (nothing_, "price: `price` is missing")


def test_a_step_that_nothing_reads_holds_too() -> None:
    program = Program(
        outcome="quantity",
        steps=(Step(name="unused", value=FAILS, label="unused", span=LINE_1),),
        outcomes=(("quantity", number(1)),),
    )
    assert outcome_of(program, {}) == ({"quantity": None}, "quantity: it was evaluated (rules/a.merx:1)")


@pytest.mark.parametrize(
    ("own", "around", "step", "line"),
    [
        (LINE_1, LINE_2, LINE_3, "1"),
        (None, LINE_2, LINE_3, "2"),
        (None, None, LINE_3, "3"),
    ],
)
def test_a_fault_has_the_nearest_place_around_it(
    own: Span | None, around: Span | None, step: Span | None, line: str
) -> None:
    inner = Negate(type=NUMBER, operand=Fail(type=NUMBER, message="x", span=own))
    value_ = Negate(type=NUMBER, operand=inner, span=around)
    program = Program(
        outcome="price",
        steps=(Step(name="a", value=Negate(type=NUMBER, operand=value_), label="a", span=step),),
        outcomes=(("price", number(1)),),
    )
    assert outcome_of(program, {})[1] == f"price: x (rules/a.merx:{line})"


def test_interpret_needs_neither_polars_nor_the_columns() -> None:
    code = (
        "import sys, merx.engine.interpret, merx.engine.functions, merx.engine.trace, merx.engine.fault\n"
        "print(sorted({'polars', 'merx.engine.columns'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
