"""Products that keep the listing that was recorded for them, whatever the queries say."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from merx.engine.accepted import EMPTY, accepted_of, keep_accepted, with_rows
from merx.engine.accounts import chosen_account
from merx.engine.planning import make_plan
from merx.engine.project import find_project
from merx.engine.workspace import open_workspace, pull

RULES = """
pricing "plus ten" { change = +10% }
listing "bags" { assign = name contains "bag"  pricing = "plus ten" }
listing "books" { assign = name contains "book"  pricing = "plus ten" }
account "main" { connector = sandbox }
"""


def test_a_recorded_listing_decides_and_not_the_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "merx.toml").write_text('rules = ["rules.merx"]\ncurrency = "EUR"\n', encoding="utf-8")
    (tmp_path / "rules.merx").write_text(RULES, encoding="utf-8")
    (tmp_path / "products.csv").write_text("sku,name,price\nA,red bag,10.00\nB,blue bag,20.00\n", encoding="utf-8")
    project = find_project(tmp_path)
    assert project is not None
    workspace = open_workspace(project)
    try:
        kept = pull(workspace, tmp_path / "products.csv").kept
        account = chosen_account(workspace.ruleset.rules, None)
        rows = pl.DataFrame({"sku": ["A"], "assigned": ["books"], "set:assigned": [True]})
        keep_accepted(workspace.state, "main", accepted_of(workspace.state, "main"), with_rows(EMPTY, rows))

        items = make_plan(workspace, account, kept, by_queries=False).items
    finally:
        workspace.state.close()

    assert items.select("sku", "action", "listing").rows() == [("A", "create", "books")]
