"""A draft of a project's rule files comes in; they are checked, written and recorded, or nothing is and the reason is told."""

from __future__ import annotations

import contextlib
import difflib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.durable import replacing
from merx.engine.project import Project
from merx.plugins.inputs import clock, project_needed, read_snapshot, wait_option
from merx.plugins.output import unusable
from merx.plugins.terminal import Stop, mention, printable, report, say

if TYPE_CHECKING:
    from merx.engine.draft import Draft
    from merx.engine.snapshot import Schema
    from merx.engine.state import State

_Command = TypeVar("_Command", bound=Callable[..., Any])

WRONG_USAGE = frozenset({"M841", "M843"})
"""Codes of what is wrong with the command line itself."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a change is to be made. doing: the command, for others who wait for it."""

    doing: str
    dry_run: bool
    by: str | None
    wait: float


def change_options(command: _Command) -> _Command:
    """--dry-run, --by and --wait."""
    for option in (
        wait_option,
        click.option("--by", metavar="NAME", help="Who does it.  [default: $MERX_USER, or the login name]"),
        click.option("--dry-run", is_flag=True, help="Change nothing; show what would change."),
    ):  # fmt: skip
        command = option(command)
    return command


@contextlib.contextmanager
def usage() -> Iterator[None]:
    """Wrong usage ends with exit code 2, as it does everywhere."""
    try:
        yield
    except PolicyError as error:
        report(error.diagnostics)
        raise Stop(2 if {one.code for one in error.diagnostics} <= WRONG_USAGE else 1) from None


def open_draft(project: Project) -> Draft:
    from merx.engine.draft import Draft
    from merx.engine.registry import registry

    return Draft(project, registry(), project.settings.media_base_url)


def state_if_any(project: Project) -> State | None:
    """The project's state, where it has one already: looking makes none."""
    from merx.engine.state import FILE, FOLDER, open_state

    return open_state(project.folder, clock()) if (project.folder / FOLDER / FILE).exists() else None


def carry_out(wish: Wish, change: Callable[[Draft, State | None], object]) -> None:
    """Makes the changes in a fresh draft, checks it and writes it, all under the project's lock."""
    project = project_needed()
    with contextlib.ExitStack() as stack:
        stack.enter_context(usage())
        if wish.dry_run:
            state = state_if_any(project)
            if state is not None:
                stack.callback(state.close)
        else:
            state = _locked_state(project, wish, stack)
        draft = open_draft(project)
        change(draft, state)
        if not draft.changes:
            mention("nothing to change: it says so already")
            return
        _refuse_new_errors(draft, _schema(draft))
        if wish.dry_run:
            _show(draft)
            return
        assert state is not None
        _write(draft, state, wish)
    for one in draft.changes:
        was = f" (was {one.before})" if one.action == "rename" else ""
        say(f'{_DONE[one.action]} {one.kind} "{printable(one.title)}" in {one.file}{was}')


_DONE = {"add": "added", "edit": "changed", "remove": "removed", "rename": "renamed", "restore": "restored"}


def _locked_state(project: Project, wish: Wish, stack: contextlib.ExitStack) -> State:
    from merx.engine.lock import locked
    from merx.engine.state import open_state, ready

    # The lock comes first: whoever had to wait for it may find a state that was restored meanwhile.
    stack.enter_context(locked(ready(project.folder), wish.doing, clock(), wait=wish.wait))
    state = open_state(project.folder, clock())
    stack.callback(state.close)
    state.check_clock()
    return state


def _schema(draft: Draft) -> Schema | None:
    """Of the project's products, where no `catalog` block says what rules may read."""
    products = draft.project.products
    if products is None or any(one.kind.name == "catalog" for file in draft.every_file for one in file.declarations):
        return None
    try:
        return read_snapshot(products, draft.registry, draft.project.settings).schema
    except PolicyError as error:
        mention(f"note: attributes were not checked: {error.diagnostics[0].message}")
        return None


def _refuse_new_errors(draft: Draft, schema: Schema | None) -> None:
    problems = draft.new_problems(schema)
    report(problems)
    if any(one.level == "error" for one in problems):
        mention("\nnothing was changed: the rules would have the errors above, which they do not have now")
        raise Stop(1)


def _show(draft: Draft) -> None:
    for name in draft.changed:
        old = draft.loaded[name].source.text if name in draft.loaded else ""
        show_difference(old, draft.text(name) or "", name, f"{name} (changed)")


def show_difference(old: str, new: str, name: str, changed: str) -> None:
    for line in difflib.unified_diff(old.splitlines(), new.splitlines(), name, changed, lineterm=""):
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        say(click.style(printable(line), fg=colour))


def _write(draft: Draft, state: State, wish: Wish) -> None:
    """Every file, or none of them, and the record of it with them."""
    from merx.engine.history import record, who_is_it

    contents = {name: _content(draft, name) for name in draft.changed}
    who = who_is_it(wish.by)
    with state.atomic():
        for one in draft.changes:
            record(state, one, who)
        done: list[str] = []
        try:
            for name, (_, new) in contents.items():
                _put(Path(name), new)
                done.append(name)
        except OSError as error:
            for name in done:
                _put(Path(name), contents[name][0])
            message = f"`{error.filename or name}` cannot be written: {(error.strerror or str(error)).lower()}"
            raise unusable("M722", message, "nothing was changed") from None


def _content(draft: Draft, name: str) -> tuple[bytes | None, bytes | None]:
    """What the file holds and what it shall hold, None where there is none. Raises PolicyError (M853) where it holds
    something else than what was read."""
    path = Path(name)
    new = draft.text(name)
    if name not in draft.loaded:
        old, mark = None, b""
        same = not path.exists()
    else:
        old = path.read_bytes() if path.is_file() else b""
        mark = BOM_UTF8 if old.startswith(BOM_UTF8) else b""
        same = old == mark + draft.loaded[name].source.text.encode()
    if not same:
        message, help = f"`{name}` has changed in this very moment", "run the command again"
        raise PolicyError([Diagnostic("M853", "error", message, None, help)])
    return old, None if new is None else mark + new.encode()


def _put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as stream:
        stream.write(content)
