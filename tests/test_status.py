"""`merx status`, through the front door: what it shows of a project, and when it says that somebody is needed."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from merx.cli import run
from merx.engine.accepted import accepted_of, keep_accepted
from merx.engine.lock import HOLDER, locked
from merx.engine.state import State, open_state

KEYS = ["folder", "rules", "snapshot", "accounts", "jobs", "lock", "version", "size", "attention"]
ACCOUNT = ["account", "connector", "published", "in_doubt", "plan", "unfinished", "refused", "refusals"]
JOB = {
    "account": "sandbox", "job": "update", "schedule": "every 15m", "due": "2026-11-27T08:45:00.000Z",
    "started": "2026-11-27T08:29:00.000Z", "finished": "2026-11-27T08:29:02.000Z", "result": "done", "runs": 3,
    "failures": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


class StoppedClock:
    def now(self) -> datetime.datetime:
        return datetime.datetime(2026, 11, 27, 8, 30, tzinfo=datetime.UTC)

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        return True


@pytest.fixture
def merx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Said]]:
    """Runs a command in a new project of two products."""
    (tmp_path / "products.csv").write_text("sku,name,price,qty\nA,red,10.05,4\nB,blue,20.00,1\nB,b,1,1\n", "utf-8")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Said:
        code = run(arguments, StoppedClock())
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    assert call("init", "--from", "products.csv", "--yes").code == 0
    yield call


@pytest.fixture
def state(merx: Callable[..., Said], tmp_path: Path) -> Iterator[State]:
    found = open_state(tmp_path, StoppedClock())
    yield found
    found.close()


def accept(state: State, *in_doubt: bool) -> None:
    skus = [f"S{number}" for number in range(len(in_doubt))]
    rows = {"sku": skus, "listing": ["Everything"] * len(skus), "published": [True] * len(skus), "in_doubt": in_doubt}
    frame = pl.DataFrame({name: list(one) for name, one in rows.items()})
    with state.atomic():
        keep_accepted(state, "sandbox", accepted_of(state, "sandbox"), frame)


def apply(state: State, status: str, *batches: str, id: str = "abc", account: str = "sandbox") -> None:
    """A plan whose batches stand so."""
    snapshot = state.row("select id from snapshots")
    assert snapshot is not None
    state.insert(
        "plans",
        {"id": id, "account": account, "snapshot": snapshot["id"], "serial": 0, "status": status, "at": state.now()},
    )
    for number, one in enumerate(batches):
        state.insert("intents", {"plan": id, "number": number, "operation": "create", "status": one})


def test_a_new_project_is_well(merx: Callable[..., Said], tmp_path: Path):
    said = merx("status", "--format", "json")

    assert (said.code, said.err) == (0, "")
    told = said.told
    assert list(told) == KEYS
    assert told["folder"] == str(tmp_path)
    assert told["rules"] == {"files": 3, "errors": 0, "warnings": 0, "problems": []}
    assert told["snapshot"].pop("id")
    assert told["snapshot"] == {
        "at": "2026-11-27T08:30:00.000Z", "age": 0, "origin": str(tmp_path / "products.csv"), "products": 1, "rejected": 2,
    }  # fmt: skip
    assert [list(one) for one in told["accounts"]] == [ACCOUNT]
    assert list(told["accounts"][0].values()) == ["sandbox", "sandbox", 0, 0, None, None, 0, []]
    assert (told["jobs"], told["lock"], told["attention"]) == ([], None, [])
    assert told["size"] > 10_000 and told["version"] >= 2


def test_people_read_a_few_lines(merx: Callable[..., Said], state: State):
    accept(state, False, False)
    apply(state, "applied", "done")
    state.insert("jobs", JOB)
    state.insert("refusals", {"plan": "abc", "sku": "A", "code": "PRICE", "message": "too low", "at": state.now()})

    said = merx("status")

    lines = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert lines[1] == "rules     3 files, no problems"
    assert lines[2].endswith(", 1 product, 2 rows left out, of 2026-11-27T08:30:00.000Z, just now")
    assert lines[5:7] == [
        "account  connector  published  in doubt  last plan                             batches  refused",
        "sandbox  sandbox            2         0  abc applied 2026-11-27T08:30:00.000Z                 1",
    ]
    assert lines[7] == "  sandbox refused A: too low (PRICE)"
    assert lines[9].split() == "account job schedule due finished result runs failures".split()
    assert lines[-1] == "all is well"


def test_an_apply_that_was_not_finished_needs_somebody(merx: Callable[..., Said], state: State):
    accept(state, False, True, True)
    apply(state, "applying", "done", "sent", "pending")

    said = merx("status", "--format", "json")

    [account] = said.told["accounts"]
    assert said.code == 1
    assert (account["published"], account["in_doubt"]) == (3, 2)
    assert account["plan"] == {"id": "abc", "status": "applying", "at": "2026-11-27T08:30:00.000Z"}
    assert account["unfinished"] == {"plan": "abc", "done": 1, "total": 3}
    assert [one.split(":")[1].strip() for one in said.told["attention"]] == [
        "an apply was not finished, 1 of 3 batches are done",
        "2 in doubt, sent and never answered",
    ]


def test_an_apply_that_goes_on_needs_nobody(merx: Callable[..., Said], state: State):
    apply(state, "applying", "done", "pending")

    with locked(state.folder, "merx apply", state.clock):
        said = merx("status", "--format", "json")

    assert said.code == 0
    assert said.told["lock"]["doing"] == "merx apply"
    assert said.told["accounts"][0]["unfinished"] == {"plan": "abc", "done": 1, "total": 2}


def test_one_who_died_is_not_at_work(merx: Callable[..., Said], state: State):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    left = {"doing": "merx apply", "pid": child.pid, "since": state.now()}
    (state.folder / HOLDER).write_text(json.dumps(left), encoding="utf-8")

    assert merx("status", "--format", "json").told["lock"] is None


def test_a_job_that_failed_needs_somebody(merx: Callable[..., Said], state: State):
    state.insert("jobs", JOB | {"failures": 2, "result": "failed"})

    said = merx("status")

    assert said.code == 1
    assert said.out.splitlines()[-1] == "! `sandbox`: the job `update` failed: `merx log` says why"


def test_an_account_that_the_rules_lost_is_shown(merx: Callable[..., Said], state: State):
    apply(state, "applied", "done", account="old")

    accounts = merx("status", "--format", "json").told["accounts"]

    assert [(one["account"], one["connector"]) for one in accounts] == [("sandbox", "sandbox"), ("old", None)]


def test_broken_rules_hide_nothing(merx: Callable[..., Said], state: State, tmp_path: Path):
    accept(state, False)
    (tmp_path / "rules" / "listings.merx").write_text("listing {{{\n", encoding="utf-8")

    said = merx("status")
    told = merx("status", "--format", "json").told

    assert said.code == 1
    assert "rules/listings.merx:1:" in said.err
    assert "! the rules cannot be used" in said.out
    assert told["rules"]["errors"] == len(told["rules"]["problems"]) > 0
    assert [(one["account"], one["published"]) for one in told["accounts"]] == [("sandbox", 1)]


def test_a_folder_that_nothing_was_done_in_stays_so(
    merx: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "merx.toml").write_text('rules = ["rules.merx"]\n', encoding="utf-8")
    (folder / "rules.merx").write_text('account "main" { connector = sandbox }\n', encoding="utf-8")
    monkeypatch.chdir(folder)

    said = merx("status", "--format", "json")

    assert said.code == 1
    assert (said.told["snapshot"], said.told["size"]) == (None, 0)
    assert [one["account"] for one in said.told["accounts"]] == ["main"]
    assert [one.name for one in folder.iterdir() if one.name == ".merx"] == []


def test_without_a_project_the_command_cannot_be_used(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "merx.toml").unlink()

    said = merx("status")

    assert (said.code, said.out) == (2, "")
    assert "error[M720]" in said.err
