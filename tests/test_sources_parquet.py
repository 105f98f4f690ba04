"""Parquet files come in; what the snapshot holds, and what is refused, is asserted."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from merx.engine.diagnostic import PolicyError
from merx.engine.read import read_products
from merx.engine.snapshot import Schema, Snapshot, StoreSettings
from merx.engine.types import NUMBER, TEXT, Type, money
from merx.plugins.parquet import Parquet
from merx.plugins.plain_csv import PlainCsv


def read(
    folder: Path,
    frame: pl.DataFrame,
    *,
    declared: dict[str, Type] | None = None,
    columns: Collection[str] | None = None,
    store: StoreSettings | None = None,
) -> Snapshot:
    path = folder / "products.parquet"
    frame.write_parquet(path)
    schema = Schema("declared", declared) if declared is not None else None
    snapshot = read_products(path, [Parquet(), PlainCsv()], declared=schema, columns=columns, settings=store)
    assert snapshot.frame.height + len(snapshot.rejects) == snapshot.rows
    return snapshot


def refusal(path: Path) -> str:
    with pytest.raises(PolicyError) as caught:
        read_products(path, [Parquet(), PlainCsv()])
    [problem] = caught.value.diagnostics
    return problem.code


FRAME = pl.DataFrame(
    {
        "sku": ["A", "B"],
        "price": pl.Series([Decimal("19.99"), None], dtype=pl.Decimal(18, 2)),
        "qty": pl.Series([5, 7], dtype=pl.Int32),
        "is_in_stock": [True, None],
        "categories": [["Gear/Bags", "Sale"], []],
        "special_from_date": [datetime.date(2026, 2, 27), None],
        "color": pl.Series(["Red", None], dtype=pl.Categorical),
    }
)


def test_columns_are_attributes_by_name_and_null_is_missing(tmp_path: Path) -> None:
    snapshot = read(tmp_path, FRAME, store=StoreSettings(currency="EUR"))
    assert [tuple(row) for row in snapshot.frame.rows()] == FRAME.rows()
    assert snapshot.schema.attributes["price"] == money("EUR")
    assert snapshot.schema.attributes["color"] == TEXT.maybe()
    assert snapshot.schema.attributes["qty"] == NUMBER


def test_floats_are_refused_by_name_where_they_are_needed_and_left_out_where_not(tmp_path: Path) -> None:
    frame = FRAME.with_columns(rating=pl.lit(4.5), scores=pl.lit([1.5]))
    snapshot = read(tmp_path, frame)
    assert "rating" not in snapshot.frame.columns
    assert any("`rating`" in note for note in snapshot.notes)
    assert read(tmp_path, frame, columns=["price"]).frame.columns == ["sku", "price"]
    for options in ({"columns": ["rating"]}, {"declared": {"rating": NUMBER}}, {"columns": ["scores"]}):
        with pytest.raises(PolicyError) as caught:
            read(tmp_path, frame, **options)  # type: ignore[arg-type]
        [problem] = caught.value.diagnostics
        assert problem.code == "M601"
        assert "`rating`" in problem.message or "`scores`" in problem.message
    with pytest.raises(PolicyError) as caught:
        read(tmp_path, FRAME.with_columns(pl.col("price").cast(pl.Float64)))
    assert [one.code for one in caught.value.diagnostics] == ["M601"]


def test_a_float_column_that_nobody_needs_is_nobodys_trouble(tmp_path: Path) -> None:
    frame = FRAME.with_columns(pl.col("price").cast(pl.Float64))
    assert read(tmp_path, frame, columns=["qty"]).frame.columns == ["sku", "qty"]


def test_skus_may_be_whole_numbers_and_nothing_else_than_those_and_texts(tmp_path: Path) -> None:
    assert read(tmp_path, FRAME.with_columns(sku=pl.Series([7, 8]))).frame["sku"].to_list() == ["7", "8"]
    for column in (pl.lit(1.5), pl.lit(b"x"), pl.lit([1]), pl.lit(None)):
        with pytest.raises(PolicyError) as caught:
            read(tmp_path, FRAME.with_columns(sku=column))
        assert [one.code for one in caught.value.diagnostics] == ["M602"]


def test_rows_without_a_sku_or_with_one_that_stands_twice_are_rejected(tmp_path: Path) -> None:
    frame = pl.DataFrame({"sku": ["A", None, "B", "A", ""], "qty": [1, 2, 3, 4, 5]})
    snapshot = read(tmp_path, frame)
    assert [(one.line, one.sku) for one in snapshot.rejects] == [(1, "A"), (2, None), (4, "A"), (5, None)]
    assert snapshot.frame.rows() == [("B", 3)]


def test_a_file_without_skus_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "products.parquet"
    pl.DataFrame({"id": ["A"]}).write_parquet(path)
    assert refusal(path) == "M604"


def test_a_required_declared_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        read(tmp_path, FRAME, declared={"cost": NUMBER})
    assert [one.code for one in caught.value.diagnostics] == ["M603"]


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "products.parquet"
    for content in (b"", b"sku,name\nA,b\n", b"PAR1", b"PAR1" + bytes(100) + b"PAR1"):
        path.write_bytes(content)
        assert refusal(path) == "M611"
    FRAME.write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert refusal(path) == "M611"


def test_a_folder_of_parquet_files_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "products.parquet"
    folder.mkdir()
    FRAME.write_parquet(folder / "part-0.parquet")
    assert refusal(folder) == "M606"
