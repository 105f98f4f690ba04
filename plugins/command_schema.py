"""`merx schema FILE`: a product file comes in, the `catalog` block that describes it goes out."""

from __future__ import annotations

from pathlib import Path

import click

from merx.engine.hooks import hookimpl
from merx.plugins.inputs import currency_option, gather, output_option, read_snapshot, rejected
from merx.plugins.output import write_text


@click.command("schema")
@click.argument("file", type=click.Path(path_type=Path))
@currency_option
@output_option
def command(file: Path, currency: str | None, output: Path | None) -> None:
    """Write the `catalog` block of a product file: its attributes and their types."""
    from merx.engine.catalog import schema_text
    from merx.engine.registry import registry

    inputs = gather(currency)
    snapshot = read_snapshot(file, registry(), inputs.settings)
    rejected(snapshot, file, most=5)
    write_text(schema_text(snapshot.schema), output)


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `schema`."""
    return [command]
