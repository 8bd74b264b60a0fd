"""All metrics that a search asks for, each from where its name says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from nas.core.data import Dataset
from nas.core.errors import NasError
from nas.objectives.latency import Latency
from nas.objectives.network_spec import Sized
from nas.objectives.notation import LATENCY, PREDICTED, Term, source_of, unknown
from nas.objectives.predicted import Predicted
from nas.objectives.proxies import Scorer
from nas.objectives.short_training import Trained
from nas.strategies import Goal
from nas.strategies.proxies import PROXIES
from nas.tables import Collection


class Objectives:
    """The metrics of one architecture after the other. Every part is made when it is first needed, and once.

    `dataset` is called for what looks at images alone: a search on tables needs no data. `folder` is where short
    trainings may work.
    """

    def __init__(
        self, settings: Any, dataset: Callable[[], Dataset], trained: Callable[[], Sized], folder: Path | None
    ) -> None:
        self.settings = settings
        self._dataset = dataset
        self._trained = trained
        self.folder = folder

    def goals(self, terms: Sequence[Term]) -> tuple[Goal, ...]:
        """The goals of an objective; `InputError` where a metric is not to be had."""
        return tuple(Goal(term.name, self._direction(term)) for term in terms)

    def _direction(self, term: Term) -> bool:
        source = source_of(term.name)
        own = True
        if source == "proxy":
            own = PROXIES.get(term.name).higher_is_better
        elif source == "table":
            own = self.table_of(term.name).higher_is_better(term.name)
            if term.name.startswith("scores:"):  # of which the registry of proxies knows
                proxy = PROXIES.components.get(term.name.rpartition(":")[2])
                own = proxy.higher_is_better if proxy is not None else own
        elif source == "latency":
            own = False
        return own if term.higher_is_better is None else term.higher_is_better

    def ready(self, names: Sequence[str]) -> None:
        """`InputError` for what would stop the metrics later: missing data, tables or labels."""
        for name in names:
            source = source_of(name)
            if source == "table":
                self.table_of(name).column(name)
            elif source == "predicted":
                _ = self.predicted
        self._parts(tuple(names))

    def __call__(self, names: Sequence[str], text: str) -> dict[str, float]:
        """The metrics of the architecture written as `text`, latency left out; `NasError` where one has no value."""
        metrics: dict[str, float] = {}
        for part in self._parts(tuple(names)):
            metrics |= part(text)
        return {name: metrics[name] for name in names if name != LATENCY}

    def _parts(self, names: tuple[str, ...]) -> list[Callable[[str], dict[str, float]]]:
        """One function for each source among the names, the cheapest first."""
        if names in self._made:
            return self._made[names]
        by_source: dict[str, list[str]] = {}
        for name in names:
            by_source.setdefault(source_of(name), []).append(name)
        parts: list[Callable[[str], dict[str, float]]] = []
        if columns := by_source.get("table"):
            parts.append(lambda text: self._from_tables(columns, text))
        if "predicted" in by_source:
            parts.append(lambda text: {PREDICTED: self.predicted(text)})
        if proxies := by_source.get("proxy"):
            parts.append(self.scorer(proxies))
        if metrics := by_source.get("trained"):
            parts.append(self._training(metrics))
        self._made[names] = parts
        return parts

    @cached_property
    def _made(self) -> dict[tuple[str, ...], list[Callable[[str], dict[str, float]]]]:
        return {}

    def quantity(self, name: str) -> Callable[[str], float]:
        """What a constraint on a table's column is about, as a function of the architecture."""
        self.table_of(name)
        return lambda text: self._from_tables([name], text)[name]

    def table_of(self, name: str) -> Collection:
        """The tables, of which one has the column; `InputError` where none has it."""
        if self.tables is None:
            raise unknown(name)
        self.tables.levels(name)
        return self.tables

    def _from_tables(self, columns: list[str], text: str) -> dict[str, float]:
        assert self.tables is not None
        metrics = self.tables.metrics(text, columns)
        for name in columns:
            if not metrics[name] == metrics[name]:
                raise NasError(f"The tables have no {name} of {text}.")
        return metrics

    @cached_property
    def tables(self) -> Collection | None:
        given = self.settings.tables
        return given.open() if given.given() else None

    def scorer(self, proxies: Sequence[str]) -> Scorer:
        """Scores by proxies, on the networks of `scoring`."""
        settings, dataset = self.settings, self._dataset()
        return Scorer(
            list(proxies),
            vars(settings.proxies),
            dataset,
            Sized(settings.space, asdict(settings.scoring), dataset.num_classes, dataset.image_size),
            self._trained(),
            settings.seed,
            settings.torch_device(),
        )

    def _training(self, names: list[str]) -> Trained:
        settings = self.settings
        folder = self.folder if self.folder is not None else Path()
        return Trained(
            names,
            settings.label,
            settings.eval,
            self._dataset(),
            asdict(settings.data),
            self._trained(),
            folder / "labels",
            settings.seed,
            settings.torch_device(),
        )

    @cached_property
    def predicted(self) -> Predicted:
        return Predicted(self.settings.predicted, self.settings.space, self.settings.seed)

    @cached_property
    def latency(self) -> Latency:
        settings = self.settings
        return Latency(settings.latency, self._trained(), settings.torch_device(), settings.executor.threads)
