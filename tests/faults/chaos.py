"""`python tests/faults/chaos.py`: cause faults on purpose, and see that nothing is lost.

A small run of every stage is killed at random moments and resumed. It then meets signals, full and read-only disks, a
second process, damaged files, short memory, NaN values, and workers that hang or die. With `--record`, finished trials
and faults are kept in two CSV files, and the same command continues with those that are missing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import damage
import faults
from comparing import differences
from forks import Forks
from kills import AIMS, Trial, kill_at_random, run_reference, table
from record import Record
from workload import Sandbox

from nas.core.errors import NasError
from nas.eval.attacks import library

KILLS = 100
FAULTS = (*faults.FAULTS, *damage.FAULTS)


def cause(
    report: Callable[[str], None],
    kills: int = KILLS,
    stages: Sequence[str] = AIMS,
    causes: Sequence[faults.Fault] = FAULTS,
    seed: int = 0,
    quick: bool = False,
    folder: Path | None = None,
    record: Record | None = None,
    minutes: float = float("inf"),
) -> dict[str, Any]:
    """Kill runs in these stages and cause the faults `causes`; `report` is called with each line of progress.

    `quick`: a smaller run, one worker, each fault once. `folder` keeps all runs. What is in the `record` is not
    repeated; after so many `minutes` nothing new begins. In the result, `kills` has a row per stage, `faults` a row per
    case, and `lost` is the number of problems of killed runs and of cases that did not end as promised. Raises
    `NasError` if a run without any fault does not give the same numbers twice.
    """
    library.required()  # one attack of the run is a class of torchattacks
    record = record or Record(None)
    start = time.monotonic()
    trials, cases = record.trials(seed), record.cases()
    with tempfile.TemporaryDirectory() as temporary:
        folder = folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with Forks(folder / "commands") as forks:
            sandbox = Sandbox(folder.resolve(), forks, seed, quick)
            reference = run_reference(sandbox, (1,) if quick else (1, 2))
            times = ", ".join(f"{s:.1f} s with {n} worker(s)" for n, s in reference.seconds.items())
            report(f"the run without faults: {times}")

            def late() -> bool:
                return time.monotonic() - start > 60 * minutes

            for trial in kill_at_random(sandbox, reference, kills, stages, tuple(trials), seed, late):
                report(line(trial))
                if trial.problems and differences(run_reference(sandbox, (1,)).run, reference.run):
                    raise NasError(
                        "Expected a run without any fault to give the same numbers twice but it differs now "
                        "from the reference, so the last trial does not count; start the same command again."
                    )
                record.add_trial(seed, trial)
                trials.append(trial)
            for fault in causes:
                if fault.__name__ not in cases and not late():
                    cases[fault.__name__] = faults.cause_one(sandbox, reference, quick, fault, report)
                    record.add_cases(fault.__name__, cases[fault.__name__])
    return summary(trials, [case for group in cases.values() for case in group], reference.seconds, seed)


def line(trial: Trial) -> str:
    """One trial and its outcome in a line."""
    where = ", ".join(f"{kill.stage} ({kill.target})" for kill in trial.kills) or "ended before the kill"
    return f"{trial.number}, aimed at {trial.aim}: {where}: {'; '.join(trial.problems) or 'identical'}"


def summary(
    trials: Sequence[Trial], cases: Sequence[faults.Case], seconds: dict[int, float], seed: int
) -> dict[str, Any]:
    """The outcomes of all trials and cases, in a form that JSON can write."""
    problems = [problem for trial in trials for problem in trial.problems]
    return {
        "seed": seed,
        "seconds": {str(workers): round(value, 1) for workers, value in seconds.items()},
        "runs": len(trials),
        "kills": table(trials),
        "faults": [asdict(case) for case in cases],
        "problems": problems,
        "lost": len(problems) + sum(not case.good for case in cases),
    }


def text(result: dict[str, Any]) -> str:
    """The result as Markdown tables."""
    lines = [
        "| killed in | kills | of these aimed at it | resumed identical, nothing done twice |",
        "|---|---|---|---|",
    ]
    rows = result["kills"]
    lines += [f"| {row['stage']} | {row['kills']} | {row['aimed']} | {row['identical']} |" for row in rows]
    kills, aimed, identical = (sum(row[key] for row in rows) for key in ("kills", "aimed", "identical"))
    lines += [
        f"| **all**, in {result['runs']} runs | **{kills}** | **{aimed}** | **{identical}** |",
        "",
        "| fault | what came of it |",
        "|---|---|",
    ]
    lines += [f"| {case['fault']} | {'' if case['good'] else 'BAD: '}{case['found']} |" for case in result["faults"]]
    return "\n".join([*lines, "", f"lost: {result['lost']}"])


def main() -> None:
    """Read the options, cause the faults and print the result; the exit code is 1 if anything was lost."""
    names = {fault.__name__: fault for fault in FAULTS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help="number of kills, the same for each stage")
    parser.add_argument(
        "--stages", nargs="*", choices=AIMS, default=AIMS, help="stages to kill the run in; all by default"
    )
    parser.add_argument(
        "--faults", nargs="*", choices=list(names), default=list(names), help="faults to cause; all by default"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments and of the damage")
    parser.add_argument("--quick", action="store_true", help="a smaller run, and each fault once")
    parser.add_argument("--record", type=Path, help="folder of finished rows, which are not repeated")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="minutes after which nothing new begins")
    parser.add_argument("--folder", type=Path, help="keep all runs in this new folder")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    if given.quick and given.record:
        parser.error("Expected --record without --quick, whose runs are different; leave one out.")
    causes = [names[name] for name in given.faults]

    def report(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    result = cause(
        report,
        given.kills,
        given.stages,
        causes,
        given.seed,
        given.quick,
        given.folder,
        Record(given.record),
        given.minutes,
    )
    print(json.dumps(result, indent=2) if given.json else text(result))
    sys.exit(1 if result["lost"] else 0)


if __name__ == "__main__":
    main()
