"""`merx log`, through the front door."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from merx.cli import run
from merx.engine.journal import Journal
from merx.engine.marketplace import Exchange
from merx.engine.state import open_state

START = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)


class Moving:
    """A clock that goes on a second each time it is asked."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.at, self.then, self.waits = START, then, 0

    def now(self) -> datetime.datetime:
        self.at += datetime.timedelta(seconds=1)
        return self.at

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self.waits += 1
        if self.waits > 1:
            raise KeyboardInterrupt
        self.then()
        return False


def tell(folder: Path, level: str, message: str, *skus: str, account: str = "main", job: str = "upload") -> None:
    state = open_state(folder, clock)
    Journal(state, account, job).tell(level, message, skus)  # type: ignore[arg-type]  # a text of three
    state.close()


def exchange(folder: Path, status: int, *skus: str) -> None:
    state = open_state(folder, clock)
    journal = Journal(state, "main", "upload")
    journal.record(Exchange("create", "POST /v1/offers", '{"sent": 1}', '{"answered": 2}', status, 0.25, skus))
    journal.flush()
    state.close()


clock = Moving()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "merx.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    tell(tmp_path, "info", "published 2", "A", "B")
    exchange(tmp_path, 200, "A", "B")
    tell(tmp_path, "warning", "put off", job="assign")
    exchange(tmp_path, 500, "C")
    tell(tmp_path, "error", "C was refused", "C", account="other")
    return tmp_path


def messages(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert run(["log", "--format", "json", *arguments]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [one.get("message") or f"{one['status']}" for one in entries]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], ["published 2", "put off", "C was refused"]),
        (["--feed"], ["published 2", "200", "put off", "500", "C was refused"]),
        (["--sku", "C", "--feed"], ["500", "C was refused"]),
        (["--job", "assign"], ["put off"]),
        (["--account", "other"], ["C was refused"]),
        (["--level", "warning"], ["put off", "C was refused"]),
        (["--level", "error", "--feed"], ["500", "C was refused"]),
        (["-n", "2", "--feed"], ["500", "C was refused"]),
        (["-n", "0"], []),
    ],
)
def test_entries_are_chosen_and_stand_in_the_order_of_time(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], found: list[str]
):
    assert messages(capsys, *arguments) == found


def test_people_read_lines_and_payloads(project: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["log", "--feed", "--sku", "A"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("info    main upload: published 2 (A, B)")
    assert lines[1].endswith("feed    main upload: POST /v1/offers → 200 in 250 ms")
    assert lines[2:] == ['    > {"sent": 1}', '    < {"answered": 2}']


def test_follow_shows_what_comes_and_ends_at_ctrl_c(project: Path, capsys: pytest.CaptureFixture[str]):
    code = run(["log", "--follow", "-n", "1"], Moving(lambda: tell(project, "info", "news")))

    out = capsys.readouterr().out.splitlines()
    assert code == 130
    assert [line.rpartition(": ")[2] for line in out] == ["C was refused (C)", "news"]
