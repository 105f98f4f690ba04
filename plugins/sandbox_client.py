"""Batches of offers come in; calls to a sandbox go out, and its answers come back as what merx knows."""

from __future__ import annotations

import datetime
import email.utils
import json
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from merx.engine.marketplace import Batch, Denied, Exchange, Limits, Offer, Refusal, Setup, Unavailable
from merx.engine.secret import masked
from merx.engine.types import Value

if TYPE_CHECKING:
    from merx.plugins.sandbox_server import SandboxServer

_PAGE = 500


class SandboxConnection:
    """An open account at a sandbox: a `merx.engine.marketplace.Connection`, and what the commands for it ask besides.

    server: of its own, closed with it. Every call raises Unavailable and Denied.
    """

    def __init__(
        self, setup: Setup, address: str, token: str | None, limits: Limits, server: SandboxServer | None = None
    ) -> None:
        self.address = address
        self._limits = limits
        self._record = setup.record
        self._server = server
        # A token can come back to us in another dress than it left in.
        self._secrets = () if token is None else (token, json.dumps(token)[1:-1], quote(token, safe=""))
        headers = {"Accept": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
        # What the environment says of proxies is for other machines.
        self._http = httpx.Client(base_url=address, headers=headers, timeout=setup.timeout, trust_env=False)

    @property
    def limits(self) -> Limits:
        return self._limits

    def publish(self, batch: Batch) -> tuple[Refusal, ...]:
        offers = [
            {"sku": one.sku, "values": wire_values(one.values), "details": dict(one.details)} for one in batch.offers
        ]
        skus = tuple(one.sku for one in batch.offers)
        body = {"key": batch.key, "operation": batch.operation, "offers": offers}
        answer = self._call(batch.operation, "POST", "/v1/offers", body, skus)
        with _understood(self):
            refusals = tuple(
                Refusal(str(one["sku"]), str(one["code"]), self._masked(str(one["message"])))
                for one in answer["refusals"]
            )
            if not {one.sku for one in refusals} <= set(skus):
                raise ValueError("it refuses what was not sent")
        return refusals

    def shown(self) -> Iterator[Offer]:
        after: str | None = ""
        while after is not None:
            offers, after = self.page(after)
            yield from offers

    def page(self, after: str) -> tuple[tuple[Offer, ...], str | None]:
        """Some listings behind this SKU, and the SKU to go on from; None when these are the last."""
        answer = self._call("listings", "GET", f"/v1/listings?after={quote(after, safe='')}&limit={_PAGE}")
        with _understood(self):
            offers = tuple(_offer(one) for one in answer["listings"])
            onward: str | None = answer["next"]
            if onward is not None and (not isinstance(onward, str) or onward <= after):
                raise ValueError("its pages do not go on")
        return offers, onward

    def place_order(
        self, key: str, lines: Mapping[str, int], buyer: Mapping[str, str], status: str = "paid"
    ) -> dict[str, Any]:
        """Buys. key: the same each time this order is sent. Returns the order as the wire has it, amounts as texts."""
        sold = [{"sku": sku, "quantity": pieces} for sku, pieces in lines.items()]
        body = {"key": key, "status": status, "buyer": dict(buyer), "lines": sold}
        return self._object(self._call("order", "POST", "/v1/orders", body, tuple(lines)))

    def orders_page(self, after: str) -> tuple[list[dict[str, Any]], str | None]:
        """Some orders after the one with this id (`0`: from the first), as the wire has them, and the id to go on from."""
        answer = self._object(self._call("orders", "GET", f"/v1/orders?after={quote(after, safe='')}&limit={_PAGE}"))
        with _understood(self):
            return list(answer["orders"]), answer["next"]

    def faults(self) -> dict[str, Any]:
        """`probabilities`, `seed`, `hang`, and how many of each were `delivered`."""
        return self._object(self._call("faults", "GET", "/v1/faults"))

    def set_faults(self, faults: Mapping[str, Any]) -> dict[str, Any]:
        return self._object(self._call("faults", "PUT", "/v1/faults", faults))

    def reset(self) -> None:
        """Makes the sandbox forget everything."""
        self._call("reset", "POST", "/v1/reset", {})

    def close(self) -> None:
        self._http.close()
        if self._server is not None:
            self._server.close()

    def _masked(self, text: str) -> str:
        return masked(text, self._secrets)

    def _call(
        self, operation: str, method: str, path: str, body: Mapping[str, Any] | None = None, skus: tuple[str, ...] = ()
    ) -> Any:
        """The answer's JSON, with numbers exact."""
        request = "" if body is None else json.dumps(body, ensure_ascii=False)
        started = time.monotonic()
        status, text = None, ""
        try:
            content = request.encode() if body is not None else None
            headers = {"Content-Type": "application/json"} if body is not None else {}
            answer = self._http.request(method, path, content=content, headers=headers)
            status, text = answer.status_code, answer.text
        except httpx.RequestError as error:
            raise Unavailable(self._masked(_why(error, self.address))) from None
        finally:
            seconds = time.monotonic() - started
            address = self._masked(f"{method} {self.address}{path}")
            sent, came = self._masked(request), self._masked(text)
            self._record(Exchange(operation, address, sent, came, status, seconds, skus))
        return self._accepted(answer)

    def _accepted(self, answer: httpx.Response) -> Any:
        """The JSON of an answer that is one. Raises Unavailable, Denied."""
        status, told = answer.status_code, self._masked(_told(answer))
        if status == 429 or status >= 500:
            raise Unavailable(f"{self.address} answers {status}: {told}", _retry_after(answer))
        if status in {401, 403}:
            message = f"{self.address} does not let this account in: {told}"
            raise Denied(message, 'check the account\'s `token` in merx.toml: `token = { env = "NAME" }`')
        if status >= 400:
            raise Denied(f"{self.address} refuses the call ({status}): {told}")
        if status not in {200, 201}:
            raise Denied(f"{self.address} answers {status}, as no sandbox does: {told}", _CHECK)
        if "json" not in answer.headers.get("Content-Type", ""):
            raise Denied(f"{self.address} does not answer as a sandbox does: {told}", _CHECK)
        try:
            return json.loads(answer.content, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise Unavailable(f"the answer of {self.address} is not whole") from None

    def _object(self, found: Any) -> dict[str, Any]:
        with _understood(self):
            if not isinstance(found, dict):
                raise TypeError("it is no object")
            return found


_CHECK = "check the account's `address` in merx.toml"


class _understood:
    """An answer that is not made as a sandbox's, in the body, is Denied."""

    def __init__(self, connection: SandboxConnection) -> None:
        self._address = connection.address

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | ArithmeticError | AttributeError):
            raise Denied(f"{self._address} does not answer as a sandbox does", _CHECK) from None


def _why(error: httpx.RequestError, address: str) -> str:
    match error:
        case httpx.ConnectTimeout() | httpx.ConnectError():
            return f"{address} cannot be reached"
        case httpx.TimeoutException():
            return f"{address} does not answer in time"
        case httpx.RemoteProtocolError() | httpx.NetworkError():
            return f"{address} closed the connection before it answered"
    return f"the call to {address} did not come through: {str(error).lower() or type(error).__name__}"


def _told(answer: httpx.Response) -> str:
    """What the answer says in words, one line of it."""
    try:
        return str(json.loads(answer.content)["error"]["message"])
    except (ValueError, RecursionError, KeyError, TypeError):
        pass
    if "Location" in answer.headers:
        return f"it sends on to {answer.headers['Location']}"
    words = " ".join(answer.text.split()) or answer.reason_phrase.lower()
    return words if len(words) <= 80 else f"{words[:80]}…"


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds to wait, of either form of the header (RFC 9110, 10.2.3); None without one that can be read."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    moment = moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - datetime.datetime.now(datetime.UTC)).total_seconds())


_AMOUNTS = ("price", "sale_price")


def wire_values(values: Mapping[str, Value]) -> dict[str, Any]:
    """Values as the sandbox takes them: amounts as exact texts, a quantity as a whole number."""
    return {name: _wire(name, value) for name, value in values.items()}


def _wire(name: str, value: Value) -> Any:
    match value:
        case Decimal() if name in _AMOUNTS:
            return f"{value:f}"
        case Decimal() if name == "quantity":
            return int(value) if value == value.to_integral_value() else f"{value:f}"
        case Decimal():
            return {"number": f"{value:f}"}
        case datetime.date():
            return {"date": value.isoformat()}
        case tuple():
            return [_wire("", one) for one in value]
    return value


def _offer(given: Mapping[str, Any]) -> Offer:
    values = {name: _value(name, one) for name, one in given["values"].items()}
    return Offer(str(given["sku"]), values, dict(given["details"]))


def _value(name: str, given: Any) -> Value:
    """What `_wire` made of a value, back. Raises ValueError, TypeError, KeyError, ArithmeticError."""
    match given:
        case str() if name in _AMOUNTS:
            return Decimal(given)
        case None | str() | bool():
            return given
        case int() if name == "quantity":
            return Decimal(given)
        case {"number": str(number)}:
            return Decimal(number)
        case {"date": str(day)}:
            return datetime.date.fromisoformat(day)
        case list():
            return tuple(_value("", one) for one in given)
    raise ValueError("no value of merx's")
