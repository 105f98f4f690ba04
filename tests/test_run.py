"""`merx run`, through the front door, with a clock that the test moves and a sandbox of the project's own."""

from __future__ import annotations

import datetime
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from marketplaces import account, sandbox
from merx.cli import run
from merx.engine.clock import SystemClock
from merx.engine.lock import locked
from merx.engine.marketplace import Offer

START = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)
EVERY = "upload = every 1h  update = every 15m  inventory_price = every 5m  assign = every 1h"
PRICES = """
pricing "plus ten" { change = +10% }
inventory "all" { default_quantity = 3 }
listing "bags" { assign = name contains "bag"  pricing = "plus ten"  inventory = "all" }
listing "books" { assign = name contains "book"  pricing = "plus ten"  inventory = "all" }
"""
PRODUCTS = {
    "A": "red bag,10.00,4,1,4,red",
    "B": "blue bag,20.00,5,1,4,blue",
    "C": "thick book,7.00,6,1,4,white",
    "D": "hidden bag,9.00,7,1,1,grey",
}


@dataclass
class Fake:
    """A clock that moves only when somebody waits, and says stop at its end."""

    at: datetime.datetime = START
    end: datetime.datetime = START
    waits: list[float] = field(default_factory=list)
    tick: Callable[[datetime.datetime], None] = lambda now: None

    def now(self) -> datetime.datetime:
        return self.at

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self.waits.append(seconds)
        self.at += datetime.timedelta(seconds=seconds)
        self.tick(self.at)
        if self.at >= self.end:
            stop.set()
        return stop.is_set()


@dataclass
class Shop:
    """A project, and what one does with it."""

    folder: Path
    clock: Fake
    products: dict[str, str] = field(default_factory=lambda: dict(PRODUCTS))
    toml: str = ""
    said: str = ""

    def rules(self, sync: str = EVERY, prices: str = PRICES) -> None:
        text = f'{prices}\nsynchronization "s" {{ {sync} }}\n'
        text += 'account "main" { connector = sandbox  listings = ["bags", "books"]  synchronization = "s" }\n'
        (self.folder / "rules.merx").write_text(text, encoding="utf-8")

    def write(self) -> None:
        rows = [f"{sku},{row}" for sku, row in self.products.items()]
        head = "sku,name,price,qty,status,visibility,color"
        path = self.folder / "products.csv"
        path.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
        # A file of the same size within one tick of the file system's clock would look unchanged.
        self.touched = getattr(self, "touched", 0) + 1
        os.utime(path, ns=(self.touched * 10**9, self.touched * 10**9))
        text = f'rules = ["rules.merx"]\nproducts = "products.csv"\ncurrency = "EUR"\n{self.toml}'
        (self.folder / "merx.toml").write_text(text, encoding="utf-8")

    def once(self, later: float = 0, *arguments: str) -> int:
        """Runs what is due `later` minutes from now."""
        self.clock.at += datetime.timedelta(minutes=later)
        self.clock.end = self.clock.at + datetime.timedelta(days=1)
        self.write()
        return run(["run", "--once", *arguments], self.clock)

    def minutes(self, count: float, *arguments: str) -> int:
        """Runs the loop for so many minutes."""
        self.clock.end = self.clock.at + datetime.timedelta(minutes=count)
        self.write()
        return run(["run", *arguments], self.clock)

    def change(self, sku: str, old: str, new: str) -> None:
        assert old in self.products[sku]
        self.products[sku] = self.products[sku].replace(old, new)

    @property
    def shown(self) -> dict[str, Offer]:
        with account(self.folder) as open_account:
            return open_account.shown()

    def price(self, sku: str) -> Decimal:
        value = self.shown[sku].values["price"]
        assert isinstance(value, Decimal)
        return value

    def rows(self, sql: str) -> list[dict[str, Any]]:
        db = sqlite3.connect(self.folder / ".merx" / "state.db")
        db.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in db.execute(sql)]
        finally:
            db.close()

    def jobs(self) -> dict[str, dict[str, Any]]:
        return {row["job"]: row for row in self.rows("select * from jobs")}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.chdir(tmp_path)
    found = Shop(tmp_path, Fake())
    found.rules()
    found.write()
    return found


# --- the four jobs


def test_the_first_run_assigns_and_publishes_all_that_is_to_be_sold(shop: Shop):
    assert shop.once() == 0

    assert sorted(shop.shown) == ["A", "B", "C"]
    assert (shop.price("A"), shop.shown["A"].values["quantity"]) == (Decimal(11), 4)
    assert {name: (row["runs"], row["failures"], row["result"]) for name, row in shop.jobs().items()} == dict.fromkeys(
        ("assign", "upload", "update", "inventory_price"), (1, 0, "done")
    )


def test_upload_says_when_a_new_product_comes(shop: Shop):
    shop.rules("upload = every 2h  assign = every 1m  inventory_price = every 5m")
    shop.once()
    shop.products["E"] = "new bag,5.00,1,1,4,red"

    shop.once(60)
    before = sorted(shop.shown)
    shop.once(60)

    assert (before, sorted(shop.shown)) == (["A", "B", "C"], ["A", "B", "C", "E"])


def test_without_upload_nothing_new_comes(shop: Shop):
    shop.rules("update = every 1m  assign = every 1m  inventory_price = every 1m")

    shop.once()

    assert shop.shown == {}


def test_update_says_when_a_changed_detail_comes(shop: Shop):
    shop.rules("upload = every 1m  update = every 1h  inventory_price = every 1m  assign = every 1m")
    shop.once()
    shop.change("A", "red bag", "old bag")

    shop.once(30)
    before = shop.shown["A"].details["name"]
    shop.once(30)

    assert (before, shop.shown["A"].details["name"]) == ("red bag", "old bag")


def test_update_sends_no_price(shop: Shop):
    shop.rules("upload = every 1h  update = every 1m  inventory_price = every 1h  assign = every 1h")
    shop.once()
    shop.change("A", "red bag,10.00,4", "old bag,20.00,9")

    shop.once(10)

    assert (shop.shown["A"].details["name"], shop.price("A")) == ("old bag", Decimal(11))
    assert shop.shown["A"].values["quantity"] == 4


def test_inventory_price_says_when_a_changed_price_and_stock_come(shop: Shop):
    shop.rules("upload = every 1m  update = every 1m  inventory_price = every 1h  assign = every 1m")
    shop.once()
    shop.change("A", "red bag,10.00,4", "old bag,20.00,9")

    shop.once(30)
    before = shop.price("A"), shop.shown["A"].values["quantity"]
    shop.once(30)

    assert before == (Decimal(11), 4)
    assert (shop.price("A"), shop.shown["A"].values["quantity"]) == (Decimal(22), 9)


def test_inventory_price_withdraws_what_is_disabled(shop: Shop):
    shop.once()
    shop.change("A", ",4,1,4,", ",4,2,4,")

    shop.once(5)

    assert shop.shown["A"].values["quantity"] == 0


def test_assign_says_when_a_product_gets_another_listing(shop: Shop):
    shop.rules("upload = every 1m  update = every 1m  inventory_price = every 1m  assign = every 1h")
    shop.once()
    shop.change("A", "red bag", "red book")

    shop.once(30)
    before = shop.shown["A"].values["listing"]
    shop.once(30)

    assert (before, shop.shown["A"].values["listing"]) == ("bags", "books")


def test_without_assign_no_product_gets_a_listing(shop: Shop):
    shop.rules("upload = every 1m  update = every 1m  inventory_price = every 1m")

    shop.once()

    assert shop.shown == {}


@pytest.mark.parametrize(("unassign", "quantity"), [("no", 4), ("yes", 0)])
def test_unassign_takes_a_product_away_that_no_query_takes(shop: Shop, unassign: str, quantity: int):
    shop.rules(f"{EVERY}  unassign = {unassign}")
    shop.once()
    shop.change("A", "red bag", "red hat")

    shop.once(60)

    assert shop.shown["A"].values["quantity"] == quantity
    shop.change("A", "red hat", "red bag")
    shop.once(60)
    assert shop.shown["A"].values["quantity"] == 4


@pytest.mark.parametrize(("word", "skus"), [("skip", ["A", "B", "C"]), ("include", ["A", "B", "C", "D"])])
def test_not_visible_individually(shop: Shop, word: str, skus: list[str]):
    shop.rules(f"{EVERY}  not_visible_individually = {word}")

    shop.once()

    assert sorted(shop.shown) == skus


@pytest.mark.parametrize(
    ("lists", "sent"),
    [
        ("only_when_changed = [color]", {"A": {"name": None, "color": "pink"}, "B": {"name": None, "color": "blue"}}),
        (
            "only_when_changed = [color]  send_only = [color, name]",
            {"A": {"name": "old bag", "color": "pink"}, "B": {"name": "blue bag", "color": "blue"}},
        ),
        (
            "send_only = [name]",
            {"A": {"name": "old bag", "color": None}, "B": {"name": "new bag", "color": None}},
        ),
    ],
)
def test_only_when_changed_and_send_only(shop: Shop, lists: str, sent: dict[str, dict[str, str | None]]):
    """A changes its name and its colour, B only its name."""
    shop.rules(f"{EVERY}  {lists}")
    shop.once()
    shop.change("A", "red bag", "old bag")
    shop.change("A", "4,red", "4,pink")
    shop.change("B", "blue bag", "new bag")

    shop.once(15)

    shown = shop.shown
    assert {sku: {name: shown[sku].details.get(name) for name in ("name", "color")} for sku in sent} == sent


def test_price_goes_whatever_the_lists_say(shop: Shop):
    shop.rules(f"{EVERY}  only_when_changed = [color]")
    shop.once()
    shop.change("A", "10.00,4", "20.00,4")

    shop.once(15)

    assert shop.price("A") == 22


@pytest.mark.parametrize("word", ["on", "off"])
def test_activity_log(shop: Shop, word: str):
    shop.rules(f"{EVERY}  activity_log = {word}")

    shop.once()

    assert bool(shop.rows("select * from log where level = 'info'")) == (word == "on")


def test_errors_are_logged_though_the_activity_log_is_off(shop: Shop):
    shop.rules(f"{EVERY}  activity_log = off")
    shop.products = {}
    shop.write()
    (shop.folder / "products.csv").write_text("name\nx\n")
    shop.clock.end = START + datetime.timedelta(days=1)

    assert run(["run", "--once"], shop.clock) == 1

    assert {row["level"] for row in shop.rows("select * from log")} == {"error"}


@pytest.mark.parametrize("word", ["on", "off"])
def test_feed_log(shop: Shop, word: str):
    shop.rules(f"{EVERY}  feed_log = {word}")

    shop.once()

    found = shop.rows("select * from exchanges")
    assert bool(found) == (word == "on")
    assert all('"sku": "A"' in one["request"] or '"sku":"A"' in one["request"] for one in found)


@pytest.mark.parametrize(("keep", "kept"), [("1d", False), ("7d", True)])
def test_keep(shop: Shop, keep: str, kept: bool):
    shop.rules(f"{EVERY}  keep = {keep}")
    shop.once()

    shop.once(60 * 24 * 2)

    first = START.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for table in ("log", "exchanges"):
        assert bool(shop.rows(f"select * from {table} where at = '{first}'")) == kept


def test_active_says_on_which_days_it_runs(shop: Shop):
    rest = 'synchronization "rest" { inventory_price = every 5m }'
    shop.rules(f"{EVERY}  active = 2026-11-26..2026-11-30", prices=f"{PRICES}{rest}")
    rules = shop.folder / "rules.merx"
    text = rules.read_text(encoding="utf-8").replace('synchronization = "s"', 'synchronization = ["s", "rest"]')
    rules.write_text(text, encoding="utf-8")

    shop.once()
    before = shop.shown
    shop.once(60 * 24)

    assert (before, sorted(shop.shown)) == ({}, ["A", "B", "C"])


# --- when


def test_missed_runs_come_to_one(shop: Shop):
    shop.once()

    shop.once(60 * 5 + 2)

    assert {name: row["runs"] for name, row in shop.jobs().items()} == dict.fromkeys(shop.jobs(), 2)
    assert shop.jobs()["inventory_price"]["due"] == "2026-11-25T17:05:00.000Z"


def test_what_is_not_due_does_not_run(shop: Shop):
    shop.once()

    shop.once(4)

    assert {row["runs"] for row in shop.jobs().values()} == {1}


def test_the_loop_keeps_each_rhythm(shop: Shop):
    assert shop.minutes(61) == 0

    runs = {name: row["runs"] for name, row in shop.jobs().items()}
    assert runs == {"assign": 2, "upload": 2, "update": 5, "inventory_price": 13}
    assert shop.jobs()["upload"]["schedule"] == "every 3600s"


def test_a_clock_that_is_set_back_a_little_neither_storms_nor_stalls(shop: Shop):
    shop.rules("inventory_price = every 1m")
    shop.minutes(10)
    before = shop.jobs()["inventory_price"]["runs"]
    shop.clock.at -= datetime.timedelta(minutes=4)

    shop.minutes(10)

    assert 9 <= shop.jobs()["inventory_price"]["runs"] - before <= 11
    assert shop.jobs()["inventory_price"]["failures"] == 0


def test_a_clock_that_is_set_far_back_is_told_at_the_pace_of_the_job(shop: Shop):
    shop.rules("inventory_price = every 5m")
    shop.once()
    shop.clock.at -= datetime.timedelta(days=1)

    shop.minutes(21)

    assert shop.jobs()["inventory_price"]["failures"] == 4
    assert "(M806)" in shop.rows("select * from log where level = 'error'")[0]["message"]


# --- what goes wrong


def test_a_job_is_put_off_while_another_merx_is_at_work(shop: Shop):
    shop.once()
    with locked(shop.folder / ".merx", "merx apply", SystemClock()):
        assert shop.once(5) == 1

    assert shop.jobs()["inventory_price"]["runs"] == 1
    assert shop.jobs()["inventory_price"]["result"] == "put off"
    assert "put off: `merx apply`" in shop.rows("select * from log where level = 'warning'")[0]["message"]
    assert shop.once(2) == 0
    assert shop.jobs()["inventory_price"]["runs"] == 2


def test_a_broken_rail_sends_nothing(shop: Shop):
    shop.once()
    shop.toml = "[safety]\nmax_price_move = '20%'\n"
    shop.change("A", "10.00", "20.00")

    assert shop.once(5) == 1

    assert shop.price("A") == 11
    [row] = shop.rows("select * from log where level = 'error'")
    assert "A from 11" in row["message"] and "(M822)" in row["message"]
    assert (shop.jobs()["inventory_price"]["failures"], shop.jobs()["inventory_price"]["result"]) == (1, "failed")


def test_rules_that_break_fail_the_jobs_until_they_are_mended(shop: Shop):
    shop.rules("inventory_price = every 5m")
    shop.once()
    good = (shop.folder / "rules.merx").read_text(encoding="utf-8")

    def tick(now: datetime.datetime) -> None:
        broken = START + datetime.timedelta(minutes=4) < now < START + datetime.timedelta(minutes=12)
        (shop.folder / "rules.merx").write_text("pricing {" if broken else good, encoding="utf-8")

    shop.clock.tick = tick
    shop.minutes(21)

    row = shop.jobs()["inventory_price"]
    assert (row["runs"], row["failures"], row["result"]) == (5, 2, "done")


def test_a_marketplace_that_is_down_fails_a_job_and_the_others_go_on(shop: Shop):
    shop.toml = '[accounts.main]\naddress = "http://127.0.0.1:1"\n'

    assert shop.once() == 1

    results = {name: row["result"] for name, row in shop.jobs().items()}
    assert results == {"assign": "done", "upload": "failed", "update": "done", "inventory_price": "done"}
    shop.toml = ""
    assert shop.once(60) == 0
    assert sorted(shop.shown) == ["A", "B", "C"]


def test_secrets_are_masked_in_the_feed_log(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t-bag")
    with sandbox(shop.folder / "elsewhere.db", token="s3cr3t-bag") as server:
        shop.toml = f'[accounts.main]\naddress = "{server.address}"\ntoken = {{ env = "SHOP_TOKEN" }}\n'
        shop.change("A", "red bag", "s3cr3t-bag")
        assert shop.once() == 0

    text = json.dumps(shop.rows("select * from exchanges"))
    assert "blue bag" in text
    assert "s3cr3t-bag" not in text


# --- metrics and signals


def test_metrics_and_health(shop: Shop, capsys: pytest.CaptureFixture[str]):
    found: dict[str, str] = {}

    def tick(now: datetime.datetime) -> None:
        if not found:
            address = capsys.readouterr().err.split("metrics and health: ")[1].split()[0]
            found["metrics"] = httpx.get(f"{address}/metrics").text
            found["health"] = str(httpx.get(f"{address}/health").status_code)
            db = sqlite3.connect(shop.folder / ".merx" / "state.db")
            with db:
                db.execute("update jobs set result = 'failed'")
            db.close()
            found["later"] = str(httpx.get(f"{address}/health").status_code)
            found["else"] = str(httpx.get(f"{address}/other").status_code)

    shop.clock.tick = tick
    assert shop.minutes(1, "--port", "0") == 0

    assert (found["health"], found["later"], found["else"]) == ("200", "503", "404")
    for line in (
        'merx_job_runs_total{account="main",job="upload"} 1.0',
        'merx_job_failures_total{account="main",job="upload"} 0.0',
        'merx_products{account="main",state="published"} 3.0',
        'merx_products{account="main",state="held"} 0.0',
        'merx_products{account="main",state="in_doubt"} 0.0',
        "merx_snapshot_age_seconds ",
        'merx_job_last_success_timestamp_seconds{account="main",job="upload"} ',
        'merx_job_last_duration_seconds{account="main",job="upload"} ',
    ):
        assert f"\n{line}" in found["metrics"]
    assert "python_info" not in found["metrics"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_within_ten_seconds_with_nothing_half_done(shop: Shop, number: signal.Signals, code: int):
    """While batches go out, one a half second."""
    shop.toml = "[accounts.main]\nbatch = 1\nper_second = 2\n"
    shop.products = {f"S{place:02}": "red bag,10.00,4,1,4,red" for place in range(60)}
    shop.write()
    process = subprocess.Popen(
        [sys.executable, "-c", "from merx.cli import main; main()", "run"], cwd=shop.folder, stderr=subprocess.PIPE
    )
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until and not done(shop):
            time.sleep(0.1)
        process.send_signal(number)
        since = time.monotonic()
        assert process.wait(10) == code
        assert time.monotonic() - since < 10
    finally:
        process.kill()
        process.communicate()

    statuses = [row["status"] for row in shop.rows("select status from intents")]
    assert "done" in statuses and "pending" in statuses and "sent" not in statuses
    assert len(shop.shown) == statuses.count("done")
    assert shop.jobs()["upload"]["result"] == "stopped"
    shop.toml = ""
    shop.clock.at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=2)
    assert shop.once() == 0
    assert len(shop.shown) == 60


def done(shop: Shop) -> bool:
    try:
        return bool(shop.rows("select 1 from intents where status = 'done'"))
    except sqlite3.Error:
        return False


def test_a_broken_merx_toml_does_not_end_the_loop(shop: Shop):
    shop.rules("inventory_price = every 5m")

    def tick(now: datetime.datetime) -> None:
        (shop.folder / "merx.toml").write_text("rules = 1", encoding="utf-8")

    shop.clock.tick = tick
    assert shop.minutes(11) == 0

    assert shop.jobs()["inventory_price"]["failures"] == 2


def test_what_another_process_did_meanwhile_is_not_done_again(shop: Shop):
    shop.rules("inventory_price = every 5m")
    shop.once()
    codes: list[int] = []
    waiting = threading.Thread(target=lambda: codes.append(shop.once(5, "--wait", "20")))
    with locked(shop.folder / ".merx", "merx run", SystemClock()):
        waiting.start()
        time.sleep(2)
        db = sqlite3.connect(shop.folder / ".merx" / "state.db")
        with db:
            db.execute("update jobs set due = '2026-11-25T12:10:00.000Z' where job = 'inventory_price'")
        db.close()
    waiting.join(20)

    assert codes == [0]
    assert shop.jobs()["inventory_price"]["runs"] == 1
