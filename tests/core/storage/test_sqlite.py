"""The rows of a store stay whole through kills, with several writers, and after damage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas.core.errors import InputError
from nas.core.storage.base import TaskResult
from nas.core.storage.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[3]


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start another process that runs `script`."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_what_was_written_is_there_when_the_file_is_opened_again(path: Path) -> None:
    good = TaskResult("a|b~0|", {"croze": 1.5, "params": 3.0}, None, 0.25)
    bad = TaskResult("b", None, "ValueError: no", 1.0)
    with SqliteStore(path) as store:
        for evaluation in (good, bad):
            store.record(evaluation)
            store.append_history(evaluation.key)
        store.put("fact", [1, None])
    with SqliteStore(path) as store:
        assert list(store.history()) == [good, bad]
        assert store.get("fact") == [1, None]


def test_the_history_is_in_the_order_of_its_positions_and_goes_on_behind_the_last(path: Path) -> None:
    with SqliteStore(path) as store:
        for key in "dcab":
            store.record(TaskResult(key, {"x": 1.0}, None, 0.0))
        for position, key in ((2, "a"), (0, "d"), (1, "c")):
            store._write("INSERT", "history", position, key)
        store.append_history("b")
        assert [evaluation.key for evaluation in store.history()] == ["d", "c", "a", "b"]
        assert list(store._rows("history", "WHERE key = ?", "b")) == [(3, "b")]


def test_a_transaction_that_fails_leaves_nothing(path: Path) -> None:
    with SqliteStore(path) as store:
        store.put("kept", 1)

        def fail() -> None:
            with store.transaction():
                store.put("kept", 2)
                store.record(TaskResult("a", None, "r", 0.0))
                store.append_history("a")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()
        assert store.get("kept") == 1
        assert store.evaluation("a") is None
        assert store.history_length() == 0
        with store.transaction():  # the next transaction works
            store.put("kept", 3)
    with SqliteStore(path) as store:
        assert store.get("kept") == 3


def test_others_see_a_transaction_at_its_end_only(path: Path) -> None:
    with SqliteStore(path) as store, SqliteStore(path) as other:
        with store.transaction():
            store.put("a", 1)
            assert store.get("a") == 1
            assert other.get("a") is None
        assert other.get("a") == 1


def test_facts_are_any_json(path: Path) -> None:
    value = {"list": [1, 2.5, None, True, "ü\n"], "deep": {"x": []}}
    with SqliteStore(path) as store:
        assert store.get("a", "default") == "default"
        store.put("a", value)
        store.put("none", None)
        assert store.get("a") == value
        assert store.get("none", 5) is None


def test_under_takes_the_prefix_literally(path: Path) -> None:
    keys = ["a%/x", "a_/x", "ab/x", "a%/", "a%", "A%/x", "a%/ü", "é/1", "a'/x", "a\\/x", ""]
    with SqliteStore(path) as store:
        for number, key in enumerate(keys):
            store.put(key, number)
        for prefix in ["a%/", "a_", "a", "é/", "a'", "a\\", "", "nothing", "*", "a?"]:
            expected = {key[len(prefix) :]: n for n, key in enumerate(keys) if key.startswith(prefix)}
            assert store.under(prefix) == expected, prefix


def test_seconds_add_up_over_sessions(path: Path) -> None:
    for seconds in (1.5, 2.25, 0.0):
        with SqliteStore(path) as store:
            store.add_seconds("search", seconds)
            store.add_seconds("train", 1.0)
    with SqliteStore(path) as store:
        assert store.under("seconds/") == {"search": 3.75, "train": 3.0}


ADDS = """
import sys
from pathlib import Path
from nas.core.storage.base import TaskResult
from nas.core.storage.sqlite import SqliteStore
path, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.read(0)
with SqliteStore(path) as store:
    for i in range(60):
        store.add_seconds("shared", 1.0)
        store.record(TaskResult(f"{name}-{i}", {"x": float(i)}, None, 0.0))
"""


def test_several_processes_write_at_once(path: Path) -> None:
    writers = [start(ADDS, path, name) for name in "abcd"]
    assert [writer.communicate(timeout=60) and writer.returncode for writer in writers] == [0] * 4
    with SqliteStore(path) as store:
        assert store.get("seconds/shared") == 240.0  # no addition is lost
        for name in "abcd":
            for i in range(60):
                assert store.evaluation(f"{name}-{i}") == TaskResult(f"{name}-{i}", {"x": i}, None, 0.0)


PAIRS = """
import sys
from pathlib import Path
from nas.core.storage.base import TaskResult
from nas.core.storage.sqlite import SqliteStore
with SqliteStore(Path(sys.argv[1])) as store:
    n = store.history_length()
    print("ready", flush=True)
    while True:
        with store.transaction():
            store.record(TaskResult(f"k{n}", {"x": float(n), "text": 1.0}, None, 0.5))
            store.put("count", n + 1)
            store.put("big", "x" * 20000)
            store.append_history(f"k{n}")
        n += 1
"""


@pytest.mark.landing
def test_a_killed_writer_leaves_whole_transactions_only(path: Path) -> None:
    counts = []
    for wait in (0.05, 0.11, 0.17, 0.23):
        writer = start(PAIRS, path)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(wait)
        writer.send_signal(signal.SIGKILL)
        assert writer.wait(10) == -signal.SIGKILL
        with SqliteStore(path) as store:
            n = store.history_length()
            assert store.get("count") == n
            told = list(store.history())
            assert told == [TaskResult(f"k{i}", {"x": i, "text": 1.0}, None, 0.5) for i in range(n)]
            assert store.evaluation(f"k{n}") is None
        counts.append(n)
    assert 0 < counts[0] < counts[1] < counts[2] < counts[3]


def test_a_kill_inside_a_transaction_rolls_it_back(path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from nas.core.storage.sqlite import SqliteStore
with SqliteStore(Path(sys.argv[1])) as store:
    store.put("a", 1)
    with store.transaction():
        store.put("a", 2)
        store.put("b", "x" * 10_000_000)
        os.kill(os.getpid(), signal.SIGKILL)
"""
    assert start(script, path).wait(30) == -signal.SIGKILL
    with SqliteStore(path) as store:
        assert store.under("") == {"a": 1}
        store.put("c", 3)  # the lock of the killed process is gone


def fill(path: Path) -> None:
    with SqliteStore(path) as store, store.transaction():
        for i in range(2000):
            store.record(TaskResult(f"key-{i}", {"x": 1.0}, None, 0.0))
            store.append_history(f"key-{i}")
            store.put(f"fact-{i}", "x" * 50)


@pytest.mark.parametrize("damage", ["text", "header", "middle", "truncated"])
def test_damage_is_told_with_the_file(path: Path, damage: str) -> None:
    fill(path)
    content = path.read_bytes()
    assert len(content) > 100_000
    if damage == "text":
        path.write_text("this is no data base, " * 100)
    elif damage == "header":
        path.write_bytes(b"\xff" * 100 + content[100:])
    elif damage == "middle":  # is found when rows are read, not when the file is opened
        path.write_bytes(content[:20480] + b"\xff" * (len(content) - 20480))
    else:
        path.write_bytes(content[: len(content) // 2])

    def read() -> None:
        with SqliteStore(path) as store:
            for _ in store.history():
                pass
            for i in range(2000):
                store.evaluation(f"key-{i}")
            store.under("")

    with pytest.raises(InputError, match="damaged") as caught:
        read()
    assert str(path) in str(caught.value)
    assert f"`nas resume {path.parent}`" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_place_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    for bad in (tmp_path, tmp_path / "missing/store.sqlite"):
        with pytest.raises(InputError, match="Expected to write") as caught:
            SqliteStore(bad)
        assert str(bad) in str(caught.value)


def test_a_full_disk_is_told(path: Path) -> None:
    with SqliteStore(path) as store:
        store.put("a", 1)
        store.connection.execute("PRAGMA max_page_count=8")
        with pytest.raises(InputError, match="the disk is full"):
            store.put("b", "x" * 1_000_000)
        assert store.get("a") == 1
