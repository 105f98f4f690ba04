"""Frames on disk, whole or not there, and frames of the same columns one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.durable import cannot_write, replacing
from merx.engine.types import DIGITS


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """The file holds the whole frame, on disk, or is not there. Raises PolicyError (M803, M804)."""
    try:
        with replacing(path) as stream:
            frame.write_parquet(stream, compression="lz4", statistics=False)
    except (OSError, pl.exceptions.ComputeError) as error:
        raise cannot_write(path, error) from None


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Raises PolicyError (M811) where the file is not there or is damaged."""
    try:
        return pl.read_parquet(path, columns=list(columns) if columns is not None else None, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"`{path}` cannot be read: {str(error).splitlines()[0].lower()}"
        help = "`merx state check` looks at every file; `merx snapshot pull` takes the products anew"
        raise PolicyError([Diagnostic("M811", "error", message, None, help)]) from None


def stacked(above: pl.DataFrame, below: pl.DataFrame) -> pl.DataFrame:
    """The rows of both; a column that one has not is null there, and numbers stand at the larger scale of the two."""
    return pl.concat([alike(above, below), alike(below, above)], how="diagonal")


def alike(frame: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """The frame with its columns in dtypes that hold the other's values of these columns too."""
    casts = []
    for name, mine in frame.schema.items():
        theirs = other.schema.get(name)
        if theirs is not None and mine != theirs:
            casts.append(pl.col(name).cast(_common(mine, theirs)))
    return frame.with_columns(casts)


def _common(mine: Any, theirs: Any) -> Any:
    if isinstance(mine, pl.Null):
        return theirs
    if isinstance(mine, pl.List) and isinstance(theirs, pl.List):
        return pl.List(_common(mine.inner, theirs.inner))
    if _numeric(mine) and _numeric(theirs):
        return pl.Decimal(DIGITS, max(_scale(mine), _scale(theirs)))
    return mine


def _numeric(dtype: Any) -> bool:
    return bool(dtype.is_integer() or dtype.is_decimal())


def _scale(dtype: Any) -> int:
    return int(dtype.scale) if dtype.is_decimal() else 0
