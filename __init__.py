"""merx: policy as code for merchants.

ruleset = merx.load(["rules"])
outcomes = ruleset.evaluate(frame)              # a Polars frame, one row a product
trace = ruleset.explain({"sku": "A-1", …})      # how one product comes to its outcomes
merx.evaluate_expression("price + 10%", {"price": Decimal("10.05")})
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from merx.engine.diagnostic import Diagnostic as Diagnostic
    from merx.engine.diagnostic import PolicyError as PolicyError
    from merx.engine.eval import evaluate_expression as evaluate_expression
    from merx.engine.ruleset import Ruleset as Ruleset
    from merx.engine.ruleset import load as load
    from merx.engine.trace import Trace as Trace

# Imported when first asked for, so that `merx --version` does not wait for a grammar and a data frame library.
_HOMES = {
    "Diagnostic": "diagnostic",
    "PolicyError": "diagnostic",
    "evaluate_expression": "eval",
    "Ruleset": "ruleset",
    "load": "ruleset",
    "Trace": "trace",
}

__all__ = ["Diagnostic", "PolicyError", "Ruleset", "Trace", "evaluate_expression", "load"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'merx' has no attribute {name!r}")
    return getattr(importlib.import_module(f"merx.engine.{_HOMES[name]}"), name)
