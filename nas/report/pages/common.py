"""Parts of the pages of runs and of comparisons: paired differences, training curves, measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from nas.core.io.records import Json
from nas.report.figures import curves
from nas.report.identity import Identity
from nas.report.render import distinct
from nas.report.wording import attack, ball
from nas.results import Difference, EvalResult, TrainedModel
from nas.runs.difference_wording import verdict

WIDTH = 230  # of the drawing of an interval, in pixels


@dataclass(frozen=True)
class Pair:
    """The differences of two networks."""

    first: str
    second: str
    rows: Sequence[Difference]
    common: str = ""  # what both have in common, in words
    numbers: tuple[str, str] = ("", "")  # of the two in the page's figures

    def verdict(self, row: Difference) -> str:
        """The verdict on a difference, in words."""
        number, name = (self.numbers[0], self.first) if row.difference > 0 else (self.numbers[1], self.second)
        return verdict(row, f"{f'no. {number}' if number else name} is better")


def interval_axis(rows: Sequence[Difference]) -> Callable[[float], str]:
    """The function from a number to its x in the drawings of these intervals; 0 and every interval fit."""
    low = min([0.0, *(row.interval.low for row in rows)])
    high = max([0.0, *(row.interval.high for row in rows)])
    margin = 0.04 * (high - low) or 1.0

    def place(number: float) -> str:
        return f"{round(WIDTH * (number - low + margin) / (high - low + 2 * margin), 1):g}"

    return place


def pairs_of(differences: Sequence[Difference], models: Mapping[str, Identity]) -> list[Pair]:
    """The differences of a run, pair by pair; two networks that differ only in cell or method are named by it."""
    pairs = []
    for (first, second), rows in groupby(differences, key=lambda row: (row.first, row.second)):
        a, b = models.get(first), models.get(second)
        if a is None or b is None or (a.cell != b.cell and a.method != b.method):
            pairs.append(Pair(first, second, list(rows)))
        elif a.cell == b.cell:
            pairs.append(Pair(a.method_label, b.method_label, list(rows), f", {a.cell} cell"))
        else:
            pairs.append(Pair(a.cell, b.cell, list(rows), f", {a.method_label} training"))
    return pairs


def training(records: Mapping[str, TrainedModel], models: Mapping[str, Identity]) -> Json:
    """The training curves of the networks that have a history."""
    known = {name: record for name, record in records.items() if record.history}
    drawn = {key: {name: one for name, one in known.items() if one.curve(key)} for key in curves.CURVES}
    return {
        "trained_models": [models[name] for name in known],
        "training_curves": [curves.training(key, some, models) for key, some in drawn.items() if some],
    }


def measured(entries: Sequence[EvalResult], models: Mapping[str, Identity]) -> Json:
    """The networks whose calibration or curvature was measured, and the attacks of the calibration."""
    parts = [(models[entry.name], entry.measures) for entry in entries]
    calibrations = [measures.calibration for _, measures in parts if measures.calibration]
    return {
        "measured": [one for one in parts if one[1].calibration or one[1].hessian or one[1].jacobian],
        "calibration_attacks": distinct(f"{attack(one.attack)}, {ball(one.norm, one.eps)}" for one in calibrations),
    }
