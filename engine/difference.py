"""Two kept snapshots come in; what products and which of their attributes differ goes out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from merx.engine.planfile import said
from merx.engine.snapshots import Kept, frame_of
from merx.engine.tables import alike


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """added, removed: SKUs. counts: attribute → how many products that both have differ in it, none left out that differs.
    new, gone: attributes that only one has. changes: a row a changed product: `sku`, and for each attribute of counts
    `old:NAME`, `new:NAME` and the flag `differs:NAME`. same: how many products are equal."""

    before: Kept
    now: Kept
    added: tuple[str, ...]
    removed: tuple[str, ...]
    counts: Mapping[str, int]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    changes: pl.DataFrame
    same: int

    @property
    def nothing(self) -> bool:
        return not (self.added or self.removed or self.counts or self.new or self.gone)


def difference(before: Kept, now: Kept) -> Difference:
    """What is another in `now`. Columns of equal content are not read. Raises PolicyError (M811)."""
    names = {*before.columns, *now.columns} - {"sku"}
    differing = sorted(name for name in names if before.columns.get(name) != now.columns.get(name))
    if before.columns.get("sku") != now.columns.get("sku"):
        # The same values in another order of products are no difference, and the fingerprints cannot tell.
        differing = sorted(names)
    old, new = frame_of(before, differing), frame_of(now, differing)
    added = new.join(old, on="sku", how="anti", maintain_order="left")["sku"].to_list()
    removed = old.join(new, on="sku", how="anti", maintain_order="left")["sku"].to_list()
    both = _paired(old, new, differing)
    counts = {name: count for name in differing if (count := int(both[f"differs:{name}"].sum()))}
    flags = [pl.col(f"differs:{name}") for name in counts]
    kept = [f"{part}:{name}" for name in counts for part in ("old", "new", "differs")]
    changes = both.filter(pl.any_horizontal(flags) if flags else pl.lit(False)).select("sku", *kept)
    return Difference(
        before, now, tuple(added), tuple(removed), counts,
        tuple(sorted(now.columns.keys() - before.columns.keys())),
        tuple(sorted(before.columns.keys() - now.columns.keys())),
        changes, both.height - changes.height,
    )  # fmt: skip


def _paired(old: pl.DataFrame, new: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """A row a product that both have."""
    old, new = alike(old, new), alike(new, old)
    left = new.select("sku", *(_column(new, name, "new") for name in names))
    right = old.select("sku", *(_column(old, name, "old") for name in names))
    both = left.join(right, on="sku", how="inner", maintain_order="left")
    return both.with_columns(_differs(both, name) for name in names)


def _column(frame: pl.DataFrame, name: str, part: str) -> pl.Expr:
    return (pl.col(name) if name in frame.columns else pl.lit(None)).alias(f"{part}:{name}")


def _differs(both: pl.DataFrame, name: str) -> pl.Expr:
    old, new = (both.schema[f"{part}:{name}"] for part in ("old", "new"))
    columns = [pl.col(f"{part}:{name}") for part in ("old", "new")]
    if old != new and not isinstance(old, pl.Null) and not isinstance(new, pl.Null):
        columns = [_text(one, dtype) for one, dtype in zip(columns, (old, new), strict=True)]
    elif isinstance(old, pl.Null) or isinstance(new, pl.Null):
        return (columns[0].is_not_null() | columns[1].is_not_null()).alias(f"differs:{name}")
    return columns[0].ne_missing(columns[1]).alias(f"differs:{name}")


def _text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Values of two types are compared by what people are shown of them."""
    if isinstance(dtype, pl.Decimal | pl.List):
        return column.map_elements(
            lambda value: json.dumps(_said(value)),
            return_dtype=pl.String,
        )
    return column.cast(pl.String)


def _said(value: Any) -> Any:
    return [said(one) for one in value] if isinstance(value, list | pl.Series) else said(value)


def changed_products(found: Difference, most: int | None = None) -> Iterator[dict[str, Any]]:
    """sku, and changes: attribute → what it was and what it is."""
    for row in found.changes.head(found.changes.height if most is None else most).iter_rows(named=True):
        changes = {
            name: [_said(row[f"old:{name}"]), _said(row[f"new:{name}"])]
            for name in found.counts
            if row[f"differs:{name}"]
        }
        yield {"sku": row["sku"], "changes": changes}


def lines(found: Difference) -> Iterator[str]:
    """Its JSON, line by line, a changed product a line: a million of them are never in memory at once. Keys are stable."""
    summary = {
        "added": len(found.added), "removed": len(found.removed), "changed": found.changes.height, "same": found.same,
    }  # fmt: skip
    attributes = {"added": list(found.new), "removed": list(found.gone), "changed": dict(found.counts)}
    yield "{"
    yield f'"from": {json.dumps(found.before.id)},'
    yield f'"to": {json.dumps(found.now.id)},'
    yield f'"summary": {json.dumps(summary)},'
    yield f'"attributes": {json.dumps(attributes, ensure_ascii=False)},'
    yield f'"added": {json.dumps(found.added, ensure_ascii=False)},'
    yield f'"removed": {json.dumps(found.removed, ensure_ascii=False)},'
    yield '"changed": ['
    before = None
    for one in changed_products(found):
        if before is not None:
            yield f"{before},"
        before = json.dumps(one, ensure_ascii=False)
    if before is not None:
        yield before
    yield "]}"
