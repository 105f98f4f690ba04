"""One product and what decides it come in; the trace of the whole decision goes out."""

from __future__ import annotations

from merx.engine.decide import choose, decide
from merx.engine.interpret import Product
from merx.engine.prepare import Prepared
from merx.engine.trace import ListingTrace, Trace, explain_listing, explain_program


def explain(prepared: Prepared, product: Product) -> Trace:
    """How the product comes to its listing and its outcomes, and what kept the listings that were asked from it."""
    choice = choose(prepared, product)
    decision = decide(prepared, product)
    programs = tuple(
        explain_program(
            decided.program, product, today=prepared.day, kind=decided.policy.kind, title=decided.policy.title
        )
        for decided in (choice.taker.decided.values() if choice.taker is not None else ())
    )
    values: dict[str, str | None] = dict.fromkeys(prepared.outcomes)
    for one in programs:
        values.update(one.values)
    return Trace(
        str(product.get("sku") or ""),
        decision.listing,
        decision.status,
        decision.reasons,
        tuple(_listings(prepared, product)),
        programs,
        values,
    )


def _listings(prepared: Prepared, product: Product) -> list[ListingTrace]:
    """Every listing that was asked: by priority, up to the group that decided."""
    sku = product.get("sku")
    groups = prepared.groups
    picking = [group for group in groups if any(sku in listing.products for listing in group)]
    found: list[ListingTrace] = []
    for group in picking[:1] or groups:
        asked = [
            explain_listing(
                title=listing.title,
                priority=listing.priority,
                assign=listing.assign,
                picked=sku in listing.products,
                span=listing.span,
                product=product,
                today=prepared.day,
            )
            for listing in group
            if not picking or sku in listing.products
        ]
        found += asked
        if any(one.took or (one.condition is not None and one.condition.holds is None) for one in asked):
            break
    return found
