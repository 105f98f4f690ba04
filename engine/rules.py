"""The result of the checker: everything a rule set says, typed, immutable, without a syntax tree."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from merx.engine.expression import Attribute, Expression, Program, Step
from merx.engine.policy import Bounds, Context, PolicyType, Settings
from merx.engine.scope import Rates
from merx.engine.snapshot import Schema
from merx.engine.source import Span
from merx.engine.standard import AMOUNTS, SOURCE_PREFIX
from merx.engine.types import UNKNOWN, Type, Value


@dataclass(frozen=True, slots=True)
class RuleContext(Context):
    """What policy types may ask of a rule set (see `merx.engine.policy.Context`)."""

    rates: Rates
    schema: Schema | None = None
    limits: Mapping[str, Bounds] = field(default_factory=dict)
    media_url: str | None = None

    @property
    def bounds(self) -> Mapping[str, Bounds]:
        return self.limits

    @property
    def rates_as_of(self) -> datetime.date | None:
        return self.rates.as_of

    @property
    def sources(self) -> tuple[str, ...] | None:
        if self.schema is None:
            return None
        names = self.schema.attributes
        found = tuple(name.removeprefix(SOURCE_PREFIX) for name in names if name.startswith(SOURCE_PREFIX))
        # Only the products themselves tell which sources there are not; a `catalog` block need not name them.
        return found if found or self.schema.whole else None

    @property
    def media_base_url(self) -> str | None:
        return self.media_url

    def rate(self, base: str, quote: str) -> tuple[Decimal, Span | None] | None:
        return self.rates.table.get((base, quote))

    def attribute(self, name: str, type: Type) -> Attribute:
        known = self.schema.attributes.get(name) if self.schema is not None else None
        if known is None and name in AMOUNTS:
            # Amounts share a currency: what `price` is in, and nothing is known of it without a schema.
            price = self.schema.attributes.get("price") if self.schema is not None else UNKNOWN
            known = price or type
        return Attribute(type=(known or type).maybe(True), name=name)


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A checked policy. Each has its own program for each marketplace's bounds.

    span: its head, `kind "title"`; places: of the fields that were written, dotted for a section's.
    """

    kind: str
    title: str
    type: PolicyType
    settings: Settings
    span: Span
    places: Mapping[str, Span]
    context: RuleContext

    def program(self, bounds: Mapping[str, Bounds]) -> Program | None:
        """What the policy comes to for a product; None for a kind that decides nothing about one."""
        context = RuleContext(self.context.rates, self.context.schema, bounds, self.context.media_url)
        program = self.type.program(self.settings, context)
        return None if program is None else replace(program, steps=tuple(self._placed(one) for one in program.steps))

    def _placed(self, step: Step) -> Step:
        """The step with a place: its value's own, or its setting's, or the policy's."""
        if step.span is not None or step.value.span is not None:
            return step
        return replace(step, span=self.places.get(step.setting or "", self.span))

    def active(self, day: datetime.date) -> bool:
        return self.settings.active is None or day in self.settings.active


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """A listing template. assign: a flag, None where only the SKUs in `products` are taken.
    policies: kind → the policies it names, in order."""

    title: str
    priority: Decimal
    assign: Expression | None
    products: tuple[str, ...]
    policies: Mapping[str, tuple[Policy, ...]]
    span: Span

    def policy(self, kind: str, day: datetime.date) -> Policy | None:
        """The policy of a kind that applies on `day`: the first active one."""
        return next((one for one in self.policies.get(kind, ()) if one.active(day)), None)


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """An account of a connector: its listings, and the bounds that its marketplace sets."""

    title: str
    connector: str
    listings: tuple[Listing, ...]
    policies: Mapping[str, tuple[Policy, ...]]
    bounds: Mapping[str, Bounds]
    span: Span


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line of a test's `expect`. value: a Value, or the word `held`."""

    outcome: str
    value: Value
    held: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Test:
    """A `test` block: a product, what decides it, and what must come of it.

    policies: kind → the policy named; empty where the listings decide. listing: only this one is asked."""

    title: str
    given: Mapping[str, Value]
    policies: Mapping[str, Policy]
    listing: Listing | None
    account: Account | None
    as_of: datetime.date | None
    expected: tuple[Expectation, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """All that the checked files say. schema: what the attributes were checked against, None where nobody told."""

    schema: Schema | None
    rates: Rates
    policies: Mapping[tuple[str, str], Policy]
    listings: tuple[Listing, ...]
    accounts: Mapping[str, Account]
    tests: tuple[Test, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of policy that the listings name, in the order they first do."""
        return tuple(dict.fromkeys(kind for listing in self.listings for kind in listing.policies))
