"""Workers of this machine start from a module of the project, never from the caller's program."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from nas.core.errors import InputError
from nas.core.execution import local_pool
from nas.core.execution.executor import Executor
from nas.core.execution.local_pool import LocalPool

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
with open("executed", "a") as file:
    file.write(__name__ + " ")
import multiprocessing, sys
from nas.core.execution import local_pool
from nas.core.execution.executor import Executor
if "spawn" in sys.argv:  # as where there is no fork server
    local_pool._context = lambda: multiprocessing.get_context("spawn")
with Executor(abs, workers=2, threads=1) as executor:
    print(sorted(done.result for done in executor.map(enumerate([-1, -2, 3]))))
"""


@pytest.mark.landing
@pytest.mark.parametrize("way", ["file", "spawn", "module", "input"])
def test_a_program_without_a_main_guard_is_executed_once(way: str, tmp_path: Path) -> None:
    (tmp_path / "unguarded.py").write_text(SCRIPT)
    words = {"module": ["-m", "unguarded"], "input": ["-"]}.get(way, ["unguarded.py", way])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *words]
    done = subprocess.run(command, input=SCRIPT, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[1, 2, 3]\n", 0), done.stderr
    assert (tmp_path / "executed").read_text() == "__main__ "


def test_only_the_thread_that_starts_a_worker_does_not_send_the_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = multiprocessing.spawn.get_preparation_data
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=None, __file__="/a/program.py"))
    elsewhere = []
    with local_pool._main_not_sent():
        here = multiprocessing.spawn.get_preparation_data("name")
        thread = threading.Thread(target=lambda: elsewhere.append(multiprocessing.spawn.get_preparation_data("name")))
        thread.start()
        thread.join()
    assert "init_main_from_path" not in here
    assert "sys_path" in here
    assert elsewhere[0]["init_main_from_path"] == "/a/program.py"
    assert multiprocessing.spawn.get_preparation_data is usual


def test_a_worker_process_starts_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a module that workers import calls a search at its top level."""
    monkeypatch.setattr(multiprocessing, "current_process", lambda: SimpleNamespace(daemon=True))
    with pytest.raises(InputError, match="Expected several workers only outside of worker processes"):
        LocalPool(abs, 1)  # type: ignore[arg-type]


@pytest.mark.landing
def test_work_that_cannot_be_imported_is_refused_before_a_worker_starts() -> None:
    with Executor(lambda item: item, workers=2, threads=1) as executor, pytest.raises(InputError, match="lambda"):
        list(executor.map([(1, 1)]))
    with Executor(len, workers=2, threads=1) as executor, pytest.raises(InputError, match="lambda"):
        list(executor.map([(1, [lambda: 0])]))  # type: ignore[list-item]
