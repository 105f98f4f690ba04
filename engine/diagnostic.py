"""What is wrong, where, and how to mend it: as data, and as the one text that people read."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from merx.engine.source import Span

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Note:
    """The other place of a conflict, or one more fact."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. `code` is stable and explained in `merx.engine.codes`.

    message: lower case, no full stop, the user's own text in backticks.
    span: what to underline; None where there is no text (a missing file).
    help: the fix, in the imperative.
    """

    code: str
    level: Level
    message: str
    span: Span | None = None
    help: str | None = None
    notes: tuple[Note, ...] = ()

    def __str__(self) -> str:
        return render(self)

    def to_dict(self) -> dict[str, Any]:
        """For JSON. file, line, column and text are None where there is no span."""
        return {
            "code": self.code,
            "level": self.level,
            "message": self.message,
            **_place(self.span),
            "help": self.help,
            "notes": [{"message": note.message, **_place(note.span)} for note in self.notes],
        }


def _place(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"file": None, "line": None, "column": None, "text": None}
    return {"file": span.source.name, "line": span.line, "column": span.column, "text": span.text}


class PolicyError(Exception):
    """Rules, an expression or a snapshot cannot be used; `diagnostics` say why."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__("\n\n".join(render(one) for one in self.diagnostics))


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A help line that names the closest of `known`, or None where none is close."""
    candidates = sorted(set(known))
    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    if not close:
        folded = {one.casefold(): one for one in candidates}
        close = [folded[name.casefold()]] if name.casefold() in folded else []
    return f"did you mean `{close[0]}`?" if close else None


# A line longer than this is shown as the part around the underlined text.
_SHOWN_COLUMNS = 160


def _printable(text: str) -> str:
    """Every character one cell wide and harmless to a terminal."""
    return "".join(
        " "
        if char == "\t"
        else "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(char) in {"Cc", "Cf", "Cs"}
        else char
        for char in text
    )


def _cells(text: str) -> int:
    """Terminal cells that `text` takes: wide characters two, combining marks none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _excerpt(span: Span) -> list[str]:
    source, number = span.source, span.line
    line = source.line(number)
    start = min(span.column - 1, len(line))
    # A span that goes on over further lines is underlined to the end of its first.
    end = max(start + 1, min(start + (span.end - span.start), len(line)))
    left = 0
    if len(line) > _SHOWN_COLUMNS:
        left = max(0, min(start - 40, len(line) - _SHOWN_COLUMNS))
        line = ("…" if left else "") + line[left : left + _SHOWN_COLUMNS] + "…"
        left -= 1 if left else 0
        end = min(end, left + len(line))
    line = _printable(line)
    before = _cells(line[: start - left])
    width = max(1, _cells(line[start - left : end - left]))
    gutter = " " * len(str(number))
    return [
        f"  --> {source.name}:{number}:{span.column}",
        f" {gutter} |",
        f" {number} | {line}".rstrip(),
        f" {gutter} | {' ' * before}{'^' * width}",
    ]


def render(diagnostic: Diagnostic) -> str:
    """The diagnostic as plain text, several lines, no line break at the end."""
    lines = [f"{diagnostic.level}[{diagnostic.code}]: {diagnostic.message}"]
    if diagnostic.span is not None:
        lines += _excerpt(diagnostic.span)
    for note in diagnostic.notes:
        lines.append(f"note: {note.message}")
        if note.span is not None:
            lines += _excerpt(note.span)
    if diagnostic.help:
        lines.append(f"help: {diagnostic.help}")
    return "\n".join(lines)
