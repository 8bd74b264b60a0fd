"""Further tables: Eproxy's ablation, CRoZe on DARTS cells beside size, and predictors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.core.statistics.intervals import percentile_interval
from nas.core.statistics.ranks import bootstrap_spearman, spearman, spearman_matrix
from nas.search_spaces.darts.genotype import Genotype
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.studies.correlate import correlate
from nas.studies.markdown import interval, number, spread, table
from nas.studies.papers.networks import Networks, key_of
from nas.studies.papers.published import ABLATION
from nas.studies.papers.ranking import restricted
from nas.studies.papers.scoring import ABLATION_CHANNELS, ABLATION_NETWORKS, Scores, variant
from nas.studies.predict import MODELS, Protocol, predict
from nas.studies.prediction_data import prediction_data
from nas.tables import ArrayTable

MIN_GROUP = 10  # networks of a group below which it is left out
SPLITS = "10"  # random splits of the predictions, 80 % to learn from


def ablation(scores: Scores, networks: Networks) -> str:
    """Rho of Eproxy with and without its barrier, beside Table 1 of the paper.

    The last line is Eproxy as it is scored elsewhere in this study, on the same networks.
    """
    (task,) = scores.plan.tasks
    archs = networks.judged[:ABLATION_NETWORKS]
    truth = networks.accuracies(task, archs)
    lines = []
    for (barrier, lr, steps), paper in ABLATION.items():
        name = variant(barrier, lr, steps)
        losses = [scores.ablation.rows.get((name, key_of(arch)), (None, None))[1] for arch in archs]
        if shown := _rho_of_losses(losses, truth):
            channels = f"{ABLATION_CHANNELS}, {ABLATION_CHANNELS}"
            lines.append(["with" if barrier else "without", channels, f"{lr:g}", str(steps), *shown, number(paper)])
    column = 1 + scores.plan.proxies.index("eproxy")  # after the seconds
    rows = [scores.proxies.rows.get((key_of(arch),)) for arch in archs]
    losses = [None if row is None else row[column] for row in rows]
    if shown := _rho_of_losses(losses, truth):
        options = EproxyOptions(**scores.plan.eproxy(scores.size))
        channels = f"{options.c_mid[0]}, {options.c_out}"
        lines.append(["with", channels, f"{options.lr:g}", str(options.iterations), *shown, ""])
    head = ["barrier", "channels before, after", "learning rate", "iterations", "ρ", "networks", "paper (table 1)"]
    return "### Eproxy's barrier on NASBench-101\n\n" + table(head, lines)


def _rho_of_losses(losses: Sequence[float | None], truth: np.ndarray) -> list[str]:
    """Rho of minus the losses that there are with its interval, and their number; empty if there are too few."""
    found = [(loss, value) for loss, value in zip(losses, truth) if loss is not None]
    if len(found) < MIN_GROUP:
        return []
    x, y = -np.array([loss for loss, _ in found]), np.array([value for _, value in found])
    low, high = percentile_interval(bootstrap_spearman(x[None], y[None])[:, 0, 0])
    return [interval(spearman(x, y), float(low), float(high)), str(len(found))]


def sizes(pairs: Sequence[tuple[Scores, Networks]]) -> str:
    """Rho of the number of weights and of FLOPs with the accuracies of all published networks: no score is needed."""
    lines = []
    for _, networks in pairs:
        if networks.plan.drawn_as is not None:
            continue
        for task, published in networks.tables.items():
            truth = published.column(networks.plan.tasks[task][1])
            known = np.isfinite(truth)
            archs = [arch for arch, there in zip(published.architectures, known) if there]
            of_archs = np.stack(list(networks.sizes(task, archs).values()))
            weights, macs = spearman_matrix(of_archs, truth[known][None])[:, 0]
            title = f"{networks.plan.group}, {task if len(networks.plan.tasks) > 1 else networks.plan.title}"
            lines.append([title, f"{len(archs):,}", number(float(weights)), number(float(macs))])
    return table(["all published networks of", "networks", "ρ of params", "ρ of flops"], lines)


def doubled_inputs(networks: Networks, whole: ArrayTable) -> str:
    """CRoZe beside size on DARTS cells, apart for those in which two edges of a node come from one input."""
    (task,) = networks.plan.tasks
    doubled = np.array([feeds_twice(networks.space.parse(arch)) for arch in whole.architectures])
    usable = np.isfinite(whole.column("croze"))
    lines = []
    for title, rows in (("all", usable), ("with doubled inputs", usable & doubled), ("without", usable & ~doubled)):
        if rows.sum() < MIN_GROUP:
            continue
        columns = {name: whole.column(name) for name in ("params", "croze")}
        found = correlate([restricted(whole, columns, rows)], networks.collection, [networks.column(task)]).proxies
        croze, params = (next(iter(found[name].values())) for name in ("croze", "params"))
        lines.append(
            [
                title,
                str(int(rows.sum())),
                interval(params.spearman, params.low, params.high),
                interval(croze.spearman, croze.low, croze.high),
                interval(croze.partial_given_params, croze.partial_low, croze.partial_high),
            ]
        )
    return table(["cells", "networks", "ρ of params", "ρ of croze", "ρ of croze given params"], lines)


def feeds_twice(genotype: Genotype) -> bool:
    """Whether both edges of a node, in either cell, come from the same input."""
    return any(
        cell[at][1] == cell[at + 1][1] for cell in (genotype.normal, genotype.reduce) for at in range(0, len(cell), 2)
    )


def predictions(networks: Networks, whole: ArrayTable) -> str:
    """R² and Kendall's tau of a predictor on graph features, and of a random forest on the proxies."""
    targets: dict[str, tuple[str, ...]] = {task: (networks.column(task),) for task in networks.plan.tasks}
    columns = [column for one in targets.values() for column in one]
    proxies = [name for name in whole.names() if name not in networks.plan.shorter]
    lines: dict[str, list[list[str]]] = {task: [] for task in targets}
    for title, features in (("graph", "graph"), ("proxies, params, flops", "proxies")):
        data = prediction_data(networks.collection, columns, features, [whole], proxies if features != "graph" else ())
        found = predict(data, targets, Protocol(MODELS[features], SPLITS))
        for task, of_task in lines.items():
            r2, tau = (spread(*found.fit.spread(key, task)) for key in ("r2", "kendall"))
            of_task.append([task, title, str(found.n), r2, tau])
    return table(["task", "features", "networks", "R²", "τ"], [line for of_task in lines.values() for line in of_task])
