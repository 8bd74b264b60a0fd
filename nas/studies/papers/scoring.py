"""What is computed for the study: scores of proxies, a pool of settings of Eproxy, and its ablation. All of it resumes.

All networks of a plan are scored on one batch of CIFAR-10 images. Times are seconds of the processor.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from nas.core.io.records import Json
from nas.core.seeds import derive
from nas.scoring.loop import ScoreWorker
from nas.searches.dps_losses import LossTask, LossWorker
from nas.settings.schema import Settings, from_values
from nas.strategies.proxies.eproxy.genes import Genes, Setting
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.studies.papers.networks import Networks, key_of
from nas.studies.papers.plan import BATCH, LABELS, PROXIES, SEED, SpacePlan
from nas.studies.row_store import RowStore

ABLATION = tuple((barrier, lr, steps) for steps in (10, 100) for barrier in (False, True) for lr in (1.0, 0.1, 0.01))
ABLATION_PLAN, ABLATION_NETWORKS, ABLATION_CHANNELS = "nasbench101", 50, 32
MAX_HEADS = 1.5  # cost of a setting's heads, as a multiple of that of the release's

Report = Callable[[str], None]


@dataclass(frozen=True)
class Scores:
    """The rows of one plan at one size of the scored networks, in files under `rows`."""

    plan: SpacePlan
    size: str
    rows: Path
    write: bool = False

    @property
    def described(self) -> Json:
        """What the numbers depend on."""
        return {
            "space": self.plan.space,
            "scoring": dict(self.plan.scoring(self.size)),
            "eproxy": self.plan.eproxy(self.size),
            "batch": BATCH,
            "seed": SEED,
        }

    @cached_property
    def proxies(self) -> RowStore:
        return self._store("scores", ("arch",), ("seconds", *self.plan.proxies))

    @cached_property
    def pool(self) -> RowStore:
        """The losses of the labelled networks under each setting of the pool, without the FLOPs term."""
        values = ("seconds", *(f"loss_{number}" for number in range(LABELS)))
        return self._store("pool", ("setting",), values)

    @cached_property
    def picked(self) -> RowStore:
        """The losses of the judged networks under the settings that tasks picked, without the FLOPs term."""
        return self._store("picked", ("setting", "arch"), ("seconds", "loss"))

    @cached_property
    def queries(self) -> RowStore:
        """The losses that searches on NAS-Bench-201 ask for, without the FLOPs term, by the class of a string."""
        return self._store("queries", ("setting", "arch"), ("seconds", "loss"))

    @cached_property
    def ablation(self) -> RowStore:
        """The losses of Eproxy with and without its barrier."""
        return self._store("ablation", ("variant", "arch"), ("seconds", "loss"))

    def _store(self, kind: str, keys: tuple[str, ...], values: tuple[str, ...]) -> RowStore:
        path = self.rows / self.size / f"{self.plan.name}-{kind}.csv"
        return RowStore(path, keys, values, self.described, self.write)


def variant(barrier: bool, lr: float, steps: int) -> str:
    """The name of a variant of the ablation."""
    return f"{'barrier' if barrier else 'plain'}_lr{lr:g}_{steps}"


@dataclass
class Workers:
    """Score one architecture after the other, with one worker for each size of networks; `eproxy` are its options."""

    scores: Scores
    networks: Networks
    images: Path
    eproxy: Mapping[str, Any] = field(default_factory=dict)
    _made: Json = field(default_factory=dict)

    def proxies(self, arch: str, names: list[str]) -> dict[str, float]:
        """The proxies that have a value."""
        found: dict[str, float] = self._worker(arch, lambda settings: ScoreWorker(settings, names))(arch).scores
        return found

    def loss(self, arch: str, setting: str) -> float | None:
        """The loss of Eproxy under a setting; networks with labels are built once."""
        labelled = frozenset(self.networks.labelled)
        (value,) = self._worker(arch, lambda settings: LossWorker(settings, labelled))(LossTask(arch, (setting,)))
        return value if isinstance(value, float) else None

    def timed_loss(self, arch: str, setting: str) -> tuple[float, float | None]:
        """The seconds that the loss of Eproxy under a setting takes, and the loss."""
        begun = time.process_time()
        loss = self.loss(arch, setting)
        return time.process_time() - begun, loss

    def _worker(self, arch: str, make: Callable[[Settings], Any]) -> Any:
        plan, size = self.scores.plan, self.scores.size
        scoring = plan.scored(size, self.networks.space.parse(arch))
        key = json.dumps(scoring, sort_keys=True)
        if key not in self._made:
            eproxy = {**plan.eproxy(size), **self.eproxy}
            self._made[key] = make(settings_of(plan, scoring, self.images, eproxy))
        return self._made[key]


def settings_of(plan: SpacePlan, scoring: Mapping[str, Any], images: Path, eproxy: Mapping[str, Any]) -> Settings:
    """Settings under which networks are scored, on one thread."""
    proxies: dict[str, Json] = {name: {"batch_size": BATCH} for name in PROXIES}
    proxies["eproxy"] |= eproxy
    values = {
        "space": plan.space,
        "name": "papers",
        "seed": SEED,
        "scoring": dict(scoring),
        "data": {"name": "npz", "root": str(images), "validation": 0.1},
        "executor": {"threads": 1},
        "proxies": proxies,
    }
    return from_values(values, [], PROXIES)


def score_proxies(scores: Scores, networks: Networks, images: Path, report: Report) -> None:
    """Score the judged networks that have no row yet."""
    names = list(scores.plan.proxies)
    workers = Workers(scores, networks, images)
    for arch in networks.judged:
        if (key_of(arch),) in scores.proxies.rows:
            continue
        begun = time.process_time()
        found = workers.proxies(arch, names)
        seconds = time.process_time() - begun
        scores.proxies.add((key_of(arch),), (seconds, *(found.get(name) for name in names)))
        report(f"{scores.plan.name}: {len(scores.proxies.rows)} of {len(networks.judged)} networks")


def pool_of(plan: SpacePlan, size: str) -> list[str]:
    """Settings of Eproxy: the release's, then others with one gene changed and with each resampled (p = .2), in turn.

    The FLOPs term is off, as it is chosen without training. Settings whose heads cost more than `MAX_HEADS` times those
    of the release's are left out.
    """
    genes, rng = Genes(), Random(derive(SEED, "papers pool", plan.name))
    base = EproxyOptions(**plan.eproxy(size))
    start = genes.of(base)
    assert start is not None
    pool = [str(start)]
    limit = MAX_HEADS * heads(start, base.c_out)
    while len(pool) < plan.settings:
        other = genes.neighbor(start, rng) if len(pool) % 2 else genes.mutate(start, rng)
        other = replace(other, alpha=0.0)
        if heads(other, base.c_out) <= limit and str(other) not in pool:
            pool.append(str(other))
    return pool


def heads(setting: Setting, c_out: int) -> int:
    """Multiply-accumulates per pixel of the barriers: c_mid · c_out · kernel², summed over the stages."""
    return sum(stage.c_mid * c_out * stage.barrier**2 for stage in setting.stages)


def score_pool(scores: Scores, networks: Networks, images: Path, report: Report) -> None:
    """The losses of the labelled networks under the settings of the pool that have no row yet."""
    pool = pool_of(scores.plan, scores.size)[: networks.limit] if scores.plan.settings else []
    workers = Workers(scores, networks, images)
    for setting in pool:
        if (setting,) in scores.pool.rows:
            continue
        begun = time.process_time()
        losses = [workers.loss(arch, setting) for arch in networks.labelled]
        scores.pool.add((setting,), (time.process_time() - begun, *losses))
        report(f"{scores.plan.name}: {len(scores.pool.rows)} of {len(pool)} settings")


def score_picked(scores: Scores, networks: Networks, settings: Sequence[str], images: Path, report: Report) -> None:
    """The losses of the judged networks under the settings that tasks picked."""
    workers = Workers(scores, networks, images)
    for arch in networks.judged:
        for setting in settings:
            if (setting, key_of(arch)) in scores.picked.rows:
                continue
            scores.picked.add((setting, key_of(arch)), workers.timed_loss(arch, setting))
        report(f"{scores.plan.name}: {len(scores.picked.rows)} losses under {len(settings)} picked settings")


def score_ablation(scores: Scores, networks: Networks, images: Path, report: Report) -> None:
    """Eproxy with and without its barrier, with three learning rates and 10 or 100 iterations: Table 1 of the paper.

    All have as many channels before the barrier as after it, since without a barrier nothing changes their number.
    """
    channels = {"c_mid": [ABLATION_CHANNELS], "c_out": ABLATION_CHANNELS}
    for barrier, lr, steps in ABLATION:
        name = variant(barrier, lr, steps)
        workers = Workers(scores, networks, images, {**channels, "use_barrier": barrier, "lr": lr, "iterations": steps})
        for arch in networks.judged[:ABLATION_NETWORKS]:
            if (name, key_of(arch)) in scores.ablation.rows:
                continue
            begun = time.process_time()
            loss = workers.proxies(arch, ["eproxy"]).get("eproxy")
            scores.ablation.add((name, key_of(arch)), (time.process_time() - begun, loss))
        report(f"ablation: {len(scores.ablation.rows)} losses, {name}")
