"""The results of the Python face: those of `nas.results` as `RunOutcome`, with tables, networks and exports."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.api.checks import Checks
from nas.api.execution import RunRecord
from nas.api.run_outcome import RunOutcome
from nas.api.tabular import Tabular
from nas.core.data import GivenArrays, attacked_positions
from nas.core.errors import InputError
from nas.core.io.files import os_errors_as_input_errors, write_atomic
from nas.core.io.records import HIDDEN, Json
from nas.core.suggestions import suggest
from nas.export.folder import export
from nas.results import (
    DpsResult,
    Epoch,
    EvalResult,
    ExportResult,
    Result,
    RunResult,
    ScoreResult,
    ScoreRow,
    SearchResult,
    StudyResult,
    TrainResult,
    TransferResult,
)
from nas.runs.metric_sources import MetricSources
from nas.search_spaces import Network
from nas.settings.schema import from_values
from nas.train.exported import read


@dataclass(frozen=True, eq=False, repr=False)
class Found(RunOutcome, SearchResult):
    """The result of `nas.search`: `best` and `top`, each with `arch`, `canonical` and `metrics`.

    `interrupted` is true if the search was stopped before its end and this is the best so far.

    >>> found.best.arch
    '|skip_connect~0|+|skip_connect~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|'
    >>> found.best.metrics, found.evaluated, found.interrupted
    ({'params': 101306.0}, 20, False)
    """

    interrupted: bool = field(default=False, kw_only=True, metadata=HIDDEN)

    @property
    def failures(self) -> dict[str, int]:
        """How many evaluations failed for each reason.

        >>> sum(found.failures.values()) == found.failed
        True
        """
        return dict(self._record.data.failures)

    def _title(self) -> str:
        best = ", ".join(f"{name} {value:.6g}" for name, value in self.best.metrics.items() if value is not None)
        failed = f", {self.failed} of which failed (see failures)" if self.failed else ""
        all_of_them = (
            "; there is no further class within the constraints and the rows of tables" if self.exhausted else ""
        )
        return f"Found: {self.best.arch} with {best or 'no metric'}, of {self.evaluated} evaluated{failed}{all_of_them}"

    def _rows(self) -> list[Json]:
        return [{"arch": one.arch, **one.metrics} for one in self.top]


@dataclass(frozen=True, eq=False, repr=False)
class Model(RunOutcome, TrainResult):
    """The result of `nas.train_model`: a trained network with the history of its training.

    >>> model.training, model.epochs, list(model.validation)
    ('standard', 1, ['val_accuracy'])
    """

    def _title(self) -> str:
        values = ", ".join(f"{name} {value:.3f}" for name, value in self.validation.items() if value is not None)
        return f"Model: {self.arch}, {self.training} training, epoch {self.chosen_epoch} of {self.epochs}: {values}"

    def _rows(self) -> list[Json]:
        return [{"epoch": number, **epoch} for number, epoch in enumerate(self.history, start=1)]

    @property
    def history(self) -> list[Epoch]:
        """Loss and accuracies after each epoch.

        >>> [list(epoch) for epoch in model.history]
        [['epoch', 'train_loss', 'lr', 'val_accuracy']]
        """
        (trained,) = self._record.data.trained.values()
        return trained.history

    @cached_property
    def network(self) -> Network:
        """The network of the chosen epoch in eval mode, from images (B, 3, S, S) in [0, 1] to logits (B, classes).

        >>> import torch
        >>> model.network(torch.rand(2, 3, 16, 16)).shape
        torch.Size([2, 10])
        """
        with self._record.files.on_disk() as folder:
            return read(folder / self.checkpoint)[0]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the checkpoint of the chosen epoch, which `nas.load` and `nas eval` read, and return its path.

        Raises InputError if it cannot be written.

        >>> path = model.save("models/mine.pt")
        >>> nas.load(path).training
        False
        """
        path = Path(path).expanduser()
        with self._record.files.on_disk() as folder, os_errors_as_input_errors(path):
            content = (folder / self.checkpoint).read_bytes()
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, lambda file: file.write(content))
        return path

    def export(self, folder: str | os.PathLike[str]) -> ExportResult:
        """Write the network as `nas export` does: weights, description, model card and ONNX, in a new folder.

        Raises InputError if the folder exists and is not empty, or the packages of the extra `export` are missing.

        >>> model.export("exported").files  # doctest: +SKIP
        ['weights.safetensors', 'architecture.json', 'README.md', 'model.onnx']
        """
        with self._record.files.on_disk() as run:
            return export(run / self.checkpoint, Path(folder).expanduser())


@dataclass(frozen=True, eq=False, repr=False)
class Report(RunOutcome, EvalResult):
    """The result of `nas.evaluate`: accuracies with intervals, `attacks[name]`, and `correct[name]` for each image.

    >>> list(report.attacks), report.n_test, len(report.correct["fgsm"])
    (['fgsm', 'pgd3'], 16, 16)
    >>> report.clean >= report.attacks["fgsm"].accuracy >= report.worst_case.accuracy
    True
    """

    _tables = MappingProxyType({"checks": Checks})
    checks: Checks = field(default_factory=Checks)

    @cached_property
    def indices(self) -> NDArray[np.int64]:
        """The positions of the attacked images in the test part of the data set, or in the arrays that were given.

        Raises InputError if the data set is not there any more.

        >>> len(report.indices)
        16
        """
        settings = from_values(self._record.data.settings, [])
        if settings.data.name == GivenArrays.name:
            return np.arange(self.n_test)
        return attacked_positions(MetricSources(settings).dataset, self.n_test)

    def _title(self) -> str:
        attacks = ", ".join(f"{name} {one.accuracy:.3f} (HRS {one.hrs:.3f})" for name, one in self.attacks.items())
        warned = f"; checks warn: {', '.join(self.warning_checks)}" if self.warning_checks else ""
        return f"Report: {self.name} on {self.n_test} images: clean {self.clean:.3f}, {attacks}{warned}"

    def _rows(self) -> list[Json]:
        rows: list[Json] = [{"metric": "clean", "accuracy": self.clean, **_interval(self.clean_interval), "hrs": None}]
        for name, one in self.attacks.items():
            rows.append({"metric": name, "accuracy": one.accuracy, **_interval(one.interval), "hrs": one.hrs})
        if (worst := self.worst_of_several) is not None:
            accuracy = {"accuracy": worst.accuracy, **_interval(worst.interval), "hrs": worst.hrs}
            rows.append({"metric": "worst case", **accuracy})
        return rows


def _interval(interval: tuple[float, float]) -> Json:
    return {"low": interval[0], "high": interval[1]}


@dataclass(frozen=True, eq=False, repr=False)
class WholeRun(RunOutcome, RunResult):
    """The result of `nas run`: `search`, and `models`, each an evaluated network.

    >>> [model.name for model in whole_run.models]
    ['best-pgd', 'random-pgd']
    """

    def _title(self) -> str:
        return f"WholeRun: {self.arch}, {len(self.models)} networks evaluated"

    def _rows(self) -> list[Json]:
        return [
            {"name": one.name, "clean": one.clean, **{name: attack.accuracy for name, attack in one.attacks.items()}}
            for one in self.models
        ]


@dataclass(frozen=True, eq=False, repr=False)
class RepeatedRun(RunOutcome, StudyResult):
    """The result of `nas run` with several seeds.

    >>> study.seeds, study.runs
    ([0, 1], ['seed-0', 'seed-1'])
    """

    def _title(self) -> str:
        return f"RepeatedRun: {len(self.runs)} runs"

    def _rows(self) -> list[Json]:
        return [{"run": name} for name in self.runs]


@dataclass(frozen=True, eq=False, repr=False)
class Transfer(RunOutcome, TransferResult):
    """The result of `nas transfer`: which network is fooled by the adversarial examples of which.

    >>> transfer.attacks["pgd20"].accuracy[0]
    [0.5, 0.5]
    """

    def _title(self) -> str:
        return f"Transfer: {', '.join(self.attacks)} between {len(self.networks)} networks on {self.n_test} images"

    def _rows(self) -> list[Json]:
        return [
            {"attack": attack, "attacked": attacked.name, "tested": tested.name, "accuracy": accuracy}
            for attack, matrix in self.attacks.items()
            for attacked, accuracies in zip(self.networks, matrix.accuracy)
            for tested, accuracy in zip(self.networks, accuracies)
        ]


@dataclass(frozen=True, eq=False, repr=False)
class EproxySetting(RunOutcome, DpsResult):
    """The result of `nas dps`: a setting of Eproxy, as text in `setting` and as `options`.

    >>> setting.options["lr"]
    1.0
    """

    def _title(self) -> str:
        return f"EproxySetting: {self.setting}, of {self.evaluated} evaluated"

    def _rows(self) -> list[Json]:
        return [{"option": name, "value": value} for name, value in self.options.items()]


class Scores(Tabular, ScoreResult):
    """The result of `nas.score`: a row for each architecture, in their order, and the settings of the call.

    >>> scores
    <Scores: 1 architectures by params, flops>
    >>> scores[0].scores["params"], scores.settings["space"]
    (344346.0, 'nasbench201')
    """

    def __init__(self, rows: list[ScoreRow], settings: Json, proxies: Sequence[str]) -> None:
        super().__init__(rows)
        self.settings = settings
        self.proxies = list(proxies)

    def values(self, proxy: str) -> list[float | None]:
        """The value of a proxy for each architecture; None where it has none.

        Raises InputError if the proxy was not computed.

        >>> scores.values("params")
        [344346.0]
        """
        if proxy not in self.proxies:
            raise InputError(
                f"Expected one of the proxies that were computed ({', '.join(self.proxies)}) but got {proxy!r}"
                f"{suggest(proxy, self.proxies)}."
            )
        return super().values(proxy)

    def _title(self) -> str:
        return f"Scores: {len(self)} architectures by {', '.join(self.proxies)}{self._without_value()}"

    def _without_value(self) -> str:
        missing = sum(row.reason is not None for row in self.rows)
        return f", {missing} with a reason for a missing value" if missing else ""

    def _rows(self) -> list[Json]:
        return [
            {"arch": row.arch, **{name: row.scores.get(name) for name in self.proxies}, "reason": row.reason}
            for row in self.rows
        ]


OUTCOMES: dict[type[Result], type[RunOutcome]] = {
    SearchResult: Found,
    TrainResult: Model,
    EvalResult: Report,
    RunResult: WholeRun,
    StudyResult: RepeatedRun,
    TransferResult: Transfer,
    DpsResult: EproxySetting,
}


def outcome(result: Result, record: RunRecord) -> Result:
    """The result as its class of the Python face; a result that has no such class is returned as it is."""
    kind = OUTCOMES.get(type(result))
    found: Any = result if kind is None else kind.of(result, record)
    return found
