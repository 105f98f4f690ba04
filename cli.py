"""The command line: arguments come in, a command of a plugin runs, an exit code goes out.

Exit codes: 0 done (products may be held); 1 the rules, the products, an expression or a test are not as they should be;
2 the command line or merx.toml cannot be used, or a result cannot be written; 130 interrupted.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Iterable, Sequence

import click

from merx.engine.clock import Clock
from merx.engine.diagnostic import Diagnostic, PolicyError, did_you_mean
from merx.plugins.terminal import Stop, mention, report

GROUP = "merx"
PREFIX = "command_"


class Commands(click.Group):
    """Finds commands where plugins offer them, and imports only the one that runs.

    The entry point `command_NAME` of merx itself offers the command `NAME`; further commands come through the hook
    `merx_commands`, and cannot take the name of a built-in one.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_built_in(), *_further()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry_point = _built_in().get(cmd_name)
        if entry_point is not None:
            offered: Iterable[click.Command] = entry_point.load().merx_commands()
            return {command.name: command for command in offered}[cmd_name]
        return _further().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            help = did_you_mean(name, self.list_commands(ctx)) or "`merx --help` lists the commands"
            ctx.fail(f"no such command `{name}`; {help}")
        return super().resolve_command(ctx, args)


def _built_in() -> dict[str, importlib.metadata.EntryPoint]:
    return {
        one.name.removeprefix(PREFIX): one
        for one in importlib.metadata.entry_points(group=GROUP)
        if one.name.startswith(PREFIX) and one.dist is not None and one.dist.name == "merx"
    }


def _further() -> dict[str, click.Command]:
    """Every command that a plugin offers, by name. Raises PolicyError (M701) where two offer the same one."""
    from merx.engine.registry import plugin_manager

    found: dict[str, click.Command] = {}
    offered_by: dict[str, str] = {}
    for implementation in plugin_manager(commands=True).hook.merx_commands.get_hookimpls():
        offered: Iterable[click.Command] = implementation.function()  # type: ignore[assignment]  # pluggy knows no more
        for command in offered:
            plugin = implementation.plugin_name
            name = str(command.name)
            if name in found:
                message = f"the plugins `{offered_by[name]}` and `{plugin}` both offer the command `{name}`"
                help = "uninstall one of them, or rename what it offers"
                raise PolicyError([Diagnostic("M701", "error", message, None, help)])
            found[name], offered_by[name] = command, plugin
    return found


def _print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"merx {importlib.metadata.version('merx')}")
        context.exit()


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 rules or products at fault, 2 wrong usage, 130 interrupted.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show it.")
def command_line() -> None:
    """Exact prices, quantities and images for every marketplace, decided by your rules, with the reason for each.

    `merx demo` shows it on a sample catalogue.
    """


def main() -> None:
    """The console command `merx`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str], clock: Clock | None = None) -> int:
    """Runs one command and returns its exit code. clock: the time of day for it, by default the system's."""
    try:
        code = _dispatch(arguments, clock)
        sys.stdout.flush()
        return code
    except OSError as error:
        # One with a file name is of a file that a command did not expect to fail, and no matter of standard output.
        if error.filename is not None:
            raise
        # What is still buffered would complain once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            # Whoever read our output has seen enough.
            return 0
        report([Diagnostic("M722", "error", f"standard output cannot be written: {error.strerror}")])
        return 2


def _dispatch(arguments: Sequence[str], clock: Clock | None) -> int:
    # Not click's own `main`: it has other exit codes for an interruption and a closed pipe.
    try:
        with command_line.make_context("merx", list(arguments), obj=clock) as context:
            command_line.invoke(context)
        return 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        mention("interrupted")
        return 130
    except Stop as stop:
        return stop.code
    except PolicyError as error:
        report(error.diagnostics)
        return 1
