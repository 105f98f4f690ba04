"""Products and who is whose child come in; parents with their children's price and stock, and children with their
parent's SKU and image, go out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

import polars as pl

from merx.engine.fixed import decimal_series
from merx.engine.standard import SOURCE_PREFIX
from merx.engine.types import DIGITS


@dataclass(frozen=True, slots=True)
class Family:
    """parent: its row. children: their SKUs, whether or not they are among the products."""

    parent: int
    children: tuple[str, ...]


def joined(frame: pl.DataFrame, families: Sequence[Family]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The products with the columns price, price_min, price_max, qty, stock_total, is_in_stock, parent_sku and
    parent_image filled in, and notes on children that are not there.

    A parent's price is the lowest of its enabled children's (of all of them where none is enabled); its stock is the sum
    of what its enabled children have in stock. Without any child that is known its price is its own, and its stock none.
    """
    rows = {sku: row for row, sku in enumerate(frame["sku"].to_list())}
    amounts = ["qty", *(name for name in frame.columns if name == "salable_qty" or name.startswith(SOURCE_PREFIX))]
    given: dict[str, list[Any]] = {
        name: frame[name].to_list() if name in frame.columns else [None] * frame.height for name in {*_READ, *amounts}
    }
    changed: dict[str, list[Any]] = {name: list(given[name]) for name in ("price", "is_in_stock", *amounts)}
    added: dict[str, list[Any]] = {name: [None] * frame.height for name in _ADDED}
    unknown: list[str] = []
    shared: list[str] = []
    for family in families:
        found = [rows[sku] for sku in dict.fromkeys(family.children) if sku in rows]
        unknown += [sku for sku in family.children if sku not in rows]
        for child in found:
            if added["parent_sku"][child] is not None:
                shared.append(frame["sku"][child])
                continue
            added["parent_sku"][child] = frame["sku"][family.parent]
            added["parent_image"][child] = given["image"][family.parent]
        enabled = [child for child in found if given["status"][child] != 2]
        prices = [given["price"][child] for child in enabled or found if given["price"][child] is not None]
        if prices:
            changed["price"][family.parent] = added["price_min"][family.parent] = min(prices)
            added["price_max"][family.parent] = max(prices)
        stocked = [child for child in enabled if given["is_in_stock"][child] is not False]
        for name in amounts:
            changed[name][family.parent] = _total(given[name][child] for child in stocked)
        added["stock_total"][family.parent] = changed["qty"][family.parent]
        changed["is_in_stock"][family.parent] = bool(stocked)
    filled = frame.with_columns(
        *(_column(name, values, frame) for name, values in changed.items()),
        *(_column(name, values, frame) for name, values in added.items()),
    )
    return filled, _notes(families, unknown, shared, rows)


def _total(amounts: Iterable[Decimal | int | None]) -> Decimal:
    """Exact: numbers of 38 digits add up to one of a few more."""
    with localcontext(prec=DIGITS + 20):
        return sum((Decimal(amount) for amount in amounts if amount is not None), Decimal(0))


_READ = ("price", "qty", "status", "is_in_stock", "image")
_ADDED = ("price_min", "price_max", "stock_total", "parent_sku", "parent_image")


def _column(name: str, values: Sequence[Any], frame: pl.DataFrame) -> pl.Series:
    if name in {"parent_sku", "parent_image"}:
        return pl.Series(name, values, dtype=pl.String)
    if name == "is_in_stock":
        return pl.Series(name, values, dtype=pl.Boolean)
    like = "price" if name.startswith("price") else "qty" if name == "stock_total" else name
    dtype = frame.schema.get(like, pl.Int64())
    scale = dtype.scale if isinstance(dtype, pl.Decimal) else 0
    exact = [None if value is None else Decimal(value) for value in values]
    # What no column holds is missing, so that whoever reads it is held and nobody else.
    exact = [None if value is None or value.adjusted() >= DIGITS - scale else value for value in exact]
    return decimal_series(name, exact, scale)


def _notes(
    families: Sequence[Family], unknown: Sequence[str], shared: Sequence[str], rows: dict[str, int]
) -> tuple[str, ...]:
    notes = []
    if unknown:
        notes.append(f"children that are not among the products, or cannot be read: {_some(unknown)}")
    if shared:
        notes.append(f"children of more than one parent, read as the first one's: {_some(shared)}")
    childless = sum(1 for one in families if not any(sku in rows for sku in one.children))
    if childless:
        notes.append(f"{childless:,} configurable without a known child: its price is its own, its stock 0")
    return tuple(notes)


def _some(skus: Sequence[str]) -> str:
    return ", ".join(skus[:5]) + (f" and {len(skus) - 5:,} more" if len(skus) > 5 else "")
