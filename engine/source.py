"""A rule file's text comes in; places in it (file, line, column) go out."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, eq=False)
class Source:
    """A named text that diagnostics and reasons can point into.

    name: how the file is shown, for example `rules/bags.merx` or `<expression>`.
    text: the whole text, decoded, without a byte order mark.
    """

    name: str
    text: str = field(repr=False)

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        position = self.text.find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = self.text.find("\n", position + 1)
        return starts

    def line_number(self, offset: int) -> int:
        """The line, counted from 1, that holds the character at `offset`."""
        return bisect_right(self._line_starts, offset)

    def column_number(self, offset: int) -> int:
        """The column, counted from 1 in characters, of the character at `offset`."""
        return offset - self._line_starts[self.line_number(offset) - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its line break."""
        start = self._line_starts[number - 1]
        end = self._line_starts[number] - 1 if number < len(self._line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters in one source."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        return self.source.line_number(self.start)

    @property
    def column(self) -> int:
        return self.source.column_number(self.start)

    @property
    def place(self) -> str:
        """`file:line`, as reasons name it."""
        return f"{self.source.name}:{self.line}"

    def to(self, other: Span) -> Span:
        """From the start of this span to the end of `other`, in the same source."""
        return Span(self.source, self.start, other.end)
