"""Outcomes come in; JSON, CSV or Parquet goes out, to standard output or, whole or not at all, to a file."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from merx.engine.diagnostic import Diagnostic
from merx.engine.durable import replacing
from merx.plugins.terminal import Stop, report

if TYPE_CHECKING:
    import polars as pl

FORMATS = ("table", "json", "csv", "parquet")


def unusable(code: str, message: str, help: str | None = None) -> Stop:
    """To raise where the command line, merx.toml or a place to write to cannot be used."""
    report([Diagnostic(code, "error", message, None, help)])
    return Stop(2)


def chosen_format(format: str | None, output: Path | None) -> str:
    """The format that was asked for, or the one that the file's ending says, or a table."""
    if format is not None:
        return format
    if output is None or str(output) == "-" or output == Path(os.devnull):
        return "table"
    ending = output.suffix.lower().removeprefix(".")
    if ending not in FORMATS[1:]:
        raise unusable("M723", f"the ending of `{output}` does not say a format", "add --format json, csv or parquet")
    return ending


def text_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Amounts as exact text with at least their two usual places: 12.5 is `12.50`, 12.125 stays."""
    import polars as pl

    amounts = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Decimal)]
    # Zeros beyond the second place come from the column's scale and say nothing.
    exact = pl.col(amounts).cast(pl.String).str.replace(r"^(-?\d+\.\d\d\d*?)0+$", "$1")
    dates = [name for name, dtype in frame.schema.items() if dtype in (pl.Date, pl.Datetime)]
    return frame.with_columns(exact, pl.col(dates).cast(pl.String))


def write_frame(frame: pl.DataFrame, format: str, output: Path | None) -> None:
    """One row a product. output: None or `-` is standard output.

    Money is Decimal in Parquet and text elsewhere; lists are lists, in CSV JSON text; null is nothing.
    """
    if format == "parquet" and _standard(output) and sys.stdout.isatty():
        raise unusable("M723", "Parquet is not for a terminal", "name a file with -o FILE")
    if format == "parquet":
        write(lambda stream: _parquet(frame, stream), output)
    elif format == "csv":
        write(lambda stream: _csv(text_columns(frame), stream), output)
    else:
        write(lambda stream: _json(text_columns(frame), stream), output)


def write_text(text: str, output: Path | None) -> None:
    """A whole text, ending in one line break."""
    write(lambda stream: stream.write(text.rstrip("\n").encode("utf-8", "replace") + b"\n"), output)


@contextlib.contextmanager
def into_file(output: Path | None) -> Iterator[None]:
    """What the body says to standard output goes to the file, as it would into a pipe."""
    if _standard(output):
        yield
        return
    with contextlib.redirect_stdout(io.StringIO()) as said:
        yield
    write_text(said.getvalue(), output)


def _parquet(frame: pl.DataFrame, stream: IO[bytes]) -> None:
    # By way of memory: Polars seeks in what it writes to, which a pipe cannot, and has errors of its own.
    whole = io.BytesIO()
    frame.write_parquet(whole)
    stream.write(whole.getbuffer())


# So many rows are turned into text at once.
_ROWS = 50_000


def _csv(frame: pl.DataFrame, stream: IO[bytes]) -> None:
    import polars as pl

    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    for start in range(0, max(frame.height, 1), _ROWS):
        part = frame.slice(start, _ROWS)
        texts = [
            pl.Series(name, [None if one is None else _compact(one) for one in part[name].to_list()], dtype=pl.String)
            for name in lists
        ]
        stream.write(part.with_columns(texts).write_csv(include_header=start == 0).encode())


def _json(frame: pl.DataFrame, stream: IO[bytes]) -> None:
    stream.write(b"[")
    separator = b"\n"
    for row in frame.iter_rows(named=True):
        stream.write(separator + _compact(row).encode("utf-8", "replace"))
        separator = b",\n"
    stream.write(b"\n]\n" if frame.height else b"]\n")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _standard(output: Path | None) -> bool:
    return output is None or str(output) == "-"


def write(content: Callable[[IO[bytes]], object], output: Path | None) -> None:
    """Calls `content` with the stream to write to. A file appears under its name only when all of it is on disk."""
    if _standard(output):
        sys.stdout.flush()
        stream = sys.stdout.buffer
        content(stream)
        stream.flush()
        return
    assert output is not None
    try:
        with replacing(output) as stream:
            content(stream)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        help = _advice(output, error)
        raise unusable("M722", f"`{output}` cannot be written: {error.strerror or error}", help) from None


def _advice(output: Path, error: OSError) -> str | None:
    if not output.parent.exists():
        return f"make the folder first: `mkdir -p {output.parent}`"
    return "name a file in the directory" if isinstance(error, IsADirectoryError) else None
