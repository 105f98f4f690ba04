"""A schema comes in; the text of a `catalog` block that declares it goes out."""

from __future__ import annotations

import re

from merx.engine.snapshot import Schema
from merx.engine.standard import STANDARD
from merx.engine.types import Type

KEYWORDS = frozenset(
    "if then else and or not in has any all contains starts ends with matches is missing present ladder lookup above "
    "from below upto exactly when ensure every to use yes no on off".split()
)
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def written(name: str) -> str | None:
    """The attribute's name as rules write it, in backticks where it is odd; None where it cannot be written."""
    if _BARE.fullmatch(name) and name not in KEYWORDS:
        return name
    return f"`{name}`" if name and "`" not in name and name.isprintable() else None


def schema_text(schema: Schema) -> str:
    """The block: the store's standard attributes first, then the others by name. What no block can declare is said."""
    order = {name: place for place, name in enumerate(STANDARD)}
    names = sorted(schema.attributes, key=lambda name: (order.get(name, len(order)), name))
    rows = {name: (f"{said}:", schema.attributes[name]) for name in names if (said := written(name)) is not None}
    rows = {name: row for name, row in rows.items() if _declarable(row[1])}
    width = max((len(said) for said, _ in rows.values()), default=0)
    title = "".join(char for char in schema.title if char.isprintable()).replace("\\", "\\\\").replace('"', '\\"')
    lines = [f"  {said:<{width}} {type_}" for said, type_ in rows.values()]
    lines += [
        f"  # left out, its {'type' if written(name) else 'name'} cannot be written: {name!a}: {schema.attributes[name]}"
        for name in names
        if name not in rows
    ]
    return "\n".join([f'catalog "{title}" {{', *lines, "}", ""])


def _declarable(type_: Type) -> bool:
    if type_.kind == "list":
        return type_.item is not None and type_.item.kind in {"number", "text", "flag", "date"}
    return type_.kind in {"number", "money", "text", "flag", "date"}
