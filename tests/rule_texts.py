"""Rule files as text, made at random from every construct of the grammar, in any layout, with comments anywhere."""

from __future__ import annotations

from hypothesis import strategies as st

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
        "  # five\r\n",
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
