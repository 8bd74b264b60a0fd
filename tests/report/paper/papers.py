"""Runs for the tests of papers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import result_factory as make

from nas.core import config
from nas.report.identity import identities
from nas.report.paper.material import Material, Paper
from nas.report.run_data import RunData
from nas.results import EvalResult, Result
from nas.runs import run_folder
from nas.runs.differences import differences
from nas.settings import schema

N = 60
RIGHT = {  # images classified rightly, of N
    "best-standard": {"clean": 59, "fgsm": 6, "pgd20": 0},
    "best-pgd": {"clean": 57, "fgsm": 41, "pgd20": 37},
    "random-pgd": {"clean": 55, "fgsm": 30, "pgd20": 11},
}
HOSTILE = "a_b%c#d&e~f^g\\h|i{j}k$l<m>n\"o'p`q[r]*--é中ε ß"


def entries(**more: Any) -> list[EvalResult]:
    return [make.evaluation(right, N, name=name, **more) for name, right in RIGHT.items()]


def run_of(result: Result, networks: Sequence[EvalResult] = (), *settings: str, command: str = "run") -> RunData:
    chosen = config.plain(schema.load("quickstart", ["run.dir=/home/somebody/runs/x", *settings]))
    models = identities({one.name: one.training for one in networks})
    return RunData(chosen, command, {}, result, [], {}, {}, models, ("nas run x", False))


def whole(networks: Sequence[EvalResult], name: str = "quickstart-1") -> Material:
    return Material(name, run_of(make.whole_run(list(networks), differences(networks)), networks))


def paper(*materials: Material) -> Paper:
    return Paper.of(materials)


def finished(folder: Path, result: Result, command: str) -> Path:
    """The folder of a finished run with this result."""
    chosen = schema.load("quickstart", [f"run.dir={folder}"])
    with run_folder.create(command, chosen, {"checkpoint": "best.pt"}) as opened:
        opened.finish(result)
    return folder
