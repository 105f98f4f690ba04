"""A project's state comes in; Prometheus text and a word on its health go out, on a port of this machine."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from merx.engine.accepted import accepted_of
from merx.engine.clock import Clock, moment
from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.snapshots import latest_snapshot
from merx.engine.state import State, open_state

if TYPE_CHECKING:
    from merx.engine.rounds import Ran

Last = Callable[[], Mapping[tuple[str, str], "Ran"]]


class _Collector:
    """Asks the state anew each time; the registry is its own, so that nothing of the process is told."""

    def __init__(self, folder: Path, clock: Clock, last: Last) -> None:
        self.folder, self.clock, self.last = folder, clock, last

    def collect(self) -> Iterator[Metric]:
        state = open_state(self.folder, self.clock)
        try:
            yield from self._jobs(state)
            yield from self._products(state)
        finally:
            state.close()

    def _jobs(self, state: State) -> Iterator[Metric]:
        names = ["account", "job"]
        runs = CounterMetricFamily("merx_job_runs", "Runs of a job.", labels=names)
        failures = CounterMetricFamily("merx_job_failures", "Runs of a job that failed.", labels=names)
        seconds = GaugeMetricFamily("merx_job_last_duration_seconds", "How long the last run took.", labels=names)
        success = GaugeMetricFamily("merx_job_last_success_timestamp_seconds", "When it last ended well.", labels=names)
        for row in state.rows("select * from jobs"):
            labels = [row["account"], row["job"]]
            runs.add_metric(labels, row["runs"] or 0)
            failures.add_metric(labels, row["failures"] or 0)
            at = state.fact(f"success {row['account']} {row['job']}")
            if at is not None:
                success.add_metric(labels, moment(at).timestamp())
        for (account, job), ran in self.last().items():
            seconds.add_metric([account, job], ran.seconds)
        yield from (runs, failures, seconds, success)

    def _products(self, state: State) -> Iterator[Metric]:
        products = GaugeMetricFamily("merx_products", "Products of an account.", labels=["account", "state"])
        held: dict[str, int] = {}
        for (account, _), ran in self.last().items():
            if ran.held is not None:
                held[account] = ran.held
        for row in state.rows("select title from accounts"):
            accepted = accepted_of(state, row["title"])
            products.add_metric([row["title"], "published"], accepted.published)
            products.add_metric([row["title"], "in_doubt"], int(accepted.frame["in_doubt"].sum()))
        for account, count in held.items():
            products.add_metric([account, "held"], count)
        yield products
        age = GaugeMetricFamily("merx_snapshot_age_seconds", "Since the products were last pulled.")
        kept = latest_snapshot(state)
        if kept is not None:
            age.add_metric([], (self.clock.now() - moment(kept.at)).total_seconds())
        yield age


def _health(folder: Path, clock: Clock) -> tuple[int, dict[str, Any]]:
    """503 while the last run of some job failed."""
    try:
        state = open_state(folder, clock)
    except PolicyError as error:
        return 503, {"healthy": False, "problem": error.diagnostics[0].message}
    try:
        rows = state.rows("select account, job, result, finished from jobs where due is not null order by account, job")
    finally:
        state.close()
    healthy = all(row["result"] != "failed" for row in rows)
    return (200 if healthy else 503), {"healthy": healthy, "jobs": rows}


@contextlib.contextmanager
def serving(folder: Path, clock: Clock, port: int, last: Last) -> Iterator[str]:
    """Answers `/metrics` and `/health` on 127.0.0.1 while the body runs; gives the address. Raises PolicyError (M854)."""
    registry = CollectorRegistry()
    registry.register(_Collector(folder, clock, last))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, "text/plain; version=0.0.4; charset=utf-8", generate_latest(registry))
            elif path == "/health":
                status, told = _health(folder, clock)
                self._answer(status, "application/json", json.dumps(told).encode())
            else:
                self._answer(404, "text/plain", b"/metrics, /health\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Calls of a monitoring system are no news."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        message = f"the port {port} cannot be opened: {(error.strerror or str(error)).lower()}"
        raise PolicyError(
            [Diagnostic("M854", "error", message, None, "name another port; 0 takes a free one")]
        ) from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
