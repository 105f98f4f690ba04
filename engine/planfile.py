"""A plan comes in; the JSON that says it goes out, and a saved one comes back as what it was made from.

A saved plan is a promise, not an instruction: what `merx apply` sends is computed anew from the snapshot, the rules and the
state, and must come to the very plan that was saved. So nothing that somebody writes into the file can be sent.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.plan import DETAIL
from merx.engine.planning import Plan
from merx.engine.types import Value


@dataclass(frozen=True, slots=True)
class Saved:
    """What a saved plan was made from; see `Plan`."""

    id: str
    account: str
    snapshot: str
    rules: Mapping[str, str]
    serial: int
    day: datetime.date


def lines(plan: Plan) -> Iterator[str]:
    """The JSON of a plan, line by line: a row of `items` a line, so that two plans compare well."""
    origin = {
        "id": plan.id, "account": plan.account, "snapshot": plan.snapshot, "serial": plan.serial,
        "day": plan.day.isoformat(), "rules": dict(plan.rules),
    }  # fmt: skip
    yield "{"
    yield f'"summary": {json.dumps(plan.compared.summary)},'
    yield f'"plan": {json.dumps(origin, ensure_ascii=False)},'
    yield '"items": ['
    before = None
    for item in items(plan):
        if before is not None:
            yield f"{before},"
        before = json.dumps(item, ensure_ascii=False)
    if before is not None:
        yield before
    yield "]}"


def items(plan: Plan) -> Iterator[dict[str, Any]]:
    """Each row of the plan. changes: field → what it is and what it shall be; rules: field → what decides it."""
    for row in plan.items.iter_rows(named=True):
        yield {
            "sku": row["sku"],
            "action": row["action"],
            "listing": row["listing"],
            "changes": {
                field_name(field): [said(row[f"old:{field}"]), said(row[f"new:{field}"])] for field in row["fields"]
            },
            "reasons": row["reasons"],
            "rules": {
                field_name(field): rule
                for field in row["fields"]
                if (rule := plan.by.get((row["listing"], field))) is not None
            },
        }


def field_name(field: str) -> str:
    """As people and programs are shown it."""
    return field.removeprefix(DETAIL)


def said(value: Value | list[Any]) -> Any:
    """A value as JSON has it: amounts as text with at least two places, as `merx evaluate` writes them."""
    if isinstance(value, Decimal):
        text = format(value, "f")
        whole, point, places = text.partition(".")
        return f"{whole}.{places[:2].ljust(2, '0')}{places[2:].rstrip('0')}" if point else text
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def read_plan(path: Path) -> Saved:
    """Raises PolicyError (M820) where the file is no saved plan."""
    try:
        origin = json.loads(path.read_text(encoding="utf-8"))["plan"]
        day = datetime.date.fromisoformat(origin["day"])
        rules = {str(name): str(value) for name, value in origin["rules"].items()}
        return Saved(
            str(origin["id"]), str(origin["account"]), str(origin["snapshot"]), rules, int(origin["serial"]), day
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not what `merx plan -o` writes"
        help = "save one: `merx plan -o plan.json`"
        message = f"`{path}` is no saved plan: {reason}"
        raise PolicyError([Diagnostic("M820", "error", message, None, help)]) from None
