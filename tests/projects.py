"""Projects for tests: a folder with rules, products and a clock, and what a command says in it."""

from __future__ import annotations

import csv
import datetime
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from merx.cli import run

RULES = """
pricing "plus ten" { change = +10%  ensure price >= 5 "too cheap" }
inventory "stock" { buffer = 1 }
image "two" { gallery = 2 }
listing "bags" { assign = name contains "bag"  priority = 5  pricing = "plus ten"  inventory = "stock"  image = "two" }
listing "rest" { assign = name contains "thing"  pricing = "plus ten"  inventory = "stock" }
account "main" { connector = sandbox }
"""
TOML = 'rules = ["rules"]\nproducts = "products.csv"\ncurrency = "EUR"\n'


@dataclass
class FakeClock:
    """Stands still but for what waits."""

    moment: datetime.datetime = field(default_factory=lambda: datetime.datetime(2026, 11, 25, 10, tzinfo=datetime.UTC))

    def now(self) -> datetime.datetime:
        return self.moment

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self.moment += datetime.timedelta(seconds=seconds)
        return stop.is_set()


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shop:
    """A project in a folder, which is the working directory."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    clock: FakeClock = field(default_factory=FakeClock)

    def __call__(self, *arguments: str | Path) -> Said:
        code = run([str(one) for one in arguments], clock=self.clock)
        said = self.capsys.readouterr()
        return Said(code, said.out, said.err)

    def rules(self, text: str) -> None:
        (self.folder / "rules").mkdir(exist_ok=True)
        (self.folder / "rules" / "shop.merx").write_text(text, encoding="utf-8")

    def toml(self, text: str) -> None:
        (self.folder / "merx.toml").write_text(text, encoding="utf-8")

    def products(self, rows: Iterable[Mapping[str, Any]]) -> None:
        write_products(self.folder / "products.csv", rows)

    def plan(self, *arguments: str) -> Any:
        """The plan as JSON."""
        said = self("plan", "--format", "json", *arguments)
        assert said.code == 0, said.err
        return said.data

    def shown(self) -> dict[str, dict[str, Any]]:
        """What the sandbox shows, by SKU."""
        return {row["sku"]: row for row in self("sandbox", "listings", "--format", "json").data}


FIELDS = "sku name price qty status categories visibility parent_sku image special_price".split()


def product(sku: str, name: str = "a bag", price: str = "10.00", qty: int = 5, **rest: Any) -> dict[str, Any]:
    return {
        "sku": sku,
        "name": name,
        "price": price,
        "qty": qty,
        "status": 1,
        "categories": "x",
        "image": f"/{sku}.jpg",
        **rest,
    }


def write_products(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def make_shop(folder: Path, capsys: pytest.CaptureFixture[str], rules: str = RULES) -> Shop:
    """A project of the sandbox's account `main`, without products yet."""
    shop = Shop(folder, capsys)
    shop.toml(TOML)
    shop.rules(rules)
    return shop
