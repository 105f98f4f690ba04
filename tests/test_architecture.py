"""Imports only go down, and each outside library stays where it belongs: read off the source files themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import merx

ROOT = Path(merx.__file__).parent
FILES = {
    **{f"merx.{folder}.{path.stem}": path for folder in ("engine", "plugins") for path in ROOT.glob(f"{folder}/*.py")},
    "merx.cli": ROOT / "cli.py",
}
ENGINE = {name for name in FILES if name.startswith("merx.engine.")}
PLUGINS = {name for name in FILES if name.startswith("merx.plugins.")}
COMMAND_LINE = {"merx.cli"} | {
    name
    for name in PLUGINS
    if name.startswith("merx.plugins.command_")
    or name.removeprefix("merx.plugins.")
    in {
        "inputs",
        "outcomes",
        "output",
        "plan_page",
        "plan_report",
        "planned",
        "policy_edits",
        "policy_views",
        "terminal",
    }
}

# From the bottom up: no file imports a later one, by way of whatever. `interpret` stands below `check`, which asks it what
# a regular expression may be; it knows no more of the language than expressions.
ORDER = """
source
diagnostic syntax units types
expression
policy
snapshot standard
hooks
interpret parse
check columns
prepare
evaluate
ruleset
plan
state
snapshots
accepted
workspace
planning
outbox
apply
""".split()


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text(encoding="utf-8"))


@cache
def imports(name: str, *, late: bool = True, types: bool = False) -> frozenset[str]:
    """The modules that a module imports. late: inside functions too. types: for type checkers only, too."""
    return frozenset(_imports(tree(name), late, types))


def _imports(node: ast.AST, late: bool, types: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (one.name for one in child.names)
        elif isinstance(child, ast.ImportFrom):
            # `from merx.engine import columns` names a module, `from merx.engine.columns import bind` does too.
            below = (f"{child.module}.{one.name}" for one in child.names)
            yield from {one if one in FILES else str(child.module) for one in below}
        elif isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            if types:
                yield from _imports(child, late, types)
        elif late or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _imports(child, late, types)


def reaches(name: str) -> set[str]:
    """The module and all that it imports, through whatever."""
    found: set[str] = set()
    todo = [name]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += [other for other in imports(one) if other in FILES]
    return found


def users_of(library: str) -> set[str]:
    return {name for name in FILES if library in {one.split(".")[0] for one in imports(name, types=True)}}


def test_no_module_imports_itself_by_way_of_others():
    try:
        TopologicalSorter({name: imports(name, late=False) & FILES.keys() for name in FILES}).prepare()
    except CycleError as error:
        pytest.fail(f"these import each other: {' → '.join(error.args[1])}")


@pytest.mark.parametrize("place", range(len(ORDER)), ids=ORDER)
def test_imports_only_go_down(place: int):
    above = {f"merx.engine.{name}" for name in ORDER[place + 1 :]}

    assert reaches(f"merx.engine.{ORDER[place]}") & above == set()


def test_the_engine_knows_no_plugin_and_nothing_knows_the_command_line():
    assert {name for name in ENGINE if reaches(name) & PLUGINS} == set()
    assert {name for name in ENGINE | PLUGINS if "merx.cli" in reaches(name)} == set()


def test_no_plugin_but_the_commands_knows_the_command_lines_own_files():
    assert {name for name in PLUGINS - COMMAND_LINE if reaches(name) & COMMAND_LINE} == set()


def test_interpret_knows_neither_polars_nor_columns():
    below = reaches("merx.engine.interpret")

    assert below & users_of("polars") - {"merx.engine.hooks", "merx.engine.snapshot"} == set()
    assert "merx.engine.columns" not in below
    assert {name for name in below if "polars" in {one.split(".")[0] for one in imports(name)}} == set()


@pytest.mark.parametrize("library", ["httpx", "rich"])
def test_only_plugins_know(library: str):
    assert users_of(library) <= PLUGINS


@pytest.mark.parametrize("library", ["rich", "click"])
def test_only_the_command_line_knows(library: str):
    # The hook that offers commands names their type.
    assert users_of(library) - {"merx.engine.hooks"} <= COMMAND_LINE


def test_only_the_command_line_prints_or_exits():
    def speaks(name: str) -> bool:
        calls = {ast.unparse(node.func) for node in ast.walk(tree(name)) if isinstance(node, ast.Call)}
        names = {ast.unparse(node) for node in ast.walk(tree(name)) if isinstance(node, ast.Attribute)}
        return bool(calls & {"print", "exit", "quit", "sys.exit", "os._exit"} or names & {"sys.stdout", "sys.stderr"})

    assert {name for name in FILES if speaks(name)} <= COMMAND_LINE
