"""An account of the rules and what merx.toml says of it come in; an open connection to its marketplace goes out."""

from __future__ import annotations

from collections.abc import Callable

from merx.engine.diagnostic import Diagnostic, PolicyError, did_you_mean
from merx.engine.marketplace import Connection, Exchange, Setup
from merx.engine.project import Project, account_options, span_of
from merx.engine.registry import Registry
from merx.engine.rules import Account, Rules


def chosen_account(rules: Rules, title: str | None) -> Account:
    """The account of this title, or the only one.

    Raises PolicyError: M216 where there is none of this title, M730 where none is named and there is not just one.
    """
    known = rules.accounts
    names = ", ".join(f"`{one}`" for one in known)
    if title is not None:
        if title in known:
            return known[title]
        help = did_you_mean(title, known) or (f"the accounts are {names}" if known else "the rules declare none")
        raise PolicyError([Diagnostic("M216", "error", f"there is no account `{title}`", None, help)])
    if len(known) == 1:
        return next(iter(known.values()))
    if known:
        help = f"name one with `--account`: {names}"
        raise PolicyError([Diagnostic("M730", "error", "there are several accounts", None, help)])
    help = 'declare one: `account "main" { connector = sandbox }`'
    raise PolicyError([Diagnostic("M730", "error", "the rules declare no account to publish to", None, help)])


def unknown_accounts(project: Project, rules: Rules) -> list[Diagnostic]:
    """What merx.toml says of accounts that the rules do not have."""
    return [
        Diagnostic(
            "M730", "error", f"the rules have no account `{title}`", span_of(project.source, ("accounts", title)),
            did_you_mean(title, rules.accounts) or "declare it in the rules, or remove the section",
        )
        for title in project.accounts
        if title not in rules.accounts
    ]  # fmt: skip


def connect(project: Project, account: Account, registry: Registry, record: Callable[[Exchange], None]) -> Connection:
    """An open connection. Raises PolicyError: M711, M712 for wrong options, M731 a secret that is not there, M732 a connector
    that cannot publish."""
    marketplace = registry.marketplaces[account.connector]
    if marketplace.connect is None:
        publishing = [f"`{name}`" for name, one in registry.marketplaces.items() if one.connect is not None]
        help = f"connectors that publish: {', '.join(publishing) or 'none is installed'}"
        message = f"the connector `{account.connector}` cannot publish yet"
        raise PolicyError([Diagnostic("M732", "error", message, account.span, help)])
    options = account_options(project, account.title, marketplace.options)
    return marketplace.connect(Setup(account.title, options, project.folder, record))
