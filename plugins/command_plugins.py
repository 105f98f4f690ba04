"""`merx plugins`: what is installed comes in, what each plugin offers goes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points, version
from typing import Any

import click
import pluggy

from merx.engine.hooks import PROJECT, Marketplace, Store, hookimpl
from merx.plugins.output import write_text
from merx.plugins.terminal import table


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that a plugin offers. what: policy type, function, source, marketplace, store or command."""

    plugin: str
    package: str
    what: str
    name: str
    doc: str
    fields: tuple[str, ...] = ()


@click.command("plugins")
@click.option("--format", "format_", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(format_: str) -> None:
    """Show the installed plugins and what each offers: kinds of block, functions, sources, marketplaces, commands."""
    from merx.engine.registry import plugin_manager

    offers = sorted(_offers(plugin_manager(commands=True)), key=lambda one: (_ORDER.index(one.what), one.name))
    if format_ == "json":
        rows = [{field: getattr(one, field) for field in Offer.__slots__} for one in offers]
        write_text(json.dumps(rows, ensure_ascii=False, indent=1), None)
        return
    table(
        ["offers", "name", "what it is", "plugin", "package"],
        [(one.what, one.name, _described(one), one.plugin, one.package) for one in offers],
    )


_ORDER = ("policy type", "function", "source", "marketplace", "store", "command")


def _described(offer: Offer) -> str:
    return f"{offer.doc} Fields: {', '.join(offer.fields)}." if offer.fields else offer.doc


def _offers(manager: pluggy.PluginManager) -> Iterator[Offer]:
    from merx.engine.functions import FUNCTIONS

    packages = {one.name: f"{one.dist.name} {one.dist.version}" for one in entry_points(group=PROJECT) if one.dist}
    for one in FUNCTIONS.values():
        yield Offer("merx", f"merx {version('merx')}", "function", one.name, one.doc)
    for hook in ("merx_policy_types", "merx_functions", "merx_connectors", "merx_commands"):
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            plugin = implementation.plugin_name
            package = packages.get(plugin, "")
            for offered in implementation.function():
                what, name, doc, fields = _described_by(hook, offered)
                yield Offer(plugin, package, what, name, _first_line(doc), fields)


def _described_by(hook: str, offered: Any) -> tuple[str, str, str, tuple[str, ...]]:
    match hook:
        case "merx_policy_types":
            return "policy type", offered.kind, type(offered).__doc__ or "", tuple(offered.fields.model_fields)
        case "merx_functions":
            return "function", offered.name, offered.doc, ()
        case "merx_commands":
            return "command", offered.name, offered.get_short_help_str(200), ()
    what = "marketplace" if isinstance(offered, Marketplace) else "store" if isinstance(offered, Store) else "source"
    return what, offered.name, getattr(offered, "doc", None) or type(offered).__doc__ or "", ()


def _first_line(text: str) -> str:
    """The first paragraph, on one line."""
    return " ".join(text.strip().split("\n\n")[0].split())


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `plugins`."""
    return [command]
