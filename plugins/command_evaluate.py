"""`merx evaluate`: rules and products come in, the outcome of every product goes out."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from merx.engine.hooks import hookimpl
from merx.engine.snapshot import Snapshot, StoreSettings
from merx.plugins.inputs import (
    account_option,
    as_of_option,
    currency_option,
    format_option,
    gather,
    output_option,
    products_option,
    read_snapshot,
    rejected,
    rules_option,
    usable_rules,
    write_rejects,
)
from merx.plugins.outcomes import show_outcomes, summary
from merx.plugins.output import FORMATS, chosen_format, into_file, write_frame
from merx.plugins.terminal import mention, progress, report

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of the products of a file on a day."""

    day: datetime.date
    snapshot: Snapshot
    outcomes: pl.DataFrame


@click.command("evaluate")
@rules_option
@products_option
@as_of_option
@account_option
@currency_option
@format_option(*FORMATS)
@output_option
@click.option("--rejects", type=click.Path(path_type=Path), metavar="FILE", help="Write the rejected rows, as CSV.")
def command(
    rules: tuple[Path, ...],
    products: Path | None,
    as_of: datetime.date | None,
    account: str | None,
    currency: str | None,
    format_: str | None,
    output: Path | None,
    rejects: Path | None,
) -> None:
    """Decide listing, price, quantity and images of every product.

    One row a product: sku, listing, status (ready, held or unlisted), reasons, price, sale_price, currency, quantity,
    main_image, images. Money is exact: Decimal in Parquet, text in JSON and CSV. Held products are no failure.

    \b
      merx evaluate --rules rules --products export.csv
      merx evaluate --rules rules --products export.csv --format csv -o outcomes.csv
    """
    written = chosen_format(format_, output)
    inputs = gather(currency)
    found = inputs.rules(rules)
    file = inputs.needed_products(products)
    done = evaluate_file(found, file, inputs.settings, as_of, account)
    rejected(done.snapshot, file, most=None if rejects is None else 5)
    if rejects is not None:
        write_rejects(done.snapshot.rejects, rejects)
    if written == "table":
        with into_file(output):
            show_outcomes(done.outcomes, done.snapshot, done.day)
        return
    write_frame(done.outcomes, written, output)
    mention(summary(done.outcomes, done.snapshot, done.day))


def evaluate_file(
    rules: Sequence[Path],
    file: Path,
    settings: StoreSettings,
    as_of: datetime.date | None = None,
    account: str | None = None,
) -> Evaluation:
    """The outcome of every product of the file; warnings about the rules are reported.

    Raises PolicyError where the rules, or the file as a whole, cannot be used.
    """
    from merx.engine import frame as frames
    from merx.engine.evaluate import evaluate

    ruleset = usable_rules(rules, settings)
    declared = ruleset.schema if ruleset.has_catalog else None
    needed = ruleset.reads(ruleset.prepare(as_of, account))
    snapshot = read_snapshot(file, ruleset.registry, settings, declared=declared, columns=needed)
    bound = ruleset.bind(snapshot.schema)
    report(bound.diagnostics)
    prepared = bound.prepare(as_of, account)
    with progress(f"deciding {snapshot.frame.height:,} products"):
        conformed = frames.conform(snapshot.frame, declared or snapshot.schema, bound.reads(prepared))
        outcomes = evaluate(prepared, conformed)
    return Evaluation(prepared.day, snapshot, outcomes)


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `evaluate`."""
    return [command]
