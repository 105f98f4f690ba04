"""Products of Magento's REST API, a JSON object a line (or one answer of the product list), come in; a snapshot goes out."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import ProductSource, hookimpl
from merx.engine.snapshot import Reject, Schema, Snapshot, StoreSettings
from merx.engine.standard import SOURCE_PREFIX

_OPENINGS = (b"{", b"[")


class MagentoRest:
    """Custom attributes by their codes, the stock item's effective settings, per-source stock, enabled images by
    position, and families of configurables."""

    name = "Magento REST products (NDJSON)"
    rank = 15

    def reads(self, path: Path, head: bytes) -> bool:
        named = path.suffix.lower() in {".ndjson", ".jsonl", ".json"}
        return named or head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in _OPENINGS

    def read(
        self,
        path: Path,
        *,
        declared: Schema | None = None,
        columns: Collection[str] | None = None,
        settings: StoreSettings | None = None,
    ) -> Snapshot:
        # Imported when a file is read: to compute an expression nobody should wait for a data frame library.
        from merx.plugins.products import Texts, missing_columns, snapshot_of

        settings = settings or StoreSettings()
        rows: list[_Cells] = []
        lines: list[int] = []
        rejects: list[Reject] = []
        ids: dict[str, str] = {}
        linked: dict[int, list[str]] = {}
        for line, found in _objects(path):
            try:
                if isinstance(found, _Bad):
                    raise ValueError(found.reason)
                row = _row(found, settings)
                links = _listed(_mapping(found.get("extension_attributes")), "configurable_product_links")
            except ValueError as problem:
                sku = found.get("sku") if isinstance(found, dict) else None
                rejects.append(Reject(line, _shown(sku) if isinstance(sku, str) and sku else None, str(problem)))
                continue
            if "id" in found and row["sku"]:
                ids[str(found["id"])] = row["sku"]
            if found.get("type_id") == "configurable" or links:
                linked[len(rows)] = [str(one) for one in links]
            rows.append(row)
            lines.append(line)
        names = list(dict.fromkeys(name for row in rows for name in row)) or ["sku"]
        texts = Texts({name: [row.get(name) for row in rows] for name in names}, lines)
        texts.families = {row: tuple(ids.get(one, f"id {one}") for one in links) for row, links in linked.items()}
        listed = {name for row in rows for name, cell in row.items() if cell is not None and cell.endswith(_END)}
        texts.lists = dict.fromkeys(listed | {"categories", "media_gallery"} & set(names), _END)
        texts.rejects = tuple(rejects)
        if rows and "qty" not in names:
            texts.notes += ("no product has its stock: the answer of Magento's product list leaves `stock_item` out",)
        missing_columns(path.name, declared, names, columns)
        return snapshot_of(path.stem, texts, declared, columns, settings)


_END = "\x1f"
"""After each element of a list while it is a text; a product that holds this control character is a reject."""

_Cells = dict[str, str | None]
"""Attribute code → cell, None where it is blank."""

_ANSWER = re.compile(r'\s*(?:\{\s*"items"\s*:\s*)?\[')
"""How a file begins that holds one answer, or a list, instead of a product a line."""

_ONE_A_LINE = "fetch it again; of a file with one product a line only broken lines are lost"


class _Bad:
    """A line that is no product."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _objects(path: Path) -> Iterator[tuple[int, Any]]:
    """Each product, or why it is none, with its line. Raises PolicyError: M607 an empty file, M609 not UTF-8 text,
    M613 an answer that breaks off."""
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise _error("M607", f"`{path.name}` is empty", "write one product, a JSON object, a line")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or content[:64].count(0) > len(content[:64]) // 4:
        raise _error("M609", f"`{path.name}` is UTF-16 text, not UTF-8", "save it as UTF-8")
    # Bytes that are not UTF-8 become lone surrogates, which reject the product that holds them.
    text = content.decode("utf-8", errors="surrogateescape")
    answer = _ANSWER.match(text)
    if answer is not None:
        yield from _elements(path, text, answer.end())
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            found = _parsed(line)
            yield number, found if isinstance(found, dict | _Bad) else _Bad("it is not a JSON object")


def _elements(path: Path, text: str, at: int) -> Iterator[tuple[int, Any]]:
    """The elements of the list that begins before `at`."""
    line = text.count("\n", 0, at) + 1
    first = True
    while True:
        at, line = _skip_blanks(text, at, line)
        if text[at : at + 1] == "]" and first:
            return
        if not first:
            if text[at : at + 1] == "]":
                return
            if text[at : at + 1] != ",":
                break
            at, line = _skip_blanks(text, at + 1, line)
        try:
            found, end = _DECODER.raw_decode(text, at)
        except RecursionError:
            raise _error("M613", f"`{path.name}` nests too deep in line {line}", _ONE_A_LINE) from None
        except ValueError:
            break
        yield line, found if isinstance(found, dict) else _Bad("it is not a JSON object")
        line += text.count("\n", at, end)
        at, first = end, False
    raise _error("M613", f"`{path.name}` is not whole JSON: it breaks in line {line}", _ONE_A_LINE)


_BLANKS = re.compile(r"[ \t\r\n]*")


def _skip_blanks(text: str, at: int, line: int) -> tuple[int, int]:
    """The place of the next character that is no blank, and its line."""
    blanks = _BLANKS.match(text, at)
    end = blanks.end() if blanks else at
    return end, line + text.count("\n", at, end)


def _error(code: str, message: str, help: str) -> PolicyError:
    return PolicyError([Diagnostic(code, "error", message, None, help)])


def _parsed(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return _Bad("its JSON nests too deep")
    except ValueError as problem:
        return _Bad(f"it is not JSON: {_shown(str(problem).split(': line')[0].lower())}")


def _no_number(name: str) -> Decimal:
    raise ValueError(f"{name} is not a number")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number)


def _shown(text: str) -> str:
    """The text with what is no character marked, so that it can be printed."""
    return text.encode("utf-8", "replace").decode()


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _listed(found: Mapping[str, Any], name: str) -> list[Any]:
    """A field that is a list, or not there. Raises ValueError for anything else."""
    value = found.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"`{name}` is not a list")
    return value


_FORBIDDEN = re.compile("[\0\x1f\ud800-\udfff]")


def _plain(name: str, value: Any) -> str | None:
    """A JSON value as a cell. Raises ValueError for what no attribute can be."""
    match value:
        case None | "":
            return None
        case bool():
            return "1" if value else "0"
        case Decimal():
            return f"{value:f}" if abs(value.adjusted()) < 100 else str(value)
        case str():
            if _FORBIDDEN.search(value):
                raise ValueError(f"`{_shown(name)}` holds bytes or characters that are no text")
            return value
        case list() if not any(isinstance(one, list) for one in value):
            elements = (_plain(name, one) for one in value)
            return "".join(f"{one}{_END}" for one in elements if one is not None) or None
        case list():
            raise ValueError(f"`{_shown(name)}` is a list of lists")
    raise ValueError(f"`{_shown(name)}` is not a value but an object")


_OWN = (
    "sku", "name", "price", "status", "visibility", "type_id", "weight", "created_at", "updated_at", "attribute_set_id",
)  # fmt: skip
_IMAGES = ("image", "small_image", "thumbnail", "swatch_image")


def _row(product: Mapping[str, Any], settings: StoreSettings) -> _Cells:
    """A product as cells by attribute code. Raises ValueError."""
    if not isinstance(product.get("sku"), str | Decimal | None):
        raise ValueError("`sku` is not a text")
    row = {name: _plain(name, product[name]) for name in _OWN if name in product}
    row.setdefault("sku", None)
    for one in _listed(product, "custom_attributes"):
        code = _plain("attribute_code", _mapping(one).get("attribute_code"))
        if code is not None and code not in row and code != "media_gallery":
            row[code] = _plain(code, _mapping(one).get("value"))
    extra = _mapping(product.get("extension_attributes"))
    for name in ("salable_qty", "map", "msrp", "cost", "parent_sku", "parent_image"):
        if name in product or name in extra:
            row[name] = _plain(name, product.get(name, extra.get(name)))
    row["categories"] = _plain("categories", _categories(product, extra))
    row.update(_images(product))
    for name in _IMAGES:
        if row.get(name) == "no_selection":
            row[name] = None
    row.update(_stock(_mapping(extra.get("stock_item") or product.get("stock_item")), settings))
    for one in _listed(extra, "source_items") or _listed(product, "source_items"):
        item = _mapping(one)
        code = _plain("source_code", item.get("source_code"))
        if code is None:
            raise ValueError("`source_items` has an item without a `source_code`")
        out = _plain("status", item.get("status", True)) == "0"
        row[f"{SOURCE_PREFIX}{code}"] = "0" if out else _plain("quantity", item.get("quantity"))
    return row


def _categories(product: Mapping[str, Any], extra: Mapping[str, Any]) -> list[Any]:
    """Full paths where somebody put them there, else the ids."""
    for name in ("category_paths", "categories"):
        if isinstance(product.get(name), list):
            return _listed(product, name)
    return [_mapping(one).get("category_id") for one in _listed(extra, "category_links")]


def _images(product: Mapping[str, Any]) -> _Cells:
    entries = [_mapping(one) for one in _listed(product, "media_gallery_entries")]
    shown = [one for one in entries if one.get("media_type", "image") == "image" and not one.get("disabled")]
    for one in shown:
        if not isinstance(one.get("position"), Decimal | None):
            raise ValueError("`media_gallery_entries` has a position that is not a number")
    shown.sort(key=lambda one: one.get("position") or Decimal(0))
    files = [(one, file) for one in shown if (file := _plain("file", one.get("file")))]
    found = {"media_gallery": _plain("media_gallery", list(dict.fromkeys(file for _, file in files)))}
    base = next((file for one, file in files if "image" in _listed(one, "types")), None)
    return {**found, "image": base} if base else found


def _stock(item: Mapping[str, Any], settings: StoreSettings) -> _Cells:
    names = ("qty", "is_in_stock", "manage_stock", "backorders", "min_qty")
    row = {name: _plain(name, item[name]) for name in names if name in item}
    # The API resolves the store's setting into `manage_stock`; the others it leaves to whoever asks.
    if item.get("use_config_manage_stock") is True and "manage_stock" not in item:
        row["manage_stock"] = "1" if settings.manage_stock else "0"
    if item.get("use_config_backorders") is True:
        row["backorders"] = str(settings.backorders)
    if item.get("use_config_min_qty") is True:
        row["min_qty"] = f"{settings.min_qty:f}"
    return row


@hookimpl
def merx_connectors() -> list[ProductSource]:
    return [MagentoRest()]
