"""What merx.toml says about a secret comes in; the secret goes out, read where it stands and never written anywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from merx.engine.diagnostic import Diagnostic, PolicyError

MASK = "•••"


class _Reference(BaseModel):
    """`{ env = "MERX_TOKEN" }` or `{ file = "token.txt" }`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    env: str | None = Field(None, description="The environment variable that holds it.")
    file: str | None = Field(None, description="The file that holds it, below the project's folder or absolute.")

    @model_validator(mode="after")
    def _one(self) -> _Reference:
        if (self.env is None) == (self.file is None):
            raise ValueError('it is read from one place: { env = "NAME" } or { file = "PATH" }')
        return self

    def read(self, folder: Path) -> str:
        """The secret. folder: what a file's path is relative to. Raises PolicyError (M731) where it is not there."""
        if self.env is not None:
            found = os.environ.get(self.env)
            if not found:
                message = f"the environment variable `{self.env}` is not set"
                raise PolicyError([Diagnostic("M731", "error", message, None, f"set it: `export {self.env}=…`")])
            return found
        path = folder / str(self.file)
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            message = f"the secret in `{path}` cannot be read: {error}"
            raise PolicyError(
                [Diagnostic("M731", "error", message, None, "check the path and its permissions")]
            ) from None


def _no_value(given: Any) -> Any:
    if isinstance(given, str):
        raise ValueError('a secret does not stand here; say where it is: { env = "NAME" } or { file = "PATH" }')
    return given


Secret = Annotated[_Reference, BeforeValidator(_no_value)]
"""The type of a connector's option that is a secret."""


def masked(text: str, secrets: Mapping[str, str] | tuple[str, ...]) -> str:
    """The text without the secrets. What is recorded of an exchange goes through this."""
    values = secrets.values() if isinstance(secrets, Mapping) else secrets
    for one in sorted(values, key=len, reverse=True):
        if one:
            text = text.replace(one, MASK)
    return text
