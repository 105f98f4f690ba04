"""A frame from anywhere comes in; a frame whose columns are what the rules were checked against goes out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from merx.engine.diagnostic import Diagnostic, PolicyError, did_you_mean
from merx.engine.snapshot import Schema
from merx.engine.standard import AMOUNTS, SOURCE_PREFIX, standard_type
from merx.engine.types import DATE, FLAG, NUMBER, TEXT, Type, Value, money


def schema_of(frame: pl.DataFrame, currency: str | None, title: str = "products") -> Schema:
    """The schema that a frame tells by itself: standard attributes by their meaning, others by their dtype, each of
    which may be missing. Columns of types that the language has not are left out; a Float column counts as a number, so
    that `conform` refuses it by its name where it is read."""
    found: dict[str, Type] = {}
    for name, dtype in frame.schema.items():
        told = NUMBER if dtype.is_float() else _type_of(dtype)
        if told is None:
            continue
        found[name] = standard_type(name, currency) or told.maybe(True)
    if currency is not None:
        found = {
            name: money(currency).maybe(type_.optional) if name in AMOUNTS else type_ for name, type_ in found.items()
        }
    return Schema(title, found, whole=True)


def _type_of(dtype: pl.DataType) -> Type | None:
    if dtype.is_integer() or dtype.is_decimal():
        return NUMBER
    if dtype in {pl.String, pl.Categorical, pl.Enum} or isinstance(dtype, pl.Categorical | pl.Enum):
        return TEXT
    if dtype == pl.Boolean:
        return FLAG
    if dtype in {pl.Date, pl.Datetime}:
        return DATE
    if isinstance(dtype, pl.List):
        item = _type_of(dtype.inner)  # type: ignore[arg-type]
        return None if item is None or item.kind == "list" else Type("list", item=item)
    if dtype == pl.Null:
        return TEXT
    return None


def conform(frame: pl.DataFrame, schema: Schema, needed: Collection[str]) -> pl.DataFrame:
    """The columns that the rules read, of the dtypes that their types have.

    needed: the attributes that are read. One that the frame lacks is missing everywhere, if it may be missing.
    Raises PolicyError: M601 a Float column, M602 a column of another type, M603 a required column that is not there,
    M604 no `sku` column.
    """
    problems: list[Diagnostic] = []
    if "sku" not in frame.columns:
        raise PolicyError(
            [Diagnostic("M604", "error", "the products have no `sku` column", None, "name each product's SKU")]
        )
    kept: dict[str, pl.Series] = {"sku": frame["sku"]}
    for name in sorted(needed):
        type_ = schema.attributes.get(name) or standard_type(name, None)
        if name not in frame.columns:
            if name.startswith(SOURCE_PREFIX):
                code = name.removeprefix(SOURCE_PREFIX)
                help = did_you_mean(name, frame.columns) or "`merx schema FILE` shows what they tell of"
                problems.append(Diagnostic("M605", "error", f"the products tell of no source `{code}`", None, help))
            elif name in schema.attributes and type_ is not None and not type_.optional and type_.kind != "list":
                help = did_you_mean(name, frame.columns) or f"declare it as `{name}: {type_}?` if it may be missing"
                problems.append(Diagnostic("M603", "error", f"the products have no `{name}` column", None, help))
            continue
        series = frame[name]
        if series.dtype.is_float():
            help = f"give it exactly: `pl.col({name!r}).cast(pl.Decimal(18, 4))` where it is made, or read it as text"
            problems.append(
                Diagnostic("M601", "error", f"the column `{name}` holds floats, which are not exact", None, help)
            )
            continue
        found = _conformed(series, type_) if type_ is not None else series
        if found is None:
            message = f"the column `{name}` holds {_said(series.dtype)}, and the rules take it for a {type_}"
            problems.append(Diagnostic("M602", "error", message, None, "change the column, or the type in `catalog`"))
        else:
            kept[name] = found
    if problems:
        raise PolicyError(problems)
    return pl.DataFrame(list(kept.values()))


def _said(dtype: pl.DataType) -> str:
    told = _type_of(dtype)
    return f"{told}s" if told is not None else str(dtype)


def _conformed(series: pl.Series, type_: Type) -> pl.Series | None:
    told = _type_of(series.dtype)
    if series.dtype == pl.Null:
        return series.cast(_DTYPES.get(type_.kind, pl.String))
    if told is None:
        return None
    if type_.kind == "date" and series.dtype == pl.Datetime:
        return series.dt.date()
    if type_.kind == "flag" and series.dtype.is_integer():
        return series.cast(pl.Boolean) if series.is_in([0, 1]).all() else None
    if type_.kind == "list":
        assert type_.item is not None
        same = (
            told.kind == "list"
            and told.item is not None
            and (told.item.numeric, told.item.kind)[0] == type_.item.numeric
        )
        return series if same else None
    if type_.numeric:
        return series if told.numeric else None
    return series if told.kind == type_.kind else None


_DTYPES: Mapping[str, pl.DataType] = {
    "number": pl.Int64(),
    "money": pl.Int64(),
    "flag": pl.Boolean(),
    "date": pl.Date(),
    "list": pl.List(pl.String),
}


def products(frame: pl.DataFrame) -> list[dict[str, Value]]:
    """Each row as a product for `interpret`: integers as Decimal, lists as tuples."""

    def value(found: Any) -> Value:
        if isinstance(found, bool):
            return found
        if isinstance(found, int):
            return Decimal(found)
        if isinstance(found, list):
            return tuple(value(one) for one in found if one is not None)
        return found  # type: ignore[no-any-return]

    return [{name: value(found) for name, found in row.items()} for row in frame.iter_rows(named=True)]
