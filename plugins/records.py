"""The lines of a delimited text come in; its records, with the line each starts in, go out: one by one, and nothing guessed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class Record:
    """line: in which it starts, from 1. problem: why it cannot be read, None for a good one.
    foreign: holds bytes that are not UTF-8. wide: holds characters outside ASCII."""

    line: int
    fields: list[str]
    problem: str | None = None
    foreign: bool = False
    wide: bool = False


class Unclosed(Exception):
    """A quote that opens in `line` is never closed."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def read_records(lines: Iterable[str], separator: str) -> Iterator[Record]:
    """lines: with their line ends; bytes that are not UTF-8 stand in them as lone surrogates.

    Fields may be quoted and then hold separators, line breaks and doubled quotes; a quote inside an unquoted field is a
    character as any other. Empty lines are no records. Raises Unclosed.
    """
    cursor = enumerate(lines, 1)
    for number, line in cursor:
        body = line.rstrip("\n").removesuffix("\r")
        if not body:
            continue
        record = (
            Record(number, body.split(separator)) if '"' not in body else _read_quoted(number, line, cursor, separator)
        )
        _mark_characters(record)
        yield record


def _read_quoted(start: int, line: str, cursor: Iterator[tuple[int, str]], separator: str) -> Record:
    record = Record(start, [])
    number, at = start, 0
    while True:
        end = _end_of(line)
        if line[at : at + 1] == '"':
            opened, parts, at = number, [], at + 1
            while True:
                quote = line.find('"', at)
                if quote < 0:
                    parts.append(line[at:])
                    number, line = next(cursor, (0, ""))
                    if not number:
                        raise Unclosed(opened)
                    at = 0
                elif line[quote + 1 : quote + 2] == '"':
                    parts.append(line[at : quote + 1])
                    at = quote + 2
                else:
                    parts.append(line[at:quote])
                    at = quote + 1
                    break
            end = _end_of(line)
            record.fields.append("".join(parts))
            if at < end and line[at] != separator:
                where = f" in line {number}" if number != opened else ""
                record.problem = f"a quoted field goes on after its closing quote{where}"
        else:
            stop = line.find(separator, at, end)
            record.fields.append(line[at : stop if stop >= 0 else end])
        at = line.find(separator, at, end)
        if at < 0:
            return record
        at += 1


def _end_of(line: str) -> int:
    """Where the text of a line ends and its line break begins."""
    return len(line.rstrip("\n").removesuffix("\r"))


def _mark_characters(record: Record) -> None:
    text = "".join(record.fields)
    if not text.isascii():
        try:
            text.encode("utf-8")
            record.wide = True
        except UnicodeEncodeError as wrong:
            record.foreign = True
            record.problem = f"it holds the byte 0x{ord(text[wrong.start]) - 0xDC00:02x}, which is not UTF-8"
    if "\0" in text:
        record.problem = "it holds a NUL character"
