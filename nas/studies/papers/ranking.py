"""How well each proxy ranks the judged networks of a task, how well size does, and how well anything could."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import numpy as np

from nas.core.statistics.ranks import Estimate, spearman, spearman_difference
from nas.searches.dps_fitness import retrieval
from nas.studies.correlate import ProxyCorrelation, correlate
from nas.studies.papers.networks import Networks, key_of
from nas.studies.papers.picking import Picked, pick, picked_losses
from nas.studies.papers.scoring import Scores
from nas.tables import ArrayTable
from nas.tables.base import Table

DPS = "eproxy+dps"
LOWER_IS_BETTER = ("eproxy",)
CEILING_DRAWS = 20
MIN_GAIN = 20


@dataclass(frozen=True)
class Ranked:
    """A proxy on one task: its correlations, and the part of the best tenth that is in its best tenth."""

    correlation: ProxyCorrelation
    top10: float


@dataclass(frozen=True)
class Gain:
    """Eproxy under the setting that a task picked beside that of the release, on the networks scored with both."""

    n: int
    plain: float
    dps: float
    difference: Estimate  # of the two rhos, paired
    top10: float


@dataclass(frozen=True)
class TaskRanking:
    """All proxies on the networks of one task for which every one of them has a value."""

    n: int
    proxies: dict[str, Ranked]
    rho_with_params: dict[str, float | None]
    picked: Picked | None
    gain: Gain | None  # None while fewer than `MIN_GAIN` networks are scored under the picked setting


def score_table(scores: Scores, networks: Networks) -> ArrayTable:
    """The scores of the judged networks that have a row, with the sizes of the published networks.

    Accuracies after shorter trainings, where a benchmark has them, stand beside the proxies.
    """
    archs = [arch for arch in networks.judged if (key_of(arch),) in scores.proxies.rows]
    columns = {
        name: _column([scores.proxies.rows[(key_of(arch),)][1 + place] for arch in archs])
        for place, name in enumerate(scores.plan.proxies)
    }
    for name, column in scores.plan.shorter.items():
        columns[name] = next(iter(networks.tables.values())).values(column, archs)
    columns |= networks.sizes(next(iter(networks.tables)), archs)
    return ArrayTable(f"{scores.plan.name}.csv", archs, columns, networks.space, own=True)


def rank(scores: Scores, networks: Networks, task: str, table: ArrayTable) -> TaskRanking:
    """Correlations of every proxy with a task's accuracies, on the networks for which all have a value.

    Eproxy under the setting that the task picked takes part as soon as it has a loss for each of these networks.
    Raises InputError if fewer than three networks have a row.
    """
    picked = pick(scores, networks, task) if scores.plan.settings else None
    losses = {} if picked is None else picked_losses(scores, networks, picked)
    columns = dict(table.columns)
    done = [arch in losses for arch in table.architectures]
    if sum(done) >= 0.9 * len(done) and any(done):
        columns[DPS] = np.array([-losses.get(arch, math.nan) for arch in table.architectures])
    whole = restricted(table, columns, np.all([np.isfinite(values) for values in columns.values()], axis=0))
    result = correlate([whole], networks.collection, [networks.column(task)])
    accuracies = [float(value) for value in networks.accuracies(task, list(whole.architectures))]
    ranked = {}
    for name, of_columns in result.proxies.items():
        values = whole.column(name) if name in LOWER_IS_BETTER else -whole.column(name)
        (correlation,) = of_columns.values()
        ranked[name] = Ranked(correlation, retrieval([float(value) for value in values], accuracies))
    return TaskRanking(result.n, ranked, result.rho_with_params, picked, _gain(networks, task, table, losses))


def _gain(networks: Networks, task: str, table: ArrayTable, losses: Mapping[str, float]) -> Gain | None:
    if "eproxy" not in table.columns:
        return None
    own = dict(zip(table.architectures, table.column("eproxy")))
    archs = [arch for arch in losses if math.isfinite(own.get(arch, math.nan))]
    if len(archs) < MIN_GAIN:
        return None
    plain, dps = (np.array([-values[arch] for arch in archs]) for values in (own, losses))
    truth = networks.accuracies(task, archs)
    difference = spearman_difference(dps, plain, truth)
    top10 = retrieval([-float(value) for value in dps], [float(value) for value in truth])
    return Gain(len(archs), spearman(plain, truth), spearman(dps, truth), difference, top10)


def restricted(table: ArrayTable, columns: Mapping[str, np.ndarray], rows: np.ndarray) -> ArrayTable:
    """The architectures of a table whose entry in `rows` (n,) is true, with these columns."""
    archs = [arch for arch, there in zip(table.architectures, rows) if there]
    return ArrayTable(table.source, archs, {k: v[rows] for k, v in columns.items()}, table.space, own=True)


def noise_ceiling(table: Table, column: str) -> tuple[int, float, float]:
    """The number of classes with several trained strings, rho of two of their strings, and the ceiling sqrt(rho).

    Strings of one class compute the same function and were trained one by one, so the rho r of two of them is the
    reliability of the accuracies, and a perfect ranking of the true accuracies has sqrt(r) with measured ones
    (Spearman 1904). r is the mean of `CEILING_DRAWS` random choices of two strings per class.
    """
    values = table.column(column)
    members: dict[str, list[int]] = {}
    for row, name in enumerate(table.classes):
        if np.isfinite(values[row]):
            members.setdefault(name, []).append(row)
    several = [rows for _, rows in sorted(members.items()) if len(rows) > 1]
    rng = Random(0)
    rhos = []
    for _ in range(CEILING_DRAWS):
        pairs = np.array([rng.sample(rows, 2) for rows in several])
        rhos.append(spearman(values[pairs[:, 0]], values[pairs[:, 1]]))
    reliability = float(np.mean(rhos))
    return len(several), reliability, math.sqrt(max(0.0, reliability))


def _column(values: list[float | None]) -> np.ndarray:
    return np.array([math.nan if value is None else value for value in values])
