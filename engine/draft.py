"""The rule files of a project and wishes about their blocks come in; what the files would say, what would be wrong with them
and what to record goes out. Nothing is written here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from merx.engine import edit, syntax
from merx.engine.check import check
from merx.engine.diagnostic import Diagnostic, Note, PolicyError
from merx.engine.fields import Assignment
from merx.engine.format import format_source
from merx.engine.history import Action, Place, Range, Revision, revision, taken_back
from merx.engine.load import SUFFIX, load_files
from merx.engine.parse import parse_file
from merx.engine.project import Project
from merx.engine.registry import Registry
from merx.engine.snapshot import Schema
from merx.engine.source import Source
from merx.engine.titles import blocks, find, shown, users, whole

LONGEST_ONE_LINER = 80
"""Characters of a new block that stays on one line."""


@dataclass(slots=True)
class Draft:
    """Rule files as they would be. Each method makes one more change, or raises PolicyError and makes none.

    loaded: as they are on disk. files: by name, as they would be. gone: files to be taken away.
    """

    project: Project
    registry: Registry
    media_url: str | None = None
    loaded: dict[str, syntax.File] = field(init=False)
    files: dict[str, syntax.File] = field(init=False)
    changes: list[Revision] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    _load_problems: tuple[Diagnostic, ...] = field(init=False)
    _parse_problems: dict[str, tuple[Diagnostic, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found, self._load_problems = load_files(self.project.rules)
        self.loaded = {one.source.name: one for one in found}
        self.files = dict(self.loaded)

    @property
    def every_file(self) -> tuple[syntax.File, ...]:
        return tuple(self.files.values())

    def text(self, name: str) -> str | None:
        return self.files[name].source.text if name in self.files else None

    @property
    def changed(self) -> list[str]:
        """The files that would say something else than they do."""
        return [name for name in {**self.loaded, **self.files} if self.text(name) != self._loaded_text(name)]

    def _loaded_text(self, name: str) -> str | None:
        return self.loaded[name].source.text if name in self.loaded else None

    def find(self, kind: str, title: str) -> syntax.Declaration:
        """The block, which can be read. Raises PolicyError: M842 without one, M850 where mistakes stand in it."""
        block = find(self.every_file, kind, title)
        if self.files[block.span.source.name].partial and not whole(block):
            message, help = f"`{kind}` `{title}` cannot be read as it stands", "mend it first: `merx check` says where"
            raise PolicyError([Diagnostic("M850", "error", message, block.head, help)])
        return block

    def titles(self, kind: str) -> list[str]:
        return [one.title.value for one in blocks(self.every_file, kind) if one.title is not None]

    # --- changes

    def add(
        self, kind: str, title: str, name: str, body: str | None, wanted: Sequence[Assignment | edit.Wording]
    ) -> None:
        """A new block in the file of that name. body: the block it is a copy of, None for an empty one."""
        _check_title(kind, title)
        self.refuse_taken(kind, title)
        if body is None:
            text = _new_block(kind, title, wanted)
        else:
            [block] = _parsed(body).declarations
            text = edit.set_title(block, title).apply(body)
            if wanted:
                # All of the copy is new, so its neighbours too may be laid out anew.
                text = _laid_out(_assigned(text, kind, title, wanted))
        old = self.text(name)
        new = edit.add_declaration(old or "", text).apply(old or "")
        self._note("add", kind, title, name, new)

    def edit(
        self, kind: str, title: str, wanted: Sequence[Assignment | edit.Wording], drop: Sequence[str] = ()
    ) -> None:
        """The block with these fields, without the `ensure`s of these numbers or messages."""
        block = self.find(kind, title)
        name = block.span.source.name
        text = _without_ensures(block, drop)
        text = _assigned(text, kind, title, wanted, block.span.source)
        if text != block.span.source.text:
            self._note("edit", kind, title, name, text)

    def remove(self, kind: str, titles: Sequence[str]) -> None:
        """None of these blocks is there any more. Raises PolicyError (M847) where one is used, naming every user."""
        problems: list[Diagnostic] = []
        for title in dict.fromkeys(titles):
            try:
                problems += self._uses(self.find(kind, title))
            except PolicyError as error:
                problems += error.diagnostics
        if problems:
            raise PolicyError(problems)
        for title in dict.fromkeys(titles):
            block = self.find(kind, title)
            source = block.span.source
            self._note(
                "remove", kind, title, source.name, edit.remove_declaration(source.text, block).apply(source.text)
            )

    def _uses(self, block: syntax.Declaration) -> list[Diagnostic]:
        assert block.title is not None
        named = [one for one in users(self.every_file, block.kind.name, block.title.value) if one.title is not None]
        if not named:
            return []
        notes = tuple(Note(f"`{one.name}` names it", one.span) for one in named)
        help = "let these name another one first, or remove them"
        return [Diagnostic("M847", "error", f"`{shown(block)}` is still used", block.head, help, notes)]

    def rename(self, kind: str, title: str, new: str, action: Action = "rename") -> None:
        """The block has another title, and whoever names it names it so."""
        _check_title(kind, new)
        block = self.find(kind, title)
        if new != title:
            self.refuse_taken(kind, new)
        places = [edit.set_title(block, new)]
        texts = {block.span.source.name: places}
        for user in users(self.every_file, kind, title):
            if user.title is not None:
                span = user.title.span
                texts.setdefault(span.source.name, []).append(edit.Change(span.start, span.end, edit.quoted(new)))
        file = self._relative(block.span.source.name)
        for name, found in texts.items():
            text = self.files[name].source.text
            for change in sorted(found, key=lambda one: -one.start):
                text = change.apply(text)
            self._put(name, text)
        before, after = shown(block), shown(find(self.every_file, kind, new))
        self.changes.append(Revision(action, kind, new, file, before, after, Place(was=title)))

    def restore(self, change: Revision) -> None:
        """What the change did away with is back. Raises PolicyError (M852) where the file has changed since so that it
        cannot be."""
        if change.place.was:
            self.rename(change.kind, change.title, change.place.was, "restore")
            return
        name = self.named(self.project.folder / change.file)
        restored = taken_back(self.text(name), change)
        if restored is None:
            message = f"change {change.id} cannot be taken back: what it left in `{change.file}` has changed since"
            help = f"`merx policies history {change.kind} '{change.title}'` shows the texts; write it by hand"
            raise PolicyError([Diagnostic("M852", "error", message, None, help)])
        made = change.place.made and change.action == "add" and not restored.strip()
        self._note("restore", change.kind, change.title, name, None if made else restored)

    def refuse_taken(self, kind: str, title: str) -> None:
        """Raises PolicyError (M846) where there is such a block."""
        for block in blocks(self.every_file, kind):
            if block.title is not None and block.title.value == title:
                help = f"`merx policies edit {kind} '{title}' …` changes it"
                message = f"there is a `{kind}` called `{title}` already"
                raise PolicyError([Diagnostic("M846", "error", message, block.head, help)])

    # --- files

    def named(self, path: Path) -> str:
        """How the rule file is called. Raises PolicyError (M849) for one that is not among the project's rules."""
        target = path.resolve()
        for name in self.loaded:
            if Path(name).resolve() == target:
                return name
        here = Path.cwd()
        name = str(target.relative_to(here) if target.is_relative_to(here) else path)
        if path.exists() and (found := [one for one in self._load_problems if f"`{name}`" in one.message]):
            raise PolicyError(found)
        if not any(_holds(one, target) for one in self.project.rules):
            rules = ", ".join(f"`{one}`" for one in self.project.rules)
            help = f"the rules are {rules}; merx.toml says so"
            raise PolicyError([Diagnostic("M849", "error", f"`{name}` is not among the project's rules", None, help)])
        return name

    def default_file(self) -> Path:
        """Where new blocks come: policies.merx in the first folder of rules, else the first file of rules."""
        rules = self.project.rules
        folder = next((one for one in rules if one.is_dir() or one.suffix != SUFFIX), None)
        return rules[0] if folder is None else folder / f"policies{SUFFIX}"

    def _relative(self, name: str) -> str:
        path = Path(name).resolve()
        folder = self.project.folder.resolve()
        return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()

    def _put(self, name: str, text: str) -> None:
        self.files[name], self._parse_problems[name] = parse_file(Source(name, text))

    def _note(self, action: Action, kind: str, title: str, name: str, new: str | None) -> None:
        old, before = self.text(name), self._range(name, kind, title)
        if new is None:
            del self.files[name]
            self.gone.add(name)
        else:
            self._put(name, new)
        after = self._range(name, kind, title)
        file = self._relative(name)
        self.changes.append(revision(action, kind, title, file, old, new or "", (before, after)))

    def _range(self, name: str, kind: str, title: str) -> Range | None:
        if name not in self.files:
            return None
        found = [one for one in blocks([self.files[name]], kind) if one.title is not None and one.title.value == title]
        return (found[0].span.start, found[0].span.end) if found else None

    # --- what is wrong

    def new_problems(self, schema: Schema | None) -> list[Diagnostic]:
        """What would be wrong that is not wrong now."""
        before = self._problems(self.loaded, {}, schema)
        known = Counter(_identity(one) for one in before)
        found = []
        for one in self._problems(self.files, self._parse_problems, schema):
            if known[_identity(one)]:
                known[_identity(one)] -= 1
            else:
                found.append(one)
        return found

    def _problems(
        self, files: Mapping[str, syntax.File], parsed: Mapping[str, tuple[Diagnostic, ...]], schema: Schema | None
    ) -> Iterable[Diagnostic]:
        _, found = check(tuple(files.values()), self.registry, schema, media_url=self.media_url)
        loading = [one for one in self._load_problems if one.span is None or one.span.source.name not in parsed]
        return [*loading, *(one for several in parsed.values() for one in several), *found]


def _identity(problem: Diagnostic) -> tuple[str, ...]:
    """What a problem has in common with itself after an edit elsewhere has moved it."""
    place = (problem.span.source.name, problem.span.text) if problem.span else ()
    return (problem.code, problem.level, problem.message, *place)


def _holds(rules: Path, target: Path) -> bool:
    root = rules.resolve()
    if root.is_dir() or rules.suffix != SUFFIX:
        return target.is_relative_to(root) and target.suffix == SUFFIX
    return target == root


# --- the text of a block


def _check_title(kind: str, title: str) -> None:
    """Raises PolicyError for what cannot be written as a title."""
    _, problems = parse_file(Source("<title>", f"{kind} {edit.quoted(title)} {{ }}"))
    if problems:
        raise PolicyError(problems)
    if not title.strip():
        raise PolicyError([Diagnostic("M843", "error", "the title is empty", None, "give it a name to call it by")])


def _parsed(text: str, source: Source | None = None) -> syntax.File:
    return parse_file(Source(source.name if source else "<block>", text))[0]


def _new_block(kind: str, title: str, wanted: Sequence[Assignment | edit.Wording]) -> str:
    """The block in the house style: a field a line, but a single short one in the line of the head."""
    text = _assigned(f"{kind} {edit.quoted(title)} {{\n}}", kind, title, wanted)
    text = _laid_out(text)
    one_line = " ".join(line.strip() for line in text.splitlines())
    short = len(text.splitlines()) <= 3 and len(one_line) <= LONGEST_ONE_LINER
    return one_line if short else text


def _laid_out(text: str) -> str:
    return format_source(Source("<block>", text)).rstrip("\n")


def _assigned(
    text: str, kind: str, title: str, wanted: Sequence[Assignment | edit.Wording], source: Source | None = None
) -> str:
    """The text of a file with the block's fields set or taken away, one after another."""
    for one in wanted:
        block = find([_parsed(text, source)], kind, title)
        if isinstance(one, edit.Wording):
            text = edit.add_ensure(text, block, one).apply(text)
        elif one.wording is not None:
            text = edit.set_field(text, block, one.path, one.wording).apply(text)
        else:
            _, item, missing = edit.find_field(block, one.path, one.form)
            if item is None or len(missing) > 1:
                message = f"`{shown(block)}` does not set `{'.'.join(one.path)}`"
                raise PolicyError([Diagnostic("M848", "error", message, block.head, "there is nothing to take away")])
            text = edit.unset(text, item).apply(text)
    return text


def _without_ensures(block: syntax.Declaration, drop: Sequence[str]) -> str:
    """The text of the block's file. drop: which `ensure`s go, by number (from 1) or by message."""
    ensures = [one for one in block.items if isinstance(one, syntax.Ensure)]
    chosen: set[int] = set()
    for which in drop:
        found = [at for at, one in enumerate(ensures) if which in (str(at + 1), one.message.value)]
        if not found:
            message = f"`{shown(block)}` has no `ensure` `{which}`"
            several = ", ".join(f'{number}: "{one.message.value}"' for number, one in enumerate(ensures, 1))
            help = f"it has {several}" if several else "it has none"
            raise PolicyError([Diagnostic("M848", "error", message, block.head, help)])
        chosen.update(found)
    text = block.span.source.text
    for at in sorted(chosen, reverse=True):
        text = edit.unset(text, ensures[at]).apply(text)
    return text
