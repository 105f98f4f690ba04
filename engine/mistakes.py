"""The place where the grammar stopped comes in; one diagnostic in the merchant's words goes out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from merx.engine import misfits
from merx.engine.diagnostic import Diagnostic, Note
from merx.engine.misfits import shown
from merx.engine.scan import KEYWORDS, RUNG_WORDS, Piece
from merx.engine.source import Source, Span

_RUNGS = {"above": ">", "from": ">=", "below": "<", "upto": "<=", "exactly": "=="}
_CONNECTING = frozenset(
    {"and", "or", "not", "in", "has", "contains", "starts", "ends", "with", "matches", "is", "then", "else", "to", "if"}
)
_COMPARING = frozenset({"in", "has", "contains", "starts", "ends", "matches", "is", "not"})
_UNIT = re.compile(r"[smhdw]|[kMG]?B")
_RUNG_HELP = "a rung starts with `above`, `from`, `below`, `upto`, `exactly`, `when` or `else`: `from 100 -> +5%`"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Where the grammar stopped in the pieces `first` to `last` (excluded).

    at: the piece that does not fit; `last` where more was expected.
    accepted: the terminals that would have fitted.
    lone: the pieces are an expression by themselves, with no items around.
    """

    source: Source
    pieces: Sequence[Piece]
    first: int
    last: int
    at: int
    accepted: frozenset[str]
    lone: bool = False

    @property
    def piece(self) -> Piece | None:
        return self.pieces[self.at] if self.at < self.last else None

    @property
    def before(self) -> Piece | None:
        return self.pieces[self.at - 1] if self.at > self.first else None

    @property
    def after(self) -> Piece | None:
        return self.pieces[self.at + 1] if self.at + 1 < self.last else None

    def span(self, first: int, last: int | None = None) -> Span:
        """From piece `first` to piece `last`, both included."""
        end = self.pieces[first if last is None else last].end
        return Span(self.source, self.pieces[first].start, end)

    @property
    def here(self) -> Span:
        """The piece that does not fit; where more was expected, the one after which."""
        return self.span(min(self.at, self.last - 1)) if self.last > self.first else Span(self.source, 0, 0)

    def error(self, code: str, message: str, help: str, span: Span | None = None) -> Diagnostic:
        return Diagnostic(code, "error", message, self.here if span is None else span, help)

    @property
    def value_expected(self) -> bool:
        return "LSQB" in self.accepted

    @property
    def operator_expected(self) -> bool:
        return "SLASH" in self.accepted


def explain(trouble: Trouble) -> Diagnostic:
    """What is wrong there: the first of the known mistakes, else what was expected instead."""
    for known in _KNOWN:
        if found := known(trouble):
            return found
    return _expected(trouble)


# --- pieces, brackets and separators


def _wrong(trouble: Trouble) -> Diagnostic | None:
    piece = trouble.piece
    if piece and piece.text == ";" and "COMMA" in trouble.accepted:
        return trouble.error("M009", "`;` is not part of the language", "write `,`")
    return misfits.wrong_piece(trouble.source, piece) if piece and piece.wrong else None


def _brackets(trouble: Trouble) -> Diagnostic | None:
    """The bracket that stands open where the grammar stopped and is never closed, or the one that closes nothing."""
    stack: list[int] = []
    for index in range(trouble.first, trouble.last):
        piece = trouble.pieces[index]
        if piece.kind == "open":
            stack.append(index)
        elif piece.kind == "close":
            opener = misfits.OPENING[piece.text]
            if stack and trouble.pieces[stack[-1]].text == opener:
                stack.pop()
            elif index == trouble.at and not any(trouble.pieces[one].text == opener for one in stack):
                return _mismatch(trouble, stack[-1]) if stack else misfits.stray(trouble.source, piece)
            else:
                break
    left_open = [index for index in stack if index < trouble.at]
    for piece in trouble.pieces[trouble.first : trouble.last] if left_open else ():
        if piece.kind.startswith("unclosed"):
            # It holds the missing bracket.
            return misfits.wrong_piece(trouble.source, piece)
    return misfits.unclosed(trouble.source, trouble.pieces[left_open[-1]]) if left_open else None


def _mismatch(trouble: Trouble, opener: int) -> Diagnostic:
    closer, opening = trouble.pieces[trouble.at], trouble.pieces[opener]
    note = Note(f"this `{opening.text}` is open", trouble.span(opener))
    message = f"`{closer.text}` cannot close `{opening.text}`"
    return Diagnostic("M015", "error", message, trouble.here, f"write `{misfits.CLOSING[opening.text]}`", (note,))


def _comma(trouble: Trouble) -> Diagnostic | None:
    piece, before, after = trouble.piece, trouble.before, trouble.after
    if not piece or piece.text != "," or "COMMA" in trouble.accepted:
        return None
    if before and after and before.kind == after.kind == "number" and before.end == piece.start == after.start - 1:
        number = before.text + after.text
        span = trouble.span(trouble.at - 1, trouble.at + 1)
        return trouble.error("M007", "a number has no comma", f"write {shown(number)}", span)
    if trouble.value_expected:
        return None
    two_before = trouble.pieces[max(trouble.first, trouble.at - 2)].text
    if two_before in ("in", "any", "all"):
        return trouble.error("M009", "a comma cannot stand here", "a list stands in brackets: `[a, b]`")
    return trouble.error(
        "M009", "a comma cannot stand here", "leave it out: commas separate the elements of a list and arguments only"
    )


# --- operators


def _equals(trouble: Trouble) -> Diagnostic | None:
    piece, start = trouble.piece, trouble.pieces[trouble.first] if trouble.last > trouble.first else None
    if not piece or not start or piece.text not in ("=", "==", ":"):
        return None
    if trouble.at == trouble.first + 1 and piece.text == "==" and "EQUAL" in trouble.accepted:
        return trouble.error("M013", "`==` compares; it does not set a value", "to set a value, write `=`")
    if "ARROW" in trouble.accepted and piece.text in ("=", ":"):
        return trouble.error("M010", f"expected `->`, found `{piece.text}`", f"write `->` instead of `{piece.text}`")
    if piece.text == "=" and ("AND" in trouble.accepted or "RPAR" in trouble.accepted):
        return trouble.error("M013", "`=` sets a value; it does not compare", "to compare, write `==`")
    return None


def _chain(trouble: Trouble) -> Diagnostic | None:
    piece = trouble.piece
    if not piece or "AND" not in trouble.accepted:
        return None
    if piece.text == ".." and "DOTS" not in trouble.accepted:
        return trouble.error("M012", "a range has two ends", "write `low..high`")
    compares = piece.text in ("==", "!=", "<", "<=", ">", ">=") or piece.text in _COMPARING
    if not compares or "RELATION" in trouble.accepted:
        return None
    help = "join two comparisons with `and`"
    around = trouble.pieces[max(trouble.first, trouble.at - 3) : trouble.at + 2]
    if len(around) == 5 and trouble.at + 1 < trouble.last and not any(one.kind in ("open", "close") for one in around):
        left, one, middle, two, right = (part.text for part in around)
        if one in ("==", "!=", "<", "<=", ">", ">="):
            help += f": {shown(f'{left} {one} {middle} and {middle} {two} {right}')}"
    return trouble.error("M012", "comparisons do not chain", help)


def _is_and_not(trouble: Trouble) -> Diagnostic | None:
    piece, before = trouble.piece, trouble.before
    if not before:
        return None
    if before.text == "is" and before.kind == "keyword" and "MISSING" in trouble.accepted:
        if piece and piece.text == "not":
            opposite = {"missing": "write `is present`", "present": "write `is missing`"}
            help = opposite.get(trouble.after.text if trouble.after else "", "to compare, write `!=`")
            end = trouble.at + 1 if trouble.after and trouble.after.text in opposite else trouble.at
            return trouble.error(
                "M010", "`is not` is not part of the language", help, trouble.span(trouble.at - 1, end)
            )
        help = "`is missing` and `is present` ask whether there is a value; to compare, write `==`"
        return trouble.error("M010", f"expected `missing` or `present`{_found(trouble)}", help)
    if before.text == "not" and before.kind == "keyword" and trouble.accepted == {"IN"}:
        help = 'put `not` before the whole comparison: `not name contains "x"`'
        return trouble.error("M010", f"expected `in` after `not`{_found(trouble)}", help)
    return None


def _other_operators(trouble: Trouble) -> Diagnostic | None:
    piece, before = trouble.piece, trouble.before
    if not piece or not before or not trouble.operator_expected:
        return None
    if piece.text in _RUNGS and "RUNG" not in trouble.accepted:
        return trouble.error(
            "M010", f"`{piece.text}` stands only in a `ladder`", f"to compare, write `{_RUNGS[piece.text]}`"
        )
    if piece.text == "?":
        return trouble.error("M009", "`?` chooses nothing", "write `if CONDITION then A else B`")
    if piece.text == "(" and before.kind == "quoted":
        return trouble.error("M010", "a name in backticks is an attribute, not a function", "leave the backticks out")
    if piece.kind == "name" and piece.text.lower() in KEYWORDS:
        return trouble.error("M010", f"keywords are lower case: `{piece.text}`", f"write `{piece.text.lower()}`")
    if piece.kind == "name" and before.kind == "number" and before.text[-1].isdigit():
        if _UNIT.fullmatch(piece.text):
            both = trouble.span(trouble.at - 1, trouble.at)
            return trouble.error("M007", "a unit touches its number", f"write `{before.text[:40]}{piece.text}`", both)
        if re.fullmatch(r"[A-Z]{3}", piece.text):
            help = "an amount is a plain number; its currency comes from the rule around it"
            return trouble.error("M010", f"a number has no currency: `{piece.text}`", help)
    return None


# --- words and shapes


def _keyword(trouble: Trouble) -> Diagnostic | None:
    piece, after = trouble.piece, trouble.after
    if not piece or piece.kind != "keyword":
        return None
    names = trouble.at == trouble.first and after is not None and after.text in ("=", "{", ":", "->")
    if names and "NAME" in trouble.accepted:
        return misfits.keyword_as_name(trouble.source, piece)
    if trouble.at == trouble.first and piece.text in RUNG_WORDS and "ENSURE" in trouble.accepted:
        return trouble.error(
            "M010", f"a rung stands only in a `ladder`: `{piece.text}`", "write `name = ladder subject { … }`"
        )
    if trouble.value_expected and piece.text == "if":
        return trouble.error("M018", "an `if` among other operators needs parentheses", "write `(if … then … else …)`")
    if trouble.value_expected and piece.text == "not":
        return trouble.error("M010", "a `not` among other operators needs parentheses", "write `(not …)`")
    if found := _misplaced_keyword(trouble, piece):
        return found
    if "NAME" in trouble.accepted and piece.text not in _CONNECTING and "RELATION" not in trouble.accepted:
        return misfits.keyword_as_name(trouble.source, piece)
    return None


def _misplaced_keyword(trouble: Trouble, piece: Piece) -> Diagnostic | None:
    before = trouble.before
    is_rung = piece.text in RUNG_WORDS
    if piece.text == "use" and trouble.at == trouble.first and not trouble.lone:
        help = "write it at the top of the file"
        return trouble.error("M017", "`use` cannot stand inside a declaration", help)
    awaits_brace = before is not None and (before.text == "ladder" or trouble.accepted >= {"LBRACE", "SLASH"})
    if is_rung and awaits_brace:
        return trouble.error("M010", f"expected `{{`, found `{piece.text}`", "rungs stand in braces: `ladder { … }`")
    if is_rung and before and before.text == "{" and "RUNG" not in trouble.accepted:
        help = 'a lookup has keys: `lookup color { "red" -> 1 }`'
        return trouble.error("M010", f"`{piece.text}` stands only in a `ladder`", help)
    if piece.text == "every" and trouble.value_expected:
        help = "write it as `update = every 15m`"
        return trouble.error("M010", "`every` stands only as the whole value of a setting", help)
    if piece.text == "to" and trouble.operator_expected:
        help = "write `round(x, step)` inside an expression"
        return trouble.error("M010", "`to` stands only as the whole value of a setting", help)
    return None


def _conditional(trouble: Trouble) -> Diagnostic | None:
    if "THEN" in trouble.accepted:
        return trouble.error("M018", f"expected `then`{_found(trouble)}", "write `if CONDITION then A else B`")
    if "ELSE" in trouble.accepted and "AND" in trouble.accepted and not {"RBRACE", "RUNG"} & trouble.accepted:
        return trouble.error(
            "M018", f"expected `else`{_found(trouble)}", "an `if` says both: `if CONDITION then A else B`"
        )
    return None


def _ensure(trouble: Trouble) -> Diagnostic | None:
    if trouble.piece is None and trouble.pieces[trouble.first].text == "ensure" and "TEXT" in trouble.accepted:
        if trouble.value_expected:
            return None
        help = 'say what is wrong when it does not hold: `ensure CONDITION "message"`'
        return trouble.error("M016", "an `ensure` needs a message", help, trouble.span(trouble.first, trouble.last - 1))
    return None


def _shape(trouble: Trouble) -> Diagnostic | None:
    """Sections, types, ladders and declarations that are written in another way."""
    piece, before, after = trouble.piece, trouble.before, trouble.after
    if piece and before and piece.text == "{" and before.text == "=":
        name = trouble.pieces[trouble.first].text
        return trouble.error("M010", "a section is written without `=`", f"write {shown(name + ' { … }')}")
    if piece and after and piece.kind == "text" and trouble.at == trouble.first + 1 and after.text == "{":
        return misfits.nested(trouble.span(trouble.first, trouble.at))
    if before and before.text == ":" and "NAME" in trouble.accepted and not trouble.value_expected:
        name = trouble.pieces[trouble.first].text
        help = (
            f"a type is text, number, money(EUR) …; a value is written `{name[:40]} = …`, in a map `{name[:40]} -> …`"
        )
        return trouble.error("M010", f"expected a type{_found(trouble)}", help)
    starts_rung = after is not None and after.text in ("->", ":", "=")
    if piece and "RUNG" in trouble.accepted and (starts_rung or not trouble.operator_expected):
        return trouble.error("M010", f"expected a rung{_found(trouble)}", _RUNG_HELP)
    if piece and before and piece.kind == "name" and "QMARK" in trouble.accepted and "LPAR" in trouble.accepted:
        help = f"what a type is of stands in brackets: {shown(f'{before.text}({piece.text})')}"
        return trouble.error("M010", f"expected an item, found {shown(piece.text)}", help)
    if piece and piece.kind == "number" and trouble.at == trouble.first + 3 and "EQUAL" in trouble.accepted:
        pair = trouble.source.text[trouble.pieces[trouble.first].start : trouble.pieces[trouble.at - 1].end]
        help = f"a rate is written {shown(f'{pair} = {piece.text}')}"
        return trouble.error("M010", f"expected `=`, found {shown(piece.text)}", help)
    return None


_KNOWN: tuple[Callable[[Trouble], Diagnostic | None], ...] = (
    _wrong, _brackets, _comma, _is_and_not, _keyword, _equals, _chain, _other_operators, _conditional, _ensure, _shape,
)  # fmt: skip


# --- anything else


def _found(trouble: Trouble) -> str:
    if trouble.piece is not None:
        return f", found {shown(trouble.piece.text)}"
    return f" after {shown(trouble.before.text)}" if trouble.before else ""


def _expected(trouble: Trouble) -> Diagnostic:
    accepted, found = trouble.accepted, _found(trouble)
    for terminals, what, help in _EXPECTATIONS:
        if terminals <= accepted:
            if trouble.lone:
                help = help.partition(", or begin")[0]
            return trouble.error("M010", f"expected {what}{found}", help)
    return trouble.error("M010", f"this cannot stand here{found}", "delete it, or begin a new item")


_EXPECTATIONS: tuple[tuple[frozenset[str], str, str], ...] = tuple(
    (frozenset(terminals.split()), what, help)
    for terminals, what, help in (
        (
            "ENSURE",
            "an item",
            'an item is `name = value`, `name { … }`, `key -> value` or `ensure CONDITION "message"`',
        ),
        ("LSQB RSQB", "a value or `]`", "a value is a number, a text in double quotes, a name, a list or a call"),
        ("LSQB", "a value", "a value is a number, a text in double quotes, a name, a list or a call"),
        ("EQUAL LBRACE", "`=`, `{`, `:` or `->`", "a setting is written `name = value`"),
        ("RPAR COMMA SLASH", "an operator, `,` or `)`", "separate arguments with commas"),
        ("RSQB SLASH", "an operator, `,` or `]`", "separate the elements of a list with commas"),
        ("ARROW", "`->`", "write `->` between the two sides"),
        ("LBRACE", "`{`", "the rungs or keys stand in braces"),
        ("RPAR", "`)`", "close the bracket first"),
        ("RSQB", "`]`", "close the bracket first"),
        ("SLASH", "an operator", "join two values with an operator such as `+`, or begin the next item with `name =`"),
        ("AND", "`and` or `or`", "join two conditions with `and` or `or`, or begin the next item with `name =`"),
        ("WITH", "`with`", "write `starts with` or `ends with`"),
        ("TEXT", "a text in double quotes", "write it in straight double quotes"),
    )
)
