"""`merx apply`: what the plan says is sent to the marketplace, and what it accepts is recorded."""

from __future__ import annotations

import datetime
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import hookimpl
from merx.engine.planfile import Saved, read_plan
from merx.engine.rails import NAMES, Broken, broken
from merx.plugins.inputs import as_of_option, wait_option, workspace
from merx.plugins.planned import Planned, current_snapshot, opened, planned, refresh_option, the_account_option
from merx.plugins.terminal import Stop, counter, mention, plural, printable, report, say

if TYPE_CHECKING:
    from merx.engine.apply import Result
    from merx.engine.outbox import Outbox
    from merx.engine.planning import Plan
    from merx.engine.rules import Account
    from merx.engine.workspace import Workspace

_REFUSALS = 20


@click.command("apply")
@click.argument("plan", type=click.Path(path_type=Path), required=False)
@the_account_option
@as_of_option
@refresh_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--allow", type=click.Choice(NAMES), multiple=True, help="A safety rail that may be broken this time.")
@wait_option
def command(
    plan: Path | None,
    account: str | None,
    as_of: datetime.date | None,
    refresh: bool,
    yes: bool,
    allow: tuple[str, ...],
    wait: float,
) -> None:
    """Send what the plan says, and record what the marketplace accepts.

    Without a saved PLAN one is made, shown, and asked about. A saved one is sent only where it is still what would be
    planned now. What was interrupted is gone on with: run the command again.

    \b
      merx apply
      merx apply plan.json --yes
    """
    saved = None if plan is None else read_plan(plan)
    from merx.engine.outbox import write_intents

    with workspace("merx apply", wait=wait) as found:
        if saved is not None and account is None:
            account = saved.account
        if saved is not None and (resumed := _resumed(found, saved)) is not None:
            raise Stop(0 if resumed.whole else 1)
        done = planned(found, account, snapshot=None, as_of=as_of, refresh=refresh)
        if saved is not None:
            _same(saved, done.plan)
        _may_send(found, done, allow)
        if done.plan.empty:
            say("nothing to send: the marketplace shows what the rules decide")
            _say_held(done)
            return
        if saved is None and not yes:
            _ask(done)
        # The account is opened before anything is written: one that cannot be leaves no trace.
        result = _sent(found, done.account, lambda offers: write_intents(found.state, done.plan, offers))
        if not result.whole:
            raise Stop(1)


def _resumed(found: Workspace, saved: Saved) -> Result | None:
    """What came of going on with the saved plan; None where it was not begun, or is over and no longer stands.

    Raises PolicyError (M821) where it was begun, and what it was made from has changed since.
    """
    from merx.engine.accepted import serial_of
    from merx.engine.accounts import chosen_account
    from merx.engine.apply import Result
    from merx.engine.outbox import outbox_of, status_of
    from merx.engine.planning import plan_identity

    status = status_of(found.state, saved.id)
    if status not in ("applied", "applying"):
        return None
    account = chosen_account(found.ruleset.rules, saved.account)
    snapshot = current_snapshot(found).id
    why = _changed(saved, plan_identity(found, account, found.day), snapshot, found.day)
    if status == "applied":
        if why or serial_of(found.state, account.title) != saved.serial + 1:
            return None
        say("this plan has been applied already: nothing to send")
        return Result()
    if why:
        raise PolicyError([_out_of_date(why)])
    outbox = outbox_of(found.state, saved.id)
    left = len(outbox.intents("pending", "sent"))
    mention(f"going on with the plan: {plural(left, 'batch', 'batches')} left")
    return _sent(found, account, lambda _: outbox)


def _changed(saved: Saved, rules: Mapping[str, str], snapshot: str, day: datetime.date) -> list[str]:
    """What is no longer as it was when the plan was made, in words."""
    from merx.engine.workspace import differing

    why = differing(saved.rules, rules)
    if saved.snapshot != snapshot:
        why.insert(0, f"the products are of snapshot {snapshot[:10]}, the plan's were of {saved.snapshot[:10]}")
    if saved.day != day:
        why.append(f"the plan is for {saved.day}, and today is {day}")
    return why


def _same(saved: Saved, plan: Plan) -> None:
    """Raises PolicyError (M821) where the plan that would be made now is not the saved one."""
    if plan.id == saved.id:
        return
    why = _changed(saved, plan.rules, plan.snapshot, plan.day)
    if saved.serial != plan.serial:
        why.append("what the marketplace accepted has changed since")
    raise PolicyError([_out_of_date(why or ["it is not what would be planned now"])])


def _out_of_date(why: Sequence[str]) -> Diagnostic:
    help = "make it anew, look at it, and apply that: `merx plan -o plan.json`"
    return Diagnostic("M821", "error", f"the plan is out of date: {'; '.join(why)}", None, help)


def _may_send(found: Workspace, done: Planned, allow: Sequence[str]) -> None:
    """Raises PolicyError (M822) where a safety rail is broken that is not allowed to be."""
    rails: list[Broken] = [one for one in broken(done.plan.compared, found.project.safety) if one.name not in allow]
    if rails:
        raise PolicyError(
            Diagnostic(
                "M822", "error", one.message, None, f"look at `merx plan`; where it is meant: `--allow {one.name}`"
            )
            for one in rails
        )


def _ask(done: Planned) -> None:
    from merx.plugins.plan_report import show_plan

    show_plan(done.plan, done.kept, [], done.drift)
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to say yes: add --yes, or apply a saved plan")
    if not click.confirm("\nsend it?", default=False, err=True):
        mention("nothing was sent")
        raise Stop(1)


def _sent(found: Workspace, account: Account, outbox_for: Callable[[int], Outbox]) -> Result:
    """outbox_for: the intents, in batches of at most so many offers."""
    from merx.engine.apply import send
    from merx.engine.journal import Journal
    from merx.engine.planning import publishing_of

    publishing = publishing_of(account, found.day)
    journal = Journal(found.state, account.title, activity=publishing.activity_log, feed=publishing.feed_log)
    with opened(found, account, journal.record) as connection, counter("sending") as progress, _stoppable() as stop:
        outbox = outbox_for(connection.limits.offers)
        journal.run = outbox.plan
        result = send(outbox, connection, journal, stop=stop, progress=progress)
    _tell(result)
    if stop.is_set():
        raise click.Abort
    return result


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """SIGTERM and Ctrl-C end the sending after the batch that is under way; a second Ctrl-C at once."""
    stop = threading.Event()

    def asked(_number: int, _frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {one: signal.signal(one, asked) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _tell(result: Result) -> None:
    say(f"{plural(result.accepted, 'product')} accepted, {len(result.refused):,} refused")
    for one in result.refused[:_REFUSALS]:
        say(f"  {printable(one.sku)}: {printable(one.message)} ({printable(one.code)})")
    if len(result.refused) > _REFUSALS:
        say(f"  … and {len(result.refused) - _REFUSALS:,} more: `merx log --level error`")
    if result.left:
        message = f"{plural(result.left, 'batch', 'batches')} got no answer: {result.problem}"
        help = result.help or "run `merx apply` again: it goes on where this ended"
        report([Diagnostic("M824", "error", message, None, help)])


def _say_held(done: Planned) -> None:
    held = done.plan.compared.summary["hold"]
    if held:
        say(f"{plural(held, 'product')} held: `merx plan` says why")


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `apply`."""
    return [command]
