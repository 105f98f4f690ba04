"""A piece of text and the rule it should be come in; a node goes out, or `Stopped`: where the grammar gave up."""

from __future__ import annotations

import importlib.resources
from functools import cache
from typing import Any, Literal

from lark import Lark, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from merx.engine.build import Builder, Refused, building, missing_methods, ungroup
from merx.engine.depth import deepest_part, too_deep_here
from merx.engine.diagnostic import Diagnostic
from merx.engine.scan import DEEPEST
from merx.engine.source import Source

Rule = Literal["file", "use", "declaration", "item", "expression"]
RULES: tuple[Rule, ...] = ("file", "use", "declaration", "item", "expression")


class Stopped(Exception):
    """The text is not what the rule says.

    position: the first character that does not fit; the end of the text where more was expected.
    good: the text before it. diagnostic: set where the grammar is content and the builder is not.
    """

    def __init__(self, position: int, rule: Rule, good: str, diagnostic: Diagnostic | None = None) -> None:
        self.position = position
        self.rule = rule
        self.good = good
        self.diagnostic = diagnostic
        super().__init__(f"stopped at {position}")

    @property
    def accepted(self) -> frozenset[str]:
        """Names of the terminals that would have fitted, found by reading `good` again: when Lark gives up, it has
        made the reductions that the wrong token seemed to allow, and what stood open is already closed."""
        parser = _lark().parse_interactive(self.good, start=self.rule)
        token = building.set((Source("", self.good), 0))
        try:
            parser.exhaust_lexer()
            return frozenset(parser.accepts())  # type: ignore[no-untyped-call]
        except (UnexpectedInput, Refused):
            return frozenset()
        finally:
            building.reset(token)


def grammar() -> str:
    """The text of grammar/merx.lark."""
    return importlib.resources.files("merx.grammar").joinpath("merx.lark").read_text(encoding="utf-8")


@cache
def _lark() -> Lark:
    """The tables, made once a process (a tenth of a second) and only when something is parsed."""
    lark = Lark(
        grammar(),
        parser="lalr",
        lexer="contextual",
        start=list(RULES),
        keep_all_tokens=True,
        maybe_placeholders=False,
        transformer=Builder(),
    )
    if missing := missing_methods(lark.rules):
        raise NotImplementedError(f"no builder method for {', '.join(missing)}")
    return lark


def parse_piece(source: Source, text: str, rule: Rule, start: int, end: int) -> Any:
    """The node that `text[start:end]` is. text: the source's own, or a copy of the same length with blanks.

    Raises Stopped.
    """
    token = building.set((source, start))
    piece = text[start:end]
    try:
        node = ungroup(_lark().parse(piece, start=rule))
    except UnexpectedInput as error:
        length = _good_length(error, end - start)
        raise Stopped(start + length, rule, piece[:length]) from None
    except Refused as refused:
        at = refused.diagnostic.span
        raise Stopped(start if at is None else at.start, rule, "", refused.diagnostic) from None
    finally:
        building.reset(token)
    if end - start > DEEPEST and (deep := deepest_part(node)):
        raise Stopped(deep.span.start, rule, "", too_deep_here(deep.span))
    return node


def _good_length(error: UnexpectedInput, length: int) -> int:
    if isinstance(error, UnexpectedToken):
        # At the end of the text Lark points at the last token.
        return length if error.token.type == "$END" else int(error.token.start_pos or 0)
    if isinstance(error, UnexpectedCharacters):
        return int(error.pos_in_stream or 0)
    return length
