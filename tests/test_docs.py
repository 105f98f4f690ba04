"""The documents say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from merx.engine.codes import CODES
from merx.engine.ruleset import check_text

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_every_diagnostic_is_in_the_document_with_its_text() -> None:
    text = (DOCS / "diagnostics.md").read_text(encoding="utf-8")
    for one in CODES.values():
        assert f"## {one.code}: {one.title}\n\n{one.text}\n" in text, (
            f"docs/diagnostics.md is behind codes.toml: {one.code}"
        )


def test_every_hook_is_in_the_guide_for_plugin_authors() -> None:
    from merx.engine.hooks import Hooks

    text = (DOCS / "plugins.md").read_text(encoding="utf-8")
    hooks = [name for name in vars(Hooks) if name.startswith("merx_")]
    assert hooks
    assert [name for name in hooks if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", ["language.md"])
def test_the_whole_example_of_a_document_has_no_error(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    example = text.split("```merx\n", 1)[1].split("```", 1)[0]
    _, problems = check_text("\n".join(line for line in example.splitlines() if not line.startswith("use ")))
    assert [one.code for one in problems if one.level == "error"] == []
