"""`columns`, node by node, against values worked out by hand. That it agrees with `interpret` is `test_twins`' to show."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from merx.engine.columns import TOO_WIDE, bind, run, truths
from merx.engine.diagnostic import PolicyError
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
from merx.engine.functions import FUNCTIONS
from merx.engine.hooks import Function
from merx.engine.ruleset import check_text
from merx.engine.source import Source, Span
from merx.engine.types import DATE, FLAG, NUMBER, TEXT, TEXTS, Type, Value

TODAY = datetime.date(2026, 11, 23)
NUMBERS = Type("list", item=NUMBER)
FULL = Decimal("9" * 38)
YES, NO = Constant(type=FLAG, value=True), Constant(type=FLAG, value=False)
FAILS = Fail(type=FLAG, message="it was evaluated")


def attribute(name: str, type_: Type) -> Attribute:
    return Attribute(type=type_, name=name)


X, Y = attribute("x", NUMBER), attribute("y", NUMBER)
MAYBE = attribute("x", NUMBER.maybe())
WORD, MAYBE_WORD = attribute("word", TEXT), attribute("word", TEXT.maybe())
WORDS = attribute("words", TEXTS)
DAY = attribute("day", DATE)
ON = attribute("on", FLAG)


def decimals(scale: int, *values: str | None, precision: int = 38) -> pl.Series:
    exact = [None if value is None else Decimal(value) for value in values]
    return pl.Series(exact, dtype=pl.Decimal(precision, scale))


def outcomes(expression: Expression, /, **columns: Any) -> list[Any]:
    """For each row the value, or the reason why it is held."""
    found = run(
        Program(outcome="price", steps=(), outcomes=(("value", expression),)), bind(pl.DataFrame(columns)), today=TODAY
    )
    values = found.values["value"].to_list()
    assert all(value is None for value, reason in zip(values, found.reasons, strict=True) if reason is not None)
    return [value if reason is None else reason for value, reason in zip(values, found.reasons, strict=True)]


def arithmetic(operator: Any, left: Expression, right: Expression) -> Arithmetic:
    return Arithmetic(type=NUMBER, operator=operator, left=left, right=right)


def rounded(operand: Expression, step: Expression, mode: RoundingMode) -> Round:
    return Round(type=NUMBER, operand=operand, step=step, mode=mode)


def compare(operator: Any, left: Expression, right: Expression) -> Compare:
    return Compare(operator=operator, left=left, right=right)


def text(value: str | None) -> Constant:
    return Constant(type=TEXT.maybe(value is None), value=value)


def call(name: str, type_: Type, *arguments: Expression) -> Call:
    return Call(type=type_, function=FUNCTIONS[name], arguments=arguments)


def exactly(*values: str) -> list[Decimal]:
    return [Decimal(value) for value in values]


# --- numbers


def test_sums_of_different_scales_are_exact() -> None:
    sums = outcomes(arithmetic("+", X, Y), x=decimals(2, "0.10", "-5.25"), y=decimals(6, "0.200001", "5.25"))
    assert sums == exactly("0.300001", "0")


def test_differences_and_products_are_exact() -> None:
    columns = {"x": decimals(2, "10.05", "-0.01"), "y": decimals(4, "1.1000", "0.0003")}
    assert outcomes(arithmetic("-", X, Y), **columns) == exactly("8.95", "-0.0103")
    assert outcomes(arithmetic("*", X, Y), **columns) == exactly("11.055", "-0.000003")


def test_a_percentage_of_a_price_keeps_each_digit() -> None:
    assert outcomes(arithmetic("*", X, number("1.1")), x=decimals(2, "10.05")) == exactly("11.055")


@pytest.mark.parametrize("width", [pl.Int8, pl.Int32, pl.Int64, pl.Int128, pl.UInt8, pl.UInt64])
def test_integers_of_every_width_are_numbers(width: Any) -> None:
    assert outcomes(arithmetic("+", X, number("0.5")), x=pl.Series([0, 127], dtype=width)) == exactly("0.5", "127.5")


@pytest.mark.parametrize("edge", [2**63 - 1, -(2**63), 2**63, 2**62])
def test_nothing_wraps_at_the_edge_of_64_bits(edge: int) -> None:
    x = pl.Series([edge, 1], dtype=pl.Int128)
    assert outcomes(arithmetic("+", X, X), x=x) == [Decimal(2 * edge), Decimal(2)]
    assert outcomes(arithmetic("*", X, number(3)), x=x) == [Decimal(3 * edge), Decimal(3)]
    assert outcomes(Negate(type=NUMBER, operand=X), x=x) == [Decimal(-edge), Decimal(-1)]


def test_quotients_are_rounded_half_even_to_twelve_places() -> None:
    found = outcomes(
        arithmetic("/", X, Y), x=[1, 2, -2, 1, 3, -1, -3], y=[3, 3, 3, 2 * 10**12, 2 * 10**12] + [2 * 10**12] * 2
    )
    assert found == exactly(
        "0.333333333333", "0.666666666667", "-0.666666666667", "0", "0.000000000002", "0", "-0.000000000002"
    )


def test_quotients_of_negative_divisors_are_the_negated_ones() -> None:
    assert outcomes(arithmetic("/", X, Y), x=[7, -7, 7], y=[-2, -2, 2]) == exactly("-3.5", "3.5", "3.5")


def test_division_by_zero_holds_that_row_alone() -> None:
    assert outcomes(arithmetic("/", X, Y), x=[1, 1], y=[0, 4]) == ["price: division by zero", Decimal("0.25")]


TIES = ["-2.5", "-1.5", "-0.5", "0.5", "1.5", "2.5", "2.4", "-2.4", "2.6", "-2.6", "0", "3"]
MODES: dict[RoundingMode, str] = {
    "half_up": "-3 -2 -1 1 2 3 2 -2 3 -3 0 3",
    "half_even": "-2 -2 0 0 2 2 2 -2 3 -3 0 3",
    "up": "-3 -2 -1 1 2 3 3 -3 3 -3 0 3",
    "down": "-2 -1 0 0 1 2 2 -2 2 -2 0 3",
    "ceiling": "-2 -1 0 1 2 3 3 -2 3 -2 0 3",
    "floor": "-3 -2 -1 0 1 2 2 -3 2 -3 0 3",
}


@pytest.mark.parametrize(("mode", "wanted"), MODES.items())
@pytest.mark.parametrize("scale", [1, 30])
def test_every_mode_rounds_negative_numbers_and_ties(mode: RoundingMode, wanted: str, scale: int) -> None:
    x = decimals(scale, *TIES)
    assert outcomes(rounded(X, number(1), mode), x=x) == exactly(*wanted.split())
    # The same where the step is not known beforehand, and where nothing is negative.
    assert outcomes(rounded(X, Y, mode), x=x, y=[1] * 11 + [3]) == exactly(*wanted.split())
    positive = [place for place, value in enumerate(TIES) if not value.startswith("-")]
    some = decimals(scale, *(TIES[place] for place in positive))
    assert outcomes(rounded(X, number(1), mode), x=some) == exactly(*(wanted.split()[place] for place in positive))


@pytest.mark.parametrize(
    ("step", "wanted"),
    [("0.05", "1.05 1.00 -1.05"), ("0.03", "1.02 1.02 -1.02"), ("7", "0 0 0"), ("0.001", "1.025 1.024 -1.025")],
)
def test_steps_need_not_be_powers_of_ten(step: str, wanted: str) -> None:
    found = outcomes(rounded(X, number(step), "half_up"), x=decimals(3, "1.025", "1.024", "-1.025"))
    assert found == exactly(*wanted.split())


def test_a_step_that_is_not_above_zero_holds_the_row() -> None:
    fault = "price: the step to round to is not above 0"
    assert outcomes(rounded(X, Y, "half_up"), x=[7, 7, 7], y=[0, -5, 5]) == [fault, fault, Decimal(5)]


def test_the_charm_price_is_the_nearest_that_is_not_lower() -> None:
    charm = arithmetic("+", rounded(arithmetic("-", X, number("0.99")), number(1), "ceiling"), number("0.99"))
    assert outcomes(charm, x=decimals(2, "10.00", "10.99", "11.00", "0.01")) == exactly(
        "10.99", "10.99", "11.99", "0.99"
    )


# --- numbers that do not fit


def test_an_outlier_is_computed_exactly_and_stops_no_other_row() -> None:
    cube = arithmetic("*", arithmetic("*", X, X), X)
    found = outcomes(cube, x=pl.Series([2, 10**12, 10**13, -3], dtype=pl.Int128))
    assert found == [Decimal(8), Decimal(10**36), "price: a number beyond 38 digits", Decimal(-27)]


def test_no_window_helps_where_every_row_is_large_and_each_is_still_exact() -> None:
    huge = pl.Series([FULL, Decimal(1)], dtype=pl.Decimal(38, 0))
    assert outcomes(arithmetic("+", X, number(1)), x=huge) == ["price: a number beyond 38 digits", Decimal(2)]
    assert outcomes(arithmetic("-", X, number(1)), x=huge) == [Decimal("9" * 37 + "8"), Decimal(0)]


def test_a_zero_among_outliers_takes_nothing_from_the_others() -> None:
    product = arithmetic("*", arithmetic("*", X, Y), number("0.000000000000000000000001"))
    x = pl.Series([0, 10**30, 3], dtype=pl.Int128)
    y = pl.Series([10**20, 10**7, 10**20], dtype=pl.Int128)
    assert outcomes(product, x=x, y=y) == exactly("0", "10000000000000", "0.0003")


def test_what_one_column_cannot_hold_beside_the_others_is_held_and_says_so() -> None:
    halves = arithmetic("*", X, number("0.5"))
    x = pl.Series([8 * 10**37, 1], dtype=pl.Int128)
    held, half = outcomes(arithmetic("*", halves, number("0.1")), x=x)
    assert (held, half) == (f"price: {TOO_WIDE}", Decimal("0.05"))


# --- missing values and faults


def test_a_required_attribute_that_is_missing_holds_its_row() -> None:
    assert outcomes(X, x=[1, None]) == [Decimal(1), "price: `x` is missing"]
    assert outcomes(WORD, word=["a", None]) == ["a", "price: `word` is missing"]
    assert outcomes(X, sku=["a", "b"]) == ["price: `x` is missing"] * 2


def test_an_optional_attribute_that_is_missing_is_no_fault() -> None:
    assert outcomes(MAYBE, x=[1, None]) == [Decimal(1), None]
    assert outcomes(MAYBE, sku=["a"]) == [None]


def test_a_column_without_any_value_is_missing_everywhere() -> None:
    nothing = pl.Series([None, None], dtype=pl.Decimal(18, 2))
    assert outcomes(Coalesce(type=NUMBER, operands=(MAYBE, Y)), x=nothing, y=[1, 2]) == exactly("1", "2")
    assert outcomes(IsMissing(operand=MAYBE), x=nothing) == [True, True]
    assert outcomes(X, x=nothing) == ["price: `x` is missing"] * 2


def test_a_missing_list_is_an_empty_one() -> None:
    assert outcomes(WORDS, words=[["a"], None]) == [["a"], []]
    assert outcomes(WORDS, sku=["a"]) == [[]]


def test_demand_and_fail_say_their_message() -> None:
    assert outcomes(Demand(type=NUMBER, operand=MAYBE, message="no cost"), x=[3, None]) == [
        Decimal(3),
        "price: no cost",
    ]
    assert outcomes(Fail(type=NUMBER, message="never"), sku=["a", "b"]) == ["price: never"] * 2


def test_require_lets_through_what_meets_it_and_evaluates_nothing_else() -> None:
    positive = Require(
        type=NUMBER, condition=compare(">", X, number(0)), message="not above 0", body=arithmetic("/", Y, X)
    )
    assert outcomes(positive, x=[4, 0, -1], y=[1, 1, 1]) == [
        Decimal("0.25"),
        "price: not above 0",
        "price: not above 0",
    ]


def test_a_note_never_changes_an_outcome() -> None:
    assert outcomes(Noted(type=NUMBER, condition=FAILS, message="noted", body=X), x=[1]) == [Decimal(1)]


def test_the_first_fault_in_reading_order_is_the_reason() -> None:
    first, second = Demand(type=NUMBER, operand=MAYBE, message="left"), Fail(type=NUMBER, message="right")
    assert outcomes(arithmetic("+", first, second), x=[1, None]) == ["price: right", "price: left"]


def test_a_reason_names_the_place_of_the_node_or_of_the_nearest_around_it() -> None:
    rules = Source("rules/bags.merx", "one\ntwo\nthree\n")
    one, three = Span(rules, 0, 3), Span(rules, 8, 13)
    placed = Arithmetic(type=NUMBER, operator="/", left=number(1), right=X, span=three)
    assert outcomes(placed, x=[0]) == ["price: division by zero (rules/bags.merx:3)"]
    inside = Not(operand=compare(">", Attribute(type=NUMBER, name="x"), number(0)), span=one)
    assert outcomes(inside, x=pl.Series([None], dtype=pl.Int64)) == ["price: `x` is missing (rules/bags.merx:1)"]


def test_a_step_lends_its_place_and_holds_every_outcome() -> None:
    span = Span(Source("rules/bags.merx", "one\ntwo\n"), 4, 7)
    program = Program(
        outcome="price",
        steps=(Step(name="start", value=arithmetic("/", number(1), X), label="start price", span=span),),
        outcomes=(("price", Local(type=NUMBER, name="start")), ("currency", text("EUR"))),
    )
    found = run(program, bind(pl.DataFrame({"x": [0, 4]})), today=TODAY)
    assert found.values.rows() == [(None, None), (Decimal("0.25"), "EUR")]
    assert found.reasons.to_list() == ["price: division by zero (rules/bags.merx:2)", None]


# --- what is evaluated only when needed


def test_and_and_or_stop_before_a_fault() -> None:
    positive = compare(">", X, number(0))
    fault = "price: it was evaluated"
    assert outcomes(And(operands=(positive, FAILS)), x=[1, -1]) == [fault, False]
    assert outcomes(Or(operands=(positive, FAILS)), x=[1, -1]) == [True, fault]
    assert outcomes(And(operands=(NO, FAILS)), x=[1]) == [False]
    assert outcomes(Or(operands=(YES, FAILS)), x=[1]) == [True]
    assert outcomes(And(operands=(FAILS, NO)), x=[1]) == [fault]
    assert outcomes(And(operands=(YES, YES)), x=[1]) == [True]


def test_if_evaluates_the_branch_it_picks() -> None:
    chosen = If(
        type=NUMBER, condition=compare("!=", X, number(0)), then=arithmetic("/", number(1), X), otherwise=number(7)
    )
    assert outcomes(chosen, x=[0, 2]) == exactly("7", "0.5")


def test_choose_takes_the_first_branch_that_holds() -> None:
    ladder = Choose(
        type=NUMBER,
        branches=(
            Branch(condition=compare(">", X, number(10)), value=number(20)),
            Branch(condition=compare("==", X, number(10)), value=X),
            Branch(
                condition=compare(">", X, number(0)), value=arithmetic("/", number(1), arithmetic("-", X, number(3)))
            ),
        ),
        otherwise=None,
        message="no rung takes it",
    )
    assert outcomes(ladder, x=[11, 10, 5, 3, -1]) == [
        Decimal(20), Decimal(10), Decimal("0.5"), "price: division by zero", "price: no rung takes it",
    ]  # fmt: skip


def test_coalesce_takes_the_first_that_is_not_missing_and_zero_is_not() -> None:
    either = Coalesce(type=NUMBER, operands=(MAYBE, arithmetic("/", number(1), Y)))
    assert outcomes(either, x=[0, None, None], y=[0, 2, 0]) == [Decimal(0), Decimal("0.5"), "price: division by zero"]


def test_branches_of_different_scales_keep_their_values() -> None:
    chosen = If(type=NUMBER, condition=ON, then=X, otherwise=Y)
    assert outcomes(
        chosen, on=[True, False], x=decimals(2, "1.25", "1.25"), y=decimals(9, "0", "0.000000001")
    ) == exactly("1.25", "0.000000001")


def test_a_guard_makes_an_optional_operand_safe() -> None:
    above = compare(">", Present(type=NUMBER, operand=MAYBE), number(2))
    assert outcomes(And(operands=(Not(operand=IsMissing(operand=MAYBE)), above)), x=[3, None, 1]) == [
        True,
        False,
        False,
    ]
    assert outcomes(Or(operands=(IsMissing(operand=MAYBE), above)), x=[3, None, 1]) == [True, True, False]


def test_let_computes_its_value_once_and_faults_even_where_nothing_reads_it() -> None:
    twice = Let(
        type=NUMBER, name="v", value=arithmetic("/", number(1), X),
        body=arithmetic("+", Local(type=NUMBER, name="v"), Local(type=NUMBER, name="v")),
    )  # fmt: skip
    assert outcomes(twice, x=[4, 0]) == [Decimal("0.5"), "price: division by zero"]
    unread = Let(type=NUMBER, name="v", value=arithmetic("/", number(1), X), body=number(1))
    assert outcomes(unread, x=[4, 0]) == [Decimal(1), "price: division by zero"]


def test_an_inner_let_hides_an_outer_one_only_inside() -> None:
    v = Local(type=NUMBER, name="v")
    inner = Let(type=NUMBER, name="v", value=number(100), body=arithmetic("+", v, X))
    assert outcomes(Let(type=NUMBER, name="v", value=X, body=arithmetic("-", inner, v)), x=[1, 2]) == exactly(
        "100", "100"
    )


# --- conditions


def test_a_missing_value_equals_nothing() -> None:
    assert outcomes(compare("==", MAYBE_WORD, text("a")), word=["a", "b", None]) == [True, False, False]
    assert outcomes(compare("!=", MAYBE_WORD, text("a")), word=["a", "b", None]) == [False, True, True]
    assert outcomes(compare("==", MAYBE, MAYBE), x=[1, None]) == [True, False]
    assert outcomes(compare("!=", MAYBE, MAYBE), x=[1, None]) == [False, True]
    assert outcomes(OneOf(operand=MAYBE_WORD, options=(text("a"), text(None))), word=["a", None]) == [True, False]
    assert outcomes(Not(operand=OneOf(operand=MAYBE, options=(number(1),))), x=[1, None]) == [False, True]
    assert outcomes(Between(operand=MAYBE, low=number(1), high=number(2)), x=[1, 2, 3, None]) == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("operator", "wanted"),
    [("<", [True, False, False]), ("<=", [True, True, False]), (">", [False, False, True]), (">=", [False, True, True]),
     ("==", [False, True, False]), ("!=", [True, False, True])],
)  # fmt: skip
def test_numbers_compare_by_value_whatever_their_scale(operator: str, wanted: list[bool]) -> None:
    x, y = decimals(2, "1.99", "2.00", "2.01"), decimals(5, "2.00000", "2.00000", "2.00000")
    assert outcomes(compare(operator, X, Y), x=x, y=y) == wanted
    assert outcomes(compare(operator, X, number("2.000")), x=x) == wanted


def test_a_number_between_two_places_equals_neither() -> None:
    assert outcomes(compare("==", X, number("1.005")), x=decimals(2, "1.00", "1.01")) == [False, False]
    assert outcomes(compare("<", X, number("1.005")), x=decimals(2, "1.00", "1.01")) == [True, False]


def test_dates_compare_by_day_and_today_is_an_input() -> None:
    days = [datetime.date(2026, 11, 22), TODAY, datetime.date(2026, 11, 24)]
    assert outcomes(compare("<=", DAY, Today(type=DATE)), day=days) == [True, True, False]


def test_lists_are_asked_for_any_or_all_items() -> None:
    words = pl.Series([["a", "b"], ["b"], [], None], dtype=pl.List(pl.String))
    items = (text("a"), text("b"))
    assert outcomes(Has(operand=WORDS, items=items, every=False), words=words) == [True, True, False, False]
    assert outcomes(Has(operand=WORDS, items=items, every=True), words=words) == [True, False, False, False]
    assert outcomes(Has(operand=WORDS, items=(), every=True), words=words) == [True] * 4
    assert outcomes(Has(operand=WORDS, items=(MAYBE_WORD,), every=False), words=words, word=["b", None, "b", "b"]) == [
        True, False, False, False,
    ]  # fmt: skip


def test_lists_of_numbers_are_asked_by_value() -> None:
    sizes = pl.Series([["1.50", "2.00"], ["3.00"]], dtype=pl.List(pl.String)).cast(pl.List(pl.Decimal(18, 2)))
    held = Has(operand=attribute("sizes", NUMBERS), items=(number("1.5"),), every=False)
    assert outcomes(held, sizes=sizes) == [True, False]


def test_texts_are_looked_into_exactly() -> None:
    words = ["tote bag", "bag", "Tote", ""]
    for operator, wanted in (
        ("contains", [True, False, False, False]),
        ("starts with", [True, False, False, False]),
        ("ends with", [False, False, False, False]),
    ):
        assert outcomes(TextTest(operator=operator, left=WORD, right=text("tote")), word=words) == wanted  # type: ignore[arg-type]
    for operator in ("contains", "starts with", "ends with"):
        assert outcomes(TextTest(operator=operator, left=WORD, right=text("")), word=words) == [True] * 4  # type: ignore[arg-type]
    assert outcomes(TextTest(operator="contains", left=WORD, right=text(".")), word=["a", "a.b"]) == [False, True]
    assert outcomes(
        TextTest(operator="ends with", left=WORD, right=attribute("end", TEXT)), word=["abc", "abc"], end=["c", "b"]
    ) == [True, False]


def test_a_pattern_is_found_anywhere() -> None:
    assert outcomes(Matches(operand=WORD, pattern="(?i)to.e"), word=["a TOTE", "to", "café"]) == [True, False, False]


def test_whether_the_snapshot_knows_an_attribute_is_the_same_for_each_row() -> None:
    assert outcomes(HasAttribute(name="x"), x=[1, None]) == [True, True]
    assert outcomes(HasAttribute(name="y"), x=[1, None]) == [False, False]


# --- functions


def test_extremes_are_of_any_number_of_arguments_and_scales() -> None:
    columns = {"x": decimals(2, "1.50", "-3.00"), "y": [1, 2]}
    assert outcomes(call("max", NUMBER, X, Y, number("1.25")), **columns) == exactly("1.5", "2")
    assert outcomes(call("min", NUMBER, X, Y, number("1.25")), **columns) == exactly("1", "-3")
    assert outcomes(call("abs", NUMBER, X), **columns) == exactly("1.5", "3")
    days = {"day": [TODAY, datetime.date(2027, 1, 1)]}
    assert outcomes(call("max", DATE, DAY, Today(type=DATE)), **days) == days["day"]
    assert outcomes(call("days_between", NUMBER, Today(type=DATE), DAY), **days) == exactly("0", "39")


@pytest.mark.parametrize("word", ["Bag", "Straße", "ΟΔΟΣ Σ", "İstanbul", "ǅ", "ﬁn", ""])
def test_letters_are_folded_as_python_folds_them(word: str) -> None:
    assert outcomes(call("lower", TEXT, WORD), word=[word, "Plain"]) == [word.lower(), "plain"]
    assert outcomes(call("upper", TEXT, WORD), word=[word, "Plain"]) == [word.upper(), "PLAIN"]


def test_trim_and_length_count_characters_not_bytes() -> None:
    assert outcomes(call("trim", TEXT, WORD), word=[" \u3000a b\u00a0\n", "\u200bc"]) == ["a b", "\u200bc"]
    assert outcomes(call("length", NUMBER, WORD), word=["", "é", "😀a"]) == exactly("0", "1", "2")
    assert outcomes(call("length", NUMBER, WORDS), words=[[], ["a", "b"]]) == exactly("0", "2")


def gallery(first: Expression, most: int) -> Expression:
    whole = call("join", TEXTS, ListOf(type=TEXTS, items=(first,)), WORDS)
    return call("take", TEXTS, call("distinct", TEXTS, whole), number(most))


def test_a_gallery_begins_with_the_main_image_and_shows_each_once() -> None:
    words = [["a", "b", "c"], ["a", "b", "c"], ["b", "a", "b"], [], ["d", "e", "f", "g"]]
    assert outcomes(gallery(WORD, 3), word=["a", "c", "b", "x", "d"], words=words) == [
        ["a", "b", "c"], ["c", "a", "b"], ["b", "a"], ["x"], ["d", "e", "f"],
    ]  # fmt: skip
    assert outcomes(gallery(WORD, 0), word=["a"] * 5, words=words) == [[]] * 5


def test_the_parts_of_a_gallery_work_by_themselves() -> None:
    words = [["b", "a", "b"], []]
    assert outcomes(call("first", TEXT.maybe(), WORDS), words=words) == ["b", None]
    assert outcomes(call("distinct", TEXTS, WORDS), words=words) == [["b", "a"], []]
    assert outcomes(call("take", TEXTS, WORDS, X), words=words, x=[2, 2]) == [["b", "a"], []]
    assert outcomes(call("join", TEXTS, WORDS, WORDS), words=words) == [["b", "a", "b"] * 2, []]


def test_a_function_without_columns_is_asked_for_each_text_that_is_present() -> None:
    asked: set[str] = set()

    def shout(word: str) -> Value:
        asked.add(word)
        return word + "!"

    function = Function("shout", None, "Louder.", shout)
    found = outcomes(Call(type=TEXT, function=function, arguments=(WORD,)), word=["a", "b", "a", None])
    assert found == ["a!", "b!", "a!", "price: `word` is missing"]
    assert asked == {"a", "b"}


def test_a_function_of_numbers_without_columns_is_exact() -> None:
    halved = Function("halved", None, "Half.", lambda value: value / 2)
    halves = outcomes(Call(type=NUMBER, function=halved, arguments=(X,)), x=decimals(3, "0.001", "7.000"))
    assert halves == exactly("0.0005", "3.5")


# --- frames


def test_float_columns_are_refused_by_name_where_they_are_read() -> None:
    with pytest.raises(PolicyError) as refused:
        outcomes(X, x=[1.5], y=[1])
    assert [(one.code, "`x`" in one.message) for one in refused.value.diagnostics] == [("M601", True)]
    assert outcomes(Y, x=[1.5], y=[1]) == [Decimal(1)]


def test_floats_are_refused_by_name_where_a_rule_set_without_a_catalogue_reads_them() -> None:
    ruleset, _ = check_text('pricing "p" { }  listing "l" { assign = price > 1  pricing = "p" }')
    product = {"sku": "A", "price": 1.5, "weight": 0.5}
    with pytest.raises(PolicyError) as refused:
        ruleset.evaluate(pl.DataFrame([product]))
    assert [(one.code, "`price`" in one.message) for one in refused.value.diagnostics] == [("M601", True)]
    with pytest.raises(PolicyError) as refused:
        ruleset.explain(product)  # type: ignore[arg-type]
    assert [(one.code, "`price`" in one.message) for one in refused.value.diagnostics] == [("M601", True)]
    [outcome] = ruleset.evaluate(pl.DataFrame([{**product, "price": 2}])).to_dicts()
    assert (outcome["status"], outcome["price"]) == ("ready", Decimal(2))


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["a", "b"])])
def test_texts_may_be_held_in_categories(dtype: Any) -> None:
    word = pl.Series(["a", "b", None], dtype=dtype)
    assert outcomes(MAYBE_WORD, word=word) == ["a", "b", None]
    assert outcomes(compare("==", MAYBE_WORD, text("a")), word=word) == [True, False, False]
    words = pl.Series([["a", "b"], [], ["b"]], dtype=pl.List(dtype))
    assert outcomes(Has(operand=WORDS, items=(text("a"),), every=False), words=words) == [True, False, False]
    assert outcomes(WORDS, words=words) == [["a", "b"], [], ["b"]]


CASES: dict[str, Callable[[], Expression]] = {
    "a constant": lambda: number("1.5"),
    "an attribute": lambda: X,
    "a fault": lambda: Fail(type=NUMBER, message="never"),
    "a text": lambda: WORD,
    "a list": lambda: gallery(WORD, 3),
    "a function": lambda: call("lower", TEXT, WORD),
    "a quotient": lambda: arithmetic("/", number(1), X),
}


@pytest.mark.parametrize("case", CASES)
def test_an_empty_frame_gives_no_rows(case: str) -> None:
    empty = {
        "x": pl.Series([], dtype=pl.Decimal(18, 2)), "word": pl.Series([], dtype=pl.String),
        "words": pl.Series([], dtype=pl.List(pl.String)),
    }  # fmt: skip
    assert outcomes(CASES[case](), **empty) == []


def test_a_constant_is_the_same_in_every_row() -> None:
    assert outcomes(number("1.50"), sku=["a", "b", "c"]) == exactly("1.5", "1.5", "1.5")
    assert outcomes(text("EUR"), sku=["a", "b"]) == ["EUR", "EUR"]


def test_numbers_come_out_as_exact_decimals() -> None:
    program = Program(outcome="price", steps=(), outcomes=(("price", arithmetic("*", X, number("1.1"))),))
    [dtype] = run(program, bind(pl.DataFrame({"x": decimals(2, "1.00")})), today=TODAY).values.dtypes
    assert dtype == pl.Decimal(38, 3)


def test_only_the_rows_asked_for_are_given_in_their_order() -> None:
    program = Program(outcome="price", steps=(), outcomes=(("value", arithmetic("/", number(1), X)),))
    rows = pl.Series([2, 0], dtype=pl.UInt32)
    found = run(program, bind(pl.DataFrame({"x": [0, 1, 4]})), today=TODAY, rows=rows)
    assert found.values["value"].to_list() == [Decimal("0.25"), None]
    assert found.reasons.to_list() == [None, "price: division by zero"]


def test_rows_that_nobody_asks_about_are_empty_and_give_no_reason() -> None:
    program = Program(outcome="price", steps=(), outcomes=(("value", arithmetic("/", number(1), X)),))
    asked = pl.Series([False, True, True])
    found = run(program, bind(pl.DataFrame({"x": [0, 0, 4]})), today=TODAY, asked=asked)
    assert found.values["value"].to_list() == [None, None, Decimal("0.25")]
    assert found.reasons.to_list() == [None, "price: division by zero", None]


def test_conditions_are_answered_together_and_a_fault_is_a_no_with_its_reason() -> None:
    frame = pl.DataFrame({"x": [0, 4], "word": ["a", "b"]})
    first, second = truths(
        [compare("==", WORD, text("a")), compare("<", arithmetic("/", number(1), X), number(1))],
        bind(frame),
        today=TODAY,
    )
    assert (first[0].to_list(), first[1]) == ([True, False], None)
    assert second[0].to_list() == [False, True]
    assert second[1] is not None
    assert second[1].to_list() == ["listing: division by zero", None]


# --- rules of any shape


def nested(depth: int, around: Callable[[Expression], Expression]) -> Expression:
    inner: Expression = X
    for _ in range(depth):
        inner = around(inner)
    return inner


def test_nested_divisions_stay_as_small_as_they_are_written() -> None:
    # An expression that doubled at each level would never be done.
    deep = nested(60, lambda inner: arithmetic("/", inner, number("0.5")))
    assert outcomes(deep, x=[1, -3]) == [Decimal(2**60), Decimal(-3 * 2**60)]


def test_nested_branches_stay_as_small_as_they_are_written() -> None:
    def around(inner: Expression) -> Expression:
        return If(
            type=NUMBER,
            condition=compare(">", arithmetic("+", inner, number(1)), number(10)),
            then=number(7),
            otherwise=arithmetic("/", number(1), X),
        )

    assert outcomes(nested(60, around), x=[2, 0]) == [Decimal("0.5"), "price: division by zero"]


def test_hundreds_of_conditions_that_may_fault_are_one_condition() -> None:
    many = tuple(compare("!=", arithmetic("/", number(one), X), number(1)) for one in range(2, 202))
    assert outcomes(And(operands=many), x=[1, 5, 0]) == [True, False, "price: division by zero"]


def test_a_lookup_of_hundreds_of_entries_finds_the_last() -> None:
    branches = tuple(Branch(condition=compare("==", WORD, text(f"w{one}")), value=number(one)) for one in range(500))
    lookup = Choose(type=NUMBER, branches=branches, otherwise=None, message="not in the map")
    assert outcomes(lookup, word=["w499", "w0", "else"]) == [Decimal(499), Decimal(0), "price: not in the map"]
