"""A source's products at one moment: a typed frame, its schema, and the rows that could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from merx.engine.types import Type

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Schema:
    """The attributes of a catalogue and their types. title: of the `catalog` block it came from, or the file's name.
    whole: it is the products' own, so what it does not name is not there; a `catalog` block names what rules read."""

    title: str
    attributes: Mapping[str, Type]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that is kept out. line: in the file, from 1. sku: None where it has none."""

    line: int
    sku: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What a product file does not say about the store it came from: Magento's defaults unless merx.toml differs.

    currency: of the prices; None gives plain numbers. The stock settings are what `use_config_…` refers to.
    """

    currency: str | None = None
    manage_stock: bool = True
    backorders: int = 0
    min_qty: Decimal = Decimal(0)
    media_base_url: str | None = None
    timezone: str = "UTC"
    multi_value_separator: str = "|"
    field_separator: str = ","


@dataclass(frozen=True, slots=True)
class Snapshot:
    """frame: one row a product, one column an attribute. Numbers and amounts are Decimal or integer columns (never
    Float), text String, flags Boolean, dates Date, lists List of these; null is missing. `sku` is unique.
    rows: how many products the file held, rejected ones included."""

    frame: pl.DataFrame
    schema: Schema
    rows: int
    rejects: tuple[Reject, ...] = ()
    notes: tuple[str, ...] = field(default=())
