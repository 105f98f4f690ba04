"""Magento 2 and Adobe Commerce as a store: what its orders can be, and how it calls its carriers.

The statuses are the ones that a new installation has (`InstallOrderStatusesAndInitialSalesConfig`), in Magento's own
spelling: `canceled`, `holded`. A shop may have made more.
"""

from __future__ import annotations

from collections.abc import Iterable

from merx.engine.hooks import Connector, Status, Store, hookimpl

STATUSES = (
    Status("pending", "placed, nothing done yet", "new"),
    Status("pending_payment", "placed, waiting for the payment", "pending_payment"),
    Status("processing", "paid or invoiced, to be shipped", "processing"),
    Status("fraud", "suspected of fraud; may stand under `payment_review` too", "processing"),
    Status("complete", "invoiced and shipped", "complete"),
    Status("closed", "refunded", "closed"),
    Status("canceled", "canceled before it was invoiced", "canceled"),
    Status("holded", "on hold: nothing can be done until it is released", "holded"),
    Status("payment_review", "the payment is being reviewed", "payment_review"),
)

CARRIERS = ("custom", "dhl", "fedex", "flatrate", "freeshipping", "instore", "tablerate", "ups", "usps")
"""Carrier codes of Magento's own shipping methods; `custom` is what a shipment has whose carrier was typed in."""


@hookimpl
def merx_connectors() -> Iterable[Connector]:
    doc = "Magento 2 and Adobe Commerce: order statuses and the carriers of its own shipping methods."
    return [Store(name="magento", doc=doc, statuses=STATUSES, carriers=CARRIERS)]
