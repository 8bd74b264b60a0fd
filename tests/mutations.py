"""python tests/mutations.py --seed 1 --number 100: would the tests of a file notice a mistake in it?

The script draws mutations of the code by a seed, each a small change in one place of a file, and runs the tests of that
file on it. A mutation that passes all of them survives: it is a mistake that no test of the file notices.
`mutating.drawing` says what is drawn and how folders and operators are balanced, `mutating.operators` what is changed,
`mutating.selection` which tests run for a file.

It works on copies of a commit, never on the checkout. Each worker has a copy and a process that has imported the
libraries and runs the tests of every mutation in a fork of itself. Before the first mutation, each test file that may
be needed is run without one. Tests that do not pass then are left out; the measurements are written beside the output
and are valid until the test file or any file besides tests changes. Mutations whose rows are in the output already are
not tried again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from mutating.drawing import FOLDERS, Mutation, draw
from mutating.results import append, read, row_of, summary
from mutating.selection import Measured, candidates, content_of, module_of, selected

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("numpy", "scipy.stats", "sklearn.ensemble", "torch", "torchvision", "hypothesis", "omegaconf")
EXTRA_SECONDS = 30.0  # more that each test may take with a mutation
T = TypeVar("T")
R = TypeVar("R")


class Worker:
    """A copy of the project and the process that runs its tests."""

    def __init__(self, copy: Path, libraries: Sequence[str] = LIBRARIES, extra_seconds: float = EXTRA_SECONDS) -> None:
        self.copy, self.extra_seconds = copy, extra_seconds
        data = os.environ.get("NAS_TEST_DATA", str(ROOT.parent / "shared" / "data"))
        environment = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(copy), "NAS_TEST_DATA": str(Path(data).resolve())}
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "mutating" / "server.py"), *libraries],
            cwd=copy,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # only this process gets an interrupt, and lets the server finish
        )

    def ask(self, action: str, **request: Any) -> dict[str, Any]:
        """The server's answer to a request."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"action": action, **request}), file=self.process.stdin, flush=True)
        if not (line := self.process.stdout.readline()):
            code = self.process.wait()
            raise RuntimeError(f"The server ended with code {code} during {action}; start the same command again.")
        return json.loads(line)

    def measure(self, test: str) -> Measured:
        """Run a test file without a mutation."""
        return Measured.from_json(self.ask("measure", file=test))

    def judge(self, mutation: Mutation, tests: Sequence[str], seconds: dict[str, float]) -> tuple[str, str]:
        """The outcome of a mutation, and the test that kills it."""
        if not tests:
            return "survived", ""
        with mutated(self.copy / mutation.file, mutation):
            answer = self.ask("judge", files=list(tests), seconds=seconds, extra_seconds=self.extra_seconds)
            if not answer["collected"] and not self.ask("import", module=module_of(mutation.file))["imported"]:
                return "import", ""
        return answer["outcome"], answer["test"]

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def mutated(path: Path, mutation: Mutation) -> Iterator[None]:
    """Mutate a file in the block; then restore its text and its time, by which Python knows compiled files."""
    text, status = path.read_bytes(), path.stat()
    path.write_bytes(mutation.place.apply(text))
    os.utime(path, ns=(0, 0))  # else Python could use the compiled file of a text with the same length and second
    try:
        yield
    finally:
        path.write_bytes(text)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--number", type=int, default=100, help="number of mutations")
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument(
        "--folders",
        nargs="+",
        default=FOLDERS,
        metavar="FOLDER",
        help=f"folders or files of the package, such as nas/runs; {' '.join(FOLDERS)} by default",
    )
    parser.add_argument("--output", type=Path, default=Path("build/mutations.csv"), help="CSV; %(default)s")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="show the mutations that are drawn, and run nothing")
    options = parser.parse_args(arguments)
    commit = _git("rev-parse", "--verify", f"{options.commit}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="mutations") as folder:
        copies = [_copied(commit, Path(folder) / f"copy{number}") for number in range(max(1, options.workers))]
        try:
            drawn = draw(copies[0], options.seed, options.number, [folder.rstrip("/") for folder in options.folders])
        except ValueError as error:
            parser.error(str(error))
        if options.list:
            for mutation in drawn:
                print(f"{mutation.file}:{mutation.place.line} ({mutation.place.operator})\n{mutation.diff}\n")
            return
        options.output.parent.mkdir(parents=True, exist_ok=True)
        done = {row["key"] for row in read(options.output) if row["commit"] == commit}
        left = [mutation for mutation in drawn if mutation.key not in done]
        if left:
            try:
                _try(left, commit, copies, options.output)
            except KeyboardInterrupt:
                sys.exit("Stopped; the same command continues from here.")
    keys = {mutation.key for mutation in drawn}
    print(summary(row for row in read(options.output) if row["commit"] == commit and row["key"] in keys))


def _try(mutations: Sequence[Mutation], commit: str, copies: Sequence[Path], output: Path) -> None:
    """Judge mutations and append their rows to the output."""
    tests_of = {file: candidates(copies[0], file) for file in sorted({mutation.file for mutation in mutations})}
    needed = sorted({test for groups in tests_of.values() for group in groups for test in group})
    workers = [Worker(copy) for copy in copies]
    try:
        measured = _measured(needed, commit, workers, output.parent / "measured_tests.json")

        def judge(worker: Worker, mutation: Mutation) -> Any:
            started = time.monotonic()
            tests = selected(tests_of[mutation.file], measured, mutation)
            seconds = {name: value for test in tests for name, value in measured[test].seconds.items()}
            outcome, killer = worker.judge(mutation, tests, seconds)
            return row_of(commit, mutation, outcome, killer, len(tests), time.monotonic() - started)

        for number, row in enumerate(_map(judge, mutations, workers), 1):
            append(output, row)
            place = f"{row['file']}:{row['line']} {row['operator']}"
            print(
                f"{number}/{len(mutations)} {row['outcome']:9}{row['seconds']:>6} s  {place}  {row['test']}", flush=True
            )
    finally:
        for worker in workers:
            worker.close()


def _measured(tests: Sequence[str], commit: str, workers: Sequence[Worker], beside: Path) -> dict[str, Measured]:
    """The measurements of each test file without a mutation, read from the file `beside` the output if it has them."""
    contents = {test: content_of(_git("ls-tree", "-r", commit), test) for test in tests}
    entries = json.loads(beside.read_text()) if beside.exists() else {}
    known: dict[str, Measured] = {}
    for test in tests:
        if test in entries and entries[test]["content"] == contents[test]:
            known[test] = Measured.from_json(entries[test])
    left = [test for test in tests if test not in known]
    for number, (test, found) in enumerate(_map(lambda worker, test: (test, worker.measure(test)), left, workers), 1):
        known[test] = found
        entries[test] = {"content": contents[test], **found.to_json()}
        beside.write_text(json.dumps(entries))
        print(
            f"{number}/{len(left)} {test}: {len(found.seconds)} pass, {sum(found.seconds.values()):.1f} s", flush=True
        )
        if found.failed:
            print(f"  left out, because they do not pass without a mutation: {', '.join(found.failed)}")
    return known


def _map(act: Callable[[Worker, T], R], items: Sequence[T], workers: Sequence[Worker]) -> Iterator[R]:
    """The results of `act` for each item with a free worker, in the order in which they finish."""
    free: SimpleQueue[Worker] = SimpleQueue()
    finished: SimpleQueue[Any] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def act_on(item: T) -> None:
        worker = free.get()
        try:
            finished.put((act(worker, item), None))
        except Exception as error:
            finished.put((None, error))
        finally:
            free.put(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        try:
            for item in items:
                pool.submit(act_on, item)
            for _ in items:
                result, error = finished.get()
                if error is not None:
                    raise error
                yield result
        finally:
            pool.shutdown(cancel_futures=True)  # after an interrupt, only items that have begun are finished


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def _copied(commit: str, folder: Path) -> Path:
    """A clone of the repository in `folder`, at this commit."""
    _git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(folder))
    _git("-C", str(folder), "checkout", "--quiet", "--detach", commit)
    return folder


if __name__ == "__main__":
    main()
