"""Policies of the kind `synchronization`: what is sent when, and what is recorded of it.

They decide nothing about a product, so there is no program; `merx.engine.jobs` does what they say.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import Literal

from cronsim import CronSim, CronSimError
from pydantic import Field

from merx.engine.hooks import hookimpl
from merx.engine.policy import AttributeNames, Context, Interval, PolicyType, Problem, Settings
from merx.engine.publishing import JOBS, Publishing

SCHEDULES = ("upload", "update", "inventory_price", "assign")

SHORTEST = 60
"""Seconds between two runs of one schedule, at least: cron knows no less either."""

SENT_APART = ("price", "special_price", "qty", "salable_qty", "quantity", "is_in_stock")
"""Attributes whose changes go with `inventory_price`, whatever the lists of `update` say."""


class SynchronizationSettings(Settings):
    """The fields of `synchronization`, in the order in which they are read and checked."""

    upload: Interval = Field(Interval(), description="When new products that have a listing are published.")
    update: Interval = Field(
        Interval(), description="When published products whose details have changed are sent again."
    )
    inventory_price: Interval = Field(Interval(), description="When changed prices and quantities are sent.")
    assign: Interval = Field(Interval(), description="When products are assigned to listings by their queries.")
    unassign: bool = Field(
        False, description="Whether a published product that its listing's query no longer matches loses the listing."
    )
    not_visible_individually: Literal["skip", "include"] = Field(
        "skip",
        description="Products that the store does not show on their own get no listing of their own, or they do. "
        "Children of a configurable product always go as its variations.",
    )
    only_when_changed: AttributeNames | None = Field(
        None, description="The attributes whose change makes `update` send a product; by default any that is sent."
    )
    send_only: AttributeNames | None = Field(
        None, description="The attributes that `update` sends; by default those of `only_when_changed`."
    )
    activity_log: bool = Field(True, description="Whether what was done is recorded. Errors always are.")
    feed_log: bool = Field(True, description="Whether what was sent and answered is recorded, with secrets masked.")
    keep: datetime.timedelta = Field(datetime.timedelta(days=30), description="How long the records are kept.")


class Synchronization(PolicyType):
    """The four schedules, what an update carries, and the logs."""

    kind = "synchronization"
    applies_to = "account"
    fields = SynchronizationSettings

    def problems(self, settings: SynchronizationSettings, context: Context) -> Iterable[Problem]:
        for name in SCHEDULES:
            yield from schedule_problems(name, getattr(settings, name))
        yield from all_off_problems(settings)
        yield from payload_problems(settings)
        if settings.keep < datetime.timedelta(days=1):
            yield Problem("M374", "records are kept for a day or longer", "keep", "write `keep = 30d`")

    def publishing(self, settings: SynchronizationSettings) -> Publishing:
        triggers, payload = settings.only_when_changed, settings.send_only
        return Publishing(
            unassign=settings.unassign,
            standalone=settings.not_visible_individually == "include",
            triggers=None if triggers is None else _details(triggers),
            payload=None if payload is None and triggers is None else _details(payload or triggers or ()),
            schedules={job: getattr(settings, job) for job in JOBS},
            activity_log=settings.activity_log,
            feed_log=settings.feed_log,
            keep=settings.keep,
        )


def _details(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in SENT_APART)


def schedule_problems(name: str, interval: Interval) -> Iterator[Problem]:
    if interval.seconds is not None and interval.seconds < SHORTEST:
        yield Problem("M370", f"`{name}` runs once a minute at most", name, "write `every 1m` or longer")
    if interval.cron is not None:
        problem = cron_problem(interval.cron)
        if problem is not None:
            help = 'the fields are minute, hour, day of the month, month and day of the week: `cron("*/15 * * * *")`'
            yield Problem("M371", f"`{interval.cron}` is no cron schedule: {problem}", name, help)


def cron_problem(text: str) -> str | None:
    """What is wrong with a cron schedule of five fields; None where nothing is."""
    fields = len(text.split())
    if fields != 5:
        return f"it has {fields} field{'s' if fields != 1 else ''}, not 5"
    try:
        CronSim(text, datetime.datetime(2026, 1, 1))
    except CronSimError as error:
        message = str(error)
        return message[:1].lower() + message[1:]
    return None


def all_off_problems(settings: SynchronizationSettings) -> Iterator[Problem]:
    off = [name for name in SCHEDULES if getattr(settings, name) == Interval()]
    if len(off) == len(SCHEDULES):
        help = "add `inventory_price = every 5m`, and what else is to run"
        yield Problem("M372", "nothing is ever synchronized: every schedule is off", None, help)
    elif "inventory_price" in off:
        message = "`inventory_price` is off: a stock that is not sent can be sold twice"
        help = "add `inventory_price = every 5m`"
        field = "inventory_price" if "inventory_price" in settings.model_fields_set else None
        yield Problem("M372", message, field, help, "warning")


def payload_problems(settings: SynchronizationSettings) -> Iterator[Problem]:
    for name in ("only_when_changed", "send_only"):
        names: AttributeNames | None = getattr(settings, name)
        if names is not None and not names:
            yield Problem("M373", f"`{name}` names no attribute", name, "write `[name, color]`, or leave it out")
        for attribute in names or ():
            if attribute in SENT_APART:
                message = f"`{attribute}` need not stand here: prices and quantities go with `inventory_price`"
                yield Problem("M373", message, name, f"remove `{attribute}`", "warning")


@hookimpl
def merx_policy_types() -> Iterable[PolicyType]:
    return [Synchronization()]
