"""One process at a time locks a file, until this process releases it or ends in any way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.core.data import cache
from nas.core.errors import InputError
from nas.core.io import locks
from nas.core.io.locks import try_lock
from nas.runs.run_folder import create, reopen
from nas.scoring.rows import RowFile
from nas.settings.schema import load

ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import sys
from nas.core.io.locks import try_lock
file = open(sys.argv[1], "r+b")
print(try_lock(file), flush=True)
sys.stdin.read()
"""


def holding(path: Path) -> subprocess.Popen[str]:
    """Another process, which has the lock until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


@pytest.fixture
def other() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    processes = []

    def start(path: Path) -> subprocess.Popen[str]:
        processes.append(holding(path))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait(10)


def free(path: Path) -> bool:
    with path.open("r+b") as file:
        return try_lock(file)


Other = Callable[[Path], subprocess.Popen[str]]


@pytest.mark.parametrize("number", [None, signal.SIGKILL])
def test_the_lock_goes_with_the_process_that_has_it(number: int | None, tmp_path: Path, other: Other) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    process = other(path)
    assert not free(path)
    if number is None:
        process.communicate()
    else:
        process.send_signal(number)
        process.wait(10)
    assert free(path)
    assert path.read_bytes() == b"content"
    assert os.listdir(tmp_path) == ["file"]


def test_the_end_of_a_forked_child_does_not_release_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with path.open("r+b") as file:
        assert try_lock(file)
        child = os.fork()
        if child == 0:
            file.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert not free(path)
    assert free(path)


def test_a_started_process_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with path.open("r+b") as file:
        assert try_lock(file)
        child = subprocess.Popen(
            [sys.executable, "-c", "print(flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
    assert free(path)
    child.communicate(b"\n")


def test_where_the_disk_knows_no_locks_it_is_not_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_locks(descriptor: int, blocking: bool) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "lock_descriptor", without_locks)
    (tmp_path / "file").touch()
    assert not free(tmp_path / "file")


def test_a_run_is_of_one_process(tmp_path: Path, other: Other) -> None:
    folder = tmp_path / "run"
    with create("run", load("quickstart", [f"run.dir={folder}"])):
        assert not free(folder / "lock")
    process = other(folder / "lock")
    with pytest.raises(InputError, match=rf"^Expected {folder} to be free but another process works on it; "):
        reopen(folder).__enter__()
    process.kill()
    process.wait(10)
    with reopen(folder):
        assert not free(folder / "lock")


def test_a_file_of_scores_is_of_one_process(tmp_path: Path, other: Other) -> None:
    path = tmp_path / "scores.csv"
    settings: dict[str, Any] = {"device": "cpu"}
    with RowFile(path, ["params"], settings) as file:
        file.begin()
        assert not free(path)
    other(path)
    with pytest.raises(InputError, match=rf"^Expected {path} to be free but another process writes to it; "):
        RowFile(path, ["params"], settings)


def test_who_wants_to_keep_the_same_images_waits(tmp_path: Path, other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "images"
    path.touch()
    process = other(path)
    seen = []
    monkeypatch.setattr(cache.log, "info", lambda text, name: (seen.append(text % name), process.kill()))
    with cache._exclusive(path) as file:
        assert seen == [f"Waiting for another process that writes {path}."]
        assert os.path.samestat(os.fstat(file.fileno()), path.stat())
        assert not free(path)
