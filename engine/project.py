"""A folder comes in; what its merx.toml (or the nearest one above) says about the project goes out."""

from __future__ import annotations

import re
import tomllib
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

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


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a merx.toml. rules, products: paths, relative to the working directory where they lie in it."""

    folder: Path
    rules: tuple[Path, ...]
    products: Path | None
    settings: StoreSettings


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
    return Project(folder, tuple(_seen_from(folder / one, start) for one in contents.rules), products, settings)


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
        found = sorted(_problems(source, error), key=lambda one: one.span.start if one.span else 0)
        raise PolicyError(found) from None


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
        span = _span(source, keys)
        name = ".".join(keys)
        if found["type"] == "extra_forbidden":
            known = (Store if keys[0] == "store" and len(keys) > 1 else Contents).model_fields
            help = did_you_mean(keys[-1], known) or _elsewhere(keys[-1]) or f"the settings are {', '.join(known)}"
            yield Diagnostic("M711", "error", f"merx.toml has no setting `{name}`", span, help)
        elif found["type"] == "value_error":
            yield Diagnostic("M712", "error", f"`{name}` cannot be used", span, str(found["ctx"]["error"]))
        else:
            wanted = "a number" if keys[-1] == "min_qty" else _WANTED.get(found["type"], found["msg"].lower())
            yield Diagnostic("M712", "error", f"`{name}` cannot be used", span, f"it is {wanted}")


def _keys(location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The names that lead to a setting, without pydantic's own marks of list elements and alternatives."""
    keys = [str(location[0])]
    fields: Mapping[str, Any] = Store.model_fields if keys == ["store"] else {}
    if len(location) > 1 and keys == ["store"] and (location[1] in fields or len(location) == 2):
        keys.append(str(location[1]))
    return tuple(keys)


def _elsewhere(key: str) -> str | None:
    if key in Store.model_fields:
        return f"`{key}` belongs into the section `[store]`"
    return f"`{key}` stands above the first section" if key in Contents.model_fields else None


def _span(source: Source, keys: tuple[str, ...]) -> Span | None:
    """Where the setting stands: its line, from the name to the end; the section's head where that is all there is."""
    section = ""
    start = 0
    for line in source.text.splitlines(keepends=True):
        if head := re.match(r"\s*\[+\s*([\w.-]+)\s*\]+", line):
            section = head[1]
            if keys == tuple(section.split("."))[: len(keys)]:
                return Span(source, start + head.start(1), start + head.end(1))
        elif setting := re.match(r"\s*([\w.\"'-]+)\s*=\s*", line):
            name = setting[1].replace('"', "").replace("'", "")
            path = (*section.split("."), *name.split(".")) if section else tuple(name.split("."))
            if path == keys or path[: len(keys)] == keys or keys[: len(path)] == path:
                return Span(source, start + setting.start(1), start + len(line.rstrip()))
        start += len(line)
    return None
