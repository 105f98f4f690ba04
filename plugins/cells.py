"""Columns of text cells and the types they should have come in; typed columns, and why single cells cannot be read, go out.

Numbers are never read through floats. Polars rounds what a Decimal column has no room for and takes `1e3` for a number,
so a cell is matched with the plain notation, fraction length included, before its cast is believed. A form is guessed from
the first rows, applied to the whole column, and made anew from the whole column where a cell contradicts the guess.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import polars as pl

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.exact import EXACT
from merx.engine.fixed import decimal_series
from merx.engine.types import DATE, DIGITS, NUMBER, TEXT, Type, Value
from merx.engine.units import UNITS

LABELS: Mapping[str, Mapping[str, int]] = {
    "status": {"1": 1, "2": 2, "enabled": 1, "disabled": 2},
    "visibility": {
        "1": 1, "2": 2, "3": 3, "4": 4, "not visible individually": 1, "catalog": 2, "search": 3, "catalog, search": 4,
    },
}  # fmt: skip
"""Attributes that are numbers in the store's REST API and labels in its exports, lower case."""

_YES, _NO = ("1", "yes", "true"), ("0", "no", "false")
_WORDS = [
    (change(yes), change(no)) for yes, no in zip(_YES, _NO, strict=True) for change in (str, str.title, str.upper)
]
_PLAIN = re.compile(r"[+-]?([0-9]+)(?:\.([0-9]+))?")
_CANONICAL = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MOMENT = rf"{_ISO}(?:[ T][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:\.0+)?)?)?"
_SLASHED = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{2}|[0-9]{4})(?:,?\s+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:\s*[AaPp][Mm])?)?"
)
# Where one cell is very long before the point and another after it, this many digits are kept on either side.
_WHOLE, _FRACTION = 20, DIGITS - 20


@dataclass(frozen=True, slots=True)
class Form:
    """How the cells of one column are written.

    shape: `whole` numbers that fit Int64, `decimal` with at most `scale` places, `coded` digits of a labelled attribute,
    `list` without escapes or blanks around the commas; `text` keeps a cell as it is, blank is missing.
    type: of the column that comes out.
    words: of a `flag` column, for yes and for no.
    cents: each cell of a `decimal` column has two places, zeros written out.
    canonical: taken for numbers only by the look of them, so that `007` or `+5` is not one.
    """

    shape: Literal["text", "whole", "decimal", "coded", "flag", "date", "list"]
    type: Type
    scale: int = 0
    cents: bool = False
    canonical: bool = False
    words: tuple[str, str] = ("1", "0")


@dataclass(frozen=True, slots=True)
class Typed:
    """frame: as wanted, and the extra columns. faults: row → why it cannot be read. types: of every wanted column."""

    frame: pl.DataFrame
    types: Mapping[str, Type]
    faults: Mapping[int, str]


def type_columns(
    texts: pl.LazyFrame,
    wanted: Mapping[str, Type | None],
    sample: pl.DataFrame,
    extra: Sequence[pl.Expr] = (),
    with_whole: Callable[[Collection[str]], pl.LazyFrame] | None = None,
) -> Typed:
    """texts: String columns in which "" and null are blank; a List column is taken as it is.
    wanted: column → its type, None to tell it from all of its cells. sample: the first rows of `texts`.
    extra: further columns to compute in the same pass.
    with_whole: gives `texts` with the named columns as Int64; where it raises ComputeError their text is read instead.
    Raises PolicyError for a type that no cell can hold, and whatever reading `texts` raises.
    """
    forms = {name: _guess(sample[name], type_) for name, type_ in wanted.items()}
    whole = {name for name, form in forms.items() if form is not None and _is_whole(form)}
    try:
        frame = _apply(with_whole(whole), forms, whole, extra) if with_whole else _apply(texts, forms, (), extra)
    except pl.exceptions.ComputeError:
        if with_whole is None:
            raise
        frame = _apply(texts, forms, (), extra)
    doubtful = [
        name for name in wanted if forms[name] is None or (f"?{name}" in frame.columns and frame[f"?{name}"].any())
    ]
    frame = frame.drop([f"?{name}" for name in forms], strict=False)
    types = {name: form.type for name, form in forms.items() if form is not None}
    faults: dict[int, str] = {}
    if doubtful:
        raw = texts.select(*doubtful, *extra).collect(engine="streaming")
        for name in doubtful:
            column, types[name], wrong = read_column(raw[name], wanted[name])
            frame = frame.with_columns(column.alias(name))
            for row, reason in wrong.items():
                faults[row] = f"{faults[row]}; {reason}" if row in faults else reason
    return Typed(frame, types, faults)


def _apply(
    texts: pl.LazyFrame, forms: Mapping[str, Form | None], whole: Collection[str], extra: Sequence[pl.Expr]
) -> pl.DataFrame:
    """The columns by their forms, and beside each a column `?name` that is true where a cell is not of the form."""
    values, doubts = [], []
    for name, form in forms.items():
        # What has no form yet is read afterwards, from the whole column.
        value, bad = _expressions(name, form, name in whole) if form is not None else (pl.lit(None), None)
        values.append(value.alias(name))
        if bad is not None:
            doubts.append(bad.alias(f"?{name}"))
    # The streaming engine types each part of the file while it is in the cache, and never holds all of the text.
    return texts.select(*values, *doubts, *extra).collect(engine="streaming")


def _is_whole(form: Form) -> bool:
    """Whether cells of this form can be read as Int64 at once. `007` could, and must not where nobody said number."""
    return (
        form.shape == "coded"
        or (form.shape == "whole" and not form.canonical)
        or (form.shape == "flag" and form.words == ("1", "0"))
    )


def _guess(sample: pl.Series, type_: Type | None) -> Form | None:
    """The form that the first cells have; None where only the whole column tells."""
    if sample.dtype != pl.String:
        return Form("text", type_ or Type("list", item=TEXT))
    if type_ is None and not sample.is_not_null().any():
        return None
    if type_ is None and not (sample != "").any():
        return None
    return measure(sample, type_)


def measure(cells: pl.Series, type_: Type | None) -> Form | None:
    """The form of all `cells`: of `type_`, or of the type that they look like. None where they have to be read one by one."""
    filled = cells.filter(cells.is_not_null() & (cells != ""))
    if type_ is None:
        if filled.len() and filled.str.contains(rf"^{_CANONICAL}$").all():
            form = _measure_number(filled, NUMBER.maybe(), canonical=True)
            if form is not None:
                return form
        if filled.len() and filled.str.contains(rf"^{_ISO}$").all() and _dates(filled).is_not_null().all():
            return Form("date", DATE.maybe())
        return Form("text", TEXT.maybe())
    if cells.name in LABELS and type_.numeric:
        return Form("coded", type_)
    if type_.kind in {"number", "money"}:
        return _measure_number(filled, type_)
    if type_.kind in {"text", "unknown"}:
        return Form("text", TEXT.maybe(type_.optional))
    if type_.kind == "flag":
        words = next((pair for pair in _WORDS if filled.is_in(pair).all()), _WORDS[0])
        return Form("flag", type_, words=words)
    if type_.kind == "date":
        return Form("date", type_)
    if type_.kind == "list" and type_.item == TEXT:
        return Form("list", type_)
    return None


def _measure_number(filled: pl.Series, type_: Type, canonical: bool = False) -> Form | None:
    parts = filled.str.extract_groups(r"^[+-]?0*([0-9]+)(?:\.([0-9]*?)0*)?$").struct
    whole = _longest(parts.field("1"))
    scale = _longest(parts.field("2"))
    pointed = filled.str.contains(".", literal=True).any()
    if whole + scale > DIGITS:
        if canonical:
            return None
        whole, scale = min(whole, _WHOLE), min(scale, _FRACTION)
    if not pointed and whole <= 18:
        return Form("whole", type_, canonical=canonical)
    cents = scale <= 2 and not canonical and bool(filled.to_frame().select(_in_cents(pl.col(filled.name)).all()).item())
    return Form("decimal", type_, 2 if cents else scale, cents, canonical)


def _in_cents(cell: pl.Expr) -> pl.Expr:
    """Where a cell that Polars takes for a Decimal is sure to be a plain one of two places: a point and a digit stand
    before the last character. A quarter of the time that matching it takes."""
    return cell.str.slice(-3, 2).is_between(pl.lit(".0"), pl.lit(".9"))


def _longest(texts: pl.Series) -> int:
    longest = texts.str.len_bytes().max()
    return longest if isinstance(longest, int) else 0


def _dates(cells: pl.Series) -> pl.Series:
    return cells.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)


def _expressions(name: str, form: Form, whole: bool = False) -> tuple[pl.Expr, pl.Expr | None]:
    """The column's value, missing where the cell is blank, and where a cell is neither blank nor of the form.

    whole: the column has come as Int64.
    """
    cell = pl.col(name)
    filled = cell.is_not_null() if whole else cell != ""
    if form.shape == "text":
        return cell, cell == "" if form.type.kind == "text" else None
    if form.shape == "list":
        odd = cell.str.contains_any(["\\", ", ", " ,", ",,"]) | cell.str.starts_with(",") | cell.str.ends_with(",")
        return cell.str.split(","), odd | ~filled
    if form.shape == "flag":
        yes, no = (1, 0) if whole else form.words
        value: pl.Expr = pl.when(cell == yes).then(True).when(cell == no).then(False)
    elif form.shape == "coded":
        code = cell if whole else cell.cast(pl.Int64, strict=False)
        value = pl.when(code.is_between(1, max(LABELS[name].values()))).then(code)
    elif form.shape == "date":
        # Ten characters that Polars takes for a day are one; anything else is read singly.
        value = cell.str.to_date("%Y-%m-%d", strict=False)
        sure = value.is_between(datetime.date.min, datetime.date.max) & (cell.str.len_bytes() == 10)
        return value, (value.is_null() | ~sure) & filled
    elif form.shape == "whole":
        if whole:
            return cell, None
        value = cell.cast(pl.Int64, strict=False)
        if form.canonical:
            return value, (value.is_null() & filled) | ~cell.str.contains(rf"^(?:{_CANONICAL})?$")
    else:
        value = cell.cast(pl.Decimal(DIGITS, form.scale), strict=False)
        if form.cents:
            return value, (value.is_null() | ~_in_cents(cell)) & filled
        digits = "-?(?:0|[1-9][0-9]*)" if form.canonical else "[+-]?[0-9]+"
        fraction = rf"\.[0-9]{{1,{form.scale}}}0*" if form.scale else r"\.0+"
        return value, (value.is_null() & filled) | ~cell.str.contains(rf"^(?:{digits}(?:{fraction})?)?$")
    return value, value.is_null() & filled


def read_column(cells: pl.Series, type_: Type | None) -> tuple[pl.Series, Type, dict[int, str]]:
    """The whole column, its type, and for each row that cannot be read the reason."""
    form = measure(cells, type_)
    if form is not None and form.shape == "text":
        blank = cells.to_frame().select(pl.when(pl.col(cells.name) != "").then(pl.col(cells.name)).alias(cells.name))
        return blank[cells.name], form.type, {}
    if form is not None and form.shape in {"whole", "decimal"}:
        value, bad = _expressions(cells.name, form)
        assert bad is not None
        read = cells.to_frame().select(value.alias("value"), bad.alias("bad"))
        if not read["bad"].any():
            return read["value"].alias(cells.name), form.type, {}
    type_ = form.type if form is not None else type_
    if type_ is None:  # written like numbers, and too long for them
        type_ = TEXT.maybe()
    return _read_singly(cells, type_, form.scale if form is not None and form.shape == "decimal" else None)


def _read_singly(cells: pl.Series, type_: Type, scale: int | None) -> tuple[pl.Series, Type, dict[int, str]]:
    """Each distinct cell by itself: the slow way, for blanks around a value, labels, escapes and reasons."""
    reader = cell_reader(cells.name, type_)
    known: dict[str | None, Value] = {None: None}
    reasons: dict[str | None, str] = {}
    for cell in cells.unique().to_list():
        if cell is None or not cell.strip():
            known[cell] = None
            continue
        try:
            known[cell] = reader(cell)
        except ValueError as problem:
            known[cell] = None
            reasons[cell] = f"`{cells.name}` {problem}: `{shorten(cell)}`"
    if type_.numeric:
        scale = _make_room(cells.name, known, reasons, scale)
    values = [known[cell] for cell in cells.to_list()]
    column = _series(cells.name, values, type_, scale)
    return (
        column,
        type_,
        {row: reasons[cell] for row, cell in enumerate(cells.to_list()) if cell in reasons} if reasons else {},
    )


def _make_room(name: str, known: dict[str | None, Value], reasons: dict[str | None, str], scale: int | None) -> int:
    """The places that the column needs; numbers that do not fit beside the others become faults."""
    numbers = {cell: value for cell, value in known.items() if isinstance(value, Decimal)}
    if scale is None:
        places = max((_places(value) for value in numbers.values()), default=0)
        whole = max((value.adjusted() + 1 for value in numbers.values()), default=0)
        scale = places if places + whole <= DIGITS else min(places, _FRACTION)
    for cell, value in numbers.items():
        if _places(value) > scale or value.adjusted() + 1 > DIGITS - scale:
            known[cell] = None
            reasons[cell] = f"`{name}` has more digits than fit beside the column's others: `{shorten(str(cell))}`"
    return scale


def _places(value: Decimal) -> int:
    exponent = value.normalize(EXACT).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _series(name: str, values: Sequence[Value], type_: Type, scale: int | None) -> pl.Series:
    if type_.kind == "list":
        assert type_.item is not None
        lists = [list(value) if isinstance(value, tuple) else None for value in values]
        if not type_.item.numeric:
            return pl.Series(name, lists, dtype=pl.List(dtype_of(type_.item)))
        places = max((_places(one) for some in lists if some for one in some if isinstance(one, Decimal)), default=0)
        return pl.Series(name, lists, dtype=pl.List(pl.Decimal(DIGITS, places)))
    if type_.numeric:
        return decimal_series(name, [value if isinstance(value, Decimal) else None for value in values], scale or 0)
    return pl.Series(name, values, dtype=dtype_of(type_))


def dtype_of(type_: Type) -> pl.DataType:
    """The column of a type of which there is no value yet."""
    if type_.kind == "list":
        assert type_.item is not None
        return pl.List(dtype_of(type_.item))
    simple: dict[str, pl.DataType] = {
        "text": pl.String(),
        "unknown": pl.String(),
        "flag": pl.Boolean(),
        "date": pl.Date(),
    }
    return simple.get(type_.kind, pl.Decimal(DIGITS, 0))


def shorten(cell: str) -> str:
    """A cell as a reason quotes it: one line, not too long."""
    line = " ".join(cell.split())
    return line if len(line) <= 60 else line[:57] + "…"


def cell_reader(name: str, type_: Type) -> Callable[[str], Value]:
    """What reads one filled cell. It raises ValueError with the end of the sentence that starts with the attribute's name."""
    if name in LABELS and type_.numeric:
        return lambda cell: _coded(name, cell)
    if type_.kind == "list":
        assert type_.item is not None
        item = type_.item
        read = cell_reader("", item)
        return lambda cell: tuple(read(part) for part in split_list(cell))
    readers: dict[str, Callable[[str], Value]] = {
        "number": _number, "money": _number, "text": lambda cell: cell, "unknown": lambda cell: cell, "flag": _flag,
        "date": read_date, "percent": _percent, "duration": lambda cell: _measured(cell, "duration"),
        "size": lambda cell: _measured(cell, "size"),
    }  # fmt: skip
    if type_.kind not in readers:
        raise PolicyError([Diagnostic("M602", "error", f"a product file cannot hold `{name}` as a {type_}")])
    return readers[type_.kind]


def _coded(name: str, cell: str) -> Decimal:
    code = LABELS[name].get(cell.strip().lower())
    if code is None:
        raise ValueError(f"is none of {', '.join(LABELS[name])}")
    return Decimal(code)


def _number(cell: str) -> Decimal:
    matched = _PLAIN.fullmatch(cell.strip())
    if matched is None:
        raise ValueError("is not a plain number such as 1234.50")
    if len(matched[1].lstrip("0")) + len((matched[2] or "").rstrip("0")) > DIGITS:
        raise ValueError(f"has more than {DIGITS} digits")
    return Decimal(matched[0])


def _percent(cell: str) -> Decimal:
    if not cell.strip().endswith("%"):
        raise ValueError("is not a percentage such as 12.5%")
    return _number(cell.strip()[:-1]).scaleb(-2)


def _measured(cell: str, kind: str) -> Decimal:
    matched = re.fullmatch(r"([0-9.]+)([a-zA-Z]+)", cell.strip())
    unit = UNITS.get(matched[2]) if matched else None
    if matched is None or unit is None or unit[0] != kind:
        raise ValueError(f"is not a {kind} such as {'15m' if kind == 'duration' else '2MB'}")
    return _number(matched[1]) * unit[1]


def _flag(cell: str) -> bool:
    word = cell.strip().lower()
    if word not in _YES and word not in _NO:
        raise ValueError("is neither yes (1, yes, true) nor no (0, no, false)")
    return word in _YES


def read_date(cell: str) -> datetime.date:
    """A day as `2026-02-27`, with a time of day that is left out, or as stores write it: `2/27/26`, month first.

    `27/2/26` is refused rather than turned round; a year of two digits is one of this century.
    """
    text = cell.strip()
    if re.fullmatch(_MOMENT, text):
        year, month, day = (int(part) for part in text[:10].split("-"))
    else:
        matched = _SLASHED.fullmatch(text)
        if matched is None:
            raise ValueError("is not a date such as 2026-02-27 or 2/27/2026")
        month, day, year = (int(part) for part in matched.groups())
        year += 2000 if year < 100 else 0
    try:
        return datetime.date(year, month, day)
    except ValueError:
        raise ValueError("is not a day of the calendar (2026-02-27, or with the month first 2/27/2026)") from None


def split_list(cell: str, separator: str = ",") -> list[str]:
    """The elements of a list cell, blanks around them left out: `a, b\\\\,c` is `a` and `b,c`."""
    parts = re.split(rf"(?<!\\){re.escape(separator)}", cell) if "\\" in cell else cell.split(separator)
    found = (part.replace(f"\\{separator}", separator).strip() for part in parts)
    return [part for part in found if part]
