"""`merx state`: the state of a project comes in; whether it is whole, a copy of it, or the copy in its place goes out."""

from __future__ import annotations

from pathlib import Path

import click

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import hookimpl
from merx.plugins.inputs import clock, project_needed, state, wait_option
from merx.plugins.terminal import Stop, mention, plural, progress, report, say


@click.group("state", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Look after what merx knows of a project: check, back up, restore, tidy.

    \b
    merx state check
    merx state backup ../shop.tar
    """


@command.command("check")
@click.option(
    "--accept-clock", is_flag=True, help="The clock is right, though this project was written at a later time."
)
@wait_option
def check(accept_clock: bool, wait: float) -> None:
    """Look at every row and every file; exit code 1 where something is wrong."""
    from merx.engine.stocktake import stocktake

    with state("merx state check", wait=wait) as found:
        assert found is not None
        late: tuple[Diagnostic, ...] = ()
        if accept_clock:
            found.note("seen", found.now())
        else:
            try:
                found.check_clock()
            except PolicyError as error:
                late = error.diagnostics
        with progress("checking"):
            stock = stocktake(found)
    for path in stock.leftovers:
        say(f"left over: {path}")
    if stock.leftovers:
        mention(f"{plural(len(stock.leftovers), 'file')} left over: `merx state vacuum` removes them")
    help = "`merx state restore FILE` takes a backup; `merx snapshot pull` takes products anew"
    problems = [*late, *(Diagnostic("M813", "error", one, None, help) for one in stock.problems)]
    if problems:
        report(problems)
        raise Stop(1)
    mention(f"the state and its {plural(stock.files, 'file')} are as they should be")


@command.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@wait_option
def backup(file: Path, wait: float) -> None:
    """Write the state and the files it names into one tar file."""
    from merx.engine.backup import back_up

    with state("merx state backup", wait=wait) as found, progress(f"writing {file}"):
        assert found is not None
        count = back_up(found, file)
    mention(f"{file}: {plural(count, 'file')}, {plural(file.stat().st_size, 'byte')}")


@command.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@wait_option
def restore(file: Path, wait: float) -> None:
    """Put a backup in the place of the state; the former one is kept beside it.

    The backup is verified first. It does not matter whether the present state, or the rules, can be read.
    """
    from merx.engine.backup import restore as restored

    former = restored(project_needed().folder, file, clock(), wait=wait)
    mention(f"the state is that of {file}")
    if former is not None:
        mention(f"the former one is in {former}")


@command.command("vacuum")
@wait_option
def vacuum(wait: float) -> None:
    """Remove what is left over, and give back unused space."""
    from merx.engine.stocktake import stocktake

    with state("merx state vacuum", wait=wait) as found:
        assert found is not None
        stock = stocktake(found)
        if stock.problems:
            help = "nothing was removed; restore a backup first: `merx state restore FILE`"
            raise PolicyError([Diagnostic("M813", "error", one, None, help) for one in stock.problems])
        before = found.path.stat().st_size + sum(path.stat().st_size for path in stock.leftovers)
        for path in stock.leftovers:
            path.unlink(missing_ok=True)
            say(f"removed {path}")
        found.vacuum()
        found.rows("pragma wal_checkpoint(truncate)")
        freed = max(0, before - found.path.stat().st_size)
    mention(f"{plural(freed, 'byte')} freed")


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `state`."""
    return [command]
