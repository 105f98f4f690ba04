"""Plain CSV files come in; what the snapshot holds, and what it says about what it leaves out, is asserted."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merx.engine.diagnostic import PolicyError
from merx.engine.read import read_products
from merx.engine.snapshot import Schema, Snapshot, StoreSettings
from merx.engine.types import DATE, FLAG, NUMBER, TEXT, TEXTS, Type, money
from merx.plugins.magento_csv import MagentoCsv
from merx.plugins.magento_rest import MagentoRest
from merx.plugins.parquet import Parquet
from merx.plugins.plain_csv import PlainCsv

SOURCES = (Parquet(), MagentoRest(), MagentoCsv(), PlainCsv())


def read(
    folder: Path,
    content: str | bytes,
    *,
    declared: dict[str, Type] | None = None,
    columns: Collection[str] | None = None,
    store: StoreSettings | None = None,
) -> Snapshot:
    path = folder / "products.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    schema = Schema("declared", declared) if declared is not None else None
    snapshot = read_products(path, SOURCES, declared=schema, columns=columns, settings=store)
    assert snapshot.frame.height + len(snapshot.rejects) == snapshot.rows
    assert not any(dtype.is_float() for dtype in snapshot.frame.dtypes)
    return snapshot


def cells(snapshot: Snapshot, name: str) -> dict[str, Any]:
    """SKU → the value of one attribute."""
    return dict(zip(snapshot.frame["sku"].to_list(), snapshot.frame[name].to_list(), strict=True))


def rejected(snapshot: Snapshot) -> list[tuple[int, str | None]]:
    return [(one.line, one.sku) for one in snapshot.rejects]


def refusal(folder: Path, content: str | bytes, **options: Any) -> tuple[str, str]:
    """The code and the whole text of the one diagnostic that a file is refused with."""
    with pytest.raises(PolicyError) as caught:
        read(folder, content, **options)
    [problem] = caught.value.diagnostics
    assert problem.help
    return problem.code, str(problem)


# Types


def test_standard_attributes_take_their_types_and_others_are_told_from_all_their_cells(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        "sku,name,price,qty,status,is_in_stock,categories,special_from_date,weight,released,barcode,color\n"
        'A1,One,19.99,5,1,1,"Default/Bags,Default/Gear",2026-02-27,1.5,2026-01-31,0012,Red\n'
        "A2,Two,5,7,2,0,Default/Bags,,2,,99,\n",
    )
    assert {name: str(type_) for name, type_ in snapshot.schema.attributes.items()} == {
        "sku": "text",
        "name": "text",
        "price": "number",
        "qty": "number",
        "status": "number",
        "is_in_stock": "flag?",
        "categories": "list(text)",
        "special_from_date": "date?",
        "weight": "number?",
        "released": "date?",
        "barcode": "text?",
        "color": "text?",
    }
    assert snapshot.frame.rows() == [
        (
            "A1", "One", Decimal("19.99"), 5, 1, True, ["Default/Bags", "Default/Gear"], datetime.date(2026, 2, 27),
            Decimal("1.5"), datetime.date(2026, 1, 31), "0012", "Red",
        ),
        ("A2", "Two", Decimal(5), 7, 2, False, ["Default/Bags"], None, Decimal(2), None, "99", None),
    ]  # fmt: skip


def test_amounts_are_money_where_the_currency_is_known(tmp_path: Path) -> None:
    snapshot = read(tmp_path, "sku,price,map,points\nA,1.00,,3\n", store=StoreSettings(currency="EUR"))
    assert snapshot.schema.attributes["price"] == money("EUR")
    assert snapshot.schema.attributes["map"] == money("EUR").maybe()
    assert snapshot.schema.attributes["points"] == NUMBER.maybe()


def test_declared_types_win_over_what_the_cells_look_like(tmp_path: Path) -> None:
    declared = {
        "barcode": TEXT,
        "tags": TEXTS,
        "sold": FLAG.maybe(),
        "margin": Type("percent"),
        "lead": Type("duration"),
    }
    snapshot = read(
        tmp_path, 'sku,barcode,tags,sold,margin,lead\nA,123,"a,b\\,c",yes,12.5%,2h\nB,4,,,3%,15m\n', declared=declared
    )
    assert snapshot.frame.rows() == [
        ("A", "123", ["a", "b,c"], True, Decimal("0.125"), Decimal(7200)),
        ("B", "4", None, None, Decimal("0.03"), Decimal(900)),
    ]


@pytest.mark.parametrize("cell", ["007", "+5", "1e3", "1.", ".5", "1,5", "1_000", "٣", "0x1F", "NaN", "9" * 39])
def test_one_cell_that_is_no_canonical_number_makes_an_undeclared_attribute_a_text(tmp_path: Path, cell: str) -> None:
    snapshot = read(tmp_path, f'sku,size\nA,5\nB,"{cell}"\nC,\n')
    assert snapshot.schema.attributes["size"] == TEXT.maybe()
    assert cells(snapshot, "size") == {"A": "5", "B": cell, "C": None}


def test_a_type_is_told_from_the_last_cell_too(tmp_path: Path) -> None:
    rows = "".join(f"S{n},{n},{n},,2026-01-01\n" for n in range(5000))
    snapshot = read(tmp_path, f"sku,size,weight,late,day\n{rows}Z,XL,0.125,7,soon\n")
    types = snapshot.schema.attributes
    assert (types["size"], types["weight"], types["late"], types["day"]) == (
        TEXT.maybe(), NUMBER.maybe(), NUMBER.maybe(), TEXT.maybe(),
    )  # fmt: skip
    assert cells(snapshot, "size")["S10"] == "10"
    assert cells(snapshot, "weight")["Z"] == Decimal("0.125")
    assert cells(snapshot, "weight")["S7"] == Decimal(7)
    assert cells(snapshot, "late")["Z"] == Decimal(7)


# Numbers are exact, and garbage is a rejected row


def test_digits_are_kept_to_the_last_whatever_the_first_rows_look_like(tmp_path: Path) -> None:
    written = ["12.50", "0.005", "0.0049999999999999999", "1000000000000000000", "-3.10", "5", "17.990000", "0.1"]
    rows = "".join(f"S{n},1.25\n" for n in range(1000))
    rows += "".join(f"X{n},{cell}\n" for n, cell in enumerate(written))
    prices = cells(read(tmp_path, f"sku,price\n{rows}"), "price")
    assert [prices[f"X{n}"] for n in range(len(written))] == [Decimal(cell) for cell in written]
    assert prices["S5"] == Decimal("1.25")


@pytest.mark.parametrize(
    "cell",
    ["1e3", "1.1e1", "1.e1", "12.3e1", "abc", "1.2.3", "--1", "1.", ".", "-", "1,50", "1 000", "NaN", "Infinity", "0x1",
     "٣", "1_0", "€5", "9" * 39],
)  # fmt: skip
@pytest.mark.parametrize("others", ["1.25", "3", "0.125"])
def test_a_cell_that_is_no_plain_number_rejects_its_row_with_line_and_reason(
    tmp_path: Path, cell: str, others: str
) -> None:
    rows = "".join(f"S{n},{others}\n" for n in range(400))
    snapshot = read(tmp_path, f'sku,price\n{rows}BAD,"{cell}"\nEND,{others}\n')
    [reject] = snapshot.rejects
    assert (reject.line, reject.sku) == (402, "BAD")
    assert "`price`" in reject.reason and cell[:20] in reject.reason
    assert cells(snapshot, "price")["END"] == Decimal(others)


def test_blanks_around_a_number_a_flag_or_a_date_mean_nothing(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path, "sku,price,is_in_stock,special_from_date\nA, 5.10 , 1 , 2026-02-27 \nB,+5.10,1,2026-02-27\n"
    )
    assert snapshot.frame.rows() == [
        ("A", Decimal("5.10"), True, datetime.date(2026, 2, 27)),
        ("B", Decimal("5.10"), True, datetime.date(2026, 2, 27)),
    ]


def test_one_enormous_number_does_not_cost_the_others_their_digits(tmp_path: Path) -> None:
    snapshot = read(tmp_path, f"sku,price\nA,1.25\nB,{'9' * 38}\nC,0.5\n")
    assert cells(snapshot, "price")["A"] == Decimal("1.25")
    assert cells(snapshot, "price")["C"] == Decimal("0.5")
    assert rejected(snapshot) == [(3, "B")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.decimals(min_value=-(10**9), max_value=10**9, places=2).map(lambda value: f"{value:f}"),
            st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12).map(
                lambda value: f"{value:f}"
            ),
            st.integers(-(10**20), 10**20).map(str),
            st.text("0123456789.+-eE ", max_size=6),
            st.just(""),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_cell_is_read_exactly_or_its_row_is_rejected(
    tmp_path_factory: pytest.TempPathFactory, written: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("numbers")
    content = "sku,price,end\n" + "".join(f"S{n},{cell},x\n" for n, cell in enumerate(written))
    snapshot = read(folder, content)
    prices = cells(snapshot, "price")
    rejects = {one.sku for one in snapshot.rejects}
    for number, cell in enumerate(written):
        sku, plain = f"S{number}", cell.strip()
        if not plain:
            assert prices[sku] is None
        elif sku in prices:
            assert "e" not in plain.lower()
            assert prices[sku] == Decimal(plain)
        else:
            assert sku in rejects


# Flags, labels, dates, lists


def test_flags_are_ones_and_zeros_and_words(tmp_path: Path) -> None:
    words = ["1", "0", "yes", "No", "TRUE", "false", ""]
    rows = "".join(f"S{n},{word}\n" for n, word in enumerate(words))
    snapshot = read(tmp_path, f"sku,manage_stock\n{rows}BAD,2\n")
    assert snapshot.frame["manage_stock"].to_list() == [True, False, True, False, True, False, None]
    assert rejected(snapshot) == [(9, "BAD")]


def test_status_and_visibility_are_numbers_or_labels(tmp_path: Path) -> None:
    snapshot = read(
        tmp_path,
        'sku,status,visibility\nA,1,4\nB,Enabled,"Catalog, Search"\nC,disabled,Not Visible Individually\nD,3,1\nE,1,visible\n',
    )
    assert snapshot.frame.rows() == [("A", 1, 4), ("B", 1, 4), ("C", 2, 1)]
    assert rejected(snapshot) == [(5, "D"), (6, "E")]


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("2026-02-27", datetime.date(2026, 2, 27)),
        ("2026-02-27 23:59:59", datetime.date(2026, 2, 27)),
        ("2026-02-27T10:00", datetime.date(2026, 2, 27)),
        ("2/27/26", datetime.date(2026, 2, 27)),
        ("02/03/2026", datetime.date(2026, 2, 3)),
        ("27/2/26", None),
        ("2026-02-30", None),
        ("27.02.2026", None),
        ("soon", None),
        ("20260227", None),
        ("-026-02-07", None),
    ],
)
def test_dates_are_iso_or_month_first_and_nothing_is_turned_round(
    tmp_path: Path, cell: str, day: datetime.date | None
) -> None:
    snapshot = read(tmp_path, f"sku,special_from_date\nA,{cell}\nB,2026-01-01\n")
    assert cells(snapshot, "special_from_date").get("A") == day
    assert rejected(snapshot) == ([] if day else [(2, "A")])


def test_lists_are_separated_by_commas_and_a_comma_inside_is_escaped(tmp_path: Path) -> None:
    snapshot = read(tmp_path, 'sku,categories\nA,"Gear/Bags, Gear/Big\\, heavy,"\nB,Gear\nC,\n')
    assert cells(snapshot, "categories") == {"A": ["Gear/Bags", "Gear/Big, heavy"], "B": ["Gear"], "C": None}


# Records


def test_a_short_row_is_rejected_and_not_filled_up(tmp_path: Path) -> None:
    snapshot = read(tmp_path, "sku,name,price,color\nA,One,1.00,Red\nB,Two\nC,Three,3.00,\nD,Four,4.00\n")
    assert rejected(snapshot) == [(3, "B"), (5, "D")]
    assert snapshot.rejects[0].reason == "it has 2 fields where the header has 4"


@pytest.mark.parametrize("short", ["B", "B,", "B,,", "B,Two,3,", 'B,"a,b",,', 'B,"x"', "B,Two,3.00,,"])
def test_a_short_row_is_seen_among_rows_whose_last_cells_are_blank(tmp_path: Path, short: str) -> None:
    full = "".join(f"S{n},{n},1.00,{'Red' if n % 3 else ''},{'x' if n % 2 else ''}\n" for n in range(50))
    snapshot = read(tmp_path, f"sku,name,price,color,note\n{full}{short}\nZ,,,,\n")
    if short.count(",") == 4 and '"' not in short:
        assert rejected(snapshot) == []
    else:
        assert rejected(snapshot) == [(52, "B")]
    assert cells(snapshot, "note")["Z"] is None


def test_a_row_with_fields_too_many_is_rejected_even_where_only_some_columns_are_needed(tmp_path: Path) -> None:
    content = "sku,name,price\nA,One,1.00\nB,Two, or three,2.00\nC,Three,3.00\n"
    for columns in (None, ["price"], []):
        assert rejected(read(tmp_path, content, columns=columns)) == [(3, "B")]


def test_line_numbers_count_lines_of_the_file_and_not_records(tmp_path: Path) -> None:
    snapshot = read(tmp_path, 'sku,name,price\nA,"two\nlines",1.00\n\nB,"three\r\nmore\nlines",oops\nC,x\n')
    assert cells(snapshot, "name") == {"A": "two\nlines"}
    assert rejected(snapshot) == [(5, "B"), (8, "C")]


def test_an_inch_mark_in_an_unquoted_cell_swallows_nothing(tmp_path: Path) -> None:
    content = 'sku,name,price\nA,5" pipe,1.00\nB,6" pipe,2.00\nC,"7"" pipe, long",3.00\nD,8,4.00\n'
    assert cells(read(tmp_path, content), "name") == {"A": '5" pipe', "B": '6" pipe', "C": '7" pipe, long', "D": "8"}
    assert cells(read(tmp_path, content, columns=["price"]), "price") == {
        "A": Decimal(1), "B": Decimal(2), "C": Decimal(3), "D": Decimal(4),
    }  # fmt: skip


def test_text_after_a_closing_quote_rejects_the_row(tmp_path: Path) -> None:
    assert rejected(read(tmp_path, 'sku,name\nA,"b"x\nC,d\n')) == [(2, "A")]


def test_a_quote_that_is_never_closed_is_named_with_its_line(tmp_path: Path) -> None:
    code, text = refusal(tmp_path, 'sku,name\nA,b\nB,"c\nD,e\n')
    assert code == "M610"
    assert "line 3" in text


def test_a_quote_that_swallows_rows_does_not_do_so_silently(tmp_path: Path) -> None:
    snapshot = read(tmp_path, 'sku,name\nA,"b\nB,c\nC,"d"\nE,f\n')
    assert rejected(snapshot) == [(2, "A")]
    assert cells(snapshot, "name") == {"E": "f"}


def test_rows_without_a_sku_are_rejected_and_empty_lines_are_no_rows(tmp_path: Path) -> None:
    snapshot = read(tmp_path, "sku,name\nA,x\n\n,y\n  ,z\nB,w\n\n\n")
    assert rejected(snapshot) == [(4, None), (5, None)] or rejected(snapshot) == [(4, None), (5, "  ")]
    assert snapshot.rows == 4


def test_of_a_sku_that_stands_twice_every_row_is_rejected_naming_the_others(tmp_path: Path) -> None:
    snapshot = read(tmp_path, "sku,price\nA,1\nB,2\nA,3\nA,4\na,5\n")
    assert rejected(snapshot) == [(2, "A"), (4, "A"), (5, "A")]
    assert "line 2" in snapshot.rejects[1].reason
    assert snapshot.frame["sku"].to_list() == ["B", "a"]


def test_a_sku_is_a_text_whatever_it_looks_like(tmp_path: Path) -> None:
    snapshot = read(tmp_path, "sku,price\n007,1\n7,2\n7.0,3\n")
    assert snapshot.frame["sku"].to_list() == ["007", "7", "7.0"]


# Encodings, line ends, layouts


def test_a_byte_order_mark_and_crlf_change_nothing(tmp_path: Path) -> None:
    plain = read(tmp_path, "sku,name,price\nA,One,1.00\nB,,\n")
    marked = read(tmp_path, b"\xef\xbb\xbfsku,name,price\r\nA,One,1.00\r\nB,,\r\n")
    assert marked.frame.equals(plain.frame)
    assert marked.rejects == ()


def test_a_few_bytes_that_are_not_utf8_reject_their_row(tmp_path: Path) -> None:
    snapshot = read(tmp_path, "sku,name\nA,Caf\xe9\n".encode("latin-1") + "B,Café\n".encode())
    assert rejected(snapshot) == [(2, "A")]
    assert "0xe9" in snapshot.rejects[0].reason
    assert cells(snapshot, "name") == {"B": "Café"}


@pytest.mark.parametrize(
    "content",
    [
        "sku,name\nA,Café\nB,Crème\nC,Zoë\nD,x\n".encode("latin-1"),
        "sku,naïve\nA,x\n".encode("latin-1"),
        "sku,name\nA,x\n".encode("utf-16"),
        "sku,name\nA,x\n".encode("utf-16-le"),
        b"sku,name\rA,x\rB,y\r",
    ],
)
def test_a_file_in_another_encoding_is_refused_and_says_how_to_mend_it(tmp_path: Path, content: bytes) -> None:
    code, text = refusal(tmp_path, content)
    assert code == "M609"
    assert "help: save it" in text


def test_a_nul_character_rejects_its_row(tmp_path: Path) -> None:
    assert rejected(read(tmp_path, b"sku,name\nA,x\0y\nB,z\n")) == [(2, "A")]


def test_a_cell_of_a_hundred_thousand_characters_is_a_cell(tmp_path: Path) -> None:
    long = "x" * 100_000
    snapshot = read(tmp_path, f'sku,name,price\nA,{long},1\nB,"{long}\n{long}",2\n')
    assert [len(name) for name in snapshot.frame["name"].to_list()] == [100_000, 200_001]


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_another_separator_is_told_from_the_header_and_said(tmp_path: Path, separator: str, name: str) -> None:
    content = "sku,name,price\nA,One,1.00\nB,,\n".replace(",", separator)
    snapshot = read(tmp_path, content)
    assert snapshot.frame.rows() == [("A", "One", Decimal(1)), ("B", None, None)]
    assert any(name in note for note in snapshot.notes)


def test_a_file_with_only_a_header_is_a_catalogue_without_products(tmp_path: Path) -> None:
    for content in ("sku,name,price,rating", "sku,name,price,rating\n"):
        snapshot = read(tmp_path, content)
        assert (snapshot.rows, snapshot.frame.columns) == (0, ["sku", "name", "price", "rating"])
        assert snapshot.schema.attributes["price"] == NUMBER
        assert snapshot.schema.attributes["rating"] == TEXT.maybe()


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "   \n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    assert refusal(tmp_path, content)[0] == "M607"


def test_a_file_without_a_sku_column_is_refused_naming_the_likely_one(tmp_path: Path) -> None:
    code, text = refusal(tmp_path, "SKU,name\nA,x\n")
    assert (code, "rename the column `SKU` to `sku`" in text) == ("M604", True)
    assert refusal(tmp_path, "id,name\nA,x\n")[0] == "M604"


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    code, text = refusal(tmp_path, "sku,name,name\nA,x,y\n")
    assert (code, "`name`" in text) == ("M608", True)


def test_a_column_without_a_name_is_left_out_and_said(tmp_path: Path) -> None:
    snapshot = read(tmp_path, "sku,,name,\nA,1,x,\nB,2,y,\n")
    assert snapshot.frame.columns == ["sku", "name"]
    assert any("column 2" in note for note in snapshot.notes)


def test_blanks_around_header_names_mean_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "sku, name ,price\nA,x,1\n").frame.columns == ["sku", "name", "price"]


def test_a_declared_column_that_the_file_lacks_is_refused_unless_it_may_be_missing(tmp_path: Path) -> None:
    code, text = refusal(tmp_path, "sku,name\nA,x\n", declared={"cost": money("EUR"), "color": TEXT.maybe()})
    assert (code, "`cost`" in text) == ("M603", True)
    assert read(tmp_path, "sku,name\nA,x\n", declared={"color": TEXT.maybe(), "tags": TEXTS}).rows == 1


def test_only_the_columns_that_are_needed_are_read_and_the_sku_always(tmp_path: Path) -> None:
    content = "sku,name,price,rating\nA,x,1.00,abc\n"
    assert read(tmp_path, content, columns=["price", "unheard_of"]).frame.columns == ["sku", "price"]
    assert read(tmp_path, content, columns=[]).frame.columns == ["sku"]


# Paths


def test_a_file_that_is_absent_a_folder_or_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "book.xlsx").write_bytes(b"PK\x03\x04rest")
    for path in (tmp_path / "none.csv", tmp_path, tmp_path / "book.xlsx", Path("a\0b.csv")):
        with pytest.raises(PolicyError) as caught:
            read_products(path, SOURCES)
        assert [one.code for one in caught.value.diagnostics] == ["M606"]


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from([b"sku", b",", b"\n", b'"', b"A", b"1.5", b"\r", b"\0", b"\xff", b";", b"{", b"\xef\xbb\xbf"]), max_size=30).map(b"".join)))  # fmt: skip
def test_any_bytes_give_a_snapshot_or_a_diagnostic(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for start in (b"", b"sku,name,price\n"):
        try:
            snapshot = read(folder, start + content)
        except PolicyError as error:
            assert all(one.code.startswith("M6") for one in error.diagnostics)
        else:
            assert snapshot.frame["sku"].is_unique().all()


def test_both_ways_of_reading_agree(tmp_path: Path) -> None:
    """A line break in one cell makes the file be read record by record."""
    rows = [f'S{n},"Name, {n}",{n % 7}.{n % 100:02d},{n},{"" if n % 3 else "x"}' for n in range(2000)]
    fast = read(tmp_path, "\n".join(["sku,name,price,qty,note", *rows]) + "\n")
    slow = read(tmp_path, "\n".join(["sku,name,price,qty,note", *rows, 'Z,"a\nb",1.00,1,']) + "\n")
    assert slow.frame.filter(pl.col("sku") != "Z").equals(fast.frame)
    assert slow.schema == fast.schema


def test_dates_told_from_the_cells_are_dates(tmp_path: Path) -> None:
    assert read(tmp_path, "sku,day\nA,2026-01-31\nB,\n").schema.attributes["day"] == DATE.maybe()
    assert read(tmp_path, "sku,day\nA,2026-01-31\nB,2026-02-30\n").schema.attributes["day"] == TEXT.maybe()


def test_a_column_that_is_not_needed_may_hold_anything(tmp_path: Path) -> None:
    rows = "".join(f"S{n},1.25,{n},{n}.5\n" for n in range(1000))
    snapshot = read(tmp_path, f"sku,price,rank,score\n{rows}Y,2.50,first,good\nZ,3.75,,\n", columns=["price"])
    assert (snapshot.rows, snapshot.rejects) == (1002, ())
    assert (cells(snapshot, "price")["Y"], cells(snapshot, "price")["Z"]) == (Decimal("2.5"), Decimal("3.75"))


@pytest.mark.parametrize("odd", ["X,5,00,1,1.5", "X,5.00,1,1.5,", "X,5.00,1,1.5,,x", "X,5.00,1", "X,5.00,1,"])
def test_a_record_too_long_or_too_short_never_moves_a_price(tmp_path: Path, odd: str) -> None:
    rows = "".join(f"S{n},1.25,{n},{n}.5\n" for n in range(1000))
    snapshot = read(tmp_path, f"sku,price,rank,score\n{rows}{odd}\nZ,3.75,7,7.5\n", columns=["price"])
    expected = [] if odd == "X,5.00,1," else [(1002, "X")]
    assert rejected(snapshot) == expected
    assert cells(snapshot, "price").get("X", Decimal(5)) == Decimal(5)
    assert cells(snapshot, "price")["Z"] == Decimal("3.75")


def test_a_price_is_not_lost_below_a_blank_led_zero_of_many_places(tmp_path: Path) -> None:
    content = "sku,price,end\nA, 0.000000000000000000000000,x\nB,123456789012345.50,x\nC, 7.25,x\n"
    snapshot = read(tmp_path, content)
    found = dict(zip(snapshot.frame["sku"].to_list(), snapshot.frame["price"].to_list(), strict=True))
    rejected = {reject.sku for reject in snapshot.rejects}
    prices = {"A": Decimal(0), "B": Decimal("123456789012345.50"), "C": Decimal("7.25")}
    assert {sku: found.get(sku) for sku in prices if sku not in rejected} == {
        sku: price for sku, price in prices.items() if sku not in rejected
    }
