"""Runs `nas` commands in forks of one process that has imported everything: real processes without time for imports.

The server (this file, as a script) reads a line of JSON per command and forks twice: a supervisor that waits for the
command, and the command itself, in a process group and session of its own. The server computes nothing and so has no
threads, which a fork would lose.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from injected import inject

from nas.core.errors import NasError
from nas.eval.attacks import library
from nas.search_spaces import SPACES

IMPORTED = (
    *(
        "nas.cli.main",
        "nas.searches.search_stage",
        "nas.runs.stages.transfer",
        "nas.report",
        "matplotlib.pyplot",
        "pyautoattack",
    ),
    *("scipy.stats", "sklearn.datasets", "sklearn.ensemble", "torch.utils.tensorboard"),
    "torch._dynamo",  # otherwise imported when an optimiser is made
)
POLL_SECONDS = 0.005  # between two checks of a condition
TIME_LIMIT = 600.0  # seconds after which a command counts as hung


class Ended(NamedTuple):
    """The exit code (minus the signal's number if a signal ended the command) and what was printed."""

    code: int
    out: str
    err: str


class Command:
    """A running command; its supervisor writes the process number, output and exit code into the folder `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.pid = int(_awaited(place / "pid", TIME_LIMIT))

    @property
    def ended(self) -> bool:
        return (self.place / "code").exists()

    def wait(self, time_limit: float = TIME_LIMIT) -> Ended:
        """Wait for the command to end. If it hangs, its process group is killed and `NasError` is raised."""
        try:
            code = int(_awaited(self.place / "code", time_limit))
        except NasError:
            self.kill()
            raise
        return Ended(code, _text(self.place / "out"), _text(self.place / "err"))

    def until(
        self, condition: Callable[[], bool], time_limit: float = TIME_LIMIT, poll_seconds: float = POLL_SECONDS
    ) -> bool:
        """Wait for `condition`; returns whether it became true before the command ended."""
        end = time.monotonic() + time_limit
        while not condition():
            if self.ended or time.monotonic() > end:
                return False
            time.sleep(poll_seconds)
        return not self.ended

    def send(self, number: int, whole_group: bool = False) -> None:
        """Send a signal to the command, or to all of its processes; nothing happens if none is left."""
        try:
            (os.killpg if whole_group else os.kill)(self.pid, number)
        except ProcessLookupError:
            return

    def kill(self) -> None:
        self.send(signal.SIGKILL, whole_group=True)

    def workers(self) -> list[int]:
        """The numbers of the worker processes, which are forks of a server that the command started for them."""
        parents: dict[int, int] = {}
        servers = set()
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                number, parent = int(status.parent.name), int(status.read_text().rpartition(")")[2].split()[1])
                serves = b"multiprocessing.forkserver" in status.with_name("cmdline").read_bytes()
            except (OSError, ValueError, IndexError):
                continue
            parents[number] = parent
            if serves and parent == self.pid:
                servers.add(number)
        return sorted(number for number, parent in parents.items() if parent in servers)


class Forks:
    """The server of commands, as a context manager; leaving the block ends the server."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.count = 0

    def __enter__(self) -> Forks:
        self.place.mkdir(parents=True, exist_ok=True)
        self.server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        return self

    def __exit__(self, *error: object) -> None:
        self.server.kill()
        self.server.wait()

    def start(self, arguments: Sequence[str], cwd: Path, inject: dict[str, Any] | None = None) -> Command:
        """Start `nas ARGUMENTS` in the folder `cwd`; `inject` names faults of `injected.py` and their values."""
        assert self.server.stdin is not None
        self.count += 1
        place = self.place / f"{self.count:05d}"
        place.mkdir()
        request = {"arguments": list(arguments), "cwd": str(cwd), "place": str(place), "inject": inject or {}}
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return Command(place)


def _awaited(path: Path, time_limit: float) -> str:
    end = time.monotonic() + time_limit
    while not path.exists():
        if time.monotonic() > end:
            raise NasError(
                f"Expected {path.name} of a command within {time_limit:g} seconds but it hangs; see {path.parent}."
            )
        time.sleep(POLL_SECONDS)
    return path.read_text()


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _write_note(path: Path, text: str) -> None:
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)


def _supervise(request: dict[str, Any]) -> NoReturn:
    """Start the command; write its process number and, at its end, its exit code into files."""
    os.setsid()
    place = Path(request["place"])
    child = os.fork()
    if child == 0:
        _execute(request, place)
    os.close(0)
    _write_note(place / "pid", str(child))
    _, status = os.waitpid(child, 0)
    _write_note(place / "code", str(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _execute(request: dict[str, Any], place: Path) -> NoReturn:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor, path in ((0, Path(os.devnull)), (1, place / "out"), (2, place / "err")):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), descriptor)
    os.chdir(request["cwd"])
    inject(request["inject"])
    sys.argv = ["nas", *request["arguments"]]
    try:
        runpy.run_module("nas", run_name="__main__")  # ends the process by itself
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _serve() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    library.torchattacks()  # imports it if it is installed
    classes = SPACES.get("nasbench201")()
    classes.canonical(classes.largest())  # a table of all classes, made once per process
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors that have ended leave no zombies
    for line in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _supervise(json.loads(line))


if __name__ == "__main__":
    _serve()
