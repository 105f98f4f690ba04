"""Edits of rule files: the intended span changes, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merx.engine import edit
from merx.engine.edit import Change, Wording
from merx.engine.history import revision, taken_back
from merx.engine.parse import parse_file, parse_item
from merx.engine.scan import scan
from merx.engine.source import Source
from merx.engine.syntax import Declaration, Ensure, Entry, File, Item, Section, Setting
from rule_texts import texts


def parsed(text: str) -> File:
    file, problems = parse_file(Source("rules.merx", text))
    assert not problems
    return file


def comments(text: str, outside: tuple[int, int] = (0, 0)) -> list[str]:
    start, end = outside
    return [one.text.rstrip() for one in scan(text) if one.kind == "comment" and not start <= one.start < end]


def words(text: str) -> list[str]:
    return [one.text for one in scan(text) if one.kind not in ("space", "comment")]


def setting(name: str, value: str) -> Wording:
    return Wording("setting", name, value)


def edited(text: str, *path: str, value: str | None) -> str:
    """The first block of the text with a field set, or taken away."""
    [block, *_] = parsed(text).declarations
    if value is not None:
        return edit.set_field(text, block, path, setting(path[-1], value)).apply(text)
    _, item, _ = edit.find_field(block, path, "setting")
    assert item is not None
    return edit.unset(text, item).apply(text)


# --- setting a field


def test_a_field_that_is_there_changes_its_value_and_nothing_else():
    text = '# mine\npricing   "x"{start=price # why\n\tchange  =  (+10%)   # ten\r\n ensure price>1 "m"}'

    assert edited(text, "change", value="+12%") == text.replace("(+10%)", "+12%")


def test_a_value_that_touched_its_neighbour_does_not_run_into_it():
    assert edited('a "x" { b = "t"c = 1 }', "b", value="yes") == 'a "x" { b = yes c = 1 }'


def test_comments_before_a_value_stay():
    assert edited('a "x" {\n  b = # why\n    5\n}', "b", value="6") == 'a "x" {\n  b = # why\n    6\n}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a "x" { b = 1 }', 'a "x" { b = 1  new = 5 }'),
        ('a "x" {}', 'a "x" { new = 5 }'),
        ('a "x" { }', 'a "x" { new = 5 }'),
        ('a "x" {\n}', 'a "x" {\n  new = 5\n}'),
        ('a "x" { ensure b "m" }', 'a "x" { new = 5  ensure b "m" }'),
        ('a "x" {\n  b = 1  # one\n  # two\n}', 'a "x" {\n  b = 1  # one\n  new = 5\n  # two\n}'),
        ('a "x" {\r\n\tb = 1\r\n}', 'a "x" {\r\n\tb = 1\r\n\tnew = 5\r\n}'),
        ('a "x" {\n  longer = 1\n}', 'a "x" {\n  longer = 1\n  new    = 5\n}'),
        ('a "x" {\n  b = 1\n}', 'a "x" {\n  b = 1\n  new = 5\n}'),
        ('a "x" {\n  one   = 1\n  two = 2\n}', 'a "x" {\n  one   = 1\n  two = 2\n  new = 5\n}'),
        ('a "x" {\n  b      = 1\n  ensure b "m"\n}', 'a "x" {\n  b      = 1\n  new    = 5\n  ensure b "m"\n}'),
        ('a "x" { b = 1\n}', 'a "x" { b = 1\n  new = 5\n}'),
    ],
)
def test_a_new_field_comes_in_the_layout_that_is_there(text: str, expected: str):
    assert edited(text, "new", value="5") == expected


def test_a_line_that_would_be_long_is_not_made_longer():
    text = f'a "x" {{ b = "{"t" * 80}" }}'

    assert edited(text, "new", value="12345") == text[:-2] + "\n  new = 12345\n}"


def test_a_value_of_several_lines_has_the_line_endings_of_the_file():
    text = 'a "x" {\r\n  b = 1\r\n}\r\n'
    ladder = "ladder start {\n    from 1 -> +1\n    else -> +2\n  }"

    assert edited(text, "b", value=ladder) == text.replace("1", ladder.replace("\n", "\r\n"), 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a "x" {\n  s { v = 1  w = 2 }\n}', 'a "x" {\n  s { v = 5  w = 2 }\n}'),
        ('a "x" {\n  s { w = 2 }\n}', 'a "x" {\n  s { w = 2  v = 5 }\n}'),
        ('a "x" {\n  b = 1\n}', 'a "x" {\n  b = 1\n  s { v = 5 }\n}'),
        ('a "x" {\n  s = 1  # one\n}', 'a "x" {\n  s { v = 5 }  # one\n}'),
    ],
)
def test_a_field_of_a_section(text: str, expected: str):
    assert edited(text, "s", "v", value="5") == expected


def test_an_entry_of_a_map_comes_before_else_and_under_its_neighbours():
    text = 'a "x" {\n  m {\n    LONGER -> "1"\n    else   -> keep\n  }\n}'
    [block] = parsed(text).declarations
    change = edit.set_field(text, block, ("m", "NEW"), Wording("entry", "NEW", '"2"'))

    assert change.apply(text) == text.replace("    else", '    NEW    -> "2"\n    else')


# --- taking a field away


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a "x" { b = 1 }', 'a "x" { }'),
        ('a "x" { b = 1  c = 2 }', 'a "x" { c = 2 }'),
        ('a "x" { c = 2  b = 1 }', 'a "x" { c = 2 }'),
        ('a "x" {\n  # about b\n  # more\n  b = 1  # one\n  c = 2\n}', 'a "x" {\n  c = 2\n}'),
        ('a "x" {\n  # not about b\n\n  b = 1\n  c = 2\n}', 'a "x" {\n  # not about b\n\n  c = 2\n}'),
        ('a "x" {\n  c = 2  # two\n  b = [\n    1,  # first\n  ]\n}', 'a "x" {\n  c = 2  # two\n}'),
        ('a "x" { b = 1  # stays\n}', 'a "x" {  # stays\n}'),
    ],
)
def test_a_field_goes_with_the_comments_that_are_its_own(text: str, expected: str):
    assert edited(text, "b", value=None) == expected


def test_a_removed_field_does_not_let_its_neighbours_touch():
    text = 'a "x" { m { z -> 5"k" -> 1  b -> 2 } }'
    [block] = parsed(text).declarations
    _, item, _ = edit.find_field(block, ("m", "k"), "entry")
    assert item is not None

    assert edit.unset(text, item).apply(text) == 'a "x" { m { z -> 5 b -> 2 } }'


# --- blocks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 'a "n" { }\n'),
        ("# only\n", '# only\n\na "n" { }\n'),
        ('a "x" { }\n', 'a "x" { }\n\na "n" { }\n'),
        ('a "x" { }', 'a "x" { }\n\na "n" { }\n'),
        ('a "x" { }\r\n', 'a "x" { }\r\n\r\na "n" { }\r\n'),
        ('a "x" { }\n\n', 'a "x" { }\n\na "n" { }\n'),
    ],
)
def test_a_new_block_is_the_last_of_the_file(text: str, expected: str):
    assert edit.add_declaration(text, 'a "n" { }').apply(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a "x" { }\n', ""),
        ('# the file\na "x" { }\n\nb "y" { }\n', '# the file\n\nb "y" { }\n'),
        ('b "y" { }\n\n# about x\na "x" {\n  # in\n}  # end\n', 'b "y" { }\n'),
        ('b "y" { }\n\na "x" { }\n\n# about z\nc "z" { }\n', 'b "y" { }\n\n# about z\nc "z" { }\n'),
        ('b "y" { } a "x" { } c "z" { }\n', 'b "y" { } c "z" { }\n'),
        ('b "y" { } a "x" { } # end\n', 'b "y" { } # end\n'),
    ],
)
def test_a_removed_block_leaves_no_hole(text: str, expected: str):
    [block] = [one for one in parsed(text).declarations if one.kind.name == "a"]

    assert edit.remove_declaration(text, block).apply(text) == expected


def test_a_title_is_quoted_as_the_language_wants_it():
    text = 'a "x" { }'
    [block] = parsed(text).declarations
    changed = edit.set_title(block, 'say "\\"').apply(text)

    [block] = parsed(changed).declarations
    assert block.title is not None and block.title.value == 'say "\\"'


# --- any file


Place = tuple[str, ...]


def places(node: Declaration | Section, path: Place = ()) -> Iterator[tuple[Place, Item]]:
    """Every field and entry that its path finds, with its path."""
    for item in node.items:
        form = "entry" if isinstance(item, Entry) else "setting"
        name = edit.key_of(item) if isinstance(item, Entry) else getattr(getattr(item, "name", None), "name", None)
        if isinstance(item, Setting | Section | Entry) and edit.find_item(node, str(name), form) is item:
            yield (*path, str(name)), item
        if isinstance(item, Section) and edit.find_item(node, item.name.name, "section") is item:
            yield from places(item, (*path, item.name.name))


def exchanged(node: Declaration | Section, old: Item, new: tuple[Item, ...]) -> Declaration | Section:
    """The tree with other items in the place of one."""
    items: list[Item] = []
    for item in node.items:
        if item is old:
            items += new
        elif isinstance(item, Section):
            items.append(exchanged(item, old, new))  # type: ignore[arg-type]
        else:
            items.append(item)
    return replace(node, items=tuple(items))


def with_block(file: File, old: Declaration, *new: Declaration) -> list[Declaration]:
    found: list[Declaration] = []
    for one in file.declarations:
        found += new if one is old else [one]
    return found


def held(text: str, change: Change, file: File, expected: list[Declaration]) -> str:
    """The new text, sure to be the old one outside of the change, to mean what is expected and to be taken back whole."""
    new = change.apply(text)
    tail = len(text) - change.end
    assert new[: change.start] == text[: change.start]
    assert new[len(new) - tail :] == text[change.end :]
    found = parsed(new)
    assert list(found.declarations) == expected
    assert found.uses == file.uses
    assert comments(new) == comments(text, outside=(change.start, change.end))
    blocks = (change.start, change.end), (change.start, len(new) - tail)
    assert taken_back(new, revision("edit", "k", "t", "f", text, new, blocks)) == text
    return new


FIELDS_TO_SET = st.sampled_from(["7.25", "(a + b)", "every 5m", "[1, 2]", '"text # no comment"', "if a then 1 else 2"])


@settings(max_examples=200, deadline=None)
@given(texts(), FIELDS_TO_SET, st.data())
def test_setting_a_field_changes_its_value_alone(text: str, value: str, data: st.DataObject):
    file = parsed(text)
    found = [(block, *place) for block in file.declarations for place in places(block)]
    found = [one for one in found if not isinstance(one[2], Section)]
    if not found:
        return
    block, path, item = data.draw(st.sampled_from(found))
    assert isinstance(item, Setting | Entry)
    if isinstance(item, Entry) and value == "every 5m":
        return
    wording = Wording("entry" if isinstance(item, Entry) else "setting", path[-1], value)
    change = edit.set_field(text, block, path, wording)
    node, _ = parse_item(Source("v", f"v = {value}"))
    assert isinstance(node, Setting)
    after = exchanged(block, item, (replace(item, value=node.value),))

    held(text, change, file, with_block(file, block, after))  # type: ignore[arg-type]
    assert item.span.start < change.start and change.end == item.span.end
    assert change.text.rstrip() == value


@settings(max_examples=200, deadline=None)
@given(texts(), st.sampled_from(["setting", "entry", "ensure", "section"]), st.data())
def test_a_new_field_moves_nothing_but_space(text: str, form: edit.Form, data: st.DataObject):
    file = parsed(text)
    if not file.declarations:
        return
    block = data.draw(st.sampled_from(file.declarations))
    sections: list[Place] = [(), *(path for path, item in places(block) if isinstance(item, Section))]
    path = data.draw(st.sampled_from(sections))
    if form == "ensure":
        wording = Wording("ensure", "", 'ensure fresh "fresh"')
        change = edit.add_ensure(text, block, wording)
    else:
        wording = Wording(form, "fresh", "{ v = 1 }" if form == "section" else "1")
        change = edit.set_field(text, block, (*path, "fresh"), wording)
    new = change.apply(text)

    changed = next(now for was, now in zip(file.declarations, parsed(new).declarations, strict=True) if was is block)
    assert without_fresh(changed) == block
    assert not text[change.start : change.end].strip()
    held(text, change, file, with_block(file, block, changed))
    assert comments(new) == comments(text)


def without_fresh(node: Declaration | Section) -> Declaration | Section:
    def fresh(item: Item) -> bool:
        if isinstance(item, Ensure):
            return item.message.value == "fresh"
        if isinstance(item, Entry):
            return edit.key_of(item) == "fresh"
        return isinstance(item, Setting | Section) and item.name.name == "fresh"

    kept = (without_fresh(one) if isinstance(one, Section) else one for one in node.items if not fresh(one))
    return replace(node, items=tuple(kept))  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(texts(), st.data())
def test_a_field_that_is_taken_away_takes_no_other_word_with_it(text: str, data: st.DataObject):
    file = parsed(text)
    found = [(block, item) for block in file.declarations for _, item in places(block)]
    if not found:
        return
    block, item = data.draw(st.sampled_from(found))
    change = edit.unset(text, item)

    held(text, change, file, with_block(file, block, exchanged(block, item, ())))  # type: ignore[arg-type]
    assert words(text[change.start : change.end]) == words(item.span.text)


@settings(max_examples=200, deadline=None)
@given(texts(), st.data())
def test_a_removed_block_takes_no_other_word_with_it_and_comes_back(text: str, data: st.DataObject):
    file = parsed(text)
    if not file.declarations:
        return
    block = data.draw(st.sampled_from(file.declarations))
    change = edit.remove_declaration(text, block)

    held(text, change, file, with_block(file, block))
    assert words(text[change.start : change.end]) == words(block.span.text)


@settings(max_examples=100, deadline=None)
@given(texts())
def test_a_change_is_taken_back_from_a_file_that_has_grown_since(text: str):
    file = parsed(text)
    addition = edit.add_declaration(text, 'extra "fresh" {\n  a = 1\n}')
    grown = held(text, addition, file, [*file.declarations, *parsed('extra "fresh" { a = 1 }').declarations])
    change = revision("add", "extra", "fresh", "f", text, grown, (None, (addition.start, len(grown))))
    further = edit.add_declaration(grown, 'extra "later" { }')

    back = taken_back(further.apply(grown), change)
    assert back is not None
    assert back == text + further.text


def test_what_has_changed_since_is_not_taken_back():
    text = 'a "x" { b = 1 }\n'
    new = text.replace("1", "2")
    change = revision("edit", "a", "x", "f", text, new, ((0, 15), (0, 15)))

    assert taken_back(new.replace("2", "3"), change) is None
    assert taken_back(None, change) is None


def test_a_removed_block_whose_place_is_gone_comes_back_as_the_last():
    text = 'a "x" { }\n\nb "y" { }\n'
    change = revision("remove", "a", "x", "f", text, 'b "y" { }\n', ((0, 9), None))

    assert taken_back('c "other" { }\n', change) == 'c "other" { }\n\na "x" { }\n'
    assert taken_back(None, change) == 'a "x" { }\n\n'
