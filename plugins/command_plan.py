"""`merx plan`: what `merx apply` would send, and why; nothing is sent."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import IO

import click

from merx.engine.hooks import hookimpl
from merx.plugins.inputs import as_of_option, output_option, wait_option, workspace
from merx.plugins.output import into_file, unusable, write
from merx.plugins.planned import Planned, planned, refresh_option, the_account_option
from merx.plugins.terminal import mention

FORMATS = ("table", "json", "html")


@click.command("plan")
@the_account_option
@click.option("--snapshot", metavar="ID", help="Plan from this snapshot.  [default: the last one]")
@as_of_option
@refresh_option
@click.option("--all", "every", is_flag=True, help="List every product of the plan.")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="[default: table]")
@output_option
@wait_option
def command(
    account: str | None,
    snapshot: str | None,
    as_of: datetime.date | None,
    refresh: bool,
    every: bool,
    format_: str | None,
    output: Path | None,
    wait: float,
) -> None:
    """Compare what the rules decide with what the marketplace last accepted.

    create, change (old → new, and the rule that decides), hold, withdraw, unchanged. Exit code 0, whether there is
    anything to do or not.

    \b
      merx plan
      merx plan -o plan.json     # for `merx apply plan.json`
      merx plan -o plan.html     # to look at
    """
    written = _format(format_, output)
    with workspace("merx plan", wait=wait) as found:
        from merx.engine.rails import broken

        done = planned(found, account, snapshot=snapshot, as_of=as_of, refresh=refresh)
        rails = broken(done.plan.compared, found.project.safety)
        if written == "table":
            from merx.plugins.plan_report import show_plan

            with into_file(output):
                show_plan(done.plan, done.kept, rails, done.drift, every=every)
        elif written == "html":
            from merx.plugins.plan_page import page

            write(lambda stream: stream.write(page(done.plan, done.kept, rails).encode()), output)
        else:
            write(lambda stream: _json(done, stream), output)
        if output is not None:
            summary = ", ".join(f"{count:,} {name}" for name, count in done.plan.compared.summary.items())
            mention(f"{summary}: `{output}`")


def _json(done: Planned, stream: IO[bytes]) -> None:
    from merx.engine.planfile import lines

    for line in lines(done.plan):
        stream.write(line.encode("utf-8", "replace") + b"\n")


def _format(format_: str | None, output: Path | None) -> str:
    if format_ is not None:
        return format_
    ending = "" if output is None or str(output) == "-" else output.suffix.lower().removeprefix(".")
    if ending in ("json", "html"):
        return ending
    if ending and ending not in ("txt", "text"):
        raise unusable("M723", f"the ending of `{output}` does not say a format", "end it in .json, .html or .txt")
    return "table"


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `plan`."""
    return [command]
