"""`merx run`: the jobs of the synchronization policies, each when it is due."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from merx.engine.hooks import hookimpl
from merx.engine.project import Project, find_project
from merx.plugins.inputs import clock, project_needed, wait_option
from merx.plugins.terminal import Stop, mention, plural

if TYPE_CHECKING:
    from merx.engine.rounds import Ran


@click.command("run")
@click.option("--account", metavar="TITLE", help="Only this account.  [default: every account]")
@click.option("--once", is_flag=True, help="Run what is due now, and end: 0, or 1 if a job failed or was put off.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), metavar="N",
    help="Serve /metrics and /health there, on loopback; 0 takes a free port.",
)  # fmt: skip
@wait_option
def command(account: str | None, once: bool, port: int | None, wait: float) -> None:
    """Keep marketplaces as the rules say: run each job of the synchronization policies when it is due.

    The project's lock is held only while a job runs. A job that finds the project locked for longer than --wait is put
    off; one that fails is logged, and the others go on. Rules and merx.toml are read anew for every run. SIGTERM and
    Ctrl-C end it after the batch that is under way.

    \b
      merx run
      merx run --once
      merx run --port 9330 --wait 60
    """
    from merx.engine.rounds import Rounds
    from merx.engine.state import open_state

    project = project_needed()
    stop, counted = threading.Event(), _Counted()
    state = open_state(project.folder, clock())
    try:
        with contextlib.ExitStack() as stack:
            interrupted = stack.enter_context(_stopping(stop))
            rounds = Rounds(_project, state, account, wait, stop, counted)
            rounds.look()
            if port is not None:
                from merx.plugins.metrics import serving

                address = stack.enter_context(serving(project.folder, clock(), port, lambda: dict(counted.last)))
                mention(f"metrics and health: {address}")
            if once:
                rounds.round(punctual=True)
            else:
                mention("running; Ctrl-C stops it")
                rounds.forever()
            if interrupted.is_set():
                raise KeyboardInterrupt
    finally:
        state.close()
    if once:
        mention(f"{plural(counted.count, 'job')} run")
        if counted.bad:
            raise Stop(1)


def _project() -> Project:
    """As merx.toml says now. Raises PolicyError where it is at fault, Stop where it is gone."""
    return find_project(Path.cwd()) or project_needed()


class _Counted:
    """Tells each run, and remembers what the metrics say of it."""

    def __init__(self) -> None:
        self.count, self.bad = 0, 0
        self.last: dict[tuple[str, str], Ran] = {}

    def __call__(self, ran: Ran) -> None:
        self.count += 1
        self.bad += not ran.ok
        self.last[ran.account, ran.job] = ran
        words = ran.message if ran.result == "done" else f"{ran.result}: {ran.message}"
        mention(f"{ran.account} {ran.job}: {words}")


@contextlib.contextmanager
def _stopping(stop: threading.Event) -> Iterator[threading.Event]:
    """SIGTERM and SIGINT set `stop` while the body runs; gives an event that SIGINT sets too."""
    interrupted = threading.Event()

    def on_signal(number: int, _frame: Any) -> None:
        def tell() -> None:
            if number == signal.SIGINT:
                interrupted.set()
            stop.set()

        # From another thread: this one may be inside of the event's own lock.
        threading.Thread(target=tell, daemon=True).start()

    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = {one: signal.signal(one, on_signal) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield interrupted
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@hookimpl
def merx_commands() -> Iterable[click.Command]:
    return [command]
