"""Language cases: text files of an input, a line `----`, and what must come of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent / "cases"
_RULER = "----"


@dataclass(frozen=True)
class Case:
    path: Path
    given: str
    expected: str


def cases(folder: str) -> list[Case]:
    """The cases of one folder, by name."""
    found = []
    for path in sorted((CASES / folder).glob("*.txt")):
        given, _, expected = path.read_text(encoding="utf-8").partition(f"\n{_RULER}\n")
        found.append(Case(path, given, expected.strip("\n")))
    assert found, f"there are no cases in {folder}"
    return found


def hold(case: Case, actual: str) -> None:
    """Fails where the outcome differs; with MERX_UPDATE_CASES=1 the case is rewritten instead."""
    if os.environ.get("MERX_UPDATE_CASES") == "1":
        case.path.write_text(f"{case.given}\n{_RULER}\n{actual.strip(chr(10))}\n", encoding="utf-8")
        return
    assert actual.strip("\n") == case.expected, f"{case.path.name}: MERX_UPDATE_CASES=1 rewrites it, if this is right"
