"""The space of Eproxy's settings, whose points discrete proxy search (DPS) evolves."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass, fields, replace
from itertools import combinations
from random import Random
from typing import Any, TypeVar

from nas.core.errors import InputError
from nas.search_spaces.base import Points
from nas.strategies.proxies.eproxy.settings import FEATURES, INITS, STAGES, EproxyOptions

P = TypeVar("P")
RESAMPLING = 0.2  # probability that a gene is drawn anew
KERNELS = (1, 3, 7)
SUBSETS = tuple("+".join(some) for size in range(1, len(FEATURES) + 1) for some in combinations(FEATURES, size))
SHARED: dict[str, tuple[Any, ...]] = {  # gene -> its values
    "lr": tuple(tenth / 10 for tenth in range(5, 16)),
    "init": ("default", *INITS),  # the paper's four, and the default of Eproxy
    "barrier_init": ("default", *INITS),
    "alpha": tuple(tenth / 10 for tenth in range(-5, 6)),
}
OF_A_STAGE: dict[str, tuple[Any, ...]] = {
    "transform": KERNELS,
    "barrier": KERNELS,
    "c_mid": (16, 32, 64, 128, 256, 512),
    "features": SUBSETS,  # every subset but the empty one
    "coefficient": (0.5, 1.0, 1.5, 2.0),
}


@dataclass(frozen=True)
class StageGenes:
    """What a network learns at the output of one stage."""

    transform: int
    barrier: int
    c_mid: int
    features: str
    coefficient: float

    def __str__(self) -> str:
        return _to_text(self)


@dataclass(frozen=True)
class Setting:
    """A setting of Eproxy. `str` is `lr=1.2 init=... | transform=1 ... | ...`, the last stage first."""

    lr: float
    init: str
    barrier_init: str
    alpha: float
    stages: tuple[StageGenes, ...]

    def __str__(self) -> str:
        shared = " ".join(f"{name}={getattr(self, name)}" for name in SHARED)
        return " | ".join([shared, *map(str, self.stages)])

    def options(self, base: EproxyOptions) -> EproxyOptions:
        """This setting as options of the proxy; options that are not genes are those of `base`."""
        genes = {name: getattr(self, name) for name in SHARED}
        genes |= {name: [getattr(stage, name) for stage in self.stages] for name in OF_A_STAGE}
        return replace(base, stages=len(self.stages), **genes)


class Genes(Points[Setting]):
    """All settings: learning rate, initialisations, FLOPs term, how many stages, and the genes of each stage.

    Source: section 2.2 of the paper; as in its release, each stage has genes of its own. This space differs from both:

    - There are 9.1e14 settings; the paper counts 5e15 and does not say what it counts.
    - The subset of features is one gene of 31 values, drawn anew as a whole; in the release each of the five features
      is a gene, which flips by itself, and all may be off.
    - The channels of the target (`c_out`) are not a gene; the release has one for each stage, the paper names none.
    - `init` and `barrier_init` may also be torch's own.
    - The FLOPs term is added as in the paper; the release subtracts it, so α has the opposite sign there.
    """

    def parse(self, text: str) -> Setting:
        first, *others = [part.strip() for part in text.split("|")]
        if not 1 <= len(others) <= STAGES:
            raise InputError(f"Expected 1 to {STAGES} stages after the first | but got {len(others)} in {text!r}.")
        stages = tuple(_from_text(StageGenes, part, OF_A_STAGE) for part in others)
        return _from_text(Setting, first, SHARED, stages=stages)

    def sample(self, rng: Random) -> Setting:
        shared = {name: rng.choice(values) for name, values in SHARED.items()}
        return Setting(**shared, stages=tuple(_stage(rng) for _ in range(rng.randint(1, STAGES))))

    def mutate(self, arch: Setting, rng: Random) -> Setting:
        """A copy in which each gene was drawn anew with probability .2, repeated until one of them differs.

        If the number of stages falls, the last ones are left out; if it rises, further ones are drawn.
        """
        while True:
            child = _resampled(arch, SHARED, rng)
            stages = tuple(_resampled(stage, OF_A_STAGE, rng) for stage in arch.stages)
            if rng.random() < RESAMPLING:
                stages = _resized(stages, rng.randint(1, STAGES), rng)
            child = replace(child, stages=stages)
            if child != arch:
                return child

    def neighbor(self, setting: Setting, rng: Random) -> Setting:
        """A copy in which one gene has another value: a random kind of gene, then a random stage that has it."""
        kind = rng.choice([*SHARED, *OF_A_STAGE, "stages"])
        if kind == "stages":
            number = rng.choice([other for other in range(1, STAGES + 1) if other != len(setting.stages)])
            return replace(setting, stages=_resized(setting.stages, number, rng))
        if kind in SHARED:
            return _other(setting, kind, SHARED[kind], rng)
        stages = list(setting.stages)
        stage = rng.randrange(len(stages))
        stages[stage] = _other(stages[stage], kind, OF_A_STAGE[kind], rng)
        return replace(setting, stages=tuple(stages))

    def of(self, options: EproxyOptions) -> Setting | None:
        """The setting with these options; None if one of them is not among the values of its gene."""
        stages = tuple(
            StageGenes(**{name: options.of_stage(getattr(options, name), stage) for name in OF_A_STAGE})
            for stage in range(options.stages)
        )
        setting = Setting(**{name: getattr(options, name) for name in SHARED}, stages=stages)
        try:
            return self.parse(str(setting))
        except InputError:
            return None

    def canonical(self, arch: Setting) -> Setting:
        """`arch` itself: no two settings are the same proxy."""
        return arch


def _stage(rng: Random) -> StageGenes:
    return StageGenes(**{name: rng.choice(values) for name, values in OF_A_STAGE.items()})


def _resized(stages: tuple[StageGenes, ...], number: int, rng: Random) -> tuple[StageGenes, ...]:
    """The first `number` stages; missing ones are drawn."""
    return stages[:number] + tuple(_stage(rng) for _ in range(number - len(stages)))


def _other(point: Any, name: str, values: tuple[Any, ...], rng: Random) -> Any:
    return replace(point, **{name: rng.choice([value for value in values if value != getattr(point, name)])})


def _resampled(point: Any, genes: dict[str, tuple[Any, ...]], rng: Random) -> Any:
    return replace(point, **{name: rng.choice(values) for name, values in genes.items() if rng.random() < RESAMPLING})


def _to_text(point: Any) -> str:
    return " ".join(f"{field.name}={value}" for field, value in zip(fields(point), astuple(point)))


def _from_text(kind: type[P], text: str, genes: dict[str, tuple[Any, ...]], **more: Any) -> P:
    """A point with the values of the genes written as `name=value ...`, and with `more`."""
    written = dict(re.findall(r"(\S+?)=(\S+)", text))
    if set(written) != set(genes):
        raise InputError(f"Expected {', '.join(genes)} but got {text!r}.")
    point = {}
    for name, values in genes.items():
        by_text = {str(value): value for value in values}
        if written[name] not in by_text:
            raise InputError(f"Expected {name} to be one of {', '.join(by_text)} but got {written[name]!r}.")
        point[name] = by_text[written[name]]
    return kind(**point, **more)
