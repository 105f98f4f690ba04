"""Installed plugins come in; what they offer goes out: policy types, connectors, functions, commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.functions import FUNCTIONS
from merx.engine.hooks import PROJECT, Function, Hooks, Marketplace, ProductSource, Store
from merx.engine.policy import PolicyType


@dataclass(frozen=True, slots=True)
class Registry:
    """What the plugins of one run offer, by name."""

    policy_types: Mapping[str, PolicyType]
    functions: Mapping[str, Function]
    marketplaces: Mapping[str, Marketplace]
    stores: Mapping[str, Store]
    sources: tuple[ProductSource, ...]
    manager: pluggy.PluginManager

    def terms(self, connectors: Sequence[str] = ()) -> dict[tuple[str, str], tuple[str, ...]]:
        """(side, term) → the names that side knows. connectors: the marketplaces to ask, all where none is named."""
        markets = [self.marketplaces[name] for name in connectors if name in self.marketplaces]
        sides: list[tuple[str, Marketplace | Store]] = [
            *(("marketplace", one) for one in markets or self.marketplaces.values()),
            *(("store", one) for one in self.stores.values()),
        ]
        found: dict[tuple[str, str], dict[str, None]] = {}
        for side, one in sides:
            found.setdefault((side, "statuses"), {}).update(dict.fromkeys(status.code for status in one.statuses))
            found.setdefault((side, "carriers"), {}).update(dict.fromkeys(one.carriers))
        return {key: tuple(names) for key, names in found.items() if names}


COMMAND_PREFIX = "command_"
"""Entry points of this name only add a command of that name; the command line loads the one it runs."""


def plugin_manager(plugins: Iterable[object] = (), *, commands: bool = False) -> pluggy.PluginManager:
    """A manager with every installed plugin (entry-point group `merx`) and the given ones.

    commands: those that only add a command too.
    Raises PolicyError (M702) for one that cannot be imported: going on without it could decide otherwise.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    for entry in sorted(entry_points(group=PROJECT), key=lambda one: not one.value.startswith("merx.plugins.")):
        if commands or not entry.name.startswith(COMMAND_PREFIX):
            manager.register(_loaded(entry), name=entry.name)
    for plugin in plugins:
        manager.register(plugin)
    return manager


def _loaded(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except Exception as error:  # a third party's module may raise anything
        message = f"the plugin `{entry.name}` ({entry.value}) cannot be loaded: {error}"
        help = "uninstall it, or install what it needs"
        raise PolicyError([Diagnostic("M702", "error", message, None, help)]) from error


def registry(plugins: Iterable[object] = ()) -> Registry:
    """What the installed plugins and the given ones offer.

    Raises PolicyError (M701) where two offer the same name.
    """
    manager = plugin_manager(plugins)
    policy_types: dict[str, tuple[PolicyType, str]] = {}
    functions: dict[str, tuple[Function, str]] = {name: (one, "merx") for name, one in FUNCTIONS.items()}
    connectors: dict[tuple[str, str], tuple[Any, str]] = {}
    for plugin in manager.get_plugins():
        name = manager.get_name(plugin) or repr(plugin)
        for one in _offers(manager, plugin, "merx_policy_types"):
            _add(policy_types, one.kind, one, name, "kind of block")
        for one in _offers(manager, plugin, "merx_functions"):
            _add(functions, one.name, one, name, "function")
        for one in _offers(manager, plugin, "merx_connectors"):
            side = "marketplace" if isinstance(one, Marketplace) else "store" if isinstance(one, Store) else "source"
            _add(connectors, (side, one.name), one, name, side)
    by_side = {side: {key[1]: one for key, (one, _) in connectors.items() if key[0] == side} for side, _ in connectors}
    sources = sorted(by_side.get("source", {}).values(), key=lambda one: -one.rank)
    return Registry(
        {kind: one for kind, (one, _) in policy_types.items()},
        {name: one for name, (one, _) in functions.items()},
        by_side.get("marketplace", {}),
        by_side.get("store", {}),
        tuple(sources),
        manager,
    )


def _offers(manager: pluggy.PluginManager, plugin: object, hook: str) -> list[Any]:
    # Asked one by one, so that a conflict can name both plugins.
    implementation = getattr(plugin, hook, None)
    if implementation is None or manager.parse_hookimpl_opts(plugin, hook) is None:
        return []
    return list(implementation())


def _add(found: dict[Any, tuple[Any, str]], key: Any, one: Any, plugin: str, what: str) -> None:
    if key in found:
        name = key[1] if isinstance(key, tuple) else key
        message = f"the plugins `{found[key][1]}` and `{plugin}` both offer the {what} `{name}`"
        raise PolicyError(
            [Diagnostic("M701", "error", message, None, "uninstall one of them, or rename what it offers")]
        )
    found[key] = (one, plugin)
