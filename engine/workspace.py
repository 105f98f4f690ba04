"""A project comes in; its rules, its state and its last snapshot go out: what every command of a project starts from."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points, version
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from merx.engine.clock import Clock
from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.fingerprint import of_text
from merx.engine.project import Project
from merx.engine.read import read_products
from merx.engine.ruleset import Options, Ruleset, check_paths
from merx.engine.snapshot import Snapshot
from merx.engine.snapshots import Kept, frame_of, keep, latest_snapshot, merge
from merx.engine.state import State, open_state

SINCE = "updated_at"
"""The attribute that tells when the store last changed a product."""


@dataclass(frozen=True, eq=False)
class Workspace:
    """project, state, ruleset: open and checked. Close `state` when done."""

    project: Project
    state: State
    ruleset: Ruleset
    problems: tuple[Diagnostic, ...] = field(default=())

    @property
    def day(self) -> datetime.date:
        """The day in the store's time zone."""
        return self.state.clock.now().astimezone(ZoneInfo(self.project.settings.timezone)).date()

    @cached_property
    def identity(self) -> dict[str, str]:
        """Everything beside the products that an outcome depends on, by name: each rule file's content, the settings of
        merx.toml, and the versions of merx and of the plugins."""
        found = {self._named(Path(one.source.name)): of_text(one.source.text) for one in self.ruleset.files}
        found["merx.toml"] = of_text(repr(self.project.settings))
        found["merx"] = version("merx")
        for entry in entry_points(group="merx"):
            if entry.dist is not None and entry.dist.name != "merx":
                found[f"plugin {entry.dist.name}"] = entry.dist.version
        return found

    def _named(self, path: Path) -> str:
        path = path.resolve()
        folder = self.project.folder.resolve()
        return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def open_workspace(project: Project, clock: Clock | None = None) -> Workspace:
    """Raises PolicyError where the rules or the state cannot be used."""
    settings = project.settings
    options = Options(currency=settings.currency, media_base_url=settings.media_base_url, timezone=settings.timezone)
    ruleset, problems = check_paths(project.rules, options=options)
    errors = [one for one in problems if one.level == "error"]
    if errors:
        raise PolicyError(errors)
    return Workspace(project, open_state(project.folder, clock), ruleset, problems)


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What of two identities is not the same, in words."""
    words = []
    for name in sorted({*before, *now}):
        if name not in now:
            words.append(f"{name} is gone")
        elif name not in before:
            words.append(f"{name} is new")
        elif before[name] != now[name]:
            words.append(
                f"{name} was {before[name]} and is {now[name]}"
                if name.startswith(("merx", "plugin ")) and name != "merx.toml"
                else f"{name} changed"
            )
    return words


@dataclass(frozen=True, slots=True)
class Pulled:
    """A snapshot that was taken, or that was found unchanged. read: None where the source need not be read."""

    kept: Kept
    changed: bool
    read: Snapshot | None = None


_PART = "part of "
"""How the mark of a pull begins that did not take all that the file held."""


def pull(
    workspace: Workspace,
    path: Path,
    *,
    since: datetime.datetime | None = None,
    whole: bool = False,
    again: bool = False,
) -> Pulled:
    """The products of a file as the last snapshot.

    A file that is as it was at the last pull is not read. since: only products that the store changed then or later
    (by `updated_at`) are taken, over those of the last snapshot. whole: a file that only a part was taken of is read too.
    again: it is read whatever it looks like. Raises PolicyError where the file cannot be read.
    """
    mark = _mark(workspace, path)
    origin = str(path.resolve())
    last = latest_snapshot(workspace.state)
    known = {mark} if whole else {mark, _PART + mark}
    if last is not None and not again and since is None and last.origin == origin and last.mark in known:
        return Pulled(last, False)
    rules = workspace.ruleset
    declared = rules.schema if rules.has_catalog else None
    found = read_products(path, rules.registry.sources, declared=declared, settings=workspace.project.settings)
    if since is not None and last is not None:
        found = _only_since(found, frame_of(last), since, path)
        mark = _PART + mark
    kept, changed = keep(workspace.state, found, origin, mark)
    return Pulled(kept, changed, found)


def _only_since(found: Snapshot, before: pl.DataFrame, since: datetime.datetime, path: Path) -> Snapshot:
    if SINCE not in found.frame.columns:
        message = f"`{path}` does not tell when a product was changed: it has no `{SINCE}`"
        help = "take all of it: leave `--since` out"
        raise PolicyError([Diagnostic("M812", "error", message, None, help)])
    column = found.frame[SINCE]
    moments = column.cast(pl.String).str.slice(0, 19).str.replace(" ", "T", literal=True)
    newer = (moments >= since.strftime("%Y-%m-%dT%H:%M:%S")[: 19 if column.dtype != pl.Date else 10]).fill_null(True)
    merged = merge(before, found.frame.filter(newer))
    return Snapshot(merged, found.schema, found.rows, found.rejects, found.notes)


def _mark(workspace: Workspace, path: Path) -> str:
    """What tells that a file, and how it is read, are as they were."""
    try:
        stat = path.stat()
    except OSError:
        return ""
    catalog = workspace.ruleset.schema if workspace.ruleset.has_catalog else None
    declared = None if catalog is None else {name: str(one) for name, one in catalog.attributes.items()}
    how = of_text(json.dumps(declared, sort_keys=True), repr(workspace.project.settings))
    return f"{stat.st_size}:{stat.st_mtime_ns}:{how[:12]}"
