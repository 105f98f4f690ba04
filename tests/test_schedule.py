"""When a job is due: rhythm, missed runs, a clock that is set back, and the small delay."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merx.engine.policy import Interval
from merx.engine.schedule import MOST_JITTER, jitter, near, next_due, words

QUARTER = Interval(seconds=900)
CRON = Interval(cron="*/15 * * * *")
OFF = Interval()


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(f"2026-11-25T{text}Z")


@pytest.mark.parametrize(
    ("interval", "last", "now", "due"),
    [
        (QUARTER, "12:00:00", "12:00:00", "12:15:00"),
        (QUARTER, "12:00:00", "12:14:59", "12:15:00"),
        (QUARTER, "12:00:00", "12:15:00", "12:30:00"),
        (QUARTER, "12:00:07", "15:50:00", "16:00:07"),
        (QUARTER, "12:00:00", "11:00:00", "11:15:00"),
        (CRON, "12:00:00", "12:00:00", "12:15:00"),
        (CRON, "12:00:00", "15:50:00", "16:00:00"),
        (CRON, "12:00:00", "11:01:00", "11:15:00"),
    ],
)
def test_the_next_moment_of_the_rhythm_is_after_now_and_missed_ones_come_to_one(
    interval: Interval, last: str, now: str, due: str
):
    assert next_due(interval, at(last), at(now)) == at(due)


def test_what_is_off_is_never_due():
    assert next_due(OFF, at("12:00:00"), at("12:00:00")) is None
    assert near(OFF, at("12:00:00"), at("10:00:00")) == at("12:00:00")
    assert jitter(OFF, at("12:00:00"), "a") == datetime.timedelta()


def test_cron_means_the_stores_own_hours():
    nightly = Interval(cron="0 3 * * *")

    assert next_due(nightly, at("00:00:00"), at("00:00:00"), ZoneInfo("Europe/Berlin")) == at("02:00:00")


@pytest.mark.parametrize("interval", [QUARTER, CRON])
def test_with_a_clock_that_is_set_back_a_job_waits_one_interval_at_most(interval: Interval):
    assert near(interval, at("12:15:00"), at("06:00:00")) == at("06:15:00")
    assert near(interval, at("12:15:00"), at("12:10:00")) == at("12:15:00")


@given(st.integers(60, 10**6), st.integers(-(10**7), 10**7), st.text(max_size=5))
def test_the_delay_is_small_and_the_same_each_time(seconds: int, later: int, seed: str):
    interval = Interval(seconds=seconds)
    due = at("12:00:00") + datetime.timedelta(seconds=later)

    delay = jitter(interval, due, seed)

    assert datetime.timedelta() <= delay <= min(MOST_JITTER, datetime.timedelta(seconds=seconds) / 10)
    assert delay == jitter(interval, due, seed)


def test_two_shops_do_not_start_at_once():
    assert jitter(QUARTER, at("12:00:00"), "a upload") != jitter(QUARTER, at("12:00:00"), "b upload")


@given(st.integers(60, 10**5), st.integers(-(10**6), 10**6))
def test_the_next_moment_is_within_one_interval(seconds: int, later: int):
    now = at("12:00:00") + datetime.timedelta(seconds=later)

    due = next_due(Interval(seconds=seconds), at("12:00:00"), now)

    assert due is not None
    assert datetime.timedelta() < due - now <= datetime.timedelta(seconds=seconds)


def test_schedules_in_words():
    assert [words(one) for one in (OFF, QUARTER, CRON)] == ["off", "every 900s", 'cron("*/15 * * * *")']
