"""Plain sentences on what a run did and found."""

from __future__ import annotations

from collections.abc import Sequence

from nas.core.io.records import Json
from nas.core.radius import radius
from nas.eval.corruptions import SAME_IMAGES
from nas.report.identity import METHOD_LABELS
from nas.report.notes import doubts
from nas.report.run_data import RunData
from nas.report.wording import attack, ball, listed, norm, value
from nas.results import CorruptionResult, EvalResult, TransferResult
from nas.strategies import STRATEGIES

COUNTS = ("params", "flops")
LARGE = 1e6


def summary(run: RunData) -> Json:
    """Sentences on what was done; the strongest attack, and the network and differences to report under it."""
    done = [sentence for sentence in (_searched(run), _trained(run), _attacked(run), _transferred(run)) if sentence]
    if not run.evaluations:
        return {"done": done}
    attacked_by = strongest_attack(run.evaluations)
    robust = [entry for entry in run.evaluations if run.models[entry.name].method != "standard"] or run.evaluations
    rows = [
        row
        for row in run.differences
        if row.first == robust[0].name and row.metric == attacked_by and row.second in run.models
    ]
    warnings = [sentence for one in run.evaluations for sentence in doubts(one, run.models[one.name].label)]
    return {"done": done, "strongest": attacked_by, "top": robust[0], "findings": rows, "warnings": warnings}


def strongest_attack(entries: list[EvalResult]) -> str:
    """The attack that leaves the networks the least accuracy on average; of equal ones the last in the list."""

    def left(name: str) -> float:
        return sum(entry.attacks[name].accuracy if name in entry.attacks else 1.0 for entry in entries)

    return min(reversed(list(entries[0].attacks)), key=left)


def _searched(run: RunData) -> str:
    search, goal = run.search, run.goal
    if not search or goal is None:
        return ""
    if search.supernet is not None:
        return (
            f"A supernet of {run.space} was trained by {search.objective} for {search.evaluated:,} epochs; the "
            f"architecture is that of epoch {search.supernet.chosen_epoch}."
        )
    goals = " and ".join(
        f"{one.name} ({'higher' if one.higher_is_better else 'lower'} is better)" for one in search.goals
    )
    text = f"The search scored {search.evaluated:,} different cells of {run.space} by {goals}"
    if constraints := (run.settings.get("search") or {}).get("constraints"):
        text += f" under the {'constraint' if len(constraints) == 1 else 'constraints'} {listed(constraints)}"
    if search.failed:
        text += f", of which {search.failed:,} failed"
    if search.exhausted:
        text += ", and found no further ones that meet its constraints"
    if search.limited is not None:
        text += f"; {search.limited.feasible:.0%} of them were within the limits {', '.join(search.limited.limits)}"
    if len(search.goals) > 1:
        return (
            f"{text}; {len(search.top):,} form the Pareto front: no cell is better than one of them by one score "
            "without being worse by another. nas train and nas run take the first of the front, "
            f"{_first_of_front(run, goal.name)}."
        )
    best = search.best.metrics[goal.name]
    return f"{text}." if best is None else f"{text}; the best reached {_best_score(goal.name, best)}."


def _first_of_front(run: RunData, goal: str) -> str:
    kind = STRATEGIES.components.get((run.settings.get("strategy") or {}).get("name", ""))
    if kind is not None and kind.sums_ranks:
        return "which has the least sum of its ranks by these scores"
    return f"the best by {goal}"


def _best_score(metric: str, score: float) -> str:
    """A count in all digits; a large score of a proxy, of which only the order means something, in three digits."""
    return value(score) if metric in COUNTS or abs(score) < LARGE else f"{score:.3g}"


def _transferred(run: RunData) -> str:
    result = run.result
    if not isinstance(result, TransferResult):
        return ""
    return (
        f"Each of {len(result.networks)} networks was attacked by {listed(list(map(attack, result.attacks)))} within "
        f"{ball(result.norm, result.eps)} on {result.n_test:,} test images of {result.data}, and all networks "
        "classified the resulting images."
    )


def _trained(run: RunData) -> str:
    models = [run.models[name] for name in run.trained]
    if not models:
        return ""
    cells = list(dict.fromkeys(model.cell for model in models))
    labels = {model.method_label for model in models}
    methods = [label for label in METHOD_LABELS.values() if label in labels]
    methods += sorted(labels.difference(methods))  # methods of a package that is not installed here
    names = {"best": "the best cell", "random": "a random cell of about the same size"}
    subject = listed([names.get(cell, cell) for cell in cells])
    return (
        f"{subject[0].upper()}{subject[1:]} {'was' if len(cells) == 1 else 'were'} trained on {run.data} by "
        f"{listed(methods)} training {_epochs(run)}{_without_validation(run)}."
    )


def _epochs(run: RunData) -> str:
    counts = sorted({record.epochs for record in run.trained.values()})
    return f"for {listed([f'{count:,}' for count in counts])} {'epoch' if counts == [1] else 'epochs'}"


def _without_validation(run: RunData) -> str:
    if run.settings["data"].get("validation") != 0:  # earlier versions had no such setting and withheld a tenth
        return ""
    return " on all training images, none withheld for validation; the weights are those of the last epoch"


def _attacked(run: RunData) -> str:
    if not run.evaluations:
        return ""
    first = run.evaluations[0]
    subject = "Each network" if len(run.evaluations) > 1 else "The network"
    text = (
        f"{subject} was attacked by {listed([attack(name) for name in first.attacks])} within "
        f"ε = {radius(first.eps)} ({norm(first.norm)}) on {first.n_test:,} test images."
    )
    for curve in first.sweep:
        own = [first.eps] if curve.attack in first.attacks else []  # measured by the attack itself
        radii = [radius(eps) for eps in sorted({*curve.eps, *own}) if eps > 0]
        text += f" The accuracy against the radius was measured under {attack(curve.attack)} at ε = {listed(radii)}."
    return text


def corruption_notes(results: Sequence[CorruptionResult]) -> list[str]:
    """Sentences on the images, on the types and severities in the means, and on the types that are left out."""
    first = results[0]
    counts = ", ".join(f"{n:,}" for n in dict.fromkeys(one.n_test for one in results))
    sources = dict.fromkeys(one.images for one in results)
    severities = listed([str(severity) for severity in first.severities])
    notes = [
        f"Accuracy on {counts} test images: {'; '.join(sources)}.",
        f"Means over {len(first.mean_of)} types, each at severity {severities}; in brackets the 95 % interval of the "
        "mean, with images as the sample.",
    ]
    left_out = dict.fromkeys(kind for one in results for kind in one.left_out)
    if left_out:
        notes.append(f"Left out: {listed(list(left_out))}.")
    others = [one.clean_images for one in results if one.clean_images not in ("", SAME_IMAGES)]
    if others:
        notes.append(f"The clean accuracy is measured on {others[0]}.")
    if any(one.relative for one in results):
        notes.append("mCE: the mean error relative to that of the baseline, in percent; lower is better.")
    return notes
