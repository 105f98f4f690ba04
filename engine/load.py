"""Paths of rule files come in; the syntax of every file they lead to goes out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from merx.engine import syntax
from merx.engine.diagnostic import Diagnostic, Note, did_you_mean
from merx.engine.parse import parse_file, read_source
from merx.engine.source import Source

SUFFIX = ".merx"


@dataclass(slots=True)
class _Load:
    files: dict[Path, syntax.File] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)


def load_files(paths: Iterable[str | os.PathLike[str]]) -> tuple[tuple[syntax.File, ...], tuple[Diagnostic, ...]]:
    """Every rule file of the paths (a directory means all `*.merx` below it) and all that they `use`, each once.

    A file that cannot be read is left out and reported.
    """
    run = _Load()
    for path in paths:
        path = Path(path)
        # Not `Path.is_dir`: it raises for a name that is too long, which `_read` reports.
        if os.path.isdir(path):
            found = sorted(one for one in path.rglob(f"*{SUFFIX}") if not one.is_dir())
            if not found:
                run.problems.append(
                    Diagnostic(
                        "M020", "error", f"there is no rule file in `{path}`", None, f"rule files end in `{SUFFIX}`"
                    )
                )
            for one in found:
                _read(one, run, ())
        else:
            _read(path, run, ())
    return tuple(run.files.values()), tuple(run.problems)


def parse_text(text: str, name: str) -> tuple[tuple[syntax.File, ...], tuple[Diagnostic, ...]]:
    """One file's worth of rules that stand in no file."""
    file, problems = parse_file(Source(name, text))
    return (file,), problems


def _read(path: Path, run: _Load, users: tuple[Path, ...]) -> bool:
    """Reads the file and what it uses; False where it cannot be read at all."""
    source, problems = read_source(path)
    if source is None:
        run.problems += problems
        return False
    key = path.resolve()
    if key in run.files:
        return True
    file, problems = parse_file(source)
    run.problems += problems
    run.files[key] = file
    for use in file.uses:
        _follow(use, path, run, (*users, key))
    return True


def _follow(use: syntax.Use, path: Path, run: _Load, users: tuple[Path, ...]) -> None:
    target = path.parent / use.path.value
    key = target.resolve()
    if key in users:
        chain = [*users[users.index(key) :], key]
        names = " → ".join(f"`{one.name}`" for one in chain)
        run.problems.append(
            Diagnostic(
                "M217", "error", f"the files use each other in a circle: {names}", use.span, "take one `use` away"
            )
        )
        return
    if not os.path.isfile(target):
        what = "a directory" if os.path.isdir(target) else "not there"
        siblings = [one.name for one in target.parent.glob(f"*{SUFFIX}")] if target.parent.is_dir() else []
        help = did_you_mean(target.name, siblings) or "the path is relative to the file that uses it"
        run.problems.append(
            Diagnostic(
                "M218", "error", f"`{use.path.value}` is {what}", use.path.span, help, (Note(f"looked for {target}"),)
            )
        )
        return
    _read(target, run, users)
