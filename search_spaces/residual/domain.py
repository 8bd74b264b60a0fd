"""The values from which each residual space of NDS draws, and the changes that lead from one network to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, product
from math import prod
from operator import contains
from random import Random

from nas.search_spaces.residual.architecture import ResidualArch, Stage


@dataclass(frozen=True)
class Domain:
    """The choices of a space for ImageNet. Every stage chooses for itself; strides are the same for all networks."""

    strides: tuple[int, ...]  # of the stem and of each stage
    stems: tuple[int, ...]  # widths of the stem
    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    bottlenecks: tuple[float, ...] = ()  # empty for basic blocks
    groups: tuple[int, ...] = ()

    @property
    def stages(self) -> int:
        return len(self.strides) - 1

    @cached_property
    def choices(self) -> dict[tuple[str, int], tuple[int, ...] | tuple[float, ...]]:
        """The values of each entry that can change, by the list and the place in it."""
        found: dict[tuple[str, int], tuple[int, ...] | tuple[float, ...]] = {}
        if len(self.stems) > 1:
            found["ws", 0] = self.stems
        for place in range(1, self.stages + 1):
            found["ds", place] = self.blocks
            found["ws", place] = self.widths
            if self.bottlenecks:
                found["bot_muls", place] = self.bottlenecks
                found["num_gs", place] = self.groups
        return found

    def of(self, values: dict[tuple[str, int], int | float]) -> ResidualArch:
        """The network with these values of the entries that can change."""
        places = range(1, self.stages + 1)
        return ResidualArch(
            (1, *(int(values["ds", place]) for place in places)),
            (int(values.get(("ws", 0), self.stems[0])), *(int(values["ws", place]) for place in places)),
            self.strides,
            (1.0, *(float(values["bot_muls", place]) for place in places)) if self.bottlenecks else (),
            (1, *(int(values["num_gs", place]) for place in places)) if self.bottlenecks else (),
        )

    def draws(self, arch: ResidualArch) -> bool:
        """Whether the network has all stages, and no entry that the space does not draw."""
        lists = (arch.ds, arch.ws, arch.ss, arch.bot_muls, arch.num_gs)
        sizes, values = self._written
        return (
            tuple(map(len, lists)) == sizes
            and all(map(contains, values, chain.from_iterable(lists)))
            and (not self.bottlenecks or all(map(divides, arch.stages())))
        )

    @cached_property
    def _written(self) -> tuple[tuple[int, ...], tuple[tuple[int, ...] | tuple[float, ...], ...]]:
        """The length of each list of a network that is drawn, and the values of all their entries."""
        first = self.of({entry: values[0] for entry, values in self.choices.items()})
        lists = {field: getattr(first, field) for field in ("ds", "ws", "ss", "bot_muls", "num_gs")}
        values = (
            self.choices.get((field, place), (entry,))
            for field, entries in lists.items()
            for place, entry in enumerate(entries)
        )
        return tuple(map(len, lists.values())), tuple(values)

    def sample(self, rng: Random) -> ResidualArch:
        return self.of({entry: rng.choice(values) for entry, values in self.choices.items()})

    def entries(self, arch: ResidualArch) -> list[tuple[str, int]]:
        """The entries of a network that can change, in a fixed order."""
        return [(field, place) for field, place in self.choices if place < len(arch.ds)]

    def changes(self, arch: ResidualArch, entry: tuple[str, int]) -> list[ResidualArch]:
        """The networks with another value of one entry. Groups that do not divide the inner width are left out."""
        field, place = entry
        now = getattr(arch, field)[place]
        others = [arch.replace(field, place, value) for value in self.choices[entry] if value != now]
        return [other for other in others if all(map(divides, other.stages()))]

    def __iter__(self) -> Iterator[ResidualArch]:
        return (self.of(dict(zip(self.choices, values))) for values in product(*self.choices.values()))

    def __len__(self) -> int:
        return prod(map(len, self.choices.values()))

    def largest(self) -> ResidualArch:
        return self.of({(field, at): (min if field == "num_gs" else max)(v) for (field, at), v in self.choices.items()})


def divides(stage: Stage) -> bool:
    """Whether the groups of a stage divide its inner width, so that this width needs no rounding."""
    inner = round(stage.width * (stage.bottleneck or 1.0))
    return inner >= 1 and inner % stage.groups == 0


RESNET = Domain(
    strides=(4, 1, 2, 2, 2),
    stems=(16, 32, 64),
    blocks=(1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24),
    widths=(16, 32, 48, 64, 96, 128, 192, 256, 384, 512),
)
RESNEXT_A = Domain(
    strides=(8, 1, 2, 2),
    stems=(64,),
    blocks=(1, 2, 4, 8, 16),
    widths=(16, 32, 64, 128, 256),
    bottlenecks=(0.25, 0.5, 1.0),
    groups=(1, 2, 4),
)
RESNEXT_B = Domain(
    strides=(8, 1, 2, 2),
    stems=(64,),
    blocks=(1, 2, 4, 8, 16),
    widths=(64, 128, 256, 512, 1024),
    bottlenecks=(0.25, 0.5, 1.0),
    groups=(1, 2, 4, 8, 16),
)
