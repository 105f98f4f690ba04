"""What a command was told, and what merx.toml adds, come in; a rule set and a snapshot of products go out."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from merx.engine.blocks import is_currency
from merx.engine.clock import Clock, SystemClock
from merx.engine.diagnostic import PolicyError
from merx.engine.project import Project, find_project
from merx.engine.snapshot import Reject, Snapshot, StoreSettings
from merx.plugins.output import unusable, write_frame
from merx.plugins.terminal import Stop, mention, plural, progress, report

if TYPE_CHECKING:
    from merx.engine.diagnostic import Diagnostic
    from merx.engine.registry import Registry
    from merx.engine.ruleset import Ruleset
    from merx.engine.snapshot import Schema
    from merx.engine.state import State
    from merx.engine.workspace import Workspace

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _currency(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not is_currency(value):
        raise click.BadParameter("a currency is three capital letters, such as EUR")
    return value


def _day(_context: click.Context, _parameter: click.Parameter, value: datetime.datetime | None) -> datetime.date | None:
    return None if value is None else value.date()


rules_option = click.option(
    "--rules", type=click.Path(path_type=Path), multiple=True, metavar="PATH",
    help="A rule file, or a folder of them; may be repeated.  [default: what merx.toml says]",
)  # fmt: skip
products_option = click.option(
    "--products",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The product file.  [default: what merx.toml says]",
)
currency_option = click.option(
    "--currency", callback=_currency, metavar="CUR", help="Of the prices, where the product file does not tell: EUR."
)
as_of_option = click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), callback=_day, metavar="DATE",
    help="The day to decide for: 2026-11-27.  [default: today in the store's time zone]",
)  # fmt: skip
account_option = click.option(
    "--account",
    metavar="TITLE",
    help="Whose listings and marketplace bounds apply.  [default: all listings, no bounds]",
)
output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to a file instead of standard output.",
)


def format_option(*formats: str) -> Callable[[_Command], _Command]:
    """The option --format; without a default where a file's ending may say it."""
    return click.option("--format", "format_", type=click.Choice(formats), help=f"[default: {formats[0]}]")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the command line and merx.toml say together; the command line wins."""

    project: Project | None
    settings: StoreSettings

    def rules(self, named: Sequence[Path]) -> tuple[Path, ...]:
        """The paths of the rules. Raises Stop where nobody names any."""
        if named:
            return tuple(named)
        if self.project is None:
            raise unusable("M720", "no rules are named", "name rule files or a folder, or write a merx.toml")
        return self.project.rules

    def products(self, named: Path | None) -> Path | None:
        return named or (self.project.products if self.project is not None else None)

    def needed_products(self, named: Path | None) -> Path:
        """Raises Stop where nobody names any."""
        path = self.products(named)
        if path is None:
            raise unusable("M721", "no product file is named", "add --products FILE, or `products = …` in merx.toml")
        return path


def gather(currency: str | None = None) -> Inputs:
    """What merx.toml of the working directory, or the nearest one above, says; `currency` wins over it.

    Raises Stop after reporting what is wrong in it.
    """
    try:
        project = find_project(Path.cwd())
    except PolicyError as error:
        report(error.diagnostics)
        raise Stop(2) from None
    settings = project.settings if project is not None else StoreSettings()
    return Inputs(project, replace(settings, currency=currency) if currency else settings)


wait_option = click.option(
    "--wait", type=click.FloatRange(min=0), default=0, metavar="SECONDS",
    help="How long to wait for another merx that is at work in this project.",
)  # fmt: skip


def clock() -> Clock:
    """The command line's: the system's, or what a test gave to `merx.cli.run`."""
    return click.get_current_context().find_root().obj or SystemClock()


def project_needed() -> Project:
    """The project of the working directory. Raises Stop where there is none."""
    project = gather().project
    if project is None:
        raise unusable("M720", "this is no project: there is no merx.toml here or above", "make one: `merx init`")
    return project


@contextlib.contextmanager
def workspace(doing: str, *, wait: float = 0, write: bool = True) -> Iterator[Workspace]:
    """The project of the working directory, open; its warnings are reported.

    doing: what others are told who want to write meanwhile. write: the lock is held, and a clock that was set back is
    refused. Raises Stop, PolicyError.
    """
    from merx.engine.workspace import open_workspace

    project, time = project_needed(), clock()
    with contextlib.ExitStack() as stack:
        if write:
            stack.enter_context(_alone(project, doing, time, wait))
        found = open_workspace(project, time)
        stack.callback(found.state.close)
        report(one for one in found.problems if one.level == "warning")
        if write:
            found.state.check_clock()
        yield found


@contextlib.contextmanager
def state(doing: str | None = None, *, wait: float = 0) -> Iterator[State | None]:
    """The state of the project of the working directory, open, without its rules. doing: the lock is held, see `workspace`;
    None only looks, and gives None where there is no state yet. Raises Stop, PolicyError."""
    from merx.engine.state import FILE, FOLDER, open_state

    project, time = project_needed(), clock()
    if doing is None and not (project.folder / FOLDER / FILE).exists():
        yield None
        return
    with contextlib.nullcontext() if doing is None else _alone(project, doing, time, wait):
        found = open_state(project.folder, time)
        try:
            yield found
        finally:
            found.close()


@contextlib.contextmanager
def _alone(project: Project, doing: str, time: Clock, wait: float) -> Iterator[None]:
    """The lock of the project, before anything of it is opened: whoever had to wait for it may find other rules, and a
    state that was restored meanwhile."""
    from merx.engine.lock import locked
    from merx.engine.state import ready

    with locked(ready(project.folder), doing, time, wait=wait):
        yield


def check_rules(
    paths: Sequence[Path], settings: StoreSettings, schema: Schema | None = None
) -> tuple[Ruleset, tuple[Diagnostic, ...]]:
    """The rule set, and every diagnostic."""
    from merx.engine.ruleset import Options, check_paths

    options = Options(currency=settings.currency, media_base_url=settings.media_base_url, timezone=settings.timezone)
    return check_paths(paths, schema=schema, options=options)


def usable_rules(paths: Sequence[Path], settings: StoreSettings) -> Ruleset:
    """The rule set. Raises PolicyError with its errors."""
    ruleset, problems = check_rules(paths, settings)
    errors = [one for one in problems if one.level == "error"]
    if errors:
        raise PolicyError(errors)
    return ruleset


def read_snapshot(
    path: Path,
    registry: Registry,
    settings: StoreSettings,
    *,
    declared: Schema | None = None,
    columns: Collection[str] | None = None,
) -> Snapshot:
    """The products of a file. Raises PolicyError for one that cannot be read."""
    from merx.engine.read import read_products

    with progress(f"reading {path}"):
        return read_products(path, registry.sources, declared=declared, columns=columns, settings=settings)


def rejected(snapshot: Snapshot, path: Path, *, most: int | None = None) -> None:
    """Says on standard error which rows are kept out, and what else the source noticed."""
    for note in snapshot.notes:
        mention(f"note: {path}: {note}")
    if not snapshot.rejects:
        return
    rows = plural(snapshot.rows, "row")
    mention(f"{path}: {len(snapshot.rejects):,} of {rows} cannot be read and {_is(snapshot)} left out:")
    for reject in snapshot.rejects[:most]:
        mention(f"  line {reject.line}{_named(reject)}: {reject.reason}")
    if most is not None and len(snapshot.rejects) > most:
        mention(f"  … and {len(snapshot.rejects) - most:,} more: --rejects FILE writes them all")


def write_rejects(rejects: Sequence[Reject], path: Path) -> None:
    """The rows that are kept out, as CSV."""
    import polars as pl

    rows = [(one.line, one.sku, one.reason) for one in rejects]
    schema = {"line": pl.Int64, "sku": pl.String, "reason": pl.String}
    write_frame(pl.DataFrame(rows, schema=schema, orient="row"), "csv", path)


def _is(snapshot: Snapshot) -> str:
    return "is" if len(snapshot.rejects) == 1 else "are"


def _named(reject: Reject) -> str:
    return f" ({reject.sku})" if reject.sku else ""
