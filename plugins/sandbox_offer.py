"""An offer as it came over the wire goes in; what the sandbox shows of it comes out, or the refusal of it.

These are the sandbox's laws about one listing. Amounts are texts and stay texts: they are compared as Decimals and stored
as they came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

LOWEST, HIGHEST = Decimal("0.01"), Decimal(100_000)
"""Bounds of a price, both included."""

MOST_PIECES = 999_999
MOST_IMAGES = 10

_AMOUNT = re.compile(r"-?\d{1,40}(\.\d{1,40})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class Refused(Exception):
    """The sandbox does not take it. code: one word of the wire; message: for the merchant."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def taken(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the offer changes: name → value, None where it is taken away. Raises Refused.

    A price that comes without its sale price erases the sale price, as AliExpress does.
    """
    for name, value in values.items():
        if value is not None and name in _LAWS:
            _LAWS[name](name, value)
    if "price" in values and "sale_price" not in values:
        return {**values, "sale_price": None}
    return dict(values)


def _price(name: str, value: Any) -> None:
    if not isinstance(value, str) or _AMOUNT.fullmatch(value) is None:
        raise Refused("not_an_amount", f'`{name}` is an amount written as a text, such as "12.50"')
    if not LOWEST <= Decimal(value) <= HIGHEST:
        raise Refused("price_out_of_bounds", f"`{name}` {value} is not within {LOWEST} to {HIGHEST}")


def _currency(name: str, value: Any) -> None:
    if not isinstance(value, str) or _CURRENCY.fullmatch(value) is None:
        raise Refused("not_a_currency", f"`{name}` is three capital letters, such as EUR")


def _quantity(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused("not_a_quantity", f"`{name}` is a whole number")
    if not 0 <= value <= MOST_PIECES:
        raise Refused("quantity_out_of_bounds", f"`{name}` {value} is not within 0 to {MOST_PIECES}")


def _text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise Refused("not_a_text", f"`{name}` is a text")


def _images(name: str, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Refused("not_images", f"`{name}` is a list of texts")
    if len(value) > MOST_IMAGES:
        raise Refused("too_many_images", f"there are {len(value)} images, and a listing shows at most {MOST_IMAGES}")


_LAWS = {
    "listing": _text,
    "price": _price,
    "sale_price": _price,
    "currency": _currency,
    "quantity": _quantity,
    "main_image": _text,
    "images": _images,
}

SHOWN = tuple(_LAWS)
"""The values that every listing has a place for; what else an offer brings is kept beside, as it came."""
