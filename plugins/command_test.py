"""`merx test`: the `test` blocks of rule files come in, which of them hold goes out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from merx.engine.hooks import hookimpl
from merx.plugins.inputs import currency_option, format_option, gather, usable_rules
from merx.plugins.output import write_text
from merx.plugins.terminal import Stop, mention, painted, printable, say

if TYPE_CHECKING:
    from merx.engine.runtest import TestResult


@click.command("test")
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, metavar="[PATH]...")
@currency_option
@format_option("table", "json")
def command(paths: tuple[Path, ...], currency: str | None, format_: str | None) -> None:
    """Run the `test` blocks of the rules.

    PATH is a rule file or a folder of them; without one, what merx.toml says. Exit code 1 where a test fails.
    """
    inputs = gather(currency)
    results = usable_rules(inputs.rules(paths), inputs.settings).run_tests()
    if format_ == "json":
        write_text(json.dumps([one.to_dict() for one in results], ensure_ascii=False, indent=1), None)
    else:
        _show(results)
    if any(not one.passed for one in results):
        raise Stop(1)


def _show(results: Sequence[TestResult]) -> None:
    for one in results:
        mark = click.style("pass", fg="green") if one.passed else click.style("fail", fg="red", bold=True)
        say(f"{mark}  {printable(one.title)}  ({one.place})")
        for problem in one.problems:
            say(painted(problem))
    if not results:
        mention("there is no `test` block in the rules")
    failed = sum(not one.passed for one in results)
    say(f"{len(results) - failed} passed, {failed} failed")


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `test`."""
    return [command]
