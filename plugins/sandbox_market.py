"""A request of the sandbox comes in; what a marketplace would answer goes out, from what is in its store.

The laws about an offer are in `merx.plugins.sandbox_offer`; the wire is described in docs/operators.md.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from merx.plugins import sandbox_page as page
from merx.plugins.sandbox_faults import read_faults
from merx.plugins.sandbox_offer import Refused
from merx.plugins.sandbox_request import Wrong, read_batch, read_order, whole_number
from merx.plugins.sandbox_store import SandboxStore

BATCH = 100
"""Offers of a call, at most, where nothing else is said."""

MOST = 500
"""Listings or orders in an answer, at most, whatever the request asks for."""

_PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def _told(status: int, found: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(found, ensure_ascii=False).encode(), headers=headers or {})


def failed(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    return _told(status, {"error": {"code": code, "message": message}}, headers)


def too_many(wait: float) -> Answer:
    """wait: seconds until the next request is let through."""
    return failed(429, "too_many_requests", "too many requests", {"Retry-After": str(math.ceil(wait))})


def unusable(error: sqlite3.Error) -> Answer:
    return failed(500, "unusable_file", f"the sandbox's file cannot be used: {error}")


def delivered_twice(answer: Answer) -> Answer:
    """The answer with its first order once more, as marketplaces deliver some; any other as it is."""
    found = json.loads(answer.body)
    if orders := found.get("orders"):
        return replace(answer, body=_told(200, {**found, "orders": [orders[0], *orders]}).body)
    return answer


class _Bucket:
    """Tokens that come in at a rate; a request takes one, or is told how long to wait."""

    def __init__(self, per_second: float | None) -> None:
        self._rate = per_second
        self._most = max(1.0, per_second or 1.0)
        self._tokens = self._most
        self._seen = time.monotonic()
        self._turn = threading.Lock()

    def wait(self) -> float:
        """Seconds until a request is let through; 0 for one that is, and then has taken its token."""
        if self._rate is None:
            return 0.0
        with self._turn:
            now = time.monotonic()
            self._tokens = min(self._most, self._tokens + (now - self._seen) * self._rate)
            self._seen = now
            if self._tokens >= 1:
                self._tokens -= 1
                return 0.0
            return (1 - self._tokens) / self._rate


class Sandbox:
    """What each request comes to. token: what requests have to bear, None for none. batch: offers of a call, at most.
    per_second: calls, on average; None is unlimited."""

    def __init__(self, store: SandboxStore, token: str | None, batch: int, per_second: float | None) -> None:
        self.store = store
        self._token = token
        self._batch = batch
        self._per_second = per_second
        self._bucket = _Bucket(per_second)
        self._routes: Mapping[tuple[str, str], Callable[[Mapping[str, str], bytes], Answer]] = {
            ("POST", "/v1/offers"): self._publish,
            ("GET", "/v1/listings"): self._listings,
            ("POST", "/v1/orders"): self._place,
            ("GET", "/v1/orders"): self._orders,
            ("GET", "/v1/faults"): self._faults,
            ("PUT", "/v1/faults"): self._set_faults,
            ("POST", "/v1/reset"): self._reset,
            ("GET", "/v1/health"): self._health,
            ("GET", "/"): self._listings_page,
            ("GET", "/orders"): self._orders_page,
        }

    def turned_away(self, method: str, path: str, authorization: str | None) -> Answer | None:
        """Why the request is not carried out, None where it is: nobody's route, a wrong token, too many requests."""
        methods = sorted(one for one, route in self._routes if route == path)
        if not methods:
            return failed(404, "no_such_path", f"there is nothing at {path}")
        if method not in methods:
            return failed(405, "wrong_method", f"{path} takes {' and '.join(methods)}", {"Allow": ", ".join(methods)})
        if path != "/v1/health" and not self._authorized(authorization):
            kind = "Bearer" if path.startswith("/v1/") else "Basic"
            challenge = {"WWW-Authenticate": f'{kind} realm="merx sandbox"'}
            return failed(401, "wrong_token", "the token is missing or wrong", challenge)
        if self.market(path) and (wait := self._bucket.wait()):
            return too_many(wait)
        return None

    @staticmethod
    def market(path: str) -> bool:
        """Whether the path is the marketplace's own, with a rate limit and faults, and not one to look at it with."""
        return path in {"/v1/offers", "/v1/listings", "/v1/orders"}

    def _authorized(self, authorization: str | None) -> bool:
        if self._token is None:
            return True
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() == "basic":
            # What a browser sends for its user, who gives the token as password.
            with contextlib.suppress(ValueError):
                given = base64.b64decode(given).decode().partition(":")[2]
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token.encode())

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        """Carries the request out."""
        try:
            return self._routes[method, path](query, body)
        except Wrong as wrong:
            return failed(wrong.status, wrong.code, wrong.message)
        except Refused as refused:
            return failed(409, refused.code, refused.message)
        except sqlite3.Error as error:
            return unusable(error)

    def _publish(self, query: Mapping[str, str], body: bytes) -> Answer:
        batch = read_batch(body, self._batch)
        return _told(200, self.store.publish(batch.key, batch.operation, batch.offers))

    def _listings(self, query: Mapping[str, str], body: bytes) -> Answer:
        limit = _limit(query)
        found = self.store.listings(query.get("after", ""), limit)
        return _told(200, {"listings": found, "next": found[-1]["sku"] if len(found) == limit else None})

    def _place(self, query: Mapping[str, str], body: bytes) -> Answer:
        order = read_order(body)
        return _told(201, self.store.place(order.key, order.status, order.buyer, order.lines))

    def _orders(self, query: Mapping[str, str], body: bytes) -> Answer:
        limit = _limit(query)
        found = self.store.orders(whole_number(query, "after", 0), limit)
        return _told(200, {"orders": found, "next": found[-1]["id"] if len(found) == limit else None})

    def _faults(self, query: Mapping[str, str], body: bytes) -> Answer:
        faults = self.store.faults()
        settings = {"probabilities": dict(faults.probabilities), "seed": faults.seed, "hang": faults.hang}
        return _told(200, {**settings, "delivered": self.store.delivered()})

    def _set_faults(self, query: Mapping[str, str], body: bytes) -> Answer:
        try:
            given = json.loads(body)
            faults = read_faults(given, self.store.faults())
        except (ValueError, RecursionError) as error:
            raise Wrong("wrong_faults", str(error)) from None
        self.store.set_faults(faults, anew="seed" in given)
        return self._faults(query, body)

    def _reset(self, query: Mapping[str, str], body: bytes) -> Answer:
        self.store.reset()
        return self._health(query, body)

    def _health(self, query: Mapping[str, str], body: bytes) -> Answer:
        listings, orders = self.store.counts()
        limits = {"batch": self._batch, "per_second": self._per_second}
        return _told(200, {"status": "ok", "listings": listings, "orders": orders, **limits})

    def _listings_page(self, query: Mapping[str, str], body: bytes) -> Answer:
        found = self.store.listings(query.get("after", ""), _PAGE_ROWS + 1)
        return Answer(200, page.listings_page(found[:_PAGE_ROWS], len(found) > _PAGE_ROWS), page.TYPE)

    def _orders_page(self, query: Mapping[str, str], body: bytes) -> Answer:
        found = self.store.orders(whole_number(query, "after", 0), _PAGE_ROWS + 1)
        return Answer(200, page.orders_page(found[:_PAGE_ROWS], len(found) > _PAGE_ROWS), page.TYPE)


def _limit(query: Mapping[str, str]) -> int:
    return min(max(whole_number(query, "limit", MOST), 1), MOST)
