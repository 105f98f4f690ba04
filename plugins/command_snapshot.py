"""`merx snapshot`: product files come in and are kept; what is kept, and how two of it differ, goes out."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import hookimpl
from merx.engine.snapshot import Snapshot
from merx.plugins.inputs import format_option, output_option, rejected, state, wait_option, workspace, write_rejects
from merx.plugins.output import into_file, write
from merx.plugins.terminal import mention, plural, printable, progress, say, table

if TYPE_CHECKING:
    from merx.engine.difference import Difference
    from merx.engine.snapshots import Kept
    from merx.engine.state import State
    from merx.engine.workspace import Workspace

_Command = TypeVar("_Command", bound=Callable[..., Any])

_MOST = 20
"""Changed products, and added and removed SKUs, that people are shown."""


@click.group("snapshot", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Keep the products as they are at a moment, and compare.

    Plans are made from the last snapshot. ID is a snapshot's name or any beginning of it that only one has; `latest` is
    the last one, `latest~1` the one before.

    \b
    merx snapshot pull
    merx snapshot diff latest~1 latest
    """


rejects_option = click.option(
    "--rejects", type=click.Path(path_type=Path), metavar="FILE", help="Write the rejected rows, as CSV."
)


@command.command("pull")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]), metavar="DATETIME",
    help="Take only products that the store changed then or later, over those of the last snapshot.",
)  # fmt: skip
@rejects_option
@wait_option
def pull(since: datetime.datetime | None, rejects: Path | None, wait: float) -> None:
    """Take the products of the file that merx.toml names.

    A file that is as it was at the last pull is not read again.
    """
    with workspace("merx snapshot pull", wait=wait) as space:
        path = space.project.products
        if path is None:
            message = "merx.toml names no product file"
            help = 'write `products = "export.csv"` there, or take one: `merx snapshot import FILE`'
            raise PolicyError([Diagnostic("M823", "error", message, None, help)])
        _take(space, path, since, rejects)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@rejects_option
@wait_option
def import_(file: Path, rejects: Path | None, wait: float) -> None:
    """Take the products of any file as the last snapshot."""
    with workspace("merx snapshot import", wait=wait) as space:
        _take(space, file, None, rejects)


def _take(space: Workspace, path: Path, since: datetime.datetime | None, rejects: Path | None) -> None:
    from merx.engine.snapshots import rejects_of
    from merx.engine.workspace import pull as pulled_from

    with progress(f"reading {path}"):
        done = pulled_from(space, path, since=since, whole=True)
    if done.read is not None:
        rejected(done.read, path, most=None if rejects is None else 5)
    if rejects is not None:
        write_rejects(done.read.rejects if done.read is not None else rejects_of(done.kept), rejects)
    kept = done.kept
    products = plural(kept.products, "product")
    if done.read is None:
        say(f"{kept.short}: {path} has not changed since {kept.at}; it was not read")
    elif done.changed:
        say(f"{kept.short}: {products} of {path}")
    else:
        say(f"{kept.short}: {products} of {path}, the same as before")


@command.command("list")
@format_option("table", "json")
def list_(format_: str | None) -> None:
    """Show every snapshot that is kept, the last first."""
    from merx.engine.snapshots import kept_snapshots

    with state() as found:
        every = [] if found is None else kept_snapshots(found)
    if format_ == "json":
        say(json.dumps([_origin(one) for one in every], ensure_ascii=False, indent=2))
        return
    if every:
        rows = [[one.short, one.at, f"{one.products:,}", f"{one.rejected:,}", one.origin] for one in every]
        table(["id", "pulled", "products", "rejected", "from"], rows, right=["products", "rejected"])
    mention(plural(len(every), "snapshot"))


def _origin(kept: Kept) -> dict[str, Any]:
    return {
        "id": kept.id, "at": kept.at, "origin": kept.origin, "products": kept.products, "rows": kept.rows,
        "rejected": kept.rejected,
    }  # fmt: skip


def _named(found: State | None, name: str) -> Kept:
    from merx.engine.snapshots import snapshot_named

    if found is None:
        help = "take one: `merx snapshot pull`, or `merx snapshot import FILE`"
        raise PolicyError([Diagnostic("M810", "error", f"there is no snapshot `{name}`", None, help)])
    return snapshot_named(found, name)


@command.command("show")
@click.argument("name", metavar="[ID]", default="latest")
@rejects_option
@format_option("table", "json")
def show(name: str, rejects: Path | None, format_: str | None) -> None:
    """Show where a snapshot is from, its attributes, and which rows were kept out."""
    from merx.engine.snapshots import rejects_of

    with state() as found:
        kept = _named(found, name)
        out = rejects_of(kept)
    if rejects is not None:
        write_rejects(out, rejects)
    if format_ == "json":
        types = {one: str(kept.schema.attributes[one]) for one in kept.columns if one in kept.schema.attributes}
        rows = [{"line": one.line, "sku": one.sku, "reason": one.reason} for one in out]
        data = {**_origin(kept), "notes": list(kept.notes), "attributes": types, "rejects": rows}
        say(json.dumps(data, ensure_ascii=False, indent=2))
        return
    say(f"{kept.id}: {plural(kept.products, 'product')} of {kept.origin}, pulled {kept.at}")
    say()
    table(["attribute", "type"], [[one, str(kept.schema.attributes.get(one, ""))] for one in kept.columns])
    import polars as pl

    rejected(Snapshot(pl.DataFrame(), kept.schema, kept.rows, out, kept.notes), Path(kept.origin), most=5)


@command.command("diff")
@click.argument("before", metavar="A")
@click.argument("now", metavar="B")
@format_option("table", "json")
@output_option
def diff(before: str, now: str, format_: str | None, output: Path | None) -> None:
    """Show how the products of snapshot B differ from those of A."""
    from merx.engine.difference import difference, lines

    with state() as found:
        compared = difference(_named(found, before), _named(found, now))
    if format_ == "json":
        write(
            lambda stream: stream.writelines(f"{line}\n".encode("utf-8", "replace") for line in lines(compared)), output
        )
        return
    with into_file(output):
        _show(compared)


def _show(found: Difference) -> None:
    from merx.engine.difference import changed_products

    counts = (len(found.added), "added"), (len(found.removed), "removed"), (found.changes.height, "changed")
    same = f"{found.same:,} the same"
    say(
        f"{found.before.short} → {found.now.short}: "
        + ", ".join([f"{count:,} {what}" for count, what in counts] + [same])
    )
    for names, what in ((found.new, "new"), (found.gone, "gone")):
        if names:
            say(f"{what} attributes: {', '.join(map(printable, names))}")
    for skus, what in ((found.added, "added"), (found.removed, "removed")):
        if skus:
            more = f", … and {len(skus) - _MOST:,} more" if len(skus) > _MOST else ""
            say(f"{what}: {', '.join(map(printable, skus[:_MOST]))}{more}")
    if not found.counts:
        return
    say()
    by_count = sorted(found.counts.items(), key=lambda one: (-one[1], one[0]))
    table(["attribute", "changed"], [[name, f"{count:,}"] for name, count in by_count], right=["changed"])
    say()
    rows = [
        [one["sku"] if number == 0 else "", name, _shown(old), _shown(new)]
        for one in changed_products(found, _MOST)
        for number, (name, (old, new)) in enumerate(one["changes"].items())
    ]
    table(["sku", "attribute", "old", "new"], rows)
    if found.changes.height > _MOST:
        mention(f"… and {found.changes.height - _MOST:,} more changed products: --format json has them all")


_WIDE = 60


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…"


@command.command("prune")
@click.option(
    "--keep", "kept", type=click.IntRange(min=1), default=10, metavar="N", show_default=True, help="How many stay."
)
@wait_option
def prune(kept: int, wait: float) -> None:
    """Forget all but the last snapshots, and those that a plan or an evaluation still needs."""
    from merx.engine.snapshots import prune as pruned

    with state("merx snapshot prune", wait=wait) as found:
        assert found is not None
        gone = pruned(found, kept)
    for one in gone:
        say(f"{one.short}: {plural(one.products, 'product')}, pulled {one.at}")
    mention(f"{plural(len(gone), 'snapshot')} forgotten")


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `snapshot`."""
    return [command]
