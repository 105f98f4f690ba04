"""`merx policies`, through the front door: what it changes, what it refuses, and what it remembers."""

from __future__ import annotations

import datetime
import difflib
import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from merx.cli import run
from merx.engine.clock import SystemClock
from merx.engine.lock import locked
from merx.engine.state import open_state

RULES = """# The rules of the shop.

pricing "Plain" { change = +10% }

# for the summer
pricing "Summer" {
  start  = price  # the shop's own
  change = +12%
  # never cheaper
  floor  = 5.00
  ensure price >= 5 "too cheap"
}

inventory "Buffered" {
  default_quantity = 5
  threshold { value = 10  greater = 10  lesser = 2  cap = yes }
}

image "Shots" { gallery = 5 }

order "EU orders" {
  create_when = [WAIT_SELLER_SEND_GOODS]
  statuses {
    FINISH -> "complete"
    else   -> keep
  }
}

synchronization "Quarter" { inventory_price = every 15m }

listing "Bags" { assign = price > 20  pricing = "Plain"  inventory = "Buffered"  image = "Shots" }

account "main" { connector = aliexpress  listings = ["Bags"]  order = "EU orders"  synchronization = "Quarter" }
"""
PRODUCTS = "sku,name,price,qty,status,categories\nA,red bag,10.05,4,1,x\n"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


class Shop:
    """A project, and a front door into it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.rules = folder / "rules" / "shop.merx"
        self.own = folder / "rules" / "policies.merx"

    def __call__(self, *arguments: str) -> Said:
        code = run(["policies", *arguments])
        said = self.capsys.readouterr()
        return Said(code, said.out, said.err)

    def text(self) -> str:
        return self.rules.read_bytes().decode()

    def history(self, *of: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(self("history", *of, "--format", "json").out)
        return found

    def differences(self) -> list[str]:
        """The lines that are not as they were at first."""
        lines = difflib.unified_diff(RULES.splitlines(), self.text().splitlines(), n=0, lineterm="")
        return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


class Yesterday(SystemClock):
    def now(self) -> datetime.datetime:
        return super().now() - datetime.timedelta(days=1)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shop]:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "shop.merx").write_bytes(RULES.encode())
    (tmp_path / "products.csv").write_text(PRODUCTS, encoding="utf-8")
    (tmp_path / "merx.toml").write_text('products = "products.csv"\ncurrency = "EUR"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MERX_USER", "ada")
    yield Shop(tmp_path, capsys)


# --- list and show


def test_list_shows_every_block_and_its_users(shop: Shop):
    found = {(one["kind"], one["title"]): one for one in json.loads(shop("list", "--format", "json").out)}

    assert found[("pricing", "Plain")]["used_by"] == [
        {"kind": "listing", "title": "Bags", "file": "rules/shop.merx", "line": 31, "named": True}
    ]
    assert (found[("pricing", "Summer")]["line"], found[("pricing", "Summer")]["used_by"]) == (6, [])
    assert [one["title"] for one in found[("listing", "Bags")]["used_by"]] == ["main"]
    assert ("account", "main") in found
    assert not (shop.folder / ".merx").exists()


def test_list_of_one_kind(shop: Shop):
    said = shop("list", "--kind", "listing")

    assert said == Said(
        0, 'kind     title  where               used by\nlisting  Bags   rules/shop.merx:31  account "main"\n', ""
    )


def test_a_listing_is_used_by_an_account_that_takes_all(shop: Shop):
    shop.rules.write_text(RULES.replace('  listings = ["Bags"]', ""), encoding="utf-8")

    [listing] = json.loads(shop("list", "--kind", "listing", "--format", "json").out)
    assert [(one["title"], one["named"]) for one in listing["used_by"]] == [("main", False)]
    assert shop("remove", "listing", "Bags").code == 0


def test_show_gives_fields_with_their_values_and_what_they_mean(shop: Shop):
    shown = json.loads(shop("show", "pricing", "Summer", "--format", "json").out)

    fields = {one["field"]: one for one in shown["fields"]}
    assert shown["text"] == RULES[RULES.index('pricing "Summer"') : RULES.index("\n\ninventory")]
    assert (fields["change"]["value"], fields["change"]["written"]) == ("+12%", True)
    assert fields["start"]["value"] == "price"
    assert fields["ensure 1"]["value"] == 'price >= 5 "too cheap"'
    assert (fields["ending"]["value"], fields["ending"]["written"]) == ("", False)
    assert "charm price" in fields["ending"]["doc"]


def test_show_gives_defaults_sections_and_maps(shop: Shop):
    said = shop("show", "order", "EU orders")

    assert said.code == 0
    assert 'order "EU orders"  (rules/shop.merx:21)\n' in said.out
    assert '  FINISH -> "complete"' in said.out
    lines = {" ".join(line.split()[:3]) for line in said.out.splitlines()}
    assert {"if_product_missing reject default", 'statuses.FINISH "complete" Which', "statuses.else keep"} <= lines
    assert 'used by account "main"  (rules/shop.merx:33)' in said.out
    assert '"value": "10"' in shop("show", "inventory", "Buffered", "--format", "json").out


# --- add


def test_add_makes_the_file_of_policies_in_the_house_style(shop: Shop):
    said = shop("add", "listing", "Bags 2", "assign=price > 20", "pricing=Plain", "inventory=Buffered")
    again = shop("add", "pricing", "One", "change=+10%")

    assert said == Said(0, 'added listing "Bags 2" in rules/policies.merx\n', "")
    assert again.code == 0
    assert shop.own.read_text(encoding="utf-8") == (
        'listing "Bags 2" {\n  assign    = price > 20\n  pricing   = "Plain"\n  inventory = "Buffered"\n}\n\n'
        'pricing "One" { change = +10% }\n'
    )
    assert shop.text() == RULES


def test_add_to_a_file_and_copy_a_starter_policy(shop: Shop):
    said = shop("add", "pricing", "Mine", "ending=0.99", "--from", "Starter price", "--file", "rules/shop.merx")

    assert said.code == 0
    assert shop.text() == RULES + (
        "\npricing \"Mine\" {\n  start  = price  # the shop's own price, rounded to the currency's smallest amount\n"
        "  ending = 0.99\n}\n"
    )


def test_add_copies_a_policy_of_the_project(shop: Shop):
    shop("add", "pricing", "Winter", "--from", "Summer")

    text = shop.own.read_text(encoding="utf-8")
    assert text.startswith('pricing "Winter" {\n  start  = price  # the shop\'s own\n')


@pytest.mark.parametrize(
    ("kind", "fields", "written"),
    [
        ("inventory", ["threshold.value=10", "threshold.greater=10", "threshold.lesser=2", "threshold.cap=yes"],
         "threshold { value = 10  greater = 10  lesser = 2  cap = yes }"),
        ("image", ["default=https://cdn.example.com/a.jpg"], 'default = "https://cdn.example.com/a.jpg"'),
        ("synchronization", ["inventory_price=every 5m", "send_only=name, categories"], "send_only       = [name, categories]"),
        ("order", ["create_when=WAIT_SELLER_SEND_GOODS", "customer=same(a@b.example)"], 'customer    = same("a@b.example")'),
        ("order", ["create=no", "carriers.dhl=DHL", "carriers.else=OTHER"], 'carriers { dhl -> "DHL"  else -> "OTHER" }'),
        ("synchronization", ["inventory_price=cron(*/5 * * * *)"], 'inventory_price = cron("*/5 * * * *")'),
        ("pricing", ["change=ladder start { from 100 -> +5%  else -> +2.50 }"], "ladder start { from 100 -> +5%  else -> +2.50 }"),
        ("pricing", ['start=if name == "x" then price else price * 2'], 'if name == "x" then price else price * 2'),
        ("listing", ["assign=price > 1", "products=A-1,B-2"], 'products = ["A-1", "B-2"]'),
        ("listing", ["assign=price > 1", "priority=-3"], "priority = -3"),
    ],
)  # fmt: skip
def test_values_need_no_quotes_of_their_own(shop: Shop, kind: str, fields: list[str], written: str):
    said = shop("add", kind, "New", *fields)

    assert said.code == 0, said.err
    assert written in shop.own.read_text(encoding="utf-8")


def test_several_titles_are_parted_by_commas_where_all_are_known(shop: Shop):
    shop("edit", "pricing", "Summer", "active=2026-06-01..2026-08-31")

    assert shop("edit", "listing", "Bags", "pricing=Summer, Plain").code == 0
    assert 'pricing = ["Summer", "Plain"]' in shop.text()


def test_add_names_its_condition_without_nested_quotes(shop: Shop):
    assert shop("add", "pricing", "Kept", "--ensure", "price > 2", "two at least").code == 0

    assert 'ensure price > 2 "two at least"' in shop.own.read_text(encoding="utf-8")


# --- edit


def test_edit_changes_just_the_value(shop: Shop):
    assert shop("edit", "pricing", "Summer", "change=+15%").code == 0

    assert shop.differences() == ["-  change = +12%", "+  change = +15%"]


def test_edit_takes_away_adds_and_sets_in_one_go(shop: Shop):
    said = shop("edit", "pricing", "Summer", "floor=", "ending=0.99", "--ensure", "price < 900", "too dear",
                "--drop-ensure", "1")  # fmt: skip

    assert said.code == 0
    assert shop.differences() == [
        "-  # never cheaper", "-  floor  = 5.00", '-  ensure price >= 5 "too cheap"',
        "+  ending = 0.99", '+  ensure price < 900 "too dear"',
    ]  # fmt: skip


def test_edit_of_sections_and_maps(shop: Shop):
    assert shop("edit", "inventory", "Buffered", "threshold.cap=no", "threshold.greater=12").code == 0
    assert shop("edit", "order", "EU orders", "statuses.IN_ISSUE=holded", "statuses.FINISH=closed").code == 0

    assert shop.differences() == [
        "-  threshold { value = 10  greater = 10  lesser = 2  cap = yes }",
        "+  threshold { value = 10  greater = 12  lesser = 2  cap = no }",
        '-    FINISH -> "complete"', '+    FINISH -> "closed"', '+    IN_ISSUE -> "holded"',
    ]  # fmt: skip


def test_edit_keeps_byte_order_mark_and_line_endings_and_restore_brings_every_byte_back(shop: Shop):
    content = b"\xef\xbb\xbf" + RULES.replace("\n", "\r\n").encode()
    shop.rules.write_bytes(content)

    shop("edit", "pricing", "Summer", "ending=0.99", "floor=")
    changed = shop.rules.read_bytes()
    said = shop("restore", "1")

    assert changed == content.replace(b"  # never cheaper\r\n  floor  = 5.00\r\n", b"  ending = 0.99\r\n")
    assert said == Said(0, 'restored pricing "Summer" in rules/shop.merx\n', "")
    assert shop.rules.read_bytes() == content


def test_an_edit_that_says_what_is_there_changes_and_records_nothing(shop: Shop):
    said = shop("edit", "pricing", "Summer", "change=+12%")

    assert (said.code, shop.text(), shop.history()) == (0, RULES, [])
    assert "nothing to change" in said.err


def test_a_dry_run_shows_the_difference_and_leaves_no_trace(shop: Shop):
    said = shop("edit", "pricing", "Summer", "change=+15%", "--dry-run")

    assert said.code == 0
    assert {"-  change = +12%", "+  change = +15%"} <= set(said.out.splitlines())
    assert shop.text() == RULES
    assert not (shop.folder / ".merx").exists()


# --- what is refused


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "words"),
    [
        (["edit", "prcing", "Plain", "change=+1%"], 2, "M841", "did you mean `pricing`?"),
        (["list", "--kind", "test"], 2, "M841", "there is no kind `test`"),
        (["edit", "pricing", "Sumer", "change=+1%"], 1, "M842", "did you mean `Summer`?"),
        (["show", "listing", "Bag"], 1, "M842", "did you mean `Bags`?"),
        (["add", "pricing", "New", "--from", "Starter prise"], 1, "M842", "did you mean `Starter price`?"),
        (["edit", "pricing", "Plain", "change"], 2, "M843", "`FIELD=VALUE`"),
        (["edit", "pricing", "Plain"], 2, "M843", "nothing to change"),
        (["edit", "pricing", "Plain", "change=5 # five"], 2, "M843", "more than a field and its value"),
        (["edit", "pricing", "Plain", "change.x=5"], 2, "M843", "`change` has no parts"),
        (["add", "pricing", " "], 2, "M843", "the title is empty"),
        (["edit", "pricing", "Plain", "chnge=+1%"], 1, "M844", "did you mean `change`?"),
        (["edit", "inventory", "Buffered", "threshold.vlue=1"], 1, "M844", "did you mean `value`?"),
        (["edit", "pricing", "Plain", "ensure=price > 1"], 1, "M844", "--ensure CONDITION MESSAGE"),
        (["edit", "listing", "Bags", "order=EU orders"], 1, "M845", "named by an account, not by a listing"),
        (["edit", "account", "main", "pricing=Plain"], 1, "M845", "named by a listing, not by an account"),
        (["add", "pricing", "Plain", "change=+1%"], 1, "M846", "called `Plain` already"),
        (["rename", "pricing", "Plain", "Summer"], 1, "M846", "rules/shop.merx:6"),
        (["remove", "pricing", "Summer", "Plain"], 1, "M847", '`listing "Bags"` names it'),
        (["remove", "order", "EU orders"], 1, "M847", "rules/shop.merx:33"),
        (["edit", "pricing", "Plain", "floor="], 1, "M848", "does not set `floor`"),
        (["edit", "pricing", "Summer", "--drop-ensure", "2"], 1, "M848", '1: "too cheap"'),
        (["add", "pricing", "New", "change=+1%", "--file", "else.merx"], 1, "M849", "merx.toml says so"),
        (["restore", "1"], 1, "M851", "there is no change 1"),
        (["edit", "pricing", "Plain", "change=+10 %"], 1, "M009", "the percent sign touches its number"),
        (["edit", "pricing", "Plain", "change=+10% floor = 5"], 1, "M010", "^^^^^"),
        (["edit", "listing", "Bags", "pricing=Plane"], 1, "M212", "did you mean `Plain`?"),
        (["edit", "listing", "Bags", "assign=colr == 1"], 1, "M201", "has no attribute `colr`"),
        (["edit", "pricing", "Plain", "change=10"], 1, "M", "nothing was changed"),
        (["edit", "inventory", "Buffered", "threshold.value="], 1, "M305", "nothing was changed"),
        (["edit", "account", "main", "connector=alibaba"], 1, "M309", "nothing was changed"),
        (["add", "pricing", "a\tb", "change=+1%"], 1, "M004", "a tab inside a text"),
    ],
)
def test_what_is_wrong_changes_nothing(shop: Shop, arguments: list[str], exit_code: int, code: str, words: str):
    said = shop(*arguments)

    assert said.code == exit_code
    assert f"error[{code}" in said.err
    assert words in said.err
    assert (shop.text(), shop.own.exists(), said.out) == (RULES, False, "")
    assert shop.history() == []


def test_outside_of_a_project_there_are_no_policies(shop: Shop):
    (shop.folder / "merx.toml").unlink()

    for arguments in (["list"], ["edit", "pricing", "Plain", "change=+1%"], ["history"]):
        said = shop(*arguments)
        assert (said.code, said.out) == (2, "")
        assert "error[M720]" in said.err


def test_remove_takes_several_and_the_comments_above_them(shop: Shop):
    shop("edit", "listing", "Bags", "pricing=", "image=")

    said = shop("remove", "pricing", "Summer", "Plain")

    assert said.code == 0
    assert said.out.splitlines() == [
        'removed pricing "Summer" in rules/shop.merx', 'removed pricing "Plain" in rules/shop.merx',
    ]  # fmt: skip
    assert shop.text().startswith('# The rules of the shop.\n\ninventory "Buffered" {\n')


def test_a_file_that_is_broken_elsewhere_does_not_stop_an_unrelated_edit(shop: Shop):
    broken = shop.folder / "rules" / "broken.merx"
    broken.write_text('pricing "Broken" { change = = }\nimage "Odd" { galery = 5 }\n', encoding="utf-8")

    assert shop("edit", "pricing", "Summer", "change=+15%") == Said(
        0, 'changed pricing "Summer" in rules/shop.merx\n', ""
    )
    assert shop("edit", "image", "Odd", "default=/x.jpg").code == 0
    assert 'image "Odd" { galery = 5  default = "/x.jpg" }' in broken.read_text(encoding="utf-8")
    said = shop("edit", "pricing", "Broken", "change=+15%")
    assert said.code == 1
    assert "error[M850]" in said.err and "rules/broken.merx:1:1" in said.err


# --- history and restore


def test_history_says_who_did_what_to_which_block_when(shop: Shop):
    shop("add", "pricing", "New", "change=+1%")
    shop("edit", "pricing", "New", "change=+2%", "--by", "grace")
    shop("remove", "pricing", "New")

    found = shop.history("pricing", "New")
    assert [(one["id"], one["who"], one["action"], one["file"]) for one in found] == [
        (3, "ada", "remove", "rules/policies.merx"),
        (2, "grace", "edit", "rules/policies.merx"),
        (1, "ada", "add", "rules/policies.merx"),
    ]
    assert (found[1]["before"], found[1]["after"]) == (
        'pricing "New" { change = +1% }', 'pricing "New" { change = +2% }',
    )  # fmt: skip
    assert all(one["at"].endswith("Z") for one in found)
    assert shop.history("pricing", "Plain") == []
    shown = shop("history", "pricing", "New").out
    assert '+pricing "New" { change = +2% }' in shown.splitlines()


def test_every_change_can_be_taken_back_and_that_too(shop: Shop):
    shop("add", "pricing", "New", "change=+1%")
    shop("remove", "pricing", "Summer")
    shop("rename", "pricing", "Plain", "Basic")
    assert [shop("restore", number).code for number in "321"] == [0, 0, 0]
    assert (shop.text(), shop.own.exists()) == (RULES, False)

    assert [shop("restore", number).code for number in "654"] == [0, 0, 0]
    assert 'pricing "Basic"' in shop.text() and 'pricing = "Basic"' in shop.text()
    assert "Summer" not in shop.text()
    assert shop.own.read_text(encoding="utf-8") == 'pricing "New" { change = +1% }\n'


def test_a_removed_block_comes_back_to_its_place_in_a_file_that_has_changed(shop: Shop):
    shop("remove", "pricing", "Summer")
    shop("edit", "listing", "Bags", "priority=3")

    assert shop("restore", "1").code == 0
    assert shop.text() == RULES.replace('image = "Shots" }', 'image = "Shots"\n  priority = 3\n}')


def test_what_somebody_has_changed_since_is_not_taken_back(shop: Shop):
    shop("edit", "pricing", "Summer", "change=+15%")
    shop.rules.write_text(shop.text().replace("+15%", "+16%"), encoding="utf-8")
    text = shop.text()

    said = shop("restore", "1")

    assert (said.code, shop.text()) == (1, text)
    assert "error[M852]" in said.err and "rules/shop.merx" in said.err


def test_a_block_is_not_restored_where_its_title_is_taken_again(shop: Shop):
    shop("remove", "pricing", "Summer")
    shop("add", "pricing", "Summer", "change=+1%")

    said = shop("restore", "1")

    assert said.code == 1
    assert "error[M206]" in said.err and "nothing was changed" in said.err


def test_an_added_policy_that_is_used_is_not_taken_back(shop: Shop):
    shop("add", "pricing", "New", "change=+1%")
    shop("edit", "listing", "Bags", "pricing=New")

    said = shop("restore", "1")

    assert said.code == 1
    assert "error[M212]" in said.err
    assert shop.own.exists()


def test_rename_follows_every_user_and_nothing_else(shop: Shop):
    said = shop("rename", "order", "EU orders", 'The "EU"')

    assert said == Said(0, 'renamed order "The "EU"" in rules/shop.merx (was order "EU orders")\n', "")
    assert shop.text() == RULES.replace('"EU orders"', '"The \\"EU\\""')


# --- two at once, and what goes wrong while writing


def test_whoever_comes_second_is_told_who_is_at_work(shop: Shop):
    state = open_state(shop.folder)
    with locked(state.folder, "merx policies add", SystemClock()):
        said = shop("edit", "pricing", "Plain", "change=+1%")
        waited = shop("remove", "pricing", "Summer", "--wait", "0.2")
        looked = shop("list")
    state.close()

    assert (said.code, waited.code, looked.code) == (1, 1, 0)
    assert "error[M802]: `merx policies add`" in said.err
    assert (shop.text(), shop.history()) == (RULES, [])
    assert shop("edit", "pricing", "Plain", "change=+1%").code == 0


def test_a_file_that_an_editor_writes_meanwhile_is_left_alone(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    from merx.plugins import policy_edits

    other = RULES + "# by hand\n"
    monkeypatch.setattr(policy_edits, "_schema", lambda *_: shop.rules.write_text(other, encoding="utf-8") and None)

    said = shop("edit", "pricing", "Plain", "change=+1%")

    assert (said.code, shop.text(), shop.history()) == (1, other, [])
    assert "error[M853]" in said.err


def test_a_clock_that_was_set_back_is_told_before_anything_is_written(shop: Shop):
    shop("edit", "pricing", "Plain", "change=+1%")
    text = shop.text()

    code = run(["policies", "edit", "pricing", "Plain", "change=+2%"], Yesterday())

    assert (code, shop.text()) == (1, text)
    assert "error[M806]" in shop.capsys.readouterr().err


def test_a_full_disk_leaves_every_file_and_no_record(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    (shop.folder / "rules" / "more.merx").write_text('listing "More" { assign = price > 1  pricing = "Plain" }\n')
    shop("history")
    synced: list[int] = []

    def full(handle: int) -> None:
        synced.append(handle)
        if len(synced) == 3:  # the second file; the first one and its folder came before
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    said = shop("rename", "pricing", "Plain", "Basic")

    assert said.code == 2
    assert "error[M722]" in said.err and "no space left on device" in said.err
    assert shop.text() == RULES
    assert "Plain" in (shop.folder / "rules" / "more.merx").read_text()
    assert shop.history() == []


def test_rules_that_are_single_files_take_new_blocks_into_the_first(shop: Shop):
    (shop.folder / "merx.toml").write_text('rules = ["rules/shop.merx"]\n', encoding="utf-8")

    assert shop("add", "pricing", "New", "change=+1%").code == 0
    assert shop.text() == RULES + '\npricing "New" { change = +1% }\n'


def test_it_works_from_a_folder_below(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    (shop.folder / "deep").mkdir()
    monkeypatch.chdir(shop.folder / "deep")

    assert shop("edit", "pricing", "Plain", "change=+1%").out == 'changed pricing "Plain" in rules/shop.merx\n'
    assert shop.differences() == ['-pricing "Plain" { change = +10% }', '+pricing "Plain" { change = +1% }']
