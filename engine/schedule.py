"""An interval and moments come in; when a job is due goes out. Nothing is read or run here.

A due moment stands on the rhythm of its schedule. A job starts a little later, by `jitter`, which does not move the rhythm.
"""

from __future__ import annotations

import datetime
import random

from cronsim import CronSim

from merx.engine.policy import Interval

MOST_JITTER = datetime.timedelta(seconds=30)
_JITTER_PART = 10
"""A job starts late by a tenth of its interval at most, and by `MOST_JITTER`."""


def words(interval: Interval) -> str:
    """As a rule file says it: `off`, `every 900s`, `cron("* * * * *")`."""
    if interval.seconds is not None:
        return f"every {interval.seconds}s"
    return "off" if interval.cron is None else f'cron("{interval.cron}")'


def next_due(
    interval: Interval, last: datetime.datetime, now: datetime.datetime, zone: datetime.tzinfo = datetime.UTC
) -> datetime.datetime | None:
    """The first moment of the rhythm after `now`: however many were missed since `last`, they come to one.

    last: the due moment that has been dealt with; every moment of `every` is a multiple away from it. zone: whose days and
    hours cron means. None where the schedule is off.
    """
    if interval.seconds is not None:
        length = datetime.timedelta(seconds=interval.seconds)
        if last > now:
            # The clock was set back: the old rhythm is in the future and no guide.
            return now + length
        return last + length * ((now - last) // length + 1)
    if interval.cron is None:
        return None
    return _cron_after(interval.cron, now, zone)


def near(
    interval: Interval, due: datetime.datetime, now: datetime.datetime, zone: datetime.tzinfo = datetime.UTC
) -> datetime.datetime:
    """The due moment, brought back to at most one interval from now: with a clock set back a job would wait for it long."""
    longest = next_due(interval, now, now, zone)
    return due if longest is None else min(due, longest)


def jitter(
    interval: Interval, due: datetime.datetime, seed: str, zone: datetime.tzinfo = datetime.UTC
) -> datetime.timedelta:
    """How much later than `due` the job starts: the same each time that it is asked, so that many shops do not call at once."""
    after = next_due(interval, due, due, zone)
    if after is None:
        return datetime.timedelta()
    most = min((after - due) / _JITTER_PART, MOST_JITTER)
    return most * random.Random(f"{seed} {due.isoformat()}").random()


def _cron_after(text: str, now: datetime.datetime, zone: datetime.tzinfo) -> datetime.datetime | None:
    found = next(CronSim(text, now.astimezone(zone)), None)
    return None if found is None else found.astimezone(datetime.UTC)
