"""`merx sandbox`, through the front door, and the server that it keeps running, killed at any moment."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from syrupy.assertion import SnapshotAssertion

from marketplaces import account, answering, response, sandbox
from merx.cli import run
from merx.engine.marketplace import Offer, Unavailable
from merx.engine.types import Value
from merx.plugins.sandbox import FILE

RULES = 'pricing "plus ten" { change = +10% }\nlisting "all" { assign = yes  pricing = "plus ten" }\n'
ACCOUNT = 'account "main" { connector = sandbox }\n'


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def merx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Said]]:
    """Runs a command in a project that has one account, at its own sandbox."""
    (tmp_path / "merx.toml").write_text('rules = ["rules.merx"]\n', encoding="utf-8")
    (tmp_path / "rules.merx").write_text(RULES + ACCOUNT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Said:
        code = run(["sandbox", *(str(one) for one in arguments)])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    yield call


def publish(folder: Path, *offers: Offer) -> None:
    with account(folder) as shop:
        assert shop.publish(*offers, key=uuid.uuid4().hex) == ()


def bag(sku: str = "A", quantity: int = 5, **values: Value) -> Offer:
    shown: dict[str, Value] = {"price": Decimal("10.5"), "sale_price": None, "currency": "EUR", "listing": "bags"}
    return Offer(sku, {**shown, "quantity": Decimal(quantity), **values}, {"name": "Bag"})


# --- what it shows


def test_listings_are_rows_for_programs(merx: Callable[..., Said], tmp_path: Path):
    publish(
        tmp_path,
        bag("B", sale_price=Decimal("9.1250"), main_image="/b.jpg", images=("/b.jpg", "/c.jpg")),
        Offer("A", {"quantity": Decimal(0)}),
        Offer("C"),
    )

    said = merx("listings", "--format", "json")

    empty = dict.fromkeys(("price", "sale_price", "currency", "quantity", "main_image"), None)
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out) == [
        {"sku": "A", **empty, "quantity": 0, "images": [], "listing": None},
        {
            "sku": "B", "price": "10.50", "sale_price": "9.125", "currency": "EUR", "quantity": 5,
            "main_image": "/b.jpg", "images": ["/b.jpg", "/c.jpg"], "listing": "bags",
        },
        {"sku": "C", **empty, "images": [], "listing": None},
    ]  # fmt: skip


def test_listings_are_csv_and_a_table(merx: Callable[..., Said], tmp_path: Path):
    publish(tmp_path, bag(images=("/a.jpg", "/b.jpg")))

    [row] = csv.DictReader(io.StringIO(merx("listings", "--format", "csv").out))
    said = merx("listings")

    assert (row["sku"], row["price"], row["quantity"], json.loads(row["images"])) == (
        "A",
        "10.50",
        "5",
        ["/a.jpg", "/b.jpg"],
    )
    assert said.out.splitlines() == [
        "sku  price  sale_price  currency  quantity  images  listing",
        "A    10.50              EUR              5       2  bags",
    ]
    assert said.err == "1 listing\n"


def test_an_empty_sandbox_has_no_rows(merx: Callable[..., Said]):
    assert merx("listings", "--format", "json") == Said(0, "[]\n", "")
    assert merx("orders", "--format", "json") == Said(0, "[]\n", "")


def test_many_listings_come_from_a_sandbox_that_fails(merx: Callable[..., Said], tmp_path: Path):
    for first in range(0, 1200, 100):
        publish(tmp_path, *(bag(f"S{number:04}") for number in range(first, first + 100)))
    merx("faults", "500=0.3", "drop=0.3", "--seed", "5")

    rows = json.loads(merx("listings", "--format", "json").out)

    assert [row["sku"] for row in rows] == [f"S{number:04}" for number in range(1200)]
    delivered = json.loads(merx("faults", "--format", "json").out)["delivered"]
    assert delivered["500"] + delivered["drop"] > 0


# --- what it sells


def test_an_order_is_placed_and_told(merx: Callable[..., Said], tmp_path: Path):
    publish(tmp_path, bag("A"), bag("B", price=Decimal(3)))

    said = merx("order", "A", 2, "--with", "B", 1)
    again = merx("order", "A", "--buyer", "Ada", "--country", "DK", "--status", "placed", "--format", "json")

    assert said == Said(0, "order 1001: 2 × A, 1 × B, 24.00 EUR\n", "")
    assert json.loads(again.out)["buyer"] == {"name": "Ada", "country": "DK"}
    assert [(row["sku"], row["quantity"]) for row in json.loads(merx("listings", "--format", "json").out)] == [
        ("A", 2), ("B", 4),
    ]  # fmt: skip
    placed = json.loads(merx("orders", "--format", "json").out)
    assert [(one["id"], one["status"], one["total"]) for one in placed] == [
        ("1001", "paid", "24.0"), ("1002", "placed", "10.5"),
    ]  # fmt: skip
    assert "1001" in merx("orders").out and "2 × A, 1 × B" in merx("orders").out


def test_an_order_that_is_delivered_twice_is_shown_once(merx: Callable[..., Said], tmp_path: Path):
    publish(tmp_path, bag())
    merx("order", "A")
    merx("faults", "duplicate=1")

    assert len(json.loads(merx("orders", "--format", "json").out)) == 1


def test_an_order_for_too_much_is_refused(merx: Callable[..., Said], tmp_path: Path):
    publish(tmp_path, bag(quantity=1))

    said = merx("order", "A", 2)

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error[M835]: ")
    assert "there are 1 of `A`, and 2 are ordered" in said.err
    assert merx("order", "A", 0).code == 2


def test_an_order_is_placed_once_by_a_sandbox_that_fails_after_it(merx: Callable[..., Said], tmp_path: Path):
    publish(tmp_path, bag())
    merx("faults", "drop_after=0.5", "--seed", "1")

    codes = [merx("order", "A").code for _ in range(4)]

    assert codes == [0, 0, 0, 0]
    assert json.loads(merx("faults", "--format", "json").out)["delivered"]["drop_after"] > 0
    assert json.loads(merx("listings", "--format", "json").out)[0]["quantity"] == 1


# --- how it fails, and is emptied


def test_faults_are_set_shown_and_switched_off(merx: Callable[..., Said]):
    said = merx("faults", "500=0.25,drop=0.1", "timeout_after=0.05", "--seed", 7)
    lines = {line.split()[0]: line.split()[1:3] for line in said.out.splitlines()[1:]}
    assert (lines["500"], lines["drop"], lines["timeout_after"], lines["429"]) == (
        ["0.25", "0"], ["0.1", "0"], ["0.05", "0"], ["0", "0"],
    )  # fmt: skip

    found = json.loads(merx("faults", "--format", "json").out)
    assert (found["probabilities"], found["seed"]) == ({"500": 0.25, "drop": 0.1, "timeout_after": 0.05}, 7)
    assert json.loads(merx("faults", "--seed", 8, "--format", "json").out)["probabilities"] == found["probabilities"]
    assert json.loads(merx("faults", "--off", "--format", "json").out)["probabilities"] == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["500"], "`` is no probability; write one as in `500=0.1`"),
        (["501=0.1"], "there is no fault `501`"),
        (["500=2"], "within 0 to 1"),
        (["500=nan"], "within 0 to 1"),
        (["500=0.1", "--off"], "not both"),
    ],
)
def test_faults_that_are_none_are_wrong_usage(merx: Callable[..., Said], arguments: list[str], words: str):
    said = merx("faults", *arguments)

    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_reset_empties_the_sandbox(merx: Callable[..., Said], tmp_path: Path):
    publish(tmp_path, bag())
    merx("order", "A")
    merx("faults", "500=1")

    assert merx("reset") == Said(0, "the sandbox is empty\n", "")
    assert (merx("listings", "--format", "json").out, merx("orders", "--format", "json").out) == ("[]\n", "[]\n")


def test_a_sandbox_that_always_fails_is_told_after_a_few_calls(merx: Callable[..., Said], tmp_path: Path):
    merx("faults", "500=1")

    said = merx("listings")

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error[M834]: ") and "answers 500" in said.err


# --- which account


def test_an_address_in_merx_toml_is_where_the_commands_go(
    merx: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t")
    with sandbox(tmp_path / "elsewhere.db", token="s3cr3t") as server:
        text = f'[accounts.main]\naddress = "{server.address}"\ntoken = {{ env = "SHOP_TOKEN" }}\n'
        (tmp_path / "merx.toml").write_text('rules = ["rules.merx"]\n' + text, encoding="utf-8")
        with account(tmp_path, address=server.address, token={"env": "SHOP_TOKEN"}) as shop:
            shop.publish(bag())
        assert [row["sku"] for row in json.loads(merx("listings", "--format", "json").out)] == ["A"]
        monkeypatch.setenv("SHOP_TOKEN", "other")
        said = merx("listings")
        monkeypatch.delenv("SHOP_TOKEN")
        assert merx("listings").err.startswith("error[M731]")

    assert not (tmp_path / FILE).exists()
    assert said.code == 1
    assert said.err.startswith("error[M835]: ") and "does not let this account in" in said.err
    assert "other" not in said.err


@pytest.mark.parametrize(
    ("option", "code", "underlined"),
    [
        ('adress = "http://127.0.0.1:1"', "M711", "adress"),
        ('address = "127.0.0.1:1"', "M712", "address"),
        ('address = "http://me:pw@127.0.0.1:1"', "M712", "address"),
        ('token = "s3cr3t"', "M712", "token"),
        ("batch = 0", "M712", "batch"),
        ("per_second = -1.5", "M712", "per_second"),
    ],
)
def test_an_option_that_is_none_is_underlined(
    merx: Callable[..., Said], tmp_path: Path, option: str, code: str, underlined: str
):
    (tmp_path / "merx.toml").write_text(f'rules = ["rules.merx"]\n[accounts.main]\n{option}\n', encoding="utf-8")

    said = merx("listings")

    assert said.code == 1
    assert said.err.startswith(f"error[{code}]: ") and f"3 | {underlined}" in said.err


@pytest.mark.parametrize(
    ("rules", "arguments", "code", "words"),
    [
        ("", [], "M830", "the rules declare no account at a sandbox"),
        ('account "x" { connector = aliexpress }', [], "M830", "declare one: `account"),
        (
            'account "x" { connector = aliexpress }',
            ["--account", "x"],
            "M830",
            "is not at a sandbox but at `aliexpress`",
        ),
        (ACCOUNT, ["--account", "mian"], "M216", "did you mean `main`"),
        (
            'account "a" { connector = sandbox listings = ["all"] }\naccount "b" { connector = sandbox listings = ["all"] }',
            [],
            "M830",
            "name one with `--account`: `a`, `b`",
        ),
        ('account "x" { connector = sandbx }', [], "M", "sandbox"),
    ],
)
def test_an_account_that_is_not_there_is_told(
    merx: Callable[..., Said], tmp_path: Path, rules: str, arguments: list[str], code: str, words: str
):
    (tmp_path / "rules.merx").write_text(RULES + rules, encoding="utf-8")

    said = merx("listings", *arguments)

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"error[{code}") and words in said.err
    assert not (tmp_path / FILE).exists()


def test_the_sandboxs_account_is_found_among_others(merx: Callable[..., Said], tmp_path: Path):
    others = 'account "x" { connector = aliexpress listings = ["all"] }\n'
    (tmp_path / "rules.merx").write_text(
        RULES + others + 'account "main" { connector = sandbox listings = ["all"] }', encoding="utf-8"
    )

    assert merx("listings", "--format", "json") == Said(0, "[]\n", "")


def test_without_a_project_there_is_no_account(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "merx.toml").unlink()

    said = merx("listings")

    assert said.code == 2
    assert said.err.startswith("error[M720]: this is no project")


def test_something_else_at_the_address_is_told(merx: Callable[..., Said], tmp_path: Path):
    with answering(response("200 OK", b"<html>It works!</html>", "text/html")) as address:
        text = f'rules = ["rules.merx"]\n[accounts.main]\naddress = "{address}"\n'
        (tmp_path / "merx.toml").write_text(text, encoding="utf-8")
        said = merx("listings")

    assert said.code == 1
    assert "does not answer as a sandbox does: <html>It works!</html>" in said.err
    assert "help: check the account's `address` in merx.toml" in said.err


@pytest.mark.parametrize("name", ["serve", "listings", "order", "orders", "faults", "reset"])
def test_the_help_of_each_command(merx: Callable[..., Said], name: str, snapshot: SnapshotAssertion):
    assert merx(name, "--help") == Said(0, snapshot, "")


# --- serve


@contextlib.contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`merx sandbox serve` as a process of its own, and its address."""
    program = "from merx.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "sandbox", "serve", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize(("number", "code", "words"), [(signal.SIGTERM, 0, ""), (signal.SIGINT, 130, "interrupted\n")])
def test_serve_stops_cleanly(tmp_path: Path, number: signal.Signals, code: int, words: str):
    with serving(tmp_path, "--port", "0", "--db", "shop.db", "--faults", "500=1", "--seed", "7") as (process, address):
        assert httpx.get(f"{address}/v1/listings").status_code == 500
        assert httpx.get(f"{address}/v1/faults").json()["seed"] == 7
        process.send_signal(number)
        assert process.wait(10) == code
        assert process.stderr is not None
        said = process.stderr.read()

    assert said == f"the sandbox keeps what it shows in shop.db; Ctrl-C stops it\nit fails on purpose: 500=1\n{words}"
    assert sqlite3.connect(tmp_path / "shop.db").execute("pragma integrity_check").fetchone() == ("ok",)


def test_serve_has_the_limits_and_the_token_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t")
    (tmp_path / "merx.toml").write_text("", encoding="utf-8")
    arguments = ["--port", "0", "--token-env", "SHOP_TOKEN", "--per-second", "2.5", "--batch", "7"]
    with serving(tmp_path, *arguments) as (_, address):
        health = httpx.get(f"{address}/v1/health").json()
        assert (health["batch"], health["per_second"]) == (7, 2.5)
        assert httpx.get(f"{address}/v1/listings").status_code == 401
        assert (tmp_path / FILE).exists()


def test_serve_says_what_it_cannot_have(
    merx: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "note.db").write_text("not a database" * 1000)
    with sandbox(tmp_path / "other.db") as server:
        taken = merx("serve", "--port", server.address.rpartition(":")[2], "--db", "x.db")
    assert (taken.code, taken.err[:12]) == (1, "error[M833]:")
    assert merx("serve", "--db", "note.db").err.startswith("error[M831]: the sandbox's file `note.db` cannot be opened")
    monkeypatch.delenv("NOT_SET", raising=False)
    assert merx("serve", "--token-env", "NOT_SET").err.startswith("error[M731]")
    for wrong in (
        ["--port", "70000"],
        ["--faults", "x=1"],
        ["--per-second", "0"],
        ["--per-second", "nan"],
        ["--batch", "0"],
    ):
        assert merx("serve", *wrong).code == 2


def test_two_commands_may_use_the_file_while_it_is_served(merx: Callable[..., Said], tmp_path: Path):
    publish(tmp_path, bag(quantity=3))
    with serving(tmp_path, "--port", "0") as (_, address), account(tmp_path, address=address) as shop:
        merx("order", "A")
        shop.order(("A", 1))

        assert shop.shown()["A"].values["quantity"] == 1


def test_a_server_that_is_killed_has_each_batch_whole_or_not_at_all(tmp_path: Path):
    chance = random.Random(5)
    answered: set[int] = set()
    number = 0
    for _ in range(4):
        with serving(tmp_path, "--port", "0", "--db", "s.db") as (process, address):
            killer = threading.Timer(chance.uniform(0.02, 0.25), os.kill, (process.pid, signal.SIGKILL))
            with account(tmp_path, address=address) as shop:
                shop.shown()
                killer.start()
                with pytest.raises(Unavailable):
                    while True:
                        number += 1
                        shop.publish(*(bag(f"{number:05}-{one:02}") for one in range(100)), key=f"batch {number}")
                        answered.add(number)
            killer.join()
        assert sqlite3.connect(tmp_path / "s.db").execute("pragma integrity_check").fetchone() == ("ok",)

    with sandbox(tmp_path / "s.db") as server, account(tmp_path, address=server.address) as shop:
        counts: dict[int, int] = {}
        for sku in shop.shown():
            counts[int(sku[:5])] = counts.get(int(sku[:5]), 0) + 1
        assert set(counts.values()) == {100}
        assert answered <= counts.keys()
        assert len(answered) > 4
        for again in range(1, number + 1):
            assert shop.publish(*(bag(f"{again:05}-{one:02}") for one in range(100)), key=f"batch {again}") == ()
        assert len(shop.shown()) == 100 * number
