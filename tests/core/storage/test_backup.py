"""The good copy of a store: it is never damaged, rarely made, and restores the store after any damage."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.core.io.files import DamagedError
from nas.core.storage import backup
from nas.core.storage.backup import BackupSchedule, copy_of, open_verified, renew_copy
from nas.core.storage.base import TaskResult
from nas.core.storage.sqlite import SqliteStore


def fill(store: SqliteStore, start: int = 0, count: int = 300) -> None:
    with store.transaction():
        for i in range(start, start + count):
            store.record(TaskResult(f"key-{i}", {"x": i / 7}, None, 0.1))
            store.append_history(f"key-{i}")
            store.put(f"fact-{i}", "x" * 50)


def content(store: SqliteStore) -> list[Any]:
    return [list(store.history()), store.under(""), store.history_length()]


def damage_row(path: Path, statement: str) -> None:
    """Change a row without the store, like a flipped bit; SQLite itself does not notice it."""
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


ROWS = {
    "metrics": "UPDATE evaluations SET metrics = '{\"x\": 8.0}' WHERE key = 'key-5'",
    "seconds": "UPDATE evaluations SET seconds = 0.2 WHERE key = 'key-5'",
    "key": "UPDATE evaluations SET key = 'kez-5' WHERE key = 'key-5'",
    "order": "UPDATE history SET position = 900 WHERE position = 5",
    "fact": "UPDATE facts SET value = '\"y\"' WHERE key = 'fact-5'",
    "checksum": "UPDATE facts SET checksum = checksum + 1 WHERE key = 'fact-5'",
    "gone": "DELETE FROM evaluations WHERE key = 'key-5'",
}


@pytest.mark.parametrize("row", ROWS)
def test_a_changed_row_is_found_and_the_copy_taken(path: Path, row: str, caplog: pytest.LogCaptureFixture) -> None:
    with open_verified(path) as store:
        fill(store)
        renew_copy(store)
        expected = content(store)
    damage_row(path, ROWS[row])
    with SqliteStore(path) as store, pytest.raises(DamagedError, match="damaged") as caught:
        store.verify()
    assert str(path) in str(caught.value)
    with open_verified(path) as store:
        assert content(store) == expected
    (warning,) = caplog.records
    assert str(path) in warning.getMessage()
    assert "store.damaged-1.sqlite" in warning.getMessage()
    assert (path.parent / "store.damaged-1.sqlite").exists()


@pytest.mark.parametrize("row", ["metrics", "fact"])
def test_a_changed_row_is_found_when_it_is_read(path: Path, row: str) -> None:
    with SqliteStore(path) as store:
        fill(store)
    damage_row(path, ROWS[row])
    with SqliteStore(path) as store:
        with pytest.raises(DamagedError, match=r"row '(key|fact)-5'.*nas resume"):
            store.evaluation("key-5") if row == "metrics" else store.get("fact-5")
        with pytest.raises(DamagedError):
            list(store.history()) if row == "metrics" else store.under("fact")
        assert store.evaluation("key-6") is not None  # the other rows are whole


@pytest.mark.landing
def test_any_damage_to_the_file_comes_to_the_same_content(
    tmp_path: Path, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After flipped bits, truncations, overwritten parts or zeros anywhere, the file is replaced or has no damage."""
    with open_verified(path) as store:
        fill(store)
        renew_copy(store)
        expected = content(store)
    whole, copy = path.read_bytes(), copy_of(path).read_bytes()
    rng = random.Random(0)
    mended = 0
    for number in range(100):
        broken = bytearray(whole)
        place = rng.randrange(len(broken))
        if number % 4 == 0:
            del broken[place:]
        elif number % 4 == 1:
            broken[place : place + 300] = rng.randbytes(len(broken[place : place + 300]))
        else:
            broken[place] ^= 1 << rng.randrange(8)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / path.name).write_bytes(broken)
        (folder / copy_of(path).name).write_bytes(copy)
        with open_verified(folder / path.name) as store:
            assert content(store) == expected, number
        mended += (folder / "store.damaged-1.sqlite").exists()
    assert 30 < mended < 100  # a flipped bit in free space has no effect
    assert len(caplog.records) == mended


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b""), Path.unlink])
def test_an_empty_or_lost_store_is_no_new_one(
    path: Path, damage: Callable[[Path], Any], caplog: pytest.LogCaptureFixture
) -> None:
    with open_verified(path) as store:
        store.put("a", 1)
        renew_copy(store)
        store.put("a", 2)
    damage(path)
    with open_verified(path) as store:
        assert store.get("a") == 1
    assert len(caplog.records) == 1


def test_nobody_takes_an_empty_file_for_a_store(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(DamagedError, match="it is empty"):
        SqliteStore(path)
    assert path.read_bytes() == b""


def test_another_database_is_no_store(path: Path) -> None:
    damage_row(path, "CREATE TABLE evaluations (key TEXT PRIMARY KEY, metrics TEXT, reason TEXT, seconds REAL)")
    with pytest.raises(DamagedError, match="another version"):
        SqliteStore(path)


def test_the_log_of_a_lost_store_is_not_taken_for_that_of_the_copy(path: Path) -> None:
    with open_verified(path) as store:
        store.put("a", 1)
        renew_copy(store)
    with SqliteStore(path) as store:
        store.put("a", 2)
        log = path.with_name("store.sqlite-wal")
        kept = log.read_bytes()
    assert len(kept) > 0
    log.write_bytes(kept)
    path.unlink()
    with open_verified(path) as store:
        assert store.get("a") == 1
    assert (path.parent / "store.damaged-1.sqlite-wal").read_bytes() == kept


def test_without_any_good_copy_it_is_told(path: Path) -> None:
    with open_verified(path):
        pass
    path.write_bytes(b"")
    copy_of(path).write_bytes(copy_of(path).read_bytes()[:5000])
    with pytest.raises(DamagedError, match=r"so is its good copy store\.good\.sqlite"):
        open_verified(path)
    copy_of(path).unlink()
    with pytest.raises(DamagedError, match="has no good copy"):
        open_verified(path)
    assert path.exists()


def test_a_damaged_store_never_becomes_the_good_copy(path: Path) -> None:
    with open_verified(path) as store:
        fill(store)
        renew_copy(store)
        before = copy_of(path).read_bytes()
    damage_row(path, ROWS["metrics"])
    with SqliteStore(path) as store:
        fill(store, 300, 10)
        with pytest.raises(DamagedError, match="key-5"):
            renew_copy(store)
    assert copy_of(path).read_bytes() == before
    assert [name for name in path.parent.iterdir() if name.name.startswith(".")] == []


def test_a_copy_is_whole_while_others_write(path: Path) -> None:
    with open_verified(path) as store, SqliteStore(path) as other:
        fill(other)
        other.connection.execute("BEGIN IMMEDIATE")
        other.put("half", 1)
        renew_copy(store)
        other.connection.execute("ROLLBACK")
        expected = content(store)
    path.unlink()
    with open_verified(path) as store:
        assert content(store) == expected


def test_copies_take_a_small_share_of_the_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, made = [1000.0], []

    def keep(store: SqliteStore) -> None:
        made.append(clock[0])
        clock[0] += 8.0

    with SqliteStore(path) as store:
        monkeypatch.setattr(backup, "renew_copy", keep)
        monkeypatch.setattr(backup, "time", SimpleNamespace(monotonic=lambda: clock[0]))
        copies = BackupSchedule(store)
        for _ in range(20_000):
            clock[0] += 0.5
            copies.renew_if_due()
        assert 5 < len(made) == pytest.approx(20_000 * 0.5 / 800, abs=1)
        copies.end_of_stage()  # too early
        count = len(made)
        clock[0] += 801
        copies.end_of_stage()
        copies.end_of_stage()
        assert len(made) == count + 1


def test_no_room_for_a_copy_is_a_warning_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with open_verified(path) as store:
        before = copy_of(path).read_bytes()
        store.put("a", 1)
        monkeypatch.setattr(os, "replace", full)
        with caplog.at_level(logging.WARNING, "nas"):
            BackupSchedule(store).end_of_stage()
        assert "could not be renewed" in caplog.text
        assert copy_of(path).read_bytes() == before
        assert store.get("a") == 1


def test_a_store_appears_whole(path: Path) -> None:
    with SqliteStore(path):
        assert sorted(name.name for name in path.parent.iterdir()) == [
            "store.sqlite", "store.sqlite-shm", "store.sqlite-wal",
        ]  # fmt: skip
