"""Products to run rules over: columns of every type and width, with the values that go wrong more often than chance."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, TypeVar

import polars as pl

from merx.engine.expression import Attribute
from merx.engine.types import DATE, DURATION, FLAG, NUMBER, PERCENT, TEXT, TEXTS, Type, money

EUR = money("EUR")
NUMBERS = Type("list", item=NUMBER)
DATES = Type("list", item=DATE)
FLAGS = Type("list", item=FLAG)
TODAY = datetime.date(2026, 11, 23)

Item = TypeVar("Item")

TEXTS_TO_SHOW = (
    "", "a", "A", "ab", "abc", "b", "tote", "Tote bag", " tote ", "a tote bag", "Straße", "ÄRMEL", "ärmel", "ΑΣ",
    "ΟΔΟΣ Σ", "İstanbul",
    "ǅ", "ﬁn", "e\u0301", "é", "😀 bag", "\u3000wide\u00a0", "\u200bzero", "a\nb", "\t", "日本語", "10",
    "12.50", '"quoted"', "\\", "%_*.?",
    "Default/Gear/Bags", "Default/Gear", "red", "Red", "blue",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
)  # fmt: skip
_NEAR = [TODAY + datetime.timedelta(days=days) for days in (0, -1, 1, -30, 30, 365, -365, 4, -4)]
_FAR = [(1900, 2, 28), (2100, 1, 1), (2024, 2, 29), (1, 1, 1), (9999, 12, 31)]
DAYS = (*_NEAR, *(datetime.date(*day) for day in _FAR))

FULL = 10**38 - 1


# The thread's own context would round what is longer than 28 digits.
_WIDE = Context(prec=100)


_EVERYDAY = tuple(
    Decimal(one)
    for one in "0 1 2 5 10 15 20 25 100 -1 -5 0.5 1.5 2.5 -0.5 -2.5 0.05 0.15 0.25 0.99 7 12.345 12.34 99.95".split()
)
"""What rules compare with, and what lies half-way between the steps they round to."""


def _amounts(places: int, limit: int) -> Callable[[random.Random], Decimal]:
    """Everyday amounts where they fit, and whole numbers of the last place up to `limit`, its ends more often than
    chance gives them."""
    wholes = [one.as_integer_ratio() for one in _EVERYDAY]
    scaled = [Decimal(n * 10**places // d) for n, d in wholes if n * 10**places % d == 0]
    fitting = [one.scaleb(-places, _WIDE) for one in scaled if abs(one) <= limit]

    def one(rng: random.Random) -> Decimal:
        if rng.random() < 0.5:
            return rng.choice(fitting)
        units = rng.choice((1, 5, 50, 1000, limit, rng.randint(0, limit), rng.randint(0, min(limit, 10**5))))
        return Decimal(units if rng.random() < 0.8 else -units).scaleb(-places, _WIDE)

    return one


def _integers(low: int, high: int) -> Callable[[random.Random], int]:
    def one(rng: random.Random) -> int:
        some = rng.choice((0, 1, 2, 5, 10, 11, 20, 100, low, high, rng.randint(low, high)))
        return min(max(some, low), high)

    return one


@dataclass(frozen=True)
class Column:
    """One column of a snapshot. type: what rules see. dtype: how it is held. value: makes one that is not missing;
    tame: one that everyday catalogues have, where `value` goes to the ends of the dtype."""

    name: str
    type: Type
    dtype: Any
    value: Callable[[random.Random], Any]
    tame: Callable[[random.Random], Any] | None = None


def _some(values: Sequence[Item]) -> Callable[[random.Random], Item]:
    return lambda rng: rng.choice(values)


def _list_of(value: Callable[[random.Random], Any]) -> Callable[[random.Random], list[Any]]:
    def one(rng: random.Random) -> list[Any]:
        items = [value(rng) for _ in range(rng.choice((0, 1, 1, 2, 3, 6)))]
        return [None if rng.random() < 0.05 else item for item in items]

    return one


_WHOLE = _integers(-20, 200)
COLUMNS = (
    Column("price", EUR, pl.Decimal(38, 2), _amounts(2, 10**5)),
    Column("cost", EUR.maybe(), pl.Decimal(12, 4), _amounts(4, 10**8 - 1), _amounts(4, 10**6)),
    Column("msrp", EUR.maybe(), pl.Int64, _integers(-100, 10**6)),
    Column("qty", NUMBER, pl.Int64, _WHOLE),
    Column("stock", NUMBER.maybe(), pl.Decimal(18, 4), _amounts(4, 10**7), _amounts(4, 10**6)),
    Column("weight", NUMBER.maybe(), pl.Decimal(38, 12), _amounts(12, 10**16), _amounts(12, 10**13)),
    Column("small", NUMBER.maybe(), pl.Int8, _integers(-128, 127)),
    Column("unsigned", NUMBER.maybe(), pl.UInt64, _integers(0, 2**64 - 1), _integers(0, 50)),
    Column("edge", NUMBER, pl.Int64, _integers(-(2**63), 2**63 - 1), _WHOLE),
    Column("huge", NUMBER.maybe(), pl.Decimal(38, 0), _amounts(0, FULL), _amounts(0, 500)),
    Column("fine", NUMBER.maybe(), pl.Decimal(38, 38), _amounts(38, FULL), _amounts(38, 10**6)),
    Column("mixed", NUMBER.maybe(), pl.Decimal(38, 10), _amounts(10, FULL), _amounts(10, 10**13)),
    Column("widest", NUMBER.maybe(), pl.Int128, _integers(-FULL, FULL), _WHOLE),
    Column("margin", PERCENT.maybe(), pl.Decimal(6, 4), _amounts(4, 20000)),
    Column("lead_time", DURATION.maybe(), pl.Int32, _integers(0, 10**6)),
    Column("name", TEXT, pl.String, _some(TEXTS_TO_SHOW)),
    Column("color", TEXT.maybe(), pl.String, _some(("red", "Red", "blue", "", " red", "ΑΣ"))),
    Column("brand", TEXT.maybe(), pl.String, _some(TEXTS_TO_SHOW)),
    Column("shade", TEXT.maybe(), pl.Categorical, _some(("red", "Red", "blue", "tote"))),
    Column("enabled", FLAG, pl.Boolean, _some((True, False))),
    Column("new", FLAG.maybe(), pl.Boolean, _some((True, False))),
    Column("from_date", DATE.maybe(), pl.Date, _some(DAYS)),
    Column("made_on", DATE, pl.Date, _some(DAYS[:9])),
    Column("categories", TEXTS, pl.List(pl.String), _list_of(_some(TEXTS_TO_SHOW[-8:]))),
    Column("tags", TEXTS, pl.List(pl.String), _list_of(_some(TEXTS_TO_SHOW))),
    Column("tiers", NUMBERS, pl.List(pl.Decimal(38, 2)), _list_of(_amounts(2, 1000))),
    Column("opening", DATES, pl.List(pl.Date), _list_of(_some(DAYS))),
    Column("answers", FLAGS, pl.List(pl.Boolean), _list_of(_some((True, False)))),
    Column("sizes", NUMBERS, pl.List(pl.Int64), _list_of(_integers(-5, 20))),
)
ABSENT = (Attribute(type=TEXT.maybe(), name="absent_text"), Attribute(type=NUMBER.maybe(), name="absent_number"),
          Attribute(type=TEXTS, name="absent_list"), Attribute(type=EUR, name="absent_price"))  # fmt: skip
"""Attributes that no snapshot has a column of."""

SCHEMA: Mapping[str, Type] = {column.name: column.type for column in COLUMNS}


def snapshot(seed: int, *, rows: int = 20, blanks: float = 0.15) -> pl.DataFrame:
    """Products whose values lie at the edges more often than chance would have it. blanks: how often one is missing."""
    rng = random.Random(seed)
    series = []
    for column in COLUMNS:
        # Half of the time a column is tame, so that what is bound to it stays narrow; some columns have no blank.
        value = column.tame if column.tame is not None and rng.random() < 0.5 else column.value
        share = rng.choice((0.0, blanks, blanks, 3 * blanks) if column.type.optional else (0.0, 0.0, 0.0, blanks / 2))
        values = [None if rng.random() < share else value(rng) for _ in range(rows)]
        series.append(pl.Series(column.name, values, dtype=column.dtype, strict=True))
    return pl.DataFrame([pl.Series("sku", [f"S{row}" for row in range(rows)]), *series])
