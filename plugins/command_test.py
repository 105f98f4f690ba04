"""`merx test`: the `test` blocks of rule files come in, which of them hold goes out."""

from __future__ import annotations

from pathlib import Path

import click

from merx.engine.hooks import hookimpl
from merx.plugins.inputs import currency_option, gather, usable_rules
from merx.plugins.terminal import Stop, mention, painted, printable, say


@click.command("test")
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, metavar="[PATH]...")
@currency_option
def command(paths: tuple[Path, ...], currency: str | None) -> None:
    """Run the `test` blocks of the rules.

    PATH is a rule file or a folder of them; without one, what merx.toml says. Exit code 1 where a test fails.
    """
    inputs = gather(currency)
    results = usable_rules(inputs.rules(paths), inputs.settings).run_tests()
    for one in results:
        mark = click.style("pass", fg="green") if one.passed else click.style("fail", fg="red", bold=True)
        say(f"{mark}  {printable(one.title)}  ({one.place})")
        for problem in one.problems:
            say(painted(problem))
    if not results:
        mention("there is no `test` block in the rules")
    failed = sum(not one.passed for one in results)
    say(f"{len(results) - failed} passed, {failed} failed")
    if failed:
        raise Stop(1)


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `test`."""
    return [command]
