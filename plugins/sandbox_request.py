"""The body of a request comes in; the batch or the order that it says goes out. Nothing of it has been looked up yet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from merx.engine.marketplace import Operation
from merx.plugins.sandbox import STATUSES

_STATUSES = tuple(one.code for one in STATUSES)
_LONGEST_SKU = 255
_MOST_PIECES = 999_999


class Wrong(Exception):
    """The request as a whole is not one. status: of the answer; code: one word of the wire; message: for the merchant."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class OffersSent:
    """offers: each `sku`, `values` and `details`, the last two objects whose values are not yet looked at."""

    key: str
    operation: Operation
    offers: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class OrderSent:
    """lines: SKU → pieces, at least one each. key: as a batch's, None without one."""

    key: str | None
    status: str
    buyer: Mapping[str, str]
    lines: Mapping[str, int]


def read_batch(body: bytes, most: int) -> OffersSent:
    """most: offers that are taken at once. Raises Wrong."""
    given = _object(body, {"key", "operation", "offers"})
    key, operation, offers = given.get("key"), given.get("operation"), given.get("offers")
    if not isinstance(key, str) or not key:
        raise Wrong("wrong_request", "`key` is the batch's own text, the same each time it is sent")
    if operation not in get_args(Operation):
        raise Wrong("wrong_request", f"`operation` is one of {', '.join(get_args(Operation))}")
    if not isinstance(offers, list):
        raise Wrong("wrong_request", "`offers` is a list")
    if len(offers) > most:
        raise Wrong("batch_too_large", f"a call takes at most {most} offers, and these are {len(offers)}", 413)
    read = [_offer(one) for one in offers]
    if len({one["sku"] for one in read}) < len(read):
        raise Wrong("wrong_request", "a SKU stands twice among the offers")
    return OffersSent(key, cast(Operation, operation), read)


def _offer(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or given.keys() - {"sku", "values", "details"}:
        raise Wrong("wrong_request", "an offer is an object of `sku`, `values` and `details`")
    values, details = given.get("values", {}), given.get("details", {})
    if not isinstance(values, dict):
        raise Wrong("wrong_request", "`values` is an object")
    if not isinstance(details, dict) or not all(isinstance(one, str | None) for one in details.values()):
        raise Wrong("wrong_request", "`details` is an object of texts")
    return {"sku": _sku(given.get("sku")), "values": values, "details": details}


def _sku(given: Any) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= _LONGEST_SKU:
        raise Wrong("wrong_request", f"`sku` is a text of at most {_LONGEST_SKU} characters")
    return given


def read_order(body: bytes) -> OrderSent:
    """Raises Wrong."""
    given = _object(body, {"key", "status", "buyer", "lines"})
    key, status, buyer, lines = (
        given.get("key"),
        given.get("status", "paid"),
        given.get("buyer", {}),
        given.get("lines"),
    )
    if not isinstance(key, str | None):
        raise Wrong("wrong_request", "`key` is the order's own text, the same each time it is sent")
    if status not in _STATUSES:
        raise Wrong("wrong_request", f"`status` is one of {', '.join(_STATUSES)}")
    if not isinstance(buyer, dict) or not all(isinstance(one, str) for one in buyer.values()):
        raise Wrong("wrong_request", "`buyer` is an object of texts")
    if not isinstance(lines, list) or not lines:
        raise Wrong("wrong_request", "`lines` is a list with at least one line")
    return OrderSent(key, status, buyer, _lines(lines))


def _lines(given: list[Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in given:
        if not isinstance(one, dict) or one.keys() - {"sku", "quantity"}:
            raise Wrong("wrong_request", "a line is an object of `sku` and `quantity`")
        pieces = one.get("quantity", 1)
        if not isinstance(pieces, int) or isinstance(pieces, bool) or not 0 < pieces <= _MOST_PIECES:
            raise Wrong("wrong_request", f"`quantity` is a whole number within 1 to {_MOST_PIECES}")
        sku = _sku(one.get("sku"))
        found[sku] = found.get(sku, 0) + pieces
    return found


def whole_number(query: Mapping[str, str], name: str, otherwise: int) -> int:
    """Raises Wrong."""
    text = query.get(name, str(otherwise))
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Wrong("wrong_request", f"`{name}` is a whole number")
    return int(text)


def _no_fraction(text: str) -> Any:
    raise ValueError(f"the number {text[:40]} has a fraction or an exponent: write it as a text")


def _object(body: bytes, names: set[str]) -> dict[str, Any]:
    try:
        given = json.loads(body, parse_float=_no_fraction, parse_constant=_no_fraction)
        # What is no character can be written in JSON and in no other text.
        json.dumps(given, ensure_ascii=False).encode()
    except UnicodeError:
        raise Wrong("not_text", "the request holds what is no text") from None
    except (ValueError, RecursionError) as error:
        raise Wrong("not_json", f"the request is not JSON as it is taken here: {error}") from None
    if not isinstance(given, dict):
        raise Wrong("wrong_request", "a request is an object")
    if unknown := sorted(given.keys() - names):
        raise Wrong("wrong_request", f"a request has no `{unknown[0]}`")
    return given
