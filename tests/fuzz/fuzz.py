"""Fuzz the readers of untrusted input: `python tests/fuzz/fuzz.py`; `--list` names them.

Each target gets inputs that hypothesis generates from good ones (`inputs.py`), for a number of seconds. Every input
must be accepted, or refused in one line, in little time and memory (`contract.py`). An input that is neither is made as
simple as hypothesis can and written into the folder of `--found`; the script then ends with exit code 1.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import hypothesis
from contract import Target, check
from hypothesis import HealthCheck, Phase, given, settings
from inputs import inputs

ROUND = 200  # inputs between two checks of the time
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


def targets() -> dict[str, Target]:
    """The targets by name: every reader of untrusted input, as a function of bytes."""
    files = sorted(Path(__file__).with_name("targets").glob("*.py"))
    values = [value for file in files for value in vars(import_module(f"targets.{file.stem}")).values()]
    return {value.name: value for value in values if isinstance(value, Target)}


def warm(target: Target) -> None:
    """Give a target its seeds first, because caches fill and the first use of a library may be slow."""
    for seed in target.seeds():
        if not check(target, seed):
            raise AssertionError(f"{target.name} refused the seed {seed[:200]!r}")


def fuzz(target: Target, count: int, seed: int) -> bytes | None:
    """Give a target `count` inputs; returns the simplest one that is neither accepted nor refused in one line, or None.

    The error for that input is printed.
    """
    tried = b""

    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=SLOW,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
    )
    @given(inputs(list(target.seeds())))
    def run(data: bytes) -> None:
        nonlocal tried
        tried = data
        check(target, data)

    try:
        run()
    except Exception:
        traceback.print_exc()
        return tried  # hypothesis tries the simplest last
    return None


def main() -> None:
    known = targets()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("target", nargs="*", help="targets to fuzz; all by default")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--seconds", type=float, default=60, help="time for each target; %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--found", type=Path, default=Path(), help="folder for inputs that were findings")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{name:<24} {one.doc}" for name, one in known.items()))
        return
    if unknown := [name for name in arguments.target if name not in known]:
        parser.error(f"Expected a target but got {unknown[0]!r}; `--list` names them.")
    with quiet():
        findings = _fuzz_all(arguments, known)
    sys.exit(1 if findings else 0)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide warnings, of which invalid inputs cause many; afterwards all is as before, because tests call `main` too."""
    log = logging.getLogger("nas")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _fuzz_all(arguments: argparse.Namespace, known: dict[str, Target]) -> int:
    """Fuzz the targets; returns how many of them had a finding."""
    findings = 0
    for name in arguments.target or known:
        warm(known[name])
        end, rounds, found = time.monotonic() + arguments.seconds, 0, None
        while found is None and (rounds == 0 or time.monotonic() < end):
            found = fuzz(known[name], ROUND, 1_000_003 * arguments.seed + rounds)
            rounds += 1
        print(f"{name:<24} {rounds} × {ROUND} inputs: {'nothing found' if found is None else 'FOUND'}", flush=True)
        if found is not None:
            (arguments.found / f"found-{name}").write_bytes(found)
            findings += 1
    return findings


if __name__ == "__main__":
    main()
