"""Products as texts come in; a snapshot goes out: typed, each SKU once, families joined, and every row accounted for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.snapshot import Reject, Schema, Snapshot, StoreSettings
from merx.engine.standard import standard_type
from merx.engine.types import TEXT, TEXTS, Type
from merx.plugins.cells import type_columns
from merx.plugins.families import Family, joined


@dataclass(slots=True)
class Texts:
    """Products before they are typed.

    columns: attribute → a text for each product, None where blank; all of one length. lines: where each starts in its
    file. families: row of a configurable parent → the SKUs of its children. lists: attributes that hold lists whose
    elements stand in a text, each with what separates them.
    """

    columns: dict[str, list[str | None]]
    lines: Sequence[int]
    families: dict[int, Sequence[str]] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()
    notes: tuple[str, ...] = ()


def wanted_type(name: str, declared: Schema | None, settings: StoreSettings) -> Type | None:
    """The type that an attribute's cells are read as; None to tell it from them."""
    if declared is not None and name in declared.attributes:
        return declared.attributes[name]
    return TEXT if name == "sku" else standard_type(name, settings.currency)


def snapshot_of(
    title: str, texts: Texts, declared: Schema | None, columns: Collection[str] | None, settings: StoreSettings
) -> Snapshot:
    """The snapshot of products that were read as texts. A product that cannot be read is no child of its parent."""
    count = len(texts.lines)
    wanted: dict[str, Type | None] = {}
    raw: dict[str, pl.Series] = {}
    for name, values in texts.columns.items():
        type_ = wanted_type(name, declared, settings)
        separator = texts.lists.get(name)
        if separator is not None and (type_ is None or type_ == TEXTS):
            raw[name] = _split(name, values, separator)
            wanted[name] = TEXTS
        else:
            raw[name] = pl.Series(name, values, dtype=pl.String)
            wanted[name] = type_
    frame = pl.DataFrame(raw) if raw else pl.DataFrame({"sku": []}, schema={"sku": pl.String})
    typed = type_columns(frame.lazy(), wanted, frame.head(300))
    kept, rejects = accepted(typed.frame, texts.lines, typed.faults)
    types = dict(typed.types)
    if texts.families:
        alive = {old: new for new, old in enumerate(kept.to_list())}
        families = [Family(alive[row], tuple(skus)) for row, skus in texts.families.items() if row in alive]
        whole, notes = joined(typed.frame[kept], families)
    else:
        whole, notes = typed.frame[kept], ()
    for name in whole.columns:
        if name not in types:
            types[name] = standard_type(name, settings.currency) or TEXT.maybe()
    rejects = tuple(sorted((*texts.rejects, *rejects), key=lambda one: one.line))
    return finished(title, whole, types, count + len(texts.rejects), rejects, (*texts.notes, *notes), columns)


def _split(name: str, values: Sequence[str | None], separator: str) -> pl.Series:
    lists = [None if value is None else [part for part in value.split(separator) if part] for value in values]
    return pl.Series(name, lists, dtype=pl.List(pl.String))


def accepted(
    frame: pl.DataFrame, lines: Sequence[int], faults: Mapping[int, str]
) -> tuple[pl.Series, tuple[Reject, ...]]:
    """The numbers of the rows that can be used, and why the others cannot.

    Of a SKU that stands twice every row is rejected: which of them is meant would be a guess.
    """
    skus = frame["sku"]
    blank = skus.is_null() | (skus.str.strip_chars() == "")
    # Hashes that all differ prove that the SKUs do, at a tenth of the price of looking for two that are alike.
    if not faults and not blank.any() and skus.hash().n_unique() == skus.len():
        return pl.int_range(frame.height, dtype=pl.UInt32, eager=True), ()
    twice = skus.is_duplicated() & ~blank
    reasons: dict[int, str] = dict(faults)
    for row in blank.arg_true():
        reasons[row] = "it has no SKU"
    places: dict[str, list[int]] = {}
    rows = twice.arg_true().to_list()
    for row in rows:
        places.setdefault(skus[row], []).append(row)
    for row in rows:
        others = [str(lines[other]) for other in places[skus[row]] if other != row]
        shown = ", ".join(others[:5]) + (" …" if len(others) > 5 else "")
        reasons[row] = f"the SKU `{skus[row]}` stands in line {shown} too, and nobody can tell which is meant"
    rejects = tuple(Reject(lines[row], skus[row] or None, reason) for row, reason in sorted(reasons.items()))
    kept = pl.Series([row for row in range(frame.height) if row not in reasons], dtype=pl.UInt32)
    return kept, rejects


def finished(
    title: str,
    frame: pl.DataFrame,
    types: Mapping[str, Type],
    rows: int,
    rejects: tuple[Reject, ...],
    notes: tuple[str, ...],
    columns: Collection[str] | None,
) -> Snapshot:
    """The snapshot with the columns that are asked for."""
    names = [name for name in frame.columns if columns is None or name in columns or name == "sku"]
    attributes = {name: TEXT if name == "sku" else types[name] for name in names}
    # What is read in parts comes in as many chunks, and taking rows out of lists of many chunks is slow.
    return Snapshot(
        frame.select(names).rechunk(), Schema(title, attributes, whole=columns is None), rows, rejects, notes
    )


def missing_columns(path: str, declared: Schema | None, names: Collection[str], needed: Collection[str] | None) -> None:
    """Raises PolicyError (M603) for attributes that are declared to be always there, and are not."""
    if declared is None:
        return
    problems = [
        Diagnostic(
            "M603", "error", f"`{path}` has no `{name}` column", None,
            f"declare it as `{name}: {type_}?` if it may be missing",
        )
        for name, type_ in declared.attributes.items()
        if name not in names and not type_.optional and type_.kind != "list" and (needed is None or name in needed)
    ]  # fmt: skip
    if problems:
        raise PolicyError(problems)
