"""The formatter: house style out of any spacing, nothing of what was said or commented lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases_runner import Case, cases, hold
from merx.engine.diagnostic import PolicyError
from merx.engine.format import format_source
from merx.engine.parse import parse_file
from merx.engine.scan import scan
from merx.engine.source import Source
from merx.engine.syntax import Declaration, Use


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


NAMES = st.sampled_from(["price", "cost", "a", "if_not", "`odd name`", "`if`", "x1"])
LITERALS = st.sampled_from(
    ["0", "12.50", "10%", "2.5%", "15m", "2MB", "2026-11-27", "yes", "off", '""', '"a # b"', r'"say \"{\" \\"']
)
LEAVES = st.one_of(NAMES, LITERALS).map(lambda word: [word])
Words = list[str]


def joined(*parts: str | Words) -> Words:
    return [word for part in parts for word in ([part] if isinstance(part, str) else part)]


def separated(parts: list[Words], by: str) -> Words:
    return [word for index, part in enumerate(parts) for word in ([by] if index and by else []) + part]


def in_brackets(inner: st.SearchStrategy[Words]) -> st.SearchStrategy[Words]:
    group = inner.map(lambda one: joined("(", one, ")"))
    operators = st.sampled_from(["+", "-", "*", "/", "??", "..", "==", "<=", "in", "not in", "has any", "starts with"])
    several = st.lists(inner, max_size=3).map(lambda found: separated(found, ","))
    rung = st.tuples(st.sampled_from(["above", "from", "exactly", "when"]), inner, inner).map(
        lambda part: joined(part[0], part[1], "->", part[2])
    )
    rungs = st.lists(rung, min_size=1, max_size=3).map(lambda found: separated(found, ""))
    keys = st.sampled_from(['"k"', "key", "7", "`k`"])
    cases_of = st.lists(st.tuples(keys, inner), min_size=1, max_size=3).map(
        lambda found: [word for key, one in found for word in joined(key, "->", one)]
    )
    return st.one_of(
        group,
        st.tuples(group, operators, group).map(lambda part: joined("(", part[0], *part[1].split(), part[2], ")")),
        st.tuples(st.sampled_from("+-*"), LEAVES).map(lambda part: joined("(", part[0], part[1], ")")),
        st.tuples(LEAVES, st.sampled_from(["+", "-"]), st.sampled_from("+-"), LEAVES).map(
            lambda part: joined("(", *part, ")")
        ),
        several.map(lambda one: joined("[", one, "]")),
        several.map(lambda one: joined("max", "(", one, ")")),
        st.tuples(group, group, group).map(lambda part: joined("(if", part[0], "then", part[1], "else", part[2], ")")),
        st.tuples(group, st.sampled_from(["and", "or"])).map(
            lambda part: joined("(not", part[0], part[1], part[0], ")")
        ),
        st.tuples(group, rungs, inner).map(
            lambda part: joined("ladder", part[0], "{", part[1], "else", "->", part[2], "}")
        ),
        st.tuples(inner, cases_of).map(lambda part: joined("lookup", part[0], "{", part[1], "}")),
        group.map(lambda one: joined("(", one, "is", "missing", ")")),
    )


EXPRESSIONS = st.recursive(LEAVES, in_brackets, max_leaves=8)
VALUES = st.one_of(
    EXPRESSIONS,
    EXPRESSIONS.map(lambda one: joined("half_up", "to", one)),
    EXPRESSIONS.map(lambda one: joined("every", one)),
)
ITEMS = st.one_of(
    st.tuples(NAMES, VALUES).map(lambda part: joined(part[0], "=", part[1])),
    st.tuples(st.sampled_from(['"a"', "B", "5", "else"]), EXPRESSIONS).map(lambda part: joined(part[0], "->", part[1])),
    st.tuples(NAMES, EXPRESSIONS).map(lambda part: joined("EUR", "->", part[0], "=", part[1])),
    st.tuples(NAMES, st.sampled_from(["text", "money ( EUR ) ?", "list ( text )", "flag ?"])).map(
        lambda part: joined(part[0], ":", *part[1].split())
    ),
    EXPRESSIONS.map(lambda one: joined("ensure", one, '"message"')),
)
SECTIONS = st.tuples(NAMES, st.lists(ITEMS, max_size=3)).map(
    lambda part: joined(part[0], "{", separated(part[1], ""), "}")
)
DECLARATIONS = st.one_of(
    st.tuples(st.sampled_from(["pricing", "rates"]), st.lists(st.one_of(ITEMS, SECTIONS), max_size=5)).map(
        lambda part: joined(part[0], '"title"', "{", separated(part[1], ""), "}")
    ),
    st.just(["use", '"a.merx"']),
)
FILES = st.lists(DECLARATIONS, max_size=3).map(lambda found: separated(found, ""))
GAPS = st.sampled_from(
    [
        "",
        "",
        " ",
        " ",
        " ",
        "  ",
        "\t",
        "\n",
        "\n",
        "\n\n\n",
        "\r\n",
        " # one\n",
        "# {two}  \n",
        '\n\n# "three\n\n\n# four\n',
    ]
)
TOUCHING = set("(){}[],=:?")


@st.composite
def texts(draw: st.DrawFn) -> str:
    words = draw(FILES)
    written = draw(GAPS)
    for before, word in zip([*words, ""], [*words[1:], "", ""], strict=False):
        gap = draw(GAPS)
        needs_space = before not in TOUCHING and word not in TOUCHING
        written += before + (gap or (" " if needs_space else ""))
    return written


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
