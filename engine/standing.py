"""A project comes in, whether its rules can be used or not; how it stands goes out. No state is made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from merx.engine.accepted import accepted_of
from merx.engine.accounts import unknown_accounts
from merx.engine.clock import Clock, moment
from merx.engine.diagnostic import Diagnostic
from merx.engine.lock import HOLDER
from merx.engine.outbox import unfinished
from merx.engine.project import Project
from merx.engine.ruleset import Options, Ruleset, check_paths
from merx.engine.snapshots import Kept, latest_snapshot
from merx.engine.state import FILE, FOLDER, State, open_state

JOB = ("account", "job", "schedule", "due", "started", "finished", "result", "runs", "failures")

REFUSALS = 20
"""So many of an account are told; `merx log` has them all."""


@dataclass(frozen=True, slots=True)
class LastPlan:
    """The plan that was applied last, or is being applied. status: see `merx.engine.outbox.status_of`."""

    id: str
    status: str
    at: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A plan whose applying was begun and not finished. done, total: batches."""

    plan: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """connector: None for an account that the rules do not have (any more). refused: how many products, by the last plan;
    refusals: the first of them, with why: sku, code, message."""

    account: str
    connector: str | None
    published: int
    in_doubt: int
    plan: LastPlan | None
    unfinished: Unfinished | None
    refused: int
    refusals: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """problems: of the rules. age: seconds since the snapshot was pulled. jobs: rows with the columns of `JOB`. lock: who is
    at work: doing, pid, since. version: of the state, None without one; size: of all that is kept, in bytes. attention:
    what needs somebody, in words; empty where all is well."""

    folder: Path
    files: int
    problems: tuple[Diagnostic, ...]
    snapshot: Kept | None
    age: int | None
    accounts: tuple[AccountStanding, ...]
    jobs: tuple[Mapping[str, Any], ...]
    lock: Mapping[str, Any] | None
    version: int | None
    size: int

    @property
    def attention(self) -> tuple[str, ...]:
        return tuple(self._attention())

    def _count(self, level: str) -> int:
        return sum(one.level == level for one in self.problems)

    def _attention(self) -> Iterator[str]:
        if self._count("error"):
            yield "the rules cannot be used: `merx check` says why"
        if self.snapshot is None:
            yield "there is no snapshot: `merx plan` takes one of the product file, `merx snapshot pull` too"
        for one in self.accounts:
            if one.unfinished is not None and self.lock is None:
                done = f"{one.unfinished.done:,} of {one.unfinished.total:,} batches"
                yield f"`{one.account}`: an apply was not finished, {done} are done: `merx apply` goes on"
            if one.in_doubt:
                yield f"`{one.account}`: {one.in_doubt:,} in doubt, sent and never answered: `merx plan --refresh` asks"
        for job in self.jobs:
            if failed(job):
                yield f"`{job['account']}`: the job `{job['job']}` failed: `merx log` says why"

    def to_dict(self) -> dict[str, Any]:
        """For programs: keys are never taken away."""
        kept = self.snapshot
        return {
            "folder": str(self.folder),
            "rules": {
                "files": self.files,
                "errors": self._count("error"),
                "warnings": self._count("warning"),
                "problems": [one.to_dict() for one in self.problems],
            },
            "snapshot": None
            if kept is None
            else {
                "id": kept.id, "at": kept.at, "age": self.age, "origin": kept.origin, "products": kept.products,
                "rejected": kept.rejected,
            },
            "accounts": [asdict(one) for one in self.accounts],
            "jobs": [dict(one) for one in self.jobs],
            "lock": self.lock,
            "version": self.version,
            "size": self.size,
            "attention": list(self.attention),
        }  # fmt: skip


def failed(job: Mapping[str, Any]) -> bool:
    """Whether the job's last run failed; `failures` counts all there ever were."""
    return bool(job["result"] == "failed")


def standing(project: Project, clock: Clock) -> Standing:
    """Raises PolicyError where the state cannot be read."""
    folder = project.folder / FOLDER
    state = open_state(project.folder, clock) if (folder / FILE).exists() else None
    try:
        kept = None if state is None else latest_snapshot(state)
        ruleset, problems = _checked(project, kept)
        jobs = [] if state is None else state.rows(f"select {', '.join(JOB)} from jobs order by account, job")
        connectors = {title: one.connector for title, one in ruleset.rules.accounts.items()}
        age = None if kept is None else round((clock.now() - moment(kept.at)).total_seconds())
        return Standing(
            project.folder, len(ruleset.files), problems, kept, age, tuple(_accounts(state, connectors)), tuple(jobs),
            _holder(folder), None if state is None else state.version, _size(folder),
        )  # fmt: skip
    finally:
        if state is not None:
            state.close()


def _checked(project: Project, kept: Kept | None) -> tuple[Ruleset, tuple[Diagnostic, ...]]:
    settings = project.settings
    options = Options(currency=settings.currency, media_base_url=settings.media_base_url, timezone=settings.timezone)
    ruleset, problems = check_paths(project.rules, options=options)
    if kept is not None and not ruleset.has_catalog:
        ruleset, problems = check_paths(project.rules, schema=kept.schema, options=options)
    if not any(one.level == "error" for one in problems):
        problems = (*problems, *unknown_accounts(project, ruleset.rules))
    return ruleset, problems


def _accounts(state: State | None, connectors: Mapping[str, str]) -> Iterator[AccountStanding]:
    """Those of the rules as they stand there, then those that only the state knows."""
    if state is None:
        yield from (AccountStanding(title, one, 0, 0, None, None, 0, ()) for title, one in connectors.items())
        return
    rows = state.rows("select title from accounts union select account from plans order by 1")
    for title in dict.fromkeys([*connectors, *(str(row["title"]) for row in rows)]):
        frame = accepted_of(state, title).frame
        last = state.row(
            "select id, status, at from plans where account = ? order by at desc, rowid desc limit 1", [title]
        )
        plan = None if last is None else LastPlan(**last)
        told = "" if plan is None else plan.id
        refused = state.row("select count(distinct sku) as count from refusals where plan = ?", [told])
        refusals = state.rows(
            "select sku, code, message from refusals where plan = ? order by id limit ?", [told, REFUSALS]
        )
        yield AccountStanding(
            title, connectors.get(title), int(frame["published"].sum()), int(frame["in_doubt"].sum()), plan,
            _unfinished(state, title), 0 if refused is None else refused["count"], tuple(refusals),
        )  # fmt: skip


def _unfinished(state: State, account: str) -> Unfinished | None:
    plan = unfinished(state, account)
    if plan is None:
        return None
    row = state.row(
        "select count(*) as total, coalesce(sum(status = 'done'), 0) as done from intents where plan = ?", [plan]
    )
    assert row is not None
    return Unfinished(plan, row["done"], row["total"])


def _holder(folder: Path) -> Mapping[str, Any] | None:
    """Who holds the lock. One who died holds nothing, though what it left says so."""
    try:
        told = json.loads((folder / HOLDER).read_text(encoding="utf-8"))
        found = {"doing": str(told["doing"]), "pid": int(told["pid"]), "since": str(told["since"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if _runs(found["pid"]) else None


def _runs(pid: Any) -> bool:
    if os.name == "nt":  # where signal 0 would end it
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _size(folder: Path) -> int:
    """Files may come and go meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
