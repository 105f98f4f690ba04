"""Listings or orders of the sandbox come in; a small page for a person to look at goes out. Nothing in it is trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

TYPE = "text/html; charset=utf-8"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src http: https:"
"""The page's Content-Security-Policy: whatever text slips through, nothing runs."""

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --faint: #888; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
header { display: flex; gap: 1.5rem; align-items: baseline; margin-bottom: 1.5rem; }
h1 { font-size: 1.1rem; margin: 0; }
a { color: inherit; }
a[aria-current] { font-weight: 600; text-decoration: none; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 500; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td { overflow-wrap: anywhere; }
s, .faint { color: var(--faint); }
img { max-width: 4rem; max-height: 4rem; }
"""


def listings_page(listings: Sequence[Mapping[str, Any]], more: bool) -> bytes:
    """more: whether there are further ones behind these."""
    rows = [_listing(one["sku"], one["values"], one["details"]) for one in listings]
    heads = ("Image", "SKU", "Name", "Listing", "#Price", "#Quantity")
    next_page = f"/?after={quote(listings[-1]['sku'], safe='')}" if more else None
    return _page("Listings", heads, rows, "Nothing is listed yet.", next_page)


def _listing(sku: str, values: Mapping[str, Any], details: Mapping[str, Any]) -> Iterable[str]:
    return (
        _image(values["main_image"] or next(iter(values["images"] or ()), "")),
        escape(sku),
        escape(details.get("name") or ""),
        escape(values["listing"] or ""),
        _price(values["price"], values["sale_price"], values["currency"]),
        "" if values["quantity"] is None else str(values["quantity"]),
    )


def _image(address: str) -> str:
    if address.startswith(("https://", "http://")):
        return f'<img src="{escape(address)}" alt="" loading="lazy" referrerpolicy="no-referrer">'
    return f'<span class="faint">{escape(address)}</span>'


def _price(price: str | None, sale_price: str | None, currency: str | None) -> str:
    unit = escape(currency or "")
    if price is None:
        return ""
    if sale_price is None:
        return f"{escape(price)} {unit}"
    return f"<s>{escape(price)}</s> {escape(sale_price)} {unit}"


def orders_page(orders: Sequence[Mapping[str, Any]], more: bool) -> bytes:
    """more: whether there are further ones behind these."""
    rows = [
        (
            escape(one["id"]),
            escape(one["placed_at"]),
            escape(one["status"]),
            escape(", ".join(one["buyer"].values())),
            "<br>".join(f"{line['quantity']} × {escape(line['sku'])}" for line in one["lines"]),
            f"{escape(one['total'])} {escape(one['currency'])}",
        )
        for one in orders
    ]
    heads = ("Order", "Placed", "Status", "Buyer", "Lines", "#Total")
    return _page(
        "Orders", heads, rows, "Nothing was ordered yet.", f"/orders?after={orders[-1]['id']}" if more else None
    )


def _page(title: str, heads: Sequence[str], rows: Sequence[Iterable[str]], empty: str, next_page: str | None) -> bytes:
    """heads: one that begins with # is of a column of numbers. The cells are HTML."""
    kinds = [' class="number"' if head.startswith("#") else "" for head in heads]
    head = "".join(f"<th{kind}>{name.lstrip('#')}</th>" for kind, name in zip(kinds, heads, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{cell}</td>' for kind, cell in zip(kinds, row, strict=True))}</tr>\n" for row in rows
    )
    tabs = "".join(
        f'<a href="{href}"{" aria-current=page" if name == title else ""}>{name}</a>'
        for name, href in (("Listings", "/"), ("Orders", "/orders"))
    )
    shown = f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>" if rows else f"<p>{empty}</p>"
    onward = f'<p><a rel="next" href="{escape(next_page)}">Next page</a></p>' if next_page else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title} · merx sandbox</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body><header><h1>merx sandbox</h1>{tabs}</header>\n{shown}\n{onward}</body></html>\n"
    ).encode()
