"""`merx log`: what was done, and what was said to marketplaces and answered."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from merx.engine.hooks import hookimpl
from merx.plugins.inputs import clock, format_option, project_needed
from merx.plugins.terminal import printable, say

if TYPE_CHECKING:
    from merx.engine.state import State

_POLL = 1.0
_LEVELS = ("info", "warning", "error")


@click.command("log")
@click.option("--follow", is_flag=True, help="Go on with what is recorded from now on, until Ctrl-C.")
@click.option("--sku", metavar="SKU", help="Only what names this product.")
@click.option("--job", metavar="JOB", help="Only of this job: upload, update, inventory_price, assign or apply.")
@click.option("--account", metavar="TITLE", help="Only of this account.")
@click.option("--level", type=click.Choice(_LEVELS), help="Only this level and above.")
@click.option("--feed", is_flag=True, help="What was sent and answered too, with its payload.")
@click.option(
    "-n", "count", type=click.IntRange(0), default=50, show_default=True, metavar="N", help="The last N entries."
)
@format_option("text", "json")
def command(
    follow: bool, sku: str | None, job: str | None, account: str | None, level: str | None, feed: bool, count: int,
    format_: str | None,
) -> None:  # fmt: skip
    """Show what was done, oldest first.

    Secrets are masked before anything is recorded. --format json writes an object a line.

    \b
      merx log --level error
      merx log --sku BG-130 --feed
      merx log --follow --job inventory_price
    """
    from merx.engine.logbook import Wanted, entries
    from merx.engine.state import open_state

    wanted = Wanted(sku, job, account, _LEVELS[_LEVELS.index(level) :] if level else (), feed)
    state = open_state(project_needed().folder, clock())
    try:
        after = _last(state)
        for one in entries(state, wanted, last=count):
            _show(one, format_)
        stop = threading.Event()
        while follow and not clock().wait(_POLL, stop):
            until = _last(state)
            for one in entries(state, wanted, after=after, until=until):
                _show(one, format_)
            after = until
    finally:
        state.close()


def _last(state: State) -> tuple[int, int]:
    from merx.engine.logbook import last_numbers

    return last_numbers(state)


def _show(entry: dict[str, Any], format_: str | None) -> None:
    if format_ == "json":
        say(json.dumps(entry, ensure_ascii=False))
        return
    where = f"{entry['account']} {entry['job']}"
    if entry["kind"] == "activity":
        say(printable(f"{entry['at']} {entry['level']:<7} {where}: {entry['message']}{_named(entry['skus'])}"))
        return
    status = "no answer" if entry["status"] is None else entry["status"]
    say(printable(f"{entry['at']} feed    {where}: {entry['address']} → {status} in {entry['milliseconds']} ms"))
    for sign, text in (("> ", entry["request"]), ("< ", entry["response"])):
        if text:
            say(f"    {sign}{printable(text)}")


def _named(skus: list[str]) -> str:
    more = f" and {len(skus) - 5} more" if len(skus) > 5 else ""
    return f" ({', '.join(skus[:5])}{more})" if skus else ""


@hookimpl
def merx_commands() -> Iterable[click.Command]:
    return [command]
