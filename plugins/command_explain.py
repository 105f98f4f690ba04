"""`merx explain SKU`: one product comes in, each step from its attributes to what is sent goes out."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from merx.engine.diagnostic import Diagnostic, PolicyError, did_you_mean
from merx.engine.hooks import hookimpl
from merx.engine.snapshot import Snapshot
from merx.plugins.inputs import (
    account_option,
    as_of_option,
    currency_option,
    format_option,
    gather,
    products_option,
    read_snapshot,
    rules_option,
    usable_rules,
)
from merx.plugins.output import write_text
from merx.plugins.terminal import printable, report, say

if TYPE_CHECKING:
    from merx.engine.trace import Clause, ListingTrace, ProgramTrace, Read, StepTrace, Trace


_LONGEST_RULE = 80
"""Characters of a rule's text that are shown; its place says where the whole of it stands."""


@click.command("explain")
@click.argument("sku")
@rules_option
@products_option
@as_of_option
@account_option
@currency_option
@format_option("table", "json")
def command(
    sku: str,
    rules: tuple[Path, ...],
    products: Path | None,
    as_of: datetime.date | None,
    account: str | None,
    currency: str | None,
    format_: str | None,
) -> None:
    """Show how one product comes to its listing, price, quantity and images.

    Each step with the values it read, and the file and line of the rule that decided; for each listing that did not
    take the product, the condition that was false.
    """
    from merx.engine import frame as frames
    from merx.engine.explain import explain

    inputs = gather(currency)
    found = inputs.rules(rules)
    file = inputs.needed_products(products)
    ruleset = usable_rules(found, inputs.settings)
    declared = ruleset.schema if ruleset.has_catalog else None
    needed = ruleset.reads(ruleset.prepare(as_of, account))
    snapshot = read_snapshot(file, ruleset.registry, inputs.settings, declared=declared, columns=needed)
    bound = ruleset.bind(snapshot.schema)
    report(bound.diagnostics)
    prepared = bound.prepare(as_of, account)
    row = snapshot.frame.filter(snapshot.frame["sku"] == sku)
    if not row.height:
        raise _unknown(sku, snapshot, file)
    [product] = frames.products(frames.conform(row, declared or snapshot.schema, bound.reads(prepared)))
    trace = explain(prepared, product)
    if format_ == "json":
        write_text(json.dumps(trace.to_dict(), ensure_ascii=False, indent=1), None)
        return
    for line in _lines(trace, prepared.day):
        say(line)


def _unknown(sku: str, snapshot: Snapshot, file: Path) -> PolicyError:
    rejects = [one for one in snapshot.rejects if one.sku == sku]
    if rejects:
        message = f"`{sku}` was rejected in line {rejects[0].line} of {file}"
        return PolicyError([Diagnostic("M725", "error", message, None, rejects[0].reason)])
    help = did_you_mean(sku, snapshot.frame["sku"].to_list())
    return PolicyError([Diagnostic("M725", "error", f"there is no product `{sku}` in {file}", None, help)])


def _lines(trace: Trace, day: datetime.date) -> Iterator[str]:
    where = f"“{trace.listing}”" if trace.listing is not None else "no listing"
    yield click.style(printable(f"{trace.sku} on {day}: {trace.status} in {where}"), bold=True)
    for reason in trace.reasons:
        yield click.style(f"  held: {printable(reason)}", fg="red")
    yield ""
    yield click.style("listings, in the order they were asked", bold=True)
    if not trace.listings:
        yield "  none was asked"
    for listing in trace.listings:
        yield from _listing(listing)
    for program in trace.programs:
        yield ""
        yield from _program(program)


def _listing(listing: ListingTrace) -> Iterator[str]:
    verdict = click.style("takes it", fg="green") if listing.took else click.style("does not take it", fg="yellow")
    yield f"  “{printable(listing.title)}” (priority {listing.priority}) {verdict}{_at(listing.place)}"
    if listing.picked:
        yield "      its SKU is named in `products`"
    if listing.condition is None:
        return
    if listing.condition.fault is not None:
        yield f"      cannot be decided: {printable(listing.condition.fault)}"
    for clause in listing.condition.because:
        yield from _clause(clause)


def _clause(clause: Clause) -> Iterator[str]:
    verdict = "true " if clause.holds else "false"
    yield f"      {verdict}  {_rule(clause.rule or '')}{_at(clause.place)}{_reads(clause.reads)}"


def _program(program: ProgramTrace) -> Iterator[str]:
    yield click.style(f"{program.kind} “{printable(program.title)}”", bold=True)
    told = (one for one in program.steps if not _follows_from_nothing(one))
    steps = (*told, *(one for one in program.outcomes if not _says_nothing_new(one)))
    width = max((len(step.label) for step in steps), default=0)
    for step in steps:
        yield from _step(step, width)
    for name, value in program.values.items():
        nothing = "none" if program.reason is None else "held"
        yield click.style(f"  → {name}: {printable(value) if value is not None else nothing}", bold=True)
    if program.reason is not None:
        yield click.style(f"  held: {printable(program.reason)}", fg="red")


def _follows_from_nothing(step: StepTrace) -> bool:
    """A step that is missing because the one before it is: the change of a sale price that there is not."""
    return (
        step.value == "missing" and bool(step.reads) and all(one.step and one.value == "missing" for one in step.reads)
    )


def _says_nothing_new(outcome: StepTrace) -> bool:
    """Whether the outcome is a constant, or is just what a step before it came to."""
    return not outcome.notes and all(read.step and read.value == outcome.value for read in outcome.reads)


def _rule(text: str) -> str:
    return text if len(text) <= _LONGEST_RULE else text[: _LONGEST_RULE - 1] + "…"


def _step(step: StepTrace, width: int) -> Iterator[str]:
    value = "cannot be decided" if step.value is None else printable(step.value)
    rule = f"  ← {_rule(step.rule)}{_at(step.place)}" if step.rule else ""
    yield f"  {step.label:<{width}}  {value}{rule}{_reads(step.reads)}"
    for taken in step.taken:
        if taken.rule is not None:
            yield f"  {'':<{width}}  took {_rule(taken.rule)}{_at(taken.place)}"
    for note in step.notes:
        yield f"  {'':<{width}}  note: {printable(note.message)}{_at(note.place)}"


def _at(place: str | None) -> str:
    return click.style(f" ({place})", dim=True) if place is not None else ""


def _reads(reads: Iterable[Read]) -> str:
    told = ", ".join(f"{read.name} = {printable(read.value)}" for read in reads)
    return click.style(f"  [{told}]", dim=True) if told else ""


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `explain`."""
    return [command]
