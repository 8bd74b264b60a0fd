"""Run folders with the results of four networks, and their reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import result_factory as make_result
from result_factory import BEST, RANDOM

from nas.commands import command_of
from nas.report.run_data import RunData, read_run_data
from nas.results import EvalResult, RunResult
from nas.runs.differences import differences

N = 60
RIGHT = {  # images classified rightly, of N
    "best-standard": {"clean": 59, "fgsm": 6, "pgd20": 0},
    "best-pgd": {"clean": 57, "fgsm": 41, "pgd20": 37},
    "random-standard": {"clean": 58, "fgsm": 7, "pgd20": 1},
    "random-pgd": {"clean": 55, "fgsm": 30, "pgd20": 11},
}


Make = Callable[..., Path]


def entry(name: str, arch: str, eps: float = 0.15) -> EvalResult:
    clean, robust = RIGHT[name]["clean"] / N, RIGHT[name]["pgd20"] / N
    sweep = [make_result.curve("pgd20", (0.0, clean), (eps / 2, (clean + robust) / 2), (2 * eps, 0.0), n=N)]
    params = 67570 if name.startswith("best") else 71234
    return make_result.evaluation(RIGHT[name], N, name=name, arch=arch, eps=eps, params=params, sweep=sweep)


def history(robust: bool) -> list[dict[str, float | None]]:
    rows: list[dict[str, float | None]] = [
        {"epoch": e, "train_loss": 2 / e, "lr": 0.1, "val_accuracy": 1 - 0.5 / e} for e in range(1, 5)
    ]
    return [{**row, "val_robust_accuracy": 0.1 * e} if robust else row for e, row in enumerate(rows, 1)]


def result(best: str = BEST, random: str = RANDOM, space: str = "nasbench201") -> RunResult:
    models = [entry(name, best if name.startswith("best") else random) for name in RIGHT]
    return make_result.whole_run(models, differences(models), space=space)


def data_of(folder: Path, content: dict[str, Any]) -> RunData:
    return read_run_data(folder, content, command_of(folder).repeat)


def write_report(folder: Path, content: dict[str, Any]) -> Path:
    return command_of(folder).report(folder, content)
