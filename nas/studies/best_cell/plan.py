"""Which runs the study consists of, and in which order they are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

OBJECTIVE, TEST = "accuracy:val", "accuracy:test"
IMAGES = ("cifar10", "cifar100", "ImageNet16-120")  # those without a file in the folder of data are left out
HARDWARE = ("cifar100", "ImageNet16-120")  # whose latencies are limited
EDGE_GPU = tuple(f"edgegpu_latency<={bound}" for bound in (2, 4, 6, 8))
PIXEL3 = tuple(f"pixel3_latency<={bound}" for bound in (2, 4, 6))
QUERIES, MORE = 192, 400  # queries of a run: of most, and of a few longer ones
MILESTONES = (96, QUERIES, MORE)  # after how many queries the best is noted
SEEDS, CONTROL_SEEDS, FEW_SEEDS = 100, 20, 10  # runs: of a strategy, of a control, with limits or more queries
BLOCK = 2  # runs that are made one after the other before it is another strategy's turn


class Variant(NamedTuple):
    """A strategy with its options."""

    name: str
    strategy: str
    options: tuple[str, ...] = ()
    seconds: float = 1.0  # of a run of 192 queries on one core, roughly
    control: bool = False  # of agnet
    learns_limits: bool = True  # whether it learns the limited column


VARIANTS = (
    Variant("random", "random", seconds=0.1, learns_limits=False),
    Variant("local", "local-naszilla", seconds=0.1, learns_limits=False),
    Variant("evolution", "evolution-naszilla", seconds=0.1, learns_limits=False),
    Variant("bananas", "bananas", seconds=2),
    Variant("bo", "bo", seconds=6),
    Variant("xgb", "xgb", seconds=4),
    Variant("xgb-rank", "xgb-rank", seconds=4),
    Variant("guided", "guided", seconds=5),
    Variant("agnet", "agnet", seconds=25),
    Variant("agnet, random pick", "agnet", ("pick=random",), 25, True),
    Variant("agnet, unweighted", "agnet", ("weighted=false",), 25, True),
    Variant("agnet, no gradient", "agnet", ("gradient=false",), 25, True),
    Variant("agnet, marginals", "agnet", ("generator=marginals",), 15, True),
)


class Task(NamedTuple):
    """What is searched: accuracy on a set of images, perhaps within a limit, with a number of queries."""

    images: str
    limit: str = ""
    joint: bool = False
    queries: int = QUERIES


class Block(NamedTuple):
    """Runs of one variant on one task."""

    variant: Variant
    task: Task
    seeds: range

    @property
    def seconds(self) -> float:
        """Roughly the time of all runs on one core."""
        learnt = 2 if self.task.limit and self.variant.learns_limits else 1  # a second model
        return self.variant.seconds * self.task.queries / QUERIES * len(self.seeds) * learnt


def blocks() -> list[Block]:
    """All runs, in the order in which they are made: what is needed most and costs least comes first."""
    ranked = sorted((stage, number, block) for number, (stage, block) in enumerate(_staged()))
    return [block for _, _, block in ranked]


def _staged() -> Iterator[tuple[int, Block]]:
    """Each block with its stage; those of a stage are made in this order."""
    for first in range(0, SEEDS, BLOCK):
        for variant in VARIANTS:
            if first < (CONTROL_SEEDS if variant.control else SEEDS):
                for images in IMAGES:
                    yield _stage(variant, first), Block(variant, Task(images), range(first, first + BLOCK))
    few = range(FEW_SEEDS)
    for variant in VARIANTS:
        if variant.control:
            continue
        for limit in (*EDGE_GPU, *PIXEL3):
            for joint in (False, True)[: 1 + variant.learns_limits]:
                for images in HARDWARE:
                    stage = 0 if not variant.learns_limits else 3 if limit in EDGE_GPU and not joint else 5
                    yield stage, Block(variant, Task(images, limit, joint), few)
        for images in IMAGES:
            stage = 0 if not variant.learns_limits else 6
            yield stage, Block(variant, Task(images, queries=MORE), few)


def _stage(variant: Variant, first: int) -> int:
    """Of runs with 192 queries and without a limit."""
    if not variant.learns_limits:
        return 0
    if first < FEW_SEEDS:
        return 2 if variant.control else 1
    return 7 if variant.strategy == "agnet" else 4
