"""The sandbox's own SQLite file: listings, orders, batches it has seen, and faults; each call is done whole or not at all.

What a call has returned is in the file, so that a server that is killed has forgotten nothing it answered for. Several
servers, in several processes, may have the same file open.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal, Inexact
from pathlib import Path
from typing import Any

from merx.engine.clock import Clock, SystemClock, stamp
from merx.engine.marketplace import UNKNOWN_SKU
from merx.plugins.sandbox_faults import FAULTS, Faults
from merx.plugins.sandbox_offer import SHOWN, Refused, taken

_OURS = 0x6D785342
"""SQLite's application id of a sandbox's file: another database is not written into."""

_VERSION = 2

_TABLES = """
create table listings (
  sku text primary key, listing text, price text, sale_price text, currency text, quantity integer, main_image text,
  images text, further text not null, details text not null, changed_at text not null,
  check (quantity is null or quantity >= 0)
) without rowid;
create table batches (
  key text primary key, about text not null, answer text not null, at text not null
) without rowid;
create table orders (
  id integer primary key autoincrement, key text unique, placed_at text not null, status text not null,
  buyer text not null, lines text not null, currency text not null, total text not null
);
create table faults (only integer primary key check (only = 1), probabilities text, seed integer, hang real, drawn integer);
create table delivered (name text primary key, count integer not null) without rowid;
"""

_BUSY = 30
"""Seconds that a call waits for another process's."""

_FIRST_ORDER = 1000

_EXACT = Context(prec=200, traps=[Inexact])
"""For sums of money: more digits than amounts and pieces can have, and an error rather than a rounded one."""


class NotASandbox(Exception):
    """The file holds something else, or was written by a newer version."""


class SandboxStore:
    """The open file. Calls of several threads take turns. Every method raises sqlite3.Error where the file cannot be used."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Opens the file, and makes it where there is none. Raises OSError, sqlite3.Error, NotASandbox."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._clock = clock or SystemClock()
        self._turn = threading.RLock()
        self._db = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        try:
            self._prepare(path)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, path: Path) -> None:
        with self._whole() as db:
            known = db.execute("pragma application_id").fetchone()[0], db.execute("pragma user_version").fetchone()[0]
            if known == (0, 0) and db.execute("select count(*) from sqlite_master").fetchone()[0] == 0:
                for statement in _TABLES.split(";\n"):
                    db.execute(statement)
                db.execute("insert into faults values (1, '{}', 0, 30, 0)")
                db.execute("insert into sqlite_sequence values ('orders', ?)", [_FIRST_ORDER])
                db.execute(f"pragma application_id = {_OURS}")
                db.execute(f"pragma user_version = {_VERSION}")
            elif known[0] != _OURS:
                raise NotASandbox(f"`{path}` is another database")
            elif known[1] != _VERSION:
                raise NotASandbox(f"the sandbox's file `{path}` was written by another version of merx")
        self._use_wal()
        # An answer that was given must outlive the machine's power, as a real marketplace's does.
        self._db.execute("pragma synchronous = full")

    def _use_wal(self) -> None:
        for attempt in range(50):
            try:
                self._db.execute("pragma journal_mode = wal")
                return
            except sqlite3.OperationalError:
                # SQLite does not wait here while another process changes over too.
                if attempt == 49:
                    raise
                time.sleep(0.02)

    @contextlib.contextmanager
    def _whole(self) -> Iterator[sqlite3.Connection]:
        with self._turn:
            self._db.execute("begin immediate")
            try:
                yield self._db
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._turn:
            return self._db.execute(sql, parameters).fetchall()

    def _now(self) -> str:
        return stamp(self._clock.now())

    def publish(self, key: str, operation: str, offers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Takes a batch; the answer names the offers that were refused. A key that was seen gives its answer again.

        Raises Refused where the key was another batch's: its answer would be a lie about this one.
        """
        about = _about(operation, offers)
        with self._whole() as db:
            seen = db.execute("select about, answer from batches where key = ?", [key]).fetchone()
            if seen is not None:
                if seen["about"] != about:
                    raise Refused("key_reused", f"the key `{key}` was another batch's")
                found: dict[str, Any] = json.loads(seen["answer"])
                return found
            refusals = []
            for offer in offers:
                try:
                    self._take(db, operation, offer)
                except Refused as refused:
                    refusals.append({"sku": offer["sku"], "code": refused.code, "message": refused.message})
            answer = {"accepted": len(offers) - len(refusals), "refusals": refusals}
            db.execute("insert into batches values (?, ?, ?, ?)", [key, about, _json(answer), self._now()])
            return answer

    def _take(self, db: sqlite3.Connection, operation: str, offer: Mapping[str, Any]) -> None:
        changes = taken(offer["values"])
        sku = offer["sku"]
        row = db.execute("select * from listings where sku = ?", [sku]).fetchone()
        if row is None and operation == "change":
            raise Refused(UNKNOWN_SKU, f"there is no listing `{sku}` to change")
        if operation == "withdraw":
            if row is None:
                return
            changes["quantity"] = 0
        shown = {name: None if row is None else row[name] for name in SHOWN}
        further = {} if row is None else json.loads(row["further"])
        details = {} if row is None else json.loads(row["details"])
        for name, value in changes.items():
            if name in SHOWN:
                shown[name] = _json(value) if isinstance(value, list) else value
            else:
                further[name] = value
        details |= offer["details"]
        columns = [sku, *shown.values(), _json(_present(further)), _json(_present(details)), self._now()]
        db.execute(f"insert or replace into listings values ({', '.join('?' * len(columns))})", columns)

    def listings(self, after: str, limit: int) -> list[dict[str, Any]]:
        """Listings as the wire has them, by SKU, beyond `after`."""
        rows = self._rows("select * from listings where sku > ? order by sku limit ?", [after, limit])
        return [_listing(row) for row in rows]

    def place(self, key: str | None, status: str, buyer: Mapping[str, Any], lines: Mapping[str, int]) -> dict[str, Any]:
        """Places an order and takes its pieces off. lines: SKU → pieces. Raises Refused: then nothing was taken."""
        with self._whole() as db:
            if key is not None and (seen := db.execute("select * from orders where key = ?", [key]).fetchone()):
                return _order(seen)
            found = [_sold(db, sku, pieces) for sku, pieces in lines.items()]
            currencies = {one["currency"] for one in found}
            if len(currencies) > 1:
                raise Refused("several_currencies", "an order is paid in one currency")
            total = Decimal(0)
            for one in found:
                total = _EXACT.fma(Decimal(one["price"]), Decimal(one["quantity"]), total)
            placed = [key, self._now(), status, _json(buyer), _json(found), currencies.pop(), f"{total:f}"]
            names = "key, placed_at, status, buyer, lines, currency, total"
            number = db.execute(f"insert into orders ({names}) values (?, ?, ?, ?, ?, ?, ?)", placed).lastrowid
            return _order(db.execute("select * from orders where id = ?", [number]).fetchone())

    def orders(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Orders as the wire has them, as they were placed, beyond the one with the id `after`."""
        return [
            _order(row) for row in self._rows("select * from orders where id > ? order by id limit ?", [after, limit])
        ]

    def counts(self) -> tuple[int, int]:
        """How many listings and how many orders there are."""
        [row] = self._rows(
            "select (select count(*) from listings) as listings, (select count(*) from orders) as orders"
        )
        return row["listings"], row["orders"]

    def faults(self) -> Faults:
        [row] = self._rows("select * from faults")
        return Faults(json.loads(row["probabilities"]), row["seed"], row["hang"])

    def set_faults(self, faults: Faults, *, anew: bool) -> None:
        """anew: the draws begin again."""
        with self._whole() as db:
            values = [_json(faults.probabilities), faults.seed, faults.hang, anew]
            db.execute(
                "update faults set probabilities = ?, seed = ?, hang = ?, drawn = iif(?, 0, drawn)", values
            )  # fmt: skip

    def draw(self) -> str | None:
        """The fault that the next request meets, counted."""
        if not self.faults().any:
            return None
        with self._whole() as db:
            number = db.execute("update faults set drawn = drawn + 1 returning drawn").fetchone()["drawn"]
            name = self.faults().drawn(number)
            if name is not None:
                more = "on conflict (name) do update set count = count + 1"
                db.execute(f"insert into delivered values (?, 1) {more}", [name])
            return name

    def delivered(self) -> dict[str, int]:
        """How often each fault was met, since the sandbox was made or reset."""
        found = {row["name"]: row["count"] for row in self._rows("select * from delivered")}
        return {name: found.get(name, 0) for name in FAULTS}

    def reset(self) -> None:
        """Forgets everything."""
        with self._whole() as db:
            for table in ("listings", "batches", "orders", "delivered"):
                db.execute(f"delete from {table}")
            db.execute("update faults set probabilities = '{}', seed = 0, hang = 30, drawn = 0")
            db.execute("update sqlite_sequence set seq = ? where name = 'orders'", [_FIRST_ORDER])

    def close(self) -> None:
        with self._turn:
            self._db.close()


def _about(operation: str, offers: Sequence[Mapping[str, Any]]) -> str:
    """What tells a batch from others. Not its values: 12.5 and 12.50 are the same batch sent again."""
    return hashlib.sha256(_json([operation, sorted(one["sku"] for one in offers)]).encode()).hexdigest()


def _sold(db: sqlite3.Connection, sku: str, pieces: int) -> dict[str, Any]:
    """Takes pieces off a listing; the order's line of them."""
    row = db.execute("select * from listings where sku = ?", [sku]).fetchone()
    if row is None:
        raise Refused(UNKNOWN_SKU, f"there is no listing `{sku}`")
    there = row["quantity"] or 0
    if pieces > there:
        raise Refused("not_enough", f"there are {there} of `{sku}`, and {pieces} are ordered")
    price = row["sale_price"] or row["price"]
    if price is None or row["currency"] is None:
        raise Refused("no_price", f"`{sku}` has no price to be sold at")
    db.execute("update listings set quantity = quantity - ? where sku = ?", [pieces, sku])
    name = json.loads(row["details"]).get("name")
    return {"sku": sku, "name": name, "quantity": pieces, "price": price, "currency": row["currency"]}


def _listing(row: sqlite3.Row) -> dict[str, Any]:
    values = {name: row[name] for name in SHOWN}
    values["images"] = None if row["images"] is None else json.loads(row["images"])
    values |= json.loads(row["further"])
    return {
        "sku": row["sku"], "values": values, "details": json.loads(row["details"]), "changed_at": row["changed_at"],
    }  # fmt: skip


def _order(row: sqlite3.Row) -> dict[str, Any]:
    lists = {"buyer": json.loads(row["buyer"]), "lines": json.loads(row["lines"])}
    return {
        "id": str(row["id"]), "placed_at": row["placed_at"], "status": row["status"], **lists,
        "currency": row["currency"], "total": row["total"],
    }  # fmt: skip


def _present(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
