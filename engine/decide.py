"""One product comes in; the listing it belongs to, its outcomes and their reasons go out: the twin of `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from merx.engine import interpret
from merx.engine.fault import Fault, reason
from merx.engine.prepare import Prepared, Taker
from merx.engine.rules import Listing
from merx.engine.types import Value


@dataclass(frozen=True, slots=True)
class Choice:
    """taker: None where no listing takes the product, or where that cannot be told; then reasons say why."""

    taker: Taker | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one product. status: `ready`, `held` or `unlisted`. values: outcome → value, None where nothing
    sets it or it is held."""

    listing: str | None
    status: str
    reasons: tuple[str, ...]
    values: Mapping[str, Value]


def choose(prepared: Prepared, product: Mapping[str, Value]) -> Choice:
    """The listing that takes the product: a hand-picked SKU first, then the queries by priority."""
    sku = product.get("sku")
    for group in prepared.groups:
        picked = [listing for listing in group if sku in listing.products]
        if picked:
            return _taken(prepared, picked)
    for group in prepared.groups:
        matching: list[Listing] = []
        faults: list[str] = []
        for listing in group:
            if listing.assign is None:
                continue
            try:
                if interpret.evaluate(listing.assign, product, today=prepared.day):
                    matching.append(listing)
            except Fault as fault:
                faults.append(reason("listing", fault.message, fault.span or listing.span))
        if faults:
            return Choice(None, tuple(faults))
        if matching:
            return _taken(prepared, matching)
    return Choice(None)


def _taken(prepared: Prepared, listings: list[Listing]) -> Choice:
    taker = prepared.taker(listings)
    return Choice(taker, (taker.reason,) if taker.reason else ())


def decide(prepared: Prepared, product: Mapping[str, Value]) -> Decision:
    """The outcome of every policy that applies to the product."""
    choice = choose(prepared, product)
    values: dict[str, Value] = dict.fromkeys(prepared.outcomes)
    reasons = list(choice.reasons)
    if choice.taker is not None:
        for decided in choice.taker.decided.values():
            outcome = interpret.run(decided.program, product, today=prepared.day)
            values.update(outcome.values)
            if outcome.reason is not None:
                reasons.append(outcome.reason)
    status = "held" if reasons else "unlisted" if choice.taker is None else "ready"
    return Decision(choice.taker.title if choice.taker else None, status, tuple(reasons), values)
