"""The attributes that every catalogue may have, their types, and which of them a blank is a fault of."""

from __future__ import annotations

from dataclasses import replace

from merx.engine.types import DATE, FLAG, NUMBER, TEXT, TEXTS, Type, money

REQUIRED = frozenset({"sku", "name", "price", "qty", "categories", "status"})
"""A blank one is a fault of that product where a rule reads it; every other attribute may be missing."""

AMOUNTS = frozenset({"price", "special_price", "msrp", "cost", "map", "minimal_price", "price_min", "price_max"})
"""Attributes in the currency of the catalogue; plain numbers where a source does not know it."""

_TYPES: dict[str, Type] = {
    "sku": TEXT,
    "name": TEXT,
    "type_id": TEXT,  # simple, configurable, virtual, bundle, grouped, downloadable
    "status": NUMBER,  # 1 enabled, 2 disabled
    "visibility": NUMBER,  # 1 not visible individually, 2 catalog, 3 search, 4 catalog and search
    "categories": TEXTS,  # full paths, steps joined by "/"
    "parent_sku": TEXT,
    "special_from_date": DATE,
    "special_to_date": DATE,
    "qty": NUMBER,  # the stock item's; of a configurable parent, its children's sum
    "salable_qty": NUMBER,
    "stock_total": NUMBER,  # of a configurable parent: what its children have together
    "is_in_stock": FLAG,
    "manage_stock": FLAG,  # effective
    "backorders": NUMBER,  # effective: 0 no, 1 yes, 2 yes with notice
    "min_qty": NUMBER,  # effective
    "image": TEXT,  # role image
    "media_gallery": TEXTS,  # enabled images by position, videos left out
    "parent_image": TEXT,  # of a configurable's child: its parent's
}

STANDARD = (*_TYPES, *sorted(AMOUNTS))
"""Their names, without the stock sources."""

SOURCE_PREFIX = "source:"
"""`source:<code>` is the physical stock in one inventory source; 0 where marked out of stock, missing where not in it."""


def standard_type(name: str, currency: str | None) -> Type | None:
    """The type that a source gives a standard attribute, optional unless required; None for a name of the shop's own.

    currency: of the catalogue's prices, None where it is not known.
    """
    if name in AMOUNTS:
        type_ = money(currency) if currency else NUMBER
    elif name.startswith(SOURCE_PREFIX):
        type_ = NUMBER
    elif name in _TYPES:
        type_ = _TYPES[name]
    else:
        return None
    if type_.kind == "list":
        return type_
    return replace(type_, optional=name not in REQUIRED)
