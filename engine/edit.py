"""A parsed rule file and one wish (set a field, take one away, add or remove a block) come in; the one change of its text
that does it goes out.

A change touches the span that it must: every comment, line ending and space outside of it stays. Comments go by this
rule: what has its lines to itself goes with them, with the comment behind it and the comment lines right above it (at the
top of a file they are the file's); what shares a line with something else goes alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Literal

from merx.engine import syntax
from merx.engine.scan import Piece, scan_words

INDENT = "  "

LONGEST_LINE = 100
"""Characters of a line that still takes a further field, where the block stands on one line."""

Form = Literal["setting", "section", "entry", "ensure"]


@dataclass(frozen=True, slots=True)
class Change:
    """`text` takes the place of the characters from start to end (excluded)."""

    start: int
    end: int
    text: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]


@dataclass(frozen=True, slots=True)
class Wording:
    """An item as text. name and value stand around `=` or `->`, or a space where it is a section; an `ensure` has its
    whole text as value."""

    form: Form
    name: str
    value: str

    @property
    def sign(self) -> str:
        return {"setting": "= ", "entry": "-> ", "section": "", "ensure": ""}[self.form]

    def text(self, pad: int = 0) -> str:
        return self.value if self.form == "ensure" else f"{self.name}{' ' * (pad + 1)}{self.sign}{self.value}"


def quoted(text: str) -> str:
    """The text as a literal of the language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(slots=True)
class Page:
    """The text of a file and the places of its words."""

    text: str
    words: list[Piece] = field(init=False)
    starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.words = list(scan_words(self.text))
        self.starts = [word.start for word in self.words]

    def before(self, offset: int) -> Piece | None:
        """The last word that starts before the offset."""
        at = bisect_left(self.starts, offset) - 1
        return self.words[at] if at >= 0 else None

    def after(self, offset: int) -> Piece | None:
        """The first word that starts at the offset or behind it."""
        at = bisect_left(self.starts, offset)
        return self.words[at] if at < len(self.words) else None

    def word(self, offset: int, further: int = 0) -> Piece:
        """The word at the offset, or so many further on."""
        return self.words[bisect_right(self.starts, offset) - 1 + further]

    def newline(self, offset: int) -> str:
        """How the offset's line ends, or the one before it where it is the last."""
        at = self.text.find("\n", offset)
        if at < 0:
            at = self.text.rfind("\n")
        return "\r\n" if at > 0 and self.text[at - 1] == "\r" else "\n"

    def broken(self, text: str, offset: int) -> str:
        """The text with the line endings that there are at the offset."""
        return re.sub(r"\r?\n", self.newline(offset), text)

    def line_start(self, offset: int) -> int:
        return self.text.rfind("\n", 0, offset) + 1

    def line_end(self, offset: int) -> int:
        """Where the line's break begins, or the end of the text."""
        at = self.text.find("\n", offset)
        if at < 0:
            return len(self.text)
        return at - 1 if at > offset and self.text[at - 1] == "\r" else at

    def next_line(self, offset: int) -> int:
        at = self.text.find("\n", offset)
        return len(self.text) if at < 0 else at + 1

    def indent(self, offset: int) -> str:
        """The space that the offset's line starts with."""
        start = self.line_start(offset)
        line = self.text[start : self.line_end(offset)]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def begins_line(self, offset: int) -> bool:
        return not self.text[self.line_start(offset) : offset].strip()

    def ends_line(self, offset: int) -> bool:
        """Nothing but a comment follows on the line."""
        following = self.after(offset)
        return following is None or following.start > self.line_end(offset)

    def alone(self, start: int, end: int) -> bool:
        """What stands from start to end has its lines to itself."""
        return self.begins_line(start) and self.ends_line(end)

    def blank(self, line: int) -> bool:
        """The line that starts here is blank. The end of the text is no line."""
        return line < len(self.text) and not self.text[line : self.line_end(line)].strip()

    def with_comments(self, start: int) -> int:
        """The start of the line, or of the first of the comment lines right above it."""
        start = self.line_start(start)
        while start:
            above = self.line_start(start - 1)
            if not self.text[above:start].lstrip(" \t").startswith("#"):
                break
            start = above
        return start


@dataclass(frozen=True, slots=True)
class _Block:
    """The inside of a declaration or section. opening, closing: the offsets of its braces."""

    page: Page
    node: syntax.Declaration | syntax.Section
    opening: int
    closing: int

    @property
    def items(self) -> tuple[syntax.Item, ...]:
        return self.node.items


def _block(page: Page, node: syntax.Declaration | syntax.Section) -> _Block:
    head = node.head if isinstance(node, syntax.Declaration) else node.name.span
    opening = page.after(head.end)
    assert opening is not None and opening.text == "{", "a whole block has its brace behind its head"
    return _Block(page, node, opening.start, node.span.end - 1)


# --- fields


def find_item(node: syntax.Declaration | syntax.Section, name: str, form: Form) -> syntax.Item | None:
    """The field, or the entry with this key; `else` is a key too."""
    for item in node.items:
        if isinstance(item, syntax.Entry) and form == "entry" and key_of(item) == name:
            return item
        if isinstance(item, syntax.Setting | syntax.Section) and form != "entry" and item.name.name == name:
            return item
    return None


def key_of(entry: syntax.Entry) -> str:
    match entry.key:
        case None:
            return "else"
        case syntax.Text(value=text):
            return text
        case syntax.Name(name=name):
            return name
        case other:
            return other.span.text


def value_of(text: str, item: syntax.Setting | syntax.Section | syntax.Entry) -> str:
    """The value as it is written, in parentheses where it is; the braces and all in them for a section."""
    return text[_value_start(Page(text), item) : item.span.end]


def _value_start(page: Page, item: syntax.Item) -> int:
    return page.word(item.span.start, 1 if isinstance(item, syntax.Section) else 2).start


def find_field(
    declaration: syntax.Declaration, path: tuple[str, ...], form: Form
) -> tuple[syntax.Declaration | syntax.Section, syntax.Item | None, tuple[str, ...]]:
    """The innermost block of the path that is there, the item in it, and what of the path is not there."""
    node: syntax.Declaration | syntax.Section = declaration
    for at, name in enumerate(path):
        item = find_item(node, name, form if at == len(path) - 1 else "section")
        if at == len(path) - 1 or not isinstance(item, syntax.Section):
            return node, item, path[at:]
        node = item
    raise AssertionError("a path names at least one field")


def set_field(text: str, declaration: syntax.Declaration, path: tuple[str, ...], wording: Wording) -> Change:
    """The field of the path (sections first) says what the wording says: just its value changes where it is there
    already, else it comes as a line of its own, or into the one line of the block where that stays short."""
    page = Page(text)
    node, item, missing = find_field(declaration, path, wording.form)
    for name in reversed(missing[:-1]):
        wording = Wording("section", name, f"{{ {wording.text()} }}")
    if item is None:
        return _insert(_block(page, node), wording)
    if len(missing) > 1 or isinstance(item, syntax.Section) != (wording.form == "section"):
        return _replace(page, item.span.start, item.span.end, wording.text())
    return _replace(page, _value_start(page, item), item.span.end, wording.value)


def add_ensure(text: str, declaration: syntax.Declaration, wording: Wording) -> Change:
    """A further condition, the last of the block."""
    return _insert(_block(Page(text), declaration), wording)


def unset(text: str, item: syntax.Item) -> Change:
    """The item is gone, with the comments that belong to it."""
    page = Page(text)
    start, end = item.span.start, item.span.end
    if page.alone(start, end):
        return Change(page.with_comments(start), page.next_line(end), "")
    before, after = page.before(start), page.after(end)
    assert before is not None and after is not None, "an item stands in braces"
    if after.kind != "close" and after.start <= page.line_end(end):
        glue = " " if before.end == start else ""
        return Change(start, after.start, glue)
    if page.begins_line(start):
        return Change(start, after.start, "")
    return Change(before.end, end, "")


def _replace(page: Page, start: int, end: int, value: str) -> Change:
    following = page.text[end : end + 1]
    glue = "" if not following or following in " \t\r\n}#" else " "
    return Change(start, end, page.broken(value, end) + glue)


def _insert(block: _Block, wording: Wording) -> Change:
    page = block.page
    anchor = _anchor(block, wording.form)
    at = anchor.span.end if anchor else block.opening + 1
    following = page.after(at)
    assert following is not None, "a block ends with its brace"
    if following.start > page.line_end(at):
        line = page.line_end(at)
        return Change(line, line, page.newline(at) + _own_line(block, wording, at))
    rest = page.text[at : following.start]
    closed = following.kind == "close"
    text = ("  " if anchor else " ") + wording.text()
    if not anchor and not closed:
        text += " " if rest else "  "
    elif not rest and not (anchor and closed):
        text += "  " if anchor else " "
    length = page.line_end(at) - page.line_start(at) + len(text)
    if "\n" not in wording.value and length <= LONGEST_LINE:
        return Change(at, at, text)
    indent = page.indent(block.opening) if closed else _indent(block)
    return Change(at, following.start, page.newline(at) + _own_line(block, wording, at) + page.newline(at) + indent)


def _anchor(block: _Block, form: Form) -> syntax.Item | None:
    """What the new item stands behind: the last one, but `ensure` and `else` stay last."""
    items = block.items
    if form == "entry":
        items = tuple(one for one in items if not (isinstance(one, syntax.Entry) and one.key is None))
    elif form != "ensure":
        items = tuple(one for one in items if not isinstance(one, syntax.Ensure))
    return items[-1] if items else None


def _indent(block: _Block) -> str:
    """How far the block's items stand from the margin."""
    page = block.page
    for item in reversed(block.items):
        if page.begins_line(item.span.start):
            return page.indent(item.span.start)
    return page.indent(block.opening) + INDENT


def _own_line(block: _Block, wording: Wording, at: int) -> str:
    """The item as a line below the one of `at`, without a line break."""
    indent = _indent(block)
    pad = 0
    if wording.form in ("setting", "entry"):
        column = _column(block, wording, at)
        pad = max(0, column - len(indent) - len(wording.name) - 1)
    return indent + block.page.broken(wording.text(pad), at)


def _column(block: _Block, wording: Wording, at: int) -> int:
    """Where the neighbours have their `=` or `->`, if they have it in one column; else 0."""
    page = block.page
    rows: dict[int, int] = {}
    for item in block.items:
        one = syntax.Setting if wording.form == "setting" else syntax.Entry
        start, end = item.span.start, item.span.end
        if isinstance(item, one) and page.alone(start, end) and page.line_end(start) == page.line_end(end):
            line = page.line_start(start)
            rows[line] = page.word(start, 1).start - line
    columns = set()
    line = page.line_start(at)
    while line in rows:
        columns.add(rows[line])
        line = page.line_start(line - 1) if line else -1
    line = page.next_line(at)
    while line in rows:
        columns.add(rows[line])
        line = page.next_line(line)
    return columns.pop() if len(columns) == 1 else 0


# --- blocks


def add_declaration(text: str, declaration: str) -> Change:
    """The block as the last of the file, a blank line after what is there."""
    page = Page(text)
    lead, newline = "", page.newline(len(text))
    if text.strip():
        lead = newline if text.endswith("\n") else newline * 2
        last = page.line_start(len(text) - 1)
        if text.endswith("\n") and page.blank(last):
            lead = ""
    return Change(len(text), len(text), lead + page.broken(declaration, len(text)) + newline)


def remove_declaration(text: str, declaration: syntax.Declaration) -> Change:
    """The block is gone, and so are the blank lines that held it apart from the next, or the last, one."""
    page = Page(text)
    start, end = declaration.span.start, declaration.span.end
    if not page.alone(start, end):
        return _cut(page, start, end)
    first = page.with_comments(start)
    if first == 0:
        first = page.line_start(start)  # what stands above the first block is about the file
    last = page.next_line(end)
    if first and not page.blank(page.line_start(first - 1)):
        return Change(first, last, "")
    if last < len(text):
        while page.blank(last):
            last = page.next_line(last)
    else:
        while first and page.blank(above := page.line_start(first - 1)):
            first = above
    return Change(first, last, "")


def _cut(page: Page, start: int, end: int) -> Change:
    """What shares a line goes with the space behind it, or before it where it is the last of its line."""
    after = page.after(end)
    if after is not None and after.start <= page.line_end(end):
        return Change(start, after.start, "")
    before = page.before(start)
    return Change(start if before is None or page.begins_line(start) else before.end, end, "")


def set_title(declaration: syntax.Declaration, title: str) -> Change:
    assert declaration.title is not None
    span = declaration.title.span
    return Change(span.start, span.end, quoted(title))
