"""A plan comes in; the marketplace shows what it says, and the state says what was accepted.

Intents are written before the first call and closed after each answer, so that a process that dies at any instruction
leaves a state from which the next one goes on: what has no answer is sent again under the same key.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
)
from tenacity.wait import wait_base, wait_random_exponential

from merx.engine.accepted import accepted_of, forget_older, keep_accepted, with_rows
from merx.engine.journal import Journal
from merx.engine.marketplace import UNKNOWN_SKU, Connection, Denied, Refusal, Unavailable
from merx.engine.outbox import Intent, Outbox, outbox_of, unfinished
from merx.engine.plan import DETAIL, LISTING
from merx.engine.publishing import PRICED
from merx.engine.state import State

ATTEMPTS = 8
LONGEST_WAIT = 30.0
"""Seconds between two attempts, at most, unless the marketplace asks for more."""


@dataclass(slots=True, eq=False)
class Result:
    """What came of applying. accepted: products; refused: what the marketplace does not take; left: batches that got no
    answer; problem: why it ended early, None where it did not."""

    accepted: int = 0
    refused: list[Refusal] = field(default_factory=list)
    left: int = 0
    problem: str | None = None
    help: str | None = None

    @property
    def whole(self) -> bool:
        return not self.left and not self.refused and self.problem is None


Progress = Callable[[int, int], None]


def send(
    outbox: Outbox,
    connection: Connection,
    journal: Journal,
    *,
    stop: threading.Event | None = None,
    progress: Progress = lambda done, total: None,
) -> Result:
    """Sends every intent that has no answer yet, in order, and folds what was accepted into the state when all have one.

    stop: ends it after the batch that is under way. A batch that finds no answer after several attempts is left, and the
    others go on; a marketplace that refuses the account ends it.
    """
    stop = stop or threading.Event()
    result = Result()
    waiting = outbox.intents("pending", "sent")
    total = len(waiting)
    pace = _Pace(outbox.state, connection.limits.per_second, stop)
    for number, intent in enumerate(waiting):
        progress(number, total)
        if stop.is_set():
            result.problem = "stopped"
            break
        pace.wait()
        try:
            refusals = _attempts(outbox, intent, connection, journal, stop)
        except Unavailable as error:
            _left(outbox, intent, journal, error.message)
            result.problem = error.message
            continue
        except Denied as error:
            _left(outbox, intent, journal, error.message)
            result.problem, result.help = error.message, error.help
            break
        with outbox.state.atomic():
            outbox.close(intent, refusals)
            journal.flush()
            _tell(outbox, intent, refusals, journal)
    progress(total, total)
    return _ended(outbox, result)


def _ended(outbox: Outbox, result: Result) -> Result:
    result.left = len(outbox.intents("pending", "sent"))
    result.refused = outbox.refusals()
    done = sum(one.count for one in outbox.intents("done"))
    result.accepted = done - len({one.sku for one in result.refused})
    if not result.left:
        settle(outbox)
    return result


def _left(outbox: Outbox, intent: Intent, journal: Journal, message: str) -> None:
    with outbox.state.atomic():
        outbox.failed(intent, message)
        journal.flush()
        journal.tell("error", f"{intent.operation}: {intent.count} products got no answer: {message}")


_DONE = {"create": "published", "change": "changed", "withdraw": "withdrawn"}


def _tell(outbox: Outbox, intent: Intent, refusals: tuple[Refusal, ...], journal: Journal) -> None:
    refused = {one.sku for one in refusals}
    skus = [sku for sku in outbox.items["sku"].slice(intent.first, intent.count) if sku not in refused]
    if skus:
        journal.tell("info", f"{_DONE[intent.operation]} {len(skus)}", skus)
    for one in refusals:
        journal.tell("error", f"{one.sku} was refused: {one.message} ({one.code})", [one.sku])


def _attempts(
    outbox: Outbox, intent: Intent, connection: Connection, journal: Journal, stop: threading.Event
) -> tuple[Refusal, ...]:
    """The answer to an intent. Raises Unavailable after the last attempt, Denied."""
    batch = outbox.batch(intent)

    def wait(seconds: float) -> None:
        journal.flush()
        outbox.state.clock.wait(seconds, stop)

    for attempt in Retrying(
        retry=retry_if_exception_type(Unavailable), stop=stop_any(stop_after_attempt(ATTEMPTS), stop_when_event_set(stop)), wait=_Backoff(), sleep=wait,
        reraise=True,
    ):  # fmt: skip
        with attempt:
            outbox.sending(intent)
            return connection.publish(batch)
    raise AssertionError("an attempt returns or raises")


class _Backoff(wait_base):
    """Longer each time, at random, so that many who were turned away do not come back at once; and as long as asked."""

    def __init__(self) -> None:
        self.random = wait_random_exponential(multiplier=0.25, max=LONGEST_WAIT)

    def __call__(self, retry_state: RetryCallState) -> float:
        outcome = retry_state.outcome
        error = outcome.exception() if outcome is not None else None
        asked = error.retry_after if isinstance(error, Unavailable) and error.retry_after is not None else 0.0
        return max(asked, self.random(retry_state))


@dataclass(slots=True)
class _Pace:
    """No more calls a second than the marketplace takes."""

    state: State
    per_second: float | None
    stop: threading.Event
    _next: float = 0.0

    def wait(self) -> None:
        if self.per_second is None:
            return
        now = time.monotonic()
        if now < self._next:
            self.state.clock.wait(self._next - now, self.stop)
        self._next = max(now, self._next) + 1 / self.per_second


# --- what was accepted


def settle_unfinished(state: State, account: str) -> Outbox | None:
    """Gives up an apply of the account that was begun and not finished: what was accepted is recorded, and what got no
    answer is in doubt from now on, so that the next plan sends it again. Returns its outbox, None where there was none."""
    plan = unfinished(state, account)
    if plan is None:
        return None
    outbox = outbox_of(state, plan)
    settle(outbox)
    return outbox


def settle(outbox: Outbox) -> None:
    """Records what the marketplace accepted of the plan, and that the plan is over."""
    state = outbox.state
    accepted = accepted_of(state, outbox.account)
    over = "given up" if outbox.intents("pending", "sent") else "applied"
    rows = answered(outbox)
    frame = with_rows(accepted.frame, rows) if rows.height else accepted.frame
    with state.atomic():
        keep_accepted(state, outbox.account, accepted, frame)
        state.run("update plans set status = ? where id = ?", [over, outbox.plan])
    forget_older(state)
    (state.folder / "plans" / f"{outbox.plan}.parquet").unlink(missing_ok=True)


def answered(outbox: Outbox) -> pl.DataFrame:
    """What the answers say of each product that was sent: a row for `merx.engine.accepted.with_rows`."""
    items = outbox.items.with_row_index("row#")
    refused = {one.sku: one.code for one in outbox.refusals()}
    codes = pl.DataFrame(
        {"sku": list(refused), "code": list(refused.values())}, schema={"sku": pl.String, "code": pl.String}
    )
    status = pl.Series("status", [None], dtype=pl.String).new_from_index(0, items.height)
    for intent in outbox.intents("done", "sent"):
        at = pl.int_range(intent.first, intent.first + intent.count, dtype=pl.UInt32, eager=True)
        status = status.scatter(at, intent.status)
    told = (
        items.with_columns(status)
        .join(codes, on="sku", how="left", maintain_order="left")
        .filter(pl.col("status").is_not_null())
    )
    action, unknown = pl.col("action"), (pl.col("code") == UNKNOWN_SKU).fill_null(False)
    done = (pl.col("status") == "done") & pl.col("code").is_null()
    gone = (pl.col("status") == "done") & unknown
    sent = pl.col("status") == "sent"
    # Of a doubt about what is held now, a withdrawal ends only the part that could be oversold: the rest is forgotten, so
    # that it is sent again when the product comes back.
    forgotten = done & (action == "withdraw") & pl.col("in_doubt")
    settled = done & ((action != "change") | (pl.col("reasons").list.len() == 0))
    columns = [
        "sku",
        (~gone).alias("published"),
        ((done & (action != "change")) | gone).alias("set:published"),
        sent.alias("in_doubt"),
        (settled | gone | sent).alias("set:in_doubt"),
        pl.col(f"new:{LISTING}").alias("assigned"),
        (done & pl.col(f"new:{LISTING}").is_not_null() & (action != "withdraw")).alias("set:assigned"),
    ]
    for name in outbox.fields:
        kept = pl.lit(name in ("quantity", LISTING)) | ~forgotten
        columns += [
            pl.when(kept).then(pl.col(f"new:{name}")).alias(name),
            ((done & _was_sent(name, outbox)) | ~kept).alias(f"set:{name}"),
        ]
    return told.select(columns)


def _was_sent(name: str, outbox: Outbox) -> pl.Expr:
    """Whether the field was among what was sent of the row, or is a trigger whose change has been dealt with."""
    named = pl.col("fields").list.contains(name)
    if name in PRICED:
        named = pl.any_horizontal(pl.col("fields").list.contains(one) for one in PRICED)
    if outbox.scope.triggers is not None and (outbox.scope.takes(name) or name.startswith(DETAIL)):
        named = named | (pl.col("action") == "change")
    return named | (pl.col("action") == "create")
