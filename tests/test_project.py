"""merx.toml: what it may say, and how each fault in it is told."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.hooks import AccountOptions
from merx.engine.project import account_options, find_project
from merx.engine.secret import Secret
from merx.engine.snapshot import StoreSettings


def problems(folder: Path, text: str | bytes) -> tuple[Diagnostic, ...]:
    (folder / "merx.toml").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(PolicyError) as caught:
        find_project(folder)
    return caught.value.diagnostics


def told(problem: Diagnostic) -> tuple[str, str | None, str | None]:
    return problem.code, problem.span.text if problem.span else None, problem.help


def test_a_folder_without_the_file_is_no_project(tmp_path: Path):
    # Some folder above might have one; this asserts only what is below the first that could.
    (tmp_path / "merx.toml").write_text("")
    (tmp_path / "deep" / "er").mkdir(parents=True)

    project = find_project(tmp_path / "deep" / "er")

    assert project is not None
    assert project.folder == tmp_path


def test_an_empty_file_gives_the_defaults(tmp_path: Path):
    (tmp_path / "merx.toml").write_text("")

    project = find_project(tmp_path)

    assert project is not None
    assert (project.rules, project.products, project.settings) == ((Path("rules"),), None, StoreSettings())


def test_everything_it_may_say_arrives(tmp_path: Path):
    (tmp_path / "merx.toml").write_text(
        'rules = ["a", "b.merx"]\nproducts = "export.csv"\ncurrency = "EUR"\n[store]\nmanage_stock = false\n'
        'backorders = 2\nmin_qty = 1.5\ntimezone = "Europe/Copenhagen"\nmedia_base_url = "https://shop.example/media"\n'
        'multi_value_separator = ";"\nfield_separator = "^"\n'
    )

    project = find_project(tmp_path)

    assert project is not None
    assert (project.rules, project.products) == ((Path("a"), Path("b.merx")), Path("export.csv"))
    assert project.settings == StoreSettings(
        currency="EUR",
        manage_stock=False,
        backorders=2,
        min_qty=Decimal("1.5"),
        media_base_url="https://shop.example/media",
        timezone="Europe/Copenhagen",
        multi_value_separator=";",
        field_separator="^",
    )


def test_paths_are_relative_to_the_file(tmp_path: Path):
    (tmp_path / "merx.toml").write_text('products = "p.csv"')
    (tmp_path / "below").mkdir()

    project = find_project(tmp_path / "below")

    assert project is not None
    assert (project.rules, project.products) == ((tmp_path / "rules",), tmp_path / "p.csv")


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault(tmp_path: Path):
    (tmp_path / "merx.toml").write_bytes(b'\xef\xbb\xbfcurrency = "USD"\r\nproducts = "p.csv"\r\n')

    project = find_project(tmp_path)

    assert project is not None
    assert (project.settings.currency, project.products) == ("USD", Path("p.csv"))


def test_an_unknown_setting_is_named_with_the_one_that_was_meant(tmp_path: Path):
    [problem] = problems(tmp_path, 'rulez = ["a"]\n')

    assert told(problem) == ("M711", 'rulez = ["a"]', "did you mean `rules`?")


def test_a_setting_of_the_store_at_the_top_is_sent_to_its_section(tmp_path: Path):
    [problem] = problems(tmp_path, "manage_stock = true\n")

    assert told(problem) == ("M711", "manage_stock = true", "`manage_stock` belongs into the section `[store]`")


def test_every_fault_is_told_at_once_in_the_order_of_the_file(tmp_path: Path):
    text = 'currency = "Euro"\n[store]\nbackorders = 7\ntimezone = "Mars/Olympus"\nmin_qty = -1\nstok = 1\n'

    assert [told(one)[:2] for one in problems(tmp_path, text)] == [
        ("M712", 'currency = "Euro"'),
        ("M712", "backorders = 7"),
        ("M712", 'timezone = "Mars/Olympus"'),
        ("M712", "min_qty = -1"),
        ("M711", "stok = 1"),
    ]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ('rules = "rules"', 'it is a list of texts, such as `["rules"]`'),
        ("rules = []", "it is a list of at least one text"),
        ("products = 5", "it is a text in double quotes"),
        ("store = 3", "it is a section: `[store]` on a line of its own"),
        ("[store]\nmanage_stock = 1", "it is yes or no, written `true` or `false`"),
        ("[store]\nmin_qty = nan", "it is a number"),
        ('[store]\nmulti_value_separator = "||"', "a separator is one character"),
    ],
)
def test_a_value_that_cannot_be_used_is_underlined_with_what_can(tmp_path: Path, text: str, help: str):
    [problem] = problems(tmp_path, text)

    assert told(problem) == ("M712", text.rpartition("\n")[2], help)


@pytest.mark.parametrize("text", ["currency = Eur", "a = [", "= 3", "a = 1\na = 2", "x = " + "[" * 5000])
def test_what_is_not_toml_is_said_so(tmp_path: Path, text: str):
    [problem] = problems(tmp_path, text)

    assert problem.code == "M710"
    assert problem.span is not None


def test_another_encoding_is_told_with_the_byte(tmp_path: Path):
    [problem] = problems(tmp_path, 'currency = "Ä"'.encode("latin-1"))

    assert (problem.code, problem.message) == ("M713", "`merx.toml` is not UTF-8 text (byte 13)")


def test_a_directory_of_that_name_is_told(tmp_path: Path):
    (tmp_path / "merx.toml").mkdir()

    with pytest.raises(PolicyError) as caught:
        find_project(tmp_path)

    assert [one.code for one in caught.value.diagnostics] == ["M713"]


# --- safety and accounts


def test_safety_rails_are_shares(tmp_path: Path):
    (tmp_path / "merx.toml").write_text('[safety]\nmax_changed = "20%"\nmax_price_move = "12.5%"\n')

    project = find_project(tmp_path)

    assert project is not None
    assert (project.safety.max_changed, project.safety.max_price_move, project.safety.max_held) == (
        Decimal("0.2"),
        Decimal("0.125"),
        None,
    )


@pytest.mark.parametrize("value", ['"20"', "20", "0.2", '"-5%"', '"many%"'])
def test_a_rail_that_is_no_share_is_told(tmp_path: Path, value: str):
    [problem] = problems(tmp_path, f"[safety]\nmax_held = {value}\n")

    assert told(problem) == ("M712", f"max_held = {value}", 'a share is written `"20%"`')


class Options(AccountOptions):
    address: str | None = None
    token: Secret | None = None


def account(folder: Path, text: str) -> Options:
    (folder / "merx.toml").write_text(text)
    project = find_project(folder)
    assert project is not None
    return account_options(project, "my shop", Options)


def test_a_secret_is_named_and_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    options = account(tmp_path, '[accounts."my shop"]\ntoken = { env = "SHOP_TOKEN" }\n')

    assert options.token is not None
    assert options.token.read(tmp_path) == "s3cret"
    assert "s3cret" not in repr(options)


@pytest.mark.parametrize(
    ("text", "underlined", "help"),
    [
        ('token = "s3cret"', 'token = "s3cret"', "a secret does not stand here"),
        ("token = { env = 'A', file = 'b' }", "token = { env = 'A', file = 'b' }", "it is read from one place"),
        ("adress = 'x'", "adress = 'x'", "did you mean `address`?"),
        ("address = 5", "address = 5", "it is a text in double quotes"),
    ],
)
def test_a_fault_of_an_account_is_underlined(tmp_path: Path, text: str, underlined: str, help: str):
    with pytest.raises(PolicyError) as caught:
        account(tmp_path, f'[accounts."my shop"]\n{text}\n')
    [problem] = caught.value.diagnostics

    assert problem.span is not None
    assert problem.span.text == underlined
    assert (problem.help or "").startswith(help)


def test_a_secret_that_is_not_set_is_told_by_the_variables_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    options = account(tmp_path, '[accounts."my shop"]\ntoken = { env = "SHOP_TOKEN" }\n')

    assert options.token is not None
    with pytest.raises(PolicyError) as caught:
        options.token.read(tmp_path)
    assert caught.value.diagnostics[0].message == "the environment variable `SHOP_TOKEN` is not set"
