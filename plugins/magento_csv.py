"""Magento's product export (CSV) comes in; a snapshot with the attribute codes of Magento's REST API goes out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from merx.engine.hooks import ProductSource, hookimpl
from merx.engine.snapshot import Reject, Schema, Snapshot, StoreSettings
from merx.engine.standard import standard_type
from merx.engine.types import TEXT

if TYPE_CHECKING:
    from merx.plugins.products import Texts

RENAMED: Mapping[str, str] = {
    "product_online": "status",
    "product_type": "type_id",
    "attribute_set_code": "attribute_set",
    "base_image": "image",
    "thumbnail_image": "thumbnail",
    "map_price": "map",
    "msrp_price": "msrp",
    "special_price_from_date": "special_from_date",
    "special_price_to_date": "special_to_date",
    "new_from_date": "news_from_date",
    "new_to_date": "news_to_date",
    "meta_keywords": "meta_keyword",
    "out_of_stock_qty": "min_qty",
    "allow_backorders": "backorders",
    "min_cart_qty": "min_sale_qty",
    "max_cart_qty": "max_sale_qty",
    "notify_on_stock_below": "notify_stock_qty",
    "display_product_options_in": "options_container",
    "product_websites": "websites",
}
"""Column of the export → attribute code. Other columns keep their names."""

_PLUMBING = re.compile(
    r"use_config_.*|store_view_code|website_id|configurable_variation.*|.*_image_label(s)?|additional_image_labels|"
    r"additional_images|additional_attributes|hide_from_product_page"
)
"""Columns that say how to read others, and are no attributes."""

_CODE = "[A-Za-z][A-Za-z0-9_]*"
"""An attribute code: only where one and `=` follow does a comma end the value before it."""

_Cells = dict[str, str | None]
"""Column or attribute → cell, None where it is blank."""


class MagentoCsv:
    """Effective stock settings, unpacked attributes, default-view texts, and families of configurables.

    An attribute of `additional_attributes` is a list where any product of the file has several values of it, unless the
    `catalog` block says what it is: declare multi-selects there, so that no single product decides.
    """

    name = "Magento product export"
    rank = 10

    def reads(self, path: Path, head: bytes) -> bool:
        if path.suffix.lower() not in {".csv", ".tsv", ".txt", ""}:
            return False
        # Imported when a file is read: to compute an expression nobody should wait for a data frame library.
        from merx.plugins.delimited import header_of

        _, names = header_of(head)
        return "sku" in names and bool({"product_type", "attribute_set_code", "additional_attributes"} & set(names))

    def read(
        self,
        path: Path,
        *,
        declared: Schema | None = None,
        columns: Collection[str] | None = None,
        settings: StoreSettings | None = None,
    ) -> Snapshot:
        from merx.plugins.delimited import layout_of, read_delimited
        from merx.plugins.products import missing_columns, snapshot_of

        settings = settings or StoreSettings()
        layout = layout_of(path)
        records = read_delimited(layout, dict.fromkeys(layout.named, TEXT.maybe()))
        rows = records.typed.frame.to_dicts()
        own = [row for row, values in enumerate(rows) if not (values.get("store_view_code") or "").strip()]
        texts = _texts(
            [rows[row] for row in own], [records.lines[row] for row in own], layout.named, declared, settings
        )
        skus = {rows[row]["sku"] for row in own}
        views = [row for row, values in enumerate(rows) if (values.get("store_view_code") or "").strip()]
        # A text of a product that is not there stands for the product: it is accounted for, not passed over.
        lost = [Reject(records.lines[row], rows[row]["sku"], _LOST) for row in views if rows[row]["sku"] not in skus]
        texts.rejects += (*records.rejects, *lost)
        texts.notes = (*layout.notes, *texts.notes)
        if len(views) > len(lost):
            texts.notes += (
                f"texts of store views are left out, the default view's stand: {len(views) - len(lost):,} rows",
            )
        missing_columns(path.name, declared, texts.columns, columns)
        return snapshot_of(path.stem, texts, declared, columns, settings)


_LOST = "it is a text of a store view, and the file has no row of the product itself"
_IMAGES = {"image", "small_image", "thumbnail", "swatch_image"}


def _texts(
    rows: list[_Cells], lines: list[int], names: Iterable[str], declared: Schema | None, settings: StoreSettings
) -> Texts:
    """The rows by attribute code. A row whose packed cells cannot be taken apart is a reject."""
    from merx.plugins.products import Texts

    packed: list[_Cells] = []
    families: dict[int, Sequence[str]] = {}
    kept: list[_Cells] = []
    places: list[int] = []
    rejects: list[Reject] = []
    for row, line in zip(rows, lines, strict=True):
        try:
            attributes = _unpacked(row, "additional_attributes", settings)
            children = _children(row, settings)
        except ValueError as problem:
            rejects.append(Reject(line, row["sku"], str(problem)))
            continue
        if children or row.get("product_type") == "configurable":
            families[len(kept)] = children
        kept.append(row)
        places.append(line)
        packed.append(attributes)
    found = _columns(kept, list(names), settings)
    # With commas between them, categories are read as any list is: with escaped commas in their steps.
    split = ("websites",) if settings.field_separator == "," else ("websites", "categories")
    lists: dict[str, str] = {name: settings.field_separator for name in split if name in found}
    told: list[str] = []
    for name in dict.fromkeys(name for one in packed for name in one):
        stands = found.get(name, [None] * len(kept))
        found[name] = [one.get(name) if given is None else given for one, given in zip(packed, stands, strict=True)]
        type_ = declared.attributes.get(name) if declared is not None else standard_type(name, None)
        several = settings.multi_value_separator
        if type_ is not None and type_.kind == "list":
            lists[name] = several
        elif type_ is None and any(several in (value or "") for value in found[name]):
            lists[name] = several
            told.append(name)
    found["media_gallery"] = [_gallery(row, settings.field_separator) for row in kept]
    notes = (f"read as lists, for some product has several values: {', '.join(told)}",) if told else ()
    return Texts(found, places, families, lists, tuple(rejects), notes)


def _columns(rows: list[_Cells], names: list[str], settings: StoreSettings) -> dict[str, list[str | None]]:
    """The columns of the file by attribute code, stock settings as they are in effect."""
    found: dict[str, list[str | None]] = {}
    for name in names:
        if not _PLUMBING.fullmatch(name):
            found[RENAMED.get(name, name)] = [row[name] for row in rows]
    for name in _IMAGES & set(found):
        found[name] = [None if path == "no_selection" else path for path in found[name]]
    for name, config, value in (
        ("manage_stock", "use_config_manage_stock", "1" if settings.manage_stock else "0"),
        ("min_qty", "use_config_min_qty", f"{settings.min_qty:f}"),
        ("backorders", "use_config_backorders", str(settings.backorders)),
    ):
        own = found.get(name, [None] * len(rows))
        # Where neither is said, Magento follows the store.
        found[name] = [
            value if given is None or row.get(config) == "1" else given for row, given in zip(rows, own, strict=True)
        ]
    return found


def _unpacked(row: _Cells, column: str, settings: StoreSettings, cell: str | None = None) -> _Cells:
    """`name=value` pairs. A value may hold the separator, and may stand in double quotes; so may each of several values.
    Raises ValueError for what is no list of pairs."""
    packed = (row.get(column) if cell is None else cell) or ""
    comma, bar = re.escape(settings.field_separator), re.escape(settings.multi_value_separator)
    quote = r'"(?:[^"]|"")*"'
    pair = re.compile(rf"\s*({_CODE})=(?:({quote}(?:{bar}{quote})*)(?={comma}|\s*$))?")
    following = re.compile(rf"{comma}(?=\s*{_CODE}=)")
    found: _Cells = {}
    at = 0
    while at < len(packed.rstrip()):
        start = pair.match(packed, at)
        if start is None:
            raise ValueError(f"`{column}` is not `name=value` pairs: `{packed[at : at + 40]}`")
        if start[2] is not None:
            parts = re.findall(quote, start[2])
            value = settings.multi_value_separator.join(part[1:-1].replace('""', '"') for part in parts)
            at = start.end()
        else:
            after = following.search(packed, start.end())
            value = packed[start.end() : after.start() if after else len(packed)]
            at = after.start() if after else len(packed)
        code = start[1].lower()
        if found.get(code, value) != value:
            raise ValueError(f"`{column}` has `{code}` twice with different values")
        found[code] = value
        at += len(settings.field_separator)
    return {code: value if value and value != "no_selection" else None for code, value in found.items()}


def _gallery(row: _Cells, separator: str) -> str | None:
    """Every image once, the base image first; what is hidden on the product page is left out."""
    images = [row.get("base_image") or "", *(row.get("additional_images") or "").split(separator)]
    hidden = {
        "",
        "no_selection",
        *(path.strip() for path in (row.get("hide_from_product_page") or "").split(separator)),
    }
    return ",".join(dict.fromkeys(path for one in images if (path := one.strip()) not in hidden)) or None


def _children(row: _Cells, settings: StoreSettings) -> tuple[str, ...]:
    """The SKUs of `sku=A,size=S|sku=B,size=M`. Raises ValueError where a variation names none."""
    column = "configurable_variations"
    found = []
    for variation in (row.get(column) or "").split(settings.multi_value_separator):
        if variation.strip():
            sku = _unpacked(row, column, settings, variation).get("sku")
            if sku is None:
                raise ValueError(f"`{column}` has a variation without a SKU: `{variation[:40]}`")
            found.append(sku.strip())
    return tuple(found)


@hookimpl
def merx_connectors() -> list[ProductSource]:
    return [MagentoCsv()]
