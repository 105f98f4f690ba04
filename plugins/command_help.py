"""`merx help`: a diagnostic's code or a command's name comes in, its explanation goes out."""

from __future__ import annotations

import textwrap

import click

from merx.engine.diagnostic import did_you_mean
from merx.engine.hooks import hookimpl
from merx.plugins.output import unusable
from merx.plugins.terminal import say, table


@click.command("help")
@click.argument("topic", metavar="[CODE]", required=False)
@click.pass_context
def command(context: click.Context, topic: str | None) -> None:
    """Explain a diagnostic's code, or list them all.

    \b
      merx help M104
      merx help evaluate
    """
    from merx.engine.codes import CODES

    if topic is None:
        table(["code", "what is wrong"], [(code, one.title) for code, one in sorted(CODES.items())])
        return
    found = CODES.get(topic.upper())
    if found is None:
        if _command_help(context, topic):
            return
        help = did_you_mean(topic.upper(), CODES) or "`merx help` lists the codes"
        raise unusable("M726", f"there is no diagnostic `{topic}`", help)
    say(click.style(f"{found.code}: {found.title}", bold=True))
    say()
    say(textwrap.fill(found.text, 100))
    if found.example:
        say("\nFor example:\n")
        say(textwrap.indent(found.example.strip("\n"), "    "))


def _command_help(context: click.Context, name: str) -> bool:
    """Shows the help of a command; False where there is none of that name."""
    group = context.parent.command if context.parent is not None else None
    named = group.get_command(context, name) if isinstance(group, click.Group) else None
    if named is None:
        return False
    with named.make_context(name, [], parent=context.parent, resilient_parsing=True) as its_context:
        say(named.get_help(its_context))
    return True


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `help`."""
    return [command]
