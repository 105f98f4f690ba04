"""Exact decimal arithmetic: numbers of the language come in, and a number of the language or `BEYOND` comes out."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

from merx.engine.expression import RoundingMode
from merx.engine.types import DIGITS, QUOTIENT_PLACES

EXACT = Context(prec=DIGITS, Emin=-1, Emax=DIGITS - 1, traps=[Inexact, InvalidOperation, Overflow])
"""What a number of the language may be, said by `decimal` itself: at most 38 digits, no digit beyond the 38th decimal
place, and nothing but zeros dropped on the way there. Its operations are exact or raise one of `BEYOND`."""

BEYOND = (Inexact, Overflow)
"""What is raised for a result beyond 38 digits."""


def quotient(left: Decimal, right: Decimal) -> Decimal:
    """left / right, rounded once, half-even, to 12 places. right: not zero. Raises BEYOND."""
    (a, b), (c, d) = left.as_integer_ratio(), right.as_integer_ratio()
    numerator, denominator = a * d * 10**QUOTIENT_PLACES, b * c
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    units = Decimal(whole(numerator, denominator, "half_even"))
    return EXACT.multiply(units, Decimal(1).scaleb(-QUOTIENT_PLACES))


def rounded(number: Decimal, step: Decimal, mode: RoundingMode) -> Decimal:
    """number to a multiple of step. step: above 0. Raises BEYOND."""
    (a, b), (c, d) = number.as_integer_ratio(), step.as_integer_ratio()
    return EXACT.multiply(Decimal(whole(a * d, b * c, mode)), step)


def whole(numerator: int, denominator: int, mode: RoundingMode) -> int:
    """The whole number that numerator / denominator is rounded to. denominator: above 0."""
    below, rest = divmod(numerator, denominator)
    if rest == 0:
        return below
    positive = numerator > 0
    match mode:
        case "floor":
            return below
        case "ceiling":
            return below + 1
        case "down":
            return below if positive else below + 1
        case "up":
            return below + 1 if positive else below
        case "half_up":
            tie = below + 1 if positive else below
        case "half_even":
            tie = below if below % 2 == 0 else below + 1
    if 2 * rest == denominator:
        return tie
    return below if 2 * rest < denominator else below + 1
