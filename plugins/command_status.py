"""`merx status`: a project comes in; how it stands, and what of it needs somebody, goes out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from merx.engine.hooks import hookimpl
from merx.plugins.inputs import clock, format_option, project_needed
from merx.plugins.output import write_text
from merx.plugins.terminal import Stop, plural, printable, report, say, table


@click.command("status")
@format_option("table", "json")
def command(format_: str | None) -> None:
    """Show how the project stands: rules, snapshot, accounts, jobs.

    Exit code 1 where something needs you: broken rules, no snapshot, an apply that was not finished, products in doubt,
    a job that failed.
    """
    from merx.engine.standing import standing

    found = standing(project_needed(), clock())
    if format_ == "json":
        write_text(json.dumps(found.to_dict(), ensure_ascii=False, indent=1), None)
    else:
        report(one for one in found.problems if one.level == "error")
        _show(found.to_dict())
    if found.attention:
        raise Stop(1)


_REFUSALS = 5


def _show(told: Mapping[str, Any]) -> None:
    for name, text in _lines(told):
        say(f"{name:<10}{printable(text)}")
    if told["accounts"]:
        say()
        columns = ("account", "connector", "published", "in doubt", "last plan", "batches", "refused")
        table(columns, [_account(one) for one in told["accounts"]], right=("published", "in doubt", "refused"))
    for one in told["accounts"]:
        for refusal in one["refusals"][:_REFUSALS]:
            say(printable(f"  {one['account']} refused {refusal['sku']}: {refusal['message']} ({refusal['code']})"))
        if one["refused"] > _REFUSALS:
            say(f"  … and {one['refused'] - _REFUSALS:,} more: `merx log` has them all")
    if told["jobs"]:
        say()
        names = ("account", "job", "schedule", "due", "finished", "result", "runs", "failures")
        rows = [["" if one[name] is None else str(one[name]) for name in names] for one in told["jobs"]]
        table(names, rows, right=("runs", "failures"))
    say()
    attention: Sequence[str] = told["attention"]
    for text in attention:
        say(f"! {printable(text)}")
    if not attention:
        say("all is well")


def _lines(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "project", told["folder"]
    rules = told["rules"]
    counts = [plural(rules[f"{level}s"], level) for level in ("error", "warning") if rules[f"{level}s"]]
    yield "rules", f"{plural(rules['files'], 'file')}, {' and '.join(counts) or 'no problems'}"
    kept = told["snapshot"]
    if kept is None:
        yield "snapshot", "none"
    else:
        left_out = f", {plural(kept['rejected'], 'row')} left out" if kept["rejected"] else ""
        yield (
            "snapshot",
            f"{kept['id'][:10]}, {plural(kept['products'], 'product')}{left_out}, of {kept['at']}, {_ago(kept['age'])}",
        )
    lock = told["lock"]
    if lock is not None:
        yield "at work", f"`{lock['doing']}` (process {lock['pid']}, since {lock['since']})"
    version = "none yet" if told["version"] is None else f"version {told['version']}, {_size(told['size'])}"
    yield "state", version


def _account(one: Mapping[str, Any]) -> Sequence[str]:
    plan, unfinished = one["plan"], one["unfinished"]
    return (
        one["account"],
        one["connector"] or "",
        f"{one['published']:,}",
        f"{one['in_doubt']:,}",
        "" if plan is None else f"{plan['id'][:10]} {plan['status']} {plan['at']}",
        "" if unfinished is None else f"{unfinished['done']:,} of {unfinished['total']:,}",
        f"{one['refused']:,}",
    )


def _ago(seconds: int) -> str:
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            return f"{plural(seconds // unit, name)} ago"
    return "just now"


def _size(count: int) -> str:
    size, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `status`."""
    return [command]
