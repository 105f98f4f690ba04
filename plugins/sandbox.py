"""The sandbox as a marketplace: what its orders can be, the bounds of what it takes, and how an account of it is opened.

Without an address, an account has its own sandbox: a server in this process for as long as the connection is open, over
`.merx/sandbox.db` of the project, which keeps what it shows.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import AccountOptions, Connector, Marketplace, Status, hookimpl
from merx.engine.marketplace import Limits, Setup
from merx.engine.policy import Bounds
from merx.engine.secret import Secret

if TYPE_CHECKING:
    from merx.plugins.sandbox_client import SandboxConnection
    from merx.plugins.sandbox_server import SandboxServer

NAME = "sandbox"
FILE = Path(".merx") / "sandbox.db"
"""Below the project's folder: the file of its own sandbox."""

STATUSES = (
    Status("placed", "placed, waiting for the buyer to pay", "pre-payment"),
    Status("paid", "paid, to be shipped", "to-ship"),
    Status("shipped", "shipped, on its way to the buyer", "shipped"),
    Status("completed", "received, and over", "end"),
    Status("cancelled", "cancelled, by the buyer or the seller: do not ship", "end"),
)

BOUNDS = {
    "price": Bounds("the sandbox", Decimal("0.01"), Decimal(100_000)),
    "quantity": Bounds("the sandbox", Decimal(0), Decimal(999_999)),
    "images": Bounds("the sandbox", None, Decimal(10)),
}


def _address(text: str) -> str:
    wanted = "an address is written as in http://127.0.0.1:8330"
    try:
        parts = urlsplit(text)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise ValueError(wanted)
    except ValueError:
        raise ValueError(wanted) from None
    if parts.username is not None or parts.password is not None:
        raise ValueError('an address holds no secret; say where the token is: `token = { env = "NAME" }`')
    if parts.query or parts.fragment or not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError(wanted)
    # Here and not above: whoever only checks rules need not wait for an HTTP library.
    import httpx

    try:
        httpx.URL(text)
    except httpx.InvalidURL:
        raise ValueError(wanted) from None
    return text.rstrip("/")


def _batch(number: int) -> int:
    if number < 1:
        raise ValueError("it is a whole number, 1 or more")
    return number


def _rate(number: Decimal | int) -> Decimal | int:
    if (isinstance(number, Decimal) and not number.is_finite()) or number <= 0:
        raise ValueError("it is a number above 0")
    return number


class SandboxOptions(AccountOptions):
    """An account at a sandbox."""

    address: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="Of a sandbox that runs already; without one the project has its own."
    )
    token: Secret | None = Field(None, description="What each call bears.")
    batch: Annotated[int, AfterValidator(_batch)] = Field(100, description="Offers in one call, at most.")
    per_second: Annotated[Decimal | int, AfterValidator(_rate)] | None = Field(
        None, description="Calls, on average; without it as many as come."
    )


def connect(setup: Setup) -> SandboxConnection:
    """Raises PolicyError: M731 a token that is not there, M832 one that no call can bear, M831 a sandbox of one's own that
    cannot be opened."""
    from merx.plugins.sandbox_client import SandboxConnection

    options: SandboxOptions = setup.options
    token = None if options.token is None else options.token.read(setup.project)
    if token is not None and re.fullmatch(r"[\x21-\x7e]+", token) is None:
        message = f"the token of the account `{setup.account}` holds a character that no call can bear"
        help = "a token is made of letters, digits and signs, without blanks"
        raise PolicyError([Diagnostic("M832", "error", message, None, help)])
    rate = None if options.per_second is None else float(options.per_second)
    limits = Limits(options.batch, rate)
    if options.address is not None:
        return SandboxConnection(setup, options.address, token, limits)
    server = opened(setup.project / FILE, token=token, batch=options.batch, per_second=rate)
    return SandboxConnection(setup, server.address, token, limits, server)


def opened(
    path: Path, *, port: int = 0, token: str | None = None, batch: int = 100, per_second: float | None = None
) -> SandboxServer:
    """A running sandbox over the file. Raises PolicyError: M831 a file, M833 a port that cannot be had."""
    from merx.plugins.sandbox_server import SandboxServer
    from merx.plugins.sandbox_store import NotASandbox

    code, what = "M831", f"the sandbox's file `{path}` cannot be opened"
    help = "check the path, its permissions and the room on the disk; the file of a sandbox can be deleted"
    try:
        return SandboxServer(path, port=port, token=token, batch=batch, per_second=per_second)
    except NotASandbox as error:
        what, help = str(error), "name another file, or move this one away"
    except sqlite3.Error as error:
        what += f": {error}"
    except OSError as error:
        if error.filename is None:
            code, what, help = "M833", f"the port {port} cannot be opened", "name another port; 0 takes a free one"
        what += f": {(error.strerror or str(error)).lower()}"
    except OverflowError:
        code, what, help = "M833", f"there is no port {port}", "a port is within 0 to 65535"
    raise PolicyError([Diagnostic(code, "error", what, None, help)])


@hookimpl
def merx_connectors() -> Iterable[Connector]:
    doc = "A marketplace on this machine, to try rules and connectors with."
    return [Marketplace(NAME, doc, statuses=STATUSES, bounds=BOUNDS, options=SandboxOptions, connect=connect)]
