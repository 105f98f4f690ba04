"""What was done, and what was said to a marketplace and answered: two logs in the state, kept for as long as the account's
synchronization policy says. Errors are always recorded."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from merx.engine.clock import stamp
from merx.engine.marketplace import Exchange
from merx.engine.state import State

Level = Literal["info", "warning", "error"]


@dataclass(slots=True, eq=False)
class Journal:
    """Of one run. account, job: `apply` where no job of the scheduler runs. activity, feed: whether what is no error, and
    exchanges, are recorded. run: what ties the entries together."""

    state: State
    account: str
    job: str = "apply"
    run: str = ""
    activity: bool = True
    feed: bool = True
    _exchanges: list[tuple[str, Exchange]] = field(default_factory=list)

    def tell(self, level: Level, message: str, skus: Sequence[str] = ()) -> None:
        if level == "info" and not self.activity:
            return
        self.state.insert(
            "log",
            {
                "at": self.state.now(), "level": level, "account": self.account, "job": self.job, "run": self.run,
                "message": message, "skus": json.dumps(list(skus), ensure_ascii=False),
            },
        )  # fmt: skip

    def record(self, exchange: Exchange) -> None:
        """Remembers an exchange until `flush`, so that it is written together with what it brought about."""
        if self.feed or exchange.status is None or exchange.status >= 400:
            self._exchanges.append((self.state.now(), exchange))

    def flush(self) -> None:
        rows = [
            {
                "at": at, "account": self.account, "job": self.job, "run": self.run, "operation": one.operation,
                "address": one.address, "status": one.status, "milliseconds": round(one.seconds * 1000),
                "request": one.request, "response": one.response, "skus": json.dumps(list(one.skus), ensure_ascii=False),
            }
            for at, one in self._exchanges
        ]  # fmt: skip
        if rows:
            self.state.insert_all("exchanges", rows)
        self._exchanges.clear()


def forget_old(state: State, account: str, keep: datetime.timedelta) -> int:
    """Removes what is older than `keep`; returns how many entries that were."""
    before = stamp(state.clock.now() - keep)
    gone = 0
    with state.atomic():
        for table in ("log", "exchanges"):
            gone += state.run(f"delete from {table} where account = ? and at < ?", [account, before])
    return gone
