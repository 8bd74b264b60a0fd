"""A file is the old one or the new one, never half of one; errors of the system become one line."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from nas.core.errors import InputError
from nas.core.io.files import (
    ChangedError,
    DamagedError,
    os_errors_as_input_errors,
    put_aside,
    read_with_checksum,
    write_atomic,
    write_json,
    write_text,
    write_with_checksum,
)

ROOT = Path(__file__).resolve().parents[3]


def test_written_text_and_json_come_back(tmp_path: Path) -> None:
    write_text(tmp_path / "new/folder/a.txt", "ü\n")
    assert (tmp_path / "new/folder/a.txt").read_bytes() == "ü\n".encode()
    value = {"a": [1, 2.5, None], "ü": "x"}
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text()) == value
    write_json(tmp_path / "a.json", 3)
    assert (tmp_path / "a.json").read_text() == "3\n"


def test_numbers_that_are_no_json_leave_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert (tmp_path / "a.json").read_text() == "1\n"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_while_writing_leaves_the_old_file_and_no_other(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def half(file: BinaryIO) -> None:
        file.write(b"ne")
        raise error

    with pytest.raises(error):
        write_atomic(path, half)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_the_content_is_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(handle: int) -> None:
        done.append("fsync")
        fsync(handle)

    def watched_replace(source: str, target: Path) -> None:
        done.append(Path(source).read_text())
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_text(tmp_path / "a", "whole")
    assert done == ["fsync", "whole"]


LOOP = """
import sys
from pathlib import Path
from nas.core.io.files import write_json
print("ready", flush=True)
n = 0
while True:
    write_json(Path(sys.argv[1]), {"n": n, "filler": ["x" * 1000] * 300, "end": n})
    n += 1
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"n": -1, "filler": [], "end": -1})
    last = []
    for wait in (0.02, 0.05, 0.08, 0.11, 0.14):
        writer = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        for _ in range(5):  # the file is whole at every moment, also while it is written
            value = json.loads(path.read_text())
            assert value["n"] == value["end"]
            time.sleep(wait / 5)
        writer.send_signal(signal.SIGKILL)
        assert writer.wait(10) == -signal.SIGKILL
        value = json.loads(path.read_text())
        assert value["n"] == value["end"]
        last.append(value["n"])
    assert max(last) > 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="the disk is full; free some space") as caught:
        write_text(path, "new")
    assert str(path) in str(caught.value)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_read_only_folder_is_told(tmp_path: Path, number: int) -> None:
    with pytest.raises(InputError, match="read-only; make it writable") as caught, os_errors_as_input_errors(tmp_path):
        raise OSError(number, os.strerror(number))
    assert str(tmp_path) in str(caught.value)


def test_a_real_read_only_folder_is_told(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="read-only; make it writable"):
        write_text(tmp_path / "a", "x")


def test_a_path_through_a_file_or_onto_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/inside").write_text("")
    for bad in (tmp_path / "file/a", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match="choose another path"):
            write_text(bad, "x")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="bus") as caught, os_errors_as_input_errors(tmp_path):
        raise OSError(errno.EIO, "bus")
    assert not isinstance(caught.value, InputError)


# checksums


def test_a_signed_file_is_plain_json_with_a_checksum_beside_it(tmp_path: Path) -> None:
    path, value = tmp_path / "a.json", {"a": [1, 2.5, None], "ü": "x"}
    write_with_checksum(path, value)
    assert json.loads(path.read_text()) == value
    assert read_with_checksum(path) == value
    done = subprocess.run(
        ["sha256sum", "-c", "a.json.sha256"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    write_with_checksum(path, 3)
    assert read_with_checksum(path) == 3


def test_any_change_of_a_signed_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_with_checksum(path, {"budget": 12})
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DamagedError, match="Expected") as caught:
            read_with_checksum(path)
        assert str(path) in str(caught.value)
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(DamagedError):
            read_with_checksum(path)
    path.write_bytes(content.replace(b"12", b"13"))
    with pytest.raises(ChangedError, match="does not match its checksum"):
        read_with_checksum(path)


def test_a_damaged_checksum_is_told_and_none_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_with_checksum(path, 1)
    beside = tmp_path / "a.json.sha256"
    beside.write_bytes(b"\xff" + beside.read_bytes()[1:])
    with pytest.raises(ChangedError):
        read_with_checksum(path)
    beside.unlink()
    assert read_with_checksum(path) == 1
    with pytest.raises(FileNotFoundError):
        read_with_checksum(tmp_path / "b.json")


def test_damaged_files_are_put_aside_under_free_names(tmp_path: Path) -> None:
    path, log = tmp_path / "store.sqlite", tmp_path / "store.sqlite-wal"
    for number in (1, 2):
        path.write_text(f"store {number}")
        if number == 2:
            log.write_text("log 2")
        assert put_aside(path, log) == tmp_path / f"store.damaged-{number}.sqlite"
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "store.damaged-1.sqlite": "store 1",
        "store.damaged-2.sqlite": "store 2",
        "store.damaged-2.sqlite-wal": "log 2",
    }


def test_what_was_there_is_the_previous_one(tmp_path: Path) -> None:
    path, previous = tmp_path / "a", tmp_path / "b"
    for text in ("1", "2", "3"):
        write_atomic(path, lambda file, text=text: file.write(text.encode()), previous)  # type: ignore[misc]
    assert (path.read_text(), previous.read_text()) == ("3", "2")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
