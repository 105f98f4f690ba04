"""`merx fmt`: rule files come in, the same rules in the one layout go out."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import hookimpl
from merx.engine.source import Source
from merx.plugins.inputs import gather
from merx.plugins.output import write, write_text
from merx.plugins.terminal import Stop, mention, plural, printable, report, say


@click.command("fmt")
@click.argument("paths", type=click.Path(path_type=Path, allow_dash=True), nargs=-1, metavar="[PATH]...")
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 where a file would change.")
@click.option("--diff", is_flag=True, help="Change nothing; show what would, and exit as --check does.")
def command(paths: tuple[Path, ...], check: bool, diff: bool) -> None:
    """Lay rule files out in the one usual way, keeping every comment.

    PATH is a rule file, a folder of them, or `-` for standard input to standard output; without one, what merx.toml
    says. A file that cannot be read is reported and left as it is.
    """
    if paths == (Path("-"),):
        _pass_through(check, diff)
        return
    inputs = gather()
    changed, unreadable = 0, False
    files = _files(inputs.rules(paths))
    for path in files:
        try:
            source = _read(path)
            formatted = _formatted(source)
        except PolicyError as error:
            report(error.diagnostics)
            unreadable = True
            continue
        if formatted == source.text:
            continue
        changed += 1
        if diff:
            _show(source, formatted)
        elif check:
            say(f"would change {path}")
        else:
            content = formatted.encode()
            write(lambda stream, content=content: stream.write(content), path)  # type: ignore[misc]
            say(f"changed {path}")
    left = len(files) - changed
    mention(
        f"{plural(changed, 'file')} {'would change' if check or diff else 'changed'}, {left:,} left as {_they(left)}"
    )
    if unreadable or (changed and (check or diff)):
        raise Stop(1)


def _they(count: int) -> str:
    return "it is" if count == 1 else "they are"


def _files(paths: Sequence[Path]) -> list[Path]:
    from merx.engine.load import SUFFIX

    found: dict[Path, None] = {}
    for path in paths:
        several = sorted(one for one in path.rglob(f"*{SUFFIX}") if one.is_file()) if os.path.isdir(path) else [path]
        found.update(dict.fromkeys(several))
    return list(found)


def _read(path: Path) -> Source:
    from merx.engine.parse import read_source

    source, problems = read_source(path)
    if source is None:
        raise PolicyError(problems)
    return source


def _formatted(source: Source) -> str:
    """Raises PolicyError for a text that does not parse: what is not understood is not rearranged."""
    from merx.engine.format import format_source

    return format_source(source)


def _pass_through(check: bool, diff: bool) -> None:
    data = sys.stdin.buffer.read()
    try:
        source = Source("<standard input>", data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        message = f"standard input is not UTF-8 at byte {error.start + 1}"
        raise PolicyError([Diagnostic("M002", "error", message, None, "write it as UTF-8")]) from None
    formatted = _formatted(source)
    if diff:
        _show(source, formatted)
    elif not check:
        write_text(formatted, None)
    if (check or diff) and formatted != source.text:
        raise Stop(1)


def _show(source: Source, formatted: str) -> None:
    before, after = source.text.splitlines(), formatted.splitlines()
    for line in difflib.unified_diff(before, after, source.name, f"{source.name} (formatted)", lineterm=""):
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        say(click.style(printable(line), fg=colour))


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `fmt`."""
    return [command]
