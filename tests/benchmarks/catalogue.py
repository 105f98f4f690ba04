"""A synthetic catalogue for the benchmarks, spread like a real one, and the rules that are evaluated over it."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl

DAY = date(2026, 11, 23)

RULES = """
catalog "bench" {
  name: text
  type_id: text?
  status: number
  price: money(EUR)
  special_price: money(EUR)?
  special_from_date: date?
  special_to_date: date?
  map: money(EUR)?
  cost: money(EUR)?
  qty: number
  is_in_stock: flag?
  manage_stock: flag?
  backorders: number?
  min_qty: number?
  categories: list(text)
  color: text?
  image: text?
  media_gallery: list(text)
  marketplace_image: text?
}

rates { as_of = 2026-11-23  EUR -> USD = 1.0850 }

pricing "MAP plus ten" {
  start    = map ?? price
  change   = +10%
  currency = USD
  floor    = convert(cost ?? price * 50%, USD) * 115%
  ending   = 0.99
  ensure cost is missing or price >= convert(cost, USD) * 120% "never below cost plus 20%"
}

inventory "Buffered" {
  default_quantity = 5
  buffer    = 5
  threshold { value = 10  greater = 20  lesser = 2  cap = yes }
}

image "Shots" {
  main    = marketplace_image
  default = "https://cdn.example.com/placeholder.jpg"
  gallery = 5
}

listing "Bags" {
  assign    = categories has "Default Category/Gear/Bags" and price >= 20.00
  priority  = 10
  pricing   = "MAP plus ten"
  inventory = "Buffered"
  image     = "Shots"
}

listing "Blue" {
  assign    = color == "Blue" and name contains "tee"
  priority  = 5
  pricing   = "MAP plus ten"
  inventory = "Buffered"
  image     = "Shots"
}

listing "Rest" {
  assign    = price > 5
  pricing   = "MAP plus ten"
  inventory = "Buffered"
  image     = "Shots"
}
"""

_CATEGORIES = [
    f"Default Category/{group}/{kind}" for group in ("Men", "Women") for kind in ("Tops", "Tees", "Jackets")
] + [
    "Default Category/Gear/Bags",
    "Default Category/Gear/Watches",
    "Default Category/Collections/Eco Friendly",
    "Default Category",
]
_COLORS = ["Blue", "Black", "Gray", "Red", "Orange", "Purple", None]
_NAMES = [
    "Chaz hoodie",
    "Layla tee",
    "Push It messenger bag",
    "Savvy shoulder tote",
    "Atomic endurance tee",
    "Kenobi tee",
]


def products(rows: int) -> pl.DataFrame:
    """`rows` products; every run makes the same. Amounts are Decimal(18, 2)."""
    rng = random.Random(7)
    base = 50_000
    images = [[f"/m/h/mh{n:05d}-{shot}.jpg" for shot in range(rng.choice((1, 3, 3, 4, 6)))] for n in range(base)]
    sample = {
        "name": [rng.choice(_NAMES) for _ in range(base)],
        "type_id": ["simple"] * base,
        "status": [2 if rng.random() < 0.03 else 1 for _ in range(base)],
        "price": [
            Decimal(rng.choice((24, 28, 29, 32, 39, 45, 52, 57, 75, 3))) + Decimal(rng.randrange(100)) / 100
            for _ in range(base)
        ],
        "qty": [rng.choice((0, 3, 8, 15, 18, 100, 100, 100)) for _ in range(base)],
        "is_in_stock": [rng.random() > 0.02 for _ in range(base)],
        "manage_stock": [rng.random() > 0.01 for _ in range(base)],
        "backorders": [0] * base,
        "min_qty": [0] * base,
        "categories": [rng.sample(_CATEGORIES, rng.choice((1, 2, 3))) for _ in range(base)],
        "color": [rng.choice(_COLORS) for _ in range(base)],
        "image": [shots[0] if rng.random() > 0.02 else None for shots in images],
        "media_gallery": images,
        "marketplace_image": [f"/m/p/{n}.jpg" if rng.random() < 0.05 else None for n in range(base)],
    }
    price = sample["price"]
    sample["map"] = [p * 9 / 10 if rng.random() < 0.2 else None for p in price]
    sample["cost"] = [p * rng.randrange(30, 90) / 100 if rng.random() < 0.9 else None for p in price]
    sample["special_price"] = [p * 8 / 10 if rng.random() < 0.1 else None for p in price]
    sample["special_from_date"] = [date(2026, 11, 1) if p is not None else None for p in sample["special_price"]]
    sample["special_to_date"] = [
        date(2026, 12, 1) if p is not None and rng.random() < 0.5 else None for p in sample["special_price"]
    ]
    amounts = ("price", "map", "cost", "special_price")
    quantised = {
        name: [None if v is None else v.quantize(Decimal("0.01")) for v in values] if name in amounts else values
        for name, values in sample.items()
    }
    frame = pl.DataFrame(
        quantised,
        schema_overrides={**dict.fromkeys(amounts, pl.Decimal(18, 2)), "status": pl.Int64, "qty": pl.Int64},
        strict=False,
    )
    repeated = pl.concat([frame] * (rows // base + 1), rechunk=True).head(rows)
    return repeated.with_columns(sku=pl.format("SKU-{}", pl.int_range(rows))).select("sku", pl.exclude("sku")).rechunk()


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """The same as a plain CSV: lists comma separated, flags 1 and 0."""
    frame.with_columns(
        pl.col("categories", "media_gallery").list.join(","),
        pl.col("is_in_stock", "manage_stock").cast(pl.Int8),
    ).write_csv(path)
