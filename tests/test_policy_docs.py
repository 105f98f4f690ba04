"""docs/policies.md against the models it describes, and the rule files that come with merx against both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import merx
from merx.engine.format import format_source
from merx.engine.parse import read_source
from merx.engine.policy import PolicyType
from merx.engine.ruleset import check_paths, check_text
from merx.plugins.image import Image
from merx.plugins.inventory import Inventory, Threshold
from merx.plugins.order import Order
from merx.plugins.pricing import Pricing
from merx.plugins.synchronization import Synchronization

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "policies.md").read_text(encoding="utf-8")
RULES = Path(merx.__file__).parent / "rules"  # as installed, so that the wheel's own files are the ones tested
CATALOG = """
catalog "shop" {
  name: text  color: text?  price: money(EUR)  map: money(EUR)?  cost: money(EUR)
  marketplace_image: text?  marketplace_sku: text?
}
rates { as_of = 2026-11-23  EUR -> USD = 1.0850 }
"""
TYPES = [Pricing(), Inventory(), Image(), Order(), Synchronization()]


def chapter(kind: str) -> str:
    return re.split(r"^## ", TEXT, flags=re.MULTILINE)[1 + [one.kind for one in TYPES].index(kind)]


@pytest.mark.parametrize("policy_type", TYPES, ids=lambda one: one.kind)
def test_every_field_is_documented(policy_type: PolicyType):
    names = [name for name in policy_type.fields.model_fields if name not in {"active", "ensure"}]
    if policy_type.kind == "inventory":
        names += Threshold.model_fields

    assert chapter(policy_type.kind).lower().startswith(f"{policy_type.kind}\n")
    assert [name for name in names if f"`{name}" not in chapter(policy_type.kind)] == []


@pytest.mark.parametrize("policy_type", TYPES, ids=lambda one: one.kind)
def test_every_example_in_the_documentation_is_right(policy_type: PolicyType):
    examples = re.findall(r"```merx\n(.*?)```", chapter(policy_type.kind), flags=re.DOTALL)

    assert examples
    for example in examples:
        _, problems = check_text(f"{CATALOG}\n{example}")
        assert [str(one) for one in problems] == []


@pytest.mark.parametrize("name", ["starter.merx", "examples.merx"])
def test_the_rule_files_that_come_with_merx_have_nothing_wrong(name: str):
    ruleset, problems = check_paths([RULES / name])

    assert [str(one) for one in problems] == []
    assert [one.title for one in ruleset.run_tests() if not one.passed] == []


@pytest.mark.parametrize("path", sorted(RULES.glob("*.merx")), ids=lambda path: path.name)
def test_the_rule_files_that_come_with_merx_are_laid_out_as_fmt_does(path: Path):
    source, _ = read_source(path)

    assert source is not None
    assert format_source(source) == source.text


def test_the_rule_files_that_come_with_merx_go_together():
    ruleset, problems = check_paths([RULES])

    assert [str(one) for one in problems] == []
    assert [one.title for one in ruleset.run_tests() if not one.passed] == []


def test_there_is_a_starter_policy_of_each_kind():
    ruleset, _ = check_paths([RULES / "starter.merx"])

    assert {kind for kind, _ in ruleset.rules.policies} == {one.kind for one in TYPES}


def test_the_worked_examples_of_the_documentation_are_tests():
    ruleset, _ = check_paths([RULES / "examples.merx"])
    titles = {one.title for one in ruleset.run_tests()}

    assert {"ten percent more than 10.00 is 11.00", "18 in stock, 5 kept back: 13"} <= titles
    assert {"threshold: 11 shows 20", "threshold: 10 shows 10", "threshold: 9 shows 2"} <= titles
    assert "5 of 20 images, the main one counted" in titles
