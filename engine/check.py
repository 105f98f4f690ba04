"""Syntax trees of all files come in; immutable `Rules` go out, and every diagnostic there is to give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from merx.engine import syntax
from merx.engine.blocks import read_account, read_catalog, read_listing, read_rates
from merx.engine.diagnostic import Diagnostic, Note, did_you_mean
from merx.engine.registry import Registry
from merx.engine.rules import Account, Listing, Policy, RuleContext, Rules
from merx.engine.scope import Rates, Scope
from merx.engine.settings import Reader, read_settings
from merx.engine.snapshot import Schema
from merx.engine.testblock import read_test

ENGINE_KINDS = ("catalog", "rates", "listing", "account", "test")
"""The kinds of declaration that are the engine's own; every other is a policy type of a plugin."""


@dataclass(slots=True)
class Check:
    """One run of the checker: what it reads, and what it has found so far."""

    files: Sequence[syntax.File]
    registry: Registry
    schema: Schema | None
    media_url: str | None = None
    problems: list[Diagnostic] = field(default_factory=list)
    rates: Rates = field(default_factory=Rates)
    policies: dict[tuple[str, str], Policy] = field(default_factory=dict)
    broken: set[tuple[str, str]] = field(default_factory=set)
    listings: dict[str, Listing] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)

    @property
    def partial(self) -> bool:
        """Something could not be read, so a title that is not found may stand in the lost part."""
        return any(file.partial for file in self.files)

    def declarations(self, *kinds: str) -> Iterable[syntax.Declaration]:
        return (one for file in self.files for one in file.declarations if one.kind.name in kinds)

    def scope(self) -> Scope:
        return Scope(self.registry.functions, self.problems, self.schema, {}, self.rates)

    def context(self) -> RuleContext:
        return RuleContext(self.rates, self.schema, {}, self.media_url)

    def policy_titles(self, kind: str) -> list[str]:
        return [title for known, title in [*self.policies, *self.broken] if known == kind]


def check(
    files: Sequence[syntax.File],
    registry: Registry,
    schema: Schema | None = None,
    *,
    media_url: str | None = None,
) -> tuple[Rules, tuple[Diagnostic, ...]]:
    """The rules of the files, and what is wrong with them. Rules with an error among the diagnostics must not be run.

    schema: of the snapshot, for rule sets without a `catalog` block; None leaves attributes unresolved.
    media_url: what image paths are relative to.
    """
    run = Check(files, registry, schema, media_url)
    _check_heads(run)
    run.schema = _catalog(run) or schema
    run.rates = read_rates(run.declarations("rates"), run.scope())
    accounts = list(run.declarations("account"))
    for declaration in run.declarations(*registry.policy_types):
        _read_policy(declaration, accounts, run)
    for declaration in run.declarations("listing"):
        listing = read_listing(declaration, run)
        if listing is not None:
            run.listings.setdefault(listing.title, listing)
    for declaration in run.declarations("account"):
        account = read_account(declaration, run)
        if account is not None:
            run.accounts.setdefault(account.title, account)
    tests = [read_test(declaration, run) for declaration in run.declarations("test")]
    rules = Rules(
        run.schema,
        run.rates,
        run.policies,
        tuple(run.listings.values()),
        run.accounts,
        tuple(one for one in tests if one is not None),
    )
    return rules, tuple(run.problems)


def _check_heads(run: Check) -> None:
    """Kinds that nobody knows, missing and repeated titles."""
    kinds = [*ENGINE_KINDS, *run.registry.policy_types]
    seen: dict[tuple[str, str], syntax.Declaration] = {}
    scope = run.scope()
    for file in run.files:
        for declaration in file.declarations:
            kind, title = declaration.kind.name, declaration.title
            if kind not in kinds:
                help = did_you_mean(kind, kinds) or f"the kinds are {', '.join(kinds)}"
                scope.error("M204", f"there is no kind of block `{kind}`", declaration.kind.span, help)
            elif title is None and kind != "rates":
                scope.error("M205", f"a `{kind}` has a title", declaration.kind.span, f'write `{kind} "…" {{`')
            elif title is not None and kind == "rates":
                scope.error("M205", "`rates` has no title", title.span, "write `rates {`")
            elif title is not None:
                first = seen.setdefault((kind, title.value), declaration)
                if first is not declaration:
                    scope.error(
                        "M206", f"there are two `{kind}` blocks called `{title.value}`", title.span, "rename one of them",
                        Note("the first is here", first.head),
                    )  # fmt: skip


def _catalog(run: Check) -> Schema | None:
    declarations = list(run.declarations("catalog"))
    scope = run.scope()
    for other in declarations[1:]:
        scope.error(
            "M207", "there is a second `catalog` block", other.head, "keep one: a rule set reads one catalogue",
            Note("the first is here", declarations[0].head),
        )  # fmt: skip
    return read_catalog(declarations[0], scope) if declarations else None


def _read_policy(declaration: syntax.Declaration, accounts: Sequence[syntax.Declaration], run: Check) -> None:
    if declaration.title is None:
        return
    policy_type = run.registry.policy_types[declaration.kind.name]
    key = (policy_type.kind, declaration.title.value)
    connectors = _connectors_of(declaration, accounts) or _recognised(declaration, run.registry)
    reader = Reader(policy_type, run.scope(), run.context(), run.registry.terms(connectors))
    read = read_settings(declaration, reader)
    if read is None:
        run.broken.add(key)
    elif key not in run.policies:
        settings, places = read
        policy = Policy(key[0], key[1], policy_type, settings, declaration.head, places, run.context())
        run.policies[key] = policy


def _connectors_of(policy: syntax.Declaration, accounts: Sequence[syntax.Declaration]) -> list[str]:
    """The connectors of the accounts that name the policy, so that its statuses are theirs."""
    found: list[str] = []
    for account in accounts:
        settings = {one.name.name: one.value for one in account.items if isinstance(one, syntax.Setting)}
        named, connector = settings.get(policy.kind.name), settings.get("connector")
        if policy.title is not None and named == policy.title and isinstance(connector, syntax.Name):
            found.append(connector.name)
    return found


def _recognised(policy: syntax.Declaration, registry: Registry) -> list[str]:
    """The marketplaces whose statuses a policy speaks of that no account names yet: it need not map every other's too."""
    written: set[str] = set()
    for item in policy.items:
        if isinstance(item, syntax.Section):
            keys = [one.key for one in item.items if isinstance(one, syntax.Entry)]
        elif isinstance(item, syntax.Setting) and isinstance(item.value, syntax.ListOf):
            keys = list(item.value.items)
        else:
            continue
        written |= {one.name for one in keys if isinstance(one, syntax.Name)}
        written |= {one.value for one in keys if isinstance(one, syntax.Text)}
    return [name for name, one in registry.marketplaces.items() if written & {status.code for status in one.statuses}]
