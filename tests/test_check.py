"""The checker, through the cases in tests/cases/check: rule text, and the diagnostics exactly as people read them."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from cases_runner import Case, cases, hold
from merx.engine.check import check
from merx.engine.diagnostic import Diagnostic, PolicyError, render
from merx.engine.load import parse_text
from merx.engine.registry import registry
from merx.engine.ruleset import check_text, load
from merx.engine.snapshot import Schema
from merx.engine.types import NUMBER, TEXT, Type, money

SHOP = """
catalog "shop" {
  name: text
  price: money(EUR)
  map: money(EUR)?
  cost: money(EUR)?
  wholesale: money(USD)?
  qty: number
  weight: number?
  categories: list(text)
  color: text?
  made: date?
  fragile: flag?
}
"""


@pytest.mark.parametrize("case", cases("check"), ids=lambda case: case.path.stem)
def test_case(case: Case) -> None:
    text = case.given if "catalog" in case.given else case.given.rstrip("\n") + "\n" + SHOP
    _, problems = check_text(text, name="rules.merx")
    hold(case, "\n\n".join(render(one) for one in problems) or "no problems")


def problems(source: str, **attributes: str) -> list[Diagnostic]:
    """The diagnostics of a text over attributes that are given as `money(EUR)`, `text?` …"""
    declared = "\n".join(f"  {name}: {type_}" for name, type_ in attributes.items())
    _, found = check_text(f'{source}\ncatalog "shop" {{\n{declared}\n}}\n')
    return list(found)


def underlined(problem: Diagnostic) -> str:
    assert problem.span is not None
    return problem.span.text


def test_comparing_two_currencies_underlines_the_whole_comparison() -> None:
    source = 'pricing "x" { ensure price > cost "below cost" }'
    [problem] = problems(source, price="money(EUR)", cost="money(USD)")
    assert (problem.code, underlined(problem)) == ("M104", "price > cost")


@pytest.mark.parametrize(
    "condition",
    [
        "cost is missing or price > cost",
        "cost is present and price > cost",
        "if cost is present then price > cost else yes",
        "not (cost is missing) and price > cost",
        "not (cost is missing or price <= cost)",
        "price > (cost ?? 0)",
        "cost is present and map is present and map > cost",
        "(cost is missing or map is missing) or map > cost",
        'color == "Blue" and length(color) > 3',
        'color in ["Blue", "Red"] and color starts with "B"',
        "cost == 3 and cost < price",
        "ladder { when cost is missing -> yes  else -> price > cost }",
        "ladder { when cost is present -> price > cost  else -> yes }",
        "cost in 1..5 and cost < price",
    ],
)
def test_a_guard_makes_a_value_that_may_be_missing_usable(condition: str) -> None:
    attributes = {"price": "money(EUR)", "cost": "money(EUR)?", "map": "money(EUR)?", "color": "text?"}
    assert problems(f'listing "x" {{ assign = {condition} }}', **attributes) == []


@pytest.mark.parametrize(
    ("condition", "bare"),
    [
        ("price > cost", "cost"),
        ("cost is present or price > cost", "cost"),
        ("cost is missing and price > cost", "cost"),
        ("if cost is missing then price > cost else yes", "cost"),
        ("cost != 3 and price > cost", "cost"),
        ("(cost is present or map is present) and price > cost", "cost"),
        ("not (cost is present and map is present) or price > cost and map > cost and weight > 1", "weight"),
    ],
)
def test_a_guard_that_proves_nothing_does_not_help(condition: str, bare: str) -> None:
    attributes = {"price": "money(EUR)", "cost": "money(EUR)?", "map": "money(EUR)?", "weight": "number?"}
    found = problems(f'listing "x" {{ assign = {condition} }}', **attributes)
    assert {(one.code, underlined(one)) for one in found} == {("M102", bare)}


@pytest.mark.parametrize(
    "source",
    [
        'pricing "x" { change = lookup color { "a" -> +1  else -> +2  else -> +3 } }',
        'order "x" { create = no  statuses { else -> keep  else -> "pending" } }',
    ],
)
def test_else_stands_once(source: str) -> None:
    [problem] = problems(source, price="money(EUR)", color="text?")
    assert problem.code == "M405"
    assert underlined(problem) == source[source.rindex("else") : source.index(" }", source.rindex("else"))]
    assert [note.span.text for note in problem.notes if note.span is not None] != []


def test_a_literal_rounded_to_an_amount_is_an_amount_of_its_currency() -> None:
    source = 'pricing "x" { ensure round(10, cost) > usd "too low" }'
    [problem] = problems(source, price="money(EUR)", cost="money(EUR)", usd="money(USD)")
    assert (problem.code, underlined(problem)) == ("M104", "round(10, cost) > usd")


@pytest.mark.parametrize(
    ("body", "twice"),
    [
        ("given { price = 1  price = 2 }  expect { price = 2 }", "price"),
        ("given { price = 1 }  given { price = 2 }  expect { price = 2 }", "given"),
        ("given { price = 1 }  expect { price = 9 }  expect { price = 1 }", "expect"),
    ],
)
def test_what_a_test_gives_or_expects_stands_once(body: str, twice: str) -> None:
    [problem] = problems(f'pricing "x" {{ }} test "t" {{ {body}  pricing = "x" }}', price="money(EUR)")
    assert (problem.code, underlined(problem)) == ("M302", twice)


def test_what_a_list_cannot_hold_is_told_of_the_list() -> None:
    [problem] = problems('listing "x" { assign = tags has 1 }', tags="list(text)")
    assert problem.message == "cannot compare `tags`, a text, with `1`, a plain number"


@pytest.mark.parametrize("body", ["pricing = []", "products = []"])
def test_an_empty_list_of_titles_is_told(body: str) -> None:
    [problem] = problems(f'listing "x" {{ assign = yes  {body} }}', price="money(EUR)")
    assert (problem.code, problem.level, underlined(problem)) == ("M409", "warning", "[]")


def test_without_any_schema_attributes_stay_open_and_the_rest_is_checked() -> None:
    _, found = check_text('pricing "x" { start = anything * 2  strat = 5 }')
    assert [(one.code, underlined(one)) for one in found] == [("M301", "strat")]


def test_a_schema_of_products_stands_where_there_is_no_catalog() -> None:
    schema = Schema("shop.csv", {"sku": TEXT, "price": NUMBER, "color": TEXT.maybe()})
    _, found = check_text('listing "x" { assign = color == "Blue" and pric > 5 }', schema=schema)
    assert [(one.code, underlined(one)) for one in found] == [("M201", "pric")]
    assert found[0].help == "did you mean `price`?"


def test_a_catalog_wins_over_the_schema_of_the_products() -> None:
    schema = Schema("shop.csv", {"sku": TEXT, "price": NUMBER})
    ruleset, found = check_text('catalog "c" { price: money(EUR) }', schema=schema)
    assert (found, ruleset.schema and ruleset.schema.attributes["price"]) == ((), money("EUR"))


def test_files_are_read_once_however_often_they_are_used(tmp_path: Path) -> None:
    (tmp_path / "common.merx").write_text('image "i" { gallery = 3 }\n')
    (tmp_path / "a.merx").write_text('use "common.merx"\nuse "b.merx"\n')
    (tmp_path / "b.merx").write_text('use "common.merx"\nimage "j" { gallery = 2 }\n')
    ruleset = load(tmp_path)
    assert sorted(ruleset.rules.policies) == [("image", "i"), ("image", "j")]


def test_a_circle_of_files_names_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.merx").write_text('use "b.merx"\n')
    (tmp_path / "b.merx").write_text('use "a.merx"\n')
    with pytest.raises(PolicyError) as caught:
        load(tmp_path / "a.merx")
    assert [(one.code, one.message) for one in caught.value.diagnostics] == [
        ("M217", "the files use each other in a circle: `a.merx` → `b.merx` → `a.merx`")
    ]


def test_a_used_file_that_is_misspelt_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "common.merx").write_text("")
    (tmp_path / "a.merx").write_text('use "comon.merx"\n')
    with pytest.raises(PolicyError) as caught:
        load(tmp_path / "a.merx")
    assert [(one.code, one.help) for one in caught.value.diagnostics] == [("M218", "did you mean `common.merx`?")]


def test_a_type_says_itself_as_it_is_written() -> None:
    assert [str(one) for one in (money("EUR").maybe(), Type("list", item=TEXT), NUMBER)] == [
        "money(EUR)?",
        "list(text)",
        "number",
    ]


def test_the_time_grows_with_the_rules_and_no_faster() -> None:
    def seconds(count: int) -> float:
        [file], _ = parse_text('pricing "p" { }', "many.merx")
        files = [replace(file, declarations=file.declarations * count)]
        started = time.process_time()
        check(files, known)
        return time.process_time() - started

    known = registry()
    assert seconds(16_000) < 16 * seconds(2_000)
