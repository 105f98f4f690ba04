"""The time of day, as an input: what the system says, or what a test sets."""

from __future__ import annotations

import datetime
import threading
from typing import Protocol

TOLERANCE = datetime.timedelta(minutes=5)
"""How far a clock may be behind what was recorded last: clocks are corrected by seconds now and then."""


class Clock(Protocol):
    def now(self) -> datetime.datetime:
        """The moment, in UTC, aware."""
        ...

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Returns after so many seconds, or at once when `stop` is set; then True."""
        ...


class SystemClock:
    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        return stop.wait(max(0.0, seconds))


def stamp(moment: datetime.datetime) -> str:
    """As the state writes it: texts of moments sort as the moments do."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
