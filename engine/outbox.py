"""A plan comes in; its intents are written down before anything is sent, and closed one by one as answers come.

An intent is a batch of rows of one plan: what it says is in the plan's Parquet file, so that a million products are not a
million rows of SQL. Its status: `pending` nothing was sent; `sent` something was, and no answer is recorded yet: the
marketplace may have done it; `done` it answered, and `refusals` names what it did not take.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from merx.engine.fingerprint import of_text
from merx.engine.marketplace import Batch, Offer, Operation, Refusal
from merx.engine.plan import DETAIL, Scope, sent
from merx.engine.planning import Plan
from merx.engine.state import State
from merx.engine.tables import read_parquet, write_parquet
from merx.engine.types import Value

SENDING: tuple[Operation, ...] = ("withdraw", "change", "create")
"""In which order batches go: what must no longer be sold is told first."""


@dataclass(frozen=True, slots=True)
class Intent:
    """first, count: the rows of the plan."""

    id: int
    operation: Operation
    first: int
    count: int
    key: str
    status: str
    attempts: int


@dataclass(frozen=True, slots=True, eq=False)
class Outbox:
    """The intents of one plan. items: its rows; scope: see `merx.engine.plan`."""

    state: State
    plan: str
    account: str
    serial: int
    scope: Scope
    items: pl.DataFrame

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(name.removeprefix("new:") for name in self.items.columns if name.startswith("new:"))

    def intents(self, *statuses: str) -> list[Intent]:
        """In the order in which they are to be sent."""
        marks = ",".join("?" * len(statuses))
        rows = self.state.rows(
            "select id, operation, first, count, key, status, attempts from intents "
            f"where plan = ? and status in ({marks}) order by number",
            [self.plan, *statuses],
        )
        return [Intent(**row) for row in rows]

    def batch(self, intent: Intent) -> Batch:
        """What the intent sends: the same each time."""
        rows = self.items.slice(intent.first, intent.count).iter_rows(named=True)
        return Batch(intent.operation, intent.key, tuple(self._offer(row) for row in rows))

    def _offer(self, row: Mapping[str, Any]) -> Offer:
        values: dict[str, Value] = {}
        details: dict[str, str | None] = {}
        for name in sent(row, self.scope, self.fields):
            value = row[f"new:{name}"]
            if name.startswith(DETAIL):
                details[name.removeprefix(DETAIL)] = value
            else:
                values[name] = tuple(value) if isinstance(value, list) else value
        return Offer(row["sku"], values, details)

    def sending(self, intent: Intent) -> None:
        """To be called before each attempt: from here on the marketplace may have done it."""
        self.state.run("update intents set status = 'sent', attempts = attempts + 1 where id = ?", [intent.id])

    def close(self, intent: Intent, refusals: Sequence[Refusal]) -> None:
        """The marketplace answered. To be called within `state.atomic()`, with what is recorded of the answer."""
        now = self.state.now()
        self.state.run("update intents set status = 'done', problem = null, at = ? where id = ?", [now, intent.id])
        if refusals:
            self.state.insert_all(
                "refusals",
                [
                    {
                        "plan": self.plan, "intent": intent.id, "sku": one.sku, "code": one.code,
                        "message": one.message, "at": now,
                    }
                    for one in refusals
                ],
            )  # fmt: skip

    def failed(self, intent: Intent, problem: str) -> None:
        self.state.run("update intents set problem = ? where id = ?", [problem, intent.id])

    def refusals(self) -> list[Refusal]:
        rows = self.state.rows("select sku, code, message from refusals where plan = ? order by id", [self.plan])
        return [Refusal(**row) for row in rows]


def write_intents(state: State, plan: Plan, offers: int) -> Outbox:
    """Writes the plan down, and an intent for each batch of at most `offers` products."""
    file = f"{plan.id}.parquet"
    write_parquet(plan.items, state.folder / "plans" / file)
    scope = {
        "name": plan.scope.name, "actions": _listed(plan.scope.actions), "fields": _listed(plan.scope.fields),
        "triggers": _listed(plan.scope.triggers),
    }  # fmt: skip
    with state.atomic():
        state.insert(
            "plans",
            {
                "id": plan.id, "account": plan.account, "snapshot": plan.snapshot, "rules": json.dumps(plan.rules),
                "serial": plan.serial, "day": plan.day.isoformat(), "scope": json.dumps(scope), "file": file,
                "summary": json.dumps(plan.compared.summary), "status": "applying", "at": state.now(),
            },
        )  # fmt: skip
        state.insert_all("intents", list(_intents(plan, offers)))
    return Outbox(state, plan.id, plan.account, plan.serial, plan.scope, plan.items)


def _listed(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _intents(plan: Plan, offers: int) -> Iterator[dict[str, Any]]:
    number = 0
    for operation in SENDING:
        rows = (plan.items["action"] == operation).arg_true()
        for start in range(0, rows.len(), offers):
            # Rows of one action stand together in a plan.
            first, count = int(rows[start]), min(offers, rows.len() - start)
            yield {
                "plan": plan.id, "number": number, "operation": operation, "first": first, "count": count,
                "key": of_text(plan.id, str(number)), "status": "pending", "attempts": 0,
            }  # fmt: skip
            number += 1


def outbox_of(state: State, plan: str) -> Outbox:
    """The intents of a plan that was written down."""
    row = state.row("select * from plans where id = ?", [plan])
    assert row is not None
    data = json.loads(row["scope"])
    names = {key: None if data[key] is None else frozenset(data[key]) for key in ("actions", "fields", "triggers")}
    scope = Scope(data["name"], **names)
    return Outbox(state, plan, row["account"], row["serial"], scope, read_parquet(state.folder / "plans" / row["file"]))


def unfinished(state: State, account: str) -> str | None:
    """The plan of the account whose applying was begun and not finished."""
    row = state.row("select id from plans where account = ? and status = 'applying'", [account])
    return None if row is None else str(row["id"])


def status_of(state: State, plan: str) -> str | None:
    """`applying`, `applied` or `given up`; None for a plan that nobody began to apply."""
    row = state.row("select status from plans where id = ?", [plan])
    return None if row is None else str(row["status"])
