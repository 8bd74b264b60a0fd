"""The page of a run, from its title to how to read it; sections without content are left out."""

from __future__ import annotations

import base64

from omegaconf import OmegaConf

from nas.core.io.records import Json
from nas.report.figures import cells, curves
from nas.report.figures.landscapes import picture
from nas.report.notes import provenance_table
from nas.report.pages import common, sentences
from nas.report.paper.method import method
from nas.report.render import distinct, render
from nas.report.run_data import RunData
from nas.report.wording import listed
from nas.results import WORST_CASE, AttackResult, EvalResult, RunResult, TransferResult, WorstCase

ROOMY = 600  # pixels; if a cell is wider than this, each cell gets a row of its own
EPOCH = {  # columns of the log of a supernet search: key → title
    "epoch": "epoch",
    "weight_loss": "loss of the weights",
    "alpha_loss": "loss of α",
    "val_accuracy": "validation accuracy",
    "val_robust_accuracy": "robust",
    "seconds": "seconds",
}


def page(run: RunData) -> str:
    return render("run.html", **values(run))


def values(run: RunData) -> Json:
    """What the page shows, for its template."""
    name = str(run.settings["name"])
    space = {} if run.space == "none" else {"space": run.space}  # none for a foreign network
    goals = [goal.name for goal in run.search.goals] if run.search else []
    goal = {"objective" if len(goals) == 1 else "objectives": listed(goals)} if goals else {}
    return dict(
        title=f"{name}: robust architecture search",
        heading=name,
        terms={**space, "data": run.data, **goal, "run seed": run.settings["seed"]},
        run=run,
        **sentences.summary(run),
        **_accuracies(run),
        **_corruptions(run),
        **common.measured(run.evaluations, run.models),
        landscapes=_landscapes(run),
        **_search(run),
        **common.training(run.trained, run.models),
        **_cells(run),
        **_origin(run),
    )


def _attacked(entry: EvalResult) -> dict[str, AttackResult | WorstCase]:
    """The attacks, and the worst case if there are several."""
    worst = entry.worst_of_several
    return {**entry.attacks, **({} if worst is None else {WORST_CASE: worst})}


def _accuracies(run: RunData) -> Json:
    results = [_attacked(entry) for entry in run.evaluations]
    attacks = distinct(name for one in results for name in one)
    swept = [(entry, curve, run.models[entry.name]) for entry in run.evaluations for curve in entry.sweep]
    sweep_attacks = distinct(curve.attack for _, curve, _ in swept)
    transfer = run.result if isinstance(run.result, TransferResult) else None
    doubted = [entry.name for entry in run.evaluations if entry.warning_checks]
    return {
        "attacks": attacks,
        "accuracies": [[one.get(name) for name in attacks] for one in results],
        "pairs": common.pairs_of(run.differences, run.models, doubted),
        "x": common.interval_axis(run.differences),
        "transfer": transfer and [(*one, check) for one, check in zip(transfer.attacks.items(), transfer.checks)],
        "sweep_attacks": sweep_attacks,
        "sweeps": [
            curves.robustness(f"robustness-{name}", name, [one for one in swept if one[1].attack == name])
            for name in sweep_attacks
        ],
    }


def _corruptions(run: RunData) -> Json:
    corrupted = [(run.models[entry.name], entry.corruptions) for entry in run.evaluations if entry.corruptions]
    results = [one for _, one in corrupted]
    return {
        "corrupted": corrupted,
        "corruption_groups": distinct(group for one in results for group in one.groups),
        "with_baseline": any(one.relative for one in results),
        "corruption_curve": any(len(one.severities) > 1 for one in results) and curves.corruption(corrupted),
        "corruption_notes": sentences.corruption_notes(results) if results else [],
    }


def _landscapes(run: RunData) -> list[tuple[str, str]]:
    """The name of each network whose loss landscape was measured, and its picture in base64."""
    landscapes = [(run.models[entry.name].label, entry.measures.landscape) for entry in run.evaluations]
    return [(label, base64.b64encode(picture(one)).decode()) for label, one in landscapes if one]


def _search(run: RunData) -> Json:
    search, goal = run.search, run.goal
    if not search or goal is None:
        return {}
    epochs = [epoch.to_json() for epoch in search.supernet.epochs] if search.supernet else []
    keys = [key for key in EPOCH if any(row.get(key) is not None for row in epochs)]
    keys[-1:-1] = [key for row in epochs[-1:] for key in row if key.startswith(("entropy_", "skips_"))]
    columns = {
        one.name: [number for cell in search.top if (number := cell.metrics.get(one.name)) is not None]
        for one in search.goals
    }
    return {
        "scores": [name for name, column in columns.items() if column],
        "score_columns": columns,
        "epochs": epochs,
        "epoch_columns": {key: EPOCH.get(key, key.replace("_", " ")) for key in keys},
        "front": len(search.goals) > 1,
        "search_curve": curves.search(run.steps, goal, search.exhausted) if run.steps else None,
    }


def _cells(run: RunData) -> Json:
    drawn, every_edge = [], []
    foreign = {entry.arch for entry in run.evaluations if entry.source is not None}
    for name, arch in run.cells().items():
        graphs = run.edges(arch)
        if not graphs and arch in foreign:
            continue
        drawings = {}
        for part, edges in graphs.items():
            words = [name, part] if len(graphs) > 1 else [name]
            title, file = ", ".join(words), "-".join(["cell", *words])
            drawings[title] = edges and cells.drawing(edges, f"{title} cell", file)
        drawn.append({"name": name, "arch": arch, "drawings": drawings})
        every_edge += [edges for edges in graphs.values() if edges]
    return {
        "cells": drawn,
        "roomy": any(cells.width(edges) > ROOMY for edges in every_edge),
        "operations": cells.legend([operation for edges in every_edge for _, _, operation in edges]),
    }


def _origin(run: RunData) -> Json:
    result = run.result
    sides = {
        "Seeds": result.seeds if isinstance(result, RunResult) else {},
        "Versions": result.versions,
        "Where it was computed": provenance_table(result.provenance) if result.provenance else {},
    }
    return {
        "settings": OmegaConf.to_yaml(OmegaConf.create(run.settings)),
        "method": method(run),
        "sides": {title: values for title, values in sides.items() if values},
    }
