"""`merx eval EXPR`: an expression and the values of its names come in, its value goes out."""

from __future__ import annotations

import datetime
import json
import re
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

import click

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import hookimpl
from merx.engine.source import Source, Span
from merx.plugins.terminal import say


@click.command("eval", context_settings={"ignore_unknown_options": True})
@click.argument("expression", metavar="EXPR")
@click.option("--given", metavar="JSON", help='Values of names: \'{"price": "10.05", "color": null}\'.')
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="What `today` is.  [default: today]")
def command(expression: str, given: str | None, as_of: datetime.datetime | None) -> None:
    """Compute an expression of the rule language.

    EXPR is the expression, or `-` to read it from standard input.

    In --given, a text that reads as a number is a number, and one that reads as a date (2026-11-27) is a date;
    true and false are flags, null is a missing value.

    \b
      merx eval '0.1 + 0.2 == 0.3'
      merx eval 'price + 10%' --given '{"price": "10.05"}'
    """
    from merx.engine.eval import run_expression, typed_expression
    from merx.engine.trace import format_value

    text = _standard_input() if expression == "-" else expression
    values = _given(given) if given is not None else {}
    day = as_of.date() if as_of is not None else datetime.datetime.now(datetime.UTC).date()
    typed, kind, product = typed_expression(text, values)
    say(format_value(run_expression(typed, product, text, day), kind, currency=True))


def _standard_input() -> str:
    from merx.engine.parse import LARGEST_EXPRESSION

    # No character takes more than four bytes.
    most = 4 * LARGEST_EXPRESSION
    data = sys.stdin.buffer.read(most + 1)
    if len(data) > most:
        _refuse("M003", f"an expression has at most {LARGEST_EXPRESSION:,} characters", None)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse("M002", f"standard input is not UTF-8 at byte {error.start + 1}", None, "write it as UTF-8")


def _refuse(code: str, message: str, span: Span | None, help: str | None = None) -> NoReturn:
    raise PolicyError([Diagnostic(code, "error", message, span, help)])


_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_HELP = 'write it as \'{"price": "10.05", "color": null}\''


def _given(text: str) -> Mapping[str, Any]:
    source = Source("--given", text)
    try:
        given = json.loads(
            text, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        at = min(error.pos, max(0, len(text) - 1))
        message = f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        _refuse("M724", message, Span(source, at, at + 1), _HELP)
    except _Unusable as error:
        _refuse("M724", str(error), Span(source, 0, len(text)), _HELP)
    except RecursionError:
        _refuse("M724", "the JSON is nested too deeply", None, _HELP)
    if not isinstance(given, _Object):
        _refuse("M724", "this is not a JSON object", Span(source, 0, len(text)), _HELP)
    try:
        return {name: _value(name, value) for name, value in given.items()}
    except _Unusable as error:
        _refuse("M724", str(error), Span(source, 0, len(text)), _HELP)


class _Unusable(Exception):
    pass


class _Object(dict[str, Any]):
    pass


def _no_number(word: str) -> NoReturn:
    raise _Unusable(f"`{word}` is not a number")


def _object(pairs: Iterable[tuple[str, Any]]) -> _Object:
    found = _Object()
    for name, value in pairs:
        if name in found:
            raise _Unusable(f"`{name}` is given twice")
        found[name] = value
    return found


def _value(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return _read(value)
    if isinstance(value, list):
        if any(item is None or isinstance(item, list) for item in value):
            raise _Unusable(f"`{name}` is a list that holds something missing, or a list")
        return tuple(_value(name, item) for item in value)
    if isinstance(value, _Object):
        raise _Unusable(f"`{name}` is an object, which no value of the language is")
    return value


def _read(text: str) -> str | Decimal | datetime.date:
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            return datetime.date.fromisoformat(text)
        except ValueError:
            return text
    return text


@hookimpl
def merx_commands() -> list[click.Command]:
    """The command `eval`."""
    return [command]
