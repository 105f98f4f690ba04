"""The same outcomes as catalogue.RULES, written by hand: as one lazy Polars query with floats, and as a Decimal loop."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

import polars as pl

_BELOW = "price: never below cost plus 20% (rules.merx:34)"
_START = "price: the start price is zero or negative (rules.merx:29)"
_SALE = "price: the sale start price is zero or negative (rules.merx:29)"
_PLACEHOLDER = "https://cdn.example.com/placeholder.jpg"


def query(products: pl.LazyFrame, day: date) -> pl.LazyFrame:
    """One lazy query; amounts as floats, shared subexpressions as columns."""
    col = pl.col
    floats = products.with_columns(col("price", "map", "cost", "special_price").cast(pl.Float64))
    staged = floats.with_columns(
        listing=pl.when(col("categories").list.contains("Default Category/Gear/Bags") & (col("price") >= 20))
        .then(pl.lit("Bags"))
        .when((col("color") == "Blue") & col("name").str.contains("tee", literal=True))
        .then(pl.lit("Blue"))
        .when(col("price") > 5)
        .then(pl.lit("Rest")),
        start=col("map").fill_null(col("price")),
        sale_start=pl.when(
            (col("special_from_date").is_null() | (col("special_from_date") <= day))
            & (col("special_to_date").is_null() | (col("special_to_date") >= day))
        ).then(col("special_price")),
        floor=col("cost").fill_null(col("price") * 0.5) * 1.0850 * 1.15,
        limit=col("cost") * 1.0850 * 1.2,
        gallery=pl.concat_list(
            pl.coalesce("marketplace_image", "image", col("media_gallery").list.first(), pl.lit(_PLACEHOLDER)),
            "media_gallery",
        )
        .list.unique(maintain_order=True)
        .list.head(5),
        available=pl.when(col("is_in_stock").fill_null(True))
        .then(pl.max_horizontal(col("qty") - col("min_qty").fill_null(0), pl.lit(0)))
        .otherwise(0),
    ).with_columns(
        full=_charm(pl.max_horizontal(col("start") * 1.1 * 1.0850, "floor")),
        sale=_charm(pl.max_horizontal(col("sale_start") * 1.1 * 1.0850, "floor")),
        buffered=pl.max_horizontal(col("available") - 5, pl.lit(0)),
    )
    sale = pl.when(col("sale_start").is_not_null() & (col("sale") < col("full"))).then(col("sale"))
    decided = staged.with_columns(
        sale=sale,
        quantity=pl.when(col("status") == 2)
        .then(0)
        .when(~col("manage_stock").fill_null(True))
        .then(5)
        .when(col("buffered") > 10)
        .then(pl.min_horizontal("buffered", pl.lit(20)))
        .when(col("buffered") == 10)
        .then(10)
        .otherwise(pl.min_horizontal("buffered", pl.lit(2))),
        reason=pl.when(col("start") <= 0)
        .then(pl.lit(_START))
        .when(col("full") < col("limit"))
        .then(pl.lit(_BELOW))
        .when(col("sale_start") <= 0)
        .then(pl.lit(_SALE))
        .when(sale < col("limit"))
        .then(pl.lit(_BELOW)),
    )
    listed = col("listing").is_not_null()
    sent = listed & col("reason").is_null()
    return decided.select(
        "sku",
        "listing",
        status=pl.when(listed & col("reason").is_not_null())
        .then(pl.lit("held"))
        .when(listed)
        .then(pl.lit("ready"))
        .otherwise(pl.lit("unlisted")),
        reasons=pl.when(listed & col("reason").is_not_null())
        .then(pl.concat_list("reason"))
        .otherwise(pl.lit([], dtype=pl.List(pl.String))),
        price=pl.when(sent).then(col("full")),
        sale_price=pl.when(sent).then(col("sale")),
        currency=pl.when(sent).then(pl.lit("USD")),
        quantity=pl.when(listed).then(col("quantity")),
        main_image=pl.when(listed).then(col("gallery").list.first()),
        images=pl.when(listed).then(col("gallery")),
    )


def _charm(price: pl.Expr) -> pl.Expr:
    return (price - 0.99).ceil() + 0.99


_STEP = Decimal("0.99")


def loop(products: Iterable[dict[str, Any]], day: date) -> list[dict[str, Any]]:
    """One product after the other, in plain Python with Decimal."""
    return [_decide(product, day) for product in products]


def _decide(product: dict[str, Any], day: date) -> dict[str, Any]:
    price, cost = product["price"], product["cost"]
    if "Default Category/Gear/Bags" in product["categories"] and price >= 20:
        listing = "Bags"
    elif product["color"] == "Blue" and "tee" in product["name"]:
        listing = "Blue"
    elif price > 5:
        listing = "Rest"
    else:
        return {"sku": product["sku"], "listing": None, "status": "unlisted", "reasons": []}
    floor = (cost if cost is not None else price * Decimal("0.5")) * Decimal("1.0850") * Decimal("1.15")
    limit = cost * Decimal("1.0850") * Decimal("1.2") if cost is not None else None
    reasons: list[str] = []
    full = sale = None
    start = product["map"] if product["map"] is not None else price
    if start <= 0:
        reasons.append(_START)
    else:
        full = _charmed(start, floor)
        if limit is not None and full < limit:
            reasons.append(_BELOW)
    special = product["special_price"]
    first, last = product["special_from_date"], product["special_to_date"]
    if not reasons and special is not None and (first is None or first <= day) and (last is None or last >= day):
        assert full is not None
        if special <= 0:
            reasons.append(_SALE)
        else:
            sale = _charmed(special, floor)
            if sale >= full:
                sale = None
            elif limit is not None and sale < limit:
                reasons.append(_BELOW)
    images: list[str] = []
    gallery = product["media_gallery"]
    main = product["marketplace_image"] or product["image"] or (gallery[0] if gallery else _PLACEHOLDER)
    for image in (main, *gallery):
        if image not in images and len(images) < 5:
            images.append(image)
    return {
        "sku": product["sku"],
        "listing": listing,
        "status": "held" if reasons else "ready",
        "reasons": reasons,
        "price": None if reasons else full,
        "sale_price": None if reasons else sale,
        "currency": None if reasons else "USD",
        "quantity": _quantity(product),
        "main_image": images[0],
        "images": images,
    }


def _charmed(start: Decimal, floor: Decimal) -> Decimal:
    price = max(start * Decimal("1.1") * Decimal("1.0850"), floor)
    return (price - _STEP).to_integral_value(rounding=ROUND_CEILING) + _STEP


def _quantity(product: dict[str, Any]) -> int:
    if product["status"] == 2:
        return 0
    if product["manage_stock"] is False:
        return 5
    available = max(product["qty"] - (product["min_qty"] or 0), 0) if product["is_in_stock"] is not False else 0
    buffered = max(available - 5, 0)
    if buffered > 10:
        return int(min(buffered, 20))
    return 10 if buffered == 10 else int(min(buffered, 2))
