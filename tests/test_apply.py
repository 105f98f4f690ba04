"""`merx apply`: what the plan says is what the marketplace shows, whatever goes wrong on the way."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import pytest

from marketplaces import account, sandbox
from projects import RULES, TOML, Shop, make_shop, product

SYNC = 'synchronization "s" { update = every 15m  inventory_price = every 5m }'


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shop:
    monkeypatch.chdir(tmp_path)
    made = make_shop(tmp_path, capsys)
    made.products(product(f"S{number:03}", qty=number) for number in range(1, 251))
    return made


def test_a_saved_plan_is_applied_and_applying_it_again_sends_nothing(shop: Shop):
    assert shop("plan", "-o", "plan.json").code == 0

    assert shop("apply", "plan.json").out == "250 products accepted, 0 refused\n"
    assert shop("apply", "plan.json").out == "this plan has been applied already: nothing to send\n"
    assert {sku: row["quantity"] for sku, row in shop.shown().items()} == {f"S{n:03}": n - 1 for n in range(1, 251)}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ("rules", "rules/shop.merx changed"),
        ("products", "the products are of snapshot"),
        ("state", "what the marketplace accepted has changed since"),
        ("day", "the plan is for 2026-11-25, and today is 2026-11-26"),
        ("settings", "merx.toml changed"),
    ],
)
def test_a_plan_that_is_out_of_date_is_refused_with_what_changed(shop: Shop, changed: str, why: str):
    assert shop("plan", "-o", "plan.json").code == 0
    match changed:
        case "rules":
            shop.rules(RULES.replace("+10%", "+11%"))
        case "products":
            shop.products([product("S001", price="99.00")])
        case "state":
            assert shop("apply", "--yes").code == 0
            shop.products(product(f"S{number:03}", qty=number + 1) for number in range(1, 251))
            assert shop("apply", "--yes").code == 0
            shop.products(product(f"S{number:03}", qty=number) for number in range(1, 251))
        case "day":
            shop.clock.moment = shop.clock.moment.replace(day=26)
        case _:
            shop.toml(TOML.replace("EUR", "USD"))
    before = shop.shown()

    said = shop("apply", "plan.json", "--yes")

    assert (said.code, said.out) == (1, "")
    assert "error[M821]" in said.err and why in said.err
    assert shop.shown() == before


def test_nothing_that_is_written_into_a_saved_plan_is_sent(shop: Shop):
    shop("plan", "-o", "plan.json")
    path = shop.folder / "plan.json"
    path.write_text(re.sub(r'"11\.00"', '"0.01"', path.read_text(encoding="utf-8")), encoding="utf-8")

    assert shop("apply", "plan.json").code == 0
    assert {row["price"] for row in shop.shown().values()} == {"11.00"}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"plan": {"id": 1}}', "\x00\xff", '{"plan": "x"}'])
def test_a_file_that_is_no_plan_is_told(shop: Shop, text: str):
    (shop.folder / "plan.json").write_text(text, encoding="latin-1")

    said = shop("apply", "plan.json")

    assert said.code == 1
    assert "error[M820]: `plan.json` is no saved plan" in said.err


def test_faults_of_every_kind_are_overcome(shop: Shop):
    shop.toml(f"{TOML}[accounts.main]\nbatch = 10\n")
    faults = ("429=0.1", "500=0.1", "drop=0.1", "drop_after=0.1", "duplicate=0.1")
    assert shop("sandbox", "faults", *faults, "--seed", "4").code == 0

    assert shop("apply", "--yes").code == 0

    delivered = shop("sandbox", "faults", "--format", "json").data["delivered"]
    assert sum(delivered.values()) >= 5
    shop("sandbox", "faults", "--off")
    assert {sku: row["quantity"] for sku, row in shop.shown().items()} == {f"S{n:03}": n - 1 for n in range(1, 251)}


def test_a_marketplace_that_never_answers_leaves_what_is_gone_on_with(shop: Shop):
    shop("plan", "-o", "plan.json")
    shop("sandbox", "faults", "drop=1", "--seed", "1")

    said = shop("apply", "plan.json")

    assert said.code == 1
    assert "error[M824]: 3 batches got no answer" in said.err
    shop("sandbox", "faults", "--off")
    assert shop("apply", "plan.json").out == "250 products accepted, 0 refused\n"


def test_what_is_in_doubt_is_sent_again_by_the_next_plan(shop: Shop):
    shop("sandbox", "faults", "drop_after=1", "--seed", "1")
    assert shop("apply", "--yes").code == 1
    shop("sandbox", "faults", "--off")

    said = shop("plan", "--format", "json")

    assert "an apply that was not finished is settled; 250 products got no answer" in said.err
    assert said.data["summary"]["create"] == 250
    assert shop("apply", "--yes").code == 0
    assert shop.plan()["summary"]["unchanged"] == 250


def test_what_may_have_been_published_is_withdrawn_when_it_is_gone(shop: Shop):
    shop("sandbox", "faults", "drop_after=1", "--seed", "1")
    assert shop("apply", "--yes").code == 1
    shop("sandbox", "faults", "--off")
    shop.products([product("S002", qty=2)])

    assert shop("apply", "--yes").code == 0

    assert {row["quantity"] for sku, row in shop.shown().items() if sku != "S002"} == {0}
    assert shop.plan()["summary"]["unchanged"] == 250


def test_a_refusal_is_told_by_product_and_does_not_stop_the_others(shop: Shop):
    shop.rules(RULES.replace("connector = sandbox", 'connector = sandbox listings = ["bags"]'))
    shop.products([product("A", price="10.00"), product("has space ", price="10.00")])
    # What the sandbox refuses and no bound tells: a listing that somebody took down meanwhile.
    assert shop("apply", "--yes").code == 0
    assert shop("sandbox", "reset").code == 0
    shop.products([product("A", price="12.00"), product("has space ", price="10.00")])

    said = shop("apply", "--yes")

    assert said.code == 1
    assert "0 products accepted, 1 refused" in said.out and "unknown_sku" in said.out
    assert shop.plan()["summary"]["create"] == 1


def test_a_wrong_token_is_told_and_nothing_is_left_undone_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("TOKEN", "wr0ng-s3cret")
    with sandbox(tmp_path / "other.db", token="right") as server:
        shop.toml(f'{TOML}[accounts.main]\naddress = "{server.address}"\ntoken = {{ env = "TOKEN" }}\n')
        said = shop("apply", "--yes")
        assert said.code == 1
        assert "wr0ng-s3cret" not in said.out + said.err
        monkeypatch.setenv("TOKEN", "right")
        assert shop("apply", "--yes").code == 0
        assert len(shop.shown()) == 250
    database = (shop.folder / ".merx" / "state.db").read_bytes()
    assert b"wr0ng-s3cret" not in database


def test_a_person_is_asked_and_a_pipe_is_told_to_say_yes(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    said = shop("apply")

    assert said.code == 2
    assert "nobody is there to say yes" in said.err
    assert shop.shown() == {}


def test_every_exchange_and_deed_is_recorded(shop: Shop):
    assert shop("apply", "--yes").code == 0

    from merx.engine.state import open_state

    state = open_state(shop.folder)
    try:
        deeds = state.rows("select message, skus from log")
        exchanges = state.rows("select operation, status, request from exchanges")
    finally:
        state.close()
    assert sum(len(json.loads(one["skus"])) for one in deeds) == 250
    assert len(exchanges) == 3 and all(one["status"] == 200 for one in exchanges)


def test_a_doubt_about_one_job_s_fields_is_not_ended_by_another_job(shop: Shop):
    """A detail that got no answer is sent again whichever job comes next, for until then nobody knows what is shown."""
    shop.rules(SYNC + RULES.replace("connector = sandbox", 'connector = sandbox  synchronization = "s"'))
    assert shop("apply", "--yes").code == 0
    shop.products(product(f"S{number:03}", "a red bag", qty=number) for number in range(1, 251))
    shop("sandbox", "faults", "drop_after=1", "--seed", "1")
    assert shop("run", "--once").code == 1  # `update` got no answer; `inventory_price` had nothing to send
    shop("sandbox", "faults", "--off")
    shop.products(product(f"S{number:03}", "a bag", qty=number) for number in range(1, 251))
    shop.clock.moment += datetime.timedelta(hours=2)

    assert shop("run", "--once").code == 0

    with account(shop.folder) as market:
        assert {one.details["name"] for one in market.shown().values()} == {"a bag"}
