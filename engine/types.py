"""The types of the language and the Python values that stand for them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

Value = Decimal | str | bool | datetime.date | tuple["Value", ...] | None
"""A value of the language. Every number, amount, percent (as its fraction), duration (in seconds) and
size (in bytes) is a Decimal; a list is a tuple; missing is None."""

Kind = Literal["number", "money", "percent", "text", "flag", "date", "duration", "size", "list", "unknown"]

DIGITS = 38
"""The bound of a value: digits before and after the point, written without trailing zeros of the fraction."""

QUOTIENT_PLACES = 12
"""Decimal places that a quotient is rounded to, half-even."""


@dataclass(frozen=True, slots=True)
class Type:
    """What an expression gives.

    currency: of `money`, else None.
    item: of `list`, else None.
    optional: may be missing (`T?`). A list never is: a missing list is an empty one.
    literal: a number made of literals only, which takes the currency of the money it meets.
    `unknown` is an attribute no schema tells of; it goes with everything.
    """

    kind: Kind
    currency: str | None = None
    item: Type | None = None
    optional: bool = False
    literal: bool = False

    @property
    def numeric(self) -> bool:
        """Is a Decimal at run time."""
        return self.kind in {"number", "money", "percent", "duration", "size"}

    def maybe(self, optional: bool = True) -> Type:
        """The same type, missing allowed or not."""
        return self if self.optional == optional or self.kind == "list" else replace(self, optional=optional)

    def __str__(self) -> str:
        name: str = self.kind
        if self.kind == "money":
            name = f"money({self.currency})"
        elif self.kind == "list":
            name = f"list({self.item})"
        return name + "?" if self.optional else name


NUMBER = Type("number")
PERCENT = Type("percent")
TEXT = Type("text")
FLAG = Type("flag")
DATE = Type("date")
DURATION = Type("duration")
SIZE = Type("size")
UNKNOWN = Type("unknown")
TEXTS = Type("list", item=TEXT)


def money(currency: str) -> Type:
    return Type("money", currency=currency)


MINOR_UNITS: dict[str, int] = {
    code: places
    for places, codes in {
        0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
        3: "BHD IQD JOD KWD LYD OMR TND",
        4: "CLF UYW",
    }.items()
    for code in codes.split()
}
"""ISO 4217 decimal places of the currencies that have not two."""


def minor_unit(currency: str | None) -> Decimal:
    """The smallest amount of a currency: 0.01 for EUR and for plain numbers, 1 for JPY."""
    return Decimal(1).scaleb(-MINOR_UNITS.get(currency or "", 2))
