"""The work that is handed to worker processes: score an architecture, train a network, attack a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from nas.core.data import Dataset, DataSettings, shape_of
from nas.core.data import load as load_data
from nas.core.data.checksum import checksums
from nas.core.optimisation.trainer import FINAL, Progress
from nas.core.provenance import environment
from nas.core.seeds import derive
from nas.core.storage.base import FactStore, Metrics, PrefixedFacts
from nas.core.storage.sqlite import SqliteStore
from nas.eval import evaluate
from nas.eval.model_source import ModelSource, load_model
from nas.eval.networks.fitting import check_fits
from nas.objectives.columns import TableColumns
from nas.objectives.network_spec import NetworkSpec
from nas.objectives.notation import LATENCY, source_of
from nas.objectives.predicted import Predicted
from nas.objectives.proxy_scorer import Scorer
from nas.objectives.short_training import ShortTraining
from nas.results import EvalResult, TrainedModel
from nas.runs.run_folder import STORE
from nas.runs.settings_checksum import provenance_of
from nas.runs.torchrun import train_together
from nas.settings.schema import Settings
from nas.tables import Collection


@dataclass(frozen=True)
class Model:
    """One network of a run: its name (`best-standard`), its architecture and how it is trained."""

    name: str
    arch: str
    training: str


R = TypeVar("R")


class Job(Generic[R]):
    """What a worker is asked for; it gives an `R`."""


@dataclass(frozen=True)
class Score(Job[Metrics]):
    arch: str
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Train(Job[TrainedModel]):
    model: Model


@dataclass(frozen=True)
class Attack(Job[EvalResult]):
    name: str  # under which outcomes are kept
    source: ModelSource  # a path may be relative to the run's folder


class Jobs:
    """Does one job after the other with the settings of a run; data and batch are made once per process."""

    def __init__(self, settings: Settings, folder: Path | None, keep: bool = True) -> None:
        self.settings = settings
        self.folder = folder
        self.keep = keep  # decoded images in the user's cache
        self.open_store: Callable[[], FactStore] | None = None  # of the run, if it has a folder
        if folder is not None:
            self.open_store = partial(SqliteStore, folder / STORE)
        self._providers: dict[tuple[str, ...], list[Callable[[str], Metrics]]] = {}
        self.tick: Callable[[], None] = lambda: None  # called after progress; only in the process that made this

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the data and batch, which another process makes itself."""
        return Jobs, (self.settings, self.folder), {"open_store": self.open_store}

    def __call__(self, job: Job[Any]) -> Any:
        match job:
            case Score(arch, metrics):
                return self.score(arch, metrics)
            case Train(model):
                return self._train(model)
            case Attack():
                return self._attack(job)

    @cached_property
    def dataset(self) -> Dataset:
        return load_once(tuple(vars(self.settings.data).items()), self.keep)

    @cached_property
    def tables(self) -> Collection | None:
        given = self.settings.tables
        return given.open() if given.given() else None

    @cached_property
    def trained(self) -> NetworkSpec:
        """The network that is trained: limits on size refer to it. Images are opened where their size is not known."""
        settings = self.settings
        classes, size = shape_of(settings.data) or (self.dataset.num_classes, self.dataset.image_size)
        return NetworkSpec(settings.space, asdict(settings.model), classes, size)

    def score(self, text: str, names: Sequence[str]) -> Metrics:
        """The metrics of the architecture written as `text`, latency left out; `NasError` where one has no value."""
        found: Metrics = {}
        for provider in self.providers(tuple(names)):
            found |= provider(text)
        return {name: found[name] for name in names if name != LATENCY}

    def providers(self, names: tuple[str, ...]) -> list[Callable[[str], Metrics]]:
        """What gives these metrics, one for each source of them, the cheapest first; made when first needed, and once.

        `InputError` for what would stop them later: missing data, tables or labels. Images are opened for what looks
        at them alone.
        """
        if names not in self._providers:
            makers: dict[str, Callable[[list[str]], Callable[[str], Metrics]]] = {
                "table": self.columns,
                "predicted": lambda its: Predicted(self.settings.predicted, self.settings.space, self.settings.seed),
                "proxy": self.scorer,
                "trained": self._short_training,
            }
            by_source = {source: [name for name in names if source_of(name) == source] for source in makers}
            self._providers[names] = [makers[source](its) for source, its in by_source.items() if its]
        return self._providers[names]

    def columns(self, names: Sequence[str]) -> TableColumns:
        return TableColumns(self.tables, names)

    def scorer(self, proxies: list[str], seed: int | None = None) -> Scorer:
        """Scores by proxies on the networks of `scoring`; by default with the draws of the run's seed."""
        settings, dataset = self.settings, self.dataset
        scored = NetworkSpec(settings.space, asdict(settings.scoring), dataset.num_classes, dataset.image_size)
        seed = settings.seed if seed is None else seed
        return Scorer(proxies, vars(settings.proxies), dataset, scored, self.trained, seed, settings.torch_device())

    def _short_training(self, names: list[str]) -> ShortTraining:
        settings, folder = self.settings, (self.folder or Path()) / "labels"
        recipe, attack, data = settings.label, settings.eval, asdict(settings.data)
        device = settings.torch_device()
        return ShortTraining(names, recipe, attack, self.dataset, data, self.trained, folder, settings.seed, device)

    def _train(self, model: Model) -> TrainedModel:
        assert self.folder is not None
        assert self.open_store is not None
        settings, dataset = self.settings, self.dataset
        recipe = replace(settings.train, method=model.training)
        trained = self.trained.trained_by(recipe, model.name, model.arch, dataset, asdict(settings.data))
        folder = self.folder / "models" / model.name
        seed = derive(settings.seed, "train", model.name)
        about = {
            **provenance_of(settings),
            "data_sha256": checksums(dataset),
            "training_seed": seed,
            **environment(settings.torch_device()),
        }
        with self.open_store() as store:
            report = self._reporter(store, model.name)
            checkpoint, state = train_together(settings, trained, dataset, recipe, folder, seed, report, about)
        return TrainedModel(
            checkpoint=checkpoint.relative_to(self.folder).as_posix(),
            final_checkpoint=checkpoint.with_name(FINAL).relative_to(self.folder).as_posix(),
            arch=model.arch,
            epochs=state.epoch,
            chosen_epoch=state.best_epoch + 1,
            history=state.history,
            seconds=round(state.seconds, 3),
        )

    def _attack(self, job: Attack) -> EvalResult:
        assert self.folder is not None
        assert self.open_store is not None
        settings, source = self.settings, job.source.within(self.folder)
        model = load_model(source, settings.eval, settings.seed)
        check_fits(model, self.dataset, job.source.text, settings.eval)
        with self.open_store() as store:
            result = evaluate(
                model.network,
                self.dataset,
                settings.eval,
                derive(settings.seed, "attack"),
                settings.torch_device(),
                PrefixedFacts(store, f"outcome/{job.name}/"),
                self._reporter(store, job.name),
            )
        where = source.seen_from(self.folder)
        return replace(
            result,
            name=job.name,
            arch=model.architecture,
            params=model.params,
            training=model.training,
            normalised=model.normalised_by,
            checkpoint=None if source.foreign else where,
            source=where if source.foreign else None,
        )

    def _reporter(self, store: FactStore, name: str) -> Progress:
        """Progress as a fact in the store, where the process that shows it finds it."""
        last = [0.0]

        def report(done: int, total: int, note: str) -> None:
            if time.monotonic() - last[0] > 0.3 or done == total:
                last[0] = time.monotonic()
                store.put(f"progress/{name}", [done, total, note])
            self.tick()

        return report


@lru_cache(maxsize=1)
def load_once(settings: tuple[tuple[str, Any], ...], keep: bool) -> Dataset:
    """The data set of these settings, read once per process."""
    return load_data(DataSettings(**dict(settings)), keep)
