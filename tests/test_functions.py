from __future__ import annotations

import datetime
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from merx.engine.functions import FUNCTIONS, WHITE_SPACE
from merx.engine.types import DATE, NUMBER, PERCENT, TEXT, TEXTS, UNKNOWN, Type, Value, money

LITERAL = replace(NUMBER, literal=True)
EUR, USD = money("EUR"), money("USD")


def call(name: str, *arguments: Any) -> Value:
    return FUNCTIONS[name].interpret(*arguments)


def result(name: str, *types: Type) -> Type:
    signature = FUNCTIONS[name].signature
    assert signature is not None
    return signature.result(types)


def listed(*items: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(item) for item in items)


def test_the_built_in_functions_are_these() -> None:
    assert sorted(FUNCTIONS) == [
        "abs", "days_between", "distinct", "first", "join", "length", "lower", "max", "min", "take", "trim", "upper",
    ]  # fmt: skip


def test_every_function_shows_itself_in_an_example() -> None:
    assert [name for name, one in FUNCTIONS.items() if f"`{name}(" not in one.doc and f"{name}(" not in one.doc] == []


def test_min_and_max_of_numbers_and_of_dates() -> None:
    assert call("min", *listed("2", "-1.5", "3")) == Decimal("-1.5")
    assert call("max", *listed("2", "-1.5", "3")) == Decimal(3)
    assert call("max", Decimal(7)) == Decimal(7)
    days = [datetime.date(2026, 1, day) for day in (2, 1, 3)]
    assert (call("min", *days), call("max", *days)) == (days[1], days[2])


def test_abs_keeps_every_digit() -> None:
    assert call("abs", Decimal("-" + "9" * 38)) == Decimal("9" * 38)
    assert call("abs", Decimal("2.5")) == Decimal("2.5")


def test_case_is_folded_as_unicode_says() -> None:
    assert call("lower", "ÄRMEL İ") == "ärmel i̇"
    assert call("upper", "straße") == "STRASSE"


def test_trim_takes_white_space_off_both_ends_and_nothing_else() -> None:
    assert call("trim", f"{WHITE_SPACE}a b{WHITE_SPACE}") == "a b"
    assert call("trim", "\u200ba\x1f") == "\u200ba\x1f"
    assert call("trim", " \t ") == ""


def test_white_space_is_what_unicode_calls_so() -> None:
    # Unicode's White_Space is Python's `isspace` without the four separators U+001C to U+001F.
    every = {chr(code) for code in range(0x110000) if chr(code).isspace()} - set("\x1c\x1d\x1e\x1f")
    assert set(WHITE_SPACE) == every


def test_length_counts_characters_and_elements() -> None:
    assert call("length", "") == 0
    assert call("length", "aä😀") == 3
    assert call("length", "e\u0301") == 2
    assert call("length", ("a", "bc")) == 2
    assert call("length", ()) == 0


def test_days_are_counted_from_the_first_date_to_the_second() -> None:
    assert call("days_between", datetime.date(2026, 2, 28), datetime.date(2026, 3, 1)) == 1
    assert call("days_between", datetime.date(2024, 3, 1), datetime.date(2024, 2, 28)) == -2


def test_the_first_of_an_empty_list_is_missing() -> None:
    assert call("first", ("a", "b")) == "a"
    assert call("first", ()) is None


@pytest.mark.parametrize(
    ("count", "length"), [("0", 0), ("-1", 0), ("1", 1), ("1.9", 1), ("-0.5", 0), ("3", 3), ("9E+30", 3)]
)
def test_take_gives_as_many_whole_elements_as_there_are(count: str, length: int) -> None:
    assert call("take", ("a", "b", "c"), Decimal(count)) == ("a", "b", "c")[:length]


def test_distinct_keeps_the_first_of_equals() -> None:
    assert call("distinct", ("b", "a", "b", "c", "a")) == ("b", "a", "c")
    assert call("distinct", listed("1.0", "1", "2")) == listed("1", "2")
    assert call("distinct", ()) == ()


def test_join_puts_lists_one_after_the_other() -> None:
    assert call("join", ("a",), (), ("b", "a")) == ("a", "b", "a")


def test_the_extreme_of_literals_is_literal_and_goes_with_money() -> None:
    assert result("max", LITERAL, LITERAL) == LITERAL
    assert result("max", EUR, LITERAL) == EUR
    assert result("min", LITERAL, EUR, LITERAL) == EUR
    assert result("min", NUMBER, LITERAL) == NUMBER
    assert result("min", DATE, DATE) == DATE
    assert result("min", UNKNOWN, EUR) == EUR


@pytest.mark.parametrize(
    ("name", "types", "message"),
    [
        ("max", (EUR, USD), r"cannot go with money\(EUR\) and money\(USD\) at once"),
        ("max", (EUR, NUMBER), r"cannot go with money\(EUR\) and number at once"),
        ("max", (PERCENT, NUMBER), "cannot go with percent and number at once"),
        ("min", (TEXT, TEXT), "takes numbers or dates, not a text"),
        ("abs", (DATE,), "takes a number, not a date"),
        ("length", (NUMBER,), "takes a text or a list, not a number"),
        ("join", (TEXTS, Type("list", item=NUMBER)), "cannot go with text and number at once"),
    ],
)
def test_types_that_do_not_go_together_are_refused(name: str, types: tuple[Type, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        result(name, *types)


def test_result_types_follow_the_arguments() -> None:
    assert result("abs", EUR) == EUR
    assert result("first", TEXTS) == TEXT.maybe()
    assert result("first", Type("list", item=EUR)) == EUR.maybe()
    assert result("take", TEXTS, NUMBER) == TEXTS
    assert result("distinct", TEXTS) == TEXTS
    assert result("join", TEXTS, Type("list", item=UNKNOWN)) == TEXTS
    assert result("length", TEXT) == NUMBER
    assert result("days_between", DATE, DATE) == NUMBER
