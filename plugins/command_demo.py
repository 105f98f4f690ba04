"""`merx demo`: nothing comes in; the sample catalogue, decided by the starter policies, goes out."""

from __future__ import annotations

import datetime
from importlib.resources import as_file, files
from pathlib import Path

import click

from merx.engine.hooks import hookimpl
from merx.engine.snapshot import StoreSettings
from merx.plugins.command_evaluate import evaluate_file
from merx.plugins.inputs import rejected
from merx.plugins.outcomes import show_outcomes
from merx.plugins.terminal import say

DAY = datetime.date(2026, 11, 27)
"""Some special prices of the sample apply, others are over or have not begun."""


@click.command("demo")
def command() -> None:
    """Decide a sample catalogue of about 200 products with the starter policies."""
    with as_file(files("merx.rules")) as folder:
        rules, products = _seen(folder / "demo.merx"), _seen(folder / "sample.csv")
        done = evaluate_file([rules], products, StoreSettings(currency="EUR"), DAY)
        rejected(done.snapshot, products)
        show_outcomes(done.outcomes, done.snapshot, done.day)
    say(f"""
The rules are in {rules}, the products in {products}. Next:
  merx explain BG-132 --rules {rules} --products {products} --currency EUR --as-of {DAY}
  merx schema {products}
  merx eval 'price + 10%' --given '{{"price": "10.05"}}'""")


def _seen(path: Path) -> Path:
    """As the user would write it: relative where the file lies in the working directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `demo`."""
    return [command]
