"""The engine's own declarations come in one by one; schemas, rates, listings and accounts go out."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from merx.engine import syntax
from merx.engine.diagnostic import Note, did_you_mean
from merx.engine.infer import infer_flag
from merx.engine.rules import Account, Listing, Policy
from merx.engine.scope import Rates, Scope
from merx.engine.snapshot import Schema
from merx.engine.source import Span
from merx.engine.types import DATE, DURATION, FLAG, NUMBER, PERCENT, SIZE, TEXT, Type, money

if TYPE_CHECKING:
    from merx.engine.check import Check

_PLAIN_TYPES = {
    "number": NUMBER, "text": TEXT, "flag": FLAG, "date": DATE, "percent": PERCENT, "duration": DURATION, "size": SIZE,
}  # fmt: skip
_CATALOG_TYPES = ("number", "money", "text", "flag", "date", "list")
"""What a column can hold."""


def misplaced(item: syntax.Item, kind: str, scope: Scope, help: str) -> None:
    scope.error("M303", f"this does not belong into `{kind}`", item.span, help)


# --- catalog


def read_catalog(declaration: syntax.Declaration, scope: Scope) -> Schema:
    """The schema that a `catalog` block declares; `sku` is in it whether or not it is written."""
    attributes: dict[str, Type] = {}
    places: dict[str, Span] = {}
    for item in declaration.items:
        if not isinstance(item, syntax.Typed):
            misplaced(item, "catalog", scope, "write `name: text`")
            continue
        name = item.name.name
        if name in places:
            scope.error(
                "M302", f"`{name}` is declared twice", item.name.span, "remove one of the two",
                Note("the first is here", places[name]),
            )  # fmt: skip
            continue
        places[name] = item.name.span
        type_ = _type(item.type, scope)
        if type_ is not None:
            attributes[name] = type_
    attributes = {"sku": TEXT, **attributes}
    return Schema(declaration.title.value if declaration.title else "catalog", attributes)


def _type(node: syntax.TypeName, scope: Scope) -> Type | None:
    if node.name not in _CATALOG_TYPES:
        help = did_you_mean(node.name, _CATALOG_TYPES) or f"the types are {', '.join(_CATALOG_TYPES)}"
        scope.error("M208", f"there is no type `{node.name}` for an attribute", node.span, help)
        return None
    if node.name == "money":
        return _money(node, scope)
    if node.name == "list":
        item = _type(node.argument, scope) if node.argument is not None else None
        if node.argument is None:
            scope.error("M208", "a list says of what", node.span, "write `list(text)`")
        elif item is not None and (item.kind in {"list", "money"} or item.optional):
            scope.error(
                "M208", f"there is no list of {item}", node.argument.span, "write `list(text)` or `list(number)`"
            )
        elif item is not None:
            if node.optional:
                scope.warn("M113", "a missing list is an empty one: the `?` says nothing", node.span)
            return Type("list", item=item)
        return None
    if node.argument is not None:
        scope.error("M208", f"`{node.name}` takes nothing in brackets", node.argument.span, f"write `{node.name}`")
    return _PLAIN_TYPES[node.name].maybe(node.optional)


def _money(node: syntax.TypeName, scope: Scope) -> Type | None:
    if node.argument is None:
        scope.error("M208", "an amount says in which currency", node.span, "write `money(EUR)`")
        return None
    currency = node.argument.name
    if not is_currency(currency):
        scope.error("M209", f"`{currency}` is not a currency code", node.argument.span, "three capitals: `EUR`")
        return None
    return money(currency).maybe(node.optional)


def is_currency(code: str) -> bool:
    """Whether a text has the shape of an ISO 4217 code."""
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


# --- rates


def read_rates(declarations: Iterable[syntax.Declaration], scope: Scope) -> Rates:
    """All declared exchange rates together."""
    table: dict[tuple[str, str], tuple[Decimal, Span | None]] = {}
    days: list[datetime.date | None] = []
    for declaration in declarations:
        said: syntax.Date | None = None
        for item in declaration.items:
            match item:
                case syntax.Setting(name=syntax.Name(name="as_of"), value=syntax.Date() as day):
                    if said is not None:
                        scope.error(
                            "M302", "`as_of` is set twice", item.name.span, "remove one of the two",
                            Note("the first is here", said.span),
                        )  # fmt: skip
                    said = day
                case syntax.Rate():
                    _add_rate(item, table, scope)
                case _:
                    misplaced(item, "rates", scope, "write `EUR -> USD = 1.0850`, or `as_of = 2026-11-23`")
        if any(isinstance(item, syntax.Rate) for item in declaration.items):
            days.append(said.value if said is not None else None)
    # The oldest of several is the age of what may be used together, and unknown where that of one is.
    known = [day for day in days if day is not None]
    return Rates(table, min(known) if known and len(known) == len(days) else None)


def _add_rate(item: syntax.Rate, table: dict[tuple[str, str], tuple[Decimal, Span | None]], scope: Scope) -> None:
    for name in (item.base, item.quote):
        if not is_currency(name.name):
            scope.error("M209", f"`{name.name}` is not a currency code", name.span, "three capitals: `EUR`")
            return
    pair = (item.base.name, item.quote.name)
    if not isinstance(item.value, syntax.Number) or item.value.value <= 0:
        scope.error("M210", "a rate is a number above 0", item.value.span, "write `EUR -> USD = 1.0850`")
    elif pair[0] == pair[1]:
        scope.error("M210", "a currency needs no rate to itself", item.span, "remove it")
    elif pair in table:
        first = table[pair][1]
        scope.error(
            "M302", f"the rate from {pair[0]} to {pair[1]} is given twice", item.span, "remove one of the two",
            Note("the first is here", first),
        )  # fmt: skip
    else:
        table[pair] = (item.value.value, item.span)


# --- listing and account


def read_listing(declaration: syntax.Declaration, run: Check) -> Listing | None:
    """A listing template; None where it has no title."""
    if declaration.title is None:
        return None
    scope = run.scope()
    kinds = [kind for kind, one in run.registry.policy_types.items() if one.applies_to == "product"]
    settings = named_settings(declaration, ["assign", "priority", "products", *kinds], scope)
    assign = infer_flag(settings["assign"].value, scope, "`assign`") if "assign" in settings else None
    products = _skus(settings["products"], scope) if "products" in settings else ()
    if assign is None and not products:
        help = 'add `assign = categories has "…"`, or `products = ["SKU"]`'
        scope.warn("M211", f"the listing `{declaration.title.value}` takes no product", declaration.head, help)
    policies = {kind: named_policies(kind, settings[kind], run) for kind in kinds if kind in settings}
    return Listing(
        declaration.title.value,
        _priority(settings.get("priority"), scope),
        assign,
        products,
        policies,
        declaration.head,
    )


def named_settings(
    declaration: syntax.Declaration, known: Iterable[str], scope: Scope, sections: Iterable[str] = ()
) -> dict[str, syntax.Setting]:
    """The `name = value` items by name; what is unknown, repeated or misplaced is reported."""
    kind, found = declaration.kind.name, dict[str, syntax.Setting]()
    known = list(known)
    for item in declaration.items:
        if isinstance(item, syntax.Section) and item.name.name in sections:
            continue
        if not isinstance(item, syntax.Setting | syntax.Section):
            misplaced(item, kind, scope, "a field is `name = value`")
        elif item.name.name not in known:
            name = item.name.name
            help = (
                did_you_mean(name, [*known, *sections])
                or f"the fields of `{kind}` are {', '.join([*known, *sections])}"
            )
            scope.error("M301", f"`{kind}` has no field `{name}`", item.name.span, help)
        elif isinstance(item, syntax.Section):
            scope.error("M304", f"`{item.name.name}` is not a section", item.name.span, f"write `{item.name.name} = …`")
        elif item.name.name in found:
            scope.error(
                "M302", f"`{item.name.name}` is set twice", item.name.span, "remove one of the two",
                Note("the first is here", found[item.name.name].span),
            )  # fmt: skip
        else:
            found[item.name.name] = item
    return found


def _priority(setting: syntax.Setting | None, scope: Scope) -> Decimal:
    if setting is None:
        return Decimal(0)
    match setting.value:
        case syntax.Number(value=value):
            return value
        case syntax.Unary(operator="-", operand=syntax.Number(value=value)):
            return -value
    scope.error("M308", f"`{setting.value.span.text}` is not a number", setting.value.span, "write `priority = 10`")
    return Decimal(0)


def texts(setting: syntax.Setting, scope: Scope, example: str) -> list[syntax.Text]:
    """One text or a list of them."""
    nodes = setting.value.items if isinstance(setting.value, syntax.ListOf) else (setting.value,)
    if not nodes:
        scope.warn("M409", "the list is empty", setting.value.span)
    found = [node for node in nodes if isinstance(node, syntax.Text)]
    for node in nodes:
        if not isinstance(node, syntax.Text):
            scope.error(
                "M308", f"`{node.span.text}` is not a text", node.span, f"write `{setting.name.name} = {example}`"
            )
    return found


def _skus(setting: syntax.Setting, scope: Scope) -> tuple[str, ...]:
    found = texts(setting, scope, '["SKU-1", "SKU-2"]')
    return tuple(dict.fromkeys(node.value for node in found))


def named_policies(kind: str, setting: syntax.Setting, run: Check) -> tuple[Policy, ...]:
    """The policies that a listing or an account names, in order. Only the last may lack `active`, and it must."""
    scope = run.scope()
    found: list[Policy] = []
    nodes = texts(setting, scope, '"title"')
    for node in nodes:
        policy = run.policies.get((kind, node.value))
        if policy is None:
            _report_title(kind, node, run.policy_titles(kind), run, scope)
            continue
        found.append(policy)
    if len(found) == len(nodes):
        _check_active(found, nodes, scope)
    return tuple(found)


def _report_title(kind: str, node: syntax.Text, titles: list[str], run: Check, scope: Scope) -> None:
    if node.value in titles or (run.partial and not titles):
        return  # it is there, and what is wrong with it has been told
    others = (
        f"the `{kind}` blocks are " + ", ".join(f'"{one}"' for one in titles)
        if titles
        else f"there is no `{kind}` block"
    )
    help = did_you_mean(node.value, titles) or others
    scope.error("M212", f"there is no `{kind}` called `{node.value}`", node.span, help)


def _check_active(found: list[Policy], nodes: list[syntax.Text], scope: Scope) -> None:
    for policy, node in zip(found[:-1], nodes, strict=False):
        if policy.settings.active is None:
            scope.error(
                "M213", f"`{policy.title}` always applies, so what stands after it never does", node.span,
                "put it last, or give it `active = 2026-11-27..2026-12-01`",
            )  # fmt: skip
    if found and found[-1].settings.active is not None:
        scope.error(
            "M214", f"after `{found[-1].title}` ends nothing is left", nodes[-1].span,
            "add a policy without `active` as the last of the list",
        )  # fmt: skip


def read_account(declaration: syntax.Declaration, run: Check) -> Account | None:
    """An account; None where it has no title."""
    if declaration.title is None:
        return None
    scope = run.scope()
    kinds = [kind for kind, one in run.registry.policy_types.items() if one.applies_to != "product"]
    settings = named_settings(declaration, ["connector", "listings", *kinds], scope)
    connector = _connector(declaration, settings.get("connector"), run, scope)
    policies = {kind: named_policies(kind, settings[kind], run) for kind in kinds if kind in settings}
    listings = _listings(declaration, settings.get("listings"), run, scope)
    market = run.registry.marketplaces.get(connector)
    bounds = market.bounds if market is not None else {}
    return Account(declaration.title.value, connector, listings, policies, bounds, declaration.head)


def _connector(declaration: syntax.Declaration, setting: syntax.Setting | None, run: Check, scope: Scope) -> str:
    known = list(run.registry.marketplaces)
    if setting is None:
        scope.error(
            "M305", "`connector` is missing", declaration.head, f"add `connector = {known[0] if known else '…'}`"
        )
        return ""
    if not isinstance(setting.value, syntax.Name) or setting.value.name not in known:
        text = setting.value.span.text
        help = did_you_mean(text, known) or f"the connectors are {', '.join(known)}"
        scope.error("M309", f"there is no connector `{text}`", setting.value.span, help)
        return ""
    return setting.value.name


def _listings(
    declaration: syntax.Declaration, setting: syntax.Setting | None, run: Check, scope: Scope
) -> tuple[Listing, ...]:
    if setting is None:
        if len(list(run.declarations("account"))) > 1:
            scope.error(
                "M215", "`listings` may be left out only where there is one account", declaration.head,
                'add `listings = ["…"]`',
            )  # fmt: skip
        return tuple(run.listings.values())
    found: list[Listing] = []
    for node in texts(setting, scope, '["Bags EU"]'):
        if node.value in run.listings:
            found.append(run.listings[node.value])
        else:
            _report_title("listing", node, list(run.listings), run, scope)
    return tuple(found)
