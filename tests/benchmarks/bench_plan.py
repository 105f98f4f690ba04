"""`make bench`: planning a million products, first and after a change of 1% of the prices, and `merx plan` as a whole command.

    python tests/benchmarks/bench_plan.py [--rows N]

The second plan is measured without start-up and without taking the snapshot, as is the first.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import polars as pl

import catalogue
from merx.engine.accounts import chosen_account
from merx.engine.apply import settle
from merx.engine.outbox import write_intents
from merx.engine.planning import Plan, make_plan
from merx.engine.project import find_project
from merx.engine.workspace import Workspace, open_workspace, pull

LIMITS = {"second plan": 0.15, "whole command": 3.0}
ACCOUNT = '\naccount "main" { connector = sandbox }\n'
MERX = (sys.executable, "-c", "import merx.cli; merx.cli.main()")


def project(folder: Path, frame: pl.DataFrame) -> Workspace:
    (folder / "merx.toml").write_text('rules = ["rules.merx"]\nproducts = "products.parquet"\n')
    (folder / "rules.merx").write_text(catalogue.RULES + ACCOUNT)
    frame.write_parquet(folder / "products.parquet")
    found = find_project(folder)
    assert found is not None
    return open_workspace(found)


def timed(what: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = what()
    return time.perf_counter() - start, result


def accept(workspace: Workspace, plan: Plan) -> None:
    """As if the marketplace had taken all of the plan."""
    outbox = write_intents(workspace.state, plan, 10_000)
    workspace.state.run("update intents set status = 'done'")
    settle(outbox)


def changed(frame: pl.DataFrame) -> pl.DataFrame:
    """One product in a hundred costs a little more."""
    some = pl.int_range(pl.len()) % 100 == 7
    return frame.with_columns(
        pl.when(some).then(pl.col("price") + pl.lit(1)).otherwise(pl.col("price")).cast(frame.schema["price"])
    )


def plans(folder: Path, frame: pl.DataFrame) -> float:
    workspace = project(folder, frame)
    account = chosen_account(workspace.ruleset.rules, None)
    kept = taken(workspace)
    first, plan = timed(lambda: make_plan(workspace, account, kept, day=catalogue.DAY))
    print(f"first plan           {first:6.2f} s   {plan.compared.summary}")
    accept(workspace, plan)
    changed(frame).write_parquet(folder / "products.parquet")
    kept = taken(workspace)
    second, plan = timed(lambda: make_plan(workspace, account, kept, day=catalogue.DAY))
    print(f"plan after 1% moved  {second:6.2f} s   {plan.compared.summary}, {plan.computed:,} evaluated")
    workspace.state.close()
    return second / first


def taken(workspace: Workspace) -> Any:
    path = workspace.project.products
    assert path is not None
    return pull(workspace, path).kept


def commands(folder: Path) -> float:
    """`merx plan` against `merx evaluate`, each with its result in a file."""
    evaluate, _ = timed(lambda: run(folder, "evaluate", "--as-of", str(catalogue.DAY), "-o", "outcomes.csv"))
    plan, _ = timed(lambda: run(folder, "plan", "--as-of", str(catalogue.DAY)))
    print(f"merx plan            {plan:6.2f} s   merx evaluate {evaluate:6.2f} s")
    return plan / evaluate


def run(folder: Path, *arguments: str) -> None:
    subprocess.run([*MERX, *arguments], cwd=folder, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--check", action="store_true", help="exit 1 where a limit is passed")
    options = parser.parse_args()
    frame = catalogue.products(options.rows)
    found = {}
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        found["second plan"] = plans(Path(name), frame)
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        project(Path(name), frame).state.close()
        found["whole command"] = commands(Path(name))
    print("   ".join(f"{name} {ratio:.2f} (limit {LIMITS[name]})" for name, ratio in found.items()))
    over = [name for name, ratio in found.items() if ratio > LIMITS[name]]
    if options.check and over:
        sys.exit(f"over the limit: {', '.join(over)}")


if __name__ == "__main__":
    main()
