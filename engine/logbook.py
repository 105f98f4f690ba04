"""A project's state comes in; what its two logs say goes out, in the order of time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from merx.engine.state import State

ACTIVITY = "id, at, level, account, job, run, message, skus"
FEED = "id, at, account, job, run, operation, address, status, milliseconds, request, response, skus"


@dataclass(frozen=True, slots=True)
class Wanted:
    """sku, job, account: None takes every one. levels: of the activity, empty for all; an exchange without an answer, or
    with one of 400 or more, counts as an error and others as info. feed: exchanges too."""

    sku: str | None = None
    job: str | None = None
    account: str | None = None
    levels: tuple[str, ...] = ()
    feed: bool = False


def entries(
    state: State, wanted: Wanted, *, last: int | None = None, after: tuple[int, int] = (0, 0),
    until: tuple[int, int] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows as the tables have them, with `kind` (`activity`, `feed`) and `skus` as a list. last: at most so many, the newest.
    after, until: numbers of activity and feed, as `last_numbers` gives them."""
    found = _rows(state, "log", "activity", wanted, last, after[0], None if until is None else until[0])
    if wanted.feed:
        found += _rows(state, "exchanges", "feed", wanted, last, after[1], None if until is None else until[1])
    found.sort(key=lambda one: (one["at"], one["kind"] == "activity", one["id"]))
    return found if last is None else found[len(found) - min(last, len(found)) :]


def last_numbers(state: State) -> tuple[int, int]:
    row = state.row("select (select max(id) from log) as log, (select max(id) from exchanges) as feed") or {}
    return row.get("log") or 0, row.get("feed") or 0


def _rows(
    state: State, table: str, kind: str, wanted: Wanted, last: int | None, after: int, until: int | None
) -> list[dict[str, Any]]:
    tests: list[str] = ["id > ?"]
    values: list[Any] = [after]
    if until is not None:
        tests.append("id <= ?")
        values.append(until)
    for name, value in (("job", wanted.job), ("account", wanted.account)):
        if value is not None:
            tests.append(f"{name} = ?")
            values.append(value)
    if wanted.sku is not None:
        tests.append("exists (select 1 from json_each(skus) where value = ?)")
        values.append(wanted.sku)
    if wanted.levels and kind == "activity":
        tests.append(f"level in ({','.join('?' * len(wanted.levels))})")
        values += wanted.levels
    elif wanted.levels and "info" not in wanted.levels:
        tests.append("(status is null or status >= 400)")
    columns = ACTIVITY if kind == "activity" else FEED
    limit = "" if last is None else f" limit {int(last)}"
    rows = state.rows(
        f"select {columns} from {table} where {' and '.join(tests)} order by at desc, id desc{limit}", values
    )
    return [{"kind": kind, **row, "skus": json.loads(row["skus"] or "[]")} for row in rows]
