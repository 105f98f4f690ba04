"""Every diagnostic code is explained, used, and provoked by its own example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import merx
from merx.engine.codes import CODES, Code
from merx.engine.ruleset import check_text
from merx.engine.snapshot import Schema
from merx.engine.types import NUMBER, TEXT, TEXTS, money

HOME = Path(merx.__file__).parent
SCHEMA = Schema(
    "shop",
    {
        "sku": TEXT,
        "name": TEXT,
        "price": money("EUR"),
        "map": money("EUR").maybe(),
        "cost": money("USD").maybe(),
        "qty": NUMBER,
        "categories": TEXTS,
    },
)


def used_codes() -> set[str]:
    sources = [*HOME.glob("engine/*.py"), *HOME.glob("plugins/*.py"), HOME / "cli.py"]
    texts = (path.read_text(encoding="utf-8") for path in sources if path.name != "codes.py")
    return {code for text in texts for code in re.findall(r'"(M\d{3})"', text)}


def test_every_code_that_is_used_is_explained_and_no_other() -> None:
    assert used_codes() == set(CODES)


@pytest.mark.parametrize("code", [one for one in CODES.values() if one.example], ids=lambda one: one.code)
def test_the_example_of_a_code_provokes_it(code: Code) -> None:
    _, problems = check_text(code.example, schema=SCHEMA)
    assert code.code in {one.code for one in problems}


def test_every_code_of_the_language_has_an_example() -> None:
    without = {one.code for one in CODES.values() if not one.example and one.code < "M500"}
    # These need files, more than one mistake, or a policy type of a third party.
    assert without <= {"M001", "M002", "M003", "M019", "M020", "M216", "M217", "M218", "M306"}


def test_explanations_are_sentences_and_titles_are_not() -> None:
    for one in CODES.values():
        assert one.text.endswith((".", "`")), one.code
        assert not one.title.endswith("."), one.code
