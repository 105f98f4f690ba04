"""Policies of the kind `order`: what becomes of an order that was placed on a marketplace.

All fields are read and checked. They decide nothing about a product, so there is no program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from merx.engine.expression import Attribute, Expression
from merx.engine.hooks import hookimpl
from merx.engine.policy import Context, Entries, Expected, PolicyType, Problem, Settings, Vocabulary, Word, Words
from merx.engine.types import TEXT

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"({_LABEL}\.)+{_LABEL}", re.ASCII | re.IGNORECASE)
_MAILBOX = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII | re.IGNORECASE)
_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,16}", re.ASCII)


class OrderSettings(Settings):
    """The fields of `order`, in the order in which they are read and checked."""

    create: bool = Field(True, description="Whether orders of the marketplace are created in the store.")
    create_when: Annotated[tuple[str, ...], Vocabulary("marketplace", "statuses")] = Field(
        (),
        description="The marketplace's statuses at which an order comes over. One that is seen later than that still "
        "comes, unless it was cancelled or never paid.",
    )
    sku: Expression | None = Field(
        None,
        description="An attribute to match the marketplace's SKU with, before `sku` itself. Two products that match "
        "hold the order.",
    )
    if_product_missing: Literal["create", "reject"] = Field(
        "reject",
        description="An order for a product that the store does not have: `reject` it, or `create` a disabled, "
        "invisible placeholder and then the order.",
    )
    allow_out_of_stock: bool = Field(False, description="Whether an order for a product that is sold out is created.")
    allow_disabled: bool = Field(False, description="Whether an order for a disabled product is created.")
    taxes: Literal["store", "on_top", "none"] = Field(
        "store",
        description="`store`: the store's tax rates, inside the total, so that the order equals the money received; "
        "`on_top`: added to it; `none`: no taxes.",
    )
    notify: str | None = Field(
        None, description="The e-mail address that hears of each created order; never the buyer's."
    )
    prefix: str = Field("ALIEXP-", description="What order numbers start with.")
    number: Literal["marketplace", "sequence"] = Field(
        "marketplace",
        description="What follows the prefix: the marketplace's order id, or a running number such as 000001.",
    )
    invoice: bool = Field(True, description="Whether the invoice is created when the marketplace says paid.")
    shipment: bool = Field(
        True,
        description="Whether the marketplace is told of shipments: partial ones, parcels, changed tracking numbers.",
    )
    customer: Annotated[Word, Words({"guest": 0, "real": 0, "same": 1})] = Field(
        Word("guest"),
        description="Whose order it is: a `guest`, a `real` account for each buyer, or one for all: "
        '`same("orders@example.com")`.',
    )
    email_domain: str | None = Field(
        None, description="The domain of the addresses made for `real` customers, who come without one."
    )
    statuses: Annotated[Entries, Vocabulary("marketplace", "statuses", to=("store", "statuses"), words=("keep",))] = (
        Field(
            Entries((), "keep"),
            description="Which status of the store each status of the marketplace becomes, as the order moves on; "
            "`keep` leaves it as it is.",
        )
    )
    carriers: Annotated[Entries, Vocabulary("store", "carriers", to=("marketplace", "carriers"), complete=False)] = (
        Field(
            Entries(()),
            description="Which service of the marketplace each carrier of the store is. A shipment whose carrier is "
            "not named, where there is no `else`, waits and says so.",
        )
    )


class Order(PolicyType):
    """From the marketplace's order to the store's, its status, invoice and shipments."""

    kind = "order"
    applies_to = "order"
    fields = OrderSettings

    def expect(self, field: str, given: Mapping[str, Any], context: Context) -> Expected:
        return Expected((TEXT,), optional=True)

    def problems(self, settings: OrderSettings, context: Context) -> Iterable[Problem]:
        yield from creation_problems(settings)
        yield from number_problems(settings)
        yield from address_problems(settings)
        if settings.carriers.pairs and not settings.shipment:
            message = "`carriers` has no effect: shipments are not told"
            yield Problem("M366", message, "carriers", "write `shipment = yes`, or remove the carriers", "warning")


def creation_problems(settings: OrderSettings) -> Iterator[Problem]:
    if settings.create and not settings.create_when:
        help = "add `create_when = [WAIT_SELLER_SEND_GOODS]`, or `create = no`"
        yield Problem("M360", "`create_when` does not say when an order comes over", "create_when", help)
    if settings.sku is not None and not isinstance(settings.sku, Attribute):
        yield Problem("M361", "`sku` is one attribute", "sku", "write `sku = marketplace_sku`")


def number_problems(settings: OrderSettings) -> Iterator[Problem]:
    if not _PREFIX.fullmatch(settings.prefix):
        help = "at most 16 letters, digits, `-` and `_`: it becomes part of a number that other systems read"
        yield Problem("M362", f"`{settings.prefix}` cannot start an order number", "prefix", help)
    elif not settings.prefix and settings.number == "sequence":
        message = "without a `prefix`, running numbers collide with the store's own"
        yield Problem("M362", message, "number", 'add `prefix = "ALIEXP-"`, or number by `marketplace`')


def address_problems(settings: OrderSettings) -> Iterator[Problem]:
    if settings.notify is not None and not is_address(settings.notify):
        yield Problem("M363", f"`{settings.notify}` is not an e-mail address", "notify", "write `you@example.com`")
    customer = settings.customer
    if customer.name == "same" and not is_address(customer.arguments[0]):
        message = f"`{customer.arguments[0]}` is not an e-mail address"
        yield Problem("M363", message, "customer", 'write `same("orders@example.com")`')
    domain = settings.email_domain
    if domain is None and customer.name == "real":
        help = 'add `email_domain = "buyers.example.com"`, a domain of yours: buyers come without an address'
        yield Problem("M364", "a `real` customer needs an `email_domain`", "customer", help)
    elif domain is not None and not _DOMAIN.fullmatch(domain):
        yield Problem("M363", f"`{domain}` is not a domain", "email_domain", "write `buyers.example.com`, without `@`")
    elif domain is not None and customer.name != "real":
        message = "`email_domain` has no effect: only `real` customers get an address"
        yield Problem("M365", message, "email_domain", "remove it, or write `customer = real`", "warning")


def is_address(text: str) -> bool:
    """Whether a text can be an e-mail address: one mailbox, one domain with a dot."""
    mailbox, at, domain = text.rpartition("@")
    plausible = _MAILBOX.fullmatch(mailbox) is not None and _DOMAIN.fullmatch(domain) is not None
    return bool(at) and plausible and len(mailbox) <= 64 and len(text) <= 254


@hookimpl
def merx_policy_types() -> Iterable[PolicyType]:
    return [Order()]
