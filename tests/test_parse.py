"""Rule text in, syntax tree and diagnostics out: the language, its spans, its mistakes."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark import Lark

from cases_runner import Case, cases, hold
from merx.engine.build import Builder, missing_methods
from merx.engine.diagnostic import Diagnostic, render
from merx.engine.lalr import RULES, grammar
from merx.engine.parse import LARGEST_EXPRESSION, LARGEST_FILE, parse_expression, parse_file, read_source
from merx.engine.scan import KEYWORDS, scan
from merx.engine.source import Source, Span
from merx.engine.syntax import (
    Binary,
    Call,
    Compare,
    Date,
    Declaration,
    Ensure,
    Entry,
    Every,
    Expression,
    File,
    Flag,
    If,
    Ladder,
    ListOf,
    Logical,
    Lookup,
    Name,
    Not,
    Number,
    Percent,
    Presence,
    Quantity,
    Range,
    Rate,
    Rounding,
    Rung,
    Section,
    Setting,
    Text,
    Typed,
    TypeName,
    Unary,
    Use,
)
from merx.engine.syntax import (
    Case as LookupCase,
)

NOWHERE = Span(Source("", ""), 0, 0)


def expression(text: str) -> Expression:
    node, problems = parse_expression(Source("<expression>", text))
    assert not problems, render(problems[0])
    assert node is not None
    return node


def file(text: str) -> File:
    found, problems = parse_file(Source("rules.merx", text))
    assert not problems, render(problems[0])
    assert not found.partial
    return found


def problems(text: str) -> tuple[Diagnostic, ...]:
    return parse_file(Source("rules.merx", text))[1]


def problem_of(text: str) -> Diagnostic:
    """The one diagnostic of an expression."""
    node, [problem] = parse_expression(Source("<expression>", text))
    assert node is None
    return problem


def item(text: str) -> object:
    [declaration] = file(f'kind "title" {{ {text} }}').declarations
    [found] = declaration.items
    return found


def value(text: str) -> Expression:
    found = item(f"x = {text}")
    assert isinstance(found, Setting)
    return found.value


def name(text: str, quoted: bool = False) -> Name:
    return Name(span=NOWHERE, name=text, quoted=quoted)


def number(text: str) -> Number:
    return Number(span=NOWHERE, value=Decimal(text))


def percent(text: str) -> Percent:
    return Percent(span=NOWHERE, value=Decimal(text))


def text(content: str) -> Text:
    return Text(span=NOWHERE, value=content)


def binary(left: Expression, operator: str, right: Expression) -> Binary:
    return Binary(span=NOWHERE, operator=operator, left=left, right=right)  # type: ignore[arg-type]


def compare(left: Expression, operator: str, right: Expression) -> Compare:
    return Compare(span=NOWHERE, operator=operator, left=left, right=right)  # type: ignore[arg-type]


def unary(operator: str, operand: Expression) -> Unary:
    return Unary(span=NOWHERE, operator=operator, operand=operand)  # type: ignore[arg-type]


A, B, C = name("a"), name("b"), name("c")


# --- the grammar


def test_the_grammar_has_no_conflict_and_no_two_terminals_that_match_the_same_text() -> None:
    lark = Lark(grammar(), parser="lalr", lexer="contextual", strict=True, start=list(RULES))
    assert missing_methods(lark.rules) == []


def test_a_rule_without_a_builder_method_is_named() -> None:
    lark = Lark(grammar() + "\nnew_rule: NAME NAME\n", parser="lalr", start=[*RULES, "new_rule"])
    assert missing_methods(lark.rules) == ["new_rule"]


def test_every_builder_method_belongs_to_a_rule() -> None:
    lark = Lark(grammar(), parser="lalr", start=list(RULES))
    rules = {rule.alias or str(rule.origin.name) for rule in lark.rules}
    assert {method for method in vars(Builder) if not method.startswith("_")} <= rules


def test_the_grammar_reserves_the_keywords_that_the_scanner_knows() -> None:
    for keyword in KEYWORDS - {"yes", "no", "on", "off"}:
        assert problem_of(f"1 + {keyword}").code in {"M010", "M011", "M018"}
    for keyword in KEYWORDS:
        assert expression(f"`{keyword}`") == name(keyword, quoted=True)
        assert expression(f"{keyword}_") == name(f"{keyword}_")


# --- expressions


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("12.50", number("12.50")),
        ("007", number("7")),
        ("1" * 38, number("1" * 38)),
        ("10%", percent("10")),
        ("2.5%", percent("2.5")),
        ("15m", Quantity(span=NOWHERE, value=Decimal(15), unit="m")),
        ("1.5MB", Quantity(span=NOWHERE, value=Decimal("1.5"), unit="MB")),
        ("2026-11-27", Date(span=NOWHERE, value=datetime.date(2026, 11, 27))),
        ("2026 - 11 - 27", binary(binary(number("2026"), "-", number("11")), "-", number("27"))),
        ("on", Flag(span=NOWHERE, value=True, word="on")),
        ("no", Flag(span=NOWHERE, value=False, word="no")),
        (r'"a \"b\" \\ \d"', text(r'a "b" \ \d')),
        ('""', text("")),
        ("`color of it`", name("color of it", quoted=True)),
        ("[]", ListOf(span=NOWHERE, items=())),
        ("[a, b,]", ListOf(span=NOWHERE, items=(A, B))),
        ("f()", Call(span=NOWHERE, function=name("f"), arguments=())),
        ("f(a, [b])", Call(span=NOWHERE, function=name("f"), arguments=(A, ListOf(span=NOWHERE, items=(B,))))),
        ("orders", name("orders")),
    ],
)
def test_literals_names_lists_and_calls(written: str, meant: Expression) -> None:
    assert expression(written) == meant


@pytest.mark.parametrize(
    ("loosely", "tightly"),
    [
        ("map ?? price + 10%", "map ?? (price + 10%)"),
        ("a + b * c - a", "(a + (b * c)) - a"),
        ("a ?? b ?? c", "(a ?? b) ?? c"),
        ("-a * b", "(-a) * b"),
        ("+10% +5%", "(+10%) + 5%"),
        ("* 1.2 * b", "(* 1.2) * b"),
        ("not a == b and c or a", "((not (a == b)) and c) or a"),
        ("a ?? 1 .. b + 2", "(a ?? 1) .. (b + 2)"),
        ("a in 1..2", "a in (1..2)"),
        ("a not in [b]", "a not in ([b])"),
        ("if a then b else if b then c else a", "if a then b else (if b then c else a)"),
        ("if a or b then c else a ?? b", "if (a or b) then c else (a ?? b)"),
        ("a is missing or b is present", "(a is missing) or (b is present)"),
    ],
)
def test_what_binds_tighter(loosely: str, tightly: str) -> None:
    assert expression(loosely) == expression(tightly)


@pytest.mark.parametrize(
    "operator",
    "==,!=,<,<=,>,>=,in,not in,has,has any,has all,contains,starts with,ends with,matches".split(","),
)
def test_comparisons(operator: str) -> None:
    assert expression(f"a {operator} b") == compare(A, operator, B)


def test_the_other_nodes() -> None:
    assert expression("a is present") == Presence(span=NOWHERE, operand=A, present=True)
    assert expression("a is missing") == Presence(span=NOWHERE, operand=A, present=False)
    assert expression("not a") == Not(span=NOWHERE, operand=A)
    assert expression("a..b") == Range(span=NOWHERE, low=A, high=B)
    assert expression("* 1.2") == unary("*", number("1.2"))
    assert expression("- + a") == unary("-", unary("+", A))
    assert expression("if a then b else c") == If(span=NOWHERE, condition=A, then=B, otherwise=C)


def test_a_chain_of_one_connective_is_one_node() -> None:
    assert expression("a and b and c") == Logical(span=NOWHERE, connective="and", operands=(A, B, C))
    inner = Logical(span=NOWHERE, connective="and", operands=(A, B))
    assert expression("(a and b) and c") == Logical(span=NOWHERE, connective="and", operands=(inner, C))


def test_five_hundred_conditions_are_no_trouble() -> None:
    found = expression(" and ".join(f"a{one} == {one}" for one in range(500)))
    assert isinstance(found, Logical)
    assert len(found.operands) == 500


def test_ladders_and_lookups() -> None:
    rungs = (
        "above 10 -> 20  exactly 10 -> b  from 5 -> +5%  upto 4 -> 3  below 3 -> 2  when a is missing -> 1  else -> 0"
    )
    found = expression(f"ladder c {{ {rungs} }}")
    assert isinstance(found, Ladder)
    assert found.subject == C
    assert [rung.kind for rung in found.rungs] == ["above", "exactly", "from", "upto", "below", "when", "else"]
    assert found.rungs[2] == Rung(span=NOWHERE, kind="from", bound=number("5"), value=unary("+", percent("5")))
    assert found.rungs[-1] == Rung(span=NOWHERE, kind="else", bound=None, value=number("0"))
    assert expression("ladder { when a -> b }") == Ladder(
        span=NOWHERE, subject=None, rungs=(Rung(span=NOWHERE, kind="when", bound=A, value=B),)
    )
    cases = (LookupCase(span=NOWHERE, key=text("x"), value=A), LookupCase(span=NOWHERE, key=None, value=B))
    assert expression('lookup c { "x" -> a  else -> b }') == Lookup(span=NOWHERE, subject=C, cases=cases)


# --- items and files


def test_items() -> None:
    assert item("a = b") == Setting(span=NOWHERE, name=A, value=B)
    assert item("`in` = b") == Setting(span=NOWHERE, name=name("in", quoted=True), value=B)
    assert item("a { b = c }") == Section(span=NOWHERE, name=A, items=(Setting(span=NOWHERE, name=B, value=C),))
    assert item("a { }") == Section(span=NOWHERE, name=A, items=())
    assert item("A -> b") == Entry(span=NOWHERE, key=name("A"), value=B)
    assert item('"ups" -> "UPS"') == Entry(span=NOWHERE, key=text("ups"), value=text("UPS"))
    assert item("5 -> b") == Entry(span=NOWHERE, key=number("5"), value=B)
    assert item("else -> b") == Entry(span=NOWHERE, key=None, value=B)
    assert item("EUR -> USD = 1.0850") == Rate(
        span=NOWHERE, base=name("EUR"), quote=name("USD"), value=number("1.0850")
    )
    assert item('ensure a > b "no"') == Ensure(span=NOWHERE, condition=compare(A, ">", B), message=text("no"))


def test_types() -> None:
    def type_name(name: str, argument: TypeName | None = None, optional: bool = False) -> TypeName:
        return TypeName(span=NOWHERE, name=name, argument=argument, optional=optional)

    assert item("a: text") == Typed(span=NOWHERE, name=A, type=type_name("text"))
    assert item("a: money(EUR)?") == Typed(span=NOWHERE, name=A, type=type_name("money", type_name("EUR"), True))
    assert item("a: list(text)") == Typed(span=NOWHERE, name=A, type=type_name("list", type_name("text")))


def test_values_that_only_a_setting_has() -> None:
    assert value("half_up to 0.05") == Rounding(span=NOWHERE, mode=name("half_up"), step=number("0.05"))
    assert value("every 15m") == Every(span=NOWHERE, interval=Quantity(span=NOWHERE, value=Decimal(15), unit="m"))
    assert problem_of("half_up to 0.05").code == "M010"


def test_items_need_no_separator() -> None:
    [declaration] = file('k "t" { a = b c { } d -> e "f" -> g h: text ensure a "m" i = j k = -1 }').declarations
    kinds = [type(one) for one in declaration.items]
    assert kinds == [Setting, Section, Entry, Entry, Typed, Ensure, Setting, Setting]


def test_a_file() -> None:
    found = file('# first\nuse "common.merx"\nrates { }\npricing "a" { x = 1 } # last')
    assert found.uses == (Use(span=NOWHERE, path=text("common.merx")),)
    assert [(one.kind.name, one.title and one.title.value) for one in found.declarations] == [
        ("rates", None),
        ("pricing", "a"),
    ]


@pytest.mark.parametrize("nothing", ["", " \n\n", "# only a comment", "\r\n"])
def test_an_empty_file_has_no_declarations(nothing: str) -> None:
    assert file(nothing) == File(source=Source("", ""), uses=(), declarations=())


def test_line_breaks_mean_nothing() -> None:
    one_line = 'pricing "a" { change = ladder start { from 100 -> +5%  else -> +10% }  round = half_up to 0.05 }'
    assert file(one_line).declarations == file(one_line.replace(" ", "\r\n")).declarations


# --- spans


def spans(node: object) -> list[str]:
    """The source text of a node and of all nodes below it."""
    found = []
    if isinstance(node, tuple):
        for one in node:
            found += spans(one)
    elif hasattr(node, "span"):
        found.append(node.span.text)
        for field in node.__dataclass_fields__:
            if field not in ("span", "head"):
                found += spans(getattr(node, field))
    return found


def test_a_span_is_exactly_what_was_written() -> None:
    assert spans(expression(" price  >= max( cost , 2 ) * 115%  # and so on")) == [
        "price  >= max( cost , 2 ) * 115%",
        "price",
        "max( cost , 2 ) * 115%",
        "max( cost , 2 )",
        "max",
        "cost",
        "2",
        "115%",
    ]


def test_parentheses_belong_to_what_is_around_them() -> None:
    assert spans(expression("(a + b) * (c)")) == ["(a + b) * (c)", "a + b", "a", "b", "c"]


def test_spans_of_a_declaration() -> None:
    [declaration] = file('  pricing "a" {\n  ensure a is missing "no"  }  ').declarations
    assert declaration.head.text == 'pricing "a"'
    assert spans(declaration) == [
        'pricing "a" {\n  ensure a is missing "no"  }',
        "pricing",
        '"a"',
        'ensure a is missing "no"',
        "a is missing",
        "a",
        '"no"',
    ]


# --- mistakes


@pytest.mark.parametrize("case", cases("syntax"), ids=lambda case: case.path.stem)
def test_syntax_case(case: Case) -> None:
    found, diagnostics = parse_file(Source("rules.merx", case.given))
    assert found.partial == bool(diagnostics)
    assert all(one.help for one in diagnostics)
    hold(case, "\n\n".join(render(one) for one in diagnostics))


def kept(source: str) -> dict[str, list[str]]:
    """Title → names of the items that came out of a file with mistakes."""
    found, _ = parse_file(Source("rules.merx", source))
    assert found.partial
    named = (Setting, Section)
    return {
        one.title.value if one.title else "": [part.name.name for part in one.items if isinstance(part, named)]
        for one in found.declarations
    }


def case_text(name: str) -> str:
    [case] = [one for one in cases("syntax") if one.path.stem == name]
    return case.given


def test_what_is_right_comes_out_of_a_file_with_mistakes() -> None:
    assert kept(case_text("three_mistakes_in_three_declarations")) == {
        "a": ["change"],
        "b": [],
        "c": ["gallery", "main"],
        "d": ["pricing"],
    }
    assert kept(case_text("three_mistakes_in_one_declaration")) == {"a": ["start", "ceiling"]}


def test_an_unclosed_brace_swallows_as_little_as_indentation_tells() -> None:
    assert kept(case_text("unclosed_brace_of_a_declaration")) == {"a": ["change"], "b": []}
    assert kept(case_text("unclosed_brace_of_a_section")) == {"a": ["threshold", "buffer"], "b": []}
    assert kept(case_text("unclosed_brace_of_a_section_on_one_line")) == {"a": ["threshold", "buffer"]}
    assert kept(case_text("unclosed_brace_of_a_ladder")) == {"a": ["round"], "b": ["buffer"]}


def test_a_brace_too_many_loses_no_item() -> None:
    assert kept(case_text("one_brace_too_many")) == {"a": ["change", "round"], "b": ["change"], "c": []}


def test_a_recovered_declaration_says_where_it_stands() -> None:
    found, _ = parse_file(Source("rules.merx", '\n  pricing "a" { x = 1  y = }\n'))
    [declaration] = found.declarations
    assert declaration.span.text == 'pricing "a" { x = 1  y = }'
    assert declaration.head.text == 'pricing "a"'
    assert declaration.items == (Setting(span=NOWHERE, name=name("x"), value=number("1")),)


def test_fifty_mistakes_are_enough() -> None:
    found = problems('pricing "a" {\n' + "  x = \n" * 80 + "}")
    assert [one.code for one in found] == ["M010"] * 50 + ["M019"]


# --- characters nobody sees


@pytest.mark.parametrize("character", "\x00\x07\x1b\x7f\x85\u200b\u200e\u202e\u2066\u2028\ufeff\r")
@pytest.mark.parametrize("around", ['pricing "a{}b" {{ }}', '# a{}b\npricing "x" {{ }}', 'pricing "x" {{ a ={} 1 }}'])
def test_unseen_characters_are_errors_everywhere(character: str, around: str) -> None:
    [problem] = problems(around.format(character))
    assert problem.code == "M004"
    assert problem.span is not None
    assert problem.span.text == character


def test_the_other_mistakes_beside_unseen_characters_are_reported_too() -> None:
    found = problems('pricing "a\u202e" { x = }\npricing "b" { y = \x00 1 }')
    assert [one.code for one in found] == ["M004", "M010", "M004"]


def test_joiners_that_scripts_need_are_text() -> None:
    assert expression('"می\u200cخواهم 👩\u200d💻"') == text("می\u200cخواهم 👩\u200d💻")


def test_a_tab_is_space_but_not_text() -> None:
    assert expression("a\t+\tb # \t") == binary(A, "+", B)
    assert problem_of('"a\tb"').code == "M004"
    assert problem_of("`a\tb`").code == "M004"


# --- bounds


@pytest.mark.parametrize(
    "written",
    [
        "(" * 1000 + "1" + ")" * 1000,
        "(" * 101 + "1" + ")" * 101,
        "[" * 5000,
        "-" * 5000 + "1",
        "not " * 5000 + "a",
        "1" + " + 1" * 5000,
        "if a then b else " * 500 + "c",
        "f(" * 3000,
        "((" + "1 + " * 200,
    ],
)
def test_nesting_beyond_a_hundred_is_refused(written: str) -> None:
    assert problem_of(written).code == "M005"
    codes = [one.code for one in problems(f'pricing "a" {{ x = {written} }}\npricing "b" {{ y = }}')]
    assert "M005" in codes
    assert "M010" in codes


@pytest.mark.parametrize("written", ["(" * 100 + "1" + ")" * 100, "1" + " + 1" * 100, "-" * 99 + "1"])
def test_nesting_of_a_hundred_is_fine(written: str) -> None:
    expression(written)


def test_a_rule_of_dashes_in_a_comment_is_fine() -> None:
    assert expression("# " + "-" * 500 + "\n1") == number("1")


def test_sizes_are_bounded() -> None:
    assert problem_of("a" * (LARGEST_EXPRESSION + 1)).code == "M003"
    assert problem_of("a" * 10_000_000).code == "M003"
    assert expression("a" + " " * (LARGEST_EXPRESSION - 1)) == A
    assert [one.code for one in problems("#" * (LARGEST_FILE + 1))] == ["M003"]
    assert file("#" * LARGEST_FILE).declarations == ()


def test_a_long_line_is_no_trouble() -> None:
    found = value("[" + ", ".join(["1"] * 33_000) + "]")
    assert isinstance(found, ListOf)
    assert len(found.items) == 33_000


# --- any text


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_gives_a_tree_or_diagnostics(anything: str) -> None:
    node, found = parse_expression(Source("<expression>", anything))
    assert (node is None) == bool(found)
    tree, found = parse_file(Source("any.merx", anything))
    assert tree.partial == bool(found)
    assert all(render(one) for one in found)


WORDS = [
    *sorted(KEYWORDS),
    "price",
    "kind",
    '"t"',
    "`q`",
    "1",
    "10%",
    "15m",
    "2026-11-27",
    "'",
    '"',
    "`",
    "\n",
    "\n\n",
    " ",
]
SIGNS = [
    *"(){}[]=:,;<>+-*/?.%!&|#",
    "->",
    "==",
    "!=",
    "<=",
    "..",
    "??",
    'kind "t" {',
    "\nkind {",
    "x = ",
    "use ",
    "2026-99-99",
]


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(WORDS + SIGNS), max_size=40), st.sampled_from(["", " "]))
def test_any_words_in_any_order_give_a_tree_or_diagnostics(words: list[str], between: str) -> None:
    written = between.join(words)
    node, found = parse_expression(Source("<expression>", written))
    assert (node is None) == bool(found)
    tree, found = parse_file(Source("any.merx", written))
    assert tree.partial == bool(found)
    for one in found:
        assert one.help
        assert render(one)


def test_what_is_read_piece_by_piece_is_not_read_otherwise_than_as_a_whole() -> None:
    for written in (
        'k "t" { a = 10%b = 5 }',
        'k "t" { a = 15mb5 = 5 }',
        'k "t" { a = 1b = 5 }',
        'k "t" { a = bc = 5 }',
    ):
        tree, found = parse_file(Source("any.merx", written))
        assert tree.partial == bool(found)


@settings(max_examples=200, deadline=None)
@given(st.text(), st.text())
def test_the_pieces_of_a_text_are_the_whole_text(first: str, second: str) -> None:
    written = first + 'x "a' + second
    assert "".join(piece.text for piece in scan(written)) == written


EXAMPLE = case_text("example")


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(EXAMPLE) - 1), st.integers(1, 12), st.sampled_from(["", "}", "{", "(", '"', "=", ";", "below"])
)
def test_a_damaged_file_gives_a_diagnostic_and_keeps_most_declarations(start: int, length: int, instead: str) -> None:
    damaged = EXAMPLE[:start] + instead + EXAMPLE[start + length :]
    tree, found = parse_file(Source("damaged.merx", damaged))
    assert tree.partial == bool(found)
    assert len(tree.declarations) >= len(file(EXAMPLE).declarations) - 3
    assert len(found) <= 4


def test_a_brace_in_a_text_that_is_not_closed_hides_no_mistake() -> None:
    for written in ('order "o" {\n  carriers { "ups" -> "UPS"  else -{OTHER" }\n}\n', 'r""{"}\n""{'):
        tree, found = parse_file(Source("any.merx", written))
        assert tree.partial and found


# --- reading


def read(path: Path, name: str | None = None) -> str:
    source, found = read_source(path, name)
    if source is not None:
        assert not found
        return source.text
    [problem] = found
    assert problem.help
    return render(problem)


def test_a_file_is_read_without_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.merx"
    path.write_bytes(b"\xef\xbb\xbf# caf\xc3\xa9\r\n")
    assert read(path) == "# café\r\n"
    source, _ = read_source(path, "shown.merx")
    assert source is not None
    assert source.name == "shown.merx"


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert read(tmp_path / "no.merx", "no.merx").startswith("error[M001]: there is no file `no.merx`")
    assert read(tmp_path, "rules").startswith("error[M001]: `rules` is a folder, not a file")
    assert read(Path("/dev/null"), "null").startswith("error[M001]: `null` is not a regular file")
    assert "M001" in read(Path("a\0b"), "odd")
    assert "M001" in read(tmp_path / ("x" * 5000), "long")


def test_encodings_that_are_not_utf_8_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.merx"
    path.write_bytes("# ok\n# größe".encode("latin-1"))
    assert read(path, "a").startswith("error[M002]: `a` is not UTF-8 at byte 10 (0xF6), in line 2")
    path.write_bytes(b"\xef\xbb\xbf\xff")
    assert read(path, "a").startswith("error[M002]: `a` is not UTF-8 at byte 4 (0xFF), in line 1")
    path.write_text("pricing", encoding="utf-16")
    assert read(path, "a").startswith("error[M002]: `a` is UTF-16, not UTF-8")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.merx"
    path.write_bytes(b"#" * (LARGEST_FILE + 1))
    assert read(path, "a").startswith("error[M003]: `a` is larger than 4 MB")


@settings(max_examples=200, deadline=None)
@given(st.binary())
def test_any_bytes_give_a_source_or_a_diagnostic(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.merx"
    path.write_bytes(content)
    source, found = read_source(path, "any.merx")
    assert (source is None) == bool(found)
    if source is not None:
        tree, found = parse_file(source)
        assert tree.partial == bool(found)


def test_declarations_are_found_whatever_their_line_ends() -> None:
    [first, second] = file('pricing "a" { }\r\npricing "b" { }\r\n').declarations
    assert isinstance(first, Declaration)
    assert second.span.line == 2
