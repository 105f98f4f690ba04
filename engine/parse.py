"""A file's bytes or the text of an expression or item come in; syntax trees and diagnostics go out, whatever was in them."""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from merx.engine import mistakes
from merx.engine.depth import too_deep_here
from merx.engine.diagnostic import Diagnostic
from merx.engine.lalr import Rule, Stopped, parse_piece
from merx.engine.mistakes import Trouble
from merx.engine.recover import MOST, Recovery, TooMany
from merx.engine.scan import blank_unseen, scan_words, too_deep_at, unseen_characters
from merx.engine.source import Source, Span
from merx.engine.syntax import Expression, File, Item

LARGEST_FILE = 4_000_000
"""Bytes, and so characters, of a rule file."""

LARGEST_EXPRESSION = 100_000
"""Characters of an expression."""


def read_source(path: Path, name: str | None = None) -> tuple[Source | None, tuple[Diagnostic, ...]]:
    """The text of a rule file, without a byte order mark. name: how diagnostics call the file; by default its path."""
    shown = str(path) if name is None else name

    def refuse(code: str, message: str, help: str) -> tuple[None, tuple[Diagnostic, ...]]:
        return None, (Diagnostic(code, "error", message, None, help),)

    try:
        if path.is_dir():
            return refuse("M001", f"`{shown}` is a folder, not a file", "name a file that ends in `.merx`")
        if not path.exists():
            return refuse("M001", f"there is no file `{shown}`", "check the path, which starts at the current folder")
        if not path.is_file():
            return refuse("M001", f"`{shown}` is not a regular file", "name a file that ends in `.merx`")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "its name is not valid"
        return refuse("M001", f"`{shown}` cannot be read: {reason.lower()}", "check the name and the permissions")
    if len(content) > LARGEST_FILE:
        return refuse("M003", f"`{shown}` is larger than 4 MB", "split it into several files and join them with `use`")
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return refuse("M002", f"`{shown}` is UTF-16, not UTF-8", "save the file with the encoding UTF-8")
    try:
        return Source(shown, content.removeprefix(BOM_UTF8).decode("utf-8")), ()
    except UnicodeDecodeError as error:
        # Counted in the file as it is, mark included, so that an editor finds the place.
        offset = error.start + len(content) - len(content.removeprefix(BOM_UTF8))
        line = content.count(b"\n", 0, offset) + 1
        where = f"byte {offset + 1} (0x{content[offset]:02X}), in line {line}"
        return refuse("M002", f"`{shown}` is not UTF-8 at {where}", "save the file with the encoding UTF-8")


def parse_file(source: Source) -> tuple[File, tuple[Diagnostic, ...]]:
    """The whole file, and what is wrong in it. With a diagnostic the file is partial: it holds what is right."""
    if len(source.text) > LARGEST_FILE:
        problem = Diagnostic(
            "M003",
            "error",
            f"`{source.name}` is larger than 4 MB",
            None,
            "split it into several files and join them with `use`",
        )
        return File(source=source, uses=(), declarations=(), partial=True), (problem,)
    unseen = _first(unseen_characters(source))
    text = blank_unseen(source.text) if unseen else source.text
    if not unseen and too_deep_at(text) is None:
        try:
            file: File = parse_piece(source, text, "file", 0, len(text))
        except Stopped:
            pass
        else:
            return file, ()
    return _recovered(source, text, unseen)


def _first(problems: Iterable[Diagnostic]) -> list[Diagnostic]:
    return list(islice(problems, MOST))


def _recovered(source: Source, text: str, unseen: list[Diagnostic]) -> tuple[File, tuple[Diagnostic, ...]]:
    recovery = Recovery(source, text)
    whole = len(unseen) < MOST
    try:
        if whole:
            recovery.run()
    except TooMany:
        whole = False
    problems = sorted([*unseen, *recovery.problems][:MOST], key=lambda one: one.span.start if one.span else 0)
    if not whole:
        help = "mend these first, then check again"
        problems.append(Diagnostic("M019", "error", "too many mistakes: the rest was not looked at", None, help))
    uses, declarations = tuple(recovery.uses), tuple(recovery.declarations)
    return File(source=source, uses=uses, declarations=declarations, partial=True), tuple(problems)


def parse_expression(source: Source) -> tuple[Expression | None, tuple[Diagnostic, ...]]:
    """The expression, or None and what is wrong with it."""
    return _piece(source, "expression")


def parse_item(source: Source) -> tuple[Item | None, tuple[Diagnostic, ...]]:
    """The one item (`name = value`, a section, an entry …), or None and what is wrong with it."""
    return _piece(source, "item")


def _piece(source: Source, rule: Rule) -> tuple[Any, tuple[Diagnostic, ...]]:
    text = source.text
    if len(text) > LARGEST_EXPRESSION:
        message = f"an {rule} has at most {LARGEST_EXPRESSION:,} characters, this one has {len(text):,}"
        return None, (Diagnostic("M003", "error", message, None, "write it in a rule file, in several steps"),)
    if unseen := _first(unseen_characters(source)):
        return None, tuple(unseen)
    if (deep := too_deep_at(text)) is not None:
        return None, (too_deep_here(Span(source, deep, deep + 1)),)
    try:
        return parse_piece(source, text, rule, 0, len(text)), ()
    except Stopped as stopped:
        return None, (stopped.diagnostic or _mistake(source, stopped),)


def _mistake(source: Source, stopped: Stopped) -> Diagnostic:
    pieces = list(scan_words(source.text))
    if not pieces:
        return Diagnostic("M010", "error", "there is no expression", None, "write one: `price + 10%`")
    at = sum(piece.end <= stopped.position for piece in pieces)
    lone = stopped.rule == "expression"
    return mistakes.explain(Trouble(source, pieces, 0, len(pieces), at, stopped.accepted, lone=lone))
