"""`merx demo`: nothing comes in; the sample catalogue, decided by the starter policies and published to a sandbox, goes out."""

from __future__ import annotations

import datetime
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

import click

from merx.engine.hooks import hookimpl
from merx.engine.project import Project, Safety
from merx.engine.snapshot import StoreSettings
from merx.engine.source import Source
from merx.plugins.command_evaluate import evaluate_file
from merx.plugins.inputs import clock, rejected
from merx.plugins.outcomes import show_outcomes
from merx.plugins.terminal import plural, say, table

DAY = datetime.date(2026, 11, 27)
"""Some special prices of the sample apply, others are over or have not begun."""

SETTINGS = StoreSettings(currency="EUR")
ACCOUNT = "sandbox"
_SHOWN = 5


@click.command("demo")
def command() -> None:
    """Decide a sample catalogue of about 200 products with the starter policies, and publish it to a sandbox."""
    with as_file(files("merx.rules")) as folder:
        rules, products = _seen(folder / "demo.merx"), _seen(folder / "sample.csv")
        done = evaluate_file([rules], products, SETTINGS, DAY)
        rejected(done.snapshot, products)
        show_outcomes(done.outcomes, done.snapshot, done.day)
        _publish(rules, products)
    say(f"""
The rules are in {rules}, the products in {products}. Next:
  merx explain BG-132 --rules {rules} --products {products} --currency EUR --as-of {DAY}
  merx init shop --from {products} --currency EUR     # a project of your own, with a sandbox to publish to
  merx eval 'price + 10%' --given '{{"price": "10.05"}}'""")


def _publish(rules: Path, products: Path) -> None:
    """Plans and applies in a project that is gone afterwards."""
    from merx.engine.apply import send
    from merx.engine.journal import Journal
    from merx.engine.outbox import write_intents
    from merx.engine.workspace import open_workspace, pull
    from merx.plugins.planned import opened, planned

    with tempfile.TemporaryDirectory() as name:
        project = Project(Path(name), (rules,), products, SETTINGS, Safety(), {}, Source("merx.toml", ""))
        found = open_workspace(project, clock())
        try:
            pull(found, products)  # what is to be said of the file has been said
            made = planned(found, ACCOUNT, as_of=DAY)
            journal = Journal(found.state, ACCOUNT)
            with opened(found, made.account, journal.record) as connection:
                result = send(write_intents(found.state, made.plan, connection.limits.offers), connection, journal)
                shown = [one for one in connection.shown() if one.values.get("sale_price") is not None]
        finally:
            found.state.close()
    say(
        f"\npublished to a sandbox, a marketplace on this machine: {plural(result.accepted, 'product')}, of them on sale"
    )
    rows = [[one.sku, *(str(one.values[name]) for name in ("price", "sale_price", "quantity"))] for one in shown]
    table(["sku", "price", "sale_price", "quantity"], rows[:_SHOWN], right=["price", "sale_price", "quantity"])


def _seen(path: Path) -> Path:
    """As the user would write it: relative where the file lies in the working directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `demo`."""
    return [command]
