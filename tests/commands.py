"""Run the real `nas` command in a process of its own, most of them forked from one that has imported it already."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryDirectory
from typing import IO, Any

TINY = (
    "executor.workers=1",  # a later `executor.workers=2` starts processes, which takes seconds
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
    "eval.attacks=fgsm,pgd3",
    "eval.sweep=[0.5,2]",
    "eval.sweep_attack=fgsm",
)
IDLE = ("scoring.", "strategy.", "search.", "train.steps", "train.validation_steps")  # in a standard training
TINY_TRAIN = tuple(text for text in TINY if not text.startswith(IDLE))

NOWHERE = Path(os.devnull)
SERVER = Path(__file__).with_name("fork_server.py")


@cache
def _server() -> subprocess.Popen[str]:
    """The server of this process; it ends with its standard input."""
    return subprocess.Popen([sys.executable, str(SERVER)], stdin=PIPE, text=True)


@contextmanager
def _started(arguments: tuple[str, ...], cwd: Path, out: Path, err: Path) -> Iterator[tuple[int, IO[str]]]:
    """The command's process, and where its exit code is to be read before the block ends."""
    with TemporaryDirectory() as folder:
        answers = Path(folder, "answers")
        os.mkfifo(answers)
        request = {"arguments": arguments, "cwd": str(cwd), "env": {**os.environ}, "out": str(out), "err": str(err)}
        server = _server().stdin
        assert server is not None
        server.write(json.dumps({**request, "answers": str(answers)}) + "\n")
        server.flush()
        with os.fdopen(os.open(answers, os.O_RDWR)) as read:  # so that this end can be opened before the other
            assert select.select([read], [], [], 200)[0], "the server that starts commands has died"
            yield int(read.readline()), read


def nas(*arguments: str, cwd: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        with _started(arguments, cwd, out, err) as (number, answer):
            late = threading.Timer(timeout, os.killpg, (number, signal.SIGKILL))
            late.start()
            code = int(answer.readline())
            late.cancel()
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


def nas_json(*arguments: str, cwd: Path) -> Any:
    """The JSON that a successful command prints; it must be the only thing on standard output."""
    done = nas(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def killed_when(
    condition: Callable[[], bool],
    *arguments: str,
    cwd: Path,
    with_signal: int = signal.SIGKILL,
    out: Path = NOWHERE,
    err: Path = NOWHERE,
) -> int:
    """Start the command, send it a signal as soon as `condition` holds, and return its exit code."""
    with _started(arguments, cwd, out, err) as (number, answer):
        end = time.monotonic() + 200
        while not condition():
            ended, _, _ = select.select([answer], [], [], 0.005)
            assert not ended, "the command ended before the moment to kill it"
            assert time.monotonic() < end, "the moment to kill the command never came"
        os.kill(number, with_signal)
        return int(answer.readline())


def without_seconds(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "seconds"}
