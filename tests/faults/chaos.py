"""`python tests/faults/chaos.py`: cause faults on purpose, and see that nothing is lost.

A small run of every stage is killed at random moments and resumed, then meets signals, full and read-only disks, a
second process, damaged files, short memory, values that are no numbers, and workers that hang or die.
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
from forks import Forks
from kills import kill_at_random, run_reference, table
from workload import Sandbox

from nas.eval.attacks import library

KILLS = 100
FAULTS = (*faults.FAULTS, damage.damaged_run, damage.damaged_network, damage.damaged_cache)


def cause(
    report: Callable[[str], None],
    kills: int = KILLS,
    causes: Sequence[faults.Fault] = FAULTS,
    seed: int = 0,
    quick: bool = False,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Kill runs at random moments and cause the faults `causes`; `report` takes a line of progress at a time.

    `quick`: a smaller run, one worker, each fault once. `folder` keeps everything. In the result `kills` has a row per
    stage, `faults` a row each, and `lost` is how many of both came out otherwise than promised.
    """
    library.required()  # one attack of the run is a class of torchattacks
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with Forks(folder / "commands") as forks:
            sandbox = Sandbox(folder.resolve(), forks, seed, quick)
            whole = run_reference(sandbox, (1,) if quick else (1, 2))
            report("the run alone: " + ", ".join(f"{s:.1f} s by {n} worker(s)" for n, s in whole.seconds.items()))
            trials = kill_at_random(sandbox, whole, kills, report)
            cases = faults.cause_all(sandbox, whole, quick, causes, report)
    problems = [problem for trial in trials for problem in trial.problems]
    return {
        "seed": seed,
        "seconds": {
            "run": {str(workers): round(value, 1) for workers, value in whole.seconds.items()},
            "all": round(time.monotonic() - start),
        },
        "runs": len(trials),
        "kills": table(trials),
        "faults": [asdict(case) for case in cases],
        "problems": problems,
        "lost": len(problems) + sum(not case.good for case in cases),
    }


def text(result: dict[str, Any]) -> str:
    """The tables for people."""
    lines = ["| stage | kills | resumed identical |", "|---|---|---|"]
    rows = result["kills"]
    lines += [f"| {row['stage']} | {row['kills']} | {row['identical']} |" for row in rows]
    total, identical = (sum(row[key] for row in rows) for key in ("kills", "identical"))
    lines += [
        f"| all, in {result['runs']} runs | {total} | {identical} |",
        "",
        "| fault | what came of it |",
        "|---|---|",
    ]
    lines += [f"| {case['fault']} | {'' if case['good'] else 'BAD: '}{case['found']} |" for case in result["faults"]]
    return "\n".join([*lines, "", f"lost: {result['lost']}"])


def main() -> None:
    """The script."""
    names = {fault.__name__: fault for fault in FAULTS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help="how many kills at random moments")
    parser.add_argument("--faults", nargs="*", choices=list(names), default=list(names), help="which; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and of the damage")
    parser.add_argument("--quick", action="store_true", help="a smaller run, and each fault once")
    parser.add_argument("--folder", type=Path, help="keep all runs in this new folder")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    causes = [names[name] for name in given.faults]

    def report(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    result = cause(report, given.kills, causes, given.seed, given.quick, given.folder)
    print(json.dumps(result, indent=2) if given.json else text(result))
    sys.exit(1 if result["lost"] else 0)


if __name__ == "__main__":
    main()
