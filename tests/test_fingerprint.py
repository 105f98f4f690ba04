"""The same content has the same name, however it lies in memory and wherever it was read."""

from __future__ import annotations

import datetime
import io
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from merx.engine.fingerprint import of_column

DAY = datetime.date(2026, 11, 25)
COLUMNS: dict[str, tuple[list[Any], Any]] = {
    "flags": ([True, False], pl.Boolean),
    "flags and nulls": ([True, None, False], pl.Boolean),
    "integers": ([1, 2, 3], pl.Int64),
    "integers and nulls": ([1, None, 0], pl.Int64),
    "texts": (["a", "bb", ""], pl.String),
    "texts and nulls": (["a", None, "xyz", ""], pl.String),
    "amounts": ([Decimal("1.10"), None, Decimal("0.00")], pl.Decimal(38, 2)),
    "days": ([DAY, None], pl.Date),
    "lists": ([["a"], [], ["b", "c"], None], pl.List(pl.String)),
    "lists with nulls": ([["a", None], [], None, [None]], pl.List(pl.String)),
    "lists of flags": ([[True, None], [], [False, True, True]], pl.List(pl.Boolean)),
    "lists of amounts": ([[Decimal("1.1")], None, []], pl.List(pl.Decimal(38, 1))),
    "nothing": ([None], pl.String),
    "nothing of no type": ([None], pl.Null),
}


def laid_out(column: pl.Series) -> Iterator[pl.Series]:
    """The same values, in memory in different ways."""
    size, name = column.len(), column.name
    file = io.BytesIO()
    column.to_frame().write_parquet(file)
    file.seek(0)
    yield pl.read_parquet(file)[name]
    yield pl.concat([column, column.reverse(), column]).slice(2 * size, size)
    yield column.reverse().gather(list(reversed(range(size))))
    yield pl.concat([column, column]).filter(pl.Series([False] * size + [True] * size))
    yield pl.concat([column.slice(0, 3), column.slice(3)], rechunk=False)
    yield pl.Series(name, column.to_list(), dtype=column.dtype)


@pytest.mark.parametrize("size", [1, 3, 8, 9, 1994])
@pytest.mark.parametrize("kind", COLUMNS)
def test_equal_columns_have_one_name(kind: str, size: int):
    values, dtype = COLUMNS[kind]
    chance = random.Random(size)
    column = pl.Series("x", [chance.choice(values) for _ in range(size)], dtype=dtype)

    for other in laid_out(column):
        assert (other.to_list(), other.dtype) == (column.to_list(), column.dtype)
        assert of_column(other) == of_column(column)


def test_different_columns_have_different_names():
    columns = [
        pl.Series("x", values, dtype=dtype)
        for values, dtype in [
            ([], pl.String), ([None], pl.String), ([""], pl.String), (["a"], pl.String), (["a", None], pl.String),
            ([None, "a"], pl.String), ([None, None], pl.String), ([None], pl.Null), ([None, None], pl.Null),
            ([0], pl.Int64), ([None], pl.Int64), ([0], pl.UInt8), ([False], pl.Boolean), ([True], pl.Boolean),
            ([1], pl.Int64), ([Decimal(1)], pl.Decimal(38, 0)), ([Decimal(1)], pl.Decimal(38, 1)),
            ([["a"], ["b"]], pl.List(pl.String)), ([["a", "b"], []], pl.List(pl.String)),
            ([["a", "b"], None], pl.List(pl.String)), ([[], ["a", "b"]], pl.List(pl.String)),
            ([["ab"], []], pl.List(pl.String)), ([["a", None], ["b"]], pl.List(pl.String)),
            ([[True], [False]], pl.List(pl.Boolean)), ([[1], [0]], pl.List(pl.UInt8)),
        ]
    ]  # fmt: skip
    columns.append(columns[3].alias("y"))

    assert len({of_column(one) for one in columns}) == len(columns)
