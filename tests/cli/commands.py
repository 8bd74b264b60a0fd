"""Run the real `nas` command in a process of its own, most of them forked from one that has imported it already."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TINY = (
    "data.size=8",
    "data.name=npz",  # with data.root=...: see the fixture `few_digits`
    "model.channels=4",
    "scoring.channels=4",
    "strategy.population=6",
    "strategy.tournament=3",
    "search.budget=12",
    "search.ask=4",
    "train.epochs=2",
    "train.batch_size=64",
    "train.steps=2",
    "train.validation_steps=2",
    "eval.n_test=8",
    "eval.batch_size=4",
    "eval.attacks=fgsm,pgd3,autoattack",
    "eval.sweep=[0.5,2]",
    "eval.sweep_attack=fgsm",
)


SERVER = Path(__file__).with_name("fork_server.py")


@cache
def _server() -> subprocess.Popen[str]:
    """One per process that runs tests; it ends with its standard input."""
    return subprocess.Popen([sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def nas(*arguments: str, cwd: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        request = {"arguments": arguments, "cwd": str(cwd), "env": {**os.environ}, "out": str(out), "err": str(err)}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        number = int(server.stdout.readline())
        late = threading.Timer(timeout, os.killpg, (number, signal.SIGKILL))
        late.start()
        code = int(server.stdout.readline())
        late.cancel()
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


def nas_json(*arguments: str, cwd: Path) -> Any:
    """The JSON that a successful command prints; it must be the only thing on standard output."""
    done = nas(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def killed_when(condition: Callable[[], bool], *arguments: str, cwd: Path, with_signal: int = signal.SIGKILL) -> int:
    """Start the command, send it a signal as soon as `condition` holds, and return its exit code."""
    with subprocess.Popen(
        [sys.executable, "-m", "nas", *arguments],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        end = time.monotonic() + 200
        while not condition():
            assert process.poll() is None, "the command ended before the moment to kill it"
            assert time.monotonic() < end, "the moment to kill the command never came"
            time.sleep(0.005)
        os.kill(process.pid, with_signal)
        return process.wait(30)


def without_seconds(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "seconds"}
