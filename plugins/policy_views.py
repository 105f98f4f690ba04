"""Blocks and changes of a project come in; what `merx policies list`, `show` and `history` say of them goes out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from merx.engine import syntax
from merx.plugins.output import write_text
from merx.plugins.policy_edits import show_difference
from merx.plugins.terminal import say, table

if TYPE_CHECKING:
    from merx.engine.draft import Draft
    from merx.engine.fields import Slot
    from merx.engine.history import Revision
    from merx.engine.titles import User


@dataclass(frozen=True, slots=True)
class Row:
    """A field of a block. value: as it stands there, or the default; "" for none."""

    field: str
    value: str
    written: bool
    default: str
    doc: str


def write_json(data: Any) -> None:
    write_text(json.dumps(data, ensure_ascii=False, indent=1), None)


# --- list


def list_blocks(draft: Draft, of: Sequence[str], format_: str | None) -> None:
    from merx.engine.titles import blocks, users

    found = [one for kind in of for one in blocks(draft.every_file, kind)]
    named = [users(draft.every_file, one.kind.name, _title(one)) for one in found]
    if format_ == "json":
        write_json([_block_data(one, several) for one, several in zip(found, named, strict=True)])
        return
    rows = [
        (one.kind.name, _title(one), one.span.place, ", ".join(dict.fromkeys(user.name for user in several)))
        for one, several in zip(found, named, strict=True)
    ]
    table(["kind", "title", "where", "used by"], rows)


def _title(block: syntax.Declaration) -> str:
    assert block.title is not None
    return block.title.value


def _block_data(block: syntax.Declaration, several: Sequence[User]) -> dict[str, Any]:
    return {**_place_data(block), "used_by": [_user_data(one) for one in several]}


def _place_data(block: syntax.Declaration) -> dict[str, Any]:
    return {
        "kind": block.kind.name,
        "title": _title(block),
        "file": block.span.source.name,
        "line": block.span.line,
    }


def _user_data(user: User) -> dict[str, Any]:
    return {
        "kind": user.block.kind.name,
        "title": _title(user.block),
        "file": user.span.source.name,
        "line": user.span.line,
        "named": user.title is not None,
    }


# --- show


def show_block(draft: Draft, block: syntax.Declaration, format_: str | None) -> None:
    from merx.engine.fields import slots
    from merx.engine.titles import shown, users

    rows = list(_rows(block.items, slots(block.kind.name, draft.registry), ""))
    several = users(draft.every_file, block.kind.name, _title(block))
    if format_ == "json":
        fields = [{name: getattr(row, name) for name in Row.__slots__} for row in rows]
        write_json({**_place_data(block), "text": block.span.text, "fields": fields,
                    "used_by": [_user_data(one) for one in several]})  # fmt: skip
        return
    say(f"{shown(block)}  ({block.span.place})")
    say()
    for line in block.span.text.splitlines():
        say(f"  {line}")
    say()
    table(["field", "value", "", "what it means"], [(one.field, one.value, _origin(one), one.doc) for one in rows])
    say()
    if not several:
        say("nobody uses it")
    for user in several:
        how = "used by" if user.title is not None else "used, as every listing is, by"
        say(f"{how} {user.name}  ({user.span.place})")


def _origin(row: Row) -> str:
    return "" if row.written or not row.value else "default"


def _rows(items: Sequence[syntax.Item], known: Mapping[str, Slot], prefix: str) -> Iterator[Row]:
    """The fields in the order of their documentation, then the conditions."""
    written = {one.name.name: one for one in items if isinstance(one, syntax.Setting | syntax.Section)}
    for slot in known.values():
        item, name = written.get(slot.name), prefix + slot.name
        if slot.takes == "section" and isinstance(item, syntax.Section):
            yield from _rows(item.items, slot.below, f"{name}.")
        elif slot.takes == "map" and isinstance(item, syntax.Section):
            yield from _entries(item, slot, name)
        elif item is not None:
            yield Row(name, _flat(item), True, slot.default, slot.doc)
        else:
            yield Row(name, slot.default, False, slot.default, slot.doc)
    for number, ensure in enumerate((one for one in items if isinstance(one, syntax.Ensure)), 1):
        yield Row(f"ensure {number}", _one_line(ensure.span.text).removeprefix("ensure "), True, "", "")


def _entries(section: syntax.Section, slot: Slot, name: str) -> Iterator[Row]:
    from merx.engine.edit import key_of

    doc = slot.doc
    for entry in section.items:
        if isinstance(entry, syntax.Entry):
            yield Row(f"{name}.{key_of(entry)}", _flat(entry), True, "", doc)
            doc = ""


def _flat(item: syntax.Setting | syntax.Section | syntax.Entry) -> str:
    from merx.engine.edit import value_of

    return _one_line(value_of(item.span.source.text, item))


def _one_line(text: str) -> str:
    """Rule text without its comments and line breaks."""
    from merx.engine.scan import scan

    words = ("" if one.kind == "comment" else " " if one.kind == "space" and "\n" in one.text else one.text
             for one in scan(text))  # fmt: skip
    return "".join(words)


# --- history


def show_history(changes: Sequence[Revision], format_: str | None, *, texts: bool) -> None:
    """texts: what changed, too."""
    if format_ == "json":
        names = ("id", "at", "who", "action", "kind", "title", "file", "before", "after")
        write_json([{name: getattr(one, name) for name in names} for one in changes])
        return
    columns = ["id", "when", "who", "action", "kind", "title", "file"]
    rows = [(str(one.id), one.at, one.who, one.action, one.kind, one.title, one.file) for one in changes]
    if not texts:
        table(columns, rows, right=["id"])
        return
    for one, row in zip(changes, rows, strict=True):
        table(columns, [row], right=["id"])
        show_difference(one.before, one.after, f"{one.file} before", f"{one.file} after")
        say()
