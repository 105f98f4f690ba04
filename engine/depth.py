"""A syntax tree comes in; its nodes go out, and the one that nests deeper than later passes may recurse."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import fields
from functools import cache
from typing import Any, cast

from merx.engine.diagnostic import Diagnostic
from merx.engine.scan import DEEPEST
from merx.engine.source import Span
from merx.engine.syntax import Declaration, Ensure, Entry, File, Node, Rate, Section, Setting, Typed, Use

# Brackets already bound how deep these nest, so depth is counted anew in each item.
_AROUND = (File, Declaration, Section, Setting, Entry, Rate, Typed, Ensure, Use)


@cache
def _parts(kind: Hashable) -> tuple[str, ...]:
    return tuple(one.name for one in fields(cast(Any, kind)) if one.name not in ("span", "head", "source"))


def children(node: Node | File) -> Iterator[Node]:
    """The nodes directly below, in the order of the text."""
    for name in _parts(cast(Hashable, type(node))):
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from value


def deepest_part(root: Node | File) -> Node | None:
    """The first node found more than `DEEPEST` levels inside its item's expression."""
    waiting: list[tuple[Any, int]] = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > DEEPEST:
            assert isinstance(node, Node)
            return node
        below = 0 if isinstance(node, _AROUND) else depth + 1
        waiting.extend((one, below) for one in children(node))
    return None


def too_deep_here(span: Span) -> Diagnostic:
    return Diagnostic(
        "M005", "error", f"this nests more than {DEEPEST} deep", span, "write it flatter, or as a list or a ladder"
    )
