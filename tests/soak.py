"""`make soak`: planning and applying under kill -9 and faults; what the marketplace shows must be what the plans said.

    python tests/soak.py [--kills N] [--seed N] [--products N]

Each round changes some products, plans and applies, with processes killed at random instants and calls failing at random,
until both commands come through. Prints the seed, and how many kills and faults were delivered; fails where there were none.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parent))

from projects import RULES, TOML, product, write_products

FAULTS = "429=0.02,500=0.02,drop=0.02,drop_after=0.02,duplicate=0.02"
MERX = (sys.executable, "-c", "import merx.cli; merx.cli.main()")


@dataclass
class Soak:
    """A project and its sandbox. expected: what the sandbox has to show, by the plans that were applied."""

    folder: Path
    address: str
    random: random.Random
    products: dict[str, dict[str, Any]] = field(default_factory=dict)
    expected: dict[str, dict[str, Any]] = field(default_factory=dict)
    kills: int = 0
    rounds: int = 0
    slowest: float = 1.5

    def change(self, count: int) -> None:
        for number in range(count) if not self.products else self.random.sample(range(count), count // 10):
            sku = f"S{number:05}"
            price = f"{self.random.randrange(400, 20000) / 100:.2f}"
            self.products[sku] = product(sku, price=price, qty=self.random.randrange(0, 60))
        kept = [row for sku, row in self.products.items() if self.rounds == 0 or self.random.random() > 0.01]
        write_products(self.folder / "products.csv", kept)

    def command(self, *arguments: str, kill: bool) -> int | None:
        """The exit code; None where the process was killed in the middle."""
        process = subprocess.Popen(
            [*MERX, *arguments], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ
        )
        started = time.monotonic()
        try:
            out, _ = process.communicate(timeout=self.random.uniform(0.2, self.slowest) if kill else 120)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            self.kills += 1
            self.intact()
            return None
        self.slowest = max(1.5, min(4.0, time.monotonic() - started + 0.2))
        if process.returncode not in (0, 1):
            raise SystemExit(f"merx {' '.join(arguments)} ended with {process.returncode}:\n{out.decode()}")
        return process.returncode

    def intact(self) -> None:
        path = self.folder / ".merx" / "state.db"
        if path.exists() and path.stat().st_size:
            with closing(sqlite3.connect(path, timeout=30)) as db:
                [(said,)] = db.execute("pragma integrity_check").fetchall()
                assert said == "ok", said
                assert db.execute("pragma foreign_key_check").fetchall() == []

    def through(self, *arguments: str, kills: int) -> None:
        """Runs the command until it comes through, killing it up to so many times."""
        for attempt in range(kills + 30):
            code = self.command(*arguments, kill=attempt < kills)
            if code == 0:
                return
        raise SystemExit(f"merx {' '.join(arguments)} never came through")

    def round(self, kills: int, count: int) -> None:
        self.change(count)
        self.through("plan", "-o", "plan.json", kills=self.random.randint(0, 2))
        plan = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))
        for item in plan["items"]:
            fields = self.expected.setdefault(item["sku"], {}) if item["action"] != "hold" else {}
            fields.update({name: new for name, (_, new) in item["changes"].items()})
        self.through("apply", "plan.json", "--yes", kills=kills)
        self.rounds += 1
        self.compare()

    def compare(self) -> None:
        """Every listing shows what the plans said, and there is no other."""
        shown = {row["sku"]: row for row in self.listings()}
        assert shown.keys() == self.expected.keys(), shown.keys() ^ self.expected.keys()
        for sku, fields in self.expected.items():
            for name in ("price", "sale_price", "currency", "quantity", "main_image"):
                assert shown[sku]["values"].get(name) == fields.get(name), (sku, name, shown[sku], fields)

    def listings(self) -> Iterator[dict[str, Any]]:
        after: str | None = ""
        while after is not None:
            answer = self.asked("/v1/listings", after=after, limit="500")
            yield from answer["listings"]
            after = answer["next"]

    def asked(self, path: str, **query: str) -> Any:
        """The answer of a sandbox that fails at random, to somebody who does not give up."""
        for _ in range(50):
            try:
                answer = httpx.get(f"{self.address}{path}", params=query, timeout=10)
            except httpx.HTTPError:
                continue
            if answer.status_code == 200:
                return answer.json()
        raise SystemExit("the sandbox never answered")

    def faults(self) -> int:
        return int(sum(self.asked("/v1/faults")["delivered"].values()))


@contextmanager
def sandbox(folder: Path, seed: int) -> Iterator[str]:
    """The address of a sandbox in a process of its own."""
    process = subprocess.Popen(
        [*MERX, "sandbox", "serve", "--port", "0", "--db", str(folder / "market.db"), "--faults", FAULTS, "--seed", str(seed)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


def soak(folder: Path, kills: int, seed: int, count: int) -> tuple[int, int, int]:
    """Runs rounds until so many kills were delivered; returns kills, faults and rounds."""
    with sandbox(folder, seed) as address:
        run = Soak(folder, address, random.Random(seed))
        (folder / "rules").mkdir()
        (folder / "rules" / "shop.merx").write_text(RULES, encoding="utf-8")
        toml = f'{TOML}[accounts.main]\naddress = "{address}"\nbatch = 20\n'
        (folder / "merx.toml").write_text(toml, encoding="utf-8")
        while run.kills < kills:
            run.round(min(6, kills - run.kills), count)
        run.intact()
        return run.kills, run.faults(), run.rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--products", type=int, default=2000)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        kills, faults, rounds = soak(Path(name), options.kills, options.seed, options.products)
    print(f"{kills} kills and {faults} faults delivered in {rounds} rounds: every listing is what the plans said")
    if not kills or not faults:
        sys.exit("nothing was killed, or nothing failed")


if __name__ == "__main__":
    main()
