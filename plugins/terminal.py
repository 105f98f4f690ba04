"""What people read: diagnostics, tables, progress. The only place that decides about colours."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

import click

from merx.engine.diagnostic import Diagnostic

if TYPE_CHECKING:
    from rich.console import Console


class Stop(Exception):
    """The command ends here with this exit code; everything has been said."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def colourful(stream: TextIO) -> bool:
    """Colours only for a person who has not asked for none (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str = "") -> None:
    """A line of the result, to standard output."""
    click.echo(text, color=colourful(sys.stdout))


def mention(text: str = "") -> None:
    """A line that is no result, to standard error."""
    click.echo(text, err=True, color=colourful(sys.stderr))


def report(diagnostics: Iterable[Diagnostic]) -> None:
    """Diagnostics to standard error, a blank line between them."""
    for number, one in enumerate(diagnostics):
        mention(("\n" if number else "") + painted(one))


_COLOURS = {"error": "red", "warning": "yellow"}


def painted(diagnostic: Diagnostic) -> str:
    """The rendered diagnostic, with the colours that `mention` and `say` take out again where they do not belong."""
    lines = str(diagnostic).split("\n")
    colour = _COLOURS[diagnostic.level]
    head, colon, message = lines[0].partition(": ")
    painted_lines = [click.style(head, fg=colour, bold=True) + colon + click.style(message, bold=True)]
    for line in lines[1:]:
        if re.fullmatch(r" +\| +\^+", line):
            bar = line.index("|") + 1
            line = line[:bar] + click.style(line[bar:], fg=colour, bold=True)
        elif line.startswith("help:"):
            line = click.style("help:", fg="cyan", bold=True) + line.removeprefix("help:")
        painted_lines.append(line)
    return "\n".join(painted_lines)


def plural(count: int, one: str, several: str | None = None) -> str:
    """`1 product`, `1,994 products`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def printable(text: str) -> str:
    """Text from a product file, on one line and harmless to a terminal."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_printable(char) for char in text)


def _printable(char: str) -> str:
    if char in "\t\n\r":
        return " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in {"Cc", "Cf", "Cs"} else char


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = (), title: str | None = None
) -> None:
    """A table to standard output: drawn for a person, in a pipe plain lines of aligned columns, never cut.

    right: the columns that are set flush right.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(columns, cells, right, title)
        return
    if title:
        say(title)
    for line in _aligned(columns, cells, right):
        say(line)


def _console() -> Console:
    from rich.console import Console

    return Console(no_color=not colourful(sys.stdout), highlight=False, emoji=False, markup=False)


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str], title: str | None) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name in columns:
        drawn.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    _console().print(drawn)


def _cells(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _aligned(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> Iterator[str]:
    widths = [max([_cells(name), *(_cells(row[at]) for row in rows)]) for at, name in enumerate(columns)]
    for row in (columns, *rows):
        padded = []
        for at, cell in enumerate(row):
            space = " " * (widths[at] - _cells(cell))
            padded.append(space + cell if columns[at] in right else cell + space)
        yield "  ".join(padded).rstrip()


@contextlib.contextmanager
def progress(message: str) -> Iterator[None]:
    """A moving line on a terminal's standard error while the body runs; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    console = Console(stderr=True, no_color=not colourful(sys.stderr), highlight=False, emoji=False, markup=False)
    with console.status(message):
        yield


@contextlib.contextmanager
def counter(message: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal's standard error that the body moves by calling it with what is done of how much."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, no_color=not colourful(sys.stderr), highlight=False, emoji=False, markup=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(message, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
