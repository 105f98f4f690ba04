"""`merx plan`: what is to be done about each product, and why."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from projects import RULES, TOML, Shop, make_shop, product


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shop:
    """Two bags and a thing are published; nothing differs."""
    monkeypatch.chdir(tmp_path)
    made = make_shop(tmp_path, capsys)
    made.products([product("A"), product("B"), product("C", "a thing", "20.00")])
    assert made("apply", "--yes").code == 0
    return made


def item(plan: Any, sku: str) -> Any:
    [found] = [one for one in plan["items"] if one["sku"] == sku]
    return found


def test_the_first_plan_creates_what_is_ready_and_says_each_value(tmp_path: Path, monkeypatch: Any, capsys: Any):
    monkeypatch.chdir(tmp_path)
    shop = make_shop(tmp_path, capsys)
    shop.products([product("A"), product("B", price="1.00"), product("X", "unlisted")])

    plan = shop.plan()

    assert plan["summary"] == {"create": 1, "change": 0, "hold": 1, "withdraw": 0, "unchanged": 0}
    assert item(plan, "A")["changes"] == {
        "listing": [None, "bags"], "price": [None, "11.00"], "currency": [None, "EUR"], "quantity": [None, 4],
        "main_image": [None, "/A.jpg"], "images": [None, ["/A.jpg"]], "name": [None, "a bag"],
    }  # fmt: skip
    assert item(plan, "B") == {
        "sku": "B", "action": "hold", "listing": "bags", "changes": {}, "rules": {},
        "reasons": ["price: too cheap (rules/shop.merx:2)"],
    }  # fmt: skip


def test_what_was_applied_is_unchanged(shop: Shop):
    assert shop.plan()["summary"] == {"create": 0, "change": 0, "hold": 0, "withdraw": 0, "unchanged": 3}
    assert shop.shown()["A"]["price"] == "11.00"


def test_a_change_says_old_and_new_and_the_rule(shop: Shop):
    shop.products([product("A", price="12.00"), product("B", qty=9), product("C", "a thing", "20.00")])

    plan = shop.plan()

    assert plan["summary"] == {"create": 0, "change": 2, "hold": 0, "withdraw": 0, "unchanged": 1}
    assert item(plan, "A")["changes"] == {"price": ["11.00", "13.20"]}
    assert item(plan, "A")["rules"] == {"price": 'pricing "plus ten" (rules/shop.merx:2)'}
    assert item(plan, "B")["changes"] == {"quantity": [4, 8]}


def test_a_held_price_stays_while_the_stock_goes_on(shop: Shop):
    shop.products([product("A", price="1.00", qty=2), product("B", price="1.00"), product("C", "a thing", "20.00")])

    plan = shop.plan()

    assert (item(plan, "A")["action"], item(plan, "A")["changes"]) == ("change", {"quantity": [4, 1]})
    assert item(plan, "A")["reasons"] == ["price: too cheap (rules/shop.merx:2)"]
    assert (item(plan, "B")["action"], item(plan, "B")["changes"]) == ("hold", {})
    assert shop("apply", "--yes").code == 0
    assert (shop.shown()["A"]["price"], shop.shown()["A"]["quantity"]) == ("11.00", 1)


@pytest.mark.parametrize("gone", ["removed", "disabled"])
def test_a_product_that_is_no_longer_sold_is_withdrawn(shop: Shop, gone: str):
    rest = [product("A", status=2, price="1.00")] if gone == "disabled" else []
    shop.products([*rest, product("B"), product("C", "a thing", "20.00")])

    plan = shop.plan()

    assert (item(plan, "A")["action"], item(plan, "A")["changes"]) == ("withdraw", {"quantity": [4, 0]})
    assert shop("apply", "--yes").code == 0
    assert shop.shown()["A"]["quantity"] == 0
    assert shop.plan()["summary"]["unchanged"] == 3
    shop.products([product("A"), product("B"), product("C", "a thing", "20.00")])
    assert item(shop.plan(), "A")["changes"] == {"quantity": [0, 4]}


def test_a_published_product_that_no_query_takes_keeps_its_listing(shop: Shop):
    shop.products([product("A", "a sack", price="12.00", qty=3), product("B"), product("C", "a thing", "20.00")])

    changes = item(shop.plan(), "A")["changes"]

    assert changes == {"price": ["11.00", "13.20"], "quantity": [4, 2], "name": ["a bag", "a sack"]}


def test_a_product_whose_listing_is_no_longer_in_the_rules_is_withdrawn(shop: Shop):
    shop.products([product("A", "a sack"), product("B"), product("C", "a thing", "20.00")])
    shop.rules(RULES.replace('listing "bags"', 'listing "sacs"'))

    plan = shop.plan()

    assert (item(plan, "A")["action"], item(plan, "A")["changes"]) == ("withdraw", {"quantity": [4, 0]})
    assert item(plan, "B")["changes"] == {"listing": ["bags", "sacs"]}


def test_a_listing_that_cannot_be_told_still_sends_the_stock(shop: Shop):
    tie = RULES.replace("priority = 5 ", "").replace('name contains "thing"', 'name contains "a"')
    shop.rules(tie.replace('listing "rest" {', 'inventory "less" { buffer = 3 } listing "rest" {').replace(
        'inventory = "stock" }', 'inventory = "less" }'
    ))  # fmt: skip
    shop.products([product("A", price="50.00", qty=3), product("B"), product("C", "thing", "20.00")])

    found = item(shop.plan(), "A")

    assert (found["action"], found["changes"]) == ("change", {"quantity": [4, 2]})
    assert "take it with one priority" in found["reasons"][0]


def test_what_the_store_does_not_show_on_its_own_is_not_published_but_a_variation_is(shop: Shop):
    before = [product("A"), product("B"), product("C", "a thing", "20.00")]
    shop.products([*before, product("D", visibility=1), product("E", visibility=1, parent_sku="A")])

    plan = shop.plan()

    assert [(one["sku"], one["action"]) for one in plan["items"]] == [("E", "create")]


def test_a_sale_price_goes_with_every_price_and_is_taken_away_with_it(shop: Shop):
    rest = [product("B"), product("C", "a thing", "20.00")]
    shop.products([product("A", special_price="9.00"), *rest])
    assert item(shop.plan(), "A")["changes"] == {"sale_price": [None, "9.90"]}
    assert shop("apply", "--yes").code == 0
    assert shop.shown()["A"]["sale_price"] == "9.90"

    shop.products([product("A", price="12.00", special_price="9.00"), *rest])
    assert shop("apply", "--yes").code == 0
    assert (shop.shown()["A"]["price"], shop.shown()["A"]["sale_price"]) == ("13.20", "9.90")

    shop.products([product("A", price="12.00"), *rest])
    assert item(shop.plan(), "A")["changes"] == {"sale_price": ["9.90", None]}
    assert shop("apply", "--yes").code == 0
    assert shop.shown()["A"]["sale_price"] is None


def test_the_same_plan_has_the_same_name_however_it_was_computed(shop: Shop):
    shop.products([product("A", price="12.00"), product("B", qty=9), product("C", "a thing", "20.00")])
    first = shop.plan()
    for path in (shop.folder / ".merx" / "outcomes").iterdir():
        path.unlink()

    assert shop.plan() == first


def test_drift_is_found_and_mended(shop: Shop):
    assert shop("sandbox", "order", "A", "3").code == 0

    assert shop.plan()["summary"]["change"] == 0
    assert item(shop.plan("--refresh"), "A")["changes"] == {"quantity": [1, 4]}
    assert shop("apply", "--yes").code == 0
    assert shop.shown()["A"]["quantity"] == 4


def test_a_lost_state_is_read_back_from_the_marketplace(shop: Shop):
    for path in (shop.folder / ".merx").iterdir():
        if not path.name.startswith("sandbox"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    assert shop.plan("--refresh")["summary"] == {"create": 0, "change": 0, "hold": 0, "withdraw": 0, "unchanged": 3}


@pytest.mark.parametrize(
    ("rail", "change", "message"),
    [
        ("max_changed", {"qty": 50}, "1 of 3 published products would change, more than 20%"),
        ("max_price_move", {"price": "13.00"}, "the price of 1 would move by more than 20%: A from 11.00 to 14.30"),
        ("max_held", {"price": "1.00"}, "1 of 3 published products are held, more than 20%"),
    ],
)
def test_a_safety_rail_refuses_until_it_is_named(shop: Shop, rail: str, change: dict[str, Any], message: str):
    shop.toml(f'{TOML}[safety]\n{rail} = "20%"\n')
    shop.products([product("A", **change), product("B"), product("C", "a thing", "20.00"), product("N")])
    name = rail.removeprefix("max_").replace("_", "-")

    refused = shop("apply", "--yes")

    assert (refused.code, refused.out) == (1, "")
    assert f"error[M822]: {message}" in refused.err
    assert "N" not in shop.shown()
    assert shop("apply", "--yes", "--allow", name).code == 0
    assert "N" in shop.shown()


def test_the_page_shows_the_plan_and_escapes_what_the_shop_says(shop: Shop):
    shop.products([product("A<b>", price="12.00"), product("A", price="15.00")])

    said = shop("plan", "-o", "plan.html")
    page = (shop.folder / "plan.html").read_text(encoding="utf-8")

    assert said.code == 0
    assert "A&lt;b&gt;" in page and "A<b>" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "16.50" in page


def test_without_products_it_says_how_to_get_some(tmp_path: Path, monkeypatch: Any, capsys: Any):
    monkeypatch.chdir(tmp_path)
    shop = make_shop(tmp_path, capsys)
    shop.toml('rules = ["rules"]\n')

    said = shop("plan")

    assert said.code == 1
    assert "error[M823]: there are no products to plan with" in said.err
