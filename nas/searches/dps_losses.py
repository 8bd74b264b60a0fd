"""Eproxy's losses of architectures under its settings, computed in worker processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from typing import Any

from nas.core.errors import NasError
from nas.core.seeds import derive
from nas.runs.stages.context import Worker
from nas.settings.schema import Settings
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.eproxy.genes import OF_A_STAGE, SHARED, Genes
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.strategies.proxies.passes.probe import Probe

BASELINE = "plain"  # instead of a setting: Eproxy with the options of the configuration


@dataclass(frozen=True)
class LossTask:
    """The losses of an architecture under some settings (texts, or `BASELINE`) in one of several random draws."""

    arch: str
    settings: tuple[str, ...]
    draw: int = 0  # 0: the draw of the run's seed


class Losses:
    """Eproxy's values of networks under one setting after the other.

    The batch and its features are computed once, and the networks of the architectures in `cached` are built once, with
    their initial weights. Settings that differ only in the FLOPs term share one training.
    """

    def __init__(self, worker: Worker, cached: frozenset[str], draw: int) -> None:
        seed = worker.settings.seed
        self.cached = cached
        self.probes: dict[str, Probe] = {}
        self.base: EproxyOptions = worker.settings.proxies.eproxy
        self.scorer = worker.scorer(["eproxy"], seed if draw == 0 else derive(seed, "dps draw", draw))

    def of(self, task: LossTask) -> list[float | str]:
        """For each setting the loss, or the reason why there is none."""
        try:
            probe = self.probes.get(task.arch) or self._probe(task.arch)
        except NasError as error:  # its logits do not depend on the image
            return [str(error)] * len(task.settings)
        trained: dict[str, float | str] = {}
        values: list[float | str] = []
        for text in task.settings:
            options = options_of(self.base, text)
            without_flops = replace(options, alpha=0.0)
            key = repr(without_flops)
            if key not in trained:
                try:
                    trained[key] = PROXIES.get("eproxy")(probe, without_flops)
                except NasError as error:
                    trained[key] = str(error)
            loss = trained[key]
            values.append(loss if isinstance(loss, str) else loss * (1 + options.alpha * probe.relative_flops))
        return values

    def _probe(self, text: str) -> Probe:
        trained = self.scorer.trained
        arch = trained.space.parse(text)
        (probe,) = self.scorer.probes(arch, trained.cost(arch)).values()
        if text in self.cached:
            self.probes[text] = probe
        return probe


class LossWorker:
    """Does one `LossTask` after the other in a worker process, which reads the data and builds networks once."""

    def __init__(self, settings: Settings, cached: frozenset[str] = frozenset()) -> None:
        self.settings = settings
        self.cached = cached
        self._losses: dict[int, Losses] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without data and networks, which the other process makes itself."""
        return LossWorker, (self.settings, self.cached)

    def __call__(self, task: LossTask) -> list[float | str]:
        return self.losses(task.draw).of(task)

    def losses(self, draw: int = 0) -> Losses:
        if draw not in self._losses:
            self._losses[draw] = Losses(self.worker, self.cached, draw)
        return self._losses[draw]

    @cached_property
    def worker(self) -> Worker:
        return Worker(self.settings, None)


def variants(text: str) -> list[str]:
    """The setting with each value of its FLOPs term; the first is the setting itself."""
    if text == BASELINE:
        return [text]
    setting = Genes().parse(text)
    return list(dict.fromkeys([text, *(str(replace(setting, alpha=alpha)) for alpha in SHARED["alpha"])]))


def changes(text: str, plain: str) -> int:
    """How many genes besides the FLOPs term differ from the plain setting; an added or missing stage counts with all
    its genes. 0 if the plain setting is no point of the space.
    """
    if BASELINE in (text, plain):
        return 0
    one, other = Genes().parse(text), Genes().parse(plain)
    count = sum(getattr(one, gene) != getattr(other, gene) for gene in SHARED if gene != "alpha")
    for stage, other_stage in zip_longest(one.stages, other.stages):
        count += sum(getattr(stage, gene, None) != getattr(other_stage, gene, None) for gene in OF_A_STAGE)
    return count


def options_of(base: EproxyOptions, text: str) -> EproxyOptions:
    """The options of a setting; those that are not genes (channels of the target, iterations, ...) come from `base`."""
    return base if text == BASELINE else Genes().parse(text).options(base)
