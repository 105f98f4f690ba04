"""Listings and a bound frame come in; which listing takes each product goes out.

Listings are asked by priority, larger first, and a product is done at the first group that takes it. Every query is asked of
every product, which is right for tens of listings; thousands of them would want an index over the queries' first conditions.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from merx.engine import columns
from merx.engine.measure import Bound
from merx.engine.prepare import Prepared, Taker
from merx.engine.rules import Listing

_NOBODY = -1


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """takers: what can take a product. codes: of each row, an index into takers, or negative.
    reasons: of each row, why it is held for its listing (a list of texts), null where it is not; None for no row."""

    takers: tuple[Taker, ...]
    codes: pl.Series
    reasons: pl.Series | None

    @property
    def listed(self) -> pl.Series:
        return self.codes >= 0

    @property
    def titles(self) -> pl.Series:
        """The listing's title of each row, null where there is none or a tie."""
        names = pl.Series([*(taker.title for taker in self.takers), None], dtype=pl.String)
        at = self.codes.clip(lower_bound=_NOBODY).replace(_NOBODY, len(self.takers))
        return names.gather(at)

    def taken(self, indices: list[int]) -> pl.Series:
        """Whether one of these takers took the row."""
        return self.codes.is_in(indices) if len(indices) < len(self.takers) else self.listed


@dataclass(frozen=True, slots=True)
class _Round:
    """Listings of one priority, asked together. picked: for their hand-picked SKUs; else by their queries.
    number tells the codes of rounds apart: `tie` where several took a product, `undecided` where a query faulted, so
    that nobody can tell which listing takes it."""

    number: int
    picked: bool
    listings: tuple[Listing, ...]

    @property
    def tie(self) -> int:
        return -2 * self.number - 2

    @property
    def undecided(self) -> int:
        return -2 * self.number - 3


def _rounds(prepared: Prepared) -> list[_Round]:
    asked = [(True, tuple(one for one in group if one.products)) for group in prepared.groups]
    asked += [(False, tuple(one for one in group if one.assign is not None)) for group in prepared.groups]
    return [_Round(number, picked, group) for number, (picked, group) in enumerate(asked) if group]


def assign(prepared: Prepared, bound: Bound) -> Assignment:
    """The listing of every row of the bound frame."""
    rounds = _rounds(prepared)
    table = _answers(rounds, prepared, bound)
    takers = [prepared.taker([listing]) for group in prepared.groups for listing in group]
    numbers = {taker.listings[0]: number for number, taker in enumerate(takers)}
    code = pl.lit(_NOBODY, dtype=pl.Int32)
    for one in reversed(rounds):
        code = _asked(one, numbers, table, code)
    codes = table.select(code.alias("code"))["code"] if table.height else pl.Series("code", [], dtype=pl.Int32)
    reasons: list[tuple[pl.Series, pl.Series]] = []
    for one in rounds:
        codes = _settle_ties(one, codes, table, prepared, takers, reasons)
        undecided = (codes == one.undecided).arg_true()
        if undecided.len():
            columns_ = [
                pl.col(_reason(one, listing)) for listing in one.listings if _reason(one, listing) in table.columns
            ]
            texts = table[undecided].select(pl.concat_list(columns_).list.drop_nulls()).to_series()
            reasons.append((undecided, texts))
    return Assignment(tuple(takers), codes, _spread(reasons, table.height))


def _answer(one: _Round, listing: Listing) -> str:
    return f"{one.number}:{listing.title}"


def _reason(one: _Round, listing: Listing) -> str:
    return f"reason:{one.number}:{listing.title}"


def _answers(rounds: list[_Round], prepared: Prepared, bound: Bound) -> pl.DataFrame:
    """One flag column a listing and round, and a reason column where its query faults on some product."""
    queries = [(one, listing) for one in rounds if not one.picked for listing in one.listings]
    found: dict[str, pl.Series] = {}
    truths = columns.truths(
        [listing.assign for _, listing in queries if listing.assign is not None], bound, today=prepared.day
    )
    for (one, listing), (truth, reason) in zip(queries, truths, strict=True):
        found[_answer(one, listing)] = truth
        if reason is not None and reason.null_count() < reason.len():
            found[_reason(one, listing)] = reason
    for one in rounds:
        for listing in one.listings if one.picked else ():
            found[_answer(one, listing)] = bound.frame["sku"].is_in(list(listing.products))
    return pl.DataFrame(found) if found else bound.frame.select("sku")


def _asked(one: _Round, numbers: dict[Listing, int], table: pl.DataFrame, otherwise: pl.Expr) -> pl.Expr:
    """The code of a row that no earlier round settled."""
    taken = [(pl.col(_answer(one, listing)), numbers[listing]) for listing in one.listings]
    code = otherwise
    for flag, number in reversed(taken):
        code = pl.when(flag).then(pl.lit(number, dtype=pl.Int32)).otherwise(code)
    if len(taken) > 1:
        several = pl.sum_horizontal(flag.cast(pl.UInt16) for flag, _ in taken) > 1
        code = pl.when(several).then(pl.lit(one.tie, dtype=pl.Int32)).otherwise(code)
    faults = [name for listing in one.listings if (name := _reason(one, listing)) in table.columns]
    if faults:
        faulted = pl.any_horizontal(pl.col(name).is_not_null() for name in faults)
        code = pl.when(faulted).then(pl.lit(one.undecided, dtype=pl.Int32)).otherwise(code)
    return code


def _settle_ties(
    one: _Round, codes: pl.Series, table: pl.DataFrame, prepared: Prepared, takers: list[Taker],
    reasons: list[tuple[pl.Series, pl.Series]],
) -> pl.Series:  # fmt: skip
    """Each set of listings that took a product together becomes a taker of its own."""
    rows = (codes == one.tie).arg_true()
    if not rows.len():
        return codes
    flags = table[rows].select(_answer(one, listing) for listing in one.listings).with_columns(rows.alias("row"))
    for tied, group in flags.group_by(flags.columns[:-1], maintain_order=True):
        taker = prepared.taker([listing for listing, flag in zip(one.listings, tied, strict=True) if flag])
        takers.append(taker)
        codes = codes.scatter(group["row"], len(takers) - 1)
        text = pl.Series([[taker.reason]], dtype=pl.List(pl.String)).new_from_index(0, group.height)
        reasons.append((group["row"], text))
    return codes


def _spread(reasons: list[tuple[pl.Series, pl.Series]], height: int) -> pl.Series | None:
    if not reasons:
        return None
    known = pl.DataFrame(
        {
            "row": pl.concat([rows.cast(pl.UInt32) for rows, _ in reasons]),
            "text": pl.concat([text.alias("text") for _, text in reasons]),
        }
    )
    every = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    return every.join(known, on="row", how="left", maintain_order="left")["text"]
