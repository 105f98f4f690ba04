"""A delimited text file (CSV) comes in; its records as typed columns, and what could not be read, go out.

Polars reads the file where that is provably right: each record is one line and has every field. Anything else (line
breaks in cells, a record too short or too long, stray quotes, bytes that are not UTF-8) is read again, record by record.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.snapshot import Reject
from merx.engine.types import Type
from merx.plugins.cells import Typed, type_columns
from merx.plugins.records import Record, Unclosed, read_records

SAMPLE = 300
"""So many records are looked at before the others are read."""

_BOM = b"\xef\xbb\xbf"
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written. names: of the header, "" where a column has none."""

    path: Path
    separator: str
    names: tuple[str, ...]

    @property
    def named(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name)

    @property
    def notes(self) -> tuple[str, ...]:
        notes = []
        if self.separator != ",":
            notes.append(f"the fields are separated by {_NAMES[self.separator]}s")
        if "" in self.names:
            notes.append(f"column {self.names.index('') + 1} has no name in the header and is left out")
        return tuple(notes)


@dataclass(frozen=True, slots=True)
class Records:
    """What a file holds, one row a record that has every field.

    lines: of the file, from 1, in which each row starts. rejects: the records that have not. rows: all of them.
    """

    typed: Typed
    lines: Sequence[int]
    rejects: tuple[Reject, ...]

    @property
    def rows(self) -> int:
        return len(self.lines) + len(self.rejects)


class _Unsound(Exception):
    """The fast way cannot prove that it read the file right."""


def header_of(head: bytes) -> tuple[str, tuple[str, ...]]:
    """The separator and the names of a file's first line, from its first bytes; the separator that finds `sku` wins."""
    lines = head.removeprefix(_BOM).decode("utf-8", errors="replace").split("\n")
    splits = []
    for separator in _NAMES:
        try:
            header = next(read_records([f"{line}\n" for line in lines], separator), None)
        except Unclosed:
            header = None
        names = tuple(name.strip() for name in header.fields) if header is not None else ()
        splits.append(("sku" in names, len(names), separator, names))
    # The first of equals: the comma.
    _, _, separator, names = max(splits, key=lambda split: split[:2])
    return separator, names


def layout_of(path: Path) -> Layout:
    """Raises PolicyError: M607 no header, M608 names that cannot be used, M604 no `sku`, M609 not UTF-8 text."""
    with path.open("rb") as file:
        head = file.read(1 << 20)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[:64].count(0) > len(head[:64]) // 4:
        raise _error("M609", f"`{path.name}` is UTF-16 text, not UTF-8", "save it as `CSV UTF-8`")
    if not head.removeprefix(_BOM).strip():
        raise _error("M607", f"`{path.name}` is empty", "the first line names the attributes: `sku,name,price,qty`")
    first = head.split(b"\n", 1)[0]
    if b"\n" not in head and first.rstrip(b"\r").count(b"\r"):
        raise _error(
            "M609", f"the lines of `{path.name}` end in a lone carriage return", "save it with LF or CRLF line ends"
        )
    try:
        first.decode("utf-8")
    except UnicodeDecodeError:
        raise _not_utf8(path, "its header") from None
    separator, names = header_of(head)
    if "sku" not in names:
        near = next((name for name in names if name.lower() == "sku"), None)
        found = ", ".join(f"`{name[:40]}`" for name in names[:8] if name)
        help = (
            f"rename the column `{near}` to `sku`" if near else f"name the column of the SKUs `sku`; there are {found}"
        )
        raise _error("M604", f"`{path.name}` has no `sku` column", help)
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise _error("M608", f"`{path.name}` names the column `{twice[0]}` twice", "give each column a name of its own")
    return Layout(path, separator, names)


def _error(code: str, message: str, help: str) -> PolicyError:
    return PolicyError([Diagnostic(code, "error", message, None, help)])


def _not_utf8(path: Path, where: str) -> PolicyError:
    message = f"`{path.name}` is not UTF-8 text ({where} is not)"
    return _error("M609", message, "save it as `CSV UTF-8`, or convert it: `iconv -f LATIN1 -t UTF-8`")


def read_delimited(layout: Layout, wanted: Mapping[str, Type | None]) -> Records:
    """wanted: column → its type, None to tell it from all cells; a column outside `Layout.names` must not be wanted.
    Raises PolicyError: M609 not UTF-8, M610 a quote that is never closed."""
    sample = pl.DataFrame(
        [record.fields for record in islice(_read_lines(layout), SAMPLE) if record.problem is None],
        schema=dict.fromkeys(_columns(layout), pl.String), orient="row",
    )  # fmt: skip
    try:
        typed = _read_fast(layout, wanted, sample, blank_ends=bool((sample[:, -1] == "").any()))
        return Records(typed, range(2, typed.frame.height + 2), ())
    except (pl.exceptions.PolarsError, _Unsound):
        return _read_exactly(layout, wanted, sample)


def _columns(layout: Layout) -> list[str]:
    """The names, made distinct and never "": a column without a name is read and not wanted by anyone."""
    return [name or f"\0{index}" for index, name in enumerate(layout.names)]


def _read_fast(layout: Layout, wanted: Mapping[str, Type | None], sample: pl.DataFrame, *, blank_ends: bool) -> Typed:
    """blank_ends: the last field of some record is blank. Where none is, none can be too short.
    Raises _Unsound or Polars' own errors where the file is not one full record a line."""
    with layout.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[:4].removeprefix(_BOM)[:1] in b"\r\n" or content.find(b"\0") >= 0:
            raise _Unsound
    columns = _columns(layout)

    def scan(types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        schema = {name: types.get(name, pl.String()) for name in columns}
        return pl.scan_csv(layout.path, separator=layout.separator, glob=False, schema=schema)

    # Numbers that nobody wants are split off as numbers, for that is faster than as texts.
    unwanted = {
        name: dtype for name in columns if name not in wanted and (dtype := _number_of(sample[name])) is not None
    }

    count, run, total = (
        _ends_of_lines(layout) if blank_ends else (_lines(layout).select(pl.len()).collect().item(), 0, 0)
    )
    # One column more than the longest run of blank fields that a line ends in: see below.
    ends = [pl.col(name).is_null() for name in reversed(columns[-(run + 1) :])]
    blanks = pl.sum_horizontal(pl.all_horizontal(ends[: place + 1]).cast(pl.UInt16) for place in range(len(ends)))
    # Unless every column is asked for, Polars drops rows where it meets stray quotes, and moves the fields of a record
    # that has too many.
    every = pl.any_horizontal(pl.col(name).is_null() for name in columns)
    typed = type_columns(
        scan({}), wanted, sample, [blanks.alias(_RUN), every.alias(_EVERY)],
        lambda whole: scan({**unwanted, **dict.fromkeys(whole, pl.Int64())}),
    )  # fmt: skip
    frame = typed.frame
    if count != frame.height + 1 or frame["sku"].is_null().any():
        raise _Unsound
    # Polars fills up a record that is too short. Then more fields are blank at its end than its line has separators there,
    # and never fewer; so where the sums agree, no record is short.
    if frame[_RUN].sum() != total:
        if blank_ends:
            raise _Unsound
        return _read_fast(layout, wanted, sample, blank_ends=True)
    return Typed(frame.drop(_RUN, _EVERY), typed.types, typed.faults)


_RUN, _EVERY = "\x00run", "\x00every"


def _lines(layout: Layout) -> pl.LazyFrame:
    """The lines as they are, in one column `line`."""
    return pl.scan_csv(
        layout.path, separator="\0", quote_char=None, has_header=False, schema={"line": pl.String}, glob=False,
        truncate_ragged_lines=True,
    )  # fmt: skip


def _ends_of_lines(layout: Layout) -> tuple[int, int, int]:
    """How many lines there are, and of the separators that lines after the header end in, the longest run and the sum."""
    line, end = pl.col("line"), layout.separator
    run = (line.str.len_bytes() - line.str.strip_chars_end(end).str.len_bytes()).slice(1)
    quoted = line.str.ends_with('""').slice(1)
    count, longest, total, odd = (
        _lines(layout)
        .select(pl.len(), run.max().alias("longest"), run.sum().alias("total"), quoted.any().alias("odd"))
        .collect(engine="streaming")
        .row(0)
    )
    if odd:  # a quoted blank, or a text that ends in a quote: nothing to count on
        raise _Unsound
    return count, longest or 0, total or 0


def _number_of(cells: pl.Series) -> pl.DataType | None:
    """What reads all these cells and is dropped unseen."""
    filled = cells.filter(cells != "")
    if filled.is_empty() or not filled.str.contains(r"^[0-9]{1,9}(?:\.[0-9]{1,9})?$").all():
        return None
    return pl.Float64() if filled.str.contains(".", literal=True).any() else pl.Int64()


def _read_exactly(layout: Layout, wanted: Mapping[str, Type | None], sample: pl.DataFrame) -> Records:
    """Record by record. Only the wanted cells are kept."""
    columns = _columns(layout)
    places = {name: columns.index(name) for name in wanted}
    cells: dict[str, list[str]] = {name: [] for name in wanted}
    lines: list[int] = []
    rejects: list[Reject] = []
    foreign = wide = 0
    for record in _read_lines(layout):
        if record.problem is not None:
            at = places["sku"]
            sku = record.fields[at].encode("utf-8", "replace").decode() if at < len(record.fields) else ""
            rejects.append(Reject(record.line, sku or None, record.problem))
            foreign += record.foreign
            continue
        wide += record.wide
        lines.append(record.line)
        for name, place in places.items():
            cells[name].append(record.fields[place])
    # A few bad bytes are bad rows. Where no character outside ASCII is right, the file is in another encoding.
    if foreign > 2 and not wide and foreign * 100 > len(lines) + len(rejects):
        raise _not_utf8(layout.path, f"line {rejects[0].line}, and {foreign - 1} more,")
    texts = pl.DataFrame(cells, schema=dict.fromkeys(wanted, pl.String))
    return Records(type_columns(texts.lazy(), wanted, sample), lines, tuple(rejects))


def _read_lines(layout: Layout) -> Iterator[Record]:
    """Every record after the header; one that has not as many fields as the header has a problem."""
    width = len(layout.names)
    with layout.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        try:
            for record in islice(read_records(file, layout.separator), 1, None):
                if record.problem is None and len(record.fields) != width:
                    count = len(record.fields)
                    record.problem = f"it has {count} field{'s' if count != 1 else ''} where the header has {width}"
                yield record
        except Unclosed as quote:
            message = f"`{layout.path.name}` opens a quote in line {quote.line} and never closes it"
            raise _error("M610", message, 'close it; a quote inside quotes is written twice: `"7"" screen"`') from None
