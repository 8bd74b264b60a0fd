"""How well a predictor tells the published accuracies of architectures that it has not seen.

Source of the protocol: Lukasik, Moeller and Keuper, "An Evaluation of Zero-Cost Proxies - from Neural Architecture
Performance Prediction to Model Robustness" (2023): a random forest on proxy values, 80 % of the classes to train on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nas.core.errors import InputError, NasError
from nas.core.execution.executor import ExecutorSettings, executor_for
from nas.core.io.records import Record, flat
from nas.core.registry import suggest
from nas.core.seeds import derive
from nas.core.statistics.ranks import kendall
from nas.search_spaces.graph import without_places
from nas.strategies.predictors import PREDICTORS
from nas.studies.align import join
from nas.tables import ArrayTable, Collection, Table
from nas.tables.robustness import ATTACKS

FEATURES = ("proxies", "graph", "both")
MODELS = {"proxies": "forest", "graph": "auto", "both": "auto"}  # by default: the paper's, the project's own
USUAL = ("clean", *(f"{attack}@1" for attack in ATTACKS))
PAPER, PAPER_SEED = "paper", 42  # one split, as published
TEST = 0.2
CURVE = (10, 20, 50, 100, 200, 500)  # labelled architectures
CURVE_SEEDS = 20
FEWEST, MOST = 10, 1000  # architectures; splits
NEARLY = 0.95  # of the classes
ALL = -1  # in place of a feature's number: none is left out


@dataclass(frozen=True)
class Data:
    """What is learned from: n classes of isomorphic cells."""

    classes: list[str]
    names: list[str]  # (d,)
    features: np.ndarray  # (n, d)
    columns: list[str]  # (t,)
    values: np.ndarray  # (n, t)
    rows: int  # of the score files
    dropped: dict[str, int]


@dataclass(frozen=True)
class Protocol:
    """How it is measured."""

    model: str
    splits: str = "10"  # that many random splits, or `paper`
    seed: int = 0
    curves: bool = False
    study: bool = False

    def seeds(self) -> list[int]:
        """One per split: of its draw, and of its model."""
        if self.splits == PAPER:
            return [PAPER_SEED]
        if not self.splits.isdecimal() or not 1 <= int(self.splits) <= MOST:
            raise InputError(f"Expected --splits of {PAPER} or between 1 and {MOST} but got {self.splits!r}.")
        return [self.seed + number for number in range(int(self.splits))]


@dataclass(frozen=True)
class Fit(Record):
    """R² and Kendall's tau by target, mean and standard deviation; None where they are not defined."""

    r2: dict[str, float | None]
    r2_sd: dict[str, float | None]
    kendall: dict[str, float | None]
    kendall_sd: dict[str, float | None]

    def spread(self, key: str, target: str) -> tuple[float | None, float | None]:
        """Mean and standard deviation of `r2` or `kendall`."""
        return getattr(self, key)[target], getattr(self, f"{key}_sd")[target]


@dataclass(frozen=True)
class TopFeature(Record):
    """The most important feature of a target: R² without it and with it alone."""

    top: str
    without: float | None
    without_sd: float | None
    importances_without: dict[str, float]
    alone: float | None
    alone_sd: float | None


@dataclass(frozen=True, kw_only=True)
class Prediction(Record):
    """What `predict` finds, with the data set and the kind of features where they are told."""

    dataset: str = ""
    features: str = ""
    n: int
    rows: int
    dropped: dict[str, int]
    model: str
    splits: str
    feature_count: int
    targets: dict[str, list[str]]
    fit: Fit = field(metadata=flat())
    importances: dict[str, dict[str, float]]  # by target, the largest first
    curves: dict[str, Fit] | None = None  # by the number of labelled architectures
    study: dict[str, TopFeature] | None = None  # by target


def chosen_targets(tables: Collection, asked: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What it is called → its columns: one, or several that are predicted together.

    By default clean accuracy and each attack at 1/255, and clean with each attack. An attack without its epsilon is
    the one at 1/255, which is called by the attack's name alone.
    """
    if not asked:
        nearest = [_nearest(tables, usual) for usual in USUAL]
        there = [name for name in nearest if name is not None]
        if not there:
            raise InputError(
                f"Expected one of the columns {', '.join(USUAL)} but the tables have none; name yours with --targets."
            )
        asked = there + [f"clean+{name}" for name in there if name != "clean" and "clean" in there]
    targets: dict[str, tuple[str, ...]] = {}
    for target in asked:
        parts = [part.strip() for part in target.split("+")]
        if "" in parts or len(set(parts)) < len(parts):
            raise InputError(f"Expected a column, or different ones joined by +, but got the target {target!r}.")
        columns = [f"{part}@1" if part in ATTACKS else part for part in parts]
        labels = [part.removesuffix("@1") if part.removesuffix("@1") in ATTACKS else part for part in columns]
        targets["+".join(labels)] = tuple(columns)
    return targets


def _nearest(tables: Collection, usual: str) -> str | None:
    """The column, or the same attack at the epsilon nearest to it that the tables have."""
    if usual in tables.labels:
        return usual
    attack, at, epsilon = usual.partition("@")
    others = [name for name in tables.labels if at and name.partition("@")[0] == attack and "@" in name]
    return min(others, key=lambda name: abs(float(name.partition("@")[2]) - float(epsilon)), default=None)


def assemble(
    tables: Collection,
    columns: Iterable[str],
    features: str,
    scores: Sequence[ArrayTable] = (),
    proxies: Sequence[str] = (),
) -> Data:
    """The classes that the tables (and score files) have in all columns, with their features.

    Graph features are of the string that was measured, those left out that depend on the numbering of nodes: they would
    make equal cells look different.
    """
    if features not in FEATURES:
        raise InputError(
            f"Expected --features of {', '.join(FEATURES)} but got {features!r}{suggest(features, list(FEATURES))}."
        )
    if features != "graph" and not scores:
        raise InputError(f"Expected --scores for --features {features} but got none; --features graph needs no file.")
    if features == "graph" and proxies:
        raise InputError("Expected no --proxies with --features graph, which looks at none; take --features both.")
    columns = list(dict.fromkeys(columns))
    names: list[str] = []
    parts: list[np.ndarray] = []
    rows, dropped = 0, {}
    if scores:
        found = [tables.column(name) for name in columns]
        joined = join(scores, proxies, [(table, values[:, None]) for table, values in found])
        classes, values = joined.classes, np.stack([column[0] for column in joined.columns], axis=1)
        kept = _measured(classes, found[0][0], scores[0])
        classes, values = [classes[at] for at in kept], values[kept]
        rows, dropped = joined.rows, joined.dropped | {"other_member": joined.n - len(kept)}
        if features != "graph":
            names += joined.proxies
            parts += [
                -p.values[kept] if p.higher_is_better is False else p.values[kept] for p in joined.proxies.values()
            ]
    else:
        classes = tables.classes(columns)
        values = np.stack([tables.values(name, classes) for name in columns], axis=1)
    if len(classes) < FEWEST:
        raise InputError(f"Expected at least {FEWEST} architectures with all targets but got {len(classes):,}.")
    if features != "proxies":
        table = tables.column(columns[0])[0]
        strings = [table.architectures[row] for row in table.rows(classes)]  # those that were measured
        used = without_places(table.space.feature_names())
        names += [table.space.feature_names()[number] for number in used]
        described = np.stack([table.space.features(table.space.parse(text)) for text in strings])
        parts += list(described[:, used].T)
    return Data(classes, names, np.stack(parts, axis=1).astype(np.float64), columns, values, rows, dropped)


def _measured(classes: list[str], table: Table, scores: ArrayTable) -> np.ndarray:
    """The numbers of the classes to use: those whose very string was both measured and scored, in the order of the
    scores, if these are nearly all; else all of them.

    The few others would be described by the proxies of a network with other weights than the one that was trained.
    """
    own: dict[str, int] = {}
    for text, name in zip(table.architectures, table.classes):
        if scores.has(text):
            own[name] = min(own.get(name, len(scores.architectures)), int(scores.rows([text])[0]))
    at = [number for number, name in enumerate(classes) if name in own]
    if len(at) < NEARLY * len(classes):
        return np.arange(len(classes))
    return np.array(sorted(at, key=lambda number: own[classes[number]]))


@dataclass(frozen=True)
class _Job:
    """One fit for each of `targets`, and what it is for."""

    part: str
    seed: int
    size: int | None = None  # labelled architectures; by default 80 % of all
    targets: tuple[str, ...] = ()  # all, unless some are named
    without: int = ALL  # the feature to leave out
    alone: int = ALL  # the only feature


@dataclass(frozen=True)
class _Answer:
    r2: dict[str, float]
    kendall: dict[str, float]
    importances: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Study:
    """Does the jobs, in whatever process."""

    data: Data
    targets: dict[str, tuple[str, ...]]
    model: str

    def __call__(self, job: _Job) -> _Answer:
        from sklearn.metrics import r2_score

        train, test = self.split(job)
        x, y = self.data.features, self.data.values
        if job.alone != ALL:
            x = x[:, [job.alone]]
        elif job.without != ALL:
            x = np.delete(x, job.without, axis=1)
        kind = PREDICTORS.get(self.model)
        wanted = {name: self.targets[name] for name in job.targets or self.targets}
        together = getattr(kind, "together", False) and not job.targets
        groups = [list(dict.fromkeys(sum(wanted.values(), ())))] if together else [list(c) for c in wanted.values()]
        answer = _Answer({}, {}, {})
        fits = {}
        for group in groups:
            at = [self.data.columns.index(column) for column in group]
            labels = y[train][:, at]
            predictor = kind(job.seed).fit(x[train], labels[:, 0] if len(at) == 1 else labels)
            mean = predictor.predict(x[test]).mean.reshape(len(test), -1)
            fits[tuple(group)] = mean, getattr(predictor, "importances", None)
        for name, columns in wanted.items():
            group = groups[0] if together else list(columns)
            mean, importances = fits[tuple(group)]
            guess = mean[:, [group.index(column) for column in columns]]
            truth = y[test][:, [self.data.columns.index(column) for column in columns]]
            answer.r2[name] = float(r2_score(truth, guess))
            answer.kendall[name] = float(np.mean([kendall(a, b) for a, b in zip(truth.T, guess.T)]))
            if importances is not None:
                answer.importances[name] = importances
        return answer

    def split(self, job: _Job) -> tuple[np.ndarray, np.ndarray]:
        """Training and test rows: scikit-learn's split by the job's seed, or the given number against all others."""
        from sklearn.model_selection import train_test_split

        n = len(self.data.classes)
        if job.size is None:
            train, test = train_test_split(np.arange(n), test_size=TEST, random_state=job.seed % 2**32)
            return train, test
        order = np.random.default_rng(derive(job.seed, "labelled")).permutation(n)
        return order[: job.size], order[job.size :]


def predict(
    data: Data,
    targets: dict[str, tuple[str, ...]],
    protocol: Protocol,
    how: ExecutorSettings | None = None,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Prediction:
    """R² (and Kendall's tau) on the test parts, mean and standard deviation over the splits, and what it rests on.

    With `curves` also from a few labelled architectures, with `study` also for each target without the most important
    feature and with it alone. R² of several columns is the mean of theirs, of one model with that many outputs. A
    model that fits all targets `together` is fitted once for all of them, also for a single one.
    """
    how = how or ExecutorSettings(workers=1)
    PREDICTORS.get(protocol.model)
    if protocol.study and (len(data.names) < 2 or not hasattr(PREDICTORS.get(protocol.model), "importances")):
        raise InputError(
            f"Expected a model that tells importances, and two features, for --study but got {protocol.model} and "
            f"{len(data.names)}; --model forest tells them."
        )
    study = _Study(data, targets, protocol.model)
    jobs = [_Job("splits", seed) for seed in protocol.seeds()]
    sizes = [size for size in CURVE if protocol.curves and size <= len(data.classes) // 2]
    if protocol.curves:
        jobs += [_Job("curves", protocol.seed + s, size) for size in sizes for s in range(CURVE_SEEDS)]
    more = 2 * len(targets) * len(protocol.seeds()) if protocol.study else 0
    done = _done(study, jobs, how, lambda count: tick(count, len(jobs) + more))
    of_splits = [answer for job, answer in zip(jobs, done) if job.part == "splits"]
    importances = _importances(of_splits, data.names)
    curves = {str(size): _averaged([answer for job, answer in zip(jobs, done) if job.size == size]) for size in sizes}
    tops = None
    if protocol.study:
        before = len(jobs)
        tops = _without_and_alone(study, protocol, importances, how, lambda count: tick(before + count, before + more))
    return Prediction(
        n=len(data.classes),
        rows=data.rows,
        dropped=data.dropped,
        model=protocol.model,
        splits=protocol.splits,
        feature_count=len(data.names),
        targets={name: list(columns) for name, columns in targets.items()},
        fit=_averaged(of_splits),
        importances=importances,
        curves=curves if protocol.curves else None,
        study=tops,
    )


def _without_and_alone(
    study: _Study,
    protocol: Protocol,
    importances: dict[str, dict[str, float]],
    how: ExecutorSettings,
    tick: Callable[[int], None],
) -> dict[str, TopFeature]:
    names = study.data.names
    first = {target: max(shares, key=lambda name: shares[name] or 0.0) for target, shares in importances.items()}
    jobs = [
        _Job(part, seed, targets=(target,), **{part: names.index(top)})
        for target, top in first.items()
        for part in ("without", "alone")
        for seed in protocol.seeds()
    ]
    done = _done(study, jobs, how, tick)
    found = {}
    for target, top in first.items():
        without, alone = (
            [answer for job, answer in zip(jobs, done) if job.part == part and job.targets == (target,)]
            for part in ("without", "alone")
        )
        others = [name for name in names if name != top]
        left, itself = _averaged(without), _averaged(alone)
        shares = _importances(without, others)[target]
        found[target] = TopFeature(
            top, left.r2[target], left.r2_sd[target], shares, itself.r2[target], itself.r2_sd[target]
        )
    return found


def _done(study: _Study, jobs: list[_Job], how: ExecutorSettings, tick: Callable[[int], None]) -> list[_Answer]:
    answers: dict[int, _Answer] = {}
    with executor_for(study, how, "cpu", len(jobs)) as executor:
        for done in executor.map(enumerate(jobs)):
            if done.result is None:
                raise NasError(f"A prediction failed: {done.failure}")
            answers[done.key] = done.result
            tick(len(answers))
    return [answers[number] for number in range(len(jobs))]


def _averaged(answers: Sequence[_Answer]) -> Fit:
    """Mean and standard deviation of R² and of tau by target; 0 for the deviation of one, None where undefined."""
    found: list[dict[str, float | None]] = []
    for key in ("r2", "kendall"):
        means: dict[str, float | None] = {}
        deviations: dict[str, float | None] = {}
        for name in getattr(answers[0], key):
            values = np.array([getattr(answer, key)[name] for answer in answers])
            means[name] = _number(values.mean())
            deviations[name] = _number(values.std(ddof=1)) if len(values) > 1 else 0.0
        found += [means, deviations]
    return Fit(*found)


def _importances(answers: Sequence[_Answer], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """By target, each feature's importance (mean over the splits), the largest first; empty where a model has none."""
    found = {}
    for target in answers[0].importances:
        mean = np.mean([answer.importances[target] for answer in answers], axis=0)
        found[target] = {names[at]: float(mean[at]) for at in np.argsort(-mean, kind="stable")}
    return found


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def csv_rows(result: Prediction) -> str:
    """A result as CSV: R² and tau by part (splits, curves, without, alone) and target, and importances by feature."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["part", "target", "labelled", "feature", "r2", "r2_sd", "kendall", "kendall_sd", "importance"])
    for target in result.targets:
        values = [*result.fit.spread("r2", target), *result.fit.spread("kendall", target)]
        writer.writerow(["splits", target, "", "", *values, ""])
    for size, fit in (result.curves or {}).items():
        for target in result.targets:
            values = [*fit.spread("r2", target), *fit.spread("kendall", target)]
            writer.writerow(["curves", target, size, "", *values, ""])
    for target, entry in (result.study or {}).items():
        writer.writerow(["without", target, "", entry.top, entry.without, entry.without_sd, "", "", ""])
        writer.writerow(["alone", target, "", entry.top, entry.alone, entry.alone_sd, "", "", ""])
    for target, shares in result.importances.items():
        writer.writerows([["importance", target, "", name, "", "", "", "", share] for name, share in shares.items()])
    for target, entry in (result.study or {}).items():
        for name, share in entry.importances_without.items():
            writer.writerow(["importance without", target, "", name, "", "", "", "", share])
    return file.getvalue()
