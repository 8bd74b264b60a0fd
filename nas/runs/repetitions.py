"""Several runs of the same settings under different seeds: means, deviations and paired tests over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.core.statistics.repetitions import mean_and_deviation, sign_flip, smallest_p, t_test
from nas.results import CLEAN, Correct, EvalResult, Repeated, RepeatedDifference, RepeatedModel, RunResult, StudyResult

CORRUPTIONS = "corruptions"
SCORE = "hrs:"  # before the name of an attack in the name of its harmonic robustness score


def summarise(results: Sequence[RunResult]) -> StudyResult:
    """Mean and deviation of every model's numbers over the repetitions, and paired tests of best against random.

    `results` has one result per seed. Accuracies and scores are fractions.
    """
    by_name = [{entry.name: entry for entry in result.models} for result in results]
    models, tests = [], []
    for name, entry in by_name[0].items():
        entries = [one[name] for one in by_name]
        numbers = {metric: _repeated([value_of(one, metric) for one in entries]) for metric in metrics_of(entry)}
        archs, params = [one.arch for one in entries], [one.params for one in entries]
        models.append(RepeatedModel(name, entry.training, archs, params, numbers))
        cell, _, training = name.partition("-")
        other = f"random-{training}"
        if cell == "best" and other in by_name[0]:
            tests += [_test(metric, entries, [one[other] for one in by_name]) for metric in metrics_of(entry)]
    first, entry = results[0], results[0].models[0]
    seeds = [result.seeds["run"] for result in results]
    return StudyResult(
        space=first.space,
        data=first.data,
        seeds=seeds,
        runs=[f"seed-{seed}" for seed in seeds],
        norm=entry.norm,
        eps=entry.eps,
        n_test=entry.n_test,
        models=models,
        tests=tests,
        smallest_p_flip=smallest_p(len(results)),
        seconds={stage: round(sum(one.seconds[stage] for one in results), 3) for stage in first.seconds},
    )


def metrics_of(entry: EvalResult) -> list[str]:
    """The numbers of an evaluation that a study compares: clean, attacks, mean of corruptions, harmonic scores."""
    corrupted = [CORRUPTIONS] if entry.corruptions else []
    return [CLEAN, *entry.attacks, *corrupted, *(SCORE + name for name in [*entry.attacks, *corrupted])]


def value_of(entry: EvalResult, metric: str) -> float:
    name = metric.removeprefix(SCORE)
    if name == CORRUPTIONS:
        assert entry.corruptions is not None
        return entry.corruptions.hrs if metric.startswith(SCORE) else entry.corruptions.mean
    return entry.attacks[name].hrs if metric.startswith(SCORE) else entry.accuracy(name)[0]


def _repeated(values: list[float]) -> Repeated:
    return Repeated(values, *mean_and_deviation(values))


def _test(metric: str, best: Sequence[EvalResult], random: Sequence[EvalResult]) -> RepeatedDifference:
    """Paired tests of one number: the best cells against the random ones, by seed and by image."""
    differences = [value_of(a, metric) - value_of(b, metric) for a, b in zip(best, random)]
    mean, deviation = mean_and_deviation(differences)
    images = None
    if metric in best[0].correct:
        images = t_test(_by_image([one.correct[metric] for one in best], [one.correct[metric] for one in random]))
    return RepeatedDifference(
        first=best[0].name,
        second=random[0].name,
        metric=metric,
        values=differences,
        mean=mean,
        sd=deviation,
        seeds=t_test(differences),
        p_flip=sign_flip(differences),
        images=images,
    )


def _by_image(best: list[Correct], random: list[Correct]) -> list[float]:
    """For each test image, the share of seeds whose best cell is correct minus that of the random cell: in [-1, 1].

    Every seed sees the same images, so the images (not pairs of image and seed) are the independent draws.
    """
    return (np.array(best, dtype=np.float64) - np.array(random, dtype=np.float64)).mean(axis=0).tolist()
