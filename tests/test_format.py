"""The formatter: house style out of any spacing, nothing of what was said or commented lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from cases_runner import Case, cases, hold
from merx.engine.diagnostic import PolicyError
from merx.engine.format import format_source
from merx.engine.parse import parse_file
from merx.engine.scan import scan
from merx.engine.source import Source
from merx.engine.syntax import Declaration, Use
from rule_texts import texts


def formatted(text: str) -> str:
    return format_source(Source("rules.merx", text))


def meaning(text: str) -> tuple[tuple[Use, ...], tuple[Declaration, ...]]:
    file, problems = parse_file(Source("rules.merx", text))
    assert not problems
    return file.uses, file.declarations


def comments(text: str) -> list[str]:
    return [piece.text.rstrip() for piece in scan(text) if piece.kind == "comment"]


@pytest.mark.parametrize("case", cases("format"), ids=lambda case: case.path.stem)
def test_format_case(case: Case) -> None:
    actual = formatted(case.given)
    assert formatted(actual) == actual
    assert meaning(actual) == meaning(case.given)
    hold(case, actual)


@pytest.mark.parametrize("nothing", ["", "\n\n", " \t\r\n"])
def test_a_file_of_nothing_stays_empty(nothing: str) -> None:
    assert formatted(nothing) == ""


def test_line_ends_and_marks_become_plain() -> None:
    assert formatted('\ufeffpricing "a" {\r\n  x = 1 # one  \r\n}') == 'pricing "a" {\n  x = 1  # one\n}\n'


def test_a_text_with_mistakes_is_refused_with_its_diagnostics() -> None:
    with pytest.raises(PolicyError) as caught:
        formatted('pricing "a" { x = }')
    assert [one.code for one in caught.value.diagnostics] == ["M010"]


# --- any file


@settings(max_examples=300, deadline=None)
@given(texts())
def test_formatting_changes_neither_meaning_nor_comments_and_is_stable(text: str) -> None:
    once = formatted(text)
    assert meaning(once) == meaning(text)
    assert comments(once) == comments(text)
    assert formatted(once) == once
    assert [piece.text for piece in scan(once) if piece.kind not in ("space", "comment")] == [
        piece.text for piece in scan(text) if piece.kind not in ("space", "comment")
    ]


@settings(max_examples=100, deadline=None)
@given(texts())
def test_the_house_style_has_no_loose_ends(text: str) -> None:
    once = formatted(text)
    assert "\t" not in once
    assert "\r" not in once
    assert "\n\n\n" not in once
    assert not once.startswith("\n")
    assert once == "" or (once.endswith("\n") and not once.endswith("\n\n"))
    assert all(line == line.rstrip() for line in once.splitlines())
    assert "{\n\n" not in once
