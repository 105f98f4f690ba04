"""`merx policies`: policies, listings and accounts as objects, for those who do not want to edit files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import hookimpl
from merx.plugins.inputs import format_option, project_needed
from merx.plugins.policy_edits import (
    Wish,
    carry_out,
    change_options,
    open_draft,
    state_if_any,
    usage,
)
from merx.plugins.terminal import mention

if TYPE_CHECKING:
    from merx.engine.draft import Draft
    from merx.engine.edit import Wording
    from merx.engine.fields import Assignment
    from merx.engine.history import Revision
    from merx.engine.state import State


@click.group("policies", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List and change policies, listings and accounts without editing files.

    KIND is a kind of policy (pricing, inventory, image, order, synchronization), `listing` or `account`. A change
    touches only the text that it must, is checked before it is written, and can be taken back.

    \b
    merx policies add pricing "Summer" change=+10% ending=0.99
    merx policies add listing "Bags" assign='price > 20' pricing=Summer
    merx policies edit pricing "Summer" change=+12% ending=
    merx policies history pricing "Summer"
    """


@command.command("list")
@click.option("--kind", metavar="KIND", help="Only blocks of this kind.")
@format_option("table", "json")
def list_(kind: str | None, format_: str | None) -> None:
    """Show policies, listings and accounts, and who uses each."""
    from merx.engine.titles import kinds, known_kind
    from merx.plugins.policy_views import list_blocks

    with usage():
        draft = open_draft(project_needed())
        if kind is not None:
            known_kind(kind, draft.registry)
        list_blocks(draft, [kind] if kind else kinds(draft.registry), format_)


@command.command("show")
@click.argument("kind")
@click.argument("title")
@format_option("table", "json")
def show(kind: str, title: str, format_: str | None) -> None:
    """Show a block: its text, its fields, and who uses it."""
    from merx.engine.titles import find, known_kind
    from merx.plugins.policy_views import show_block

    with usage():
        draft = open_draft(project_needed())
        known_kind(kind, draft.registry)
        show_block(draft, find(draft.every_file, kind, title), format_)


_FIELDS = "[FIELD=VALUE]..."

ensure_option = click.option(
    "--ensure", "ensures", nargs=2, multiple=True, metavar="CONDITION MESSAGE",
    help="Add a condition that must hold, and what is said where it does not.",
)  # fmt: skip


@command.command("add")
@click.argument("kind")
@click.argument("title")
@click.argument("fields", nargs=-1, metavar=_FIELDS)
@ensure_option
@click.option("--from", "origin", metavar="TITLE", help="Start with a copy of this one, or of a starter policy.")
@click.option(
    "--file", type=click.Path(path_type=Path), metavar="FILE",
    help="Where it comes, last of the file.  [default: policies.merx in the folder of the rules]",
)  # fmt: skip
@change_options
def add(
    kind: str, title: str, fields: tuple[str, ...], ensures: tuple[tuple[str, str], ...], origin: str | None,
    file: Path | None, dry_run: bool, by: str | None, wait: float,
) -> None:  # fmt: skip
    """Add a policy, a listing or an account.

    A field is NAME=VALUE, SECTION.NAME=VALUE or MAP.KEY=VALUE. Texts and titles need no quotes of their own; lists of
    them are parted by commas.
    """

    def change(draft: Draft, _state: State | None) -> None:
        wanted = _wanted(draft, kind, fields, ensures)
        body = None if origin is None else _copied(draft, kind, origin)
        draft.add(kind, title, draft.named(file or draft.default_file()), body, wanted)

    carry_out(Wish("merx policies add", dry_run, by, wait), change)


def _wanted(
    draft: Draft, kind: str, fields: Sequence[str], ensures: Sequence[tuple[str, str]]
) -> list[Assignment | Wording]:
    """What the arguments ask for. Raises PolicyError with everything that is wrong in them."""
    from merx.engine.fields import assignment, check_level, ensured, slots
    from merx.engine.titles import known_kind

    known_kind(kind, draft.registry)
    known = slots(kind, draft.registry)
    found: list[Assignment | Wording] = []
    problems: list[Diagnostic] = []
    for argument in fields:
        try:
            check_level(argument, kind, draft.registry)
            found.append(assignment(argument, kind, known, draft.titles))
        except PolicyError as error:
            problems += error.diagnostics
    for condition, message in ensures:
        try:
            found.append(ensured(condition, message))
        except PolicyError as error:
            problems += error.diagnostics
    if problems:
        raise PolicyError(problems)
    return found


def _copied(draft: Draft, kind: str, title: str) -> str:
    """The text of the project's block of that title, or of the starter policy."""
    from importlib.resources import files

    from merx.engine.load import parse_text
    from merx.engine.titles import blocks, find

    text = files("merx.rules").joinpath("starter.merx").read_text(encoding="utf-8")
    starters = parse_text(text, "starter.merx")[0]
    titles = {one.title.value for one in blocks(starters, kind) if one.title is not None}
    if title in titles and title not in draft.titles(kind):
        return find(starters, kind, title).span.text
    block = find([*draft.every_file, *starters], kind, title)
    return draft.find(kind, title).span.text if block.span.source.name in draft.files else block.span.text


@command.command("edit")
@click.argument("kind")
@click.argument("title")
@click.argument("fields", nargs=-1, metavar=_FIELDS)
@ensure_option
@click.option(
    "--drop-ensure", "drop", multiple=True, metavar="NUMBER|MESSAGE",
    help="Take a condition away, by its number in `show` or its message.",
)  # fmt: skip
@change_options
def edit(
    kind: str, title: str, fields: tuple[str, ...], ensures: tuple[tuple[str, str], ...], drop: tuple[str, ...],
    dry_run: bool, by: str | None, wait: float,
) -> None:  # fmt: skip
    """Set fields of a block, or take them away with NAME=.

    Just the value changes; comments and layout stay.
    """

    def change(draft: Draft, _state: State | None) -> None:
        wanted = _wanted(draft, kind, fields, ensures)
        if not wanted and not drop:
            help = "name a field and its value, such as change=+10%"
            raise PolicyError([Diagnostic("M843", "error", "there is nothing to change", None, help)])
        draft.edit(kind, title, wanted, drop)

    carry_out(Wish("merx policies edit", dry_run, by, wait), change)


@command.command("remove")
@click.argument("kind")
@click.argument("titles", nargs=-1, required=True, metavar="TITLE...")
@change_options
def remove(kind: str, titles: tuple[str, ...], dry_run: bool, by: str | None, wait: float) -> None:
    """Remove blocks that nobody uses.

    The comments right above them go with them. Where one of them is used, its users are named and none is removed.
    """

    def change(draft: Draft, _state: State | None) -> None:
        from merx.engine.titles import known_kind

        known_kind(kind, draft.registry)
        draft.remove(kind, titles)

    carry_out(Wish("merx policies remove", dry_run, by, wait), change)


@command.command("rename")
@click.argument("kind")
@click.argument("title")
@click.argument("new", metavar="NEW-TITLE")
@change_options
def rename(kind: str, title: str, new: str, dry_run: bool, by: str | None, wait: float) -> None:
    """Give a block another title, everywhere it is named."""

    def change(draft: Draft, _state: State | None) -> None:
        from merx.engine.titles import known_kind

        known_kind(kind, draft.registry)
        if new != title:
            draft.rename(kind, title, new)

    carry_out(Wish("merx policies rename", dry_run, by, wait), change)


@command.command("history")
@click.argument("kind", required=False)
@click.argument("title", required=False)
@format_option("table", "json")
def history(kind: str | None, title: str | None, format_: str | None) -> None:
    """Show what was changed here, when and by whom.

    With KIND and TITLE the texts before and after are shown too. Changes made with an editor are not recorded.
    """
    from merx.engine.history import revisions
    from merx.engine.registry import registry
    from merx.engine.titles import known_kind
    from merx.plugins.policy_views import show_history

    with usage():
        project = project_needed()
        if kind is not None:
            known_kind(kind, registry())
        state = state_if_any(project)
        changes: list[Revision] = []
        if state is not None:
            try:
                changes = revisions(state, kind, title)
            finally:
                state.close()
        if not changes:
            mention("no change is recorded")
        show_history(changes, format_, texts=title is not None)


@command.command("restore")
@click.argument("number", type=int, metavar="ID")
@change_options
def restore(number: int, dry_run: bool, by: str | None, wait: float) -> None:
    """Take back the change that `history` shows under ID.

    What it did away with is there again. That is a change itself, and can be taken back too.
    """

    def change(draft: Draft, state: State | None) -> None:
        from merx.engine.history import find_revision

        found = find_revision(state, number) if state is not None else None
        if found is None:
            help = "`merx policies history` lists the changes"
            raise PolicyError([Diagnostic("M851", "error", f"there is no change {number}", None, help)])
        draft.restore(found)

    carry_out(Wish("merx policies restore", dry_run, by, wait), change)


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `policies`."""
    return [command]
