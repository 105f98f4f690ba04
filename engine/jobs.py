"""A workspace, an account and the name of a job come in; what the job was to do is done, and is told.

A job is a part of what `merx plan` and `merx apply` do: `assign` records which listing a product has, the other three send
what goes with their scope. The caller holds the project's lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from merx.engine.accepted import accepted_of, forget_older, keep_accepted, with_rows
from merx.engine.accounts import connect
from merx.engine.apply import Result, send, settle_unfinished
from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.journal import Journal, forget_old
from merx.engine.outbox import write_intents
from merx.engine.plan import DETAIL, LISTING, Scope
from merx.engine.planning import Plan, make_plan, publishing_of, what_is_wanted
from merx.engine.prepare import prepare
from merx.engine.publishing import SOLD, Publishing
from merx.engine.rails import broken
from merx.engine.rules import Account
from merx.engine.snapshots import Kept, latest_snapshot
from merx.engine.workspace import Workspace, pull


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job. message: for the log; held: products that are held, None where the job does not look."""

    message: str
    held: int | None = None
    stopped: bool = False


class Failed(Exception):
    """The job did not do what it was to do. message: for the log, where the reasons have been told already."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def scope_of(job: str, publishing: Publishing, outcomes: Iterable[str]) -> Scope:
    """What part of a plan a job sends. outcomes: every one that the rules may set.

    Products that are held are in every scope: nothing is sent of them, and the safety rails count them.
    """
    if job == "upload":
        return Scope("upload", frozenset({"create", "hold"}))
    if job == "inventory_price":
        return Scope("inventory_price", frozenset({"change", "withdraw", "hold"}), frozenset(SOLD))
    details = frozenset(outcomes) - frozenset(SOLD)
    every = frozenset({LISTING, *details, *(DETAIL + name for name in publishing.details)})
    # A product that was given another listing is sent whatever the lists say: they are of attributes.
    fields = every if publishing.payload is None else _named(publishing.payload, details) | {LISTING}
    triggers = None if publishing.triggers is None else _named(publishing.triggers, details) | {LISTING}
    return Scope("update", frozenset({"change", "hold"}), fields, triggers)


def _named(names: Iterable[str], outcomes: frozenset[str]) -> frozenset[str]:
    """The fields of these attributes; an outcome of the same name goes with its attribute."""
    return frozenset(DETAIL + name for name in names) | (outcomes & frozenset(names))


def carry_out(workspace: Workspace, account: Account, job: str, run: str, stop: threading.Event) -> Done:
    """Raises Failed, PolicyError. stop: ends the job after the batch that is under way."""
    state, day = workspace.state, workspace.day
    publishing = publishing_of(account, day)
    journal = Journal(state, account.title, job, run, publishing.activity_log, publishing.feed_log)
    before = settle_unfinished(state, account.title)
    if before is not None:
        journal.tell("warning", f"an apply that was begun and not finished is given up: plan {before.plan[:10]}")
    forget_old(state, account.title, publishing.keep)
    kept = _products(workspace)
    if job == "assign":
        return _assign(workspace, account, kept, publishing, journal)
    bound = workspace.ruleset.bind(kept.schema)
    outcomes = prepare(bound.rules, day, account.title).outcomes
    scope = scope_of(job, publishing, outcomes)
    plan = make_plan(workspace, account, kept, day=day, scope=scope, by_queries=False)
    held = int((plan.items["reasons"].list.len() > 0).sum())
    rails = broken(plan.compared, workspace.project.safety)
    if rails:
        message = f"nothing was sent: {'; '.join(one.message for one in rails)}"
        help = (
            f"look at `merx plan`; where it is meant: `merx apply {' '.join(f'--allow {one.name}' for one in rails)}`"
        )
        raise PolicyError([Diagnostic("M822", "error", message, None, help)])
    if plan.empty:
        return Done("nothing to send", held)
    return _told(_send(workspace, account, plan, journal, stop), held)


def _products(workspace: Workspace) -> Kept:
    """The products file as it is now, or the last snapshot where the project names no file."""
    path = workspace.project.products
    kept = latest_snapshot(workspace.state) if path is None else pull(workspace, path).kept
    if kept is None:
        help = "take a snapshot: `merx snapshot import FILE`, or name a file as `products` in merx.toml"
        raise PolicyError([Diagnostic("M823", "error", "there are no products to plan with", None, help)])
    return kept


def _send(workspace: Workspace, account: Account, plan: Plan, journal: Journal, stop: threading.Event) -> Result:
    connection = connect(workspace.project, account, workspace.ruleset.registry, journal.record)
    try:
        outbox = write_intents(workspace.state, plan, connection.limits.offers)
        return send(outbox, connection, journal, stop=stop)
    finally:
        connection.close()
        journal.flush()


def _told(result: Result, held: int) -> Done:
    sent = f"{result.accepted} sent"
    if result.refused:
        sent += f", {len(result.refused)} refused"
    if result.problem == "stopped":
        return Done(f"{sent}, stopped before {result.left} more batches", held, stopped=True)
    if result.problem is not None or result.left:
        raise Failed(f"{sent}, {result.left} batches without an answer: {result.problem}")
    return Done(sent, held)


# --- assign


def _assign(
    workspace: Workspace, account: Account, kept: Kept, publishing: Publishing, journal: Journal
) -> Done:  # fmt: skip
    state = workspace.state
    accepted = accepted_of(state, account.title)
    wanted = what_is_wanted(workspace, account, kept, workspace.day, accepted, publishing, by_queries=True).frame
    rows = assignments(wanted, accepted.frame, publishing)
    if not rows.height:
        return Done("every product has its listing")
    frame = with_rows(accepted.frame, rows)
    with state.atomic():
        keep_accepted(state, account.title, accepted, frame)
        for (title,), group in rows.group_by("assigned", maintain_order=True):
            what = f"assigned {group.height} to `{title}`" if title else f"took {group.height} out of their listing"
            journal.tell("info", what, group["sku"].to_list())
    forget_older(state)
    return Done(f"{rows.height} assigned")


def assignments(wanted: pl.DataFrame, accepted: pl.DataFrame, publishing: Publishing) -> pl.DataFrame:
    """The products whose recorded listing changes: sku, assigned (empty: it has none any more), `set:assigned`.

    wanted: see `merx.engine.plan`, decided by the queries. A product that two listings take keeps what it has.
    """
    known = accepted.select(
        "sku", (pl.coalesce("assigned", LISTING) if "assigned" in accepted.columns else pl.col(LISTING)).alias("before"),
        (pl.col("published") | pl.col("in_doubt")).alias("shown"),
    )  # fmt: skip
    both = wanted.select("sku", LISTING, "status").join(known, on="sku", how="left", maintain_order="left")
    before = pl.col("before").fill_null("")
    given = pl.col(LISTING).is_not_null() & (pl.col(LISTING) != before)
    lost = pl.col(LISTING).is_null() & (pl.col("status") == "unlisted") & (before != "")
    if not publishing.unassign:
        lost = lost & ~pl.col("shown").fill_null(False)
    return both.filter(given | lost).select(
        "sku", pl.col(LISTING).fill_null("").alias("assigned"), pl.lit(True).alias("set:assigned")
    )
