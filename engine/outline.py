"""Pieces of a text come in; where its declarations and items begin and end goes out, however broken they are.

What it says is a guess from brackets, line starts and indentation: it decides what recovery parses by itself and what
a missing bracket swallows, never what a rule means.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from merx.engine import misfits
from merx.engine.depth import too_deep_here
from merx.engine.diagnostic import Diagnostic
from merx.engine.scan import DEEPEST, RUNG_WORDS, Piece, scan_words
from merx.engine.source import Source, Span

MOST_PIECES = 500_000
"""Words of one file: about as many as the largest file has; only a file made to be slow has more."""

_ENDS_A_VALUE = frozenset(
    {"name", "quoted", "text", "number", "close", "unclosed text", "wrong quotes", "wrong number"}
)
_ENDING_KEYWORDS = frozenset({"yes", "no", "on", "off", "missing", "present"})
_ITEM_SIGNS = frozenset({"=", "{", ":", "->"})
_KEYS = frozenset({"name", "quoted", "keyword", "text", "number"})
_OPENERS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Head:
    """What starts a declaration: pieces `start` up to its body. brace: the `{`, None where it was forgotten.
    problem: why the declaration is lost although its items can be looked at."""

    start: int
    brace: int | None
    body: int
    problem: Diagnostic | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """Where the items of a declaration end. closed: by a `}`, else by the next declaration or the end of the text.
    forgotten: the opening braces that are never closed. swallowed: a text that is never closed may hold their ends."""

    end: int
    closed: bool
    forgotten: tuple[int, ...] = ()
    swallowed: bool = False


class Outline:
    """pieces: the words of the text, without space and comments; everywhere else they go by their index.
    unclosed: the opening braces that are known never to be closed."""

    def __init__(self, source: Source, text: str) -> None:
        self.source = source
        self.text = text
        self.pieces = list(islice(scan_words(text), MOST_PIECES))
        self.starts = [piece.start for piece in self.pieces]
        self.unclosed: set[int] = set()
        self._indentations: dict[int, int] = {}

    def cut_off(self, index: int) -> bool:
        """What seems to be missing at `index` may stand behind the pieces that are looked at."""
        return index == len(self.pieces) == MOST_PIECES

    def piece(self, index: int) -> Piece:
        """The piece at `index`; an empty one after the last."""
        return self.pieces[index] if index < len(self.pieces) else Piece("space", "", len(self.text))

    def span(self, first: int, last: int) -> Span:
        """From piece `first` to piece `last`, both included."""
        return Span(self.source, self.starts[first], self.pieces[last].end)

    def at(self, position: int, first: int, last: int) -> int:
        """The piece that holds the character at `position`; `last` where it is behind the last one."""
        if position >= self.pieces[last - 1].end:
            return last
        return max(first, bisect_right(self.starts, position) - 1)

    def first_on_line(self, index: int) -> bool:
        return index == 0 or "\n" in self.text[self.pieces[index - 1].end : self.starts[index]]

    def at_margin(self, index: int) -> bool:
        """At column 1."""
        return self.starts[index] == 0 or self.text[self.starts[index] - 1] == "\n"

    def indentation(self, index: int) -> int:
        """Of the line that piece `index` is on, in characters."""
        line = self.source.line_number(self.starts[index])
        if line not in self._indentations:
            content = self.source.line(line)
            self._indentations[line] = len(content) - len(content.lstrip(" \t"))
        return self._indentations[line]

    # --- declarations

    def head(self, index: int) -> Head | None:
        """The head of a declaration that starts at piece `index`, right or nearly so."""
        first, second, third = (self.piece(index + step) for step in range(3))
        if first.kind not in ("name", "keyword"):
            return None
        problem = misfits.keyword_as_name(self.source, first) if first.kind == "keyword" else None
        if second.kind == "text" and third.text == "{":
            return Head(index, index + 2, index + 3, problem)
        if second.text == "{" and (self.at_margin(index) or first.text == "rates"):
            return Head(index, index + 1, index + 2, problem)
        if not self.at_margin(index):
            return None
        if second.kind == "text" and self.piece(index + 3).text == "{" and not self.first_on_line(index + 2):
            message = f"expected `{{` after the title, found {misfits.shown(third.text)}"
            found = Diagnostic("M017", "error", message, self.span(index + 2, index + 2), "delete it")
            return Head(index, index + 3, index + 4, found)
        if second.kind == "text":
            return Head(index, None, index + 2, problem)
        if second.kind == "unclosed text":
            return Head(index, None, index + 2, misfits.wrong_piece(self.source, second))
        return self.odd_head(index)

    def odd_head(self, index: int) -> Head | None:
        """A line that ends in `{` and has something else than one text for a title."""
        brace = index + 1
        while brace < len(self.pieces) and not self.first_on_line(brace) and self.pieces[brace].text not in _ITEM_SIGNS:
            brace += 1
        if self.piece(brace).text != "{" or self.first_on_line(brace):
            return None
        wrong = next((piece for piece in self.pieces[index:brace] if piece.wrong), None)
        if wrong:
            return Head(index, brace, brace + 1, misfits.wrong_piece(self.source, wrong))
        title = self.text[self.starts[index + 1] : self.pieces[brace - 1].end]
        help = "write " + misfits.shown(f'{self.pieces[index].text} "{title}" {{')
        span = self.span(index + 1, brace - 1)
        return Head(index, brace, brace + 1, Diagnostic("M017", "error", "a title stands in double quotes", span, help))

    def begins_declaration(self, index: int) -> bool:
        """Surely starts a declaration, whatever is still open before it."""
        first, second, third = (self.piece(index + step) for step in range(3))
        if not self.at_margin(index):
            return False
        if first.text == "use":
            return second.kind == "text"
        return first.kind == "name" and (
            (second.kind == "text" and third.text == "{") or (first.text == "rates" and second.text == "{")
        )

    def is_nested(self, index: int) -> bool:
        """A declaration where an item should be."""
        return (
            self.pieces[index].kind == "name"
            and self.piece(index + 1).kind == "text"
            and self.piece(index + 2).text == "{"
        )

    def body(self, head: Head) -> Body:
        """Where the declaration ends. Where its braces do not come out even, the author's indentation tells which one
        was forgotten."""
        last, depth = head.body, 1
        while last < len(self.pieces) and not self.begins_declaration(last):
            piece = self.pieces[last]
            if piece.text == "{":
                depth += 1
            elif piece.text == "}":
                depth -= 1
                if depth == 0:
                    return Body(last, closed=True)
            last += 1
        open_braces: list[int | None] = [head.brace]
        forgotten: list[int] = []
        end = last
        for index in range(head.body, last):
            piece = self.pieces[index]
            if piece.text == "{":
                open_braces.append(index)
            elif piece.text == "}":
                forgotten += self.left_open(open_braces, index)
                open_braces.pop()
                if not open_braces:
                    end = index
                    break
        forgotten += [index for index in open_braces if index is not None]
        swallowed = self.cut_off(last) or any(
            piece.kind.startswith("unclosed") and ("}" in piece.text or "{" in piece.text)
            for piece in self.pieces[head.start : last]
        )
        # A swallowed end is told with the text that swallowed it, and hides nothing else.
        if not swallowed:
            self.unclosed.update(forgotten)
        return Body(end, not open_braces, tuple(forgotten), swallowed)

    def left_open(self, open_braces: list[int | None], closer: int) -> list[int]:
        """Take from `open_braces` those that stand further right than a `}` at the beginning of its line."""
        found: list[int] = []
        if not self.first_on_line(closer):
            return found
        margin = self.indentation(closer)
        while len(open_braces) > 1:
            innermost = open_braces[-1]
            if innermost is None or self.indentation(innermost) <= margin:
                break
            found.append(innermost)
            open_braces.pop()
        return found

    def too_deep(self, first: int, last: int) -> Diagnostic | None:
        depth = 1
        for index in range(first, last):
            kind = self.pieces[index].kind
            if kind == "open":
                depth += 1
                if depth > DEEPEST:
                    return too_deep_here(self.span(index, index))
            elif kind == "close":
                depth = max(0, depth - 1)
        return None

    # --- items

    def item_starts(self, first: int, last: int) -> Iterator[int]:
        """Where items begin: at `name =`, `name {`, `name :`, `key ->` and `ensure`, outside of any bracket."""
        brackets: list[str] = []
        awaits_brace = False
        index = first
        latest = first - 1
        while index < last:
            piece = self.pieces[index]
            if index > latest and (index == first or self.starts_item(index, first, brackets, awaits_brace)):
                yield index
                latest = index
                brackets.clear()
                awaits_brace = False
            if piece.kind == "keyword" and piece.text in ("ladder", "lookup") and not brackets:
                awaits_brace = True
            elif index in self.unclosed:
                index = latest = self.indented_end(index, last)
                if index < last:
                    yield index
                brackets.clear()
                awaits_brace = False
                continue
            elif piece.kind == "open":
                awaits_brace = awaits_brace and not (piece.text == "{" and not brackets)
                brackets.append(piece.text)
            elif piece.kind == "close":
                _close(brackets, piece.text)
            index += 1

    def starts_item(self, index: int, first: int, brackets: list[str], awaits_brace: bool) -> bool:
        piece, after = self.pieces[index], self.piece(index + 1)
        leads = self.first_on_line(index)
        if "{" in brackets or (brackets and not (leads and after.text == "=")):
            return False
        if piece.text == "ensure" or self.is_nested(index):
            return True
        if piece.kind not in _KEYS or after.text not in _ITEM_SIGNS or (awaits_brace and after.text == "{"):
            return False
        if piece.kind in ("text", "number") and after.text != "->":
            return False
        before = self.pieces[index - 1] if index > first else None
        if before is None or before.kind in _ENDS_A_VALUE or before.text in (",", ";"):
            return True
        return before.text in _ENDING_KEYWORDS or (leads and after.text != "->")

    def indented_end(self, brace: int, last: int) -> int:
        """Where the contents of a brace that is never closed end: at the first line that is not indented further."""
        margin = self.indentation(brace)
        for index in range(brace + 1, last):
            if self.first_on_line(index) and self.source.column_number(self.starts[index]) - 1 <= margin:
                return index
        return last

    def may_end_before(self, at: int, first: int, last: int) -> bool:
        """The mistake at piece `at` is not of the item from `first` on: it is a separator, or a new line's own."""
        if not first < at < last:
            return False
        piece = self.pieces[at]
        if piece.text in (",", ";"):
            return at + 1 == last or self.resembles_item(at + 1)
        return self.first_on_line(at) and piece.kind not in ("symbol", "close", "open", "wrong symbol")

    def resembles_item(self, index: int) -> bool:
        """Piece `index` might start an item, if one may start there at all."""
        piece, after = self.pieces[index], self.piece(index + 1)
        return piece.text == "ensure" or (
            piece.kind in _KEYS and (after.text in _ITEM_SIGNS or after.text in ("=>", ":=", "=="))
        )

    def next_line(self, first: int, at: int, last: int) -> int:
        """The next line behind the mistake at piece `at` that looks like an item of its own: not indented further
        than the one that starts at `first`, and no bracket open; `last` where there is none."""
        margin = self.indentation(first)
        depth = 0
        for index in range(first, last):
            piece = self.pieces[index]
            if piece.kind == "open":
                depth += 1
            elif piece.kind == "close":
                depth -= 1
            elif (
                index > at
                and depth == 0
                and (piece.kind in ("name", "quoted") or piece.text in RUNG_WORDS or self.resembles_item(index))
                and self.first_on_line(index)
                and self.indentation(index) <= margin
            ):
                return index
        return last

    def section_end(self, first: int, last: int) -> int:
        """The `}` that closes the section whose name is piece `first`; `last` where none does."""
        brackets: list[str] = []
        for index in range(first + 1, last):
            piece = self.pieces[index]
            if piece.kind == "open":
                brackets.append(piece.text)
            elif piece.kind == "close":
                _close(brackets, piece.text)
                if not brackets:
                    return index
        return last


def _close(brackets: list[str], closer: str) -> None:
    """Take the bracket that `closer` closes from `brackets`, and those inside it; a stray one takes none."""
    opener = _OPENERS[closer]
    if opener in brackets:
        while brackets.pop() != opener:
            pass
