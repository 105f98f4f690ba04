"""A `test` block and the rules come in; whether its product came out as expected goes out."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from merx.engine import interpret
from merx.engine.decide import Decision, decide
from merx.engine.diagnostic import Diagnostic, did_you_mean
from merx.engine.prepare import prepare
from merx.engine.rules import Expectation, Rules, Test
from merx.engine.testblock import OWN_OUTCOMES
from merx.engine.trace import format_value
from merx.engine.types import NUMBER, Value


@dataclass(frozen=True, slots=True)
class TestResult:
    """problems: what came out otherwise than expected, each with the line that expected it."""

    title: str
    place: str
    problems: tuple[Diagnostic, ...]

    @property
    def passed(self) -> bool:
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        problems = [one.to_dict() for one in self.problems]
        return {"title": self.title, "place": self.place, "passed": self.passed, "problems": problems}


def run_test(test: Test, rules: Rules, today: datetime.date) -> TestResult:
    """The test's product, decided by the policies it names, or else by the listings."""
    day = test.as_of or today
    decision = _by_policies(test, day) if test.policies else _by_listings(test, rules, day)
    known = [*OWN_OUTCOMES, *decision.values]
    problems = [found for one in test.expected if (found := _compare(one, decision, known)) is not None]
    return TestResult(test.title, test.span.place, tuple(problems))


def _by_policies(test: Test, day: datetime.date) -> Decision:
    values: dict[str, Value] = {}
    reasons: list[str] = []
    bounds = test.account.bounds if test.account is not None else {}
    for policy in test.policies.values():
        program = policy.program(bounds)
        if program is None:
            continue
        outcome = interpret.run(program, test.given, today=day)
        values.update(outcome.values)
        if outcome.reason is not None:
            reasons.append(outcome.reason)
    return Decision(None, "held" if reasons else "ready", tuple(reasons), values)


def _by_listings(test: Test, rules: Rules, day: datetime.date) -> Decision:
    title = test.account.title if test.account else None
    product: Mapping[str, Value] = {**test.given, "sku": test.given["sku"] or "test"}
    if test.listing is not None:
        asked = (replace(test.listing, assign=None, products=(str(product["sku"]),)),)
        accounts = {} if test.account is None else {test.account.title: replace(test.account, listings=asked)}
        rules = replace(rules, listings=asked, accounts=accounts)
    return decide(prepare(rules, day, title), product)


def _compare(expected: Expectation, decision: Decision, known: Sequence[str]) -> Diagnostic | None:
    name = expected.outcome
    if name == "reason":
        if any(str(expected.value) in reason for reason in decision.reasons):
            return None
        return _failed(expected, f"no reason says {format_value(expected.value, NUMBER)}", decision)
    if name not in known:
        help = did_you_mean(name, known) or f"the outcomes are {', '.join(known)}"
        return Diagnostic("M502", "error", f"nothing decides `{name}` here", expected.span, help)
    found = {"listing": decision.listing, "status": decision.status}.get(name, decision.values.get(name))
    if expected.held:
        held = any(reason.startswith(f"{name}:") for reason in decision.reasons) or (found is None and decision.reasons)
        return None if held else _failed(expected, f"`{name}` is {format_value(found, NUMBER)}, not held", decision)
    if _same(found, expected.value):
        return None
    return _failed(expected, f"`{name}` is {_shown(found)}, not {_shown(expected.value)}", decision)


def _same(found: Value, expected: Value) -> bool:
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    return found == expected


def _shown(value: Value) -> str:
    return "none" if value is None else format_value(value, NUMBER)


def _failed(expected: Expectation, message: str, decision: Decision) -> Diagnostic:
    help = "; ".join(decision.reasons) or None
    return Diagnostic("M501", "error", message, expected.span, help)
