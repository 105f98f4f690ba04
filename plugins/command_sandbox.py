"""`merx sandbox`: a marketplace on this machine is kept running, looked at, bought from, made to fail and emptied."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import hookimpl
from merx.engine.marketplace import Denied, Offer, Unavailable
from merx.plugins.inputs import format_option, gather, project_needed, usable_rules
from merx.plugins.output import unusable, write_frame, write_text
from merx.plugins.sandbox import FILE, NAME, STATUSES, opened
from merx.plugins.sandbox_faults import FAULTS, Faults, parsed
from merx.plugins.terminal import mention, plural, say, table

if TYPE_CHECKING:
    import polars as pl
    from tenacity import RetryCallState

    from merx.engine.rules import Account, Rules
    from merx.plugins.sandbox_client import SandboxConnection

_Answer = TypeVar("_Answer")

_ATTEMPTS = 5
"""How often a call is made that a sandbox, told to fail, does not answer."""


@click.group("sandbox")
def command() -> None:
    """Run a marketplace on this machine, see what it shows, buy from it, make it fail.

    All but `serve` speak to the sandbox of the project's account, which merx.toml gives the address of. Without an
    address it is the project's own, in .merx/sandbox.db.
    """


account_option = click.option(
    "--account", metavar="TITLE", help="Which account.  [default: the only one at a sandbox]"
)  # fmt: skip


def _probabilities(_context: click.Context, _parameter: click.Parameter, value: Any) -> dict[str, float] | None:
    """`500=0.1`, several of them with commas or as several arguments."""
    if value is None:
        return None
    texts = [one.strip() for given in ([value] if isinstance(value, str) else value) for one in given.split(",")]
    try:
        return parsed({name.strip(): share.strip() for name, _, share in (one.partition("=") for one in texts if one)})
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _finite(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("it is a number above 0")
    return value


@command.command("serve")
@click.option("--port", type=click.IntRange(0, 65_535), default=8330, show_default=True, help="0 takes a free one.")
@click.option(
    "--db", type=click.Path(path_type=Path), metavar="FILE",
    help="Where it keeps what it shows.  [default: .merx/sandbox.db of the project, sandbox.db outside of one]",
)  # fmt: skip
@click.option("--token-env", metavar="NAME", help="The environment variable with the token that calls have to bear.")
@click.option("--faults", callback=_probabilities, metavar="NAME=P,…", help="How often it fails: 500=0.1,drop=0.05")
@click.option("--seed", type=int, metavar="N", help="Of the faults; the same one fails at the same calls.")
@click.option(
    "--per-second", type=click.FloatRange(0, min_open=True), callback=_finite, metavar="N",
    help="Calls that it answers, on average.  [default: all]",
)  # fmt: skip
@click.option(
    "--batch", type=click.IntRange(1), default=100, show_default=True, metavar="N", help="Offers in a call, at most."
)
def serve(
    port: int,
    db: Path | None,
    token_env: str | None,
    faults: dict[str, float] | None,
    seed: int | None,
    per_second: float | None,
    batch: int,
) -> None:
    """Keep a sandbox running; its address is printed once it answers.

    Faults stay what they were in the file unless --faults or --seed says otherwise. Ctrl-C and SIGTERM stop it.

    \b
      merx sandbox serve
      merx sandbox serve --port 0 --db /tmp/shop.db --faults 500=0.1,drop_after=0.05 --seed 7
    """
    token = None if token_env is None else _token(token_env)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    path = db or _file()
    server = opened(path, port=port, token=token, batch=batch, per_second=per_second)
    try:
        before = server.store.faults()
        if faults is not None or seed is not None:
            shares = before.probabilities if faults is None else faults
            set_to = Faults(shares, before.seed if seed is None else seed, before.hang)
            server.store.set_faults(set_to, anew=seed is not None)
        say(server.address)
        mention(f"the sandbox keeps what it shows in {path}; Ctrl-C stops it")
        if failing := _failing(server.store.faults().probabilities):
            mention(f"it fails on purpose: {failing}")
        stop.wait()
    finally:
        server.close()


def _token(name: str) -> str:
    token = os.environ.get(name)
    if not token:
        raise unusable("M731", f"the environment variable `{name}` is not set", f"set it: `export {name}=…`")
    return token


def _file() -> Path:
    project = gather().project
    return Path("sandbox.db") if project is None else project.folder / FILE


def _failing(probabilities: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={share:g}" for name, share in probabilities.items() if share)


@command.command("listings")
@format_option("table", "json", "csv")
@account_option
def listings(format_: str | None, account: str | None) -> None:
    """Show what the sandbox shows: a row a listing, by SKU.

    sku, price, sale_price, currency, quantity, main_image, images, listing. Amounts are text in JSON.
    """
    with _account_opened(account) as connection:
        offers = [one for page in _pages(connection.page, "") for one in page]
    frame = _frame(offers)
    if format_ in {"json", "csv"}:
        write_frame(frame, str(format_), None)
        return
    names = ["sku", "price", "sale_price", "currency", "quantity", "images", "listing"]
    rows = [[_cell(row[name]) for name in names] for row in frame.iter_rows(named=True)]
    table(names, rows, right=["price", "sale_price", "quantity", "images"])
    mention(plural(len(offers), "listing"))


def _cell(value: Any) -> str:
    return str(len(value)) if isinstance(value, list) else "" if value is None else str(value)


def _frame(offers: Sequence[Offer]) -> pl.DataFrame:
    import polars as pl

    text = pl.String()
    schema = {
        "sku": text, "price": text, "sale_price": text, "currency": text, "quantity": pl.Int64(), "main_image": text,
        "images": pl.List(text), "listing": text,
    }  # fmt: skip
    columns: dict[str, list[Any]] = {name: [one.values.get(name) for one in offers] for name in schema}
    columns["sku"] = [one.sku for one in offers]
    for name in ("price", "sale_price"):
        columns[name] = [None if one is None else _amount(f"{one:f}") for one in columns[name]]
    columns["quantity"] = [None if one is None else int(one) for one in columns["quantity"]]
    columns["images"] = [list(one or ()) for one in columns["images"]]
    return pl.DataFrame(columns, schema=schema)


def _amount(exact: str) -> str:
    """An amount as `merx evaluate` writes it: two places, and more only where it has more."""
    whole, _, places = exact.partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


@command.command("order")
@click.argument("sku")
@click.argument("quantity", type=click.IntRange(1), default=1)
@click.option(
    "--with", "further", type=(str, click.IntRange(1)), multiple=True, metavar="SKU QUANTITY",
    help="One more line of the order; may be repeated.",
)  # fmt: skip
@click.option("--buyer", default="A Buyer", show_default=True, metavar="NAME")
@click.option("--country", default="ES", show_default=True, metavar="CC")
@click.option("--status", type=click.Choice([one.code for one in STATUSES]), default="paid", show_default=True)
@format_option("table", "json")
@account_option
def order(
    sku: str,
    quantity: int,
    further: tuple[tuple[str, int], ...],
    buyer: str,
    country: str,
    status: str,
    format_: str | None,
    account: str | None,
) -> None:
    """Buy from the sandbox: the pieces come off its listings.

    \b
      merx sandbox order BG-132
      merx sandbox order BG-132 2 --with SH-001 1
    """
    lines: dict[str, int] = {}
    for name, pieces in ((sku, quantity), *further):
        lines[name] = lines.get(name, 0) + pieces
    key = uuid.uuid4().hex
    with _account_opened(account) as connection:
        who = {"name": buyer, "country": country}
        placed = _patiently(lambda: connection.place_order(key, lines, who, status))
    if format_ == "json":
        write_text(json.dumps(placed, ensure_ascii=False, indent=1), None)
        return
    say(f"order {placed['id']}: {_sold(placed)}, {_amount(placed['total'])} {placed['currency']}")


def _sold(placed: Mapping[str, Any]) -> str:
    return ", ".join(f"{line['quantity']} × {line['sku']}" for line in placed["lines"])


@command.command("orders")
@format_option("table", "json")
@account_option
def orders(format_: str | None, account: str | None) -> None:
    """Show the orders that were placed, the oldest first."""
    with _account_opened(account) as connection:
        found = {one["id"]: one for page in _pages(connection.orders_page, "0") for one in page}
    if format_ == "json":
        write_text(json.dumps(list(found.values()), ensure_ascii=False, indent=1), None)
        return
    table(
        ["order", "placed", "status", "buyer", "lines", "total", "currency"],
        [
            (
                one["id"], one["placed_at"], one["status"], ", ".join(one["buyer"].values()), _sold(one),
                _amount(one["total"]), one["currency"],
            )
            for one in found.values()
        ],
        right=["total"],
    )  # fmt: skip


@command.command("faults")
@click.argument("probabilities", nargs=-1, callback=_probabilities, metavar="[NAME=P]…")
@click.option("--off", is_flag=True, help="Fail no more.")
@click.option("--seed", type=int, metavar="N", help="The same one fails at the same calls.")
@format_option("table", "json")
@account_option
def faults(
    probabilities: dict[str, float], off: bool, seed: int | None, format_: str | None, account: str | None
) -> None:
    """Make the sandbox fail on purpose, or show how often.

    Faults that are not named are off from then on. A call meets at most one.

    \b
      merx sandbox faults 500=0.1 drop_after=0.05 --seed 7
      merx sandbox faults --off
    """
    if off and probabilities:
        raise click.UsageError("faults are set or switched off, not both")
    wanted: dict[str, Any] = {} if seed is None else {"seed": seed}
    with _account_opened(account) as connection:
        found = _patiently(connection.faults)
        if off or probabilities or wanted:
            shares = probabilities if probabilities or off else found["probabilities"]
            wanted["probabilities"] = {name: float(share) for name, share in shares.items()}
            found = _patiently(lambda: connection.set_faults(wanted))
    told = {"probabilities": {name: float(one) for name, one in found["probabilities"].items()}}
    if format_ == "json":
        write_text(json.dumps({**found, **told, "hang": float(found["hang"])}, indent=1), None)
        return
    table(
        ["fault", "probability", "delivered", "what becomes of the call"],
        [
            (name, f"{told['probabilities'].get(name, 0):g}", str(found["delivered"].get(name, 0)), what)
            for name, what in FAULTS.items()
        ],
        right=["probability", "delivered"],
    )


@command.command("reset")
@account_option
def reset(account: str | None) -> None:
    """Empty the sandbox: listings, orders, faults.

    merx itself forgets nothing: `merx plan --refresh` looks at what is shown.
    """
    with _account_opened(account) as connection:
        _patiently(connection.reset)
    say("the sandbox is empty")


@contextlib.contextmanager
def _account_opened(title: str | None) -> Iterator[SandboxConnection]:
    """The project's account at a sandbox.

    Raises Stop outside of a project, PolicyError where the rules or merx.toml are wrong, M834 where the sandbox does not
    answer and M835 where it refuses.
    """
    from merx.engine.accounts import connect
    from merx.plugins.sandbox_client import SandboxConnection

    project = project_needed()
    ruleset = usable_rules(project.rules, project.settings)
    account = _chosen(ruleset.rules, title)
    connection = connect(project, account, ruleset.registry, lambda _: None)
    assert isinstance(connection, SandboxConnection)
    try:
        yield connection
    except Unavailable as error:
        help = "`merx sandbox serve` runs one; `merx sandbox faults` shows whether it fails on purpose"
        raise PolicyError([Diagnostic("M834", "error", error.message, None, help)]) from None
    except Denied as error:
        raise PolicyError([Diagnostic("M835", "error", error.message, None, error.help)]) from None
    finally:
        connection.close()


def _chosen(rules: Rules, title: str | None) -> Account:
    """The account of this title, or the only one at a sandbox. Raises PolicyError: M216, M830."""
    from merx.engine.accounts import chosen_account

    here = {name: one for name, one in rules.accounts.items() if one.connector == NAME}
    if title is not None:
        account = chosen_account(rules, title)
        if account.connector == NAME:
            return account
        message, span = f"the account `{title}` is not at a sandbox but at `{account.connector}`", account.span
    elif len(here) == 1:
        return next(iter(here.values()))
    else:
        message, span = "there are several accounts" if here else "the rules declare no account", None
        message += " at a sandbox"
    names = ", ".join(f"`{name}`" for name in here)
    help = f"name one with `--account`: {names}" if here else f'declare one: `account "main" {{ connector = {NAME} }}`'
    raise PolicyError([Diagnostic("M830", "error", message, span, help)])


def _pages(page: Callable[[str], tuple[_Answer, str | None]], first: str) -> Iterator[_Answer]:
    after: str | None = first
    while after is not None:
        found, after = _patiently(partial(page, after))
        yield found


def _patiently(call: Callable[[], _Answer]) -> _Answer:
    """What the call gives, made again where a sandbox that fails on purpose did not answer it."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

    return Retrying(
        stop=stop_after_attempt(_ATTEMPTS), wait=_pause, retry=retry_if_exception_type(Unavailable), reraise=True
    )(call)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, Unavailable) else None
    return min(10.0, asked if asked is not None else 0.05 * 2**state.attempt_number)


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `sandbox`."""
    return [command]
