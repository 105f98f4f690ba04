"""The kind `synchronization`, through rule text: schedules, what triggers an update, and the logs."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from merx.engine.policy import Interval
from merx.engine.publishing import Publishing
from merx.engine.ruleset import check_text
from merx.plugins.synchronization import Synchronization, SynchronizationSettings, cron_problem

STOCK = "inventory_price = every 5m"


def problems(body: str) -> list[tuple[str, str, str]]:
    """(code, level, underlined text) of what is wrong with a policy of this body."""
    _, found = check_text(f'synchronization "p" {{ {body} }}')
    return [(one.code, one.level, one.span.text if one.span else "") for one in found]


def settings(body: str) -> Any:
    ruleset, found = check_text(f'synchronization "p" {{ {body} }}')
    assert [str(one) for one in found if one.level == "error"] == []
    return ruleset.rules.policies["synchronization", "p"].settings


def test_reads_every_field():
    found = settings("""
      upload = every 1h  update = cron("*/15 * * * *")  inventory_price = every 5m  assign = off
      unassign = yes  not_visible_individually = include
      only_when_changed = [name, color]  send_only = [name]  activity_log = off  feed_log = on  keep = 7d
    """)

    assert (found.upload, found.update) == (Interval(seconds=3600), Interval(cron="*/15 * * * *"))
    assert (found.inventory_price, found.assign) == (Interval(seconds=300), Interval())
    assert (tuple(found.only_when_changed), tuple(found.send_only)) == (("name", "color"), ("name",))
    assert (found.unassign, found.not_visible_individually) == (True, "include")
    assert (found.activity_log, found.feed_log, found.keep) == (False, True, datetime.timedelta(days=7))


def test_what_is_left_out_does_not_run_and_is_recorded_for_a_month():
    found = settings(STOCK)

    assert (found.upload, found.update, found.assign) == (Interval(), Interval(), Interval())
    assert (found.unassign, found.not_visible_individually) == (False, "skip")
    assert (found.activity_log, found.feed_log, found.keep) == (True, True, datetime.timedelta(days=30))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("", ("M372", "error", 'synchronization "p"')),
        ("upload = off  inventory_price = off", ("M372", "error", 'synchronization "p"')),
        ("upload = every 1h", ("M372", "warning", 'synchronization "p"')),
        ("upload = every 1h  inventory_price = off", ("M372", "warning", "off")),
        ("inventory_price = every 30s", ("M370", "error", "every 30s")),
        ('inventory_price = cron("* * * *")', ("M371", "error", 'cron("* * * *")')),
        ('inventory_price = cron("61 * * * *")', ("M371", "error", 'cron("61 * * * *")')),
        ("inventory_price = every 5", ("M308", "error", "every 5")),
        (f"{STOCK} keep = 23h", ("M374", "error", "23h")),
        (f"{STOCK} not_visible_individually = maybe", ("M309", "error", "maybe")),
        (f"{STOCK} only_when_changed = []", ("M373", "error", "[]")),
        (f"{STOCK} only_when_changed = [name, price]", ("M373", "warning", "[name, price]")),
        (f"{STOCK} send_only = [qty]", ("M373", "warning", "[qty]")),
        (f'{STOCK} only_when_changed = ["name"]', ("M308", "error", '["name"]')),
    ],
)
def test_a_wrong_field(body: str, found: tuple[str, str, str]):
    assert problems(body) == [found]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("*/5 * * * *", None),
        ("0 9 * * MON-FRI", None),
        ("0 0 1,15 * *", None),
        ("", "it has 0 fields, not 5"),
        ("@daily", "it has 1 field, not 5"),
        ("0 0 0 * * *", "it has 6 fields, not 5"),
        ("60 * * * *", "bad minute"),
        ("* 24 * * *", "bad hour"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("*/0 * * * *", "bad minute"),
        ("a b c d e", "bad minute"),
        ("٣ * * * *", "bad minute"),
    ],
)
def test_cron_schedules(text: str, problem: str | None):
    assert cron_problem(text) == problem


def test_a_synchronization_policy_decides_nothing_about_a_product():
    ruleset, _ = check_text(f'synchronization "p" {{ {STOCK} }}')

    assert ruleset.rules.policies["synchronization", "p"].program({}) is None
    assert Synchronization.applies_to == "account"


def test_every_field_says_what_it_is_for():
    assert [name for name, field in SynchronizationSettings.model_fields.items() if not field.description] == []


def test_every_field_reaches_what_publishes():
    found = Synchronization().publishing(
        settings("""
          upload = every 1h  inventory_price = every 5m  unassign = yes  not_visible_individually = include
          only_when_changed = [color, price]  activity_log = off  feed_log = off  keep = 7d
        """)
    )

    assert found == Publishing(
        unassign=True,
        standalone=True,
        triggers=("color",),
        payload=("color",),
        schedules={
            "assign": Interval(), "upload": Interval(seconds=3600), "update": Interval(),
            "inventory_price": Interval(seconds=300),
        },
        activity_log=False,
        feed_log=False,
        keep=datetime.timedelta(days=7),
    )  # fmt: skip
