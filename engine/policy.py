"""What a policy type is: settings that the checker has typed come in, a program of expressions goes out.

A third party's policy type is a `PolicyType` and a `Settings` model; the engine checks, evaluates, explains and compares
whatever program it gives, without knowing the kind.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from merx.engine.diagnostic import Level
from merx.engine.expression import Attribute, Expression, Program, RoundingMode
from merx.engine.source import Span
from merx.engine.types import Type

if TYPE_CHECKING:
    from merx.engine.publishing import Publishing

RUNNING = "running"
"""The local that each expression of `Changes` reads: the price that the change is applied to."""


@dataclass(frozen=True, slots=True)
class Changes:
    """A `change` setting: applied in order, each an expression over `Local("running")`."""

    steps: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Rounding:
    """`half_up to 0.05`. step is above 0."""

    mode: RoundingMode
    step: Decimal


@dataclass(frozen=True, slots=True)
class Ensured:
    """`ensure CONDITION "message"`."""

    condition: Expression
    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class DateRange:
    """`2026-11-27..2026-12-01`, both days included."""

    first: datetime.date
    last: datetime.date

    def __contains__(self, day: datetime.date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Interval:
    """`off` (both None), `every 15m` (seconds) or `cron("*/5 * * * *")`."""

    seconds: int | None = None
    cron: str | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word, or one with arguments: `guest`, `same("orders@example.com")`."""

    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entries:
    """A section of `key -> value` entries, in order; otherwise is the value of `else`, None without one."""

    pairs: tuple[tuple[str, str], ...]
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """Annotation of a `Word` field: the words it may be, each with how many text arguments it takes; without any, every
    word goes.

    customer: Annotated[Word, Words({"guest": 0, "real": 0, "same": 1})]
    """

    words: Mapping[str, int] = field(default_factory=dict)


Side = Literal["marketplace", "store"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Annotation of a `tuple[str, ...]` or `Entries` field: which names a side knows.

        create_when: Annotated[tuple[str, ...], Vocabulary("marketplace", "statuses")]
        statuses: Annotated[Entries, Vocabulary("marketplace", "statuses", to=("store", "statuses"), words=("keep",))]

    side, term: whose names the elements (or keys) are: `statuses` or `carriers`.
    to: whose names the values of entries are; words: further values allowed, written bare.
    complete: every known key must be mapped where there is no `else`.
    """

    side: Side
    term: Literal["statuses", "carriers"]
    to: tuple[Side, Literal["statuses", "carriers"]] | None = None
    words: tuple[str, ...] = ()
    complete: bool = True


class AttributeNames(tuple[str, ...]):
    """A list of attribute names, written bare: `[name, color]`."""

    __slots__ = ()


class Settings(BaseModel):
    """Base of every policy type's fields. A field's annotation says what may be written, its description is its
    documentation, its default is what stands when it is left out.

    `Expression` any expression, typed as `PolicyType.expect` says · `Changes` · `Rounding` · `tuple[Ensured, ...]`
    (named `ensure`) · `DateRange` · `Interval` · `bool` a flag · `int`, `Decimal` a number literal · `str` a text ·
    `Literal["a", "b"]` a bare word · `Word` with `Words` · `tuple[str, ...]` a list of texts (of bare names too where
    a `Vocabulary` says whose) · `Entries` with `Vocabulary` · `AttributeNames` · `datetime.timedelta` a duration ·
    another `BaseModel` a section. Each may be `| None`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    active: DateRange | None = Field(None, description="The days on which the policy applies, both ends included.")


@dataclass(frozen=True, slots=True)
class Expected:
    """What an expression field takes.

    types: the kinds allowed, any where empty; a `money` type fixes the currency too, a literal number goes with it.
    optional: takes a value that may be missing.
    names: the locals it may read beside the attributes; they shadow attributes of the same name.
    """

    types: tuple[Type, ...] = ()
    optional: bool = False
    names: Mapping[str, Type] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """What a policy type finds wrong with its settings. field: the setting to underline, dotted for a section's,
    None for the head of the declaration."""

    code: str
    message: str
    field: str | None = None
    help: str | None = None
    level: Level = "error"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A marketplace's bounds of an outcome, both included; None is unbounded. name: who sets them, for reasons."""

    name: str
    low: Decimal | None = None
    high: Decimal | None = None


class Context(Protocol):
    """What a policy type may ask while it makes a program."""

    @property
    def bounds(self) -> Mapping[str, Bounds]:
        """Outcome (`price`, `quantity`, `images`) → the account's marketplace's bounds; empty without an account."""

    @property
    def rates_as_of(self) -> datetime.date | None:
        """The `as_of` of the `rates` declaration."""

    @property
    def sources(self) -> tuple[str, ...] | None:
        """The stock sources that the schema knows (`source:<code>` columns), None without a schema."""

    @property
    def media_base_url(self) -> str | None:
        """What image paths are relative to, where the project says so."""

    def rate(self, base: str, quote: str) -> tuple[Decimal, Span | None] | None:
        """The declared rate from one currency to another, and where; None without one. Never inverted or chained."""

    def attribute(self, name: str, type: Type) -> Attribute:
        """A standard attribute as an optional value, missing where the snapshot lacks it: of the schema's own type
        where the schema knows the name, else of `type`."""


class PolicyType:
    """A kind of block. Subclasses set the class variables and say what their fields mean.

    kind: the word that starts the declaration. applies_to: who names such policies: a listing (`product`) or an
    account (`order`, `account`). fields: the model of its settings.
    """

    kind: ClassVar[str]
    applies_to: ClassVar[Literal["product", "order", "account"]]
    fields: ClassVar[type[Settings]]

    def expect(self, field: str, given: Mapping[str, Any], context: Context) -> Expected:
        """What expression field `field` takes. given: the fields before it, in the order the model declares them
        (a field's `Expression` has a `type`); fields that have problems of their own are left out."""
        raise NotImplementedError(f"{type(self).__name__} has expression fields and no `expect`")

    def problems(self, settings: Any, context: Context) -> Iterable[Problem]:
        """What is wrong with the settings beyond what their types say."""
        return ()

    def program(self, settings: Any, context: Context) -> Program | None:
        """The expressions that the settings come to; None for a kind that decides nothing about a product."""
        return None

    def publishing(self, settings: Any) -> Publishing | None:
        """What the settings say of when and how products are published; None for a kind that says nothing of it."""
        return None
