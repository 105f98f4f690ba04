"""The sandbox and its connector over real sockets: the laws of the marketplace, and what each failure becomes."""

from __future__ import annotations

import datetime
import email.utils
import json
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplaces import Account, account, answering, response, sandbox
from merx.engine.diagnostic import PolicyError
from merx.engine.marketplace import Connection, Denied, Offer, Unavailable
from merx.engine.types import Value
from merx.plugins.sandbox import FILE, SandboxOptions
from merx.plugins.sandbox_faults import FAULTS, Faults
from merx.plugins.sandbox_store import SandboxStore

TOKEN = "s3cr3t-tok3n"


def offer(sku: str, **values: Value) -> Offer:
    return Offer(sku, values, {"name": f"the {sku}"})


def priced(sku: str, price: str = "10.00", quantity: int = 5) -> Offer:
    return offer(sku, price=Decimal(price), sale_price=None, currency="EUR", quantity=Decimal(quantity))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Account]:
    """An account that has its own sandbox."""
    with account(tmp_path) as opened:
        yield opened


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[httpx.Client]:
    """A sandbox, spoken to without the connector."""
    with (
        sandbox(tmp_path / "wire.db", batch=3) as server,
        httpx.Client(base_url=server.address, timeout=5, trust_env=False) as client,
    ):
        yield client


def batch(*offers: dict[str, Any], key: str = "k", operation: str = "create") -> dict[str, Any]:
    return {"key": key, "operation": operation, "offers": list(offers)}


def integrity(path: Path) -> str:
    with sqlite3.connect(path) as db:
        found: str = db.execute("pragma integrity_check").fetchone()[0]
    return found


# --- offers and listings


def test_the_connector_is_a_connection(shop: Account):
    connection: Connection = shop.connection

    assert (connection.limits.offers, connection.limits.per_second) == (100, None)


def test_what_was_accepted_is_shown_value_by_value(shop: Account):
    values: dict[str, Value] = {
        "listing": "bags", "price": Decimal("12.50"), "sale_price": Decimal("9.99"), "currency": "EUR",
        "quantity": Decimal(7), "main_image": "/a.jpg", "images": ("/a.jpg", "/b.jpg"),
        "parcel": Decimal("0.250"), "until": datetime.date(2026, 11, 27), "fragile": True, "note": "a <b> & c",
        "tags": ("x", Decimal("1.5")),
    }  # fmt: skip

    assert shop.publish(Offer("A", values, {"name": "Bag", "description": None})) == ()
    assert shop.shown() == {"A": Offer("A", values, {"name": "Bag"})}


def test_a_value_left_out_stays_and_none_takes_it_away(shop: Account):
    shop.publish(offer("A", quantity=Decimal(3), main_image="/a.jpg", images=("/a.jpg",), parcel=Decimal(1)))
    shop.publish(Offer("A", {"main_image": None, "parcel": None}, {"name": None}), operation="change")

    [shown] = shop.shown().values()
    assert (shown.values["quantity"], shown.values["images"]) == (3, ("/a.jpg",))
    assert (shown.values["main_image"], shown.values.get("parcel"), shown.details) == (None, None, {})


@pytest.mark.parametrize(
    "amount", ["0.30", "0.1", "12.5", "99999." + "1" * 33, "0.01", "100000", "0.0100000000000000001"]
)
def test_amounts_are_exact(shop: Account, amount: str):
    shop.publish(offer("A", price=Decimal(amount), sale_price=Decimal(amount), currency="EUR"))

    [shown] = shop.shown().values()
    assert (shown.values["price"], str(shown.values["sale_price"])) == (Decimal(amount), amount)


def test_sums_of_money_are_exact(shop: Account):
    shop.publish(priced("A", "0.1"), priced("B", "0.2"), priced("C", "99999." + "9" * 33, 999_999))

    assert shop.order(("A", 1), ("B", 1))["total"] == "0.3"
    total = shop.order(("C", 999_999), key="order 2")["total"]
    assert total.replace(".", "") == str((10**38 - 1) * 999_999)


@settings(max_examples=25, deadline=None)
@given(
    st.decimals("0.01", "100000", allow_nan=False, allow_infinity=False, places=12),
    st.integers(0, 999_999),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=10),
)
def test_whatever_is_taken_comes_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, price: Decimal, quantity: int, images: list[str]
):
    values = {"price": price, "sale_price": None, "quantity": Decimal(quantity), "images": tuple(images)}
    with account(tmp_path_factory.mktemp("shop")) as shop:
        shop.publish(Offer("A", values, {}))
        [shown] = shop.shown().values()

    assert {name: shown.values[name] for name in values} == values


def test_a_price_without_a_sale_price_erases_the_sale_price(shop: Account):
    shop.publish(offer("A", price=Decimal(20), sale_price=Decimal(15), currency="EUR"))
    shop.publish(offer("A", sale_price=Decimal(14)), operation="change")
    assert shop.shown()["A"].values["sale_price"] == 14
    shop.publish(offer("A", price=Decimal(20)), operation="change")

    assert shop.shown()["A"].values["sale_price"] is None


def test_one_refused_offer_does_not_stop_the_others(shop: Account):
    refusals = shop.publish(priced("A"), priced("B", "0.00"), priced("C"))

    assert [(one.sku, one.code) for one in refusals] == [("B", "price_out_of_bounds")]
    assert refusals[0].message == "`price` 0.00 is not within 0.01 to 100000"
    assert sorted(shop.shown()) == ["A", "C"]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"price": Decimal("0.009")}, "price_out_of_bounds"),
        ({"price": Decimal("100000.01")}, "price_out_of_bounds"),
        ({"price": Decimal(-1)}, "price_out_of_bounds"),
        ({"price": Decimal("1" * 41)}, "not_an_amount"),
        ({"price": Decimal(1), "sale_price": Decimal(0)}, "price_out_of_bounds"),
        ({"price": True}, "not_an_amount"),
        ({"quantity": Decimal(1_000_000)}, "quantity_out_of_bounds"),
        ({"quantity": Decimal(-1)}, "quantity_out_of_bounds"),
        ({"quantity": Decimal("1.5")}, "not_a_quantity"),
        ({"currency": "euro"}, "not_a_currency"),
        ({"images": tuple("abcdefghijk")}, "too_many_images"),
        ({"images": "a.jpg"}, "not_images"),
        ({"main_image": Decimal(1)}, "not_a_text"),
        ({"listing": ("a",)}, "not_a_text"),
    ],
)
def test_what_a_listing_cannot_show_is_refused_and_changes_nothing(shop: Account, values: dict[str, Value], code: str):
    shop.publish(priced("A"))
    before = shop.shown()

    [refusal] = shop.publish(Offer("A", {"quantity": Decimal(1)} | values, {"name": "new"}), operation="change")

    assert (refusal.sku, refusal.code) == ("A", code)
    assert shop.shown() == before


def test_the_bounds_themselves_are_taken(shop: Account):
    values = {"price": Decimal("0.01"), "sale_price": Decimal("100000.00"), "quantity": Decimal(999_999)}

    assert shop.publish(offer("A", **values, images=tuple("abcdefghij")), offer("B", quantity=Decimal(0))) == ()


def test_an_unknown_sku_cannot_be_changed_and_a_known_one_can_be_created_again(shop: Account):
    [refusal] = shop.publish(offer("A", quantity=Decimal(1)), operation="change")
    assert (refusal.code, refusal.message) == ("unknown_sku", "there is no listing `A` to change")

    shop.publish(offer("A", quantity=Decimal(1), main_image="a"))
    assert shop.publish(offer("A", quantity=Decimal(2))) == ()

    [shown] = shop.shown().values()
    assert (shown.values["quantity"], shown.values["main_image"]) == (2, "a")


def test_a_withdrawn_listing_has_no_piece_for_sale(shop: Account):
    shop.publish(priced("A"))

    assert shop.publish(Offer("A"), Offer("B"), operation="withdraw") == ()

    [shown] = shop.shown().values()
    assert (shown.sku, shown.values["quantity"], shown.values["price"]) == ("A", 0, 10)


# --- batches


def test_a_key_that_was_seen_gives_the_same_answer_and_has_no_second_effect(shop: Account):
    first = shop.publish(priced("A"), priced("B", "0"), key="one")
    shop.publish(offer("A", quantity=Decimal(1)), operation="change")

    assert shop.publish(priced("A"), priced("B", "0"), key="one") == first
    assert shop.shown()["A"].values["quantity"] == 1


def test_a_key_of_another_batch_is_refused_and_changes_nothing(shop: Account):
    shop.publish(priced("A"), key="one")

    for offers, operation in (
        ([priced("B")], "create"),
        ([priced("A"), priced("B")], "create"),
        ([priced("A")], "change"),
    ):
        with pytest.raises(Denied, match="the key `one` was another batch's"):
            shop.publish(*offers, key="one", operation=operation)
    assert list(shop.shown()) == ["A"]


def test_a_key_is_known_after_a_restart(tmp_path: Path):
    with account(tmp_path) as shop:
        first = shop.publish(priced("A"), priced("B", "0"), key="one")
        shop.publish(offer("A", quantity=Decimal(1)), operation="change", key="two")
    with account(tmp_path) as shop:
        assert shop.publish(priced("A"), priced("B", "0"), key="one") == first
        assert shop.shown()["A"].values["quantity"] == 1


def test_the_same_batch_from_many_threads_is_taken_once(shop: Account, tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shop.publish(priced("A"), priced("B", "0"), key="same"), range(8)))

    assert len(set(answers)) == 1
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("select count(*) from batches where key = 'same'").fetchone() == (1,)


def test_more_offers_than_a_call_takes_are_denied(wire: httpx.Client, tmp_path: Path):
    answer = wire.post("/v1/offers", json=batch(*({"sku": str(one)} for one in range(4))))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "batch_too_large")

    with account(tmp_path, address=str(wire.base_url), batch=4) as shop:
        with pytest.raises(Denied, match=r"\(413\): a call takes at most 3 offers, and these are 4"):
            shop.publish(*(priced(str(one)) for one in range(4)))
        assert (shop.shown(), shop.connection.limits.offers) == ({}, 4)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "a request is an object"),
        (b"\xff\xfe\x00", "no text"),
        ('{"key": "k", "operation": "create", "offers": [{"sku": "\\ud800"}]}', "no text"),
        (
            '{"key": "k", "operation": "create", "offers": [{"sku": "A", "values": {"price": 0.3}}]}',
            "the number 0.3 has",
        ),
        (
            '{"key": "k", "operation": "create", "offers": [{"sku": "A", "values": {"price": NaN}}]}',
            "the number NaN has",
        ),
        (
            '{"key": "k", "operation": "create", "offers": [{"sku": "A", "values": {"n": ' + "1" * 5000 + "}}]}",
            "not JSON",
        ),
        ('{"operation": "create", "offers": []}', "`key` is"),
        ('{"key": "k", "operation": "delete", "offers": []}', "`operation` is one of create, change, withdraw"),
        ('{"key": "k", "operation": "create", "offers": {}}', "`offers` is a list"),
        ('{"key": "k", "operation": "create", "offers": [{"sku": ""}]}', "`sku` is"),
        ('{"key": "k", "operation": "create", "offers": [{"sku": "A", "price": "1"}]}', "an offer is"),
        ('{"key": "k", "operation": "create", "offers": [{"sku": "A", "details": {"name": 1}}]}', "`details` is"),
        ('{"key": "k", "operation": "create", "offers": [{"sku": "A"}, {"sku": "A"}]}', "stands twice"),
        ('{"key": "k", "operation": "create", "offers": [], "more": 1}', "has no `more`"),
    ],
)
def test_a_request_that_is_none_is_told_so(wire: httpx.Client, body: str | bytes, words: str):
    answer = wire.post("/v1/offers", content=body)

    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    assert wire.get("/v1/health").json()["listings"] == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/offers", 404),
        ("GET", "/v1/offers", 405),
        ("DELETE", "/v1/listings", 405),
        ("HEAD", "/", 405),
        ("TRACE", "/", 501),
        ("GET", "/v1/orders?after=x", 400),
        ("GET", "/v1/listings?limit=-1", 400),
    ],
)
def test_what_the_sandbox_does_not_offer(wire: httpx.Client, method: str, path: str, status: int):
    assert wire.request(method, path).status_code == status
    assert wire.get("/v1/health").json()["status"] == "ok"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Transfer-Encoding: chunked", 411),
        ("Content-Length: -1", 400),
        ("Content-Length: 1000000000", 413),
    ],
)
def test_a_request_of_no_length_or_too_great_a_one_is_not_read(wire: httpx.Client, header: str, status: int):
    with socket.create_connection(("127.0.0.1", wire.base_url.port or 0), timeout=5) as connection:
        connection.sendall(f"POST /v1/offers HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        answer = connection.makefile("rb").read()

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]


# --- pages


def test_listings_come_in_pages_by_sku(wire: httpx.Client):
    for sku in ("b", "a/1", "é", "c", "Z"):
        wire.post("/v1/offers", json=batch({"sku": sku}, key=sku))

    first = wire.get("/v1/listings", params={"limit": 2}).json()
    second = wire.get("/v1/listings", params={"limit": 2, "after": first["next"]}).json()
    third = wire.get("/v1/listings", params={"limit": 2, "after": second["next"]}).json()

    assert [[one["sku"] for one in page["listings"]] for page in (first, second, third)] == [
        ["Z", "a/1"], ["b", "c"], ["é"],
    ]  # fmt: skip
    assert third["next"] is None


def test_a_page_is_never_bigger_than_the_marketplace_wants(tmp_path: Path):
    with (
        sandbox(tmp_path / "s.db", batch=2000) as server,
        account(tmp_path, address=server.address, batch=2000) as shop,
    ):
        shop.publish(*(offer(f"S{number:04}") for number in range(1203)))

        assert len(httpx.get(f"{server.address}/v1/listings?limit=1000000").json()["listings"]) == 500
        assert len(shop.shown()) == 1203


def test_paging_gives_each_listing_once_while_others_are_added(tmp_path: Path):
    with (
        sandbox(tmp_path / "s.db", batch=2000) as server,
        account(tmp_path, address=server.address, batch=2000) as shop,
    ):
        shop.publish(*(offer(f"S{number:04}") for number in range(0, 2000, 2)))
        seen = []
        for number, one in enumerate(shop.connection.shown()):
            seen.append(one.sku)
            if number % 100 == 0:
                shop.publish(offer(f"S{number + 1:04}"), offer(f"T{number}"))

    assert len(seen) == len(set(seen))
    assert {f"S{number:04}" for number in range(0, 2000, 2)} <= set(seen)


# --- orders


def test_an_order_takes_pieces_off(shop: Account):
    shop.publish(
        priced("A", "10.05", 5),
        offer("B", price=Decimal(3), sale_price=Decimal("2.50"), currency="EUR", quantity=Decimal(1)),
    )

    order = shop.order(("A", 2), ("B", 1))

    assert re.fullmatch(r"\d+", order["id"]) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", order["placed_at"])
    assert order | {"id": "", "placed_at": ""} == {
        "id": "", "placed_at": "", "status": "paid", "buyer": {"name": "Ada"}, "currency": "EUR", "total": "22.60",
        "lines": [
            {"sku": "A", "name": "the A", "quantity": 2, "price": "10.05", "currency": "EUR"},
            {"sku": "B", "name": "the B", "quantity": 1, "price": "2.50", "currency": "EUR"},
        ],
    }  # fmt: skip
    assert {sku: one.values["quantity"] for sku, one in shop.shown().items()} == {"A": 3, "B": 0}
    assert shop.connection.orders_page("0") == ([order], None)
    assert shop.connection.orders_page(order["id"]) == ([], None)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([("A", 1), ("B", 3)], "there are 2 of `B`, and 3 are ordered"),
        ([("A", 1), ("X", 1)], "there is no listing `X`"),
        ([("A", 1), ("free", 1)], "`free` has no price"),
        ([("A", 1), ("dollar", 1)], "one currency"),
        ([("A", 0)], "`quantity` is a whole number"),
        ([], "at least one line"),
    ],
)
def test_an_order_that_cannot_be_takes_nothing(shop: Account, lines: list[tuple[str, int]], words: str):
    shop.publish(priced("A"), priced("B", quantity=2), offer("free", quantity=Decimal(1)))
    shop.publish(offer("dollar", price=Decimal(1), currency="USD", quantity=Decimal(1)))

    with pytest.raises(Denied, match=re.escape(words)):
        shop.order(*lines)

    assert shop.shown()["A"].values["quantity"] == 5
    assert shop.connection.orders_page("0") == ([], None)


def test_an_order_that_is_sent_again_is_placed_once(shop: Account):
    shop.publish(priced("A"))

    assert shop.order(("A", 2)) == shop.order(("A", 2))
    assert shop.shown()["A"].values["quantity"] == 3


def test_the_last_piece_is_sold_once(tmp_path: Path):
    with account(tmp_path) as here, account(tmp_path) as there:
        here.publish(priced("A", quantity=7))
        start = threading.Barrier(2)

        def buy(shop: Account, name: str) -> int:
            start.wait()
            bought = 0
            for number in range(10):
                try:
                    shop.order(("A", 1), key=f"{name} {number}")
                    bought += 1
                except Denied:
                    pass
            return bought

        with ThreadPoolExecutor(2) as pool:
            bought = sum(pool.map(buy, (here, there), ("x", "y")))

        assert (bought, there.shown()["A"].values["quantity"]) == (7, 0)
        assert len(here.connection.orders_page("0")[0]) == 7


# --- who may, and how often


def test_a_wrong_token_is_denied_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WRONG", "wr0ng")
    with sandbox(tmp_path / "s.db", token=TOKEN) as server:
        for options in ({}, {"token": {"env": "WRONG"}}):
            with account(tmp_path, address=server.address, **options) as shop:
                with pytest.raises(Denied, match="does not let this account in: the token is missing or wrong") as told:
                    shop.publish(priced("A"))
                assert told.value.help is not None
        assert httpx.get(f"{server.address}/v1/health").json()["listings"] == 0
        assert httpx.get(server.address).status_code == 401
        assert httpx.get(server.address, auth=("anybody", TOKEN)).status_code == 200
        assert httpx.get(server.address, headers={"Authorization": "Basic ???"}).status_code == 401


def test_the_token_is_in_no_exchange_and_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MERX_TOKEN", TOKEN)
    with account(tmp_path, token={"env": "MERX_TOKEN"}) as shop:
        shop.publish(Offer(TOKEN, {"main_image": f"/{TOKEN}.jpg", "price": Decimal(0)}, {"name": TOKEN}))
        shop.shown()
        with pytest.raises(Denied) as denied:
            shop.order((TOKEN, 1))
    echo = response("503 Sorry", json.dumps({"error": {"message": f"no {TOKEN}"}}).encode())
    with answering(echo) as address, account(tmp_path, address=address, token={"env": "MERX_TOKEN"}) as other:
        with pytest.raises(Unavailable) as unavailable:
            other.publish(priced("A"))
        told = [repr(one) for one in (*shop.exchanges, *other.exchanges)]

    assert len(told) == 4
    assert all(TOKEN not in one.replace(f"skus=('{TOKEN}',)", "") for one in told)
    assert TOKEN not in denied.value.message + unavailable.value.message
    assert unavailable.value.message.endswith("answers 503: no •••")


def test_an_exchange_holds_the_call_and_its_answer(shop: Account):
    shop.publish(priced("A"), priced("B"))
    shop.shown()

    sent, read = shop.exchanges
    assert (sent.operation, sent.status, sent.skus) == ("create", 200, ("A", "B"))
    assert sent.address == f"POST {shop.connection.address}/v1/offers"
    assert json.loads(sent.request)["offers"][0]["values"]["price"] == "10.00"
    assert json.loads(sent.response) == {"accepted": 2, "refusals": []}
    assert 0 < sent.seconds < 5
    assert (read.operation, read.request, read.status) == ("listings", "", 200)


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "clé"])
def test_a_token_that_no_call_can_bear_is_told(tmp_path: Path, token: str):
    (tmp_path / "token.txt").write_text(f"x{token}x" if token.strip() else token, encoding="utf-8")

    with pytest.raises(PolicyError) as told, account(tmp_path, token={"file": "token.txt"}):
        pass

    [problem] = told.value.diagnostics
    assert problem.code == "M832"
    assert token == "" or token not in problem.message


def test_too_many_calls_are_told_when_to_come_again(tmp_path: Path):
    with sandbox(tmp_path / "s.db", per_second=2) as server, account(tmp_path, address=server.address) as shop:
        shop.publish(priced("A"))
        shop.publish(priced("B"))
        with pytest.raises(Unavailable, match="answers 429: too many requests") as told:
            shop.publish(priced("C"))
        assert told.value.retry_after == 1
        assert httpx.get(f"{server.address}/v1/health").status_code == 200

        time.sleep(told.value.retry_after)

        assert shop.publish(priced("C")) == ()
        assert sorted(shop.shown()) == ["A", "B", "C"]


def test_the_own_sandbox_keeps_to_the_limits_of_the_options(tmp_path: Path):
    with account(tmp_path, batch=2, per_second=Decimal("2.5")) as shop:
        health = httpx.get(f"{shop.connection.address}/v1/health").json()

    assert (health["batch"], health["per_second"]) == (2, 2.5)


# --- faults


def fail(shop: Account, **probabilities: float) -> None:
    shop.connection.set_faults({"probabilities": probabilities, "seed": 1, "hang": 20})


@pytest.mark.parametrize(
    ("fault", "words", "done"),
    [
        ("429", "answers 429", False),
        ("500", "answers 500: an internal error, made on demand", False),
        ("timeout_before", "does not answer in time", False),
        ("timeout_after", "does not answer in time", True),
        ("drop", "closed the connection before it answered", False),
        ("drop_after", "closed the connection before it answered", True),
    ],
)
def test_a_fault_is_delivered_and_the_batch_can_be_sent_again(tmp_path: Path, fault: str, words: str, done: bool):
    with account(tmp_path, timeout=0.3) as shop:
        fail(shop, **{fault: 1})
        with pytest.raises(Unavailable, match=words) as told:
            shop.publish(priced("A"), priced("B", "0"), key="one")
        assert told.value.retry_after == (1 if fault == "429" else None)
        assert shop.exchanges[-1].status == (int(fault) if fault.isdigit() else None)

        fail(shop)
        assert sorted(shop.shown()) == (["A"] if done else [])
        assert [one.sku for one in shop.publish(priced("A"), priced("B", "0"), key="one")] == ["B"]
        assert sorted(shop.shown()) == ["A"]
        assert shop.connection.faults()["delivered"] == dict.fromkeys(FAULTS, 0) | {fault: 1}


def test_a_request_that_is_carried_out_twice_has_its_effect_once(shop: Account):
    shop.publish(priced("A"))
    fail(shop, duplicate=1)

    assert shop.publish(offer("A", quantity=Decimal(4)), operation="change") == ()
    order = shop.order(("A", 3))

    assert shop.shown()["A"].values["quantity"] == 1
    assert shop.connection.orders_page("0")[0] == [order, order]
    assert shop.connection.faults()["delivered"]["duplicate"] == 4


def test_the_same_seed_gives_the_same_faults_whatever_the_process(tmp_path: Path):
    def met(folder: Path, restart_after: int) -> list[bool]:
        found = []
        for part in (restart_after, 40 - restart_after):
            with account(folder) as shop:
                if not found:
                    shop.connection.set_faults({"probabilities": {"500": 0.3}, "seed": 7})
                for _ in range(part):
                    try:
                        shop.shown()
                        found.append(False)
                    except Unavailable:
                        found.append(True)
        return found

    first = met(tmp_path / "x", 40)
    assert first == met(tmp_path / "y", 15)
    assert 5 < sum(first) < 20


def test_faults_are_as_frequent_as_they_should_be():
    faults = Faults({"500": 0.1, "drop": 0.05}, seed=3)
    drawn = [faults.drawn(number) for number in range(20_000)]

    assert 0.09 < drawn.count("500") / 20_000 < 0.11
    assert 0.045 < drawn.count("drop") / 20_000 < 0.055
    assert set(drawn) == {None, "500", "drop"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"probabilities": {"501": 0.1}}, "there is no fault `501`"),
        ({"probabilities": {"500": 1.5}}, "within 0 to 1"),
        ({"probabilities": {"500": 10**400}}, "within 0 to 1"),
        ({"probabilities": {"500": "0.1"}}, "is a number"),
        ({"probabilities": {"500": 0.6, "drop": 0.6}}, "more than 1"),
        ({"probabilities": []}, "is an object"),
        ({"seed": 1.5}, "`seed`"),
        ({"hang": -1}, "`hang`"),
        ({"faults": {}}, "faults are an object"),
        ([], "faults are an object"),
    ],
)
def test_faults_that_are_none_are_told(wire: httpx.Client, body: Any, words: str):
    answer = wire.put("/v1/faults", json=body)

    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_faults_leave_what_is_not_the_marketplaces_alone(wire: httpx.Client):
    wire.put("/v1/faults", json={"probabilities": {"500": 1}})

    assert [wire.get(path).status_code for path in ("/v1/health", "/v1/faults", "/", "/orders")] == [200] * 4
    assert wire.get("/v1/listings").status_code == 500


# --- answers that are none


GOOD = b'{"accepted": 1, "refusals": []}'


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            response("200 OK", b"<html>hello</html>", "text/html"),
            Denied,
            "does not answer as a sandbox does: <html>hello",
        ),
        (response("200 OK", b"[]"), Denied, "does not answer as a sandbox does"),
        (response("200 OK", b'{"refusals": [{"sku": "A"}]}'), Denied, "does not answer as a sandbox does"),
        (
            response("200 OK", b'{"refusals": [{"sku": "Z", "code": "c", "message": "m"}]}'),
            Denied,
            "does not answer as a sandbox does",
        ),
        (response("200 OK", b"{"), Unavailable, "is not whole"),
        (response("200 OK", b"[" * 100_000), Unavailable, "is not whole"),
        (response("200 OK", b"\xff\x00"), Unavailable, "is not whole"),
        (response("200 OK", GOOD, Content_Encoding="gzip"), Unavailable, "did not come through"),
        (response("200 OK", GOOD)[:-3], Unavailable, "closed the connection"),
        (b"", Unavailable, "closed the connection"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Unavailable, "closed the connection"),
        (response("204 No Content"), Denied, "answers 204, as no sandbox does: no content"),
        (response("302 Found", Location="https://example.com/in"), Denied, "sends on to https://example.com/in"),
        (response("400 Bad", b'{"error": {"message": "no such thing"}}'), Denied, r"\(400\): no such thing"),
        (response("403 Forbidden", b"go\naway", "text/plain"), Denied, "does not let this account in: go away"),
        (response("404 Not Found", b"x" * 500, "text/plain"), Denied, r"\(404\): x{80}…"),
        (response("503 Busy", b"<h1>busy</h1>", "text/html"), Unavailable, "answers 503: <h1>busy</h1>"),
    ],
)
def test_an_answer_that_is_none_is_told_in_words(tmp_path: Path, answer: bytes, kind: type[Exception], words: str):
    with answering(answer) as address, account(tmp_path, address=address, timeout=5) as shop:
        with pytest.raises(kind, match=words):
            shop.publish(priced("A"))
        assert len(shop.exchanges) == 1


@pytest.mark.parametrize(
    "page",
    [
        b"{}", b'{"listings": {}, "next": 1}', b'{"listings": [{"sku": "A", "values": {"price": "x"}, "details": {}}], "next": null}',
        b'{"listings": [], "next": ""}', b'{"listings": [{"sku": "A", "values": {"n": 1}, "details": {}}], "next": null}',
    ],
)  # fmt: skip
def test_listings_that_are_none_are_told(tmp_path: Path, page: bytes):
    with (
        answering(response("200 OK", page)) as address,
        account(tmp_path, address=address) as shop,
        pytest.raises(Denied, match="does not answer as a sandbox does"),
    ):
        shop.shown()


def in_an_hour() -> str:
    return email.utils.format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1), usegmt=True)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (lambda: "7", 7, 7),
        (in_an_hour, 3590, 3600),
        (lambda: "Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        (lambda: "soon", None, None),
        (lambda: "9" * 400, 1, 10**9),
    ],
)
def test_retry_after_is_read_in_both_forms(
    tmp_path: Path, header: Callable[[], str], least: float | None, most: float | None
):
    answer = response("429 Too Many", b"{}", Retry_After=header())
    with (
        answering(answer) as address,
        account(tmp_path, address=address) as shop,
        pytest.raises(Unavailable) as told,
    ):
        shop.publish(priced("A"))

    found = told.value.retry_after
    assert found == least if least is None or most is None else found is not None and least <= found <= most


def test_a_sandbox_that_does_not_run_is_unavailable(tmp_path: Path):
    with sandbox(tmp_path / "s.db") as server:
        address = server.address
    with account(tmp_path, address=address) as shop:
        with pytest.raises(Unavailable, match="cannot be reached"):
            shop.publish(priced("A"))
        assert shop.exchanges[0].status is None


# --- opening an account


def test_an_account_without_an_address_has_its_own_sandbox_until_it_is_closed(tmp_path: Path):
    with account(tmp_path) as shop:
        address = shop.connection.address
        shop.publish(priced("A"))
        assert (tmp_path / FILE).exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/v1/health")
    with account(tmp_path) as shop:
        assert list(shop.shown()) == ["A"]
    assert integrity(tmp_path / FILE) == "ok"


@pytest.mark.parametrize(
    "address",
    [
        "localhost:80",
        "ftp://x",
        "http://",
        "http://u:p@host",
        "http://host:99999",
        "http://[::1",
        "http://a b",
        "http://h/?q=1",
    ],
)
def test_an_address_that_is_none(address: str):
    with pytest.raises(ValueError, match="address"):
        SandboxOptions(address=address)


def test_a_file_that_is_no_sandboxs_is_left_alone(tmp_path: Path):
    (tmp_path / ".merx").mkdir()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("create table mine (x)")
    before = (tmp_path / FILE).read_bytes()

    with pytest.raises(PolicyError) as told, account(tmp_path):
        pass

    assert [(one.code, "another database" in one.message) for one in told.value.diagnostics] == [("M831", True)]
    assert (tmp_path / FILE).read_bytes() == before


def test_a_file_of_another_version_is_left_alone(tmp_path: Path):
    with account(tmp_path):
        pass
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("pragma user_version = 99")

    with pytest.raises(PolicyError) as told, account(tmp_path):
        pass

    [problem] = told.value.diagnostics
    assert (problem.code, "written by another version" in problem.message) == ("M831", True)


@pytest.mark.parametrize(
    "content", [b"not a database at all, whatever one does" * 100, b"SQLite format 3\0" + b"\1" * 5000]
)
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes):
    (tmp_path / ".merx").mkdir()
    (tmp_path / FILE).write_bytes(content)

    with pytest.raises(PolicyError) as told, account(tmp_path):
        pass

    assert [one.code for one in told.value.diagnostics] == ["M831"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / ".merx").write_text("a file")

    with pytest.raises(PolicyError) as told, account(tmp_path):
        pass

    assert [one.code for one in told.value.diagnostics] == ["M831"]


def test_two_stores_can_make_the_same_file_at_once(tmp_path: Path):
    def make(_: int) -> None:
        SandboxStore(tmp_path / "s.db").close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(8)))

    assert integrity(tmp_path / "s.db") == "ok"


# --- the page


def test_the_page_shows_listings_and_orders_and_escapes_what_it_shows(wire: httpx.Client):
    nasty = '<script>alert("x")</script>'
    values = {
        "price": "10.00", "sale_price": "9.50", "currency": "EUR", "quantity": 5, "listing": nasty,
        "main_image": f'https://example.com/"onerror="{nasty}',
    }  # fmt: skip
    wire.post("/v1/offers", json=batch({"sku": f"A{nasty}", "values": values, "details": {"name": nasty}}))
    wire.post("/v1/orders", json={"lines": [{"sku": f"A{nasty}", "quantity": 2}], "buyer": {"name": nasty}})

    for path, words in (("/", "<s>10.00</s> 9.50 EUR"), ("/orders", "19.00 EUR")):
        page = wire.get(path)
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert words in page.text
        assert "&lt;script&gt;" in page.text
        assert "<script" not in page.text and '"onerror' not in page.text


def test_the_pages_lead_on(tmp_path: Path):
    with sandbox(tmp_path / "s.db", batch=200) as server, account(tmp_path, address=server.address) as shop:
        assert "Nothing is listed yet." in httpx.get(server.address).text
        shop.publish(*(priced(f"S&{number:03}") for number in range(99)), offer("T", main_image="/t.jpg"))
        seen: list[str] = []
        path = "/"
        while path:
            text = httpx.get(server.address + path).text
            seen += re.findall(r"(?<=<td>)(S&amp;\d{3}|T)(?=</td>)", text)
            found = re.search(r'rel="next" href="([^"]+)"', text)
            path = found[1].replace("&amp;", "&") if found else ""

        assert len(seen) == 100 and len(set(seen)) == 100
        assert ">/t.jpg<" in text
