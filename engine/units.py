"""The units that may touch a number, and what they come to."""

from __future__ import annotations

from decimal import Decimal

UNITS: dict[str, tuple[str, Decimal]] = {
    "s": ("duration", Decimal(1)),
    "m": ("duration", Decimal(60)),
    "h": ("duration", Decimal(3600)),
    "d": ("duration", Decimal(86400)),
    "w": ("duration", Decimal(604800)),
    "B": ("size", Decimal(1)),
    "kB": ("size", Decimal(1000)),
    "MB": ("size", Decimal(1000**2)),
    "GB": ("size", Decimal(1000**3)),
}
"""unit → its kind and how many seconds or bytes it is."""
