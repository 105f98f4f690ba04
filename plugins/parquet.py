"""A Parquet file of products comes in; a snapshot goes out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import ProductSource, hookimpl
from merx.engine.snapshot import Schema, Snapshot, StoreSettings

if TYPE_CHECKING:
    import polars as pl


class Parquet:
    """Columns are attributes: Decimal and integer columns are numbers, null is missing. Columns of types that no rule can
    read are left out and named in a note; a Float one is refused where it is needed. Rows count from 1, without a header."""

    name = "Parquet"
    rank = 20

    def reads(self, path: Path, head: bytes) -> bool:
        return head.startswith(b"PAR1") or path.suffix.lower() in {".parquet", ".pq"}

    def read(
        self,
        path: Path,
        *,
        declared: Schema | None = None,
        columns: Collection[str] | None = None,
        settings: StoreSettings | None = None,
    ) -> Snapshot:
        # Imported when a file is read: to compute an expression nobody should wait for a data frame library.
        import polars as pl

        from merx.engine.frame import schema_of
        from merx.plugins.products import accepted, finished, missing_columns

        settings = settings or StoreSettings()
        try:
            found = pl.read_parquet_schema(path)
            wanted = [name for name in found if columns is None or name in columns or name == "sku"]
            _check_columns(path, found, columns, declared)
            frame = pl.read_parquet(path, columns=wanted, glob=False)
        except (pl.exceptions.PolarsError, OSError) as error:
            message = f"`{path.name}` is not a Parquet file that can be read: {str(error).splitlines()[0].lower()}"
            raise _error("M611", message, "write it anew, or give a CSV") from None
        missing_columns(path.name, declared, list(found), columns)
        frame = frame.with_columns(pl.col("sku").cast(pl.String))
        kept, rejects = accepted(frame, range(1, frame.height + 1), {})
        told = schema_of(frame, settings.currency, path.stem)
        types = {**told.attributes, **(declared.attributes if declared is not None else {})}
        readable = [name for name, dtype in frame.schema.items() if name in told.attributes and not _floats(dtype)]
        left = [f"`{name}` ({dtype})" for name, dtype in frame.schema.items() if name not in readable]
        notes = (f"columns that rules cannot read are left out: {', '.join(left)}",) if left else ()
        return finished(path.stem, frame.select(readable)[kept], types, frame.height, rejects, notes, columns)


def _check_columns(
    path: Path, found: dict[str, pl.DataType], columns: Collection[str] | None, declared: Schema | None
) -> None:
    """Raises PolicyError: M604 no `sku`, M602 SKUs that are no texts, and M601 float columns that are needed: asked for
    by name, declared, or standard ones of every catalogue."""
    from merx.engine.standard import standard_type

    if "sku" not in found:
        raise _error("M604", f"`{path.name}` has no `sku` column", "name the column of the SKUs `sku`")
    sku = found["sku"]
    if not (sku.is_integer() or sku.base_type().__name__ in {"String", "Categorical", "Enum"}):
        raise _error("M602", f"the column `sku` of `{path.name}` holds {sku}, not texts", "write the SKUs as texts")
    needed = set(columns or ()) | set(declared.attributes if declared is not None else ())
    problems = [
        Diagnostic(
            "M601", "error", f"the column `{name}` of `{path.name}` holds floats, which are not exact", None,
            "cast it to Decimal where the file is made",
        )
        for name, dtype in found.items()
        if _floats(dtype) and (name in needed or (columns is None and standard_type(name, None) is not None))
    ]  # fmt: skip
    if problems:
        raise PolicyError(problems)


def _floats(dtype: pl.DataType) -> bool:
    inner = getattr(dtype, "inner", None)
    return dtype.is_float() or (inner is not None and _floats(inner))


def _error(code: str, message: str, help: str) -> PolicyError:
    return PolicyError([Diagnostic(code, "error", message, None, help)])


@hookimpl
def merx_connectors() -> list[ProductSource]:
    return [Parquet()]
