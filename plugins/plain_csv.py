"""A plain CSV of products, a column an attribute, comes in; a snapshot goes out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from merx.engine.hooks import ProductSource, hookimpl
from merx.engine.snapshot import Schema, Snapshot, StoreSettings


class PlainCsv:
    """Column names are attribute names. Standard attributes are read as what they are; of others the type is told from
    all of their cells: a number where every one is written like one, a date, else a text."""

    name = "plain CSV"
    rank = 0

    def reads(self, path: Path, head: bytes) -> bool:
        return path.suffix.lower() in {".csv", ".tsv", ".txt", ""}

    def read(
        self,
        path: Path,
        *,
        declared: Schema | None = None,
        columns: Collection[str] | None = None,
        settings: StoreSettings | None = None,
    ) -> Snapshot:
        # Imported when a file is read: to compute an expression nobody should wait for a data frame library.
        from merx.plugins.delimited import layout_of, read_delimited
        from merx.plugins.products import accepted, finished, missing_columns, wanted_type

        settings = settings or StoreSettings()
        layout = layout_of(path)
        missing_columns(path.name, declared, layout.named, columns)
        wanted = {
            name: wanted_type(name, declared, settings)
            for name in layout.named
            if columns is None or name in columns or name == "sku"
        }
        records = read_delimited(layout, wanted)
        frame = records.typed.frame
        kept, rejects = accepted(frame, records.lines, records.typed.faults)
        every = tuple(sorted((*records.rejects, *rejects), key=lambda one: one.line))
        return finished(
            path.stem,
            frame if kept.len() == frame.height else frame[kept],
            records.typed.types,
            records.rows,
            every,
            layout.notes,
            columns,
        )


@hookimpl
def merx_connectors() -> list[ProductSource]:
    return [PlainCsv()]
