"""A frame comes in; a name for its content goes out: the same content has the same name, wherever and whenever it is read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
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
    whole = io.BytesIO()
    column = pl.col(series.name)
    # What lies in memory under a null is no part of the content.
    missing = column.is_null().alias("missing")
    plain = (
        series.rechunk().to_frame().select(_filled(column, series.dtype), missing)
        if series.null_count()
        else series.to_frame()
    )
    # The older layout of Arrow, in which equal columns are equal bytes; the newer one has views into shared buffers.
    plain.rechunk().write_ipc_stream(whole, compression="uncompressed", compat_level=pl.CompatLevel.oldest())
    return hashlib.blake2b(whole.getbuffer(), digest_size=_BYTES).hexdigest()


def _filled(column: pl.Expr, dtype: Any) -> pl.Expr:
    if isinstance(dtype, pl.Null):
        return column.is_null().alias("null")
    if isinstance(dtype, pl.List):
        return column.fill_null(pl.lit([], dtype=dtype))
    return column.fill_null(
        pl.lit(0).cast(dtype)
        if dtype.is_numeric() or dtype.is_temporal()
        else pl.lit("" if dtype == pl.String else False).cast(dtype)
    )


def of_columns(frame: pl.DataFrame) -> dict[str, str]:
    """Column → the name of its content."""
    return {name: of_column(frame[name]) for name in frame.columns}


def of_frame(columns: Mapping[str, str]) -> str:
    """Of a frame of these columns, in whatever order they stand."""
    return of_text(*(part for name in sorted(columns) for part in (name, columns[name])))
