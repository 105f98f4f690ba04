"""Magento product exports come in; the snapshot has the attribute codes of Magento's REST API and effective values."""

from __future__ import annotations

import csv
import datetime
import io
import os
from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from merx.engine.diagnostic import PolicyError
from merx.engine.read import read_products
from merx.engine.snapshot import Schema, Snapshot, StoreSettings
from merx.engine.types import TEXT, TEXTS, Type
from merx.plugins.magento_csv import MagentoCsv
from merx.plugins.plain_csv import PlainCsv

SHARED = Path(os.environ.get("MERX_SHARED") or Path(__file__).resolve().parents[2] / "shared")
LUMA = SHARED / "data" / "magento-luma-products.csv"


def read(
    folder: Path,
    *rows: Mapping[str, str],
    declared: dict[str, Type] | None = None,
    columns: Collection[str] | None = None,
    store: StoreSettings | None = None,
) -> Snapshot:
    """The rows as Magento writes them: `product_type` and `sku` always, other columns where a row has them."""
    names = list(dict.fromkeys(["sku", "product_type", *(name for row in rows for name in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({"product_type": "simple", **row} for row in rows)
    path = folder / "export.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    schema = Schema("declared", declared) if declared is not None else None
    snapshot = read_products(path, [MagentoCsv(), PlainCsv()], declared=schema, columns=columns, settings=store)
    assert snapshot.frame.height + len(snapshot.rejects) == snapshot.rows
    return snapshot


def by_sku(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    return {row["sku"]: row for row in snapshot.frame.to_dicts()}


def attributes(folder: Path, packed: str, **options: Any) -> dict[str, Any]:
    """What one product's packed attributes come to."""
    snapshot = read(folder, {"sku": "A", "additional_attributes": packed}, **options)
    return by_sku(snapshot)["A"]


def test_columns_become_the_attribute_codes_of_the_rest_api(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        {
            "sku": "A", "product_online": "1", "visibility": "Catalog, Search", "price": "52.000000", "map_price": "40",
            "msrp_price": "60.5", "special_price": "45", "special_price_from_date": "2/27/26",
            "special_price_to_date": "2026-03-01 00:00:00", "attribute_set_code": "Top", "base_image": "/a.jpg",
            "weight": "1.5000", "categories": "Default/Men,Default/Gear\\, heavy", "qty": "100.0000", "is_in_stock": "1",
        },
        {"sku": "B", "product_online": "2", "visibility": "Not Visible Individually", "base_image": "no_selection"},
    )  # fmt: skip
    first, second = snapshot.frame.to_dicts()
    expected = {
        "sku": "A", "status": 1, "visibility": 4, "price": Decimal(52), "map": Decimal(40), "msrp": Decimal("60.5"),
        "special_price": Decimal(45), "special_from_date": datetime.date(2026, 2, 27),
        "special_to_date": datetime.date(2026, 3, 1), "attribute_set": "Top", "image": "/a.jpg", "type_id": "simple",
        "weight": Decimal("1.5"), "categories": ["Default/Men", "Default/Gear, heavy"], "qty": Decimal(100),
        "is_in_stock": True,
    }  # fmt: skip
    assert {name: first[name] for name in expected} == expected
    assert (second["status"], second["visibility"], second["image"]) == (2, 1, None)
    assert not {"product_online", "additional_attributes", "store_view_code"} & set(snapshot.frame.columns)


def test_amounts_take_the_currency_of_the_store(tmp_path: Path) -> None:
    snapshot = read(tmp_path, {"sku": "A", "price": "1", "map_price": ""}, store=StoreSettings(currency="EUR"))
    assert str(snapshot.schema.attributes["price"]) == "money(EUR)"
    assert str(snapshot.schema.attributes["map"]) == "money(EUR)?"


# Effective stock settings


@pytest.mark.parametrize(
    ("row", "managed"),
    [
        ({"manage_stock": "0", "use_config_manage_stock": "1"}, True),
        ({"manage_stock": "0", "use_config_manage_stock": "0"}, False),
        ({"manage_stock": "1", "use_config_manage_stock": "0"}, True),
        ({"manage_stock": "0", "use_config_manage_stock": ""}, False),
        ({"manage_stock": "", "use_config_manage_stock": ""}, True),
        ({"manage_stock": "0"}, False),
        ({}, True),
    ],
)
def test_stock_is_managed_as_the_store_says_where_the_product_follows_it(
    tmp_path: Path, row: dict[str, str], managed: bool
) -> None:
    assert by_sku(read(tmp_path, {"sku": "A", **row}))["A"]["manage_stock"] is managed
    follows = row.get("use_config_manage_stock") == "1" or not row.get("manage_stock")
    unmanaged = by_sku(read(tmp_path, {"sku": "A", **row}, store=StoreSettings(manage_stock=False)))["A"][
        "manage_stock"
    ]
    assert unmanaged is (False if follows else managed)


def test_backorders_and_the_least_quantity_follow_the_store_too(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        {
            "sku": "A",
            "allow_backorders": "0",
            "use_config_backorders": "1",
            "out_of_stock_qty": "9",
            "use_config_min_qty": "1",
        },
        {
            "sku": "B",
            "allow_backorders": "1",
            "use_config_backorders": "0",
            "out_of_stock_qty": "9",
            "use_config_min_qty": "0",
        },
        store=StoreSettings(backorders=2, min_qty=Decimal("1.5")),
    )
    assert [(row["backorders"], row["min_qty"]) for row in snapshot.frame.to_dicts()] == [
        (2, Decimal("1.5")),
        (1, Decimal(9)),
    ]
    assert not any(name.startswith("use_config") for name in snapshot.frame.columns)


# Packed attributes


def test_packed_attributes_are_attributes_and_a_value_may_hold_a_comma(tmp_path: Path) -> None:
    row = attributes(tmp_path, "color=Blue,care=Wash cold, dry flat,a=b=c,empty=,size=XS")
    assert {name: row[name] for name in ("color", "care", "a", "empty", "size")} == {
        "color": "Blue", "care": "Wash cold, dry flat", "a": "b=c", "empty": None, "size": "XS",
    }  # fmt: skip


def test_packed_values_may_stand_in_quotes(tmp_path: Path) -> None:
    row = attributes(tmp_path, 'care="wash, x=1, dry",said="a ""b"" c",tags="one, two"|"three",size=7" wide,last="')
    assert (row["care"], row["said"], row["tags"]) == ("wash, x=1, dry", 'a "b" c', ["one, two", "three"])
    assert (row["size"], row["last"]) == ('7" wide', '"')


def test_an_attribute_with_several_values_in_any_row_is_a_list_in_every_row_and_that_is_said(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        {"sku": "A", "additional_attributes": "material=Wool"},
        {"sku": "B", "additional_attributes": "material=Wool|Nylon,color=Red"},
        {"sku": "C", "additional_attributes": ""},
    )
    assert snapshot.schema.attributes["material"] == TEXTS
    assert snapshot.frame["material"].to_list() == [["Wool"], ["Wool", "Nylon"], None]
    assert any("material" in note for note in snapshot.notes)
    assert not any("color" in note for note in snapshot.notes)


def test_a_declared_type_decides_whether_an_attribute_is_a_list(tmp_path: Path) -> None:
    declared = {"material": TEXTS, "title": TEXT.maybe()}
    row = attributes(tmp_path, "material=Wool, brushed,title=Left|Right", declared=declared)
    assert (row["material"], row["title"]) == (["Wool, brushed"], "Left|Right")


def test_the_separators_are_the_stores(tmp_path: Path) -> None:
    store = StoreSettings(field_separator=";", multi_value_separator="+")
    row = by_sku(
        read(
            tmp_path,
            {
                "sku": "A", "additional_attributes": "color=Red, dark;material=Wool+Nylon", "base_image": "/a.jpg",
                "categories": "Default/Men;Default/Gear, heavy", "additional_images": "/b.jpg;/c.jpg",
            },
            store=store,
        )
    )["A"]  # fmt: skip
    assert (row["color"], row["material"]) == ("Red, dark", ["Wool", "Nylon"])
    assert row["categories"] == ["Default/Men", "Default/Gear, heavy"]
    assert row["media_gallery"] == ["/a.jpg", "/b.jpg", "/c.jpg"]


def test_a_standard_attribute_among_the_packed_ones_is_typed(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        {"sku": "A", "cost": "", "additional_attributes": "cost=12.345600"},
        {"sku": "B", "cost": "3", "additional_attributes": ""},
        {"sku": "C", "additional_attributes": "cost=cheap"},
    )
    assert snapshot.frame["cost"].to_list() == [Decimal("12.3456"), Decimal(3)]
    assert [(one.line, one.sku) for one in snapshot.rejects] == [(4, "C")]


@pytest.mark.parametrize("packed", ["just words", "color=Red,color=Blue", "=Red", "9lives=1"])
def test_packed_attributes_that_are_no_pairs_reject_the_row(tmp_path: Path, packed: str) -> None:
    snapshot = read(tmp_path, {"sku": "A", "additional_attributes": packed}, {"sku": "B"})
    [reject] = snapshot.rejects
    assert (reject.line, reject.sku) == (2, "A")
    assert "`additional_attributes`" in reject.reason


# Images


def test_the_gallery_is_the_base_image_and_the_others_each_once_without_hidden_ones(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        {
            "sku": "A", "base_image": "/main.jpg", "additional_images": "/b.jpg, /main.jpg,/c.jpg,/b.jpg",
            "hide_from_product_page": "/c.jpg",
        },
        {"sku": "B", "base_image": "no_selection"},
        {"sku": "C", "base_image": "/only.jpg"},
    )  # fmt: skip
    assert snapshot.frame["media_gallery"].to_list() == [["/main.jpg", "/b.jpg"], None, ["/only.jpg"]]
    assert snapshot.frame["image"].to_list() == ["/main.jpg", None, "/only.jpg"]


# Store views


def test_a_text_of_a_store_view_is_no_product(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        {"sku": "A", "name": "Bag", "price": "5"},
        {"sku": "A", "name": "Tasche", "store_view_code": "de"},
        {"sku": "B", "name": "Hat"},
    )
    assert snapshot.rows == 2
    assert snapshot.frame["name"].to_list() == ["Bag", "Hat"]
    assert any("store views" in note and "1 row" in note for note in snapshot.notes)


def test_a_text_of_a_product_that_is_not_in_the_file_is_rejected_and_not_passed_over(tmp_path: Path) -> None:
    snapshot = read(tmp_path, {"sku": "A"}, {"sku": "X", "name": "Tasche", "store_view_code": "de"})
    assert [(one.line, one.sku) for one in snapshot.rejects] == [(3, "X")]


# Families


def family(*children: dict[str, str], **parent: str) -> list[dict[str, str]]:
    variations = "|".join(f"sku={child['sku']},size={number}" for number, child in enumerate(children))
    return [*children, {"sku": "P", "product_type": "configurable", "configurable_variations": variations, **parent}]


def child(sku: str, price: str, qty: str, **more: str) -> dict[str, str]:
    return {"sku": sku, "price": price, "qty": qty, "is_in_stock": "1", "product_online": "1", **more}


def test_a_parent_takes_the_price_range_and_the_stock_of_its_enabled_children(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        *family(
            child("A", "20.50", "3"),
            child("B", "18", "4", is_in_stock="0"),
            child("C", "1", "50", product_online="2"),
            child("D", "30", "2.5"),
            price="99", qty="0", is_in_stock="0", base_image="/p.jpg", product_online="1",
        ),
    )  # fmt: skip
    rows = by_sku(snapshot)
    parent = rows["P"]
    assert (parent["price"], parent["price_min"], parent["price_max"]) == (Decimal(18), Decimal(18), Decimal(30))
    assert (parent["qty"], parent["stock_total"], parent["is_in_stock"]) == (Decimal("5.5"), Decimal("5.5"), True)
    assert [(rows[sku]["parent_sku"], rows[sku]["parent_image"]) for sku in "ABCD"] == [("P", "/p.jpg")] * 4
    assert (parent["parent_sku"], rows["A"]["price"], rows["A"]["price_min"]) == (None, Decimal("20.5"), None)


def test_a_child_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    first = child("A", "2", "3")
    snapshot = read(tmp_path, *family(first, configurable_variations="sku=A,size=S|sku=A,size=M"))
    assert by_sku(snapshot)["P"]["qty"] == 3


def test_a_child_of_two_parents_is_the_first_ones_and_that_is_said(tmp_path: Path) -> None:
    second = {"sku": "Q", "product_type": "configurable", "configurable_variations": "sku=A,size=S"}
    snapshot = read(tmp_path, *family(child("A", "2", "3")), second)
    rows = by_sku(snapshot)
    assert (rows["A"]["parent_sku"], rows["Q"]["qty"]) == ("P", 3)
    assert any("more than one parent" in note and "A" in note for note in snapshot.notes)


def test_a_child_that_is_not_there_or_rejected_is_no_child_and_is_noted(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        *family(
            child("A", "oops", "3"), child("B", "5", "4"), configurable_variations="sku=A,x=1|sku=B,x=2|sku=GONE,x=3"
        ),
    )
    assert (by_sku(snapshot)["P"]["price"], by_sku(snapshot)["P"]["qty"]) == (5, 4)
    assert any("A" in note and "GONE" in note for note in snapshot.notes)


@pytest.mark.parametrize("variations", ["sku=GONE,size=S", ""])
def test_a_parent_without_a_known_child_keeps_its_price_and_has_no_stock(tmp_path: Path, variations: str) -> None:
    parent = {
        "sku": "P",
        "product_type": "configurable",
        "price": "9",
        "qty": "7",
        "configurable_variations": variations,
    }
    snapshot = read(tmp_path, parent)
    row = by_sku(snapshot)["P"]
    assert (row["price"], row["qty"], row["is_in_stock"], row["price_min"]) == (9, 0, False, None)
    assert any("without a known child" in note for note in snapshot.notes)


def test_a_parent_whose_children_are_all_disabled_sells_nothing(tmp_path: Path) -> None:
    row = by_sku(read(tmp_path, *family(child("A", "5", "3", product_online="2"))))["P"]
    assert (row["qty"], row["is_in_stock"]) == (0, False)


def test_stock_by_source_is_added_up_for_parents(tmp_path: Path) -> None:
    rows = family(child("A", "5", "3", **{"source:eu": "2"}), child("B", "5", "3", **{"source:eu": "1.5"}))
    assert by_sku(read(tmp_path, *rows))["P"]["source:eu"] == Decimal("3.5")


def test_a_sum_beyond_38_digits_is_missing_and_not_wrong(tmp_path: Path) -> None:
    rows = family(child("A", "5", "9" * 38), child("B", "5", "9" * 38))
    assert by_sku(read(tmp_path, *rows))["P"]["qty"] is None


def test_a_variation_without_a_sku_rejects_its_parent(tmp_path: Path) -> None:
    snapshot = read(tmp_path, {"sku": "P", "product_type": "configurable", "configurable_variations": "size=S"})
    assert [one.sku for one in snapshot.rejects] == ["P"]


# Rows


def test_rows_that_cannot_be_read_are_rejected_with_line_and_reason(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        {"sku": "A", "description": "two\nlines", "price": "5"},
        {"sku": "B", "price": "5,00"},
        {"sku": "C", "special_price_from_date": "27/2/26"},
        {"sku": "D", "visibility": "Somewhere"},
        {"sku": "A", "price": "6"},
        {"sku": "E"},
    )
    assert [(one.line, one.sku) for one in snapshot.rejects] == [(2, "A"), (4, "B"), (5, "C"), (6, "D"), (7, "A")]
    assert snapshot.frame["sku"].to_list() == ["E"]


def test_a_required_declared_attribute_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        read(tmp_path, {"sku": "A", "additional_attributes": "color=Red"}, declared={"color": TEXT, "fabric": TEXT})
    assert [(one.code, "`fabric`" in one.message) for one in caught.value.diagnostics] == [("M603", True)]


def test_only_what_is_needed_comes_out(tmp_path: Path) -> None:
    row = {"sku": "A", "price": "1", "name": "x", "additional_attributes": "color=Red,size=S"}
    assert read(tmp_path, row, columns=["color", "price", "manage_stock"]).frame.columns == [
        "sku", "price", "manage_stock", "color",
    ]  # fmt: skip


# The demo catalogue


@pytest.fixture(scope="module")
def luma() -> Snapshot:
    if not LUMA.exists():
        pytest.skip("the Luma demo catalogue is not on this machine: set MERX_SHARED to the folder that holds data/")
    return read_products(LUMA, [MagentoCsv()])


def test_every_row_of_the_demo_catalogue_is_accounted_for(luma: Snapshot) -> None:
    assert (luma.rows, luma.frame.height, luma.rejects) == (1994, 1994, ())
    assert luma.frame["manage_stock"].all()
    assert luma.frame["min_qty"].sum() == 0


def test_the_demo_catalogues_products_have_their_own_values(luma: Snapshot) -> None:
    row = by_sku(luma)["MH01-XS-Black"]
    assert (row["price"], row["qty"], row["status"], row["visibility"]) == (52, 100, 1, 1)
    assert (row["color"], row["size"], row["parent_sku"]) == ("Black", "XS", "MH01")
    assert row["categories"] == [
        "Default Category/Men/Tops/Hoodies & Sweatshirts",
        "Default Category/Collections/Eco Friendly",
        "Default Category",
    ]


def test_the_demo_catalogues_parents_take_their_childrens_prices_and_stock(luma: Snapshot) -> None:
    rows = by_sku(luma)
    parents = [row for row in rows.values() if row["type_id"] == "configurable"]
    assert len(parents) == 147
    for parent in parents:
        children = [row for row in rows.values() if row["parent_sku"] == parent["sku"]]
        assert parent["stock_total"] == parent["qty"] == 100 * len(children) > 0
        assert parent["price"] == parent["price_min"] == min(row["price"] for row in children)
        assert parent["price_max"] == max(row["price"] for row in children)
