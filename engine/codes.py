"""What each diagnostic code means, read from codes.toml: the list behind `merx help CODE` and docs/diagnostics.md."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Code:
    """title: what is wrong, in a line. text: why it is wrong and what to do. example: rule text that provokes it."""

    code: str
    title: str
    text: str
    example: str = ""


def _read() -> dict[str, Code]:
    text = files("merx.engine").joinpath("codes.toml").read_text(encoding="utf-8")
    return {
        code: Code(code, one["title"], " ".join(one["text"].split()), one.get("example", ""))
        for code, one in tomllib.loads(text).items()
    }


CODES: Mapping[str, Code] = _read()
