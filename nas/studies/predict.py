"""How well a predictor predicts the published accuracies of architectures that it has not seen.

Source of the protocol: Lukasik, Moeller and Keuper, "An Evaluation of Zero-Cost Proxies - from Neural Architecture
Performance Prediction to Model Robustness" (2023): a random forest on proxy values, 80 % of the classes to train on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np

from nas.core.errors import InputError
from nas.core.execution.executor import ExecutorSettings, results_of
from nas.core.seeds import derive
from nas.core.statistics.ranks import kendall
from nas.strategies.predictors import PREDICTORS
from nas.studies.prediction_data import PredictionData
from nas.studies.prediction_result import Fit, PredictionResult, TopFeature

MODELS = {"proxies": "forest", "graph": "auto", "both": "auto"}  # by features: the paper's model, or the project's own
PAPER = "paper"  # one split, as published
PAPER_SEED = 42
MAX_SPLITS = 1000
TEST_SHARE = 0.2
CURVE = (10, 20, 50, 100, 200, 500)  # labelled architectures
CURVE_SEEDS = 20


@dataclass(frozen=True)
class Protocol:
    """How predictions are measured."""

    model: str
    splits: str = "10"  # number of random splits, or `paper`
    seed: int = 0
    curves: bool = False
    study: bool = False

    def seeds(self) -> list[int]:
        """One seed per split, for its draw and its model. Raises InputError if `splits` is impossible."""
        if self.splits == PAPER:
            return [PAPER_SEED]
        if not self.splits.isdecimal() or not 1 <= int(self.splits) <= MAX_SPLITS:
            raise InputError(f"Expected --splits of {PAPER} or between 1 and {MAX_SPLITS} but got {self.splits!r}.")
        return [self.seed + number for number in range(int(self.splits))]


@dataclass(frozen=True)
class FitJob:
    """One fit for each of `targets`."""

    seed: int
    size: int | None = None  # labelled architectures; by default 80 % of all
    targets: tuple[str, ...] = ()  # all, if none are named
    without: str | None = None  # the feature to leave out
    alone: str | None = None  # the only feature


@dataclass(frozen=True)
class _Scores:
    """How well one fit does, by target."""

    r2: dict[str, float]
    kendall: dict[str, float]
    importances: dict[str, np.ndarray]


@dataclass(frozen=True)
class Fits:
    """Carries out jobs, in this process or in another one."""

    data: PredictionData
    targets: dict[str, tuple[str, ...]]
    model: str

    def __call__(self, job: FitJob) -> _Scores:
        from sklearn.metrics import r2_score

        train, test = self.split(job)
        used = [at for at, name in enumerate(self.data.names) if name != job.without and job.alone in (None, name)]
        x = np.take(self.data.features, used, axis=1)
        kind = PREDICTORS.get(self.model)
        wanted = {name: self.targets[name] for name in job.targets or self.targets}
        all_at_once = getattr(kind, "together", False) and not job.targets
        groups = [tuple(dict.fromkeys(sum(wanted.values(), ())))] if all_at_once else list(wanted.values())
        fits = {}
        for group in groups:
            labels = self._values(group)[train]
            predictor = kind(job.seed).fit(x[train], labels[:, 0] if len(group) == 1 else labels)
            mean = predictor.predict(x[test]).mean.reshape(len(test), -1)
            fits[group] = mean, getattr(predictor, "importances", None)
        scores = _Scores({}, {}, {})
        for name, columns in wanted.items():
            group = groups[0] if all_at_once else columns
            mean, importances = fits[group]
            guess = mean[:, [group.index(column) for column in columns]]
            truth = self._values(columns)[test]
            scores.r2[name] = float(r2_score(truth, guess))
            scores.kendall[name] = float(np.mean([kendall(a, b) for a, b in zip(truth.T, guess.T)]))
            if importances is not None:
                scores.importances[name] = importances
        return scores

    def split(self, job: FitJob) -> tuple[np.ndarray, np.ndarray]:
        """Training and test rows: scikit-learn's split by the job's seed, or `size` random rows and all others."""
        from sklearn.model_selection import train_test_split

        n = len(self.data.classes)
        if job.size is None:
            train, test = train_test_split(np.arange(n), test_size=TEST_SHARE, random_state=job.seed % 2**32)
            return train, test
        order = np.random.default_rng(derive(job.seed, "labelled")).permutation(n)
        return order[: job.size], order[job.size :]

    def _values(self, columns: Sequence[str]) -> np.ndarray:
        """The accuracies (n, columns)."""
        return self.data.values[:, [self.data.columns.index(column) for column in columns]]


def predict(
    data: PredictionData,
    targets: dict[str, tuple[str, ...]],
    protocol: Protocol,
    how: ExecutorSettings | None = None,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> PredictionResult:
    """R² and Kendall's tau on the test parts, mean and standard deviation over the splits, and importances.

    `curves` adds predictions from a few labelled architectures; `study` adds, for each target, predictions without the
    most important feature and with it alone. For a target of several columns, one model has as many outputs, and R² is
    their mean. A model whose `together` is true is fitted once to all targets, but to one at a time in a `study`.

    Raises InputError if the model has no importances for a `study`, and NasError if a fit fails.
    """
    if protocol.study and (len(data.names) < 2 or not hasattr(PREDICTORS.get(protocol.model), "importances")):
        raise InputError(
            f"Expected a model with importances, and two features, for --study but got {protocol.model} and "
            f"{len(data.names)}; --model forest has importances."
        )
    fits = Fits(data, targets, protocol.model)
    splits = [FitJob(seed) for seed in protocol.seeds()]
    sizes = [size for size in CURVE if protocol.curves and size <= len(data.classes) // 2]
    by_size = {size: [FitJob(protocol.seed + number, size) for number in range(CURVE_SEEDS)] for size in sizes}
    jobs = [*splits, *chain(*by_size.values())]
    total = len(jobs) + (2 * len(targets) * len(splits) if protocol.study else 0)

    def scores_of(jobs: list[FitJob], before: int) -> dict[FitJob, _Scores]:
        done = results_of(fits, jobs, how, "A prediction", lambda finished: tick(before + len(finished), total))
        return {job: scores for job, (scores, _) in done.items()}

    scores = scores_of(jobs, 0)
    of_splits = [scores[job] for job in splits]
    importances = _importances(of_splits, data.names)
    curves = {str(size): _averaged([scores[job] for job in of_size]) for size, of_size in by_size.items()}
    tops = None
    if protocol.study:
        tops = _without_and_alone(data.names, protocol, importances, partial(scores_of, before=len(jobs)))
    return PredictionResult(
        n=len(data.classes),
        rows=data.rows,
        dropped=data.dropped,
        model=protocol.model,
        library=PREDICTORS.get(protocol.model)(0).library,
        splits=protocol.splits,
        feature_count=len(data.names),
        targets={name: list(columns) for name, columns in targets.items()},
        fit=_averaged(of_splits),
        importances=importances,
        curves=curves if protocol.curves else None,
        study=tops,
    )


def _without_and_alone(
    names: Sequence[str],
    protocol: Protocol,
    importances: dict[str, dict[str, float]],
    scores_of: Callable[[list[FitJob]], dict[FitJob, _Scores]],
) -> dict[str, TopFeature]:
    """For each target, R² without its most important feature and with it alone."""
    jobs: dict[str, tuple[str, list[FitJob], list[FitJob]]] = {}
    for target, of_features in importances.items():
        top = max(of_features, key=lambda name: of_features[name])
        without = [FitJob(seed, targets=(target,), without=top) for seed in protocol.seeds()]
        jobs[target] = top, without, [FitJob(seed, targets=(target,), alone=top) for seed in protocol.seeds()]
    scores = scores_of([job for _, without, alone in jobs.values() for job in (*without, *alone)])
    tops = {}
    for target, (top, *parts) in jobs.items():
        of_others, of_top = ([scores[job] for job in part] for part in parts)
        remaining = _importances(of_others, [name for name in names if name != top])[target]
        tops[target] = TopFeature(
            top, *_averaged(of_others).spread("r2", target), remaining, *_averaged(of_top).spread("r2", target)
        )
    return tops


def _averaged(scores: Sequence[_Scores]) -> Fit:
    """Mean and standard deviation (0 of a single value) of R² and of tau by target; None where undefined."""
    parts: list[dict[str, float | None]] = []
    for key in ("r2", "kendall"):
        values = {name: np.array([getattr(one, key)[name] for one in scores]) for name in getattr(scores[0], key)}
        parts.append({name: _number(of_target.mean()) for name, of_target in values.items()})
        parts.append({name: _number(np.std(v, ddof=1)) if len(v) > 1 else 0.0 for name, v in values.items()})
    return Fit(*parts)


def _importances(scores: Sequence[_Scores], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """By target, each feature's importance (mean over the splits), the largest first; empty where a model has none."""
    importances = {}
    for target in scores[0].importances:
        mean = np.mean([one.importances[target] for one in scores], axis=0)
        importances[target] = {names[at]: float(mean[at]) for at in np.argsort(-mean, kind="stable")}
    return importances


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
