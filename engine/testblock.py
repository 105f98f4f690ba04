"""A `test` declaration comes in; a `Test` goes out: a product, what decides it, and what must come of it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from merx.engine import syntax
from merx.engine.blocks import named_settings, texts
from merx.engine.diagnostic import Note, did_you_mean
from merx.engine.rules import Expectation, Policy, Test
from merx.engine.scope import Scope
from merx.engine.standard import STANDARD, standard_type
from merx.engine.types import DATE, FLAG, NUMBER, TEXT, TEXTS, Type, Value

if TYPE_CHECKING:
    from merx.engine.check import Check

Named = TypeVar("Named")
NamedItem = TypeVar("NamedItem", syntax.Section, syntax.Setting)

OWN_OUTCOMES = ("listing", "status", "reason")
"""What `expect` may name beside the outcomes of policies. `reason` is a text that a reason contains."""


def read_test(declaration: syntax.Declaration, run: Check) -> Test | None:
    """The test, or None where it has no title."""
    if declaration.title is None:
        return None
    scope = run.scope()
    kinds = [kind for kind, one in run.registry.policy_types.items() if one.applies_to == "product"]
    settings = named_settings(declaration, ["listing", "account", "as_of", *kinds], scope, sections=("given", "expect"))
    sections = _once([one for one in declaration.items if isinstance(one, syntax.Section)], scope)
    if "expect" not in sections:
        scope.error("M305", "`expect` is missing", declaration.head, "add `expect { price = 11.00 }`")
        return None
    policies: dict[str, Policy] = {}
    for kind in kinds:
        if kind in settings:
            policy = _named(kind, settings[kind], {t: p for (k, t), p in run.policies.items() if k == kind}, run, scope)
            if policy is not None:
                policies[kind] = policy
    listing = _named("listing", settings["listing"], run.listings, run, scope) if "listing" in settings else None
    account = _named("account", settings["account"], run.accounts, run, scope) if "account" in settings else None
    return Test(
        declaration.title.value,
        _given(sections.get("given"), scope),
        policies,
        listing,
        account,
        _day(settings.get("as_of"), scope),
        _expected(sections["expect"], scope),
        declaration.head,
    )


def _once(items: Iterable[NamedItem], scope: Scope) -> dict[str, NamedItem]:
    """The items by name; a second one of a name is reported."""
    found: dict[str, NamedItem] = {}
    for item in items:
        first = found.setdefault(item.name.name, item)
        if first is not item:
            scope.error(
                "M302", f"`{item.name.name}` stands twice", item.name.span, "remove one of the two",
                Note("the first is here", first.name.span),
            )  # fmt: skip
    return found


def _named(kind: str, setting: syntax.Setting, known: Mapping[str, Named], run: Check, scope: Scope) -> Named | None:
    nodes = texts(setting, scope, '"title"')
    if len(nodes) != 1:
        return None
    if nodes[0].value not in known:
        titles = [*known, *(run.policy_titles(kind))]
        if nodes[0].value not in titles:
            help = did_you_mean(nodes[0].value, titles)
            scope.error("M212", f"there is no `{kind}` called `{nodes[0].value}`", nodes[0].span, help)
        return None
    return known[nodes[0].value]


def _day(setting: syntax.Setting | None, scope: Scope) -> datetime.date | None:
    if setting is None:
        return None
    if not isinstance(setting.value, syntax.Date):
        scope.error(
            "M308", f"`{setting.value.span.text}` is not a day", setting.value.span, "write `as_of = 2026-11-27`"
        )
        return None
    return setting.value.value


class _NotLiteral(Exception):
    pass


def literal(node: syntax.Expression) -> Value:
    """The value of a literal. Raises _NotLiteral for every other expression."""
    match node:
        case syntax.Number() | syntax.Text() | syntax.Date() | syntax.Flag():
            return node.value
        case syntax.Percent():
            return node.value.scaleb(-2)
        case syntax.Unary(operator="-", operand=syntax.Number(value=value)):
            return -value
        case syntax.ListOf():
            return tuple(literal(item) for item in node.items)
        case syntax.Name(name="none", quoted=False):
            return None
    raise _NotLiteral


def _given(section: syntax.Section | None, scope: Scope) -> dict[str, Value]:
    found: dict[str, Value] = {"sku": "test"}
    _once([one for one in (section.items if section is not None else ()) if isinstance(one, syntax.Setting)], scope)
    for item in section.items if section is not None else ():
        if not isinstance(item, syntax.Setting):
            scope.error("M303", "`given` holds the product's attributes", item.span, "write `qty = 18`")
            continue
        name = item.name.name
        try:
            value: Value = literal(item.value)
        except _NotLiteral:
            help = "an attribute is given as a number, a text, yes, no, a day, a list of these, or `none`"
            scope.error("M308", f"`{item.value.span.text}` is not a literal", item.value.span, help)
            continue
        known = scope.schema.attributes.get(name) if scope.schema is not None else None
        if scope.schema is not None and known is None and standard_type(name, None) is None:
            close = did_you_mean(name, scope.schema.attributes)
            scope.error("M201", f"`{scope.schema.title}` has no attribute `{name}`", item.name.span, close)
            continue
        expected = known or standard_type(name, None)
        if expected is not None and not _is(value, expected):
            kind = "number" if expected.kind == "money" else expected.kind
            scope.error("M308", f"`{name}` is a {kind}", item.value.span, "give it a value of that type")
            continue
        found[name] = value
    return found


def _is(value: Value, type_: Type) -> bool:
    if value is None:
        return True
    if type_.kind == "list":
        return isinstance(value, tuple) and all(_is(one, type_.item or TEXT) for one in value)
    return type_of(value).kind == ("number" if type_.numeric else type_.kind) or type_.kind == "unknown"


def type_of(value: Value) -> Type:
    """The type of a value that nothing else tells of."""
    match value:
        case bool():
            return FLAG
        case Decimal():
            return NUMBER
        case datetime.date():
            return DATE
        case tuple():
            return Type("list", item=type_of(value[0])) if value else TEXTS
    return TEXT


def schema_of_tests(tests: Sequence[Test], currency: str | None) -> dict[str, Type]:
    """Attributes to check the rules of a rule set without a catalogue against: the standard ones, and what the tests
    give. Each is optional, as in a snapshot."""
    found: dict[str, Type] = {}
    for test in tests:
        for name, value in test.given.items():
            known = standard_type(name, currency)
            if known is None and (value is not None or name not in found):
                found[name] = type_of(value).maybe(True)
    standard = {name: standard_type(name, currency) for name in STANDARD}
    given = {name for test in tests for name in test.given}
    sources = {name: standard_type(name, currency) for name in given if name.startswith("source:")}
    return {name: type_ for name, type_ in {**standard, **sources, **found}.items() if type_ is not None}


def _expected(section: syntax.Section, scope: Scope) -> tuple[Expectation, ...]:
    found: list[Expectation] = []
    for item in section.items:
        if not isinstance(item, syntax.Setting):
            scope.error("M303", "`expect` holds outcomes", item.span, "write `quantity = 13`, or `price = held`")
            continue
        name, node = item.name.name, item.value
        if isinstance(node, syntax.Name) and node.name in {"held", "ready", "unlisted"} and not node.quoted:
            word: Value = node.name if name == "status" else None
            found.append(Expectation(name, word, node.name == "held" and name != "status", item.span))
            continue
        try:
            found.append(Expectation(name, literal(node), False, item.span))
        except _NotLiteral:
            scope.error(
                "M308", f"`{node.span.text}` is not a literal", node.span, "write the value itself, `held` or `none`"
            )
    return tuple(found)
