"""`merx check`: rule files come in, everything that is wrong with them goes out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import hookimpl
from merx.plugins.inputs import (
    check_rules,
    currency_option,
    format_option,
    gather,
    products_option,
    read_snapshot,
    rejected,
)
from merx.plugins.output import write_text
from merx.plugins.terminal import Stop, mention, plural, report, say


@click.command("check")
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, metavar="[PATH]...")
@products_option
@currency_option
@format_option("table", "json")
def command(paths: tuple[Path, ...], products: Path | None, currency: str | None, format_: str | None) -> None:
    """Check rules, and report everything that is wrong with them.

    PATH is a rule file or a folder of them; without one, what merx.toml says. The names that rules read are checked
    against their `catalog` block, or else against the product file.
    """
    inputs = gather(currency)
    found = inputs.rules(paths)
    file = inputs.products(products)
    ruleset, problems = check_rules(found, inputs.settings)
    if file is not None:
        declared = ruleset.schema if ruleset.has_catalog else None
        try:
            snapshot = read_snapshot(file, ruleset.registry, inputs.settings, declared=declared)
        except PolicyError as error:
            # What is wrong with the rules is said all the same.
            problems = (*problems, *error.diagnostics)
        else:
            rejected(snapshot, file, most=5)
            if not ruleset.has_catalog:
                ruleset, problems = check_rules(found, inputs.settings, snapshot.schema)
    if format_ == "json":
        write_text(json.dumps([one.to_dict() for one in problems], ensure_ascii=False, indent=1), None)
    else:
        report(problems)
        _say_so(problems, len(ruleset.files))
        if file is None and ruleset.files and not ruleset.has_catalog:
            mention(
                "note: there is no `catalog` block and no product file, so the names and types of attributes were not "
                "checked: add --products FILE"
            )
    if any(one.level == "error" for one in problems):
        raise Stop(1)


def _say_so(problems: Sequence[Diagnostic], files: int) -> None:
    counts = {level: sum(one.level == level for one in problems) for level in ("error", "warning")}
    told = " and ".join(plural(count, level) for level, count in counts.items() if count) or "no problems"
    say(f"{plural(files, 'file')} checked: {told}")


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `check`."""
    return [command]
