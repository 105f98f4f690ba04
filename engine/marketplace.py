"""How merx talks with a marketplace: batches of offers go out, what became of each offer comes back.

A connector implements `Connection`; it knows the marketplace's protocol and nothing of plans, state or retries. Those are
`merx.engine.apply`'s, the same for every marketplace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from merx.engine.types import Value

Operation = Literal["create", "change", "withdraw"]
"""create: a listing that is not there yet; one that is there is changed. change: of one that is there. withdraw: no piece
of it is for sale any more."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What one product is to show.

    values: outcome → value (`price`, `sale_price`, `currency`, `quantity`, `main_image`, `images`, a policy type's own,
    and `listing`, the title of the listing template). None takes the value away; what is left out stays as it is. Where
    there is a `price` there are always `sale_price` and `currency` too. Amounts are Decimals, images a tuple of texts.
    details: attribute → its text, for what a listing says beside (`name`, `description`).
    """

    sku: str
    values: Mapping[str, Value] = field(default_factory=dict)
    details: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """Offers that go in one call. key: the same each time this batch is sent, and of no other; a marketplace that
    knows idempotency keys is given it."""

    operation: Operation
    key: str
    offers: tuple[Offer, ...]


UNKNOWN_SKU = "unknown_sku"
"""The code of a refusal because there is no such listing: of a withdrawal, that is as good as done."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An offer that the marketplace does not take. code: its own, or `UNKNOWN_SKU`; message: for the merchant."""

    sku: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Limits:
    """offers: in one call, at most. per_second: calls, on average; None is unlimited."""

    offers: int = 100
    per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call and its answer, for the feed log. Texts are masked by the connector; headers are left out.

    status: of the answer, None where none came."""

    operation: str
    address: str
    request: str
    response: str
    status: int | None
    seconds: float
    skus: tuple[str, ...] = ()


class Unavailable(Exception):
    """The call did not come through, or its answer did not: it may be sent again as it is.

    message: lower case, no full stop. retry_after: seconds the marketplace asks to wait.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class Denied(Exception):
    """The marketplace refuses every call like this one: a wrong token, a closed account. Sending again is no use."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class Connection(Protocol):
    """An open account at a marketplace."""

    @property
    def limits(self) -> Limits: ...

    def publish(self, batch: Batch) -> tuple[Refusal, ...]:
        """Sends the batch; every offer that no refusal names is accepted.

        The same batch may be sent again after any failure, and must then have the effect of being sent once.
        Raises Unavailable, Denied.
        """
        ...

    def shown(self) -> Iterator[Offer]:
        """Every listing as the marketplace shows it now, with every value it knows. Raises Unavailable, Denied."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Setup:
    """What a connector is given to open a connection.

    account: the title. options: what merx.toml says of the account, as the connector's own model. project: the folder
    of the project. record: takes each exchange, for the feed log. timeout: seconds that a call may take.
    """

    account: str
    options: Any
    project: Path
    record: Callable[[Exchange], None]
    timeout: float = 8.0


Connect = Callable[[Setup], Connection]
