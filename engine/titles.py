"""Rule files come in; which block has a title, and who names it, goes out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from merx.engine import syntax
from merx.engine.diagnostic import Diagnostic, PolicyError, did_you_mean
from merx.engine.lalr import Stopped, parse_piece
from merx.engine.registry import Registry
from merx.engine.source import Span

OWN_KINDS = ("listing", "account")
"""The engine's own kinds of block that are added, edited and removed as policies are."""

_NAMING = ("listing", "account", "test")
"""The kinds of block whose settings name others by their titles."""


@dataclass(frozen=True, slots=True)
class User:
    """A block that names another one. title: the text that does; None where an account takes every listing."""

    block: syntax.Declaration
    title: syntax.Text | None

    @property
    def span(self) -> Span:
        return self.block.head if self.title is None else self.title.span

    @property
    def name(self) -> str:
        return shown(self.block)


def kinds(registry: Registry) -> tuple[str, ...]:
    """The kinds of block that are objects: every policy type, listings and accounts."""
    return (*registry.policy_types, *OWN_KINDS)


def known_kind(kind: str, registry: Registry) -> None:
    """Raises PolicyError (M841) for a kind that is none of these."""
    every = kinds(registry)
    if kind not in every:
        help = did_you_mean(kind, every) or f"the kinds are {', '.join(every)}"
        raise PolicyError([Diagnostic("M841", "error", f"there is no kind `{kind}`", None, help)])


def shown(block: syntax.Declaration) -> str:
    """`pricing "MAP plus ten"`, as its head says."""
    return f'{block.kind.name} "{block.title.value}"' if block.title is not None else block.kind.name


def blocks(files: Iterable[syntax.File], *of: str) -> Iterator[syntax.Declaration]:
    """The titled blocks of these kinds, in the order of the files."""
    return (one for file in files for one in file.declarations if one.kind.name in of and one.title is not None)


def find(files: Sequence[syntax.File], kind: str, title: str) -> syntax.Declaration:
    """The block. Raises PolicyError (M842) where there is none."""
    titles = []
    for block in blocks(files, kind):
        assert block.title is not None
        if block.title.value == title:
            return block
        titles.append(block.title.value)
    others = ", ".join(f'"{one}"' for one in titles[:8]) + (" …" if len(titles) > 8 else "")
    help = did_you_mean(title, titles) or (f"there are {others}" if titles else f"there is no `{kind}` block yet")
    raise PolicyError([Diagnostic("M842", "error", f"there is no `{kind}` called `{title}`", None, help)])


def whole(block: syntax.Declaration) -> bool:
    """The block can be read by itself, whatever is wrong around it; what cannot be read cannot be edited."""
    span = block.span
    try:
        found = parse_piece(span.source, span.source.text, "declaration", span.start, span.end)
    except Stopped:
        return False
    return bool(found == block)


def users(files: Sequence[syntax.File], kind: str, title: str) -> list[User]:
    """Who names the block, once for each time it does; last the accounts that take a listing because they take all."""
    found: list[User] = []
    every: list[User] = []
    for block in blocks(files, *_NAMING):
        name = "listings" if kind == "listing" and block.kind.name == "account" else kind
        settings = [one for one in block.items if isinstance(one, syntax.Setting) and one.name.name == name]
        found += [User(block, text) for one in settings for text in _texts(one.value) if text.value == title]
        if name == "listings" and not settings:
            every.append(User(block, None))
    return found + every


def _texts(node: syntax.Expression) -> list[syntax.Text]:
    nodes = node.items if isinstance(node, syntax.ListOf) else (node,)
    return [one for one in nodes if isinstance(one, syntax.Text)]
