"""A piece that can stand nowhere, or not there whatever stands around it, comes in; its diagnostic goes out."""

from __future__ import annotations

import re

from merx.engine.diagnostic import Diagnostic, Note
from merx.engine.scan import Piece
from merx.engine.source import Source, Span

OPENING = {")": "(", "]": "[", "}": "{"}
CLOSING = {opener: closer for closer, opener in OPENING.items()}


def shown(text: str) -> str:
    """The user's text in backticks, shortened."""
    text = text if len(text) <= 40 else text[:39] + "…"
    return f"`` {text} ``" if "`" in text else f"`{text}`"


_WRITE = {
    "===": "==", "!==": "!=", "&&": "and", "||": "or", "<>": "!=", "=<": "<=", ":=": "=", "...": "..", "&": "and",
    "|": "or", "!": "not", "≤": "<=", "≥": ">=", "≠": "!=", "×": "*", "÷": "/", "−": "-", "–": "-", "—": "-",
    "→": "->", "…": "..",
}  # fmt: skip
_MEANING = {
    "=>": "write `->` in a map or ladder, `>=` to compare",
    "//": "a comment starts with `#`",
    "/*": "a comment starts with `#` and goes to the end of its line",
    "*/": "a comment starts with `#` and goes to the end of its line",
    ";": "leave it out: nothing stands between items",
    "%": "the percent sign touches its number: `10%`",
    ".": "an attribute is one name, without dots; an odd name is written in backticks",
    **dict.fromkeys("$€£¥", "an amount is a plain number; its currency comes from the rule around it"),
}


def wrong_piece(source: Source, piece: Piece) -> Diagnostic:
    """What is wrong with a piece that can stand nowhere."""
    text, span = piece.text, Span(source, piece.start, piece.end)

    def error(code: str, message: str, help: str) -> Diagnostic:
        return Diagnostic(code, "error", message, span, help)

    if piece.kind == "unclosed text":
        if text.endswith('\\"'):
            return error(
                "M006", "this text is not closed", 'write `\\\\` for a backslash: `\\"` is a quote in the text'
            )
        return error("M006", "this text is not closed", 'end it with `"` on the same line')
    if piece.kind == "unclosed quoted":
        return error("M006", "this name is not closed", "end it with a backtick on the same line")
    if piece.kind == "wrong quotes":
        if len(text) == 1:
            return error("M009", "text stands in straight double quotes", 'a text is written `"…"`')
        inner = text[1:-1]
        return error("M009", "text stands in straight double quotes", f"write {shown(chr(34) + inner + chr(34))}")
    if piece.kind == "wrong word":
        help = f"write it in backticks: `` `{text[:40]}` ``"
        return error("M009", f"a bare name has only the letters a to z, digits and `_`: {shown(text)}", help)
    if piece.kind == "wrong number":
        return error("M007", f"{shown(text)} is not a number", _number_help(text))
    if text.isspace():
        return error("M009", f"an unusual space (U+{ord(text):04X})", "replace it by an ordinary one")
    help = f"write `{_WRITE[text]}`" if text in _WRITE else _MEANING.get(text, "delete it")
    return error("M009", f"{shown(text)} is not part of the language", help)


def _number_help(text: str) -> str:
    if text.startswith("."):
        return f"write `0{text[:40]}`"
    if text.endswith("."):
        return f"write `{text[:-1][:40]}`"
    if re.fullmatch(r"[0-9_]+(?:\.[0-9_]+)?", text):
        return f"write `{text.replace('_', '')[:40]}`"
    if re.fullmatch(r"[0-9.]+%%+", text):
        return "write one percent sign"
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+){2,}", text):
        return "a number has at most one point"
    if "%" in text:
        return f"put a space behind {shown(text[: text.index('%') + 1])}"
    return "letters touch a number only as its unit: `15m`, `2MB`"


def unclosed(source: Source, piece: Piece) -> Diagnostic:
    """A bracket without its other half."""
    return Diagnostic(
        "M014",
        "error",
        f"this `{piece.text}` is not closed",
        Span(source, piece.start, piece.end),
        f"add the missing `{CLOSING[piece.text]}`",
    )


def stray(source: Source, piece: Piece, notes: tuple[Note, ...] = ()) -> Diagnostic:
    """A closing bracket without its other half."""
    help = f"delete it, or add the missing `{OPENING[piece.text]}` before it"
    span = Span(source, piece.start, piece.end)
    return Diagnostic("M015", "error", f"this `{piece.text}` closes nothing", span, help, notes)


def keyword_as_name(source: Source, piece: Piece) -> Diagnostic:
    return Diagnostic(
        "M011",
        "error",
        f"`{piece.text}` is a keyword",
        Span(source, piece.start, piece.end),
        f"a name like that is written in backticks: `` `{piece.text}` ``",
    )


def nested(head: Span) -> Diagnostic:
    help = "end the one around it with `}` first, and name this one there by its title"
    return Diagnostic("M017", "error", "a declaration cannot stand inside another one", head, help)
