"""A frame comes in; a name for its content goes out: the same content has the same name, wherever and whenever it is read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

_BYTES = 16


def of_text(*texts: str) -> str:
    """Of texts in their order."""
    made = hashlib.blake2b(digest_size=_BYTES)
    for one in texts:
        encoded = one.encode("utf-8", "surrogatepass")
        made.update(len(encoded).to_bytes(8, "big") + encoded)
    return made.hexdigest()


def of_column(series: pl.Series) -> str:
    """Of the values of one column, its type and its name included. Two contents never share a name in practice: the hash
    is cryptographic."""
    made = hashlib.blake2b(f"{series.name}\0{series.dtype}\0".encode("utf-8", "surrogatepass"), digest_size=_BYTES)
    for one in _plain(series):
        whole = io.BytesIO()
        # The older layout of Arrow, in which equal columns are equal bytes; the newer one has views into shared buffers.
        one.alias("values").to_frame().write_ipc_stream(
            whole, compression="uncompressed", compat_level=pl.CompatLevel.oldest()
        )
        made.update(whole.getbuffer())
    return made.hexdigest()


def _plain(series: pl.Series) -> Iterator[pl.Series]:
    """The values as columns that equal bytes stand for: none has nulls or flags. What lies in memory under a null is no part
    of the content, and neither are the bits that fill the last byte of a bitmap."""
    series, dtype = series.rechunk(), series.dtype
    if series.null_count():
        yield series.is_null().cast(pl.UInt8)
    if isinstance(dtype, pl.Null):
        return
    if isinstance(dtype, pl.List):
        lengths = series.list.len().fill_null(0)
        yield lengths
        yield from _plain(series.filter(lengths > 0).explode())
    elif dtype == pl.Boolean:
        yield series.fill_null(False).cast(pl.UInt8)
    else:
        yield series.fill_null(_nothing(dtype)) if series.null_count() else series


def _nothing(dtype: Any) -> Any:
    if dtype.is_numeric() or dtype.is_temporal():
        return pl.select(pl.lit(0).cast(dtype)).item()
    return ""


def of_columns(frame: pl.DataFrame) -> dict[str, str]:
    """Column → the name of its content."""
    return {name: of_column(frame[name]) for name in frame.columns}


def of_frame(columns: Mapping[str, str]) -> str:
    """Of a frame of these columns, in whatever order they stand."""
    return of_text(*(part for name in sorted(columns) for part in (name, columns[name])))
