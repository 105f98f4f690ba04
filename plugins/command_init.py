"""`merx init`: a folder and a product file come in; a project goes out that `merx plan` works in at once."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from merx.engine.diagnostic import PolicyError
from merx.engine.durable import replacing
from merx.engine.hooks import hookimpl
from merx.engine.project import FILE, find_project
from merx.engine.snapshot import StoreSettings
from merx.engine.state import FOLDER
from merx.plugins.inputs import clock, currency_option, read_snapshot, rejected
from merx.plugins.new_project import NewProject, ignoring
from merx.plugins.output import unusable
from merx.plugins.terminal import Stop, mention, plural, report, say

if TYPE_CHECKING:
    from merx.engine.snapshots import Kept

CURRENCY = "USD"
ACCOUNT = "sandbox"
"""What stands where nobody is asked."""


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option(
    "--from", "products", type=click.Path(path_type=Path), metavar="FILE",
    help="The product file: its attributes are declared, and it is the first snapshot.",
)  # fmt: skip
@currency_option
@click.option("--yes", is_flag=True, help="Ask nothing: USD, and an account `sandbox`.")
def command(folder: Path, products: Path | None, currency: str | None, yes: bool) -> None:
    """Make a project: merx.toml, rules to begin with, and an account at a sandbox on this machine.

    DIR is the folder, by default this one; it may hold other things, and is made where there is none. On a terminal two
    questions are asked.
    """
    _refuse_project(folder)
    relative = None if products is None else _relative(products, folder)
    asking = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    currency = currency or (_asked_currency() if asking else CURRENCY)
    account = _asked_account() if asking else ACCOUNT
    catalog = None if products is None else _catalog(products, currency)
    texts = NewProject(currency, account, relative, catalog).texts()
    _refuse_rules(folder, texts)
    kept = _made(folder, texts, products)
    _say_so(folder, texts, kept)


def _refuse_project(folder: Path) -> None:
    if os.path.lexists(folder / FILE):
        help = "`merx status` shows it; name another folder for a new one"
        raise unusable("M826", f"`{folder}` is a project already: it has a {FILE}", help)


def _refuse_rules(folder: Path, texts: Mapping[str, str]) -> None:
    """Rules that are not as they would be written would be part of the project, or be lost."""
    for path in sorted((folder / "rules").rglob("*.merx")):
        name = path.relative_to(folder).as_posix()
        with contextlib.suppress(OSError):
            if name in texts and path.read_bytes() == texts[name].encode():
                continue
        help = f'name another folder, or write a {FILE} for these rules: `rules = ["rules"]`'
        raise unusable("M827", f"`{path}` is in the way: the folder has rules already", help)


def _relative(products: Path, folder: Path) -> str:
    """The file as merx.toml of the folder names it."""
    try:
        found = Path(os.path.relpath(products.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        found = products.resolve().as_posix()
    if not found.isprintable():
        help = "rename it, or the folder it lies in"
        raise unusable("M828", f"the path of `{products}` holds a character that {FILE} cannot", help)
    return found


def _asked_currency() -> str:
    from merx.engine.blocks import is_currency

    while not is_currency(code := str(click.prompt("Currency of the prices", default=CURRENCY)).strip()):
        mention("a currency is three capital letters, such as EUR")
    return code


def _asked_account() -> str:
    while True:
        title = str(click.prompt("Title of the account", default=ACCOUNT)).strip()
        if title and title.isprintable() and not {'"', "\\"} & set(title):
            return title
        mention("a title is text without quotes and backslashes")


def _catalog(products: Path, currency: str) -> str:
    """Raises PolicyError where the file cannot be read."""
    from merx.engine.catalog import schema_text
    from merx.engine.registry import registry

    snapshot = read_snapshot(products, registry(), StoreSettings(currency=currency))
    rejected(snapshot, products, most=5)
    return schema_text(snapshot.schema)


def _made(folder: Path, texts: Mapping[str, str], products: Path | None) -> Kept | None:
    """Writes the project, and takes its first snapshot. What goes wrong leaves the folder as it was."""
    from merx.engine.clock import Clock
    from merx.engine.lock import locked

    time: Clock = clock()
    try:
        with _or_nothing(folder) as made:
            made.folder(folder / FOLDER)
            with locked(folder / FOLDER, "merx init", time):
                # Another `merx init` may have been faster.
                _refuse_project(folder)
                for name, text in texts.items():
                    made.file(folder / name, text)
                ignore = folder / ".gitignore"
                made.file(ignore, ignoring(_text(ignore)))
                return _first_snapshot(folder, products)
    except PolicyError as error:
        report(error.diagnostics)
        mention("nothing was made")
        raise Stop(1) from None
    except (OSError, UnicodeError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        place = folder if not isinstance(error, OSError) or error.filename is None else error.filename
        help = "name a folder that you may write in"
        raise unusable("M828", f"`{place}` cannot be written: {told.lower()}", help) from None


def _first_snapshot(folder: Path, products: Path | None) -> Kept | None:
    """Raises PolicyError where the rules do not go with the products."""
    from merx.engine.workspace import open_workspace, pull

    project = find_project(folder)
    assert project is not None
    # As seen from here, and not from the folder.
    project = replace(project, rules=(folder / "rules",))
    workspace = open_workspace(project, clock())
    try:
        workspace.state.check_clock()
        if products is None:
            return None
        found = pull(workspace, products)
        errors = [one for one in workspace.problems if one.level == "error"]
        if errors:
            raise PolicyError(errors)
        return found.kept
    finally:
        workspace.state.close()


def _text(path: Path) -> str:
    return path.read_bytes().decode() if path.exists() else ""


class _Made:
    """What was made, the last first, and what stood there before."""

    def __init__(self) -> None:
        self._undo: list[tuple[Path, bytes | None]] = []

    def folder(self, path: Path) -> None:
        missing = [one for one in (path, *path.parents) if not one.exists()]
        for one in reversed(missing):
            one.mkdir()
            self._undo.append((one, None))
        if not path.is_dir():
            raise NotADirectoryError(20, "it is not a directory", str(path))

    def file(self, path: Path, text: str) -> None:
        self.folder(path.parent)
        before = path.read_bytes() if path.exists() else None
        if before == text.encode():
            return
        self._undo.append((path, before))
        with replacing(path) as stream:
            stream.write(text.encode())

    def undo(self) -> None:
        for path, before in reversed(self._undo):
            with contextlib.suppress(OSError):
                if before is not None:
                    path.write_bytes(before)
                elif path.name == FOLDER:
                    # What lies in it came after it was made.
                    shutil.rmtree(path)
                elif path.is_dir():
                    path.rmdir()
                else:
                    path.unlink(missing_ok=True)


@contextlib.contextmanager
def _or_nothing(folder: Path) -> Iterator[_Made]:
    """What the body made stays only when it is through."""
    made = _Made()
    try:
        yield made
    except BaseException:
        made.undo()
        raise


def _say_so(folder: Path, texts: Mapping[str, str], kept: Kept | None) -> None:
    say(f"made {folder / FILE}")
    for name in sorted(texts):
        if name != FILE:
            say(f"made {folder / name}")
    if kept is not None:
        say(f"took {plural(kept.products, 'product')} as the snapshot {kept.short}")
    say()
    say("next:")
    if folder.resolve() != Path.cwd():
        say(f"  cd {shlex.quote(str(folder))}")
    if kept is None:
        say(f"  name your product file in {FILE}: products = …")
    for one, does in _NEXT:
        say(f"  {one:<24}{does}")


_NEXT = (
    ("merx plan", "what would be published, and why"),
    ("merx apply", "publishes it, to the sandbox"),
    ("merx sandbox listings", "what the sandbox shows now"),
)


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `init`."""
    return [command]
