"""A frame of products comes in; a frame of outcomes goes out, one row a product, in the same order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from merx.engine import columns
from merx.engine.assign import Assignment, assign
from merx.engine.fault import reason
from merx.engine.measure import Bound
from merx.engine.prepare import Decided, Prepared

SCHEMA: dict[str, pl.DataType] = {
    "price": pl.Decimal(38, 2),
    "sale_price": pl.Decimal(38, 2),
    "currency": pl.String(),
    "quantity": pl.Int64(),
    "main_image": pl.String(),
    "images": pl.List(pl.String),
}
"""The type of a standard outcome that no policy sets."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The outcome of one program over some rows (None: all of them). name: of the outcome, for reasons. asked: the rows of
    the products it decides."""

    name: str
    rows: pl.Series | None
    outcome: columns.Outcome
    asked: pl.Series


DECIDED = "decided:"
"""What stands before the kind of policy in the names of the columns that `evaluate_for_plan` adds."""


def evaluate(prepared: Prepared, frame: pl.DataFrame) -> pl.DataFrame:
    """Listing, status, reasons and outcomes of every product.

    frame: a snapshot's, conforming to the schema that the rules were checked against.
    Returns sku, listing, status, reasons (list of texts), then `prepared.outcomes`; amounts are Decimal, `quantity` is
    Int64, what nothing sets or what is held is null.
    """
    return _evaluate(prepared, frame)[0]


def evaluate_for_plan(prepared: Prepared, frame: pl.DataFrame) -> pl.DataFrame:
    """The same, and for each kind of policy a flag column `decided:KIND`: whether a policy of that kind decided the
    product and nothing holds it. A null outcome that is decided is no value; one that is not says nothing."""
    outcomes, parts = _evaluate(prepared, frame)
    flags = []
    for kind, found in parts.items():
        decided = pl.Series([False]).new_from_index(0, frame.height)
        for part in found:
            free = part.outcome.reasons.is_null()
            free = (
                free
                if part.rows is None
                else decided.clear().extend_constant(False, frame.height).scatter(part.rows, free)
            )
            decided = decided | (free & part.asked)
        flags.append(decided.alias(f"{DECIDED}{kind}"))
    return outcomes.with_columns(flags)


def _evaluate(prepared: Prepared, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, list[_Part]]]:
    bound = columns.bind(frame)
    assignment = assign(prepared, bound)
    parts: dict[str, list[_Part]] = {}
    for kind in prepared.kinds:
        parts[kind] = _run_kind(kind, assignment, prepared, bound)
    height = frame.height
    values = _merge_values(prepared, parts, height)
    held = [
        _scatter([(part.rows, part.outcome.reasons) for part in found], height) for found in parts.values() if found
    ]
    reasons, is_held = _reasons(assignment, held, height)
    listed = assignment.listed
    status = pl.when(is_held).then(pl.lit("held")).when(listed).then(pl.lit("ready")).otherwise(pl.lit("unlisted"))
    head = pl.select(
        frame["sku"].cast(pl.String).alias("sku"), assignment.titles.alias("listing"), status.alias("status"),
        reasons.alias("reasons"),
    ) if height else _empty_head()  # fmt: skip
    return pl.concat([head, values], how="horizontal") if values.width else head, parts


def _empty_head() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"sku": pl.String, "listing": pl.String, "status": pl.String, "reasons": pl.List(pl.String)}
    )


def _run_kind(kind: str, assignment: Assignment, prepared: Prepared, bound: Bound) -> list[_Part]:
    by_policy: dict[str, tuple[Decided, list[int]]] = {}
    for index, taker in enumerate(assignment.takers):
        if kind in taker.decided:
            decided = taker.decided[kind]
            by_policy.setdefault(decided.policy.title, (decided, []))[1].append(index)
    parts = []
    for decided, indices in by_policy.values():
        asked = assignment.taken(indices)
        count = asked.sum()
        # Taking out most of the rows, and putting them back, costs more than computing the others for nothing.
        if count * 2 >= asked.len():
            mask = None if count == asked.len() else asked
            outcome = columns.run(decided.program, bound, today=prepared.day, asked=mask)
            parts.append(_Part(decided.program.outcome, None, outcome, asked))
        elif count:
            rows = asked.arg_true()
            outcome = columns.run(decided.program, bound, today=prepared.day, rows=rows)
            parts.append(_Part(decided.program.outcome, rows, outcome, asked))
    types = _column_types(parts)
    return [replace(part, outcome=_fitted(part, types)) for part in parts]


def _column_types(parts: list[_Part]) -> dict[str, pl.DataType]:
    """The one type of each number that several programs give."""
    types: dict[str, pl.DataType] = {}
    for part in parts:
        for series in part.outcome.values:
            if series.name == "quantity":
                types[series.name] = pl.Int64()
            elif isinstance(series.dtype, pl.Decimal):
                known = types.get(series.name)
                scale = known.scale if isinstance(known, pl.Decimal) else 0
                types[series.name] = pl.Decimal(38, max(scale, series.dtype.scale))
    return types


def _fitted(part: _Part, types: dict[str, pl.DataType]) -> columns.Outcome:
    """The outcome in these types. A product whose number does not fit is held: it must not stop the others."""
    values, reasons = part.outcome.values, part.outcome.reasons
    wanted = {name: types[name] for name, dtype in values.schema.items() if types.get(name, dtype) != dtype}
    if not wanted:
        return part.outcome
    cast = values.cast(wanted, strict=False)  # type: ignore[arg-type]
    lost = pl.Series([False]).new_from_index(0, values.height)
    for name in wanted:
        lost = lost | (cast[name].is_null() & values[name].is_not_null())
    if not lost.any():
        return columns.Outcome(cast, reasons)
    told = pl.Series([reason(part.name, columns.TOO_WIDE, None)]).new_from_index(0, values.height)
    return columns.Outcome(cast.select(pl.when(~lost).then(pl.all())), told.zip_with(lost, reasons))


def _merge_values(prepared: Prepared, parts: dict[str, list[_Part]], height: int) -> pl.DataFrame:
    found: dict[str, list[tuple[pl.Series | None, pl.Series]]] = {}
    for some in parts.values():
        for part in some:
            for series in part.outcome.values:
                found.setdefault(series.name, []).append((part.rows, series))
    merged = []
    for name in prepared.outcomes:
        series = (
            _scatter(found[name], height) if name in found else pl.Series([None], dtype=SCHEMA.get(name, pl.Null()))
        )
        if name not in found:
            series = series.extend_constant(None, height - 1) if height else series.clear()
        if name in SCHEMA and series.null_count() == height:
            series = series.cast(SCHEMA[name])
        merged.append(series.alias(name))
    return pl.DataFrame(merged)


def _scatter(pieces: list[tuple[pl.Series | None, pl.Series]], height: int) -> pl.Series:
    """One column of `height` rows from values at their row numbers (None: every row); null where there is none."""
    if len(pieces) == 1 and pieces[0][0] is None:
        return pieces[0][1]
    kept = [piece for _, piece in pieces]
    values = pl.concat([piece.alias("value") for piece in kept]) if len({p.dtype for p in kept}) == 1 else _widen(kept)
    at = pl.Series("at", [None], dtype=pl.UInt32).new_from_index(0, height)
    start = 0
    # What computed every row goes first, so that the rows of the others win.
    for rows, piece in zip([rows for rows, _ in pieces], kept, strict=True):
        places = pl.int_range(start, start + piece.len(), dtype=pl.UInt32, eager=True)
        if rows is None:
            at = places.zip_with(piece.is_not_null(), at)
        else:
            at = at.scatter(rows, places)
        start += piece.len()
    return values.rechunk().gather(at)


def _widen(pieces: list[pl.Series]) -> pl.Series:
    return pl.concat([piece.to_frame("value") for piece in pieces], how="vertical_relaxed")["value"]


def _reasons(assignment: Assignment, held: list[pl.Series], height: int) -> tuple[pl.Series, pl.Series]:
    """The reasons of each row as a list, and whether there is one."""
    nothing = pl.Series("reasons", [[]], dtype=pl.List(pl.String))
    some = [series for series in held if series.null_count() < height]
    if not some and assignment.reasons is None:
        return nothing.new_from_index(0, height), pl.Series([False]).new_from_index(0, height)
    told = {f"held{index}": series for index, series in enumerate(some)}
    lists = [pl.concat_list(name) for name in told]
    if assignment.reasons is not None:
        told = {"listing": assignment.reasons, **told}
        lists.insert(0, pl.col("listing").fill_null(pl.lit([], dtype=pl.List(pl.String))))
    table = pl.DataFrame(told)
    is_held = table.select(pl.any_horizontal(pl.all().is_not_null()).alias("held"))["held"]
    rows = is_held.arg_true()
    texts = table[rows].select(pl.concat_list(lists).list.drop_nulls().alias("reasons")).to_series()
    at = pl.Series("at", [0], dtype=pl.UInt32).new_from_index(0, height)
    at = at.scatter(rows, pl.int_range(1, rows.len() + 1, dtype=pl.UInt32, eager=True))
    # Taking rows out of a list column of several chunks is twenty times slower.
    return pl.concat([nothing, texts], rechunk=True).gather(at), is_held
