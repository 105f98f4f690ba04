"""A workspace and an account come in; the plan for the account goes out: what `merx plan` shows and `merx apply` sends."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from merx.engine.accepted import Accepted, accepted_of
from merx.engine.columns import TOO_WIDE
from merx.engine.evaluate import DECIDED
from merx.engine.evaluation import ASSIGNED, Question, evaluate_rows, evaluated, spliced
from merx.engine.expression import Attribute, Compare, Constant
from merx.engine.fault import reason
from merx.engine.fingerprint import of_columns, of_frame, of_text
from merx.engine.plan import DETAIL, Compared, Scope, Sides, compare
from merx.engine.prepare import Prepared, prepare
from merx.engine.publishing import Publishing
from merx.engine.rules import Account, Rules
from merx.engine.ruleset import Ruleset
from merx.engine.snapshots import Kept, frame_of
from merx.engine.types import TEXT
from merx.engine.workspace import Workspace

_FLAGS = ("status", "visibility", "parent_sku")
_DISABLED, _NOT_VISIBLE = 2, 1


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is to be done for an account.

    id: of all that it says and was made from. serial: of what the marketplace had accepted. rules: what the rules were,
    see `Workspace.identity`. by: (listing, field) → the rule that decides it, and its place. computed: how many products
    were evaluated for it. doubtful: how many products had something sent of which nobody knows the end.
    """

    id: str
    account: str
    snapshot: str
    rules: Mapping[str, str]
    serial: int
    day: datetime.date
    scope: Scope
    compared: Compared
    by: Mapping[tuple[str, str], str] = field(default_factory=dict)
    computed: int = 0
    doubtful: int = 0

    @property
    def items(self) -> pl.DataFrame:
        return self.compared.items

    @property
    def empty(self) -> bool:
        """Nothing would be sent."""
        return self.items.filter(pl.col("action") != "hold").is_empty()


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """frame: see `merx.engine.plan`. prepared: what decided it."""

    frame: pl.DataFrame
    prepared: Prepared
    computed: int


def publishing_of(account: Account, day: datetime.date) -> Publishing:
    """What the account's policies say of when and how it is published."""
    for policies in account.policies.values():
        policy = next((one for one in policies if one.active(day)), None)
        found = None if policy is None else policy.type.publishing(policy.settings)
        if found is not None:
            return found
    return Publishing()


def make_plan(
    workspace: Workspace,
    account: Account,
    kept: Kept,
    *,
    day: datetime.date | None = None,
    scope: Scope | None = None,
    by_queries: bool = True,
) -> Plan:
    """by_queries: the listings' queries assign the products; else each keeps the listing that was recorded for it.

    Raises PolicyError where the rules do not go with the snapshot.
    """
    day, scope = day or workspace.day, scope or Scope()
    accepted = accepted_of(workspace.state, account.title)
    publishing = publishing_of(account, day)
    wanted = what_is_wanted(workspace, account, kept, day, accepted, publishing, by_queries=by_queries)
    programs = wanted.prepared.programs
    groups = {kind: _outcomes(wanted.prepared, kind) for kind in wanted.prepared.kinds}
    compared = compare(wanted.frame, accepted.frame, Sides(groups, scope=scope))
    by = {}
    for group in wanted.prepared.groups:
        for listing in group:
            for kind in listing.policies:
                policy = listing.policy(kind, day)
                if policy is not None and (kind, policy.title) in programs:
                    rule = f'{kind} "{policy.title}" ({policy.span.place})'
                    by.update({(listing.title, name): rule for name in groups[kind]})
            by[listing.title, "listing"] = f'listing "{listing.title}" ({listing.span.place})'
    doubtful = int(accepted.frame["in_doubt"].sum())
    identity = plan_identity(workspace, account, day)
    name = _name(account.title, kept.id, identity, accepted.serial, day, scope, compared.items)
    return Plan(
        name, account.title, kept.id, identity, accepted.serial, day, scope, compared, by, wanted.computed, doubtful
    )


def plan_identity(workspace: Workspace, account: Account, day: datetime.date) -> dict[str, str]:
    """What a plan depends on beside products and state: see `Workspace.identity`."""
    return {**workspace.identity, "policies of the account": of_text(repr(publishing_of(account, day)))}


def _outcomes(prepared: Prepared, kind: str) -> tuple[str, ...]:
    programs = [one.program for (known, _), one in prepared.programs.items() if known == kind]
    return tuple(dict.fromkeys(name for program in programs for name, _ in program.outcomes))


def _name(
    account: str, snapshot: str, rules: Mapping[str, str], serial: int, day: datetime.date, scope: Scope,
    items: pl.DataFrame,
) -> str:  # fmt: skip
    told = json.dumps([account, snapshot, dict(rules), serial, day.isoformat(), scope.name], sort_keys=True)
    return of_text(told, of_frame(of_columns(items)))


def what_is_wanted(
    workspace: Workspace, account: Account, kept: Kept, day: datetime.date, accepted: Accepted,
    publishing: Publishing, *, by_queries: bool,
) -> Wanted:  # fmt: skip
    """What the rules decide of every product of the snapshot."""
    ruleset = workspace.ruleset.bind(kept.schema)
    schema = ruleset.schema if workspace.ruleset.has_catalog else kept.schema
    assert schema is not None
    account = ruleset.rules.accounts[account.title]
    beside = frame_of(kept, {*_FLAGS, *publishing.details})
    recorded = _recorded(beside, accepted)
    by_record = _by_record(ruleset, account)
    rules = ruleset.rules if by_queries else by_record
    prepared = prepare(rules, day, account.title)
    asked = Question(
        workspace.state, account.title, "queries" if by_queries else "record", prepared, schema,
        _reads(ruleset, prepared), workspace.identity, kept,
        None if by_queries else _known_only(recorded, account),
    )  # fmt: skip
    found = evaluated(asked)
    outcomes = found.outcomes
    if by_queries:
        kept_on = replace(asked, prepared=prepare(by_record, day, account.title), assigned=recorded)
        outcomes = _with_kept_listings(outcomes, kept_on, accepted, publishing)
    return Wanted(_with_details(outcomes, beside, publishing), prepared, found.computed)


def _reads(ruleset: Ruleset, prepared: Prepared) -> frozenset[str]:
    return ruleset.reads(prepared) - {ASSIGNED}


def _recorded(products: pl.DataFrame, accepted: Accepted) -> pl.Series:
    """The listing that each product of the snapshot was last given."""
    if not accepted.frame.height:
        return pl.Series(ASSIGNED, [None], dtype=pl.String).new_from_index(0, products.height)
    known = accepted.frame.select("sku", pl.coalesce("assigned", "listing").alias(ASSIGNED))
    if products.height == known.height and (products["sku"] == known["sku"]).all():
        return known[ASSIGNED]
    return products.select("sku").join(known, on="sku", how="left", maintain_order="left")[ASSIGNED]


def _known_only(recorded: pl.Series, account: Account) -> pl.Series:
    titles = [one.title for one in account.listings]
    return recorded.to_frame().select(pl.when(pl.col(ASSIGNED).is_in(titles)).then(pl.col(ASSIGNED))).to_series()


def _by_record(ruleset: Ruleset, account: Account) -> Rules:
    """The rules, with listings that take the products that were recorded for them, whatever their queries say."""
    listings = tuple(
        replace(
            one, products=(), assign=Compare(
                operator="==", left=Attribute(type=TEXT.maybe(), name=ASSIGNED), right=Constant(type=TEXT, value=one.title)
            ),
        )
        for one in account.listings
    )  # fmt: skip
    accounts = {**ruleset.rules.accounts, account.title: replace(account, listings=listings)}
    return replace(ruleset.rules, accounts=accounts)


def _with_kept_listings(
    outcomes: pl.DataFrame, asked: Question, accepted: Accepted, publishing: Publishing
) -> pl.DataFrame:
    """Published products that no query takes any more keep their listing, unless they are to lose it; of those whose
    listing cannot be told, the quantity at least stays true."""
    assert asked.assigned is not None
    shown = accepted.frame.filter(pl.col("published") | pl.col("in_doubt"))["sku"]
    if not shown.len():
        return outcomes
    lost = outcomes["listing"].is_null() & outcomes["sku"].is_in(shown.implode()) & asked.assigned.is_not_null()
    undecided = lost & (outcomes["status"] == "held")
    if publishing.unassign:
        lost = undecided
    if not lost.any():
        return outcomes
    again = evaluate_rows(asked, lost)
    before = outcomes.filter(lost)
    held = undecided.filter(lost)
    kinds = [name for name in again.columns if name.startswith(DECIDED)]
    stock = {
        f"{DECIDED}{kind}"
        for (kind, _), one in asked.prepared.programs.items()
        if "quantity" in dict(one.program.outcomes)
    }
    again = again.with_columns(
        pl.when(held).then(before["reasons"]).otherwise(pl.col("reasons")).alias("reasons"),
        pl.when(held).then(pl.lit("held")).otherwise(pl.col("status")).alias("status"),
        pl.when(held).then(pl.lit(None, dtype=pl.String)).otherwise(pl.col("listing")).alias("listing"),
        *(pl.when(held).then(pl.lit(False)).otherwise(pl.col(name)).alias(name) for name in kinds if name not in stock),
    )
    both = spliced(outcomes, lost, again)
    if both is not None:
        return both
    # No column holds the numbers of both: nothing is said of these products, and nothing of them changes.
    told = pl.lit([reason("listing", TOO_WIDE, None)])
    return outcomes.with_columns(
        pl.when(lost).then(pl.lit("held")).otherwise(pl.col("status")).alias("status"),
        pl.when(lost).then(told).otherwise(pl.col("reasons")).alias("reasons"),
    )


def _with_details(outcomes: pl.DataFrame, beside: pl.DataFrame, publishing: Publishing) -> pl.DataFrame:
    details = [_text_of(beside[name]).alias(f"{DETAIL}{name}") for name in publishing.details if name in beside.columns]
    return outcomes.with_columns(
        *details, _flag(beside, "status", _DISABLED).alias("disabled"),
        (_hidden(beside) if not publishing.standalone else pl.Series([False]).new_from_index(0, beside.height)).alias("hidden"),
    )  # fmt: skip


def _flag(frame: pl.DataFrame, name: str, value: int) -> pl.Series:
    if name not in frame.columns:
        return pl.Series([False]).new_from_index(0, frame.height)
    return frame.select((pl.col(name) == value).fill_null(False)).to_series()


def _hidden(frame: pl.DataFrame) -> pl.Series:
    """Products that the store does not show on their own; a variation of another goes with it."""
    hidden = _flag(frame, "visibility", _NOT_VISIBLE)
    return hidden & frame["parent_sku"].is_null() if "parent_sku" in frame.columns else hidden


def _text_of(series: pl.Series) -> pl.Series:
    dtype = series.dtype
    if isinstance(dtype, pl.List):
        return series.cast(pl.List(pl.String)).list.join(", ")
    text = series.cast(pl.String)
    if isinstance(dtype, pl.Decimal):
        return text.str.replace(r"\.?0+$", "") if dtype.scale else text
    return text
