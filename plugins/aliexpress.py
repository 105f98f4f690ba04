"""AliExpress as a marketplace: the statuses of its orders, and the bounds of what it takes.

It names no carriers. Which services a seller may ship with depends on the seller and on the day, and AliExpress lists
them to that seller alone (`SPAIN_LOCAL_CORREOS`; `OTHER_ES_LOCAL` and `OTHER_ES_OVERSEAS` for one it does not know). So
`carriers` takes any service here, and what is shipped is held against the seller's own list.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from merx.engine.hooks import Connector, Marketplace, Status, hookimpl
from merx.engine.policy import Bounds

NAME = "AliExpress"

STATUSES = (
    Status("PLACE_ORDER_SUCCESS", "placed, waiting for the buyer to pay", "pre-payment"),
    Status("PAYMENT_PROCESSING", "the payment is being processed", "pre-payment"),
    Status("WAIT_SELLER_EXAMINE_MONEY", "the seller has to confirm the amount", "pre-payment"),
    Status("RISK_CONTROL", "paid, checked by the platform for up to 24 hours: do not ship", "risk"),
    Status("RISK_CONTROL_HOLD", "paid, held by the platform's check: do not ship", "risk"),
    Status("WAIT_SELLER_SEND_GOODS", "paid and cleared, to be shipped within the lead time", "to-ship"),
    Status("SELLER_PART_SEND_GOODS", "partly shipped", "to-ship"),
    Status("WAIT_BUYER_ACCEPT_GOODS", "all shipped, waiting for the buyer to confirm", "shipped"),
    Status("FUND_PROCESSING", "received, the money is being settled", "after-sale"),
    Status("IN_CANCEL", "the buyer asked to cancel", "exception"),
    Status("IN_ISSUE", "a dispute is open", "exception"),
    Status("IN_FROZEN", "frozen by the platform: do not ship", "exception"),
    Status("FINISH", "ended: completed, cancelled or expired, which only payment and end reason tell", "end"),
    Status("ARCHIVE", "archived after it ended", "end"),
)

BOUNDS = {
    "price": Bounds(NAME, Decimal("0.01"), Decimal(100_000)),
    "quantity": Bounds(NAME, Decimal(0), Decimal(999_999)),
    "images": Bounds(NAME, None, Decimal(6)),
}


@hookimpl
def merx_connectors() -> Iterable[Connector]:
    doc = "AliExpress: order statuses, and the bounds of prices, quantities and images."
    return [Marketplace(name="aliexpress", doc=doc, statuses=STATUSES, bounds=BOUNDS)]
