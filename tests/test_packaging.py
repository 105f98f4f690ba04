"""The package as it is installed: what pyproject.toml says against the folders and modules that are there."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

import pytest

import merx

ROOT = Path(merx.__file__).parent
PROJECT: dict[str, Any] = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))


def offers_hooks(module: Path) -> bool:
    return re.search(r"^\s*@hookimpl\b", module.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_every_folder_that_is_a_package_is_named():
    folders = {f"merx.{init.parent.name}" for init in ROOT.glob("*/__init__.py")}

    assert folders | {"merx"} == set(PROJECT["tool"]["setuptools"]["packages"])


def test_no_package_lies_deeper_than_the_named_ones():
    named = {name.removeprefix("merx.") for name in PROJECT["tool"]["setuptools"]["packages"]}

    assert [path for name in named if name != "merx" for path in ROOT.glob(f"{name}/*/__init__.py")] == []


def test_the_root_holds_no_module_but_the_package_and_the_command_line():
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "cli.py"}


@pytest.mark.parametrize("pattern", ["py.typed", "grammar/*.lark", "rules/sample.csv", "rules/starter.merx"])
def test_data_files_are_part_of_the_package(pattern: str):
    assert list(ROOT.glob(pattern))


def test_every_module_with_hooks_is_an_entry_point():
    modules = {f"merx.plugins.{path.stem}" for path in ROOT.glob("plugins/*.py") if offers_hooks(path)}

    assert modules == set(PROJECT["project"]["entry-points"]["merx"].values())


def test_entry_points_bear_the_name_of_their_module():
    declared = PROJECT["project"]["entry-points"]["merx"]

    assert {name: module.rpartition(".")[2] for name, module in declared.items()} == {name: name for name in declared}


def test_the_installed_entry_points_are_the_declared_ones_and_can_be_loaded():
    installed = {one.name: one for one in entry_points(group="merx") if one.dist and one.dist.name == "merx"}

    assert installed.keys() == PROJECT["project"]["entry-points"]["merx"].keys()
    for one in installed.values():
        assert one.load().__name__ == one.value


def test_the_installed_version_is_the_one_that_is_declared():
    assert version("merx") == PROJECT["project"]["version"]


def test_every_dependency_is_pinned_exactly():
    lines = (Path(__file__).parents[1] / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = PROJECT["project"]
    wanted = {
        re.match(r"[\w-]+", one)[0] for one in [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    }

    assert wanted <= pins.keys()
