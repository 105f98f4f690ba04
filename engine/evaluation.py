"""A kept snapshot and rules come in; the outcome of every product goes out, computed anew only where it can have changed.

The outcomes of the last evaluation of an account are kept beside the state. Where rules and day are the same, only
products are evaluated of which an attribute that the rules read has changed: a change that no policy reads costs nothing.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from merx.engine import frame as frames
from merx.engine.evaluate import evaluate_for_plan
from merx.engine.fingerprint import of_text
from merx.engine.prepare import Prepared
from merx.engine.snapshot import Schema
from merx.engine.snapshots import Kept, frame_of, kept_snapshots
from merx.engine.state import State
from merx.engine.tables import alike, read_parquet, write_parquet

_MOST = 0.5
"""Share of the products from which on all are evaluated: taking rows out and putting them back is not free either."""

_FEW = 0.05
"""Share of the products up to which the kept outcomes stay: evaluating so few again is cheaper than writing all."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is to be evaluated. account: with its mode, what the last evaluation is kept under. reads: the attributes that
    the rules read. assigned: for each product the listing that takes it, None where the queries decide; it is the
    attribute `ASSIGNED` of the rules in prepared."""

    state: State
    account: str
    mode: str
    prepared: Prepared
    schema: Schema
    reads: frozenset[str]
    identity: Mapping[str, str]
    kept: Kept
    assigned: pl.Series | None = None

    @property
    def day(self) -> datetime.date:
        return self.prepared.day


ASSIGNED = "listing#"
"""The attribute that stands for a recorded assignment; no attribute of a shop can have this name."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """outcomes: see `evaluate_for_plan`, a row a product in the snapshot's order. computed: how many were evaluated."""

    outcomes: pl.DataFrame
    computed: int


def evaluated(question: Question) -> Evaluation:
    """The outcomes, and keeps them for the next time."""
    last = _last(question)
    if last is None:
        found = Evaluation(evaluate_rows(question, None), question.kept.products)
    else:
        found = _anew(question, *last)
    if last is None or found.computed > _FEW * question.kept.products:
        _keep(question, found.outcomes)
    return found


def evaluate_rows(question: Question, rows: pl.Series | None) -> pl.DataFrame:
    """The outcomes of the marked products, None for all; nothing is kept of them."""
    frame, reads = frame_of(question.kept, question.reads), question.reads
    if question.assigned is not None:
        frame, reads = frame.with_columns(question.assigned.alias(ASSIGNED)), reads | {ASSIGNED}
    if rows is not None:
        frame = frame.filter(rows)
    return evaluate_for_plan(question.prepared, frames.conform(frame, question.schema, reads))


def _last(question: Question) -> tuple[Kept, pl.DataFrame] | None:
    """The snapshot and the outcomes of the last evaluation, where these rules made them for this day."""
    row = question.state.row("select * from outcomes where account = ? and mode = ?", [question.account, question.mode])
    if row is None or row["day"] != question.day.isoformat() or json.loads(row["rules"]) != question.identity:
        return None
    path = question.state.folder / "outcomes" / row["file"]
    before = next((one for one in kept_snapshots(question.state) if one.id == row["snapshot"]), None)
    if before is None or not path.exists():
        return None
    # Whether the snapshot knows an attribute at all is something rules can ask.
    known = [
        {name: one.schema.attributes.get(name) for name in question.reads & one.columns.keys()}
        for one in (before, question.kept)
    ]
    if known[0] != known[1]:
        return None
    return before, read_parquet(path)


def _anew(question: Question, before: Kept, outcomes: pl.DataFrame) -> Evaluation:
    changed = _changed(question, before, outcomes)
    if changed is None:
        return Evaluation(outcomes, 0)
    rows, old = changed
    count = int(rows.sum())
    if count > _MOST * question.kept.products:
        return Evaluation(evaluate_rows(question, None), question.kept.products)
    if not count:
        return Evaluation(old, 0)
    both = spliced(old, rows, evaluate_rows(question, rows))
    if both is None:
        return Evaluation(evaluate_rows(question, None), question.kept.products)
    return Evaluation(both, count)


def _changed(question: Question, before: Kept, outcomes: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame] | None:
    """Which products are to be evaluated, and the last outcomes in the order of the new snapshot; None where nothing changed."""
    now = question.kept
    differing = [
        name
        for name in sorted(question.reads)
        if now.columns.get(name) != before.columns.get(name) and name in now.columns
    ]
    if not differing and question.assigned is None:
        return None
    old, new = frame_of(before, differing), frame_of(now, differing)
    if before.columns["sku"] == now.columns["sku"]:
        aligned = outcomes
    else:
        new = new.with_row_index("row#")
        joined = new.join(old, on="sku", how="left", suffix=":old", maintain_order="left")
        aligned = new.select("sku").join(
            outcomes.with_columns(pl.lit(True).alias("known#")), on="sku", how="left", maintain_order="left"
        )
        old = joined.select("sku", *(pl.col(f"{name}:old").alias(name) for name in differing if name != "sku"))
    tests = [new[name].ne_missing(old[name]) for name in differing if name != "sku"]
    mask = pl.Series([False]).new_from_index(0, new.height)
    for test in tests:
        mask = mask | test
    if "known#" in aligned.columns:
        mask = mask | aligned["known#"].is_null()
        aligned = aligned.drop("known#")
    if question.assigned is not None:
        mask = mask | question.assigned.ne_missing(aligned["listing"])
    return mask, aligned


def spliced(old: pl.DataFrame, rows: pl.Series, new: pl.DataFrame) -> pl.DataFrame | None:
    """The old outcomes with the new ones in the marked rows; None where no column holds the numbers of both."""
    try:
        old, new = alike(old, new), alike(new, old)
    except pl.exceptions.InvalidOperationError:
        return None
    at = rows.arg_true()
    if old.columns != new.columns or old.schema != new.schema:
        return None
    places = pl.int_range(old.height, dtype=pl.UInt32, eager=True)
    places = places.scatter(at, pl.int_range(old.height, old.height + new.height, dtype=pl.UInt32, eager=True))
    return pl.concat([old, new], rechunk=True)[places]


def _keep(question: Question, outcomes: pl.DataFrame) -> None:
    rules = json.dumps(question.identity)
    # Named by all that it depends on: a file that the state names is never written over by another's content.
    name = f"{of_text(question.account, question.mode, question.kept.id, question.day.isoformat(), rules)}.parquet"
    write_parquet(outcomes, question.state.folder / "outcomes" / name)
    _name(question, rules, name)
    named = {str(row["file"]) for row in question.state.rows("select file from outcomes")}
    for path in (question.state.folder / "outcomes").iterdir():
        if path.name not in named:
            path.unlink(missing_ok=True)


def _name(question: Question, rules: str, file: str) -> None:
    row = {
        "account": question.account, "mode": question.mode, "snapshot": question.kept.id, "rules": rules,
        "day": question.day.isoformat(), "file": file, "at": question.state.now(),
    }  # fmt: skip
    question.state.replace("outcomes", row)
