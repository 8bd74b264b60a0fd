"""Runs tests in forks of one process that has imported the libraries, but nothing of the project or its tests.

Started as `python tests/mutating/server.py LIBRARY ...` in a copy of the project. It reads a line of JSON per request
and answers with a line: `measure` a test file, `judge` whether test files pass, `import` a module. It computes nothing
itself and so starts no threads, which a fork would lose.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import io
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn

LONGEST = 600.0  # seconds that a test may take without a mutation
BETWEEN = 120.0  # seconds that may pass before the first test and between two tests
TIMES_SLOWER = 10.0  # with a mutation, a test may take this many times as long, and some seconds more
MEMORY = 8 * 2**30  # bytes of data that a process under test may ask for
STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec")  # audit events
UNAUDITED_START = "spawnv_passfds"  # the function with which multiprocessing starts a new interpreter
OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow", "--no-header", "--tb=no"]

sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

import pytest  # noqa: E402 - after the folder of this file has left the path


class Reporter:
    """Sends the outcome of each test; runs the tests of each file in the order of their duration.

    `seconds`: the durations of the tests to run, by their ids; None for all tests in the order of their files.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], seconds: Mapping[str, float] | None) -> None:
        self.send, self.seconds = send, seconds
        self.started = 0.0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if (seconds := self.seconds) is not None:
            files = list(dict.fromkeys(item.nodeid.split("::")[0] for item in items))
            known = [item for item in items if item.nodeid in seconds]
            known.sort(key=lambda item: (files.index(item.nodeid.split("::")[0]), seconds[item.nodeid]))
            items[:] = known

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.started = time.monotonic()
        self.send({"started": nodeid})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.send({"failed": report.nodeid})
        elif report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
            self.send({"passed": report.nodeid})

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.send({"finished": nodeid, "seconds": time.monotonic() - self.started})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.send({"uncollected": report.nodeid})


class Tracer:
    """Records which functions of the project are called, and whether processes are started.

    Python stops tracing if the stack overflows in a call of the tracer, so each test starts it again.
    """

    def __init__(self, root: Path) -> None:
        self.root = f"{root}{os.sep}"
        self.seen: set[CodeType] = set()
        self.processes = False
        sys.addaudithook(self._audit)

    def start(self) -> None:
        """Trace all threads from now on, also while another tracer is set (AutoAttack sets one) and afterwards."""
        import threading

        threading.settrace(self)
        self._trace = sys.settrace
        sys.settrace = self._besides
        sys.settrace(None)

    def stop(self) -> None:
        """Stop tracing; other tracers can be set as usual."""
        sys.settrace = self._trace
        sys.settrace(None)

    def _besides(self, other: Any) -> None:
        def both(*call: Any) -> Any:
            self(*call)
            return other(*call)

        self._trace(self if other in (None, self) else both)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        sys.settrace(None)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in STARTS:
            self.processes = True

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        self.seen.add(frame.f_code)

    def found(self) -> dict[str, Any]:
        """The recorded functions, by file and first line, and whether processes were started."""
        functions = [code for code in self.seen if code.co_flags & inspect.CO_OPTIMIZED]  # no modules, no classes
        own = [code for code in functions if code.co_filename.startswith(self.root)]
        called = {(code.co_filename[len(self.root) :], code.co_firstlineno) for code in own}
        started = self.processes or any(code.co_name == UNAUDITED_START for code in functions)
        return {"called": sorted(called), "processes": started}


def _run(files: list[str], seconds: Mapping[str, float] | None, options: list[str], send: Any, *plugins: Any) -> int:
    return int(pytest.main([*OPTIONS, *options, *files], plugins=[Reporter(send, seconds), *plugins]))


def _fork(work: Callable[[Callable[[dict[str, Any]], None]], int]) -> tuple[int, Any]:
    """Start `work` in a process group of its own; returns its process number and the file to read its messages from."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(work, writing)
    os.close(writing)
    return child, os.fdopen(reading, "rb", buffering=0)


def _child(work: Callable[[Callable[[dict[str, Any]], None]], int], writing: int) -> NoReturn:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    sys.path.insert(0, os.getcwd())

    def send(message: dict[str, Any]) -> None:
        os.write(writing, json.dumps(message).encode() + b"\n")

    code = 1
    try:
        code = work(send)
    finally:
        send({"code": code})  # the end of the pipe says nothing: processes that the tests left may hold it open
        os._exit(code)


def _watch(child: int, messages: Any, limit: Callable[[str], float]) -> tuple[list[dict[str, Any]], int | None]:
    """The messages of a process and its exit code; None if a test exceeded its `limit`, which ends the process."""
    found: list[dict[str, Any]] = []
    buffer, until = b"", time.monotonic() + limit("")
    code: int | None = None
    with messages:
        while select.select([messages], [], [], max(0.0, until - time.monotonic()))[0]:
            if not (more := messages.read(65536)):
                code = 1  # it crashed
            *lines, buffer = (buffer + more).split(b"\n")
            for message in map(json.loads, lines):
                found.append(message)
                if "started" in message or "finished" in message:
                    until = time.monotonic() + limit(message.get("started", ""))
                code = message.get("code", code)
            if code is not None:
                break
        with contextlib.suppress(ProcessLookupError):  # the group includes processes that the tests left running
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return found, code


def _measure(root: Path, file: str) -> dict[str, Any]:
    """Run a test file twice: first to record its calls, then to measure the seconds, with the fastest tests first."""

    def traced(send: Callable[[dict[str, Any]], None]) -> int:
        tracer = Tracer(root)
        tracer.start()
        code = _run([file], None, ["--maxfail=0"], send, tracer)
        tracer.stop()
        for number in range(0, len(found := tracer.found()["called"]), 200):  # a longer line may not fit into the pipe
            send({"called": found[number : number + 200]})
        send({"processes": tracer.found()["processes"]})
        return code

    first, _ = _watch(*_fork(traced), limit=lambda test: LONGEST)
    seconds = _seconds(first)
    second, _ = _watch(*_fork(lambda send: _run([file], seconds, ["--maxfail=0"], send)), limit=lambda test: LONGEST)
    failed = {message["failed"] for message in [*first, *second] if "failed" in message}
    failed |= {message["uncollected"] for message in first if "uncollected" in message}
    return {
        "seconds": {test: value for test, value in _seconds(second).items() if test not in failed},
        "failed": sorted(failed),
        "called": [call for message in first for call in message.get("called", [])],
        "processes": any(message.get("processes", False) for message in first),
    }


def _seconds(messages: list[dict[str, Any]]) -> dict[str, float]:
    passed = {message["passed"] for message in messages if "passed" in message}
    return {m["finished"]: m["seconds"] for m in messages if m.get("finished") in passed}


def _judge(files: list[str], seconds: dict[str, float], extra_seconds: float) -> dict[str, Any]:
    """Whether the tests pass: `survived`, `killed` or `timeout`, and the test that did not pass."""

    def limit(test: str) -> float:
        return extra_seconds + TIMES_SLOWER * seconds[test] if test else BETWEEN

    messages, code = _watch(*_fork(lambda send: _run(files, seconds, [], send)), limit)
    for message in messages:
        if "failed" in message or "uncollected" in message:
            test = message.get("failed", message.get("uncollected"))
            return {"outcome": "killed", "test": test, "collected": "failed" in message}
    started = [message["started"] for message in messages if "started" in message]
    last = started[-1] if started else ""
    if code == 0:
        return {"outcome": "survived", "test": "", "collected": True}
    return {"outcome": "timeout" if code is None else "killed", "test": last, "collected": bool(started)}


def _import(module: str) -> dict[str, Any]:
    def work(send: Callable[[dict[str, Any]], None]) -> int:
        importlib.import_module(module)
        return 0

    return {"imported": _watch(*_fork(work), limit=lambda test: LONGEST)[1] == 0}


def _serve() -> None:
    for name in sys.argv[1:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--markers", "--noconftest", "-c", os.devnull])  # imports the plugins, nothing of the project
    gc.collect()
    gc.freeze()  # garbage collection in the forks skips what is imported now
    root = Path.cwd().resolve()
    for line in sys.stdin:
        request = json.loads(line)
        sys.dont_write_bytecode = request["action"] != "measure"  # bytecode of mutated files must not be kept
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1" if sys.dont_write_bytecode else ""
        if request["action"] == "measure":
            answer = _measure(root, request["file"])
        elif request["action"] == "judge":
            answer = _judge(request["files"], request["seconds"], request["extra_seconds"])
        else:
            answer = _import(request["module"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve()
