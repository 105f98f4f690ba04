"""A declaration's items come in; the settings model of its policy type goes out, or diagnostics.

The annotation of each field says what may be written (see `merx.engine.policy.Settings`); there is one reader per kind.
"""

from __future__ import annotations

import datetime
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from merx.engine import syntax
from merx.engine.change import infer_changes
from merx.engine.diagnostic import Diagnostic, Note, did_you_mean
from merx.engine.expression import Constant, Expression
from merx.engine.infer import infer, infer_flag
from merx.engine.operators import comparable, present
from merx.engine.policy import (
    AttributeNames,
    Changes,
    Context,
    DateRange,
    Ensured,
    Entries,
    Expected,
    Interval,
    PolicyType,
    Rounding,
    Settings,
    Vocabulary,
    Word,
    Words,
)
from merx.engine.scope import Scope
from merx.engine.source import Span
from merx.engine.types import UNKNOWN
from merx.engine.units import UNITS

Terms = Mapping[tuple[str, str], tuple[str, ...]]
"""(side, term) → the names it knows; without an entry anything goes."""


class Unreadable(Exception):
    """The value is wrong and has been reported."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading the fields of one declaration needs."""

    policy_type: PolicyType
    scope: Scope
    context: Context
    terms: Terms

    def fail(self, code: str, message: str, span: Span, help: str | None = None) -> Unreadable:
        self.scope.error(code, message, span, help)
        return Unreadable()


def read_settings(declaration: syntax.Declaration, reader: Reader) -> tuple[Settings, Mapping[str, Span]] | None:
    """The settings of a policy declaration and the places of its fields; None where a field could not be read."""
    model = reader.policy_type.fields
    before = len(reader.scope.problems)
    values, spans = _read_fields(model, declaration.items, "", {}, reader)
    settings = _validated(model, values, spans, declaration.head, reader)
    if settings is None or any(one.level == "error" for one in reader.scope.problems[before:]):
        return None
    assert isinstance(settings, Settings)
    for problem in reader.policy_type.problems(settings, reader.context):
        span = spans.get(problem.field or "", declaration.head)
        reader.scope.problems.append(Diagnostic(problem.code, problem.level, problem.message, span, problem.help))
    return settings, spans


def _read_fields(
    model: type[BaseModel], items: Sequence[syntax.Item], prefix: str, given: Mapping[str, Any], reader: Reader
) -> tuple[dict[str, Any], dict[str, Span]]:
    """Field → value, and dotted field → what to underline. given: the fields of the declaration around a section."""
    written = _by_name(model, items, prefix, reader)
    values: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    for name, field in model.model_fields.items():
        if name not in written:
            continue
        item = written[name]
        span = item[0].span if isinstance(item, list) else item.span
        spans[prefix + name] = item.value.span if isinstance(item, syntax.Setting) else span
        try:
            known = {**given, **values}
            values[name] = _read_field(prefix + name, field.annotation, field.metadata, item, known, spans, reader)
        except Unreadable:
            continue
    return values, spans


def _by_name(
    model: type[BaseModel], items: Sequence[syntax.Item], prefix: str, reader: Reader
) -> dict[str, syntax.Item | list[syntax.Ensure]]:
    """The items by the field they set; unknown and repeated ones are reported."""
    found: dict[str, syntax.Item | list[syntax.Ensure]] = {}
    kind = prefix.rstrip(".") or reader.policy_type.kind
    for item in items:
        match item:
            case syntax.Ensure() if "ensure" in model.model_fields:
                ensured = found.setdefault("ensure", [])
                assert isinstance(ensured, list)
                ensured.append(item)
            case syntax.Setting() | syntax.Section():
                name = item.name.name
                if name not in model.model_fields or name == "ensure":
                    known = [one for one in model.model_fields if one != "ensure"]
                    help = did_you_mean(name, known) or f"the fields of `{kind}` are {', '.join(known)}"
                    reader.scope.error("M301", f"`{kind}` has no field `{name}`", item.name.span, help)
                elif name in found:
                    first = found[name]
                    assert not isinstance(first, list)
                    reader.scope.error(
                        "M302", f"`{name}` is set twice", item.name.span, "remove one of the two",
                        Note("the first is here", first.span),
                    )  # fmt: skip
                else:
                    found[name] = item
            case _:
                reader.scope.error(
                    "M303", f"this does not belong into `{kind}`", item.span, "a field is `name = value`"
                )
    return found


def _read_field(
    path: str, annotation: Any, metadata: Sequence[Any], item: Any, given: Mapping[str, Any],
    spans: dict[str, Span], reader: Reader,
) -> Any:  # fmt: skip
    annotation, metadata = required(annotation, metadata)
    if isinstance(item, list):
        return _ensures(item, path, given, reader)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not isinstance(item, syntax.Section):
            raise reader.fail("M304", f"`{path}` is a section", item.span, f"write `{path} {{ … }}`")
        values, inner = _read_fields(annotation, item.items, f"{path}.", given, reader)
        spans.update(inner)
        section = _validated(annotation, values, inner, item.name.span, reader, f"{path}.")
        if section is None:
            raise Unreadable
        return section
    vocabulary = next((one for one in metadata if isinstance(one, Vocabulary)), None)
    if annotation is Entries:
        if not isinstance(item, syntax.Section):
            raise reader.fail("M304", f"`{path}` is a section", item.span, f'write `{path} {{ key -> "value" }}`')
        return _entries(item, path, vocabulary, reader)
    if not isinstance(item, syntax.Setting):
        raise reader.fail("M304", f"`{path}` is not a section", item.name.span, f"write `{path} = …`")
    node = item.value
    if annotation is Expression:
        return _expression(node, path, given, reader)
    if annotation is Changes:
        expected = reader.policy_type.expect(path, given, reader.context)
        price = expected.types[0] if expected.types else UNKNOWN
        return infer_changes(node, reader.scope.naming(expected.names), price)
    return _literal(node, path, annotation, metadata, vocabulary, reader)


def required(annotation: Any, metadata: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The annotation without `| None` and `Annotated`, and all metadata."""
    found = list(metadata)
    while True:
        if get_origin(annotation) in {Union, types.UnionType}:
            parts = [part for part in get_args(annotation) if part is not type(None)]
            assert len(parts) == 1, f"a field is of one kind: {annotation}"
            annotation = parts[0]
        elif hasattr(annotation, "__metadata__"):
            found += annotation.__metadata__
            annotation = annotation.__origin__
        else:
            return annotation, found


def _validated(
    model: type[BaseModel],
    values: dict[str, Any],
    spans: Mapping[str, Span],
    head: Span,
    reader: Reader,
    prefix: str = "",
) -> BaseModel | None:
    try:
        return model(**values)
    except ValidationError as error:
        for one in error.errors():
            name = str(one["loc"][0]) if one["loc"] else ""
            if one["type"] == "missing":
                if prefix + name not in spans:  # else it was written, and what is wrong with it has been told
                    reader.scope.error("M305", f"`{name}` is missing", head, f"add `{name} = …`")
                continue
            message = one["msg"].removeprefix("Value error, ")
            message = message[:1].lower() + message[1:]
            reader.scope.error("M306", f"`{name}`: {message}" if name else message, spans.get(prefix + name, head))
        return None


def _ensures(items: list[syntax.Ensure], path: str, given: Mapping[str, Any], reader: Reader) -> tuple[Ensured, ...]:
    expected = reader.policy_type.expect(path, given, reader.context)
    scope = reader.scope.naming(expected.names)
    return tuple(
        Ensured(infer_flag(item.condition, scope, "the condition of `ensure`"), item.message.value, item.span)
        for item in items
    )


def _expression(node: syntax.Expression, path: str, given: Mapping[str, Any], reader: Reader) -> Expression:
    expected = reader.policy_type.expect(path, given, reader.context)
    found = infer(node, reader.scope.naming(expected.names))
    if not expected.optional:
        found = present(found, reader.scope)
    check_expected(found, expected, path, node.span, reader.scope)
    return found


def check_expected(found: Expression, expected: Expected, path: str, span: Span, scope: Scope) -> None:
    """Reports a type that a field does not take."""
    kinds = {one.kind for one in expected.types}
    if not kinds or "unknown" in kinds | {found.type.kind}:
        return
    literal = found.type.kind == "number" and found.type.literal and "money" in kinds
    if found.type.kind not in kinds and not literal:
        wanted = " or ".join(str(one) for one in expected.types)
        unit = " (a unit makes it one)" if found.type.kind in {"duration", "size"} else ""
        help = f"`{path}` takes a {wanted}"
        scope.error("M307", f"`{span.text}` is a {found.type.kind}{unit}, and `{path}` is a {wanted}", span, help)
        return
    for one in expected.types:
        if one.kind == found.type.kind == "money" and one.currency != found.type.currency:
            comparable(Constant(type=one, value=None), found, span, scope)


def _literal(
    node: syntax.Expression, path: str, annotation: Any, metadata: Sequence[Any], vocabulary: Vocabulary | None,
    reader: Reader,
) -> Any:  # fmt: skip
    origin = get_origin(annotation)
    if annotation is AttributeNames:
        return _attribute_names(node, path, reader)
    if origin is Literal:
        return _choice(node, path, get_args(annotation), reader)
    if origin is tuple:
        return _texts(node, path, vocabulary, reader)
    if annotation is Word:
        words = next(one for one in metadata if isinstance(one, Words))
        return _word(node, path, words, reader)
    if annotation not in _READERS:
        raise TypeError(f"`{path}` has an annotation that no setting is written as: {annotation}")
    value = _READERS[annotation](node)
    if value is None:
        unit_help = f"`{path}` is {_EXAMPLES[annotation]}"
        quantity = node.interval if isinstance(node, syntax.Every) else node
        if isinstance(quantity, syntax.Quantity) and quantity.unit not in UNITS:
            close = did_you_mean(quantity.unit, UNITS) or f"the units are {', '.join(UNITS)}"
            raise reader.fail("M108", f"unknown unit `{quantity.unit}`", quantity.span, close)
        raise reader.fail("M308", f"`{node.span.text}` is not what `{path}` takes", node.span, unit_help)
    return value


def _number(node: syntax.Expression) -> Decimal | None:
    match node:
        case syntax.Number(value=value):
            return value
        case syntax.Unary(operator="+" | "-" as sign, operand=syntax.Number(value=value)):
            return -value if sign == "-" else value
    return None


def _whole(node: syntax.Expression) -> int | None:
    value = _number(node)
    return int(value) if value is not None and value == value.to_integral_value() else None


def _duration(node: syntax.Expression) -> datetime.timedelta | None:
    if isinstance(node, syntax.Quantity) and UNITS.get(node.unit, ("", 0))[0] == "duration":
        seconds = node.value * UNITS[node.unit][1]
        # A century is more than any schedule means, and keeps clear of timedelta's own bound.
        return datetime.timedelta(seconds=int(seconds)) if 0 <= seconds < 3_200_000_000 else None
    return None


def _date_range(node: syntax.Expression) -> DateRange | None:
    match node:
        case syntax.Range(low=syntax.Date(value=first), high=syntax.Date(value=last)) if first <= last:
            return DateRange(first, last)
    return None


def _interval(node: syntax.Expression) -> Interval | None:
    match node:
        case syntax.Flag(word="off"):
            return Interval()
        case syntax.Every():
            every = _duration(node.interval)
            return Interval(seconds=int(every.total_seconds())) if every else None
        case syntax.Call(function=syntax.Name(name="cron"), arguments=(syntax.Text(value=cron),)):
            return Interval(cron=cron)
    return None


def _rounding(node: syntax.Expression) -> Rounding | None:
    match node:
        case syntax.Rounding(mode=syntax.Name(name=mode), step=step):
            value = _number(step)
            if value is not None and value > 0 and mode in _MODES:
                return Rounding(mode, value)  # type: ignore[arg-type]
    return None


_MODES = ("half_up", "half_even", "up", "down", "ceiling", "floor")

_READERS: Mapping[Any, Any] = {
    bool: lambda node: node.value if isinstance(node, syntax.Flag) else None,
    int: _whole,
    Decimal: _number,
    str: lambda node: node.value if isinstance(node, syntax.Text) else None,
    datetime.timedelta: _duration,
    DateRange: _date_range,
    Interval: _interval,
    Rounding: _rounding,
}
_EXAMPLES: Mapping[Any, str] = {
    bool: "`yes` or `no`",
    int: "a whole number",
    Decimal: "a number",
    str: 'a text in double quotes: `"…"`',
    datetime.timedelta: "a duration like `30d`, `2h` or `15m`",
    DateRange: "two days, the earlier first: `2026-11-27..2026-12-01`",
    Interval: '`off`, `every 15m` or `cron("*/15 * * * *")`',
    Rounding: f"a way and a step above 0: `half_up to 0.05`; the ways are {', '.join(_MODES)}",
}


def _choice(node: syntax.Expression, path: str, words: Sequence[str], reader: Reader) -> str:
    if isinstance(node, syntax.Name) and node.name in words:
        return node.name
    help = did_you_mean(node.span.text, words) or f"write one of {', '.join(words)}"
    raise reader.fail("M309", f"`{path}` cannot be `{node.span.text}`", node.span, help)


def _word(node: syntax.Expression, path: str, words: Words, reader: Reader) -> Word:
    name, arguments = (node.function, node.arguments) if isinstance(node, syntax.Call) else (node, ())
    if not isinstance(name, syntax.Name) or (words.words and name.name not in words.words):
        known = f"write one of {', '.join(words.words)}" if words.words else "write a single word, without quotes"
        help = did_you_mean(name.span.text, words.words) or known
        raise reader.fail("M309", f"`{path}` cannot be `{name.span.text}`", name.span, help)
    texts = [one.value for one in arguments if isinstance(one, syntax.Text)]
    needed = words.words.get(name.name, 0)
    if len(texts) != len(arguments) or len(texts) != needed:
        shape = f'{name.name}("…")' if needed else name.name
        raise reader.fail("M309", f"`{name.name}` takes {needed or 'no'} text here", node.span, f"write `{shape}`")
    return Word(name.name, tuple(texts))


def _texts(node: syntax.Expression, path: str, vocabulary: Vocabulary | None, reader: Reader) -> tuple[str, ...]:
    items = node.items if isinstance(node, syntax.ListOf) else None
    if items is None:
        raise reader.fail("M308", f"`{path}` is a list", node.span, f"put it in brackets: `[{node.span.text}]`")
    known = reader.terms.get((vocabulary.side, vocabulary.term), ()) if vocabulary else ()
    found: list[str] = []
    for item in items:
        if isinstance(item, syntax.Text):
            name = item.value
        elif vocabulary is not None and isinstance(item, syntax.Name):
            name = item.name
        else:
            raise reader.fail("M308", f"`{item.span.text}` is not a text", item.span, "write texts in double quotes")
        if known and name not in known:
            reader.scope.error("M408", f"`{name}` is not known", item.span,
                               did_you_mean(name, known) or f"known are {', '.join(known)}")  # fmt: skip
        if name in found:
            reader.scope.warn("M409", f"`{name}` stands twice", item.span)
        found.append(name)
    return tuple(found)


def _attribute_names(node: syntax.Expression, path: str, reader: Reader) -> AttributeNames:
    if not isinstance(node, syntax.ListOf) or not all(isinstance(item, syntax.Name) for item in node.items):
        raise reader.fail("M308", f"`{path}` is a list of attributes", node.span, "write `[name, color]`")
    for item in node.items:
        infer(item, reader.scope)
    return AttributeNames(item.name for item in node.items if isinstance(item, syntax.Name))


def _entries(section: syntax.Section, path: str, vocabulary: Vocabulary | None, reader: Reader) -> Entries:
    known = reader.terms.get((vocabulary.side, vocabulary.term), ()) if vocabulary else ()
    to = reader.terms.get(vocabulary.to, ()) if vocabulary and vocabulary.to else ()
    words = vocabulary.words if vocabulary else ()
    pairs: dict[str, str] = {}
    keys: dict[str, syntax.Expression] = {}
    otherwise: str | None = None
    rest: syntax.Entry | None = None
    for item in section.items:
        if not isinstance(item, syntax.Entry):
            raise reader.fail("M303", f"`{path}` holds entries", item.span, 'write `key -> "value"`')
        value = _side(item.value, to, words, reader)
        if item.key is None:
            if rest is not None:
                reader.scope.error("M405", "`else` stands twice", item.span, "remove one of the two",
                                   Note("the first is here", rest.span))  # fmt: skip
            otherwise, rest = value, item
            continue
        key = _side(item.key, known, (), reader)
        if key in keys:
            reader.scope.error("M405", f"`{key}` is mapped twice", item.key.span, "remove one of the two",
                               Note("the first is here", keys[key].span))  # fmt: skip
        keys[key] = item.key
        pairs[key] = value
    missing = [one for one in known if one not in pairs]
    if vocabulary and vocabulary.complete and missing and otherwise is None:
        help = f"add {'an entry for it' if len(missing) == 1 else 'entries for them'}, or `else -> …`"
        reader.scope.error("M410", f"`{path}` does not say what {_listed(missing)} become", section.name.span, help)
    return Entries(tuple(pairs.items()), otherwise)


def _listed(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in names[:3]]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _side(node: syntax.Expression, known: Sequence[str], words: Sequence[str], reader: Reader) -> str:
    if isinstance(node, syntax.Name) and node.name in words:
        return node.name
    if isinstance(node, syntax.Text | syntax.Name):
        name = node.value if isinstance(node, syntax.Text) else node.name
    elif isinstance(node, syntax.Number):
        name = f"{node.value:f}"
    else:
        raise reader.fail("M308", f"`{node.span.text}` is neither a name nor a text", node.span, "write a text")
    if known and name not in known:
        every = [*known, *words]
        reader.scope.error("M408", f"`{name}` is not known", node.span,
                           did_you_mean(name, every) or f"known are {', '.join(every)}")  # fmt: skip
    return name
