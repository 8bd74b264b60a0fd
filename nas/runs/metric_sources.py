"""Where each metric of an architecture comes from: tables, a predictor, proxies or a short training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from nas.core.data import Dataset, DataSettings, loader_type, shape_of
from nas.core.data import load as load_data
from nas.core.data.formats.base import Loader
from nas.core.storage.base import Metrics
from nas.objectives.columns import TableColumns
from nas.objectives.functions import Function, FunctionMetrics
from nas.objectives.network_spec import NetworkSpec
from nas.objectives.notation import LATENCY, label, source_of
from nas.objectives.predicted import Predicted
from nas.objectives.proxy_scorer import Scorer
from nas.objectives.short_training import ShortTraining
from nas.search_spaces import SPACES
from nas.settings.schema import Settings
from nas.tables import Collection

MetricSource = Callable[[str], Metrics]  # from the string of an architecture


class MetricSources:
    """The sources of metrics under the settings of a run; each process reads the data and draws the batch once.

    Checkpoints of short trainings go into the run's `folder`. Decoded images go to the user's cache if `keep` is true.
    """

    def __init__(self, settings: Settings, folder: Path | None = None, keep: bool = True) -> None:
        self.settings = settings
        self.folder = folder
        self.keep = keep
        self.functions: dict[str, Function] = {}  # objectives of the caller in this process, by module and name
        self._sources: dict[tuple[str, ...], list[MetricSource]] = {}

    @cached_property
    def dataset(self) -> Dataset:
        return load_once(loader_type(self.settings.data.name), tuple(vars(self.settings.data).items()), self.keep)

    @cached_property
    def tables(self) -> Collection | None:
        given = self.settings.tables
        return given.open(self.settings.space) if given.given() else None

    @cached_property
    def trained(self) -> NetworkSpec:
        """The networks to train; constraints on size refer to them. Reads images only if their size is unknown."""
        settings = self.settings
        classes, size = shape_of(settings.data) or (self.dataset.num_classes, self.dataset.image_size)
        return NetworkSpec(settings.space, asdict(settings.model), classes, size)

    def score(self, text: str, names: Sequence[str]) -> Metrics:
        """The metrics of the architecture `text`, except latency. Raises `NasError` if one has no value."""
        scores: Metrics = {}
        for source in self.sources(tuple(names)):
            scores |= source(text)
        return {label(name): scores[label(name)] for name in names if name != LATENCY}

    def sources(self, names: tuple[str, ...]) -> list[MetricSource]:
        """The sources of these metrics, the cheapest first; each is made once, when it is first needed.

        Raises `InputError` for what would stop them later: missing data, tables or labels. Only the sources that
        depend on images read them.
        """
        if names not in self._sources:
            makers: dict[str, Callable[[list[str]], MetricSource]] = {
                "table": self.columns,
                "python": lambda own: FunctionMetrics(own, SPACES.get(self.settings.space)(), self.functions),
                "predicted": lambda own: Predicted(self.settings.predicted, self.settings.space, self.settings.seed),
                "proxy": self.scorer,
                "trained": self._short_training,
            }
            by_source = {source: [name for name in names if source_of(name) == source] for source in makers}
            self._sources[names] = [makers[source](own) for source, own in by_source.items() if own]
        return self._sources[names]

    def columns(self, names: Sequence[str]) -> TableColumns:
        return TableColumns(self.tables, names)

    def scorer(self, proxies: list[str], seed: int | None = None) -> Scorer:
        """A scorer by proxies on networks of the size in `scoring`; by default it draws with the run's seed."""
        settings, dataset = self.settings, self.dataset
        scored = NetworkSpec(settings.space, asdict(settings.scoring), dataset.num_classes, dataset.image_size)
        seed = settings.seed if seed is None else seed
        return Scorer(proxies, vars(settings.proxies), dataset, scored, self.trained, seed, settings.torch_device())

    def _short_training(self, names: list[str]) -> ShortTraining:
        settings, folder = self.settings, (self.folder or Path()) / "labels"
        recipe, attack, data = settings.label, settings.eval, asdict(settings.data)
        device = settings.torch_device()
        return ShortTraining(names, recipe, attack, self.dataset, data, self.trained, folder, settings.seed, device)


@lru_cache(maxsize=1)
def load_once(loader: type[Loader], settings: tuple[tuple[str, Any], ...], keep: bool) -> Dataset:
    """The data set of these settings, whose name stands for this loader, read once per process."""
    return load_data(DataSettings(**dict(settings)), keep)
