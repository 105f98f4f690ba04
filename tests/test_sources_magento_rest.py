"""Magento REST products come in, a JSON object a line; what the snapshot holds and rejects is asserted."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merx.engine.diagnostic import PolicyError
from merx.engine.read import read_products
from merx.engine.snapshot import Snapshot, StoreSettings
from merx.engine.types import NUMBER, TEXTS
from merx.plugins.magento_rest import MagentoRest


def product(sku: Any, **fields: Any) -> dict[str, Any]:
    return {"sku": sku, "name": "A tee", "price": 19.99, "status": 1, "visibility": 4, "type_id": "simple", **fields}


def custom(**values: Any) -> list[dict[str, Any]]:
    return [{"attribute_code": code, "value": value} for code, value in values.items()]


def stock(**fields: Any) -> dict[str, Any]:
    return {
        "stock_item": {"qty": 18, "is_in_stock": True, "manage_stock": True, "backorders": 0, "min_qty": 0, **fields}
    }


def read(folder: Path, *products: Any, store: StoreSettings | None = None, name: str = "products.ndjson") -> Snapshot:
    """Each product as a line: a dict as JSON, a text or bytes as they are."""
    lines = [json.dumps(one) if isinstance(one, dict | list) else one for one in products]
    content = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    path = folder / name
    path.write_bytes(content)
    snapshot = read_products(path, [MagentoRest()], settings=store)
    assert snapshot.frame.height + len(snapshot.rejects) == snapshot.rows
    return snapshot


def only(snapshot: Snapshot) -> dict[str, Any]:
    [row] = snapshot.frame.to_dicts()
    return row


def test_numbers_are_read_from_the_text_to_the_last_digit(tmp_path: Path) -> None:
    line = json.dumps(product("A", custom_attributes=custom(cost="9.500000"))).replace("19.99", "0.1234567890123456789")
    row = only(read(tmp_path, line))
    assert row["price"] == Decimal("0.1234567890123456789")
    assert row["cost"] == Decimal("9.5")


def test_a_number_with_an_exponent_is_exact_or_a_reject_and_never_a_gigabyte(tmp_path: Path) -> None:
    line = json.dumps(product("A"))
    assert only(read(tmp_path, line.replace("19.99", "1.5e3")))["price"] == Decimal(1500)
    snapshot = read(tmp_path, line.replace("19.99", "1e999999999"), line.replace("19.99", "-1e-999999999"))
    assert [one.line for one in snapshot.rejects] == [1, 2]


def test_custom_attributes_are_attributes_by_their_codes(tmp_path: Path) -> None:
    attributes = custom(
        special_price="17.990000", special_from_date="2026-01-01 00:00:00", color="Red", image="/t/e/tee.jpg",
        category_ids=["3", "12"], small_image="no_selection",
    )  # fmt: skip
    row = only(read(tmp_path, product("A", custom_attributes=attributes)))
    assert (row["special_price"], str(row["special_from_date"])) == (Decimal("17.99"), "2026-01-01")
    assert (row["color"], row["image"], row["category_ids"]) == ("Red", "/t/e/tee.jpg", ["3", "12"])
    assert row["small_image"] is None


def test_a_list_of_one_value_is_a_list(tmp_path: Path) -> None:
    snapshot = read(tmp_path, product("A", custom_attributes=custom(tags=["new"])))
    assert snapshot.schema.attributes["tags"] == TEXTS
    assert only(snapshot)["tags"] == ["new"]


def test_the_stock_item_gives_the_effective_stock_settings(tmp_path: Path) -> None:
    item = stock(use_config_backorders=True, backorders=0, use_config_min_qty=True, min_qty=0, manage_stock=False)
    row = only(
        read(tmp_path, product("A", extension_attributes=item), store=StoreSettings(backorders=2, min_qty=Decimal(3)))
    )
    assert (row["qty"], row["is_in_stock"], row["manage_stock"]) == (Decimal(18), True, False)
    assert (row["backorders"], row["min_qty"]) == (Decimal(2), Decimal(3))


def test_stock_by_source_counts_nothing_where_it_is_marked_out_of_stock(tmp_path: Path) -> None:
    items = [
        {"source_code": "madrid", "quantity": 8.5, "status": 1},
        {"source_code": "paris", "quantity": 4, "status": 0},
    ]
    snapshot = read(tmp_path, product("A", extension_attributes={"source_items": items}, salable_qty=6.5), product("B"))
    assert snapshot.frame["source:madrid"].to_list() == [Decimal("8.5"), None]
    assert snapshot.frame["source:paris"].to_list() == [Decimal(0), None]
    assert snapshot.frame["salable_qty"].to_list() == [Decimal("6.5"), None]
    assert snapshot.schema.attributes["source:madrid"] == NUMBER.maybe()


def test_images_are_the_enabled_ones_by_position_without_videos(tmp_path: Path) -> None:
    entries = [
        {"media_type": "image", "position": 3, "disabled": False, "types": [], "file": "/c.jpg"},
        {"media_type": "image", "position": 1, "disabled": False, "types": ["thumbnail"], "file": "/a.jpg"},
        {"media_type": "external-video", "position": 0, "disabled": False, "types": [], "file": "/v.jpg"},
        {"media_type": "image", "position": 2, "disabled": True, "types": [], "file": "/hidden.jpg"},
        {"media_type": "image", "position": 10, "disabled": False, "types": ["image"], "file": "/main.jpg"},
    ]
    row = only(read(tmp_path, product("A", media_gallery_entries=entries)))
    assert (row["image"], row["media_gallery"]) == ("/main.jpg", ["/a.jpg", "/c.jpg", "/main.jpg"])


def test_categories_are_ids_unless_the_paths_are_there(tmp_path: Path) -> None:
    links = {"category_links": [{"position": 0, "category_id": "12"}, {"position": 1, "category_id": "3"}]}
    snapshot = read(
        tmp_path,
        product("A", extension_attributes=links),
        product("B", extension_attributes=links, category_paths=["Default/Men, boys", "Default/Sale"]),
        product("C"),
    )
    assert snapshot.frame["categories"].to_list() == [["12", "3"], ["Default/Men, boys", "Default/Sale"], None]


def test_a_configurable_takes_its_childrens_prices_and_stock(tmp_path: Path) -> None:
    links = {"configurable_product_links": [101, 102, 103, 999]}
    snapshot = read(
        tmp_path,
        product(
            "P",
            id=100,
            price=0,
            type_id="configurable",
            extension_attributes=links,
            custom_attributes=custom(image="/p.jpg"),
        ),
        product("A", id=101, price=20.5, extension_attributes=stock(qty=3)),
        product("B", id=102, price=18, extension_attributes=stock(qty=4, is_in_stock=False)),
        product("C", id=103, price=1, status=2, extension_attributes=stock(qty=5)),
    )
    parent, first, *_ = snapshot.frame.to_dicts()
    assert (parent["price"], parent["price_min"], parent["price_max"]) == (Decimal(18), Decimal(18), Decimal("20.5"))
    assert (parent["qty"], parent["stock_total"], parent["is_in_stock"]) == (Decimal(3), Decimal(3), True)
    assert (first["parent_sku"], first["parent_image"]) == ("P", "/p.jpg")
    assert any("999" in note for note in snapshot.notes)


def test_a_line_that_is_no_product_is_rejected_with_its_line(tmp_path: Path) -> None:
    snapshot = read(tmp_path, product("A"), "{broken", "", "[1]", '"text"', '{"sku": NaN}', product("B"), product(None))
    assert [one.line for one in snapshot.rejects] == [2, 4, 5, 6, 8]
    assert snapshot.frame["sku"].to_list() == ["A", "B"]


def test_json_that_nests_a_hundred_thousand_deep_is_a_reject(tmp_path: Path) -> None:
    snapshot = read(tmp_path, '{"sku":"A","x":' + "[" * 100_000 + "]" * 100_000 + "}", product("B"))
    assert [(one.line, one.reason) for one in snapshot.rejects] == [(1, "its JSON nests too deep")]


@pytest.mark.parametrize("text", [r'"\ud800"', r'"a\u0000b"', '"a\\u001fb"'])
def test_characters_that_are_no_text_reject_the_product(tmp_path: Path, text: str) -> None:
    snapshot = read(tmp_path, f'{{"sku": "A", "name": {text}}}', product("B"))
    assert [(one.line, one.sku) for one in snapshot.rejects] == [(1, "A")]


def test_bytes_that_are_not_utf8_reject_their_line_only(tmp_path: Path) -> None:
    snapshot = read(tmp_path, b'{"sku": "A", "name": "Caf\xe9"}', product("B"))
    assert [(one.line, one.sku) for one in snapshot.rejects] == [(1, "A")]


@pytest.mark.parametrize(
    "fields",
    [
        {"custom_attributes": 5}, {"media_gallery_entries": 5}, {"extension_attributes": {"source_items": 5}},
        {"media_gallery_entries": [{"file": "/a.jpg", "position": "x"}, {"file": "/b.jpg", "position": 1}]},
        {"media_gallery_entries": [{"file": "/a.jpg", "types": 5}]}, {"extension_attributes": {"category_links": 5}},
        {"extension_attributes": {"configurable_product_links": 5}}, {"sku": ["A"]}, {"sku": {}}, {"price": {}},
        {"price": "dear"}, {"status": 3}, {"categories": [{"id": 1}]}, {"extension_attributes": {"source_items": [{}]}},
        {"custom_attributes": custom(color=[["a"]])}, {"extension_attributes": stock(qty="many")},
    ],
)  # fmt: skip
def test_a_field_of_another_shape_rejects_the_product_with_a_reason(tmp_path: Path, fields: dict[str, Any]) -> None:
    snapshot = read(tmp_path, {**product("A"), **fields}, product("B"))
    [reject] = snapshot.rejects
    assert reject.line == 1
    assert "`" in reject.reason
    assert snapshot.frame["sku"].to_list() == ["B"]


def test_an_answer_of_the_product_list_and_a_bare_list_are_read_too(tmp_path: Path) -> None:
    answer = json.dumps({"items": [product("A"), product("B")], "total_count": 2}, indent=2)
    bare = json.dumps([product("A"), 7, product("B")], indent=1)
    assert read(tmp_path, answer, name="a.json").frame["sku"].to_list() == ["A", "B"]
    listed = read(tmp_path, bare, name="b.json")
    assert listed.frame["sku"].to_list() == ["A", "B"]
    assert [one.line for one in listed.rejects] == [10]


@pytest.mark.parametrize("content", ['[{"sku": "A"}', '{"items": [{"sku": "A"},', "[,]", '[{"sku": "A"} {"sku": "B"}]'])
def test_an_answer_that_breaks_off_is_refused_whole(tmp_path: Path, content: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(tmp_path, content)
    assert [one.code for one in caught.value.diagnostics] == ["M613"]


def test_an_empty_file_and_utf16_are_refused(tmp_path: Path) -> None:
    for content, code in ((b"", "M607"), (b" \n", "M607"), ('{"sku": "A"}'.encode("utf-16"), "M609")):
        with pytest.raises(PolicyError) as caught:
            read(tmp_path, content)
        assert [one.code for one in caught.value.diagnostics] == [code]


def test_a_sku_that_stands_twice_is_rejected_twice(tmp_path: Path) -> None:
    snapshot = read(tmp_path, product("A"), product("B"), product("A"))
    assert [(one.line, one.sku) for one in snapshot.rejects] == [(1, "A"), (3, "A")]


def test_products_without_a_stock_item_are_said(tmp_path: Path) -> None:
    assert any("stock_item" in note for note in read(tmp_path, product("A")).notes)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = st.sampled_from(
    ["sku", "price", "custom_attributes", "extension_attributes", "media_gallery_entries", "source_items", "categories",
     "stock_item", "category_paths", "id", "type_id", "status"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(_FIELDS, _JSON, max_size=5), min_size=1, max_size=4))
def test_any_json_gives_products_and_rejects(
    tmp_path_factory: pytest.TempPathFactory, products: list[dict[str, Any]]
) -> None:
    snapshot = read(tmp_path_factory.mktemp("json"), *products)
    assert snapshot.rows == len(products)
