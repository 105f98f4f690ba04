"""A folder comes in; what its merx.toml (or the nearest one above) says about the project goes out."""

from __future__ import annotations

import re
import tomllib
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from merx.engine.blocks import is_currency
from merx.engine.diagnostic import Diagnostic, PolicyError, did_you_mean
from merx.engine.snapshot import StoreSettings
from merx.engine.source import Source, Span

FILE = "merx.toml"


def _currency(code: str) -> str:
    if not is_currency(code):
        raise ValueError("a currency is three capital letters, such as EUR")
    return code


def _timezone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("this time zone is not known; write it as in Europe/Copenhagen") from None
    return name


def _separator(text: str) -> str:
    if len(text) != 1:
        raise ValueError("a separator is one character")
    return text


def _not_negative(number: Decimal) -> Decimal:
    if not number.is_finite() or number < 0:
        raise ValueError("this is 0 or more")
    return number


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Store(_Model):
    """The store that the products come from, as far as its product files do not tell; Magento's defaults."""

    manage_stock: bool = Field(default=True, description="What products with “use config” for stock management follow.")
    backorders: int = Field(default=0, ge=0, le=2, description="0 no, 1 yes, 2 yes with a notice to the buyer.")
    min_qty: Annotated[Decimal | int, AfterValidator(Decimal), AfterValidator(_not_negative)] = Field(
        default=Decimal(0), description="The quantity at which a product counts as out of stock."
    )
    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        default="UTC", description="In which `today` is the day."
    )
    media_base_url: str | None = Field(default=None, description="What image paths are relative to.")
    multi_value_separator: Annotated[str, AfterValidator(_separator)] = Field(
        default="|", description="Between the values of a multi-select."
    )
    field_separator: Annotated[str, AfterValidator(_separator)] = Field(
        default=",", description="Between the pairs of a packed column."
    )


def _share(given: object) -> Decimal:
    if not isinstance(given, str) or re.fullmatch(r"\d{1,6}(\.\d{1,6})?%", given, re.ASCII) is None:
        raise ValueError('a share is written `"20%"`')
    return Decimal(given[:-1]) / 100


Share = Annotated[Decimal, BeforeValidator(_share)]


class Safety(_Model):
    """What `merx apply` refuses to send unless `--allow` names it. First publications do not count."""

    max_changed: Share | None = Field(
        default=None, description="How many of the published products may change at once."
    )
    max_price_move: Share | None = Field(default=None, description="How far one product's price may move.")
    max_held: Share | None = Field(default=None, description="How many of the published products may be held.")


class Contents(_Model):
    """What may stand in merx.toml."""

    rules: tuple[str, ...] = Field(
        default=("rules",), strict=False, min_length=1, description="Rule files and folders of them."
    )
    products: str | None = Field(default=None, description="The product file.")
    currency: Annotated[str, AfterValidator(_currency)] | None = Field(
        default=None, description="Of the prices, where the product file does not tell."
    )
    store: Store = Store()
    safety: Safety = Safety()
    accounts: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="What the connector of each account of the rules is told."
    )


SECTIONS: Mapping[str, type[_Model]] = {"store": Store, "safety": Safety}


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a merx.toml. rules, products: paths, relative to the working directory where they lie in it.

    accounts: title → what the file says of it, to be read by its connector's own model (`merx.engine.accounts`).
    source: the file's text, for diagnostics about these.
    """

    folder: Path
    rules: tuple[Path, ...]
    products: Path | None
    settings: StoreSettings
    safety: Safety
    accounts: Mapping[str, Mapping[str, Any]]
    source: Source


def find_project(start: Path) -> Project | None:
    """The project of the nearest folder at or above `start` that has a merx.toml; None without one.

    Raises PolicyError (M710 to M713) with everything that is wrong in the file.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        # A dangling link and an unreadable file are there too, and are reported when they are read.
        if (folder / FILE).is_symlink() or (folder / FILE).exists():
            return _read(folder, start)
    return None


def _read(folder: Path, start: Path) -> Project:
    path = _seen_from(folder / FILE, start)
    source = Source(str(path), _text(folder / FILE, path))
    contents = _contents(source)
    products = None if contents.products is None else _seen_from(folder / contents.products, start)
    settings = StoreSettings(currency=contents.currency, **dict(contents.store))
    rules = tuple(_seen_from(folder / one, start) for one in contents.rules)
    return Project(folder, rules, products, settings, contents.safety, contents.accounts, source)


def _seen_from(path: Path, start: Path) -> Path:
    """As the user would write it: relative where that is no detour."""
    return path.relative_to(start) if path.is_relative_to(start) else path


def _text(path: Path, shown: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        message, help = f"`{shown}` is not UTF-8 text (byte {error.start + 1})", "save it again as UTF-8"
    except IsADirectoryError:
        message, help = f"`{shown}` is a directory", "merx.toml is a text file; give the directory another name"
    except OSError as error:
        message, help = f"`{shown}` cannot be read: {error.strerror}", "mend its permissions, or remove it"
    raise PolicyError([Diagnostic("M713", "error", message, None, help)])


def _contents(source: Source) -> Contents:
    try:
        raw = tomllib.loads(source.text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise PolicyError([_not_toml(source, error)]) from None
    try:
        return Contents.model_validate(raw)
    except ValidationError as error:
        raise PolicyError(_in_order(_problems(source, error))) from None


def _in_order(problems: Iterable[Diagnostic]) -> list[Diagnostic]:
    return sorted(problems, key=lambda one: one.span.start if one.span else 0)


_Options = TypeVar("_Options", bound=BaseModel)


def account_options(project: Project, title: str, model: type[_Options]) -> _Options:
    """What merx.toml says of an account, as its connector reads it.

    Raises PolicyError (M711, M712) with everything that is wrong there.
    """
    try:
        return model.model_validate(dict(project.accounts.get(title, {})))
    except ValidationError as error:
        raise PolicyError(_in_order(_option_problems(project.source, title, model, error))) from None


def _option_problems(
    source: Source, title: str, model: type[BaseModel], error: ValidationError
) -> Iterator[Diagnostic]:
    for found in error.errors():
        key = str(found["loc"][0])
        path = ("accounts", title, key)
        span = span_of(source, path)
        if found["type"] == "extra_forbidden" and len(found["loc"]) == 1:
            known = model.model_fields
            help = did_you_mean(key, known) or f"the settings are {', '.join(known) or 'none'}"
            yield Diagnostic("M711", "error", f"the account `{title}` has no setting `{key}`", span, help)
        else:
            yield Diagnostic("M712", "error", f"`{key}` of `{title}` cannot be used", span, _wanted(found))


def _not_toml(source: Source, error: Exception) -> Diagnostic:
    message = re.sub(r"\s*\(at .*\)$", "", str(error)) if not isinstance(error, RecursionError) else "nested too deeply"
    at = re.search(r"\(at line (\d+), column (\d+)\)$", str(error))
    offset = len(source.text.rstrip())
    if at is not None:
        before = source.text.split("\n")[: int(at[1]) - 1]
        offset = sum(len(line) + 1 for line in before) + int(at[2]) - 1
    offset = min(offset, max(0, len(source.text) - 1))
    message = f"this is not TOML: {message[:1].lower()}{message[1:]}"
    help = "texts stand in double quotes, and a setting is `name = value`"
    return Diagnostic("M710", "error", message, Span(source, offset, offset + 1), help)


def _wanted(found: Any) -> str:
    if found["type"] in {"value_error", "assertion_error"}:
        return str(found["ctx"]["error"])
    return f"it is {_WANTED.get(found['type'], found['msg'].lower())}"


_WANTED = {
    "bool_type": "yes or no, written `true` or `false`",
    "string_type": "a text in double quotes",
    "int_type": "a whole number",
    "tuple_type": "a list of texts, such as `[\"rules\"]`",
    "too_short": "a list of at least one text",
    "model_type": "a section: `[store]` on a line of its own",
    "less_than_equal": "0, 1 or 2",
    "greater_than_equal": "0, 1 or 2",
    "is_instance_of": "a number",
}  # fmt: skip


def _problems(source: Source, error: ValidationError) -> Iterator[Diagnostic]:
    seen: set[tuple[str, ...]] = set()
    for found in error.errors():
        keys = _keys(found["loc"])
        if keys in seen:
            continue
        seen.add(keys)
        span = span_of(source, keys)
        name = ".".join(keys)
        if found["type"] == "extra_forbidden":
            known = (SECTIONS[keys[0]] if keys[0] in SECTIONS and len(keys) > 1 else Contents).model_fields
            help = did_you_mean(keys[-1], known) or _elsewhere(keys[-1]) or f"the settings are {', '.join(known)}"
            yield Diagnostic("M711", "error", f"merx.toml has no setting `{name}`", span, help)
        else:
            wanted = _wanted(found)
            if keys[-1] == "min_qty" and found["type"] != "value_error":
                wanted = "it is a number"
            elif keys[0] == "accounts":
                wanted = 'an account is a section: `[accounts."TITLE"]` on a line of its own'
            yield Diagnostic("M712", "error", f"`{name}` cannot be used", span, wanted)


def _keys(location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The names that lead to a setting, without pydantic's own marks of list elements and alternatives."""
    keys = [str(location[0])]
    fields: Mapping[str, Any] = SECTIONS[keys[0]].model_fields if keys[0] in SECTIONS else {}
    if len(location) > 1 and keys[0] in SECTIONS and (location[1] in fields or len(location) == 2):
        keys.append(str(location[1]))
    return tuple(keys)


def _elsewhere(key: str) -> str | None:
    for section, model in SECTIONS.items():
        if key in model.model_fields:
            return f"`{key}` belongs into the section `[{section}]`"
    return f"`{key}` stands above the first section" if key in Contents.model_fields else None


def span_of(source: Source, keys: tuple[str, ...]) -> Span | None:
    """Where a setting stands: its line, from the name to the end; the section's head where that is all there is."""
    section: tuple[str, ...] = ()
    head: Span | None = None
    start = 0
    for line in source.text.splitlines(keepends=True):
        if found := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            section = _dotted(found[1])
            span = Span(source, start + found.start(1), start + found.end(1))
            if keys == section[: len(keys)]:
                return span
            head = span if section and keys[: len(section)] == section else head
        elif found := re.match(r"\s*([\w.\"' -]+?)\s*=\s*", line):
            path = (*section, *_dotted(found[1]))
            if path[: len(keys)] == keys or keys[: len(path)] == path:
                return Span(source, start + found.start(1), start + len(line.rstrip()))
        start += len(line)
    return head


def _dotted(text: str) -> tuple[str, ...]:
    """The names of a key such as `accounts."one shop"`."""
    try:
        found: Any = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return (text,)
    names: list[str] = []
    while isinstance(found, dict):
        [(name, found)] = found.items()
        names.append(name)
    return tuple(names)
