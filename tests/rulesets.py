"""Whole rule sets as text, made at random from every field of the product policies, and the products they meet."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

DAY = date(2026, 11, 23)

CATALOG = """
catalog "generated" {
  name: text
  type_id: text?
  status: number
  price: money(EUR)
  map: money(EUR)?
  cost: money(EUR)?
  special_price: money(EUR)?
  special_from_date: date?
  special_to_date: date?
  qty: number
  weight: number?
  is_in_stock: flag?
  manage_stock: flag?
  backorders: number?
  min_qty: number?
  `source:eu`: number?
  `source:us`: number?
  categories: list(text)
  color: text?
  image: text?
  parent_image: text?
  media_gallery: list(text)
}
"""
RATES = "rates { as_of = 2026-11-22  EUR -> USD = 1.0850  EUR -> JPY = 163.4217 }\n"


class Writer:
    """Writes one rule set. said: which fields and constructs it used."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.said: Counter[str] = Counter()

    def one(self, *choices: str) -> str:
        return self.rng.choice(choices)

    def maybe(self, field: str, value: Callable[[], str], share: float = 0.4) -> str:
        if self.rng.random() >= share:
            return ""
        self.said[field] += 1
        return f"  {field} = {value()}\n"

    # --- expressions

    def amount(self, depth: int = 2) -> str:
        """An amount in EUR that is present."""
        if depth == 0 or self.rng.random() < 0.4:
            return self.one("price", "(map ?? price)", "(cost ?? 3.33)", "(special_price ?? map ?? price)")
        a, b = self.amount(depth - 1), self.amount(depth - 1)
        return self.one(
            f"({a} + {b})", f"({a} - {b})", f"({a} * {self.factor()})", f"({a} / {self.divisor()})", f"({a} + {self.percent()})",
            f"min({a}, {b})", f"max({a}, {b}, 1.5)", f"round({a}, {self.one('0.05', '1', '0.333')})", f"abs({a} - {b})",
            f"(if {self.condition(depth - 1)} then {a} else {b})", f'(lookup color {{ "red" -> {a}  else -> {b} }})',
            f"(ladder {a} {{ above 10 -> {b}  exactly 10 -> 7.77  below 10 -> {a} }})",
            f"(ladder {{ when {self.condition(depth - 1)} -> {a}  else -> {b} }})",
        )  # fmt: skip

    def factor(self) -> str:
        return self.one("1.1", "0.9137", "115%", "-2", "(weight ?? 1)", "0", "1.000000001", "100000000000")

    def divisor(self) -> str:
        return self.one("3", "7", "qty", "(weight ?? 2)", "0.7", "(1 / 3)")

    def percent(self) -> str:
        return self.one("10%", "-5%", "0.5%", "33.333%")

    def condition(self, depth: int = 1) -> str:
        plain = self.one(
            "price > 20", "qty <= 5", 'color == "red"', "color is missing", "(cost is missing or price > cost)", 'name contains "tee"',
            'categories has "A"', 'categories has any ["A", "B/C"]', 'categories has all ["A", "D"]', 'name matches "^[A-M]"',
            'lower(name) starts with "a"', 'color in ["red", "blue"]', "qty in 3..18", 'color not in ["red"]', "(weight is present and weight > 1)", "(cost is missing or price >= cost * 110%)",
            "(special_to_date is present and special_to_date >= today)", "days_between(2026-01-01, today) > 100", "length(categories) == 2",
            "(price - (cost ?? 1)) / price >= 15%", "is_in_stock == no", 'trim(upper(name)) ends with "E"', "sku != \"S3\"",
        )  # fmt: skip
        if depth == 0:
            return plain
        a, b = self.condition(depth - 1), self.condition(depth - 1)
        return self.one(plain, f"({a} and {b})", f"({a} or {b})", f"not ({a})")

    def change(self) -> str:
        plain = [
            "+10%", "-12.5%", "+2.50", "-1", "* 1.2", "* 85%", "+price * 3%", "start * 1.05",
            "ladder start { from 100 -> +5%  from 20 -> +10%  else -> +2.50 }", 'lookup color { "red" -> +1  else -> -3% }',
            f"if {self.condition()} then +1% else * 0.97",
        ]  # fmt: skip
        if self.rng.random() < 0.3:
            self.said["change list"] += 1
            return f"[{', '.join(self.rng.choice(plain) for _ in range(2))}]"
        return self.rng.choice(plain)

    # --- policies

    def pricing(self, title: str) -> str:
        currency = self.rng.random() < 0.4
        text = f'pricing "{title}" {{\n'
        text += self.maybe("start", self.amount, 0.6) + self.maybe("change", self.change, 0.7)
        if currency:
            self.said["currency"] += 1
            text += f"  currency = {self.one('USD', 'JPY')}\n"
            text += self.maybe("rate", lambda: self.one("1.5", "0.0071234"), 0.3)
            text += self.maybe("max_rate_age", lambda: self.one("2d", "12h"), 0.3)
        text += self.maybe("floor", lambda: self.one("5", "12.345", "19.99", "1000"))
        text += self.maybe("ceiling", lambda: self.one("500", "99.99", "4"))
        rounding = self.maybe("ending", lambda: self.one("0.99", "9.99", "0.5", "0"), 0.35)
        text += rounding or self.maybe(
            "round",
            lambda: (
                f"{self.one('half_up', 'half_even', 'up', 'down', 'ceiling', 'floor')} to {self.one('0.05', '1', '0.01', '7')}"
            ),
        )
        text += self.maybe("sale", lambda: self.one("no", "special_price", "map", self.amount()), 0.4)
        if self.rng.random() < 0.4:
            self.said["ensure"] += 1
            # In another currency `price` is not to be compared with what the catalogue's currency is in.
            plain = self.one("price > 3", "price < 500 or qty > 5", 'color != "red"')
            condition = plain if currency else self.one(plain, "price < start * 3 or qty > 5", self.condition())
            text += f'  ensure {condition} "as it must be"\n'
        return text + "}\n"

    def inventory(self, title: str) -> str:
        text = f'inventory "{title}" {{\n'
        if self.rng.random() < 0.25:
            self.said["sources"] += 1
            text += self.one('  sources = ["eu"]\n', '  sources = ["eu", "us"]\n')
        else:
            text += self.maybe("stock", lambda: self.one("physical", "salable"), 0.2)
        text += self.maybe("default_quantity", lambda: self.one("5", "0"), 0.7)
        default = "default_quantity" in text
        text += self.maybe("out_of_stock", lambda: "default_quantity" if default else "zero", 0.3)
        text += self.maybe("backorders", lambda: "default_quantity" if default else "ignore", 0.3)
        if self.rng.random() < 0.25:
            self.said["quantity"] += 1
            return (
                text + "  quantity = ladder available { above 10 -> 20  exactly 10 -> available  below 10 -> 2 }\n}\n"
            )
        text += self.maybe("buffer", lambda: self.one("5", "10%", "0", "(weight ?? 1)"))
        if self.rng.random() < 0.5:
            self.said["threshold"] += 1
            text += f"  threshold {{ value = {self.one('10', '5')}  greater = {self.one('20', '8')}  lesser = 2  cap = {self.one('yes', 'no')} }}\n"
        return (
            text
            + self.maybe("maximum", lambda: self.one("50", "12"), 0.3)
            + self.maybe("minimum", lambda: self.one("3", "1"), 0.3)
            + "}\n"
        )

    def image(self, title: str) -> str:
        text = f'image "{title}" {{\n' + self.maybe("main", lambda: self.one("parent_image", "image"), 0.4)
        text += self.maybe("default", lambda: '"https://cdn.example.com/none.jpg"', 0.5)
        return text + self.maybe("gallery", lambda: self.one("1", "3", "5", "20"), 0.7) + "}\n"

    def listing(self, number: int) -> str:
        text = f'listing "L{number}" {{\n  assign = {self.condition(2)}\n'
        text += self.maybe("priority", lambda: self.one("1", "2", "-1", "1.5"), 0.5)
        text += self.maybe("products", lambda: self.one('["S1"]', '["S2", "S3"]'), 0.2)
        for kind in ("pricing", "inventory", "image"):
            if self.rng.random() < 0.85:
                text += f'  {kind} = "{kind}{self.rng.randrange(2)}"\n'
        return text + "}\n"

    def rules(self) -> str:
        parts = [CATALOG, RATES]
        for number in range(2):
            parts += [
                self.pricing(f"pricing{number}"),
                self.inventory(f"inventory{number}"),
                self.image(f"image{number}"),
            ]
        return "\n".join([*parts, *(self.listing(number) for number in range(self.rng.choice((1, 2, 3))))])


def products(seed: int, rows: int = 20) -> pl.DataFrame:
    """Products with blanks, zeros, negatives, sizes that overflow, and images that repeat."""
    rng = random.Random(seed)
    blank = rng.choice((0.0, 0.1, 0.3))
    huge = rng.random() < 0.15

    def column(dtype: Any, values: Sequence[Any], required: bool = False) -> pl.Series:
        share = 0.03 if required and blank else blank
        return pl.Series([None if rng.random() < share else rng.choice(values) for _ in range(rows)], dtype=dtype)

    amounts = [
        Decimal(text)
        for text in ("10.00", "19.99", "0.01", "52.00", "100.00", "33.33", "0.00", "-4.00", "20.00", "7.25")
    ]
    large = [*amounts, Decimal("9" * 34 + ".99"), Decimal("1" + "0" * 30)]
    images = ["/a.jpg", "/b.jpg", "/c.jpg", "https://x.example.com/d.png"]
    days = [DAY + timedelta(days=offset) for offset in (-30, -1, 0, 1, 30)]
    lists = [rng.sample(["A", "B/C", "D", "Été"], rng.randrange(4)) for _ in range(6)]
    galleries = [[rng.choice(images) for _ in range(rng.randrange(6))] for _ in range(6)]
    return pl.DataFrame(
        {
            "sku": [f"S{row}" for row in range(rows)],
            "name": column(pl.String, ["a tee", "Moon bag", " LATE ", "straße", "Élan tee"], True),
            "type_id": column(pl.String, ["simple", "simple", "configurable"]),
            "status": column(pl.Int64, [1, 1, 1, 2], True),
            "price": column(pl.Decimal(38, 2), large if huge else amounts, True),
            "map": column(pl.Decimal(18, 4), amounts),
            "cost": column(pl.Decimal(12, 2), amounts),
            "special_price": column(pl.Decimal(12, 2), amounts),
            "special_from_date": column(pl.Date, days),
            "special_to_date": column(pl.Date, days),
            "qty": column(
                pl.Decimal(12, 4), [Decimal(text) for text in ("0", "3", "8.5", "15", "18", "100", "-2", "5")], True
            ),
            "weight": column(pl.Decimal(12, 4), [Decimal(text) for text in ("0", "1.5", "2.0001", "-1")]),
            "is_in_stock": column(pl.Boolean, [True, True, False]),
            "manage_stock": column(pl.Boolean, [True, True, False]),
            "backorders": column(pl.Int64, [0, 0, 1, 2]),
            "min_qty": column(pl.Int64, [0, 0, 2, -1]),
            "salable_qty" if rng.random() < 0.3 else "other_qty": column(pl.Int64, [0, 4, 30]),
            "source:eu": column(pl.Int64, [0, 4, 30]),
            "source:us": column(pl.Int64, [0, 4, 30]),
            "categories": column(pl.List(pl.String), lists),
            "color": column(pl.String, ["red", "blue", "Red", ""]),
            "image": column(pl.String, images),
            "parent_image": column(pl.String, images),
            "media_gallery": column(pl.List(pl.String), galleries),
        }
    )


FIELDS = (
    "start", "change", "change list", "currency", "rate", "max_rate_age", "floor", "ceiling", "ending", "round", "sale", "ensure",
    "sources", "stock", "default_quantity", "out_of_stock", "backorders", "quantity", "buffer", "threshold", "maximum", "minimum",
    "main", "default", "gallery", "priority", "products",
)  # fmt: skip
"""What a run of many rule sets must have used."""
