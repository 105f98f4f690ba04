"""A changed rule file comes in and is recorded in the state; what was changed when, by whom, and how it is taken back goes
out."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from merx.engine.edit import add_declaration
from merx.engine.state import State

USER = "MERX_USER"
"""The environment variable that says who works here, where that is not the login name."""

_CONTEXT = 200
"""Characters around a change by which its place is found again in a file that has changed since."""

Action = Literal["add", "edit", "remove", "rename", "restore"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change was made. start: the offset in the file's text, without a byte order mark. above, below: what stood
    around it. made: the change made the file. was: the title before a rename."""

    start: int = 0
    above: str = ""
    below: str = ""
    made: bool = False
    was: str = ""


@dataclass(frozen=True, slots=True)
class Revision:
    """One change of one block. before, after: the block's text, with all around it that changed too; "" where there was
    none. file: relative to the project. id, at and who are the record's."""

    action: Action
    kind: str
    title: str
    file: str
    before: str
    after: str
    place: Place = field(default_factory=Place)
    id: int = 0
    at: str = ""
    who: str = ""


Range = tuple[int, int]


def revision(
    action: Action,
    kind: str,
    title: str,
    file: str,
    old: str | None,
    new: str,
    blocks: tuple[Range | None, Range | None],
) -> Revision:
    """What makes the file's text `old` (None: there was no file) the text `new`.

    blocks: where the block stands in either, None where it does not: what is recorded covers it whole.
    """
    was = old or ""
    shorter = min(len(was), len(new))
    start = _alike(was, new)
    tail = min(_alike(was[::-1], new[::-1]), shorter - start)
    for text, block in zip((was, new), blocks, strict=True):
        if block is not None:
            start, tail = min(start, block[0]), min(tail, len(text) - block[1])
    below = new[len(new) - tail :][:_CONTEXT]
    place = Place(start, new[max(0, start - _CONTEXT) : start], below, made=old is None)
    return Revision(action, kind, title, file, was[start : len(was) - tail], new[start : len(new) - tail], place)


def _alike(one: str, two: str) -> int:
    """How many characters two texts begin with alike."""
    return next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))


def taken_back(text: str | None, change: Revision) -> str | None:
    """The file's text (None: there is no file) without that change; None where what it left cannot be found any more.

    It is looked for where it was, then by what stood around it, then by itself. A removed block whose place is gone comes
    back as the last of the file.
    """
    if text is None:
        return None if change.after else change.before.lstrip("\r\n")
    place = change.place
    whole = place.above + change.after + place.below
    first = place.start - len(place.above)
    if text[first : first + len(whole)] == whole and (whole.strip() or not text.strip()):
        return _spliced(text, place.start, change)
    if text.count(whole) == 1 and whole.strip():
        return _spliced(text, text.index(whole) + len(place.above), change)
    if change.after.strip():
        return _spliced(text, text.index(change.after), change) if text.count(change.after) == 1 else None
    return add_declaration(text, change.before.strip("\r\n")).apply(text)


def _spliced(text: str, start: int, change: Revision) -> str:
    return text[:start] + change.before + text[start + len(change.after) :]


# --- the record


def record(state: State, change: Revision, who: str) -> int:
    """The number that `restore` takes. Within `state.atomic`, it stands only when what is written with it does."""
    place = {name: getattr(change.place, name) for name in Place.__slots__}
    return state.insert(
        "history",
        {
            "at": state.now(), "who": who, "action": change.action, "kind": change.kind, "title": change.title,
            "file": change.file, "before": change.before, "after": change.after,
            "place": json.dumps(place, ensure_ascii=False),
        },
    )  # fmt: skip


def revisions(state: State, kind: str | None = None, title: str | None = None) -> list[Revision]:
    """The changes, the latest first. kind, title: only of these."""
    rows = state.rows(
        "select * from history where coalesce(:kind, kind) = kind and coalesce(:title, title) = title order by id desc",
        {"kind": kind, "title": title},
    )
    return [_revision(row) for row in rows]


def find_revision(state: State, number: int) -> Revision | None:
    row = state.row("select * from history where id = ?", [number])
    return None if row is None else _revision(row)


def _revision(row: Mapping[str, Any]) -> Revision:
    return Revision(
        row["action"], row["kind"], row["title"], row["file"], row["before"] or "", row["after"] or "",
        Place(**json.loads(row["place"] or "{}")), row["id"], row["at"], row["who"],
    )  # fmt: skip


def who_is_it(named: str | None = None) -> str:
    """Whoever was named, else who the environment says, else the login name."""
    found = named or os.environ.get(USER)
    if found:
        return found
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
