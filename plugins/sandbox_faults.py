"""How often the sandbox fails comes in; which fault the next request meets goes out, the same for the same seed."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FAULTS: Mapping[str, str] = {
    "429": "too many requests; nothing is done",
    "500": "an internal error; nothing is done",
    "timeout_before": "no answer; nothing is done",
    "timeout_after": "no answer; all is done",
    "drop": "the connection is closed; nothing is done",
    "drop_after": "the connection is closed; all is done",
    "duplicate": "the request is carried out twice; an order is delivered twice",
}
"""Each fault, and what becomes of a request that meets it."""

_MOST_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Faults:
    """probabilities: fault → share of the requests that meet it; together at most 1, so that no request meets two.

    hang: seconds that a request without an answer is kept waiting, unless its client leaves before.
    """

    probabilities: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    hang: float = 30.0

    @property
    def any(self) -> bool:
        return any(self.probabilities.values())

    def drawn(self, number: int) -> str | None:
        """The fault of the request of this number, None for one that goes well."""
        # By number and not from a running generator: a server that starts again goes on where the last one was killed.
        left = random.Random(f"{self.seed}/{number}").random()
        for name in FAULTS:
            share = self.probabilities.get(name, 0.0)
            if left < share:
                return name
            left -= share
        return None


def read_faults(given: Any, before: Faults) -> Faults:
    """What `PUT /v1/faults` says. Faults that it leaves out are off; a seed or hang that it leaves out stays.

    Raises ValueError, worded for the merchant.
    """
    if not isinstance(given, dict) or given.keys() - {"probabilities", "seed", "hang"}:
        raise ValueError("faults are an object of `probabilities`, `seed` and `hang`")
    shares = given.get("probabilities", {})
    if not isinstance(shares, dict):
        raise ValueError("`probabilities` is an object of fault and probability")
    seed, hang = given.get("seed", before.seed), given.get("hang", before.hang)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ValueError("`seed` is a whole number")
    return Faults(checked({name: _number(name, one) for name, one in shares.items()}), seed, _hang(hang))


def parsed(texts: Mapping[str, str]) -> dict[str, float]:
    """Probabilities as they are written on the command line. Raises ValueError, worded for the merchant."""
    found = {}
    for name, text in texts.items():
        try:
            found[name] = float(text)
        except ValueError:
            raise ValueError(f"`{text}` is no probability; write one as in `{name}=0.1`") from None
    return checked(found)


def checked(probabilities: Mapping[str, float]) -> dict[str, float]:
    for name, share in probabilities.items():
        if name not in FAULTS:
            raise ValueError(f"there is no fault `{name}`; the faults are {', '.join(FAULTS)}")
        if not 0 <= share <= 1:
            raise ValueError(f"the probability of `{name}` is within 0 to 1")
    if math.fsum(probabilities.values()) > 1:
        raise ValueError("the probabilities come to more than 1")
    return dict(probabilities)


def _number(name: str, given: Any) -> float:
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise ValueError(f"the probability of `{name}` is a number")
    return given if isinstance(given, float) else float(min(max(given, -1), 2))


def _hang(given: Any) -> float:
    if not isinstance(given, int | float) or isinstance(given, bool) or not 0 <= given <= _MOST_SECONDS:
        raise ValueError(f"`hang` is a number of seconds within 0 to {_MOST_SECONDS}")
    return float(given)
