"""The contract of a search space: its points (architectures) and the networks built from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from nas.core.errors import InputError
from nas.search_spaces.network import RGB, Network
from nas.search_spaces.supernet import Supernet


class Architecture(Protocol):
    """A frozen, hashable point of a space; `str()` gives the field's own notation and `space.parse` reads it."""

    def __hash__(self) -> int: ...


A = TypeVar("A", bound=Architecture)
BuildSettings = Mapping[str, bool | int | float | str | None]  # keyword arguments of a space's `build` by name


class Cost(NamedTuple):
    """What a network costs: trainable weights, and multiply-accumulates of one forward pass of one image.

    `macs` counts convolutions and linear layers only, as the field does.
    """

    params: int
    macs: int


class Points(ABC, Generic[A]):
    """What can be searched: a set of points, their notation and their neighbourhood. Strategies use this alone."""

    @abstractmethod
    def parse(self, text: str) -> A:
        """The architecture written as `text`; `InputError` says what is wrong with it. Inverse of `str`."""

    def label(self, text: str, arch: A) -> str:
        """What results call `arch`, which was written as `text`: the field's string; where a space has published ones
        by name, their name, spelled in one way. `parse` reads it."""
        return str(arch)

    @abstractmethod
    def sample(self, rng: Random) -> A:
        """An architecture drawn uniformly; all randomness comes from `rng`."""

    @abstractmethod
    def mutate(self, arch: A, rng: Random) -> A:
        """A copy of `arch` with one elementary change (never equal to `arch`, which stays as it is)."""


class SearchSpace(Points[A]):
    """A space of architectures and the networks built from them. It holds no state: two instances are interchangeable.

    The methods on networks take `settings`, the keyword arguments of `build` listed with their types and defaults in
    the dataclass `Settings` (for example channels and depth); `ScoringSettings` holds the defaults of the smaller
    network that proxies score. A space with a `supernet` lists the keyword arguments of that in `SupernetSettings`.
    """

    name: ClassVar[str]
    Settings: ClassVar[type]
    ScoringSettings: ClassVar[type]
    SupernetSettings: ClassVar[type]

    # points

    @abstractmethod
    def neighbors(self, arch: A) -> list[A]:
        """All architectures one elementary change away, without repetition and in a fixed order."""

    @abstractmethod
    def canonical(self, arch: A) -> A:
        """The representative of all cells isomorphic to `arch`: equal for two cells exactly if they are isomorphic.

        It is the class's member with the fewest weights, ties broken by the order of the strings.
        """

    @abstractmethod
    def connected(self, arch: A, **settings: Any) -> bool:
        """Whether the logits of `build(arch, **settings)` depend on the image, for all weights but special ones.

        A cell of poolings and identities is connected. Where no path leads from the image to the logits, the network
        is one constant classifier. The answer is the same for isomorphic cells, needs no tensors, and is about the
        given size: in some spaces it depends on the depth.
        """

    @abstractmethod
    def __iter__(self) -> Iterator[A]:
        """All architectures in a fixed order, lazily."""

    @abstractmethod
    def __len__(self) -> int:
        """How many architectures there are, isomorphic ones counted apart."""

    @abstractmethod
    def largest(self) -> A:
        """An architecture of the most weights; size limits in percent refer to it."""

    # networks

    @abstractmethod
    def build(self, arch: A, num_classes: int = 10, **settings: Any) -> Network:
        """The network of `arch`, initialised from torch's global generator; only its own operations are made."""

    @abstractmethod
    def cost(self, arch: A, num_classes: int = 10, *, image_size: int = 32, **settings: Any) -> Cost:
        """Weights and MACs of `build(arch, num_classes, **settings)` on square images, computed without tensors."""

    def supernet(
        self,
        num_classes: int = 10,
        *,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
        **settings: Any,
    ) -> Supernet:
        """All architectures in one network, initialised from torch's global generator; `InputError` without one."""
        raise InputError(f"Expected a space with a supernet but {self.name} has none; take another strategy.")

    @abstractmethod
    def features(self, arch: A) -> np.ndarray:
        """Plain graph features of the cell (float32, one fixed length), named by `feature_names`."""

    @abstractmethod
    def feature_names(self) -> list[str]:
        """The name of each entry of `features`."""

    @abstractmethod
    def edges(self, arch: A) -> dict[str, list[tuple[str, str, str]]]:
        """The cells of `arch` as graphs for drawing: cell name → (from node, to node, operation), `none` left out."""
