"""A kind of block comes in; what its fields take goes out, and the rule text that a plain argument (`NAME=VALUE`) means.

A shell has taken the quotes away and a merchant does not know where they belong: a field that takes a text gets its
value quoted, one that takes an expression gets it as it is.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from merx.engine import syntax
from merx.engine.diagnostic import Diagnostic, PolicyError, did_you_mean
from merx.engine.edit import Form, Wording, quoted
from merx.engine.expression import Expression
from merx.engine.parse import parse_item
from merx.engine.policy import AttributeNames, Entries, Interval, PolicyType, Vocabulary, Word
from merx.engine.registry import Registry
from merx.engine.rules import RuleContext
from merx.engine.scan import KEYWORDS
from merx.engine.scope import Rates
from merx.engine.settings import required
from merx.engine.source import Source

Takes = Literal["expression", "expression or text", "text", "texts", "names", "titles", "call", "section", "map"]
"""`call`: a word that may have a text in brackets, such as `cron("0 6 * * *")`."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A field of a kind of block. doc: what it means. default: what stands where it is left out, as rules write it.
    below: the fields of a section. words: what a map's values may be without quotes. of: the kind whose titles it takes."""

    name: str
    takes: Takes
    doc: str
    default: str = ""
    below: Mapping[str, Slot] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    of: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an argument wants. path: sections first. wording: None takes the field away."""

    path: tuple[str, ...]
    form: Form
    wording: Wording | None


Titles = Callable[[str], Sequence[str]]
"""Kind → the titles there are."""


def slots(kind: str, registry: Registry) -> dict[str, Slot]:
    """The fields of a kind of block, in the order in which they are documented."""
    types = registry.policy_types
    if kind == "listing":
        named = [_naming(one) for one in types.values() if one.applies_to == "product"]
        return {one.name: one for one in (*_LISTING, *named)}
    if kind == "account":
        named = [_naming(one) for one in types.values() if one.applies_to != "product"]
        return {one.name: one for one in (*_ACCOUNT, *named)}
    return _model_slots(types[kind].fields, types[kind])


_LISTING = (
    Slot("assign", "expression", "Which products it takes: a condition over their attributes."),
    Slot(
        "priority", "expression", "Of several listings that take a product, the one with the larger number wins.", "0"
    ),
    Slot("products", "texts", "SKUs that it takes whatever the condition says."),
)
_ACCOUNT = (
    Slot("connector", "expression", "The marketplace that the account is at."),
    Slot("listings", "titles", "The listings that it sells; all of them where there is one account.", of="listing"),
)


def _naming(policy_type: PolicyType) -> Slot:
    kind = policy_type.kind
    doc = f"The `{kind}` policy that applies, or several: the first one active."
    return Slot(kind, "titles", doc, of=kind)


def _model_slots(model: type[BaseModel], policy_type: PolicyType, prefix: str = "") -> dict[str, Slot]:
    return {
        name: _slot(name, info, policy_type, prefix) for name, info in model.model_fields.items() if name != "ensure"
    }


def _slot(name: str, info: FieldInfo, policy_type: PolicyType, prefix: str) -> Slot:
    annotation, metadata = required(info.annotation, info.metadata)
    vocabulary = next((one for one in metadata if isinstance(one, Vocabulary)), None)
    doc, default = info.description or "", _written(info.get_default(), annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Slot(name, "section", doc, default, _model_slots(annotation, policy_type, f"{prefix}{name}."))
    if annotation is Entries:
        return Slot(name, "map", doc, default, words=vocabulary.words if vocabulary else ())
    return Slot(name, _takes(prefix + name, annotation, vocabulary, policy_type), doc, default)


def _takes(path: str, annotation: Any, vocabulary: Vocabulary | None, policy_type: PolicyType) -> Takes:
    if annotation is str:
        return "text"
    if annotation is Expression:
        kinds = {one.kind for one in policy_type.expect(path, {}, RuleContext(Rates())).types}
        return "expression or text" if kinds == {"text"} else "expression"
    if annotation is AttributeNames:
        return "names"
    if annotation == tuple[str, ...]:
        return "texts" if vocabulary is None else "names"
    return "call" if annotation in (Word, Interval) else "expression"


def _written(value: Any, annotation: Any) -> str:
    """A default as rules would write it; nothing for what has none."""
    match value:
        case bool():
            return "yes" if value else "no"
        case str():
            return quoted(value) if annotation is str else value
        case Word():
            return value.name
        case Entries(pairs=(), otherwise=str() as otherwise):
            return f"{{ else -> {otherwise} }}"
        case Interval(seconds=None, cron=None):
            return "off"
        case datetime.timedelta(days=days, seconds=0):
            return f"{days}d"
        case datetime.timedelta():
            return f"{int(value.total_seconds())}s"
        case int():
            return str(value)
    return ""


# --- arguments


def assignment(argument: str, kind: str, known: Mapping[str, Slot], titles: Titles) -> Assignment:
    """What `NAME=VALUE`, `SECTION.NAME=VALUE`, `MAP.KEY=VALUE` or `NAME=` wants. known: the kind's `slots`.

    Raises PolicyError: M843 for an argument of another form, M844 for a field that there is not, M845 for one of
    another kind of block, and what the parser says of a value.
    """
    name, equals, value = argument.partition("=")
    names = [one.strip() for one in name.split(".", 1)]
    if not equals or not all(names):
        help = "write `FIELD=VALUE`, `SECTION.FIELD=VALUE`, or `FIELD=` to take the field away"
        raise _refused("M843", f"`{argument}` is not a field and its value", help)
    slot = _slot_called(names[0], kind, known)
    value = value.strip()
    if len(names) == 1:
        form: Form = "section" if slot.takes in ("section", "map") else "setting"
        return Assignment((slot.name,), form, _item(form, slot.name, _worded(value, slot, titles), argument))
    if slot.takes == "map":
        key = names[1][1:-1] if re.fullmatch(r'".*"', names[1]) else names[1]
        text = value if not value or value in slot.words or _is_text(value) else quoted(value)
        return Assignment((slot.name, key), "entry", _item("entry", _key(key), text, argument))
    if slot.takes != "section":
        raise _refused("M843", f"`{slot.name}` has no parts", f"write `{slot.name}=…`")
    below = _slot_called(names[1], f"{kind}` `{slot.name}", slot.below)
    text = _worded(value, below, titles)
    return Assignment((slot.name, below.name), "setting", _item("setting", below.name, text, argument))


def _slot_called(name: str, kind: str, known: Mapping[str, Slot]) -> Slot:
    if name in known:
        return known[name]
    if name == "ensure":
        raise _refused("M844", "`ensure` is no field", "use `--ensure CONDITION MESSAGE` or `--drop-ensure NUMBER`")
    help = did_you_mean(name, known) or f"the fields are {', '.join(known)}"
    raise _refused("M844", f"`{kind}` has no field `{name}`", help)


def check_level(argument: str, kind: str, registry: Registry) -> None:
    """Raises PolicyError (M845) where a listing is to name what an account names, or the other way round."""
    name = argument.partition("=")[0].strip()
    policy_type = registry.policy_types.get(name)
    if policy_type is None or kind not in ("listing", "account"):
        return
    level = "listing" if policy_type.applies_to == "product" else "account"
    if level != kind:
        message = f"`{name}` policies are named by {_article(level)}, not by {_article(kind)}"
        raise _refused("M845", message, f"`merx policies edit {level} TITLE {name}=…`")


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _worded(value: str, slot: Slot, titles: Titles) -> str:
    """The value with the quotes and brackets that the field's kind of value has."""
    if not value or _is_text(value):
        return value
    several = [one.strip() for one in value.split(",")]
    match slot.takes:
        case "text":
            return quoted(value)
        case "texts" if not value.startswith("["):
            return f"[{', '.join(map(_as_text, several))}]"
        case "names" if not value.startswith("["):
            return f"[{', '.join(map(_key, several))}]"
        case "titles" if not value.startswith("["):
            known = titles(slot.of)
            if value not in known and len(several) > 1 and all(one in known for one in several):
                return f"[{', '.join(map(quoted, several))}]"
            return quoted(value)
        case "call":
            return re.sub(r'\A(\w+)\(([^"]+)\)\Z', lambda match: f"{match[1]}({quoted(match[2].strip())})", value)
        case "expression or text" if parse_item(Source("", f"{slot.name} = {value}"))[0] is None:
            return quoted(value)
    return value


def _is_text(value: str) -> bool:
    return re.fullmatch(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"', value) is not None


def _as_text(value: str) -> str:
    return value if _is_text(value) else quoted(value)


def _key(value: str) -> str:
    """A name as it is, where it can be one; else a text."""
    plain = re.fullmatch(r"[A-Za-z_]\w*", value, re.ASCII) is not None and (value not in KEYWORDS or value == "else")
    return value if plain or _is_text(value) else quoted(value)


def _item(form: Form, name: str, value: str, argument: str) -> Wording | None:
    """The wording, sure to be one item of that form. Raises PolicyError with what the parser says, or M843."""
    if not value:
        return None
    wording = Wording(form, name, value)
    wanted = {"setting": syntax.Setting, "section": syntax.Section, "entry": syntax.Entry, "ensure": syntax.Ensure}
    source = Source("<command line>", wording.text())
    item, problems = parse_item(source)
    if item is None:
        raise PolicyError(problems)
    if not isinstance(item, wanted[form]) or item.span.end != len(source.text):
        raise _refused("M843", f"`{argument}` is more than a field and its value", "give one field an argument")
    return wording


def ensured(condition: str, message: str) -> Wording:
    """The `ensure` of a condition and its message, which needs no quotes."""
    text = f"ensure {condition.strip()} {_as_text(message.strip())}"
    wording = _item("ensure", "", text, condition)
    assert wording is not None
    return wording


def _refused(code: str, message: str, help: str | None) -> PolicyError:
    return PolicyError([Diagnostic(code, "error", message, None, help)])
