"""Eproxy's losses of architectures under settings, in worker processes."""

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

PLAIN = "plain"  # in the place of a setting: Eproxy as the configuration has it


@dataclass(frozen=True)
class Task:
    """An architecture's losses under some settings, written as text, or `PLAIN`, with the random draws of a number."""

    arch: str
    settings: tuple[str, ...]
    draw: int = 0  # 0: those of the run's seed


class Losses:
    """Eproxy's values of networks under one setting after the other.

    What does not change is kept: the batch and its features, and the networks of the architectures in `kept` with
    their first weights. Settings that differ in the FLOPs term alone are trained once.
    """

    def __init__(self, worker: Worker, kept: frozenset[str], draw: int) -> None:
        seed = worker.settings.seed
        self.kept = kept
        self.probes: dict[str, Probe] = {}
        self.base: EproxyOptions = worker.settings.proxies.eproxy
        self.scorer = worker.scorer(["eproxy"], seed if draw == 0 else derive(seed, "dps draw", draw))

    def of(self, task: Task) -> list[float | str]:
        """For each setting the loss, or why there is none."""
        try:
            probe = self.probes.get(task.arch) or self._probe(task.arch)
        except NasError as error:  # its logits do not depend on the image
            return [str(error)] * len(task.settings)
        trained: dict[str, float | str] = {}
        values: list[float | str] = []
        for text in task.settings:
            options = options_of(self.base, text)
            without = replace(options, alpha=0.0)
            key = repr(without)
            if key not in trained:
                try:
                    trained[key] = PROXIES.get("eproxy")(probe, without)
                except NasError as error:
                    trained[key] = str(error)
            loss = trained[key]
            values.append(loss if isinstance(loss, str) else loss * (1 + options.alpha * probe.relative_flops))
        return values

    def _probe(self, text: str) -> Probe:
        trained = self.scorer.trained
        arch = trained.space.parse(text)
        (probe,) = self.scorer.probes(arch, trained.cost(arch)).values()
        if text in self.kept:
            self.probes[text] = probe
        return probe


class Work:
    """What worker processes do: one `Task` after the other, with data and networks made once per process."""

    def __init__(self, settings: Settings, kept: frozenset[str] = frozenset()) -> None:
        self.settings = settings
        self.kept = kept
        self._losses: dict[int, Losses] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the data and networks, which another process makes itself."""
        return Work, (self.settings, self.kept)

    def __call__(self, task: Task) -> list[float | str]:
        return self.losses(task.draw).of(task)

    def losses(self, draw: int = 0) -> Losses:
        if draw not in self._losses:
            self._losses[draw] = Losses(self.worker, self.kept, draw)
        return self._losses[draw]

    @cached_property
    def worker(self) -> Worker:
        return Worker(self.settings, None)


def variants(text: str) -> list[str]:
    """The setting with each value of its FLOPs term; the first is itself."""
    if text == PLAIN:
        return [text]
    setting = Genes().parse(text)
    return list(dict.fromkeys([text, *(str(replace(setting, alpha=alpha)) for alpha in SHARED["alpha"])]))


def changes(text: str, plain: str) -> int:
    """How many genes but the FLOPs term differ from the plain setting; a stage more or less counts with all its genes.

    0 where the plain setting is no point of the space.
    """
    if PLAIN in (text, plain):
        return 0
    one, other = Genes().parse(text), Genes().parse(plain)
    count = sum(getattr(one, gene) != getattr(other, gene) for gene in SHARED if gene != "alpha")
    for its, others in zip_longest(one.stages, other.stages):
        count += sum(getattr(its, gene, None) != getattr(others, gene, None) for gene in OF_A_STAGE)
    return count


def options_of(base: EproxyOptions, text: str) -> EproxyOptions:
    """The options of a setting; what is no gene (channels of the target, iterations, ...) is as in `base`."""
    return base if text == PLAIN else Genes().parse(text).options(base)
