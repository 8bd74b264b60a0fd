"""What a mended search shall reach, which searches reach it, and the best two of a screening."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from nas.core.io.records import Record
from nas.search_spaces import NASBench201
from nas.search_spaces.nasbench201.cell import Cell
from nas.studies.supernets.judge import TESTED, RandomCells, convolutions
from nas.studies.supernets.plan import Variant
from nas.studies.supernets.runs import Found
from nas.studies.supernets.screening import BASE

PERCENTILE = 95  # in TESTED among all cells without `none`
AMONG_EQUALS = 50  # among those with as many 3×3 convolutions
MOST_CONVOLUTIONS = 4  # with more of them a cell is good for its size
SEEDS_NEEDED = 4  # of five


@dataclass(frozen=True)
class Goal(Record):
    """The seeds with which a variant meets the goal, and its percentile in TESTED minus that of `base`."""

    strategy: str
    seeds: list[int]
    met: list[bool]  # by seed
    reached: bool  # with four seeds or more
    common_seeds: int  # with the base
    difference: float | None  # mean over these


def meets(cell: Cell, cells: RandomCells) -> bool:
    """Whether a cell is above 95 % of the random ones, above the median of its equals, and has at most four 3×3
    convolutions."""
    whole, equals = cells.percentile(TESTED, cell), cells.percentile(TESTED, cell, equals=True)
    if whole is None or equals is None:
        return False
    return whole > PERCENTILE and equals > AMONG_EQUALS and convolutions(cell) <= MOST_CONVOLUTIONS


def goals(found: Sequence[Found], cells: RandomCells, variants: Sequence[Variant]) -> list[Goal]:
    """A row for each variant that has finished searches, in the order of the plan."""
    space, rows = NASBench201(), []
    percents = {(one.strategy, one.seed): cells.percentile(TESTED, space.parse(one.arch)) for one in found}
    for name in (variant.name for variant in variants):
        mine = sorted((one for one in found if one.strategy == name), key=lambda one: one.seed)
        differences = [
            own - base
            for one in mine
            if (own := percents[name, one.seed]) is not None
            and (base := percents.get((BASE.name, one.seed))) is not None
        ]
        if mine:
            met = [meets(space.parse(one.arch), cells) for one in mine]
            mean = fmean(differences) if differences else None
            seeds = [one.seed for one in mine]
            rows.append(Goal(name, seeds, met, sum(met) >= SEEDS_NEEDED, len(differences), mean))
    return rows


def best(found: Sequence[Found], cells: RandomCells, variants: Sequence[Variant], count: int = 2) -> list[str]:
    """The variants that meet the goal with most seeds; of equal ones those with the larger median percentile.

    The base is none of them. Of variants that are still equal, the first of the plan is the better.
    """
    space = NASBench201()

    def rank(goal: Goal) -> tuple[int, float]:
        cell_of = [space.parse(one.arch) for one in found if one.strategy == goal.strategy]
        return sum(goal.met), median(cells.percentile(TESTED, cell) or 0.0 for cell in cell_of)

    known = [one for one in goals(found, cells, variants) if one.strategy != BASE.name]
    return [one.strategy for one in sorted(known, key=rank, reverse=True)[:count]]
