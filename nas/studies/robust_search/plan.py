"""Which runs the study consists of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

SEEDS = 20
QUERIES = 300  # a run for one column ends at the best cell, or after so many
FRONT_QUERIES = 192
COLUMNS = {  # objectives, and the data set of their table
    "cifar10 accuracy:val": "cifar10",
    "ImageNet16-120 accuracy:val": "ImageNet16-120",
    "clean": "",  # this and the next ones: the robustness dataset
    "fgsm@1": "",
    "pgd@1": "",
    "hrs:fgsm@1": "",
    "hrs:pgd@1": "",
}
STRATEGIES = ("random", "evolution", "guided", "bo", "bananas", "bo-graph")
GOALS = "clean+fgsm@1+pgd@1"
ONE_GOAL = "hrs:pgd@1"  # of strategies for one objective: the harmonic mean of clean and PGD accuracy
FRONT_STRATEGIES = ("random", "evolution", "nsga2", "evolution-ranks", "xgb", "bo", "guided", "bo-graph")
SEVERAL = ("nsga2", "evolution-ranks")  # those that see the three goals
POPULATIONS = ("nsga2.population=30", "evolution-ranks.population=30", "evolution-ranks.tournament=10")
LIMITS = ("edgegpu_latency<=4", "edgegpu_latency<=6")


class Task(NamedTuple):
    """One run: `objective` of COLUMNS without a limit, or GOALS within a limit."""

    strategy: str
    objective: str
    limit: str
    seed: int


def tasks() -> Iterator[Task]:
    """All runs, in the order in which they are made."""
    for seed in range(SEEDS):
        for limit in LIMITS:
            for name in FRONT_STRATEGIES:
                yield Task(name, GOALS, limit, seed)
        for column in COLUMNS:
            for name in STRATEGIES:
                yield Task(name, column, "", seed)
