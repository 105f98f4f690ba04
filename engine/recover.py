"""A file that the grammar refused as a whole comes in; every declaration and item in it that is right, and one
diagnostic for each mistake, go out.

The outline tells where declarations and items begin; each is then parsed by itself, and what is parsed by itself
cannot spoil its neighbours. A declaration that is refused is parsed again item by item, a section likewise.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, pairwise
from typing import Any

from merx.engine import misfits, mistakes
from merx.engine.diagnostic import Diagnostic, Note
from merx.engine.lalr import Rule, Stopped, parse_piece
from merx.engine.mistakes import Trouble
from merx.engine.outline import Body, Head, Outline
from merx.engine.source import Source
from merx.engine.syntax import Declaration, Item, Name, Section, Text, Use

MOST = 50
"""Diagnostics of one file; the rest is not looked at."""


class TooMany(Exception):
    """Enough mistakes were reported, or enough text was read again and again."""


class Recovery:
    """uses and declarations: what could be read. problems: what could not.

    Pieces go by their index in the outline; a range of them excludes its last.
    """

    def __init__(self, source: Source, text: str) -> None:
        """text: the source's own, or a copy of the same length with blanks."""
        self.source = source
        self.outline = Outline(source, text)
        self.pieces = self.outline.pieces
        self.uses: list[Use] = []
        self.declarations: list[Declaration] = []
        self.problems: list[Diagnostic] = []
        # Each mistake costs a few readings of its own item; only a file made to be slow costs more.
        self.budget = 6 * len(text) + 100_000

    def run(self) -> None:
        """Raises TooMany, with everything found until then in place."""
        index = 0
        while index < len(self.pieces):
            if self.pieces[index].text == "use":
                index = self.use(index)
            elif head := self.outline.head(index):
                index = self.declaration(head)
            else:
                index = self.between(index)
        if self.outline.cut_off(index):
            raise TooMany

    def parse(self, rule: Rule, first: int, last: int) -> Any:
        """The node of that range of pieces. Raises Stopped."""
        start, end = self.pieces[first].start, self.pieces[last - 1].end
        self.budget -= end - start
        if self.budget < 0:
            raise TooMany
        return parse_piece(self.source, self.outline.text, rule, start, end)

    def report(self, problem: Diagnostic) -> None:
        self.problems.append(problem)
        if len(self.problems) >= MOST:
            raise TooMany

    def explain(self, stopped: Stopped, first: int, last: int) -> None:
        """Report why the range could not be parsed."""
        if self.outline.cut_off(last):
            raise TooMany
        problem = stopped.diagnostic
        if problem is None:
            at = self.outline.at(stopped.position, first, last)
            problem = mistakes.explain(Trouble(self.source, self.pieces, first, last, at, stopped.accepted))
        self.report(problem)

    # --- the top level: each method reads something from `index` on and returns the index behind it

    def use(self, index: int) -> int:
        last = index + 1
        if self.outline.piece(last).kind == "text":
            last += 1
        else:
            while last < len(self.pieces) and not self.outline.first_on_line(last):
                last += 1
        try:
            self.uses.append(self.parse("use", index, last))
        except Stopped as stopped:
            self.explain(stopped, index, last)
        return last

    def between(self, index: int) -> int:
        """What stands outside of any declaration."""
        outline = self.outline
        last, depth, closer = index, 0, None
        while last < len(self.pieces):
            piece = self.pieces[last]
            if last > index and depth <= 0 and (piece.text == "use" or outline.head(last)):
                break
            if last > index and outline.begins_declaration(last):
                break
            if piece.text in ("{", "}"):
                depth += 1 if piece.text == "{" else -1
                if depth < 0 and closer is None:
                    closer = last
            last += 1
        if closer is None:
            self.report(self.outside(index))
            return last
        notes: tuple[Note, ...] = ()
        if closer > index and self.declarations and not outline.too_deep(index, closer):
            # An extra `}` closed the declaration too early: what follows still belongs to it.
            before = self.declarations[-1]
            notes = (Note("the declaration was already closed here", outline.span(index - 1, index - 1)),)
            self.declarations[-1] = replace(before, items=before.items + tuple(self.items(index, closer)))
        self.report(misfits.stray(self.source, self.pieces[closer], notes))
        return last

    def outside(self, index: int) -> Diagnostic:
        piece = self.pieces[index]
        if piece.wrong:
            return misfits.wrong_piece(self.source, piece)
        message = f"expected a declaration, found {misfits.shown(piece.text)}"
        help = 'rules stand in declarations: `pricing "title" { … }`'
        return Diagnostic("M017", "error", message, self.outline.span(index, index), help)

    def declaration(self, head: Head) -> int:
        body = self.outline.body(head)
        after = body.end + 1 if body.closed else body.end
        if deep := self.outline.too_deep(head.body, body.end):
            self.report(deep)
            return after
        if body.closed and not body.forgotten and not head.problem and head.brace is not None:
            try:
                self.declarations.append(self.parse("declaration", head.start, after))
            except Stopped:
                pass
            else:
                return after
        self.report_frame(head, body)
        items = tuple(self.items(head.body, body.end))
        if not head.problem:
            self.keep(head, items, max(head.body, after) - 1)
        return after

    # --- one declaration

    def report_frame(self, head: Head, body: Body) -> None:
        """What is wrong with the head and the braces."""
        if head.problem:
            self.report(head.problem)
        elif head.brace is None:
            help = 'the items of a declaration stand in braces: `kind "title" { … }`'
            span = self.outline.span(head.start, head.start + 1)
            self.report(Diagnostic("M017", "error", "expected `{` after the title", span, help))
        if not body.swallowed:
            for index in body.forgotten[:3]:
                self.report(misfits.unclosed(self.source, self.pieces[index]))

    def keep(self, head: Head, items: tuple[Item, ...], last: int) -> None:
        """Add the declaration with its good items. last: the index of its last piece."""
        span = self.outline.span(head.start, head.start)
        title: Text | None = None
        if self.outline.piece(head.start + 1).kind == "text":
            try:
                title = self.parse("expression", head.start + 1, head.start + 2)
            except Stopped as stopped:
                self.explain(stopped, head.start + 1, head.start + 2)
                return
        self.declarations.append(
            Declaration(
                span=self.outline.span(head.start, last),
                kind=Name(span=span, name=self.pieces[head.start].text),
                title=title,
                items=items,
                head=span if title is None else span.to(title.span),
            )
        )

    def items(self, first: int, last: int) -> list[Item]:
        """The good items of the range; the bad ones are reported."""
        found: list[Item] = []
        for start, end in pairwise(chain(self.outline.item_starts(first, last), (last,))):
            self.item(start, end, found)
        return found

    def item(self, first: int, last: int, found: list[Item]) -> None:
        """Parse the range, which should be one item, into `found`; report what is wrong with it."""
        outline = self.outline
        while first < last:
            try:
                found.append(self.parse("item", first, last))
                return
            except Stopped as stopped:
                reason = stopped
            if outline.is_nested(first):
                self.report(misfits.nested(outline.span(first, first + 1)))
                return
            if outline.piece(first + 1).text == "{" and self.pieces[first].kind in ("name", "quoted", "keyword"):
                first = self.section(reason, first, last, found)
                continue
            at = outline.at(reason.position, first, last)
            if outline.may_end_before(at, first, last) and not reason.diagnostic and self.whole(first, at, found):
                if self.pieces[at].text not in (",", ";"):
                    first = at
                    continue
                self.explain(reason, first, last)
                first = at + 1
                continue
            if outline.unclosed.isdisjoint(range(first, last)):
                self.explain(reason, first, last)
            first = outline.next_line(first, at, last)

    def whole(self, first: int, last: int, found: list[Item]) -> bool:
        """The range is an item; it is in `found` then."""
        try:
            found.append(self.parse("item", first, last))
        except Stopped:
            return False
        return True

    def section(self, reason: Stopped, first: int, last: int, found: list[Item]) -> int:
        """Read the section item by item; the index behind it. reason: why it could not be parsed as a whole."""
        close = self.outline.section_end(first, last)
        end = min(close + 1, last)
        known = len(self.problems)
        name = self.pieces[first]
        if name.kind == "keyword":
            self.report(misfits.keyword_as_name(self.source, name))
        items = tuple(self.items(first + 2, close))
        if name.kind != "keyword":
            quoted = name.kind == "quoted"
            text = name.text.strip("`") if quoted else name.text
            node = Name(span=self.outline.span(first, first), name=text, quoted=quoted)
            found.append(Section(span=self.outline.span(first, end - 1), name=node, items=items))
        if len(self.problems) == known and end == last and first + 1 not in self.outline.unclosed:
            self.explain(reason, first, last)
        return end
