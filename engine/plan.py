"""What the rules want and what the marketplace last accepted come in; what is to be done about each product goes out.

Nothing is read or sent here. Both sides are frames with a row a product, and so is the plan:

    wanted    sku listing status reasons · the outcomes · `decided:KIND` · `detail:NAME` · disabled hidden
    accepted  sku listing published in_doubt · the outcomes · `detail:NAME`
    items     sku action shown in_doubt listing reasons fields · `old:FIELD` and `new:FIELD` of every field

A field is an outcome, `listing`, or `detail:NAME`. `decided:KIND` says that null outcomes of that kind of policy are no
value; where it is false they say nothing, and what the marketplace shows stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from merx.engine.evaluate import DECIDED, SCHEMA
from merx.engine.publishing import PRICED
from merx.engine.tables import alike

Action = Literal["create", "change", "hold", "withdraw"]
ACTIONS: tuple[Action, ...] = ("create", "change", "hold", "withdraw")

DETAIL = "detail:"
LISTING = "listing"

_HERE, _SHOWN = "here#", "shown#"


@dataclass(frozen=True, slots=True)
class Scope:
    """What part of a plan is wanted.

    name: `all`, or the job's. actions, fields: None is every one. triggers: the fields of which one must differ for a
    product to be changed, None for any of `fields`; where they are given, all of `fields` are sent.
    """

    name: str = "all"
    actions: frozenset[Action] | None = None
    fields: frozenset[str] | None = None
    triggers: frozenset[str] | None = None

    def takes(self, field: str) -> bool:
        return self.fields is None or field in self.fields

    def compares(self, field: str) -> bool:
        return self.takes(field) or (self.triggers is not None and field in self.triggers)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """items: a row a product that something is to be said of (see the module). unchanged, hidden: how many products are
    as they should be, and are not published because the store does not show them on their own."""

    items: pl.DataFrame
    fields: tuple[str, ...]
    unchanged: int
    hidden: int = 0
    published: int = 0

    @property
    def summary(self) -> dict[str, int]:
        counted = dict(self.items["action"].value_counts().iter_rows())
        return {**{action: int(counted.get(action, 0)) for action in ACTIONS}, "unchanged": self.unchanged}


@dataclass(frozen=True, slots=True)
class Sides:
    """How the two frames are to be read. groups: kind of policy → its outcomes. complete: a published product that is not
    among the wanted ones is gone."""

    groups: Mapping[str, tuple[str, ...]]
    complete: bool = True
    scope: Scope = field(default_factory=Scope)


def compare(wanted: pl.DataFrame, accepted: pl.DataFrame, sides: Sides) -> Compared:
    """What is to be done. Products to create come first, then changes, holds and withdrawals, each in the wanted order."""
    fields = _fields(wanted, accepted, sides)
    both = _beside(wanted, accepted, fields)
    # Of a product in doubt everything is sent, whatever part of the plan is wanted: only then is there no doubt any more.
    differs = {
        name: _differs(name, sides) if sides.scope.compares(name) else _differs(name, sides) & pl.col("in_doubt")
        for name in fields
    }
    both = both.with_columns(expr.alias(f"differs:{name}") for name, expr in differs.items())
    both = both.with_columns(_action(fields, sides).alias("action"))
    silent = pl.col("action").is_null()
    hidden = _may_be_new() & pl.col("hidden")
    counts = both.select(
        (_listed_or_shown() & silent & ~hidden).sum().alias("unchanged"), hidden.sum().alias("hidden"),
        pl.col(_SHOWN).sum().alias("shown"),
    ).row(0, named=True)  # fmt: skip
    items = both.filter(pl.col("action").is_not_null())
    if sides.scope.actions is not None:
        items = items.filter(pl.col("action").is_in(list(sides.scope.actions)))
    made = _items(items, fields)
    return Compared(made, tuple(fields), counts["unchanged"], counts["hidden"], counts["shown"])


def _fields(wanted: pl.DataFrame, accepted: pl.DataFrame, sides: Sides) -> list[str]:
    outcomes = [name for names in sides.groups.values() for name in names]
    ordered = [name for name in SCHEMA if name in outcomes] + [name for name in outcomes if name not in SCHEMA]
    details = [name for name in wanted.columns if name.startswith(DETAIL)]
    fields = list(dict.fromkeys([LISTING, *ordered, *details]))
    # A withdrawn product shows 0, whatever policies there are.
    return fields if "quantity" in fields else [*fields, "quantity"]


def _beside(wanted: pl.DataFrame, accepted: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
    """Each product once, what is wanted and what was accepted (`old:FIELD`) side by side."""
    missing = [name for name in fields if name not in wanted.columns]
    wanted = wanted.with_columns(pl.lit(None, dtype=_dtype(name, accepted)).alias(name) for name in missing)
    wanted = alike(wanted, accepted).with_columns(pl.lit(True).alias(_HERE))
    old = alike(accepted, wanted)
    old = old.with_columns(
        pl.lit(None, dtype=wanted.schema[name]).alias(name) for name in fields if name not in old.columns
    )
    old = old.select(
        "sku", *(pl.col(name).cast(wanted.schema[name]).alias(f"old:{name}") for name in fields),
        pl.col("published").alias(_SHOWN), "in_doubt",
    )  # fmt: skip
    if not old.height:
        nothing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in old.schema.items() if name != "sku"]
        both = wanted.with_columns(nothing)
    elif wanted.height == old.height and (wanted["sku"] == old["sku"]).all():
        both = pl.concat([wanted, old.drop("sku")], how="horizontal")
    else:
        both = wanted.join(old, on="sku", how="full", coalesce=True, maintain_order="left_right")
    return both.with_columns(pl.col(_HERE, _SHOWN, "in_doubt", "disabled", "hidden").fill_null(False))


def _dtype(name: str, accepted: pl.DataFrame) -> Any:
    return accepted.schema.get(name) or SCHEMA.get(name, pl.String())


def _differs(name: str, sides: Sides) -> pl.Expr:
    """Whether a wanted value is another than the accepted one, or that one is in doubt."""
    new, old = pl.col(name), pl.col(f"old:{name}")
    other = new.ne_missing(old) | pl.col("in_doubt")
    if name == LISTING:
        return other & new.is_not_null()
    if name.startswith(DETAIL):
        return other & pl.col(LISTING).is_not_null()
    kinds = [kind for kind, names in sides.groups.items() if name in names]
    return other & pl.any_horizontal(pl.lit(False), *(pl.col(f"{DECIDED}{kind}").fill_null(False) for kind in kinds))


def _listed_or_shown() -> pl.Expr:
    return pl.col(_SHOWN) | (pl.col(_HERE) & (pl.col("status") != "unlisted") & ~pl.col("disabled"))


def _may_be_new() -> pl.Expr:
    """Not published yet, in a listing or held, and for sale."""
    listed = pl.col(_HERE) & (pl.col("status") != "unlisted")
    return listed.fill_null(False) & ~pl.col(_SHOWN) & ~pl.col("disabled")


def _action(fields: Sequence[str], sides: Sides) -> pl.Expr:
    nobody = pl.lit(None, dtype=pl.String)
    shown, new = pl.col(_SHOWN), _may_be_new() & ~pl.col("hidden")
    held = (pl.col("status") == "held").fill_null(False)
    lost = pl.col("disabled") | (pl.col("status") == "unlisted").fill_null(False)
    if sides.complete:
        lost = lost | ~pl.col(_HERE)
    # One that may have been published, for all that is known, is withdrawn like one that was.
    sold = pl.col("in_doubt") | (shown & pl.col("old:quantity").ne_missing(pl.lit(0)))
    triggers = sides.scope.triggers
    differs = pl.any_horizontal(
        pl.col(f"differs:{name}") & (pl.lit(triggers is None or name in triggers) | pl.col("in_doubt"))
        for name in fields
    )
    return (
        pl.when(lost & sold).then(pl.lit("withdraw"))
        .when(lost).then(nobody)
        .when(shown & differs).then(pl.lit("change"))
        .when(new & ~held).then(pl.lit("create"))
        .when((shown | new) & held).then(pl.lit("hold"))
        .otherwise(nobody)
    )  # fmt: skip


def _items(found: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
    """The rows of the plan, in the order of the actions."""
    creates, withdraws = pl.col("action") == "create", pl.col("action") == "withdraw"
    named = []
    for name in fields:
        changes = pl.col(f"differs:{name}")
        new = pl.col(name).is_not_null() if name != "images" else pl.col(name).list.len() > 0
        told = pl.when(creates).then(new).when(withdraws).then(pl.lit(name == "quantity")).otherwise(
            changes & (pl.col("action") == "change")
        )  # fmt: skip
        named.append(pl.when(told).then(pl.lit(name)))
    order = pl.col("action").replace_strict({action: place for place, action in enumerate(ACTIONS)}, default=None)
    zero = pl.when(withdraws).then(pl.lit(0, dtype=pl.Int64)).otherwise(pl.col("quantity"))
    return (
        found.with_columns(pl.concat_list(named).list.drop_nulls().alias("fields"), order.alias("order#"))
        .sort("order#", maintain_order=True)
        .select(
            "sku", "action", pl.col(_SHOWN).alias("shown"), "in_doubt", pl.coalesce(LISTING, f"old:{LISTING}").alias(LISTING),
            pl.col("reasons").fill_null(pl.lit([], dtype=pl.List(pl.String))), "fields",
            *(f"old:{name}" for name in fields),
            *(zero.alias("new:quantity") if name == "quantity" else pl.col(name).alias(f"new:{name}") for name in fields),
        )
    )  # fmt: skip


def sent(row: Mapping[str, Any], scope: Scope, fields: Sequence[str]) -> list[str]:
    """The fields that go to the marketplace for a row of the plan."""
    told = [name for name in row["fields"] if scope.takes(name) or row["in_doubt"]]
    if row["action"] == "withdraw":
        return ["quantity"]
    if row["action"] == "change" and scope.triggers is not None and not row["in_doubt"]:
        told = [name for name in fields if scope.takes(name) and (name in told or row[f"new:{name}"] is not None)]
    if any(name in PRICED for name in told) and row["new:price"] is not None:
        told = [*told, *(name for name in PRICED if name in fields and name not in told)]
    return told
