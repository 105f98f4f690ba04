"""What an account's policies say about when and how its products are published, as the engine needs it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from merx.engine.policy import Interval

JOBS = ("assign", "upload", "update", "inventory_price")
"""In the order in which they run where several are due: a product is assigned before it is uploaded."""

SOLD = ("price", "sale_price", "currency", "quantity")
"""The outcomes that `inventory_price` sends; every other is a detail, which `update` sends."""

PRICED = ("price", "sale_price", "currency")
"""The outcomes that go together: a marketplace may erase a sale price that an update leaves out."""


@dataclass(frozen=True, slots=True)
class Publishing:
    """unassign: a published product that no listing's query matches any more loses its listing and is withdrawn.
    standalone: products that the store does not show on their own, and that are no variation of another, are published too.
    triggers: the attributes whose change makes `update` send a product, None for any detail that differs.
    payload: the attributes that `update` sends, None for every detail.
    schedules: of each of `JOBS`. keep: how long the logs are kept."""

    unassign: bool = False
    standalone: bool = False
    triggers: tuple[str, ...] | None = None
    payload: tuple[str, ...] | None = None
    schedules: Mapping[str, Interval] = field(default_factory=dict)
    activity_log: bool = True
    feed_log: bool = True
    keep: datetime.timedelta = datetime.timedelta(days=30)

    @property
    def details(self) -> tuple[str, ...]:
        """The attributes of a product that are compared and sent beside the outcomes: by default its name."""
        named = (*(self.triggers or ()), *(self.payload or ()))
        return tuple(dict.fromkeys(named)) or ("name",)
