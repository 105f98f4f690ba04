"""`merx init`, through the front door: what it makes, what it asks, and that it makes all or nothing."""

from __future__ import annotations

import datetime
import io
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from merx.cli import run
from merx.engine.snapshots import latest_snapshot
from merx.engine.state import open_state
from merx.plugins.new_project import NewProject, ignoring

PRODUCTS = "sku,name,price,qty,status\nA,red bag,10.05,4,1\nB,blue bag,20.00,1,1\n"
MADE = {"merx.toml", ".gitignore", ".merx", "rules"}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


class StoppedClock:
    def now(self) -> datetime.datetime:
        return datetime.datetime(2026, 11, 27, 8, 30, tzinfo=datetime.UTC)

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        return True


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def merx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Said]]:
    """Runs a command beside a product file."""
    (tmp_path / "products.csv").write_text(PRODUCTS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Said:
        code = run(arguments, StoppedClock())
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    yield call


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def test_a_project_is_made_of_a_product_file(
    merx: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    said = merx("init", "shop", "--from", "products.csv", "--yes")

    with_state = open_state(tmp_path / "shop", StoppedClock())
    kept = latest_snapshot(with_state)
    with_state.close()
    assert kept is not None
    assert (kept.products, kept.at) == (2, "2026-11-27T08:30:00.000Z")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "made shop/merx.toml\n"
        "made shop/rules/catalog.merx\n"
        "made shop/rules/listings.merx\n"
        "made shop/rules/policies.merx\n"
        f"took 2 products as the snapshot {kept.short}\n"
        "\n"
        "next:\n"
        "  cd shop\n"
        "  merx plan               what would be published, and why\n"
        "  merx apply              publishes it, to the sandbox\n"
        "  merx sandbox listings   what the sandbox shows now\n"
    )
    assert names(tmp_path / "shop") == MADE
    assert 'products = "../products.csv"' in (tmp_path / "shop" / "merx.toml").read_text(encoding="utf-8")
    assert (tmp_path / "shop" / ".gitignore").read_text(encoding="utf-8") == ".merx/\n"

    monkeypatch.chdir(tmp_path / "shop")
    assert merx("check") == Said(0, "3 files checked: no problems\n", "")
    assert merx("fmt", "--check", "rules").code == 0
    assert merx("sandbox", "listings", "--format", "json") == Said(0, "[]\n", "")


def test_a_project_needs_no_product_file(merx: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    said = merx("init", "shop", "--yes", "--currency", "EUR")

    assert (said.code, said.err) == (0, "")
    assert "  name your product file in merx.toml: products = …\n" in said.out
    monkeypatch.chdir(tmp_path / "shop")
    assert 'currency = "EUR"' in Path("merx.toml").read_text(encoding="utf-8")
    checked = merx("check")
    assert (checked.code, checked.out) == (0, "2 files checked: no problems\n")


def test_this_folder_is_the_one_where_none_is_named(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / ".gitignore").write_text("*.log", encoding="utf-8")

    said = merx("init", "--from", "products.csv", "--yes")

    assert said.code == 0
    assert "cd " not in said.out
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "*.log\n.merx/\n"
    assert names(tmp_path) == MADE | {"products.csv"}
    assert 'products = "products.csv"' in (tmp_path / "merx.toml").read_text(encoding="utf-8")


def test_a_terminal_is_asked_for_currency_and_account(
    merx: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stdin", Terminal('euro\nEUR\nmy "shop"\nmy shop\n'))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)

    said = merx("init", "shop")

    assert said.code == 0
    assert "a currency is three capital letters" in said.err
    assert "a title is text without quotes" in said.err
    assert 'account "my shop" {' in (tmp_path / "shop" / "rules" / "listings.merx").read_text(encoding="utf-8")
    toml = (tmp_path / "shop" / "merx.toml").read_text(encoding="utf-8")
    assert 'currency = "EUR"' in toml
    assert '# [accounts."my shop"]' in toml


def test_a_question_without_an_answer_writes_nothing(
    merx: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stdin", Terminal("EUR\n"))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)

    assert merx("init", "shop").code == 130
    assert names(tmp_path) == {"products.csv"}


# --- nothing is written where something is wrong


def test_a_project_is_not_made_twice(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "merx.toml").write_text("", encoding="utf-8")

    said = merx("init", "--from", "products.csv", "--yes")

    assert (said.code, said.out) == (2, "")
    assert "error[M826]: `.` is a project already" in said.err
    assert names(tmp_path) == {"merx.toml", "products.csv"}


def test_rules_that_are_there_are_not_overwritten(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.merx").write_text('image "x" { gallery = 1 }\n', encoding="utf-8")

    said = merx("init", "--yes")

    assert (said.code, said.out) == (2, "")
    assert "error[M827]: `rules/mine.merx` is in the way" in said.err
    assert names(tmp_path) == {"products.csv", "rules"}


def test_a_file_where_the_folder_should_be(merx: Callable[..., Said], tmp_path: Path):
    said = merx("init", "products.csv", "--yes")

    assert (said.code, said.out) == (2, "")
    assert "error[M828]: " in said.err
    assert names(tmp_path) == {"products.csv"}


@pytest.mark.parametrize(("content", "code"), [(None, "M606"), ("name,price\nx,1\n", "M60")])
def test_a_product_file_that_cannot_be_read(merx: Callable[..., Said], tmp_path: Path, content: str | None, code: str):
    if content is not None:
        (tmp_path / "bad.csv").write_text(content, encoding="utf-8")

    said = merx("init", "a/shop", "--from", "bad.csv", "--yes")

    assert (said.code, said.out) == (1, "")
    assert f"error[{code}" in said.err
    assert names(tmp_path) <= {"products.csv", "bad.csv"}


def test_products_that_the_rules_do_not_go_with(merx: Callable[..., Said], tmp_path: Path):
    (tmp_path / "bare.csv").write_text("sku,name\nA,x\n", encoding="utf-8")

    said = merx("init", "a/shop", "--from", "bare.csv", "--yes")

    assert (said.code, said.out) == (1, "")
    assert "error[M201]: `bare` has no attribute `price`" in said.err
    assert said.err.endswith("nothing was made\n")
    assert names(tmp_path) == {"bare.csv", "products.csv"}


@pytest.mark.parametrize("name", ["merx.toml", "policies.merx", ".gitignore", "snapshot"])
def test_a_disk_that_fills_up_leaves_the_folder_as_it_was(
    merx: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    from merx.engine import tables
    from merx.plugins import command_init

    (tmp_path / ".gitignore").write_text("*.log\n", encoding="utf-8")

    def full(path: Path):
        if path.name == name or (name == "snapshot" and path.suffix == ".parquet"):
            raise OSError(28, "No space left on device", str(path))
        return replacing(path)

    replacing = command_init.replacing
    monkeypatch.setattr(command_init, "replacing", full)
    monkeypatch.setattr(tables, "replacing", full)

    said = merx("init", "--from", "products.csv", "--yes")

    assert said.code in {1, 2}
    assert "space" in said.err or "full" in said.err
    assert names(tmp_path) == {"products.csv", ".gitignore"}
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "*.log\n"

    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert merx("init", "--from", "products.csv", "--yes").code == 0


# --- the texts


def test_a_path_with_quotes_is_a_toml_text():
    import tomllib

    text = NewProject("EUR", "main", products='a "b" \\ é.csv').texts()["merx.toml"]

    assert tomllib.loads(text) == {"rules": ["rules"], "products": 'a "b" \\ é.csv', "currency": "EUR"}


def test_what_is_commented_out_can_be_used(tmp_path: Path):
    from merx.engine.project import find_project

    text = NewProject("EUR", "main").texts()["merx.toml"]
    sections = text[text.index("# [safety]") :]
    used = "\n".join(line.removeprefix("# ") for line in sections.splitlines() if not line.startswith("# What"))
    (tmp_path / "merx.toml").write_text(used, encoding="utf-8")

    project = find_project(tmp_path)

    assert project is not None
    assert str(project.safety.max_changed) == "0.2"
    assert project.accounts["main"]["token"] == {"env": "MERX_TOKEN"}


@pytest.mark.parametrize(
    ("before", "after"),
    [("", ".merx/\n"), ("a", "a\n.merx/\n"), (".merx\n", ".merx\n"), ("/.merx/\n", "/.merx/\n")],
)
def test_the_state_is_ignored_once(before: str, after: str):
    assert ignoring(before) == after
