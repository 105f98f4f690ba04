"""Planning and applying under kill -9 and faults, in short: `make soak` does it at length."""

from __future__ import annotations

from pathlib import Path

from soak import soak

SEED = 20261125


def test_whatever_is_killed_the_marketplace_shows_what_the_plans_said(tmp_path: Path):
    kills, faults, rounds = soak(tmp_path, kills=20, seed=SEED, count=2000)

    print(f"seed {SEED}: {kills} kills and {faults} faults delivered in {rounds} rounds")
    assert kills >= 20
    assert faults > 0
