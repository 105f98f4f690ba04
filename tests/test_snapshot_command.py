"""`merx snapshot`, through the front door."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from merx.cli import run


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@dataclass
class FakeClock:
    moment: datetime.datetime = field(default=datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC))

    def now(self) -> datetime.datetime:
        return self.moment

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self.moment += datetime.timedelta(seconds=seconds)
        return stop.is_set()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def merx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clock: FakeClock
) -> Callable[..., Said]:
    """Runs `merx snapshot` in a project of two products."""
    (tmp_path / "merx.toml").write_text(
        'rules = ["rules.merx"]\nproducts = "products.csv"\ncurrency = "EUR"\n', encoding="utf-8"
    )
    (tmp_path / "rules.merx").write_text('pricing "plus ten" { change = +10% }\n', encoding="utf-8")
    write(tmp_path, "A,10,red", "B,20,blue")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Said:
        code = run(["snapshot", *(str(one) for one in arguments)], clock)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


def write(folder: Path, *rows: str, header: str = "sku,price,colour", name: str = "products.csv") -> None:
    (folder / name).write_text("\n".join([header, *rows, ""]), encoding="utf-8")


def listed(merx: Callable[..., Said]) -> list[str]:
    return [row["id"] for row in json.loads(merx("list", "--format", "json").out)]


def test_a_pull_keeps_the_products_that_merx_toml_names(merx: Callable[..., Said]):
    said = merx("pull")

    [name] = listed(merx)
    assert said.code == 0
    assert said.out.startswith(f"{name[:10]}: 2 products of ")


def test_a_file_that_is_unchanged_is_not_read(merx: Callable[..., Said], tmp_path: Path):
    merx("pull")

    said = merx("pull")

    assert said.code == 0
    assert "has not changed since 2026-11-23T12:00:00.000Z; it was not read" in said.out
    assert len(listed(merx)) == 1


def test_a_file_of_the_same_content_is_the_same_snapshot(merx: Callable[..., Said], tmp_path: Path):
    merx("pull")
    write(tmp_path, "A,10,red", "B,20,blue", name="copy.csv")

    said = merx("import", "copy.csv")

    assert said.out.endswith("2 products of copy.csv, the same as before\n")
    assert len(listed(merx)) == 1


def test_an_import_is_the_last_snapshot(merx: Callable[..., Said], tmp_path: Path):
    merx("pull")
    write(tmp_path, "A,11,red", name="other.csv")

    assert merx("import", "other.csv").code == 0

    shown = json.loads(merx("show", "--format", "json").out)
    assert (shown["products"], shown["origin"]) == (1, str(tmp_path / "other.csv"))
    assert shown["id"] == listed(merx)[0]


def test_without_a_product_file_a_pull_says_what_to_do(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "merx.toml").write_text('rules = ["rules.merx"]\n', encoding="utf-8")

    said = merx("pull")

    assert (said.code, said.err[:13]) == (1, "error[M823]: ")
    assert "merx snapshot import FILE" in said.err


def test_looking_makes_no_state(merx: Callable[..., Said], tmp_path: Path):
    assert merx("list", "--format", "json") == Said(0, "[]\n", "")
    assert merx("show").err.startswith("error[M810]: there is no snapshot `latest`")
    assert not (tmp_path / ".merx").exists()


def test_rejected_rows_are_told_kept_and_written(merx: Callable[..., Said], tmp_path: Path):
    write(tmp_path, "A,10,red", "B,20,blue", "B,20,blue", "C,30,red")

    said = merx("pull")

    assert said.code == 0
    assert "2 of 4 rows cannot be read and are left out:" in said.err
    assert "line 3 (B)" in said.err
    again = merx("show", "--rejects", "rejects.csv")
    assert "2 of 4 rows cannot be read and are left out:" in again.err
    assert [line[:4] for line in (tmp_path / "rejects.csv").read_text().splitlines()] == ["line", "3,B,", "4,B,"]
    assert [one["line"] for one in json.loads(merx("show", "--format", "json").out)["rejects"]] == [3, 4]


def test_a_difference_names_products_and_attributes(merx: Callable[..., Said], tmp_path: Path):
    merx("pull")
    write(tmp_path, "B,20.5,blue,1", "C,1,red,2", header="sku,price,colour,size")
    merx("pull")

    found = json.loads(merx("diff", "latest~1", "latest", "--format", "json").out)

    new, old = listed(merx)
    assert found == {
        "from": old,
        "to": new,
        "summary": {"added": 1, "removed": 1, "changed": 1, "same": 0},
        "attributes": {"added": ["size"], "removed": [], "changed": {"price": 1, "size": 1}},
        "added": ["C"],
        "removed": ["A"],
        "changed": [{"sku": "B", "changes": {"price": ["20.00", "20.50"], "size": [None, found["changed"][0]["changes"]["size"][1]]}}],
    }  # fmt: skip
    assert merx("diff", old[:12], new[:12]).out.splitlines()[:4] == [
        f"{old[:10]} → {new[:10]}: 1 added, 1 removed, 1 changed, 0 the same",
        "new attributes: size",
        "added: C",
        "removed: A",
    ]


def test_a_difference_is_written_to_a_file_whole(merx: Callable[..., Said], tmp_path: Path):
    merx("pull")
    write(tmp_path, "A,11,red", "B,20,blue")
    merx("pull")
    shown = merx("diff", "latest~1", "latest", "--format", "json").out

    said = merx("diff", "latest~1", "latest", "--format", "json", "-o", "diff.json")

    assert said == Said(0, "", "")
    assert (tmp_path / "diff.json").read_text(encoding="utf-8") == shown
    assert list(json.loads(shown)) == ["from", "to", "summary", "attributes", "added", "removed", "changed"]


def test_another_order_is_no_difference(merx: Callable[..., Said], tmp_path: Path):
    merx("pull")
    write(tmp_path, "B,20,blue", "A,10,red")
    merx("pull")

    found = json.loads(merx("diff", "latest~1", "latest", "--format", "json").out)

    assert found["summary"] == {"added": 0, "removed": 0, "changed": 0, "same": 2}


def test_an_attribute_of_another_type_is_compared_by_what_is_shown(merx: Callable[..., Said], tmp_path: Path):
    write(tmp_path, "A,10,5", "B,20,6")
    merx("pull")
    write(tmp_path, "A,10,red", "B,20,6")
    merx("pull")

    said = merx("diff", "latest~1", "latest", "--format", "json")

    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out)["attributes"]["changed"]["colour"] >= 1


def test_lists_of_amounts_are_shown_exactly(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "rules.merx").write_text(
        'catalog "shop" { sku: text  price: money(EUR)  colour: list(number) }\npricing "plus ten" { change = +10% }\n',
        encoding="utf-8",
    )
    frame = pl.DataFrame({"sku": ["A"], "price": [Decimal("1.00")], "colour": [[Decimal("1.50")]]})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.with_columns(colour=pl.Series([[Decimal("1.25")]])).write_parquet(tmp_path / "b.parquet")
    assert merx("import", "a.parquet").err == ""
    merx("import", "b.parquet")

    found = json.loads(merx("diff", "latest~1", "latest", "--format", "json").out)

    assert found["changed"] == [{"sku": "A", "changes": {"colour": [["1.50"], ["1.25"]]}}]


def test_a_table_shows_a_bounded_number(merx: Callable[..., Said], tmp_path: Path):
    write(tmp_path, *(f"S{number:03},{number + 1},red" for number in range(100)))
    merx("pull")
    write(tmp_path, *(f"S{number:03},{number + 2},red" for number in range(100)))
    merx("pull")

    said = merx("diff", "latest~1", "latest")

    assert len(said.out.splitlines()) < 40
    assert "and 80 more changed products" in said.err
    assert len(json.loads(merx("diff", "latest~1", "latest", "--format", "json").out)["changed"]) == 100


def test_since_takes_only_what_the_store_changed(merx: Callable[..., Said], tmp_path: Path):
    header = "sku,price,updated_at"
    write(tmp_path, "A,10,2026-11-01 10:00:00", "B,20,2026-11-01 10:00:00", header=header)
    merx("pull")
    write(tmp_path, "A,11,2026-11-01 10:00:00", "B,21,2026-11-20 10:00:00", header=header)

    said = merx("pull", "--since", "2026-11-10")

    found = json.loads(merx("diff", "latest~1", "latest", "--format", "json").out)
    assert (said.code, said.err) == (0, "")
    assert [one["sku"] for one in found["changed"]] == ["B"]
    # The next pull takes what this one left out, and after it nothing is left.
    assert "not read" not in merx("pull").out
    found = json.loads(merx("diff", "latest~1", "latest", "--format", "json").out)
    assert [one["sku"] for one in found["changed"]] == ["A"]
    assert "not read" in merx("pull").out


def test_since_needs_the_moment_of_change(merx: Callable[..., Said]):
    merx("pull")

    assert merx("pull", "--since", "2026-11-10").err.startswith("error[M812]: ")
    assert merx("pull", "--since", "yesterday").code == 2


def test_prune_forgets_all_but_the_last(merx: Callable[..., Said], tmp_path: Path):
    for price in range(1, 5):
        write(tmp_path, f"A,{price},red")
        merx("pull")
    before = listed(merx)

    said = merx("prune", "--keep", "2")

    assert (said.code, said.err) == (0, "2 snapshots forgotten\n")
    assert listed(merx) == before[:2]
    assert sorted(path.stem for path in (tmp_path / ".merx/snapshots").iterdir()) == sorted(before[:2])
    assert merx("prune", "--keep", "0").code == 2


@pytest.mark.parametrize("name", ["pull", "import", "list", "show", "diff", "prune"])
def test_each_command_has_help(merx: Callable[..., Said], name: str):
    assert merx(name, "--help").code == 0
