"""A project comes in; its jobs are run when they are due, one after the other, and the state says what came of each."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from merx.engine.accounts import chosen_account
from merx.engine.clock import Clock, moment, stamp
from merx.engine.diagnostic import PolicyError
from merx.engine.fingerprint import of_text
from merx.engine.jobs import Done, Failed, carry_out
from merx.engine.journal import Journal
from merx.engine.lock import locked
from merx.engine.planning import publishing_of
from merx.engine.policy import Interval
from merx.engine.project import Project
from merx.engine.publishing import JOBS
from merx.engine.schedule import jitter, near, next_due, words
from merx.engine.state import State, ready
from merx.engine.workspace import open_workspace

LONGEST = 60.0
"""Seconds after which the rules are looked at again, and a job is tried again that was put off, at the latest."""

BUSY = "M802"


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a job, or that it was put off. message: for people; held: see `merx.engine.jobs.Done`."""

    account: str
    job: str
    result: str
    message: str
    seconds: float
    held: int | None = None

    @property
    def ok(self) -> bool:
        return self.result in {"done", "stopped"}


@dataclass(frozen=True, slots=True)
class _Job:
    account: str
    name: str
    interval: Interval
    due: datetime.datetime

    @property
    def key(self) -> str:
        return f"{self.account} {self.name}"


@dataclass(slots=True, eq=False)
class Rounds:
    """The jobs of a project, or of one account.

    find: the project as its merx.toml says at this moment. wait: seconds to wait for another process's lock. stop: ends
    everything. told: is called after each run. problem: why the rules cannot be used, None where they can.
    """

    find: Callable[[], Project]
    state: State
    title: str | None
    wait: float
    stop: threading.Event
    told: Callable[[Ran], None]
    problem: str | None = None
    _schedules: Mapping[tuple[str, str], Interval] = field(default_factory=dict)
    _zone: datetime.tzinfo = datetime.UTC

    @property
    def clock(self) -> Clock:
        return self.state.clock

    def forever(self) -> None:
        while not self.stop.is_set():
            self.round()
            if self.stop.is_set():
                return
            self.clock.wait(self._pause(), self.stop)

    def round(self, *, punctual: bool = False) -> list[Ran]:
        """Runs every job that is due. punctual: without the small delay that keeps shops apart."""
        self._look()
        ran = []
        for job in list(self._due(punctual)):
            if self.stop.is_set():
                break
            found = self._run(job)
            if found is not None:
                ran.append(found)
                self.told(found)
        return ran

    def look(self) -> None:
        """Reads the rules. Raises PolicyError where they cannot be used."""
        project = self.find()
        workspace = open_workspace(project, self.clock)
        try:
            rules = workspace.ruleset.rules
            if self.title is not None:
                accounts = [chosen_account(rules, self.title)]
            else:
                accounts = list(rules.accounts.values()) or [chosen_account(rules, None)]
            self._zone = ZoneInfo(project.settings.timezone)
            self._schedules = {
                (account.title, job): publishing_of(account, workspace.day).schedules.get(job, Interval())
                for account in accounts
                for job in JOBS
            }
        finally:
            workspace.state.close()

    def _look(self) -> None:
        """Rules that cannot be read change no schedule: the jobs that are due say what is wrong."""
        try:
            self.look()
            self.problem = None
        except PolicyError as error:
            self.problem = error.diagnostics[0].message

    # --- when

    def _jobs(self) -> Iterator[_Job]:
        now = self.clock.now()
        for (account, name), interval in self._schedules.items():
            row = self._row(account, name)
            if interval == Interval():
                if row is not None and row["due"] is not None:
                    self._write(account, name, schedule=words(interval), due=None)
                continue
            due = now
            if row is not None and row["schedule"] == words(interval) and row["due"] is not None:
                due = near(interval, moment(row["due"]), now, self._zone)
            elif row is not None and row["started"] is not None:
                due = next_due(interval, moment(row["started"]), moment(row["started"]), self._zone) or now
                due = near(interval, due, now, self._zone)
            if row is None or row["due"] != stamp(due) or row["schedule"] != words(interval):
                self._write(account, name, schedule=words(interval), due=stamp(due))
            # As the state has it, so that the delay is the same each time it is asked.
            yield _Job(account, name, interval, moment(stamp(due)))

    def _starts(self, job: _Job, *, punctual: bool = False) -> datetime.datetime:
        row = self._row(job.account, job.name)
        first = row is None or row["started"] is None
        return job.due if first or punctual else job.due + jitter(job.interval, job.due, job.key, self._zone)

    def _due(self, punctual: bool) -> Iterator[_Job]:
        for job in list(self._jobs()):
            if self._starts(job, punctual=punctual) <= self.clock.now():
                yield job

    def _pause(self) -> float:
        now = self.clock.now()
        nearest = min((self._starts(job) for job in self._jobs()), default=now + datetime.timedelta(seconds=LONGEST))
        return min(LONGEST, max((nearest - now).total_seconds(), 0.05))

    # --- one run

    def _run(self, job: _Job) -> Ran | None:
        """None where another process has done it meanwhile."""
        began, since = self.clock.now(), time.monotonic()
        run = of_text(job.account, job.name, stamp(began))[:10]
        try:
            done = self._locked(job, run)
        except PolicyError as error:
            message = "; ".join(f"{one.message} ({one.code})" for one in error.diagnostics[:3])
            if error.diagnostics[0].code == BUSY:
                return self._put_off(job, run, message, since)
            return self._failed(job, run, began, message, since)
        except Failed as error:
            return self._failed(job, run, began, error.message, since)
        except Exception as error:
            # A fault of a plugin or of merx must not end what the other jobs do.
            return self._failed(job, run, began, f"{type(error).__name__}: {error}", since)
        if done is None:
            return None
        result = "stopped" if done.stopped else "done"
        self._finish(job, began, result, failed=False)
        if not done.stopped:
            self.state.note(f"success {job.key}", self.state.now())
        return Ran(job.account, job.name, result, done.message, time.monotonic() - since, done.held)

    def _locked(self, job: _Job, run: str) -> Done | None:
        project = self.find()
        # The lock comes first: whoever had to wait for it may find other rules, and a state that was restored meanwhile.
        with locked(ready(project.folder), f"merx run: {job.name}", self.clock, wait=self.wait, stop=self.stop):
            row = self._row(job.account, job.name)
            if row is not None and row["due"] is not None and moment(row["due"]) > job.due:
                return None
            workspace = open_workspace(project, self.clock)
            state = workspace.state
            try:
                state.check_clock()
                self._write(job.account, job.name, started=state.now(), finished=None, result="running")
                account = chosen_account(workspace.ruleset.rules, job.account)
                done = carry_out(workspace, account, job.name, run, self.stop)
                publishing = publishing_of(account, workspace.day)
                Journal(state, job.account, job.name, run, publishing.activity_log).tell("info", done.message)
                return done
            finally:
                state.close()

    def _put_off(self, job: _Job, run: str, message: str, since: float) -> Ran:
        Journal(self.state, job.account, job.name, run).tell("warning", f"put off: {message}")
        due = stamp(self.clock.now() + datetime.timedelta(seconds=min(LONGEST, job.interval.seconds or LONGEST)))
        self._write(job.account, job.name, due=due, result="put off")
        return Ran(job.account, job.name, "put off", message, time.monotonic() - since)

    def _failed(self, job: _Job, run: str, began: datetime.datetime, message: str, since: float) -> Ran:
        Journal(self.state, job.account, job.name, run).tell("error", f"failed: {message}")
        self._finish(job, began, "failed", failed=True)
        return Ran(job.account, job.name, "failed", message, time.monotonic() - since)

    def _finish(self, job: _Job, began: datetime.datetime, result: str, *, failed: bool) -> None:
        """The next due moment is after this one's end: however many were missed meanwhile, one comes."""
        due = next_due(job.interval, job.due, max(self.clock.now(), job.due), self._zone)
        row = self._row(job.account, job.name) or {}
        self._write(
            job.account, job.name, due=None if due is None else stamp(due), started=stamp(began),
            finished=self.state.now(), result=result,
            runs=(row.get("runs") or 0) + 1, failures=(row.get("failures") or 0) + failed,
        )  # fmt: skip

    # --- the table

    def _row(self, account: str, job: str) -> dict[str, Any] | None:
        return self.state.row("select * from jobs where account = ? and job = ?", [account, job])

    def _write(self, account: str, job: str, **values: Any) -> None:
        with self.state.atomic():
            row = self._row(account, job) or {
                "account": account, "job": job, "schedule": "off", "due": None, "started": None, "finished": None,
                "result": None, "runs": 0, "failures": 0,
            }  # fmt: skip
            self.state.replace("jobs", {**row, **values})
