"""Table 7 of the paper: how many strings of NAS-Bench-201 are looked up until the best one is among them.

Ageing evolution searches with the loss of Eproxy as its fitness and looks nothing up. The strings of its history are
then looked up in the order of their losses, the lowest first, until the one with the best validation accuracy of all
strings is found. The same evolution on the accuracies themselves stands beside it: it looks up each string it proposes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.goal import Goal
from nas.core.seeds import derive
from nas.search_spaces import SearchSpace
from nas.strategies.evolution import Evolution
from nas.studies.markdown import table
from nas.studies.papers.networks import Networks, key_of
from nas.studies.papers.picking import Picked, pick, relative_flops, with_flops
from nas.studies.papers.published import QUERIES
from nas.studies.papers.scoring import Report, Scores, Workers, pool_of
from nas.studies.string_space import string_space

QUERY_PLAN, SELECTED_BY, PICKED_ON = "nasbench201", "val", "cifar10"
SEARCHES = 4  # with Eproxy; the paper has the mean of ten
SEARCHES_ON_TABLE = 10
STRINGS = 500  # in the history of a search with Eproxy
MAX_PROPOSALS = 20  # for each string of a history, after which a search ends

Fitness = Callable[[str], "float | None"]


class Missing(LookupError):
    """The row of a network that a search asks about is not there yet."""


def evolve(
    space: SearchSpace[Any], fitness: Fitness, strings: int, seed: int, until: frozenset[str] = frozenset()
) -> dict[str, float]:
    """The history of an evolution, in its order: the fitness (higher is better) of each string that has one.

    It ends with `strings` different strings, with one of `until`, or after `MAX_PROPOSALS` proposals for each string.
    """
    evolution = Evolution(string_space(space), (Goal("fitness"),), derive(seed, "papers queries"))
    history: dict[str, float] = {}
    for _ in range(MAX_PROPOSALS * strings):
        (arch,) = evolution.ask(1)
        value = fitness(str(arch))
        evolution.tell(arch, None if value is None else {"fitness": value})
        if value is not None:
            history[str(arch)] = value
        if len(history) == strings or str(arch) in until:
            break
    return history


def position(order: list[str], best: frozenset[str]) -> int | None:
    """The number of strings up to the first one in `best`; None if there is none."""
    return next((count for count, text in enumerate(order, 1) if text in best), None)


def ranked(history: dict[str, float]) -> list[str]:
    """The strings by their fitness, the best first; those of equal fitness in the order of the history."""
    return sorted(history, key=lambda text: -history[text])


def score_queries(scores: Scores, networks: Networks, images: Path, report: Report) -> None:
    """The losses of the strings that the searches ask about, under the release's setting and the one picked by DPS.

    Isomorphic strings share the row of their representative. With a limit of networks, there are as many searches.
    """
    workers = Workers(scores, networks, images)

    def loss(setting: str, arch: str) -> float | None:
        key = setting, key_of(arch)
        if key not in scores.queries.rows:
            scores.queries.add(key, workers.timed_loss(arch, setting))
        return scores.queries.rows[key][1]

    for title, setting in settings_of(scores, networks).items():
        for seed in range(SEARCHES)[: networks.limit]:
            evolve(networks.space, _by_loss(networks, setting, loss), STRINGS, seed)
            report(f"queries: {len(scores.queries.rows)} losses, {title}, search {seed + 1}")


def settings_of(scores: Scores, networks: Networks) -> dict[str, Picked]:
    """The release's setting of Eproxy and, if the pool has rows, the one picked with CIFAR-10 labels."""
    release = Picked(pool_of(scores.plan, scores.size)[0], 0.0, float("nan"), float("nan"))
    picked = pick(Scores(scores.plan, scores.size, scores.rows), networks, PICKED_ON)  # a reader: no file is locked
    return {"eproxy": release} if picked is None else {"eproxy": release, "eproxy+dps": picked}


def _by_loss(networks: Networks, setting: Picked, loss: Callable[[str, str], float | None]) -> Fitness:
    """Minus the loss of the representative of a string's class; None for one without a loss."""
    space = networks.space

    def fitness(text: str) -> float | None:
        arch = space.canonical(space.parse(text))
        if not space.connected(arch):
            return None
        value = with_flops(loss(setting.trained, str(arch)), setting.alpha, relative_flops(networks, str(arch)))
        return None if value is None else -value

    return fitness


def queries_table(scores: Scores, networks: Networks) -> str:
    """The mean number of look-ups of the searches that reach the best string, and how many do, beside Table 7.

    Searches with Eproxy whose losses are not all there yet are left out. Those with DPS need `LABELS` look-ups more.
    """
    tasks = networks.plan.tasks
    lines = [[f"{name} (paper)", *(f"{row[task]:,}" for task in tasks)] for name, row in QUERIES.items()]
    best = {task: _best(networks, task) for task in tasks}
    lines.append(["evolution on the accuracies", *(_on_table(networks, task, best[task]) for task in tasks)])

    def loss(setting: str, arch: str) -> float | None:
        try:
            return scores.queries.rows[setting, key_of(arch)][1]
        except KeyError as error:
            raise Missing from error

    for title, setting in settings_of(scores, networks).items():
        orders = []
        for seed in range(SEARCHES):
            try:
                orders.append(ranked(evolve(networks.space, _by_loss(networks, setting, loss), STRINGS, seed)))
            except Missing:
                continue
        if orders:
            lines.append([title, *(in_short([position(order, best[task]) for order in orders]) for task in tasks)])
    return "### Queries to the optimum of NAS-Bench-201, in strings\n\n" + table(["search", *tasks], lines)


def _on_table(networks: Networks, task: str, best: frozenset[str]) -> str:
    accuracy = networks.tables[task]
    values = dict(zip(accuracy.architectures, accuracy.column(SELECTED_BY).tolist()))
    histories = (evolve(networks.space, values.get, len(values), seed, best) for seed in range(SEARCHES_ON_TABLE))
    return in_short([position(list(history), best) for history in histories])


def in_short(found: list[int | None]) -> str:
    """The mean of the searches that reach the best string, and how many of them do."""
    reached = [number for number in found if number is not None]
    return f"{np.mean(reached):,.1f} ({len(reached)} of {len(found)})" if reached else f"– (0 of {len(found)})"


def _best(networks: Networks, task: str) -> frozenset[str]:
    """The strings with the best validation accuracy of a task."""
    accuracies = networks.tables[task]
    values = accuracies.column(SELECTED_BY)
    return frozenset(accuracies.architectures[row] for row in np.flatnonzero(values == np.nanmax(values)))
