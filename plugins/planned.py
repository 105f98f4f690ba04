"""A workspace and what a command was told come in; the snapshot, the account and the plan that `plan` and `apply` share go out."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.marketplace import Denied, Exchange, Unavailable
from merx.plugins.inputs import rejected
from merx.plugins.terminal import mention, plural, progress

if TYPE_CHECKING:
    from merx.engine.drift import Drift
    from merx.engine.marketplace import Connection
    from merx.engine.planning import Plan
    from merx.engine.rules import Account
    from merx.engine.snapshots import Kept
    from merx.engine.workspace import Workspace

the_account_option = click.option(
    "--account", metavar="TITLE", help="Which account.  [default: the only one that the rules declare]"
)  # fmt: skip
refresh_option = click.option(
    "--refresh", is_flag=True, help="First read what the marketplace shows now, and plan from that."
)


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    account: Account
    kept: Kept
    plan: Plan
    drift: Drift | None = None


def current_snapshot(workspace: Workspace, name: str | None = None) -> Kept:
    """The snapshot of this name, or the last one; the file that merx.toml names is read anew where it has changed.

    Raises PolicyError: M810 for a name, M823 where there is none at all.
    """
    from merx.engine.snapshots import latest_snapshot, snapshot_named
    from merx.engine.workspace import pull

    if name is not None:
        return snapshot_named(workspace.state, name)
    path, last = workspace.project.products, latest_snapshot(workspace.state)
    # What was imported from another file stays until somebody pulls.
    if path is not None and (last is None or last.origin == str(path.resolve())):
        with progress(f"reading {path}"):
            found = pull(workspace, path)
        if found.read is not None:
            rejected(found.read, path, most=5)
        return found.kept
    if last is None:
        help = 'name a file in merx.toml: `products = "export.csv"`, or take one: `merx snapshot import FILE`'
        raise PolicyError([Diagnostic("M823", "error", "there are no products to plan with", None, help)])
    return last


def planned(
    workspace: Workspace,
    title: str | None,
    *,
    snapshot: str | None = None,
    as_of: datetime.date | None = None,
    refresh: bool = False,
) -> Planned:
    """The plan as things stand now. An apply that was begun and never finished is settled first.

    Raises PolicyError.
    """
    from merx.engine.accounts import chosen_account, unknown_accounts
    from merx.engine.apply import settle_unfinished
    from merx.engine.planning import make_plan

    problems = unknown_accounts(workspace.project, workspace.ruleset.rules)
    if problems:
        raise PolicyError(problems)
    account = chosen_account(workspace.ruleset.rules, title)
    kept = current_snapshot(workspace, snapshot)
    outbox = settle_unfinished(workspace.state, account.title)
    if outbox is not None:
        left = sum(one.count for one in outbox.intents("sent"))
        doubt = f"; {plural(left, 'product')} got no answer and will be sent again" if left else ""
        mention(f"an apply that was not finished is settled{doubt}")
    drift = refreshed(workspace, account, kept) if refresh else None
    with progress(f"planning {plural(kept.products, 'product')}"):
        plan = make_plan(workspace, account, kept, day=as_of)
    return Planned(account, kept, plan, drift)


def refreshed(workspace: Workspace, account: Account, kept: Kept) -> Drift:
    from merx.engine.drift import refresh
    from merx.engine.journal import Journal
    from merx.engine.snapshots import frame_of

    journal = Journal(workspace.state, account.title, job="refresh")
    with opened(workspace, account, journal.record) as connection, progress("reading what the marketplace shows"):
        drift = refresh(workspace.state, account.title, connection, frame_of(kept, ())["sku"])
    journal.flush()
    return drift


@contextmanager
def opened(workspace: Workspace, account: Account, record: Callable[[Exchange], None]) -> Iterator[Connection]:
    """An open connection to the account's marketplace, closed when the body is through.

    Raises PolicyError: M824 where the marketplace gives no answer in the body, M825 where it refuses the account.
    """
    from merx.engine.accounts import connect

    connection = connect(workspace.project, account, workspace.ruleset.registry, record)
    try:
        yield connection
    except Unavailable as error:
        message = f"`{account.title}` cannot be reached: {error.message}"
        raise PolicyError([Diagnostic("M824", "error", message, None, "try again later; nothing is lost")]) from None
    except Denied as error:
        message = f"`{account.title}` is refused: {error.message}"
        raise PolicyError([Diagnostic("M825", "error", message, None, error.help)]) from None
    finally:
        connection.close()
