"""Any rule set over any products: `evaluate` (columns) says of each product exactly what `decide` (interpret) says."""

from __future__ import annotations

import os
import random
from collections import Counter
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import rulesets
from merx.engine.check import check
from merx.engine.columns import TOO_WIDE
from merx.engine.decide import decide
from merx.engine.evaluate import evaluate
from merx.engine.frame import conform, products
from merx.engine.load import parse_text
from merx.engine.prepare import prepare
from merx.engine.registry import Registry, registry
from merx.engine.ruleset import Ruleset, check_text

EXAMPLES = int(os.environ.get("MERX_EXAMPLES", "320"))
"""A part: `make test` runs eight parts of this many, `make fuzz` as many as one likes."""

said: Counter[str] = Counter()


@pytest.fixture(scope="module")
def known() -> Registry:
    return registry()


def differences(seed: int, known: Registry) -> list[object]:
    """What the two evaluators say differently of one rule set over twenty products."""
    writer = rulesets.Writer(random.Random(seed))
    text = writer.rules()
    said.update(writer.said)
    files, problems = parse_text(text, "generated.merx")
    rules, found = check(files, known)
    errors = [str(one) for one in (*problems, *found) if one.level == "error"]
    assert not errors, "\n".join(errors)
    prepared = prepare(rules, rulesets.DAY)
    ruleset = Ruleset(files, rules, known)
    assert rules.schema is not None
    frame = conform(rulesets.products(seed), rules.schema, ruleset.reads(prepared))
    outcomes = evaluate(prepared, frame)
    assert outcomes.height == frame.height >= 20
    differing: list[object] = []
    for row, product in zip(outcomes.to_dicts(), products(frame), strict=True):
        decision = decide(prepared, product)
        expected = {
            "sku": product["sku"],
            "listing": decision.listing,
            "status": decision.status,
            "reasons": list(decision.reasons),
            **{name: list(one) if isinstance(one, tuple) else one for name, one in decision.values.items()},
        }
        differing += [(name, row[name], one) for name, one in expected.items() if row[name] != one]
    return differing


@pytest.mark.parametrize("part", range(8))
def test_columns_and_interpret_say_the_same_of_every_product(part: int, known: Registry) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), derandomize="MERX_EXAMPLES" not in os.environ,
    )  # fmt: skip
    @given(st.integers(0, 2**48))
    def run(seed: int) -> None:
        # Each part walks through seeds of its own.
        assert differences(seed * 8 + part, known) == [], f"seed {seed * 8 + part}"

    run()
    missing = [field for field in rulesets.FIELDS if not said[field] and EXAMPLES >= 100]
    assert not missing, f"no generated rule set used {missing}"


def outcome(rules: str, name: str, **columns: list[Decimal]) -> list[tuple[object, list[str]]]:
    """The value and the reasons of every product."""
    ruleset, problems = check_text(rules)
    assert problems == ()
    count = len(next(iter(columns.values())))
    numbers = {key: pl.Series(values, dtype=pl.Decimal(38, 0)) for key, values in columns.items()}
    outcomes = ruleset.evaluate(pl.DataFrame({"sku": [f"S{number}" for number in range(count)], **numbers}))
    return list(outcomes.select(name, "reasons").iter_rows())


def test_a_quantity_beyond_its_column_is_held_and_stops_nobody() -> None:
    rules = 'catalog "c" { qty: number }  inventory "i" {}  listing "all" { assign = yes  inventory = "i" }'
    found = outcome(rules, "quantity", qty=[Decimal(10**20), Decimal(3)])
    assert found == [(None, [f"quantity: {TOO_WIDE}"]), (3, [])]


def test_a_price_too_wide_beside_those_of_another_policy_is_held_and_stops_nobody() -> None:
    rules = """
    catalog "c" { price: number }
    pricing "large" { round = up to 1 }
    pricing "fine" { round = half_up to 0.01 }
    listing "large" { assign = price > 100  pricing = "large" }
    listing "fine" { assign = price <= 100  pricing = "fine" }
    """
    found = outcome(rules, "price", price=[Decimal(10**37), Decimal(5), Decimal(7)])
    assert found == [(None, [f"price: {TOO_WIDE}"]), (5, []), (7, [])]
