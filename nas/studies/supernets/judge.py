"""How found cells compare with random ones on published tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from statistics import fmean, median

import numpy as np

from nas.core.errors import InputError
from nas.core.io.records import Record
from nas.core.statistics.paired import holm
from nas.core.statistics.repetitions import sign_flip, uniform_sum
from nas.search_spaces import NASBench201
from nas.search_spaces.nasbench201.cell import Cell
from nas.studies.supernets.plan import COMPARISONS, OWN, VARIANTS, Variant
from nas.studies.supernets.runs import Found
from nas.tables import Collection

TESTED = "hrs:pgd@1"  # of cells with standard training
ADVERSARIAL = "robbench:hrs:pgd@8"  # of cells with adversarial training (NAS-RobBench-201)
OF_ROBBENCH = ("robbench:clean", "robbench:fgsm@8", "robbench:pgd@8", "robbench:autoattack", ADVERSARIAL)
MIN_PAIRS = 6  # with fewer seeds no p-value of a sign-flip test is below .05
RANDOM, DRAWS = "random cells", 20
WIDEST = "six 3x3 convolutions"  # the largest cell, and what a search by `params` finds


@dataclass(frozen=True)
class Judged(Record):
    """All searches of a strategy of one length."""

    strategy: str
    length: str
    seeds: int
    percentiles: dict[str, list[float | None]]  # by column, one of each seed, of the cells without `none`
    among_equals: dict[str, list[float | None]]  # by tested column, of the cells with as many 3×3 convolutions
    convolutions: float  # mean number of 3×3 ones
    skips: float
    passes: float
    seconds: float
    agreement: float | None  # mean share of edges with the same operation, over pairs of seeds
    p_random: dict[str, float] = field(default_factory=dict)  # by tested column, of being random cells; Holm over rows


@dataclass(frozen=True)
class Comparison(Record):
    """The percentile of a strategy in a tested column minus that of its base, over common seeds; Holm over those of
    the column."""

    column: str
    strategy: str
    base: str
    seeds: int
    difference: float
    p: float


@dataclass(frozen=True)
class RandomCells:
    """All 4,096 cells without `none`, each with the values of its class."""

    tables: Collection
    columns: Sequence[str]

    @property
    def tested(self) -> list[str]:
        """The columns by which searches are tested, as far as they are known."""
        return [name for name in (TESTED, ADVERSARIAL) if name in self.columns]

    @cached_property
    def cells(self) -> list[Cell]:
        return [cell for cell in NASBench201() if "none" not in cell.operations]

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """By column, (cells,); larger is better. Raises InputError if a table lacks some of the cells."""
        values = {column: self._of(column, self.cells) for column in self.columns}
        for column, numbers in values.items():
            if missing := int(np.isnan(numbers).sum()):
                raise InputError(
                    f"Expected a value of {column} for each of the {len(numbers):,} cells without none but {missing:,} "
                    "have none, and percentiles among the others would not be those of random cells; give the whole "
                    "table."
                )
        return values

    @cached_property
    def sizes(self) -> np.ndarray:
        return np.array([convolutions(cell) for cell in self.cells])

    def percentile(self, column: str, cell: Cell, equals: bool = False) -> float | None:
        """The percentage of cells that are worse; equal ones count half. `equals`: of those with as many 3×3 ones.

        None if the tables have no value of the cell, which has the operation `none` then.
        """
        from scipy.stats import percentileofscore

        values = self.values[column]
        among = values[self.sizes == convolutions(cell)] if equals else values
        value = self._of(column, [cell])[0]
        return float(percentileofscore(among, value, kind="mean")) if np.isfinite(value) else None

    def _of(self, column: str, cells: Sequence[Cell]) -> np.ndarray:
        space = NASBench201()
        sign = 1 if self.tables.higher_is_better(column) else -1
        return sign * self.tables.values(column, [str(space.canonical(cell)) for cell in cells])


def convolutions(cell: Cell) -> int:
    return cell.operations.count("nor_conv_3x3")


def judge(found: Sequence[Found], cells: RandomCells, variants: Sequence[Variant] = VARIANTS) -> list[Judged]:
    """A row for each variant and length, in the order of the plan, then random cells and the largest cell."""
    space, rows = NASBench201(), []
    for length in dict.fromkeys(one.length for one in found):
        for name in (variant.name for variant in variants):
            mine = [one for one in found if (one.strategy, one.length) == (name, length)]
            if mine:
                rows.append(_judged(name, length, mine, [space.parse(one.arch) for one in mine], cells))
    for column in cells.tested:
        rows = tested_against_random(rows, column)
    drawn = [cells.cells[number] for number in np.random.default_rng(0).permutation(len(cells.cells))[:DRAWS]]
    random = [Found(RANDOM, "", number, str(cell), 0, 0, 0) for number, cell in enumerate(drawn)]
    largest = Found(WIDEST, "", 0, str(space.largest()), 0, 0, 0)
    return [
        *rows,
        _judged(RANDOM, "", random, drawn, cells),
        _judged(WIDEST, "", [largest], [space.largest()], cells),
    ]


def tested_against_random(rows: Sequence[Judged], column: str) -> list[Judged]:
    """The rows with `p_random` of a column: percentiles of random cells are nearly uniform, up to equal cells."""
    known = [[value for value in row.percentiles[column] if value is not None] for row in rows]
    raw = [uniform_sum([value / 100 for value in values]) for values in known if values]
    corrected = iter(holm(raw))
    return [
        replace(row, p_random={**row.p_random, column: next(corrected)}) if values else row
        for row, values in zip(rows, known)
    ]


def _judged(name: str, length: str, found: Sequence[Found], archs: Sequence[Cell], cells: RandomCells) -> Judged:
    pairs = list(combinations(archs, 2))
    same = [fmean(a == b for a, b in zip(one.operations, other.operations)) for one, other in pairs]
    return Judged(
        name,
        length,
        len(found),
        {column: [cells.percentile(column, cell) for cell in archs] for column in cells.columns},
        {column: [cells.percentile(column, cell, equals=True) for cell in archs] for column in cells.tested},
        fmean(map(convolutions, archs)),
        fmean(cell.operations.count("skip_connect") for cell in archs),
        median(one.passes for one in found),
        median(one.seconds for one in found),
        fmean(same) if same else None,
    )


def compare(found: Sequence[Found], cells: RandomCells) -> list[Comparison]:
    """The planned comparisons that have enough common seeds, by exact sign-flip tests in each tested column."""
    return [one for column in cells.tested for one in _compared(found, cells, column)]


def _compared(found: Sequence[Found], cells: RandomCells, column: str) -> list[Comparison]:
    space, raw = NASBench201(), []
    percents = [(one, cells.percentile(column, space.parse(one.arch))) for one in found if one.length == OWN]
    by_seed = {(one.strategy, one.seed): percent for one, percent in percents if percent is not None}
    for strategy, base in COMPARISONS:
        seeds = [seed for name, seed in by_seed if name == strategy and (base, seed) in by_seed]
        if len(seeds) >= MIN_PAIRS:
            differences = [by_seed[strategy, seed] - by_seed[base, seed] for seed in seeds]
            raw.append((strategy, base, len(seeds), fmean(differences), sign_flip(differences)))
    corrected = holm([row[4] for row in raw])
    return [Comparison(column, *row[:4], p) for row, p in zip(raw, corrected)]
