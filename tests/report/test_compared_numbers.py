"""What may be compared, which checks make a network doubtful, and where the points and lines of the figure lie."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import result_factory as make
from matplotlib.figure import Figure

from nas.report.compare import ComparisonData, Evaluated, compare_evaluated
from nas.report.figures import comparison as drawn
from nas.results import Check, EvalResult

N = 100
FINE = [Check("restarts", "pass", "-"), Check("transfer", "skipped", "-")]


def network(clean: int = 90, fgsm: int = 60, pgd20: int = 50, **more: Any) -> EvalResult:
    return make.evaluation({"clean": clean, "fgsm": fgsm, "pgd20": pgd20}, N, **more)


def compared(*entries: EvalResult, **settings: Any) -> ComparisonData:
    """The networks a, b, ... of runs without folders; only the first has these settings of its attacks."""
    given = [
        Evaluated(name, None, {"data": {"name": "digits"}, "eval": {} if name > "a" else settings}, [entry])
        for name, entry in zip("abc", entries)
    ]
    return compare_evaluated(given)


@pytest.mark.parametrize("settings", [{"step_size": 0.01}, {"restarts": 2}, {"cascade": True}])
def test_attacks_with_other_settings_are_other_attacks(settings: dict[str, Any]) -> None:
    found = compared(network(), network(), **settings)
    assert [row.metric for row in found.differences] == ["clean"]
    assert "only the clean accuracies are paired" in found.notes[0]


def test_the_worst_case_is_paired_if_it_is_of_the_same_attacks_in_any_order() -> None:
    first, other = network(), network()
    more = replace(other, worst_case=replace(other.worst_case, attacks=["fgsm", "pgd20", "square"]))
    assert [row.metric for row in compared(first, more).differences] == ["clean", "fgsm", "pgd20"]
    turned = replace(other, worst_case=replace(other.worst_case, attacks=["pgd20", "fgsm"]))
    assert [row.metric for row in compared(first, turned).differences] == ["clean", "fgsm", "pgd20", "worst_case"]


def test_the_accuracy_of_the_first_attack_of_a_cascade_is_its_own() -> None:
    """Only the first one is among the attacks; the worst case is of all."""
    one = network()
    found = replace(one, attacks={"fgsm": one.attacks["fgsm"]})
    assert (found.accuracy("fgsm")[0], found.accuracy("worst_case")[0]) == (0.6, 0.5)


def test_checks_that_pass_or_are_skipped_make_nothing_doubtful() -> None:
    found = compared(network(checks=FINE), network(fgsm=5, pgd20=0))
    assert found.checkpoints[0].entry.warning_checks == found.doubted == found.notes == []
    assert [row.text.rpartition(", ")[2].partition(" (")[0] for row in found.differences if row.significant] == [
        "a"
    ] * 3
    warned = compared(network(checks=[*FINE, Check("logits", "warn", "-")]), network(fgsm=5, pgd20=0))
    assert warned.doubted == [warned.checkpoints[0].label]
    assert sum("keeps more" in row.text for row in warned.differences) == 3


@pytest.mark.usefixtures("undrawn")
def test_where_points_intervals_and_lines_of_equal_scores_lie() -> None:
    data = compared(network(), network(80, 70, 65), network(70, 40, 30))
    rows = list(enumerate(data.checkpoints, start=1))
    axes = Figure().subplots()
    drawn.pareto("a", rows, "pgd20").draw(axes)
    lines = [[[float(value) for value in part] for part in line.get_data()] for line in axes.lines]
    points = [(0.9, 0.5), (0.8, 0.65), (0.7, 0.3)]
    assert [(x[0], y[0]) for x, y in lines if len(x) == 1] == points
    for one, (x, y) in zip(data.checkpoints, points):
        assert [list(one.entry.clean_interval), [y, y]] in lines
        assert [[x, x], list(one.entry.attacks["pgd20"].interval)] in lines
    assert [[0.8, 0.9], [0.65, 0.5]] in lines, "the front"
    curves = [line for line in lines if len(line[0]) == drawn.HRS_POINTS]
    scores = [{round(2 * x * y / (x + y), 9) for x, y in zip(*line)} for line in curves]
    assert scores == [{score} for score in drawn.HRS_LINES]
    said = {text.get_text(): text.xy for text in axes.texts if text.get_text().startswith("HRS")}  # type: ignore[attr-defined]
    assert said
    for text, (x, y) in said.items():
        assert text == f"HRS {200 * x * y / (x + y):.0f}"


def test_curves_over_the_radius_are_apart_by_norm() -> None:
    sweep = [make.curve("pgd20", (0.0, 0.9), (0.5, 0.5), n=N)]
    data = compared(network(sweep=sweep), network(sweep=sweep, norm="L2"))
    assert {key: len(one) for key, one in drawn.sweeps_by_attack(data.checkpoints).items()} == {
        ("Linf", "pgd20"): 1, ("L2", "pgd20"): 1,
    }  # fmt: skip
