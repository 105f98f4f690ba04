"""What a new project is to be comes in; the texts of its files go out. Nothing is read or written here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from merx.engine.project import FILE
from merx.engine.state import FOLDER

IGNORED = f"{FOLDER}/"
"""The line of .gitignore: the state belongs to this machine, and never into a repository."""


@dataclass(frozen=True, slots=True)
class NewProject:
    """products: the product file, relative to the project's folder; None without one. catalog: the text of its `catalog`
    block. account: a title without quotes and backslashes."""

    currency: str
    account: str
    products: str | None = None
    catalog: str | None = None

    def texts(self) -> Mapping[str, str]:
        """Path below the project's folder → text, in the order in which they are written: merx.toml, which makes the folder
        a project, is the last."""
        catalog = {} if self.catalog is None else {"rules/catalog.merx": self.catalog}
        return {
            **catalog,
            "rules/policies.merx": _policies(),
            "rules/listings.merx": _LISTINGS.replace("ACCOUNT", self.account),
            FILE: self._toml(),
        }

    def _toml(self) -> str:
        given = "products.csv" if self.products is None else self.products
        products = f"{'# ' if self.products is None else ''}products = {json.dumps(given, ensure_ascii=False)}"
        return _TOML.replace("PRODUCTS", products).replace("CURRENCY", self.currency).replace("ACCOUNT", self.account)


def ignoring(text: str) -> str:
    """The text of a .gitignore that leaves the state out, whatever else it says."""
    if {IGNORED, FOLDER, f"/{IGNORED}", f"/{FOLDER}"} & {line.strip() for line in text.splitlines()}:
        return text
    return text + ("\n" if text and not text.endswith("\n") else "") + f"{IGNORED}\n"


def _policies() -> str:
    """The starter policies; that of the orders, which speaks of another marketplace's statuses, with the sandbox's."""
    from merx.engine.load import parse_text
    from merx.engine.titles import blocks

    text = files("merx.rules").joinpath("starter.merx").read_text(encoding="utf-8")
    [order] = blocks(parse_text(text, "starter.merx")[0], "order")
    whole = text[: order.span.start] + _ORDER + text[order.span.end :]
    _, blank, policies = whole.partition("\n\n")
    assert blank
    return f"{_HEAD}\n{policies}"


_TOML = """\
# A project of merx. Paths are relative to this file; every setting may be left out.

rules    = ["rules"]  # rule files, and folders of them
PRODUCTS  # what `merx plan` takes its snapshots of
currency = "CURRENCY"  # of the prices, where the product file does not tell

# Rails: what `merx apply` refuses to send unless `--allow` names it. First publications do not count.
# [safety]
# max_changed    = "20%"  # how many of the published products may change at once
# max_price_move = "30%"  # how far one product's price may move
# max_held       = "10%"  # how many of the published products may be held

# What the connector of an account is told. Without an address a sandbox is the project's own, below `.merx`.
# [accounts."ACCOUNT"]
# address = "http://127.0.0.1:8330"
# token   = { env = "MERX_TOKEN" }  # the environment variable that holds the secret
"""

_HEAD = """\
# One policy of each kind, to begin with. A listing names the pricing, inventory and image policies it wants, an account its
# order and synchronization policy. `merx policies list` shows them all.
"""

_ORDER = """\
order "Starter orders" {
  create             = yes
  create_when        = [paid]
  if_product_missing = reject
  prefix             = "SANDBOX-"
  customer           = guest
  statuses {
    placed    -> "pending_payment"
    paid      -> "processing"
    shipped   -> "complete"
    completed -> "complete"
    cancelled -> "canceled"
    else      -> keep
  }
}"""

_LISTINGS = """\
# Which products go where. Where several listings take a product, the one of the highest priority has it.

listing "Everything" {
  assign    = yes  # or a query: price > 20 and categories has any ["Default Category/Bags"]
  pricing   = "Starter price"
  inventory = "Starter stock"
  image     = "Starter images"
}

account "ACCOUNT" {
  connector       = sandbox  # a marketplace on this machine: `merx sandbox listings` shows what it offers
  listings        = ["Everything"]
  order           = "Starter orders"
  synchronization = "Starter sync"
}
"""
