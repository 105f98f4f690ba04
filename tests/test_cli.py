"""The command line, through its front door: what it prints where, and with which exit code."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import polars as pl
import pytest
from syrupy.assertion import SnapshotAssertion

from merx.cli import PREFIX, command_line, run
from merx.engine.eval import evaluate_expression

RULES = """
pricing "plus ten" { change = +10%  ensure price >= 5 "too cheap" }
inventory "all" { default_quantity = 3 }
image "two" { gallery = 2 }
listing "bags" { assign = name contains "bag"  pricing = "plus ten"  inventory = "all"  image = "two" }
"""
PRODUCTS = "sku,name,price,qty,status,categories\nA,red bag,10.05,4,1,x\nB,tiny bag,1.00,2,1,x\nC,a book,7.00,1,1,x\n"
COLUMNS = "sku listing status reasons price sale_price currency quantity main_image images".split()


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def merx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Said]]:
    """Runs a command in a folder that has rules.merx and products.csv, and no merx.toml."""
    (tmp_path / "rules.merx").write_text(RULES, encoding="utf-8")
    (tmp_path / "products.csv").write_text(PRODUCTS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path, given: bytes = b"") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        code = run([str(one) for one in arguments])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    yield call


NAMES = """
apply check demo eval evaluate explain fmt help init log plan plugins policies run sandbox schema snapshot state status test
""".split()
BOTH = ("--rules", "rules.merx", "--products", "products.csv")


# --- the command line as such


def test_the_version_is_the_packages(merx: Callable[..., Said]):
    assert merx("--version") == Said(0, f"merx {version('merx')}\n", "")


def test_help_lists_every_command(merx: Callable[..., Said]):
    said = merx("--help")

    assert (said.code, said.err) == (0, "")
    for name in NAMES:
        assert f"\n  {name} " in said.out


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_each_command(merx: Callable[..., Said], name: str, snapshot: SnapshotAssertion):
    assert merx(name, "--help") == Said(0, snapshot, "")


def test_a_misspelt_command_is_answered_with_the_one_that_was_meant(merx: Callable[..., Said]):
    said = merx("evalute")

    assert (said.code, said.out) == (2, "")
    assert "no such command `evalute`; did you mean `evaluate`?" in said.err


def test_a_misspelt_option_is_a_usage_error(merx: Callable[..., Said]):
    said = merx("evaluate", "--prodcts", "x.csv")

    assert (said.code, said.out) == (2, "")
    assert "--products" in said.err


@pytest.mark.parametrize("arguments", [["--version"], ["eval", "1 + 1"], ["help", "M104"]])
def test_small_commands_do_not_load_a_data_frame_library(arguments: list[str]):
    program = "import sys; from merx.cli import run; run(sys.argv[1:]); sys.exit('polars' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program, *arguments], stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize("name", ["check", "fmt", "test"])
def test_the_path_of_a_rule_file_that_no_file_can_have_is_a_diagnostic(merx: Callable[..., Said], name: str):
    said = merx(name, "x" * 5000)

    assert said.code == 1
    assert said.err.startswith("error[M001]: `xxx")


def test_a_path_in_merx_toml_that_no_file_can_have_is_a_diagnostic(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "merx.toml").write_text(r'rules = ["a\u0000b"]', encoding="utf-8")

    said = merx("check")

    assert said.code == 1
    assert said.err.startswith("error[M001]")


def test_a_used_file_whose_name_no_file_can_have_is_not_there(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "rules.merx").write_text(f'use "{"x" * 5000}"', encoding="utf-8")

    assert merx("check", "rules.merx").err.startswith("error[M218]")


def test_an_interruption_is_told_in_a_word(merx: Callable[..., Said], monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("merx.plugins.command_evaluate.evaluate_file", interrupted)

    assert merx("evaluate", *BOTH) == Said(130, "", "interrupted\n")


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path):
    program = "import sys; from merx.cli import main; main()"
    rows = "".join(f"S{number},bag,1{number}.00,4,1,x\n" for number in range(5000))
    (tmp_path / "rules.merx").write_text(RULES, encoding="utf-8")
    (tmp_path / "products.csv").write_text(PRODUCTS + rows, encoding="utf-8")
    arguments = [sys.executable, "-c", program, "evaluate", *BOTH, "--format", "csv"]
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert process.returncode == 0
    assert b"Traceback" not in errors and b"Broken pipe" not in errors


# --- evaluate


def test_evaluate_gives_a_row_for_each_product_with_the_promised_columns(merx: Callable[..., Said]):
    said = merx("evaluate", *BOTH, "--format", "json", "--currency", "EUR")

    rows = json.loads(said.out)
    assert said.code == 0
    assert [list(row) for row in rows] == [COLUMNS] * 3
    assert rows[0] == {
        "sku": "A", "listing": "bags", "status": "ready", "reasons": [], "price": "11.06", "sale_price": None,
        "currency": "EUR", "quantity": 4, "main_image": None, "images": [],
    }  # fmt: skip
    assert (rows[1]["status"], rows[1]["price"], rows[1]["quantity"]) == ("held", None, 2)
    assert rows[1]["reasons"] == ["price: too cheap (rules.merx:2)"]
    assert rows[2] == {"sku": "C", "status": "unlisted", "reasons": []} | {
        name: None for name in COLUMNS if name not in ("sku", "status", "reasons")
    }


def test_evaluate_sums_up_on_standard_error_so_that_the_result_stays_clean(merx: Callable[..., Said]):
    said = merx("evaluate", *BOTH, "--format", "csv", "--as-of", "2026-11-27")

    assert said.err == "3 products on 2026-11-27: 1 ready, 1 held, 1 unlisted\n"


def test_csv_holds_lists_as_json_and_amounts_as_text(merx: Callable[..., Said]):
    rows = list(csv.DictReader(io.StringIO(merx("evaluate", *BOTH, "--format", "csv").out)))

    assert [row["price"] for row in rows] == ["11.06", "", ""]
    assert [json.loads(row["reasons"]) for row in rows] == [[], ["price: too cheap (rules.merx:2)"], []]


def test_parquet_holds_exact_decimals_and_lists(merx: Callable[..., Said], tmp_path: Path):
    said = merx("evaluate", *BOTH, "-o", "out.parquet")

    frame = pl.read_parquet(tmp_path / "out.parquet")
    assert (said.code, said.out, frame.columns) == (0, "", COLUMNS)
    assert isinstance(frame.schema["price"], pl.Decimal)
    assert frame["price"].to_list() == [Decimal("11.06"), None, None]
    assert (frame.schema["quantity"], frame.schema["images"]) == (pl.Int64, pl.List(pl.String))


def test_the_table_shows_every_product_in_a_pipe_and_says_why_some_are_held(merx: Callable[..., Said]):
    said = merx("evaluate", *BOTH, "--as-of", "2026-11-27")

    lines = said.out.splitlines()
    assert lines[0] == "3 products on 2026-11-27: 1 ready, 1 held, 1 unlisted"
    assert lines[2:4] == ["listing  ready  held", "bags         1     1"]
    assert [line.split()[0] for line in lines[6:9]] == ["A", "B", "C"]
    assert lines[-1].split(maxsplit=1) == ["1", "price: too cheap (rules.merx:2)"]
    assert "\x1b" not in said.out


def test_rejected_rows_go_to_standard_error_and_to_a_file(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "products.csv").write_text(PRODUCTS + "D,big bag,a lot,1,1,x\n", encoding="utf-8")

    said = merx("evaluate", *BOTH, "--format", "json", "--rejects", "rejects.csv")

    [row] = csv.DictReader((tmp_path / "rejects.csv").open(encoding="utf-8"))
    assert (said.code, len(json.loads(said.out))) == (0, 3)
    assert (row["line"], row["sku"]) == ("5", "D")
    assert f"line 5 (D): {row['reason']}" in said.err
    assert "1 rejected" in said.err


def test_a_file_that_cannot_be_finished_leaves_the_old_one_and_nothing_else(
    merx: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "out.csv").write_text("old")
    monkeypatch.setattr(os, "fsync", full)

    said = merx("evaluate", *BOTH, "-o", "out.csv")

    assert said.code == 2
    assert "error[M722]: `out.csv` cannot be written: No space left on device" in said.err
    assert (tmp_path / "out.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "products.csv", "rules.merx"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-o", "no/where.csv"], "M722", "make the folder first"),
        (["-o", "out.txt"], "M723", "add --format json, csv or parquet"),
    ],
)
def test_a_place_that_cannot_be_written_is_told(merx: Callable[..., Said], arguments: list[str], code: str, words: str):
    said = merx("evaluate", *BOTH, *arguments)

    assert (said.code, said.out) == (2, "")
    assert f"error[{code}]" in said.err and words in said.err


def test_a_file_is_written_whole_or_as_before(merx: Callable[..., Said], tmp_path: Path):
    merx("evaluate", *BOTH, "-o", "out.json")

    assert [row["sku"] for row in json.loads((tmp_path / "out.json").read_text())] == ["A", "B", "C"]


@pytest.mark.parametrize("command", ["evaluate", "check"])
def test_rules_with_errors_decide_nothing(merx: Callable[..., Said], tmp_path: Path, command: str):
    (tmp_path / "rules.merx").write_text(RULES.replace("gallery", "galery"), encoding="utf-8")

    said = merx(command, *(BOTH if command == "evaluate" else ("rules.merx",)))

    assert said.code == 1
    assert "error[M301]" in said.err and "did you mean `gallery`?" in said.err


@pytest.mark.parametrize("path", ["gone.csv", "."])
def test_products_that_cannot_be_read_are_a_diagnostic(merx: Callable[..., Said], path: str):
    said = merx("evaluate", "--rules", "rules.merx", "--products", path)

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error[M6")


def test_without_rules_or_products_the_command_says_what_to_name(merx: Callable[..., Said]):
    assert "error[M720]" in merx("evaluate", "--products", "products.csv").err
    said = merx("evaluate", "--rules", "rules.merx")

    assert (said.code, said.out) == (2, "")
    assert "error[M721]" in said.err


def test_a_project_names_rules_products_and_currency(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "merx.toml").write_text('rules = ["rules.merx"]\nproducts = "products.csv"\ncurrency = "DKK"\n')

    rows = json.loads(merx("evaluate", "--format", "json").out)
    assert [row["currency"] for row in rows] == ["DKK", None, None]
    rows = json.loads(merx("evaluate", "--format", "json", "--currency", "SEK").out)
    assert rows[0]["currency"] == "SEK"


@pytest.mark.parametrize("command", ["check", "evaluate", "test", "fmt"])
def test_a_faulty_project_file_is_wrong_usage(merx: Callable[..., Said], tmp_path: Path, command: str):
    (tmp_path / "merx.toml").write_text("rulez = 1\n")

    said = merx(command)

    assert (said.code, said.out) == (2, "")
    assert "error[M711]" in said.err


# --- check


def test_check_says_that_there_is_nothing_to_say(merx: Callable[..., Said]):
    said = merx("check", "rules.merx", "--products", "products.csv")

    assert said == Said(0, "1 file checked: no problems\n", "")


def test_check_without_a_schema_says_what_it_did_not_check(merx: Callable[..., Said]):
    said = merx("check", "rules.merx")

    assert said.code == 0
    assert "the names and types of attributes were not checked" in said.err


def test_check_of_no_file_says_no_more_than_that_there_is_none(merx: Callable[..., Said]):
    said = merx("check", "absent.merx")

    assert said.code == 1
    assert said.err.startswith("error[M001]") and "note:" not in said.err


def test_check_holds_names_against_the_products(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "rules.merx").write_text('listing "x" { assign = colr == "red" }', encoding="utf-8")
    (tmp_path / "products.csv").write_text("sku,color\nA,red\n", encoding="utf-8")

    said = merx("check", "rules.merx", "--products", "products.csv")

    assert said.code == 1
    assert "error[M201]" in said.err and "did you mean `color`?" in said.err


def test_check_says_what_is_wrong_with_the_rules_and_with_the_product_file(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "rules.merx").write_text('image "x" { galery = 2 }', encoding="utf-8")

    said = merx("check", "rules.merx", "--products", "absent.csv", "--format", "json")

    assert said.code == 1
    assert [one["code"] for one in json.loads(said.out)] == ["M301", "M606"]


def test_check_gives_its_diagnostics_as_data(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "rules.merx").write_text('image "x" {\n  galery = 2\n}', encoding="utf-8")

    said = merx("check", "rules.merx", "--format", "json")

    [problem] = json.loads(said.out)
    assert said.code == 1
    assert {key: problem[key] for key in ("code", "level", "file", "line", "column", "text", "help")} == {
        "code": "M301", "level": "error", "file": "rules.merx", "line": 2, "column": 3, "text": "galery",
        "help": "did you mean `gallery`?",
    }  # fmt: skip


# --- explain


def test_explain_shows_the_steps_the_values_and_the_place_of_each_rule(merx: Callable[..., Said]):
    said = merx("explain", "A", *BOTH, "--as-of", "2026-11-27")

    assert said.code == 0
    assert said.out.startswith("A on 2026-11-27: ready in “bags”\n")
    assert "“bags” (priority 0) takes it (rules.merx:5)" in said.out
    assert "+10% (rules.merx:2)" in said.out
    assert "  → price: 11.06\n" in said.out


def test_explain_shows_which_condition_kept_a_listing_away_and_what_it_saw(merx: Callable[..., Said]):
    said = merx("explain", "C", *BOTH, "--as-of", "2026-11-27")

    assert said.out.startswith("C on 2026-11-27: unlisted in no listing\n")
    assert 'false  name contains "bag" (rules.merx:5)  [name = "a book"]' in said.out


def test_explain_gives_the_trace_as_data(merx: Callable[..., Said]):
    trace = json.loads(merx("explain", "B", *BOTH, "--format", "json").out)

    assert (trace["sku"], trace["status"], trace["reasons"]) == ("B", "held", ["price: too cheap (rules.merx:2)"])


def test_explain_of_an_unknown_sku_names_the_one_that_was_meant(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "products.csv").write_text(PRODUCTS.replace("\nA,", "\nBAG-RED,"), encoding="utf-8")

    said = merx("explain", "BAG-RDE", *BOTH)

    assert (said.code, said.out) == (1, "")
    assert "error[M725]" in said.err and "did you mean `BAG-RED`?" in said.err


def test_explain_of_a_rejected_row_says_why_it_was(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "products.csv").write_text(PRODUCTS + "D,big bag,a lot,1,1,x\n", encoding="utf-8")

    said = merx("explain", "D", *BOTH)

    assert said.code == 1
    assert "`D` was rejected in line 5 of products.csv" in said.err


# --- eval


@pytest.mark.parametrize(
    ("expression", "given", "shown"),
    [
        ("0.1 + 0.2 == 0.3", None, "yes"),
        ("price + 10%", '{"price": "10.05"}', "11.055"),
        ("-1 + 2", None, "1"),
        ("2.50 * 2", None, "5"),
        ("10000000000000000000000 * 10", None, "100000000000000000000000"),
        ("upper(name)", '{"name": "größe \\"x\\""}', '"GRÖSSE \\"X\\""'),
        ("x", '{"x": 1.50}', "1.5"),
        ("x + 1", '{"x": "-007.10"}', "-6.1"),
        ("not x", '{"x": true}', "no"),
        ("x > 2026-01-01", '{"x": "2026-11-27"}', "yes"),
        ('x == "2026-13-01"', '{"x": "2026-13-01"}', "yes"),
        ('x == "1e5"', '{"x": "1e5"}', "yes"),
        ("x", '{"x": ["b", "a"]}', '["b", "a"]'),
        ("x is missing", '{"x": null}', "yes"),
        ("1", '{"unused": "2"}', "1"),
    ],
)
def test_eval_prints_the_value(merx: Callable[..., Said], expression: str, given: str | None, shown: str):
    arguments = [expression] if given is None else [expression, "--given", given]

    assert merx("eval", *arguments) == Said(0, shown + "\n", "")


def test_eval_of_no_is_no_failure(merx: Callable[..., Said]):
    assert merx("eval", "1 == 2") == Said(0, "no\n", "")


def test_eval_takes_the_day_that_it_is_told(merx: Callable[..., Said]):
    assert merx("eval", "today", "--as-of", "2026-11-27") == Said(0, "2026-11-27\n", "")


def test_eval_reads_an_expression_from_standard_input(merx: Callable[..., Said]):
    assert merx("eval", "-", given=b"\xef\xbb\xbf1 +\r\n2\r\n") == Said(0, "3\n", "")


@pytest.mark.parametrize(
    "expression", ["1/0", "1 +", "", "x", '1 + "a"', "(" * 1000 + "1" + ")" * 1000, "\ud800", "\0"]
)
def test_eval_of_what_has_no_value_is_a_diagnostic(merx: Callable[..., Said], expression: str):
    said = merx("eval", expression)

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error[M")


@pytest.mark.parametrize("given", [b"1" * 10_000_000, bytes(range(256)) * 40_000, b"\x80", b"\0\1\2", b"", b"1 + \xff"])
def test_eval_of_any_bytes_is_a_diagnostic(merx: Callable[..., Said], given: bytes):
    said = merx("eval", "-", given=given)

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error[M")


@pytest.mark.parametrize(
    "given",
    [
        "", "{", "[1]", "3", "null",
        '{"x": NaN}', '{"x": Infinity}', '{"x": {"y": 1}}', '{"x": [null]}', '{"x": [[1]]}',
        '{"x": 1, "x": 2}', "[" * 100_000, '{"x": ' + "[" * 100_000,
    ],
)  # fmt: skip
def test_values_that_are_no_json_object_of_values_are_a_diagnostic(merx: Callable[..., Said], given: str):
    said = merx("eval", "1", "--given", given)

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error[M724]")


@pytest.mark.parametrize("items", ['[1, "b"]', '["1", "b"]', "[1, true]", '["2026-11-27", "b"]'])
def test_a_given_list_of_several_kinds_of_value_is_a_diagnostic(merx: Callable[..., Said], items: str):
    said = merx("eval", "x", "--given", f'{{"x": {items}}}')

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error[M601]: `x` is a list of values of several kinds\n")


def test_missing_elements_of_a_given_list_are_left_out():
    assert evaluate_expression("x", {"x": [None, 2, None]}) == (Decimal(2),)


def test_a_given_number_beyond_every_bound_is_a_diagnostic(merx: Callable[..., Said]):
    said = merx("eval", "x", "--given", '{"x": 1e500}')

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error[M")


# --- the others


def test_schema_writes_the_catalog_block_that_check_takes(merx: Callable[..., Said], tmp_path: Path):
    said = merx("schema", "products.csv", "--currency", "EUR")

    assert said.code == 0
    assert said.out.startswith('catalog "products" {\n') and said.out.endswith("}\n")
    (tmp_path / "rules.merx").write_text(said.out + RULES, encoding="utf-8")
    assert merx("check", "rules.merx") == Said(0, "1 file checked: no problems\n", "")


def test_test_tells_each_test_and_fails_with_the_failing(merx: Callable[..., Said], tmp_path: Path):
    blocks = """
    test "ten percent more" { given { price = 10 }  pricing = "plus ten"  expect { price = 11 } }
    test "twice as much" { given { price = 10 }  pricing = "plus ten"  expect { price = 20 } }
    """
    (tmp_path / "rules.merx").write_text(RULES + blocks, encoding="utf-8")

    said = merx("test", "rules.merx")

    lines = said.out.splitlines()
    assert said.code == 1
    assert lines[0] == "pass  ten percent more  (rules.merx:7)"
    assert lines[1] == "fail  twice as much  (rules.merx:8)"
    assert "error[M501]" in lines[2]
    assert lines[-1] == "1 passed, 1 failed"


def test_test_gives_its_results_as_data(merx: Callable[..., Said], tmp_path: Path):
    block = 'test "twice" { given { price = 10 }  pricing = "plus ten"  expect { price = 20 } }'
    (tmp_path / "rules.merx").write_text(f"{RULES}\n{block}", encoding="utf-8")

    said = merx("test", "rules.merx", "--format", "json")

    [result] = json.loads(said.out)
    [problem] = result.pop("problems")
    assert said.code == 1
    assert result == {"title": "twice", "place": "rules.merx:7", "passed": False}
    assert (problem["code"], problem["line"], problem["text"]) == ("M501", 7, "price = 20")


def test_a_test_of_a_listing_keeps_its_sku_and_the_bounds_of_its_account(merx: Callable[..., Said], tmp_path: Path):
    rules = """
    catalog "c" { price: number }
    pricing "p" { change = if sku starts with "A" then +10% else * 1 }
    listing "all" { assign = price > 0  pricing = "p" }
    account "main" { connector = aliexpress }
    test "sku" { given { sku = "A1"  price = 10 }  listing = "all"  expect { price = 11 } }
    test "bounds" { given { price = 200000 }  listing = "all"  account = "main"  expect { price = held } }
    test "no bounds" { given { price = 200000 }  listing = "all"  expect { price = 200000 } }
    """
    (tmp_path / "rules.merx").write_text(rules, encoding="utf-8")

    said = merx("test", "rules.merx")

    assert (said.code, said.out.splitlines()[-1]) == (0, "3 passed, 0 failed")


def test_the_worked_examples_of_the_policy_reference_hold(merx: Callable[..., Said]):
    import merx as package

    said = merx("test", Path(package.__file__).parent / "rules" / "examples.merx")

    assert said.code == 0
    assert said.out.splitlines()[-1].endswith(" passed, 0 failed")


def test_fmt_changes_a_file_once_and_keeps_its_comments(merx: Callable[..., Said], tmp_path: Path):
    path = tmp_path / "rules.merx"
    path.write_text('image   "x"{gallery=2 # two\n}', encoding="utf-8")

    checked, first, again = merx("fmt", "--check", path), merx("fmt", path), merx("fmt", "--check", path)

    assert (checked.code, first.code, again.code) == (1, 0, 0)
    assert "# two" in path.read_text(encoding="utf-8")


def test_fmt_shows_the_difference_and_changes_nothing(merx: Callable[..., Said], tmp_path: Path):
    path = tmp_path / "rules.merx"
    path.write_text('image   "x"{gallery=2}\n', encoding="utf-8")

    said = merx("fmt", "--diff", "rules.merx")

    assert said.code == 1
    assert '-image   "x"{gallery=2}' in said.out.splitlines()
    assert path.read_text(encoding="utf-8") == 'image   "x"{gallery=2}\n'


def test_fmt_leaves_a_file_that_it_cannot_read(merx: Callable[..., Said], tmp_path: Path):
    path = tmp_path / "rules.merx"
    path.write_text('image "x" {', encoding="utf-8")

    said = merx("fmt", path)

    assert said.code == 1
    assert said.err.startswith("error[M0")
    assert path.read_text(encoding="utf-8") == 'image "x" {'


def test_plugins_names_what_is_installed(merx: Callable[..., Said]):
    offers = json.loads(merx("plugins", "--format", "json").out)

    found = {(one["what"], one["name"]) for one in offers}
    assert {
        ("policy type", "pricing"),
        ("marketplace", "aliexpress"),
        ("marketplace", "sandbox"),
        ("store", "magento"),
        ("command", "check"),
    } <= found
    assert {one["package"] for one in offers} == {f"merx {version('merx')}"}


def test_help_explains_a_code_and_lists_them_all(merx: Callable[..., Said]):
    said = merx("help", "m104")

    assert said.code == 0
    assert said.out.startswith("M104: two currencies mixed\n")
    assert "\nM104  two currencies mixed\n" in merx("help").out
    assert merx("help", "evaluate").out.startswith("Usage: merx evaluate ")
    assert merx("help", "M9999").code == 2


def test_the_demo_decides_every_product_of_the_sample(merx: Callable[..., Said]):
    said = merx("demo")

    assert said.code == 0
    assert said.out.startswith("194 products on 2026-11-27: 138 ready, 5 held, 49 unlisted, 2 rejected\n")
    assert "never below cost plus 20%" in said.out
    assert "line 62 (DR-239)" in said.err and "line 196" in said.err


def test_the_readme_shows_what_the_demo_prints(merx: Callable[..., Said]):
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    shown = readme.split("`make demo` shows a row a product, then:\n\n```\n")[1].split("```")[0]

    without_folder = re.sub(r"\([^()]*/rules/", "(rules/", merx("demo").out)
    assert shown in without_folder


def test_every_command_is_registered_under_the_name_of_its_module():
    from importlib.metadata import entry_points

    names = [one.name.removeprefix(PREFIX) for one in entry_points(group="merx") if one.name.startswith(PREFIX)]
    for name in names:
        command = command_line.get_command(None, name)  # type: ignore[arg-type]  # no context is needed
        assert command is not None
        assert command.name == name
