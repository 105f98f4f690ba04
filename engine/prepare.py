"""Rules, a day and an account come in; what both evaluators run goes out: listings by priority, and their programs."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from merx.engine.diagnostic import Diagnostic, PolicyError, did_you_mean
from merx.engine.expression import Program
from merx.engine.policy import Bounds
from merx.engine.rules import Account, Listing, Policy, Rules

OUTCOMES = ("price", "sale_price", "currency", "quantity", "main_image", "images")
"""The outcomes that every evaluation has a column of, set or not; those of further policy types come after them."""


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """A policy that applies on the day, and its program."""

    policy: Policy
    program: Program


@dataclass(frozen=True, slots=True, eq=False)
class Taker:
    """What decides the products that one listing took, or that several of one priority took (a tie).

    decided: kind → policy; of a tie, only the kinds that all of its listings give the same policy.
    """

    listings: tuple[Listing, ...]
    decided: Mapping[str, Decided]

    @property
    def title(self) -> str | None:
        """The listing's; None for a tie."""
        return self.listings[0].title if len(self.listings) == 1 else None

    @property
    def reason(self) -> str | None:
        """Why a tie is held."""
        if len(self.listings) == 1:
            return None
        names = " and ".join(f"`{one.title}`" for one in self.listings)
        places = ", ".join(one.span.place for one in self.listings)
        return f"listing: {names} take it with one priority, {self.listings[0].priority:f} ({places})"


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """groups: the listings, larger priority first, those of one priority together, in the order of declaration."""

    day: datetime.date
    groups: tuple[tuple[Listing, ...], ...]
    programs: Mapping[tuple[str, str], Decided]

    def taker(self, listings: Sequence[Listing]) -> Taker:
        """What decides where these listings took a product."""
        decided: dict[str, Decided] = {}
        for kind in self.kinds:
            active = [listing.policy(kind, self.day) for listing in listings]
            first = active[0]
            if first is not None and all(one is first for one in active) and (kind, first.title) in self.programs:
                decided[kind] = self.programs[kind, first.title]
        return Taker(tuple(listings), decided)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of policy, in the order of their outcomes, which is the order of reasons too."""
        return tuple(dict.fromkeys(kind for kind, _ in self.programs))

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The names of all outcomes, the standard ones first."""
        further = (name for one in self.programs.values() for name, _ in one.program.outcomes)
        return tuple(dict.fromkeys((*OUTCOMES, *further)))


def prepare(rules: Rules, day: datetime.date, account: str | None = None) -> Prepared:
    """What the listings of the account (of no account: all of them, without a marketplace's bounds) decide on `day`.

    Raises PolicyError (M216) for an account that is not declared.
    """
    listings: Sequence[Listing] = rules.listings
    bounds: Mapping[str, Bounds] = {}
    if account is not None:
        found = _account(rules, account)
        listings, bounds = found.listings, found.bounds
    ordered = sorted(listings, key=lambda one: -one.priority)
    groups = tuple(tuple(group) for _, group in groupby(ordered, key=lambda one: one.priority))
    programs: dict[tuple[str, str], Decided] = {}
    for listing in listings:
        for kind in listing.policies:
            policy = listing.policy(kind, day)
            if policy is not None and (kind, policy.title) not in programs:
                program = policy.program(bounds)
                if program is not None:
                    programs[kind, policy.title] = Decided(policy, program)
    return Prepared(day, groups, dict(sorted(programs.items(), key=lambda one: _rank(one[1].program))))


def _rank(program: Program) -> int:
    """Where the program's outcomes stand among the columns of an evaluation."""
    return min((OUTCOMES.index(name) for name, _ in program.outcomes if name in OUTCOMES), default=len(OUTCOMES))


def _account(rules: Rules, title: str) -> Account:
    if title in rules.accounts:
        return rules.accounts[title]
    names = ", ".join(f'"{one}"' for one in rules.accounts) or "none"
    help = did_you_mean(title, rules.accounts) or f"the accounts are: {names}"
    raise PolicyError([Diagnostic("M216", "error", f"there is no account `{title}`", None, help)])
