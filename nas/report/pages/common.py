"""Parts of the pages of runs and of comparisons: paired differences, training curves, measures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from nas.core.io.records import Json
from nas.report.figures import curves
from nas.report.identity import Identity
from nas.report.render import distinct
from nas.report.wording import attack, ball
from nas.results import Difference, EvalResult, TrainedModel
from nas.runs.difference_wording import better, verdict

WIDTH = 230  # of the drawing of an interval, in pixels


@dataclass(frozen=True)
class Pair:
    """The differences of two networks."""

    first: str
    second: str
    rows: Sequence[Difference]
    common: str = ""  # what both have in common, in words
    numbers: tuple[str, str] = ("", "")  # of the two in the page's figures
    doubted: tuple[bool, bool] = (False, False)  # whether a check of the two warns

    def verdict(self, row: Difference) -> str:
        """The verdict on a difference, in words."""
        winner = 0 if row.difference > 0 else 1
        number, name = self.numbers[winner], (self.first, self.second)[winner]
        who = f"no. {number}" if number else name
        return verdict(row, better(row, who, self.doubted[winner]))


def interval_axis(rows: Sequence[Difference]) -> Callable[[float], str]:
    """The function from a number to its x in the drawings of these intervals; 0 and every interval fit."""
    low = min([0.0, *(row.interval.low for row in rows)])
    high = max([0.0, *(row.interval.high for row in rows)])
    margin = 0.04 * (high - low) or 1.0

    def place(number: float) -> str:
        return f"{round(WIDTH * (number - low + margin) / (high - low + 2 * margin), 1):g}"

    return place


def pairs_of(differences: Sequence[Difference], models: Mapping[str, Identity], doubted: Collection[str]) -> list[Pair]:
    """The differences of a run, pair by pair; two networks that differ only in cell or method are named by it.

    `doubted` are the networks of which a check warns.
    """
    pairs = []
    for (first, second), rows in groupby(differences, key=lambda row: (row.first, row.second)):
        a, b = models.get(first), models.get(second)
        if a is None or b is None or (a.cell != b.cell and a.method != b.method):
            pair = Pair(first, second, list(rows))
        elif a.cell == b.cell:
            pair = Pair(a.method_label, b.method_label, list(rows), f", {a.cell} cell")
        else:
            pair = Pair(a.cell, b.cell, list(rows), f", {a.method_label} training")
        pairs.append(replace(pair, doubted=(first in doubted, second in doubted)))
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
