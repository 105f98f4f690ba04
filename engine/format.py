"""Rule text without mistakes comes in; the same rules in the house style go out, with every comment.

The author decides where lines break; the formatter decides everything between: indentation, the space between words,
blank lines, and what is aligned. It moves no word to another line, so it cannot change what is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from merx.engine.depth import children
from merx.engine.diagnostic import PolicyError
from merx.engine.parse import parse_file
from merx.engine.scan import Piece, scan
from merx.engine.source import Source
from merx.engine.syntax import Case, Declaration, Ensure, Entry, File, Node, Rate, Rung, Section, Setting, Typed, Use

INDENT = "  "

LONGEST_ALIGNED = 100
"""Characters of a line that still pushes the comments of its neighbours to the right."""

_STARTERS = (Use, Declaration, Setting, Section, Entry, Rate, Typed, Ensure, Rung, Case)
_ENDING_KEYWORDS = frozenset({"yes", "no", "on", "off", "missing", "present"})


@dataclass(slots=True)
class _Line:
    """One line of the author's. pads: index of a word → further spaces before it."""

    words: list[Piece]
    comment: str = ""
    blank_before: bool = False
    level: int = 0
    pads: dict[int, int] = field(default_factory=dict)


def format_source(source: Source) -> str:
    """The formatted text; formatting it again changes nothing. Raises PolicyError where the text has mistakes."""
    source = Source(source.name, source.text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"))
    file, problems = parse_file(source)
    if problems:
        raise PolicyError(problems)
    return _Layout(_lines(source.text), _starters(file)).text()


def _starters(file: File) -> dict[int, Node]:
    """Offset → the item, rung, case or declaration that starts there."""
    found: dict[int, Node] = {}
    waiting: list[Node | File] = [file]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _STARTERS):
            found[node.span.start] = node
        waiting.extend(children(node))
    return found


def _lines(text: str) -> list[_Line]:
    """The author's lines that have words or a comment, without blank lines where a block starts or ends."""
    lines: list[_Line] = []
    breaks = 0
    for piece in scan(text):
        if piece.kind == "space":
            breaks += piece.text.count("\n")
            continue
        if breaks or not lines:
            lines.append(_Line([], blank_before=breaks > 1 and bool(lines)))
            breaks = 0
        if piece.kind == "comment":
            lines[-1].comment = piece.text.rstrip()
        else:
            lines[-1].words.append(piece)
    for before, line in pairwise(lines):
        if (before.words and before.words[-1].kind == "open") or (line.words and line.words[0].kind == "close"):
            line.blank_before = False
    return lines


def _unary_signs(lines: list[_Line]) -> set[int]:
    """The offsets of `+` and `-` that are signs of what follows, not operators."""
    found: set[int] = set()
    before: Piece | None = None
    for line in lines:
        for word in line.words:
            ends_a_value = before is not None and (
                before.kind in ("name", "quoted", "text", "number", "close") or before.text in _ENDING_KEYWORDS
            )
            if word.text in ("+", "-") and not ends_a_value:
                found.add(word.start)
            before = word
    return found


class _Layout:
    def __init__(self, lines: list[_Line], starters: dict[int, Node]) -> None:
        self.lines = lines
        self.starters = starters
        self.signs = _unary_signs(lines)

    def text(self) -> str:
        self.indent()
        self.align_items()
        written = [INDENT * line.level + self.words(line) for line in self.lines]
        self.add_comments(written)
        blanks = ("\n" if line.blank_before else "" for line in self.lines)
        return "".join(f"{blank}{text}\n" for blank, text in zip(blanks, written, strict=True))

    def indent(self) -> None:
        """One level more than the line that opened the innermost bracket, as many where the line closes it, and one
        more where a line goes on with what an earlier one began."""
        opened: list[_Line] = []
        before: Piece | None = None
        for line in self.lines:
            line.level = opened[-1].level + 1 if opened else 0
            if line.words and line.words[0].kind not in ("open", "close") and not self.begins(line.words[0], before):
                line.level += 1
            leading = True
            for word in line.words:
                if word.kind == "close":
                    opener = opened.pop()
                    line.level = opener.level if leading else line.level
                    continue
                leading = False
                if word.kind == "open":
                    opened.append(line)
            before = line.words[-1] if line.words else before

    def begins(self, word: Piece, before: Piece | None) -> bool:
        """The word starts an item or an element of a list."""
        return word.start in self.starters or before is None or before.text in ("(", "[", ",")

    # --- within a line

    def words(self, line: _Line, last: int | None = None) -> str:
        """The words of the line, up to `last` (excluded), with the space between them."""
        parts: list[str] = [line.words[0].text] if line.words else []
        for index, (before, word) in enumerate(pairwise(line.words[:last]), 1):
            parts += [self.space(before, word), " " * line.pads.get(index, 0), word.text]
        return "".join(parts)

    def space(self, before: Piece, word: Piece) -> str:
        if before.text in ("(", "[") or word.text in (")", "]", ",", ":", "?") or ".." in (before.text, word.text):
            return ""
        if word.start in self.starters and before.text != "{":
            return "  "
        if before.start in self.signs or (word.text == "(" and before.kind == "name"):
            return ""
        return " "

    # --- between lines

    def align_items(self) -> None:
        """Line up `=`, `->` and types of neighbouring lines of one such item each."""
        keys = [self.aligned_word(line) for line in self.lines]

        def alike(one: int, two: int) -> bool:
            return keys[one][0] == keys[two][0] and _neighbours(self.lines[one], self.lines[two])

        for run in _runs(len(self.lines), alike):
            if keys[run[0]][0]:
                lengths = [len(self.words(self.lines[index], keys[index][1])) for index in run]
                for index, length in zip(run, lengths, strict=True):
                    self.lines[index].pads[keys[index][1]] = max(lengths) - length

    def aligned_word(self, line: _Line) -> tuple[str, int]:
        """By what the line is lined up with others, and the index of the word that moves; ("", 0) where by nothing."""
        item = self.starters.get(line.words[0].start) if line.words else None
        if item is None or item.span.end != line.words[-1].end:
            return "", 0
        if isinstance(item, Setting):
            return "setting", 1
        if isinstance(item, Rate):
            return "rate", 3
        if isinstance(item, Typed):
            return "typed", 2
        if isinstance(item, Entry | Rung | Case):
            depth = 0
            for index, word in enumerate(line.words):
                if word.text == "->" and depth == 0:
                    return "entry", index
                depth += (word.kind == "open") - (word.kind == "close")
        return "", 0

    def add_comments(self, written: list[str]) -> None:
        """Put each line's comment behind its words, two spaces away and below its neighbours'."""
        lines = self.lines
        for run in _runs(len(lines), lambda one, two: _neighbours(lines[one], lines[two])):
            widths = [len(written[index]) for index in run if lines[index].comment and lines[index].words]
            column = max((width for width in widths if width <= LONGEST_ALIGNED), default=0)
            for index in run:
                if lines[index].comment and lines[index].words:
                    written[index] = f"{written[index].ljust(column)}  {lines[index].comment}"
                elif lines[index].comment:
                    written[index] += lines[index].comment


def _neighbours(line: _Line, below: _Line) -> bool:
    """Two lines of words, one right below the other and as deep."""
    return bool(line.words and below.words) and not below.blank_before and line.level == below.level


def _runs(count: int, belong: Callable[[int, int], bool]) -> list[list[int]]:
    """The indices below `count` in runs whose neighbours belong together."""
    runs: list[list[int]] = []
    for index in range(count):
        if runs and belong(index - 1, index):
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs
