"""Bayesian optimisation on what a cell's graph computes, for searches that can afford few evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nas.core.config.conditions import Condition
from nas.strategies.acquisition import acquisition, check_acquisition, log_expected_improvement
from nas.strategies.option_error import OptionError
from nas.strategies.pool import SAMPLED, Features, PoolOptions, PoolStrategy
from nas.strategies.predictors import Prediction, Predictor
from nas.strategies.predictors.matern import Matern, MaternOptions, centre_and_unit
from nas.strategies.whole_space import WholeSpace

MERGED = 200  # places of which some are for exploration; no batch is larger in practice
NEAR = 0.3  # of the median distance to the best, within which the logarithm flattens


@dataclass
class BOGraphOptions(PoolOptions):
    acquisition: str = "ei"  # or ucb, mean, thompson
    kappa: float = 3.0  # of ucb: mean + kappa · sd
    explore: int = 2  # every such proposal is the best by mean + kappa · sd instead; 0 for none
    length: float = 1.5  # of the kernel, in units of the typical distance of two architectures, √2
    noise: float = 0.01  # variance of the noise, as a part of the variance of the observations
    log: bool = True  # the process models the logarithm of the distance to the best observed, not the fitness
    batch: int = 1  # proposed between two fits

    def check(self) -> None:
        super().check()
        check_acquisition(self.acquisition)
        if self.explore < 0:
            raise OptionError(f"Expected explore >= 0 but got {self.explore}", "explore")
        self.process().check()

    def process(self) -> MaternOptions:
        return MaternOptions(self.length, self.noise, standardise=False)


class BOGraph(PoolStrategy):
    """Proposes the candidates of the largest expected improvement by a Gaussian process on the features.

    The features of all candidates are standardised together, so that the distance between two architectures is the same
    from the first query on; the kernel is a Matérn kernel of them. With y the fitness and b the best observed, the
    process models -log(b - y + m), m = .3·median(b - y) over the observations: it tells good architectures from better
    ones, and bad ones differ little, however bad they are. Every second proposal has the largest mean + kappa·sd
    instead: without it, searches stay where good architectures are known if the best is of another kind. Limited
    quantities are modelled as they are.
    The process: Rasmussen and Williams 2006; kernel, logarithm and settings were chosen for this project, on
    columns of NAS-Bench-201 that docs/studies/few-queries.md names.
    """

    name: ClassVar[str] = "bo-graph"
    references: ClassVar[tuple[str, ...]] = ("rasmussen2006gaussian",)
    Options: ClassVar[type] = BOGraphOptions
    conditions: ClassVar[Mapping[str, Condition]] = {
        "kappa": Condition(
            lambda options, space: bool(options.explore) or options.acquisition == "ucb",
            lambda options: f"with strategy.explore=0 strategy.acquisition={options.acquisition}",
        ),
        "candidates": SAMPLED,
        "parents": SAMPLED,
    }
    uses: ClassVar[frozenset[str]] = frozenset({"features"})

    def begin(self) -> None:
        super().begin()
        self._whole: WholeSpace | None = None  # a cache, not part of the state

    def _encoder(self) -> Features:
        assert self.hints.features is not None
        return self.hints.features

    def _scaled(self, seen: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        centre, unit = centre_and_unit(np.concatenate([seen, features]))
        return (seen - centre) / unit, (features - centre) / unit

    def _choose(self, count: int) -> list[Any]:
        """As in the base; in a small space by the same formulas, from distances that are computed once."""
        every = self._enumerated()
        if every is None:
            return super()._choose(count)
        if self._whole is None:
            self._whole = WholeSpace(every, np.array(self._allowed(every.archs), dtype=bool), self.options.process())
        whole = self._whole
        observed = np.array([every.rows[key] for key in self.observed])
        learnt = whole.known[observed]
        left = whole.usable.copy()
        left[[every.rows[key] for key in self.asked]] = False
        rows = np.flatnonzero(left)
        best: list[Any] = []
        if len(rows) and learnt.any():
            fitness = self._targets(np.array([fit for _, fit in self.observed.values()]))
            limited = [self._observed_quantities()] if self.limits else []
            targets = np.column_stack([fitness, *limited])[learnt]
            mean, sd = whole.predict(observed[learnt].tolist(), targets, rows)
            order = self._order(mean[:, 0], sd[:, 0], fitness, lambda: Prediction(mean[:, 1:], sd[:, 1:]))
            best = [every.archs[row] for row in rows[order[:count]]]
        return self._filled_up(best, count)

    def _targets(self, fitness: np.ndarray) -> np.ndarray:
        return log_distance(fitness) if self.options.log else fitness

    def _model(self, seed: int) -> Predictor:
        return Matern(seed, self.options.process())

    def _acquisition(self, mean: np.ndarray, sd: np.ndarray, best: float, noise: np.random.Generator) -> np.ndarray:
        options = self.options
        if options.acquisition == "ei":
            worth = log_expected_improvement(mean, sd, best)
        else:
            worth = acquisition(options.acquisition, mean, sd, best, options.kappa, noise)
        if not options.explore:
            return worth
        return taken_in_turn(worth, mean + options.kappa * sd, options.explore, len(self.asked))


def taken_in_turn(first: np.ndarray, second: np.ndarray, every: int, begun: int) -> np.ndarray:
    """Numbers (n,) that fall in the order in which both rankings are taken in turn; each row is taken once.

    Place number p from `begun` on is the best row left by `second` if p + 1 is a multiple of `every`, else by `first`.
    After `MERGED` places the rest follow by `first`.
    """
    places = min(MERGED, len(first))
    orders = [_best_rows(one, places) for one in (first, second)]
    taken: dict[int, None] = {}
    at = [0, 0]
    for place in range(begun, begun + places):
        which = int((place + 1) % every == 0)
        while orders[which][at[which]] in taken:
            at[which] += 1
        taken[orders[which][at[which]]] = None
    worth = first - first.max() - places  # of the rest
    worth[list(taken)] = -np.arange(places)
    return worth


def _best_rows(values: np.ndarray, count: int) -> list[int]:
    """The rows of the `count` largest numbers, the largest first; of equal ones the first."""
    rows = np.sort(np.argpartition(-values, count - 1)[:count])
    best: list[int] = rows[np.argsort(-values[rows], kind="stable")].tolist()
    return best


def log_distance(fitness: np.ndarray) -> np.ndarray:
    """-log(b - y + m) of the fitness y (n,): b the best, m = .3·median(b - y); all equal if no two differ."""
    distance = fitness.max() - fitness
    near = NEAR * np.median(distance) or NEAR * distance.max()
    return -np.log(distance + near) if near > 0 else np.zeros(len(fitness))
