"""Any text comes in; its pieces (words, texts, brackets, spaces …) go out, whether or not they make sense together.

Cheap and total: every character belongs to exactly one piece. Recovery and the formatter stand on it; the grammar has
its own lexer, which agrees with this one about everything that is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, cast

from merx.engine.diagnostic import Diagnostic
from merx.engine.source import Source, Span

RUNG_WORDS = frozenset({"above", "from", "below", "upto", "exactly", "when"})

KEYWORDS = RUNG_WORDS | {
    "if", "then", "else", "and", "or", "not", "in", "has", "any", "all", "contains", "starts", "ends", "with",
    "matches", "is", "missing", "present", "ladder", "lookup", "ensure", "every", "to", "use", "yes", "no", "on", "off",
}  # fmt: skip

DEEPEST = 100
"""How deep brackets, and expressions, may nest."""

Kind = Literal[
    "space", "comment", "text", "quoted", "number", "name", "keyword", "symbol", "open", "close",
    "unclosed text", "unclosed quoted", "wrong quotes", "wrong number", "wrong word", "wrong symbol",
]  # fmt: skip


class Piece(NamedTuple):
    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def wrong(self) -> bool:
        """Cannot stand anywhere in a rule file."""
        return self.kind.startswith(("wrong", "unclosed"))


_PIECE = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<comment>\#[^\n]*)
  | (?P<text>"[^"\\\n]*(?:\\.[^"\\\n]*)*")
  | (?P<unclosed_text>"[^\n]*)
  | (?P<quoted>`[^`\n]+`)
  | (?P<unclosed_quoted>`[^\n]*)
  | (?P<wrong_quotes>'[^'\n]*'|[“”„‟«»‹›][^“”„‟«»‹›"\n]*[“”„‟«»‹›"]|[‘’‚‛][^‘’‚‛'\n]*[‘’‚‛']|['“”„‟«»‹›‘’‚‛])
  | (?P<number>
        [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\b
      | [0-9]+(?:\.[0-9]+)?%(?![\w%])
      | [0-9]+(?:\.[0-9]+)?[A-Za-z]+\b(?!\.[0-9])
      | [0-9]+(?:\.[0-9]+)?(?![\w%]|\.[0-9]|\.(?!\.))
    )
  | (?P<wrong_number>[0-9]\w*(?:\.\w+)*(?:\.(?!\.))?(?:%+\w*)?|(?<!\.)\.[0-9]\w*%?)
  | (?P<word>[^\W\d]\w*)
  | (?P<wrong_symbol>===|!==|&&|\|\||<>|=>|=<|:=|//|/\*|\*/|\.\.\.+|!(?!=)|(?<!\.)\.(?!\.))
  | (?P<symbol>->|==|!=|<=|>=|\?\?|\.\.|[=<>+\-*/?:,])
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


_KINDS: dict[str | None, Kind] = {
    **{group: cast(Kind, group.replace("_", " ")) for group in _PIECE.groupindex},
    "other": "wrong symbol",
}


def scan(text: str) -> Iterator[Piece]:
    """Every piece of `text`, in order."""
    for match in _PIECE.finditer(text):
        group, found = match.lastgroup, match.group()
        if group == "word":
            kind: Kind = "keyword" if found in KEYWORDS else "name" if found.isascii() else "wrong word"
        else:
            kind = _KINDS[group]
        yield Piece(kind, found, match.start())


def scan_words(text: str) -> Iterator[Piece]:
    """The pieces of `text` that are neither space nor comment, in order."""
    return (piece for piece in scan(text) if piece.kind != "space" and piece.kind != "comment")


_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\ufff9-\ufffb\ud800-\udfff]+|\r+(?!\n)"
)
_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def unseen_characters(source: Source) -> Iterator[Diagnostic]:
    """Control, bidirectional and invisible characters, wherever they stand: they let a rule look like another one."""
    for match in _UNSEEN.finditer(source.text):
        first = match.group()[0]
        if first in _BIDIRECTIONAL:
            message = f"a character that turns the direction of writing (U+{ord(first):04X})"
        elif "\ud800" <= first <= "\udfff":
            message = "bytes that are no text"
        elif first in "\r\u2028\u2029":
            message = f"an unusual line break (U+{ord(first):04X})"
        elif ord(first) < 0xA0:
            message = f"a control character (U+{ord(first):04X})"
        else:
            message = f"an invisible character (U+{ord(first):04X})"
        yield Diagnostic("M004", "error", message, Span(source, *match.span()), "delete it, then type the text anew")


def blank_unseen(text: str) -> str:
    """`text`, as long as before, with a space for each such character."""
    return _UNSEEN.sub(lambda match: " " * len(match.group()), text)


_BRACKET = re.compile(
    r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|#[^\n]*|`[^`\n]*`?|(?P<open>[(\[{]+)|(?P<close>[)\]}]+)'
    rf"|(?P<signs>(?:[-+*]\s*|\bnot\b\s*){{{DEEPEST}}})"
)


def too_deep_at(text: str) -> int | None:
    """Where more than `DEEPEST` brackets are open, or as many signs follow one another; None where nowhere."""
    depth = 0
    for match in _BRACKET.finditer(text):
        if match.lastgroup == "open":
            depth += match.end() - match.start()
            if depth > DEEPEST:
                return match.end() - (depth - DEEPEST)
        elif match.lastgroup == "close":
            depth = max(0, depth - (match.end() - match.start()))
        elif match.lastgroup == "signs":
            return match.start()
    return None
