"""`make bench`: merx against the same program written by hand, in one process, turn by turn; ratios of medians.

    python tests/benchmarks/bench.py [--rows N] [--runs N]

Each figure is the median of the runs after one warm-up. No result and no binding is carried from one timed call to the
next. Memory is the peak of a fresh process for each side, less what it holds before it starts.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import polars as pl

import by_hand
import catalogue
import merx

LOOP_ROWS = 50_000
LIMITS = {"by hand": 2.5, "csv": 1.5, "memory": 2.0, "loop": 40.0}


def rules(folder: Path) -> merx.Ruleset:
    path = folder / "rules.merx"
    path.write_text(catalogue.RULES)
    return merx.load(path)


def turn_by_turn(runs: int, *sides: Callable[[], Any]) -> list[list[float]]:
    """Seconds of each run of each side, in alternation, after one warm-up."""
    times: list[list[float]] = [[] for _ in sides]
    for run in range(runs + 1):
        for side, found in zip(sides, times, strict=True):
            gc.collect()
            start = time.perf_counter()
            result = side()
            took = time.perf_counter() - start
            del result
            if run:
                found.append(took)
    return times


def _memory(what: str) -> int:
    """kB of this process: VmRSS now, VmHWM at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


def _peak(target: Callable[[pl.DataFrame], Any], frame: pl.DataFrame, answer: Any) -> None:
    target(frame.head(1000))  # what is loaded once is not what the catalogue takes
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far was the frame's own making
    before = _memory("VmRSS")
    result = target(frame)
    answer.put((before, _memory("VmHWM")))
    del result


def peak(side: str, path: Path, folder: Path) -> float:
    """MB that one side takes at its peak in a fresh process, over the frame it reads from a file."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_measure, args=(side, str(path), str(folder), answer))
    process.start()
    before, after = answer.get()
    process.join()
    return float(after - before) / 1024


def _measure(side: str, path: str, folder: str, answer: Any) -> None:
    frame = pl.read_parquet(path)
    if side == "merx":
        ruleset = rules(Path(folder))
        _peak(lambda one: ruleset.evaluate(one, as_of=catalogue.DAY), frame, answer)
    else:
        _peak(lambda one: by_hand.query(one.lazy(), catalogue.DAY).collect(), frame, answer)


def read_and_evaluate(path: Path, ruleset: merx.Ruleset) -> pl.DataFrame:
    """What `merx evaluate` does with a file, without writing the result."""
    from merx.engine.read import read_products

    prepared = ruleset.prepare(catalogue.DAY)
    snapshot = read_products(path, ruleset.registry.sources, declared=ruleset.schema, columns=ruleset.reads(prepared))
    return ruleset.evaluate(snapshot.frame, as_of=catalogue.DAY)


def read_by_hand(path: Path) -> pl.DataFrame:
    raw = pl.read_csv(path, try_parse_dates=True)
    lists = raw.lazy().with_columns(
        pl.col("categories", "media_gallery").str.split(","),
        pl.col("is_in_stock", "manage_stock").cast(pl.Boolean),
    )
    return by_hand.query(lists, catalogue.DAY).collect()


def loop_by_hand(frame: pl.DataFrame) -> pl.DataFrame:
    """Frame in, frame out, as `evaluate` is."""
    return pl.DataFrame(by_hand.loop(frame.iter_rows(named=True), catalogue.DAY), infer_schema_length=None)


def show(what: str, ours: list[float], theirs: list[float]) -> float:
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"{what:<34} merx {a * 1000:8.0f} ms   other {b * 1000:8.0f} ms   ratio {a / b:6.2f}")
    return a / b


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="exit 1 where a limit is passed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        over = compare(Path(name), options.rows, options.runs)
    if options.check and over:
        sys.exit(f"over the limit: {', '.join(over)}")


def compare(folder: Path, rows: int, runs: int) -> list[str]:
    """Prints every figure; returns the names of those over their limit."""
    frame = catalogue.products(rows)
    ruleset = rules(folder)
    print(f"{rows:,} products, {runs} runs each")
    same(ruleset, frame.head(20_000))
    ours, theirs = turn_by_turn(
        runs,
        lambda: ruleset.evaluate(frame, as_of=catalogue.DAY),
        lambda: by_hand.query(frame.lazy(), catalogue.DAY).collect(),
    )
    found = {"by hand": show("evaluate / lazy Polars, floats", ours, theirs)}
    some = frame.head(LOOP_ROWS)
    [looped] = turn_by_turn(1, lambda: loop_by_hand(some))
    scaled = [one * rows / some.height for one in looped]
    found["loop"] = 1 / show(f"evaluate / Decimal loop (of {some.height:,})", ours, scaled)
    path = folder / "products.csv"
    catalogue.write_csv(frame, path)
    parquet = folder / "products.parquet"
    frame.write_parquet(parquet)
    frame = frame.clear()
    csv_ours, csv_theirs = turn_by_turn(
        max(2, runs // 2), lambda: read_and_evaluate(path, ruleset), lambda: read_by_hand(path)
    )
    found["csv"] = show(f"CSV of {path.stat().st_size >> 20} MB and evaluate", csv_ours, csv_theirs)
    a, b = peak("merx", parquet, folder), peak("hand", parquet, folder)
    found["memory"] = a / b
    print(f"{'peak memory of evaluate':<34} merx {a:8.0f} MB   other {b:8.0f} MB   ratio {a / b:6.2f}")
    print(f"limits: {LIMITS}; faster than the loop by {found['loop']:.0f}")
    return [name for name, limit in LIMITS.items() if (found[name] < limit if name == "loop" else found[name] > limit)]


def same(ruleset: merx.Ruleset, frame: pl.DataFrame) -> None:
    """All three say the same, but for the floats' last digits and the words of reasons."""
    ours = ruleset.evaluate(frame, as_of=catalogue.DAY)
    hand = by_hand.query(frame.lazy(), catalogue.DAY).collect()
    loop = by_hand.loop(frame.to_dicts(), catalogue.DAY)
    for name in ("sku", "listing", "status", "quantity", "main_image", "images", "currency"):
        assert ours[name].to_list() == [one.get(name) for one in loop], name
    for name in ("price", "sale_price"):
        assert ours[name].to_list() == [one.get(name) for one in loop], name
    for name in ("listing", "quantity", "main_image", "images"):
        assert ours[name].to_list() == hand[name].to_list(), name
    assert (ours["status"] != hand["status"]).sum() <= frame.height // 1000
    close = (ours["price"].cast(pl.Float64) - hand["price"]).abs() < 0.001
    assert close.fill_null(True).mean() > 0.999


if __name__ == "__main__":
    main()
