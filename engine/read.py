"""The path of a product file comes in; the snapshot that the right kind of source makes of it goes out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import ProductSource
from merx.engine.snapshot import Schema, Snapshot, StoreSettings

HEAD = 65_536
"""Bytes that sources see before they say whether the file is theirs."""


def read_products(
    path: Path,
    sources: Sequence[ProductSource],
    *,
    declared: Schema | None = None,
    columns: Collection[str] | None = None,
    settings: StoreSettings | None = None,
) -> Snapshot:
    """The products of a file.

    sources: in the order they are asked. declared, columns, settings: see `ProductSource.read`.
    Raises PolicyError: M606 for a file that is not there, cannot be opened or is of no known kind, and what the source says.
    """
    try:
        if path.is_dir():
            raise _unreadable(f"`{path}` is a directory, not a product file", "name one file")
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        reason = error.strerror or str(error)
        raise _unreadable(f"the product file `{path}` cannot be read: {reason.lower()}", "check the path") from None
    except ValueError:
        raise _unreadable("the path of the product file holds a NUL character", "check the path") from None
    for source in sources:
        if source.reads(path, head):
            return source.read(path, declared=declared, columns=columns, settings=settings or StoreSettings())
    kinds = ", ".join(source.name for source in sources)
    raise _unreadable(f"`{path}` is of no kind that merx reads", f"the kinds are {kinds}")


def _unreadable(message: str, help: str) -> PolicyError:
    return PolicyError([Diagnostic("M606", "error", message, None, help)])
