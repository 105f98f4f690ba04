"""The state of a project when everything goes wrong around it: each is a clear error, and nothing is lost."""

from __future__ import annotations

import contextlib
import datetime
import errno
import io
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

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
    """Runs a command in a project that has one snapshot."""
    (tmp_path / "merx.toml").write_text('rules = ["rules.merx"]\nproducts = "products.csv"\n', encoding="utf-8")
    (tmp_path / "rules.merx").write_text('pricing "plus ten" { change = +10% }\n', encoding="utf-8")
    write(tmp_path)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Said:
        code = run([str(one) for one in arguments], clock)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    assert call("snapshot", "pull").code == 0
    return call


def write(folder: Path, price: int = 10, rows: int = 3) -> None:
    lines = [f"S{number},{price + number}" for number in range(rows)]
    (folder / "products.csv").write_text("\n".join(["sku,price", *lines, ""]), encoding="utf-8")


def database(folder: Path) -> Path:
    return folder / ".merx" / "state.db"


def files(folder: Path) -> dict[str, bytes]:
    inside = (path for path in (folder / ".merx").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in inside if not path.name.startswith("lock")}


def refused(said: Said, *codes: str) -> None:
    assert said.code == 1
    assert said.err.removeprefix("error[")[:4] in codes, said.err
    assert "Traceback" not in said.err


def test_a_whole_state_is_as_it_should_be(merx: Callable[..., Said]):
    assert merx("state", "check") == Said(0, "", "the state and its 1 file are as they should be\n")


def test_files_that_are_gone_damaged_or_another_are_told(merx: Callable[..., Said], tmp_path: Path):
    write(tmp_path, 20)
    merx("snapshot", "pull")
    one, other = sorted((tmp_path / ".merx/snapshots").iterdir())
    content = one.read_bytes()

    one.write_bytes(other.read_bytes())
    swapped = merx("state", "check")
    one.write_bytes(content[: len(content) // 2])
    damaged = merx("state", "check")
    one.unlink()
    gone = merx("state", "check")

    for said, words in ((swapped, "not the content"), (damaged, "cannot be read"), (gone, "is not there")):
        refused(said, "M813")
        assert words in said.err and one.name in said.err
    refused(merx("state", "vacuum"), "M813")
    refused(merx("state", "backup", "b.tar"), "M811")
    assert not (tmp_path / "b.tar").exists()


def test_vacuum_removes_what_is_left_over(merx: Callable[..., Said], tmp_path: Path):
    left = [tmp_path / ".merx" / name for name in ("plans/old.parquet", "snapshots/.x.parquet.1.tmp", "backup.1.tmp")]
    for path in left:
        path.write_bytes(b"x" * 1000)

    checked = merx("state", "check")
    said = merx("state", "vacuum")

    assert checked.code == 0 and checked.out.count("left over: ") == 3
    assert said.code == 0 and said.out.count("removed ") == 3 and said.err.endswith(" bytes freed\n")
    assert not any(path.exists() for path in left)
    assert merx("state", "check").out == ""


@pytest.mark.parametrize("damage", ["random", "truncated", "empty", "gone", "flipped"])
def test_a_damaged_state_is_told_and_a_backup_takes_its_place(merx: Callable[..., Said], tmp_path: Path, damage: str):
    assert merx("state", "backup", "shop.tar").code == 0
    (tmp_path / ".merx/sandbox.db").write_bytes(b"another's")
    path = database(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "random":
        content[:] = random.Random(1).randbytes(len(content))
    elif damage == "truncated":
        del content[len(content) // 2 :]
    elif damage == "empty":
        content.clear()
    else:
        content[4096:] = bytes(one ^ 0xFF for one in content[4096:])
    path.write_bytes(content) if damage != "gone" else path.unlink()
    (tmp_path / "rules.merx").write_text("pricing {", encoding="utf-8")
    before = sorted((tmp_path / ".merx/snapshots").iterdir())

    refused(merx("state", "check"), "M800", "M805", "M813")
    refused(merx("state", "vacuum"), "M800", "M805", "M813")
    assert sorted((tmp_path / ".merx/snapshots").iterdir()) == before
    said = merx("state", "restore", "shop.tar")

    assert said.code == 0, said.err
    assert merx("state", "check").code == 0
    assert merx("snapshot", "list").out.count("products.csv") == 1
    assert (tmp_path / ".merx/sandbox.db").read_bytes() == b"another's"
    if damage != "gone":
        [former] = tmp_path.glob(".merx.before-restore-*")
        assert (former / "state.db").read_bytes()[:100] == bytes(content[:100])


def test_bytes_flipped_anywhere_are_no_traceback(merx: Callable[..., Said], tmp_path: Path):
    content = database(tmp_path).read_bytes()
    chance = random.Random(3)
    for _ in range(25):
        damaged = bytearray(content)
        for _ in range(20):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        database(tmp_path).write_bytes(damaged)
        for end in ("-wal", "-shm"):
            Path(f"{database(tmp_path)}{end}").unlink(missing_ok=True)

        said = merx("state", "check")

        assert said.code in (0, 1) and "Traceback" not in said.err


def test_a_state_of_a_newer_version_is_left_alone(merx: Callable[..., Said], tmp_path: Path):
    with contextlib.closing(sqlite3.connect(database(tmp_path))) as db, db:
        db.execute("insert into _sqlite_migrations (migration_set, name, applied_at) values ('merx', 'of_2031', '')")
    before = files(tmp_path)

    for arguments in (["state", "check"], ["state", "backup", "b.tar"], ["snapshot", "list"], ["snapshot", "pull"]):
        refused(merx(*arguments), "M801")

    assert files(tmp_path) == before


def test_a_clock_that_was_set_back_is_refused_until_it_is_accepted(
    merx: Callable[..., Said], tmp_path: Path, clock: FakeClock
):
    clock.moment -= datetime.timedelta(days=30)
    write(tmp_path, 20)

    refused(merx("snapshot", "pull"), "M806")
    refused(merx("state", "check"), "M806")
    assert merx("state", "check", "--accept-clock").code == 0
    assert merx("snapshot", "pull").code == 0


def test_a_place_that_cannot_be_written_is_told(merx: Callable[..., Said], tmp_path: Path):
    before = files(tmp_path)
    (tmp_path / "folder.tar").mkdir()

    refused(merx("state", "backup", "folder.tar"), "M803")
    refused(merx("state", "backup", "nowhere/b.tar"), "M803")
    assert files(tmp_path) == before
    shutil.rmtree(tmp_path / ".merx")
    (tmp_path / ".merx").write_text("a file", encoding="utf-8")
    for arguments in (["snapshot", "pull"], ["state", "check"], ["state", "restore", "b.tar"]):
        refused(merx(*arguments), "M803")


# --- other processes

HOLD = """
import sys, pathlib
from merx.engine.clock import SystemClock
from merx.engine.lock import locked
with locked(pathlib.Path(".merx"), "merx apply", SystemClock()):
    print("held", flush=True)
    sys.stdin.read()
"""
FULL = """
import resource, signal, sys
from merx.cli import run
from merx.engine import state
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
# No file grows beyond this, as on a full disk; the system would still say that there is room.
state._LITTLE = sys.maxsize
sys.exit(run(sys.argv[2:]))
"""


@contextlib.contextmanager
def process(folder: Path, program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", program, *arguments]
    started = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.communicate(timeout=10)


def test_another_process_is_named_and_holds_nothing_once_it_is_killed(merx: Callable[..., Said], tmp_path: Path):
    with process(tmp_path, HOLD) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        for arguments in (["snapshot", "pull"], ["state", "check"], ["state", "restore", "b.tar"]):
            said = merx(*arguments)
            refused(said, "M802")
            assert f"`merx apply` (process {holder.pid}, since " in said.err
        assert merx("snapshot", "list").code == 0
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        assert merx("snapshot", "pull").code == 0


RESTORE = """
import sys
from merx.cli import run
from merx.engine import backup
verify = backup._verify
def slow(*arguments):
    verify(*arguments)
    print("verified", flush=True)
    sys.stdin.readline()
backup._verify = slow
sys.exit(run(["state", "restore", "b.tar"]))
"""
WAIT = """
import filelock
from merx.cli import main
acquire = filelock.FileLock.acquire
def told(*arguments, **named):
    print("waiting", flush=True)
    return acquire(*arguments, **named)
filelock.FileLock.acquire = told
main()
"""


def test_whoever_waited_for_a_restore_writes_into_what_was_restored(merx: Callable[..., Said], tmp_path: Path):
    merx("state", "backup", "b.tar")
    (tmp_path / "other.csv").write_text("sku,price\nX,5\n", encoding="utf-8")
    with process(tmp_path, RESTORE) as restoring:
        assert restoring.stdout is not None and restoring.stdin is not None
        assert restoring.stdout.readline() == "verified\n"
        with process(tmp_path, WAIT, "snapshot", "import", "other.csv", "--wait", "60") as waiting:
            assert waiting.stdout is not None and waiting.stdout.readline() == "waiting\n"
            restoring.stdin.write("\n")
            restoring.stdin.flush()
            assert (restoring.wait(30), waiting.wait(30)) == (0, 0)

    assert "other.csv" in merx("snapshot", "list").out.splitlines()[1]
    # These processes had the system's clock.
    assert merx("state", "check", "--accept-clock").code == 0


@pytest.mark.parametrize("system", ["exchanges", "has no exchange", "has no links either"])
def test_a_restore_leaves_what_is_no_part_of_the_state(
    merx: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
):
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if system != "exchanges":
        monkeypatch.setattr("merx.engine.backup.exchanged", lambda one, other: False)
    if system == "has no links either":
        monkeypatch.setattr("os.link", no_links)
    merx("state", "backup", "b.tar")
    write(tmp_path, 20)
    merx("snapshot", "pull")
    (tmp_path / ".merx" / "sandbox.db").write_bytes(b"what a marketplace shows")

    assert merx("state", "restore", "b.tar").code == 0

    assert len(merx("snapshot", "list").out.splitlines()) == 2
    assert (tmp_path / ".merx" / "sandbox.db").read_bytes() == b"what a marketplace shows"
    [former] = tmp_path.glob(".merx.before-restore-*")
    assert {path.name for path in former.iterdir() if path.is_file()} <= {"state.db", "state.db-wal", "state.db-shm"}
    assert len(list((former / "snapshots").iterdir())) == 2
    assert merx("state", "check").code == 0


@pytest.mark.parametrize("arguments", [["snapshot", "pull"], ["state", "backup", "b.tar"]])
@pytest.mark.parametrize("limit", ["20000", "150000"])
def test_a_full_disk_is_told_and_nothing_is_lost(
    merx: Callable[..., Said], tmp_path: Path, arguments: list[str], limit: str
):
    write(tmp_path, 20, rows=50_000)
    if arguments[0] == "state":
        merx("snapshot", "pull")
    before = merx("snapshot", "list")

    with process(tmp_path, FULL, limit, *arguments) as running:
        _, err = running.communicate(timeout=60)

    refused(Said(running.returncode, "", err), "M804")
    assert merx("snapshot", "list") == before
    assert not (tmp_path / "b.tar").exists()
    assert merx("state", "check", "--accept-clock").code == 0


def test_a_backup_that_is_killed_leaves_the_state_and_the_last_backup_whole(merx: Callable[..., Said], tmp_path: Path):
    write(tmp_path, 20, rows=20_000)
    merx("snapshot", "pull")
    merx("state", "backup", "b.tar")
    chance = random.Random(5)
    for _ in range(3):
        with process(tmp_path, "from merx.cli import main; main()", "state", "backup", "b.tar") as running:
            time.sleep(chance.uniform(0.2, 0.9))
            running.kill()
        assert merx("state", "check").code == 0
    assert merx("state", "vacuum").code == 0
    assert merx("state", "check").out == ""
    assert merx("state", "restore", "b.tar").code == 0


# --- backups that are none


def made(path: Path, **members: bytes | str) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "snapshots/../../evil", "snapshots/a/b", "merx.toml", "lock"])
@pytest.mark.parametrize("content", [b"x", "/etc/passwd"])
def test_a_member_that_lies_elsewhere_is_refused(
    merx: Callable[..., Said], tmp_path: Path, name: str, content: bytes | str
):
    contents = f'{{"format": 1, "files": {{"{name}": "x"}}}}'.encode()
    made(tmp_path / "evil.tar", **{"contents.json": contents, name: content})
    before = files(tmp_path)

    said = merx("state", "restore", "evil.tar")

    refused(said, "M814")
    assert f"`{name}` does not belong into it" in said.err
    assert files(tmp_path) == before
    assert not [*tmp_path.parent.glob("evil"), *tmp_path.glob("evil"), *tmp_path.glob(".merx.*")]


def test_a_damaged_backup_changes_nothing(merx: Callable[..., Said], tmp_path: Path):
    merx("state", "backup", "b.tar")
    content = (tmp_path / "b.tar").read_bytes()
    before = files(tmp_path)
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for damaged in (b"", b"no tar", content[: len(content) // 2], content[:3000], bytes(flipped)):
        (tmp_path / "b.tar").write_bytes(damaged)
        refused(merx("state", "restore", "b.tar"), "M814")
        assert files(tmp_path) == before
    refused(merx("state", "restore", "none.tar"), "M814")


def test_an_interrupted_restore_is_told_and_can_be_repeated(merx: Callable[..., Said], tmp_path: Path):
    merx("state", "backup", "b.tar")
    (tmp_path / ".merx.restoring-1").mkdir()
    shutil.copytree(tmp_path / ".merx", tmp_path / ".merx.restoring-1/.merx")
    (tmp_path / ".merx").rename(tmp_path / ".merx.before-restore-x")

    refused(merx("snapshot", "pull"), "M815")
    assert not (tmp_path / ".merx").exists()
    assert merx("state", "restore", "b.tar").code == 0
    assert merx("state", "check").code == 0
    assert not (tmp_path / ".merx.restoring-1").exists()
