"""The contract of a search space: its points (architectures) and the networks built from them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from hashlib import blake2b
from random import Random
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.search_spaces.network import RGB, Network
from nas.search_spaces.node_graph import GraphForm, NodeGraph
from nas.search_spaces.supernet import Supernet


class Architecture(Protocol):
    """A frozen, hashable point of a space; `str()` gives the field's own notation and `space.parse` reads it."""

    def __hash__(self) -> int: ...


MAX_FRUITLESS_DRAWS = 1_000_000  # a space counts as exhausted after so many draws in a row without a new architecture

A = TypeVar("A", bound=Architecture)
F = TypeVar("F", bound=Callable[..., Any])
OF_POINTS = ("build", "cost", "features", "canonical")  # methods to which a user may give a text by mistake
JOINS = frozenset({"concat", "projection"})  # names in `edges` of what is no operation of the space
BuildSettings = Mapping[str, bool | int | float | str | None]  # keyword arguments of a space's `build` by name


def digest(text: str) -> bytes:
    """A 128-bit hash of an architecture's string: a quarter of the string's size, and enough to recognise it."""
    return blake2b(text.encode(), digest_size=16).digest()


class Cost(NamedTuple):
    """The cost of a network: its trainable weights, and the multiply-accumulates of one forward pass of one image.

    `macs` counts convolutions and linear layers only, as the field does.
    """

    params: int
    macs: int


def conv_bn_cost(c_in: int, c_out: int, kernel: int, out_size: int) -> Cost:
    """The cost of a convolution without bias and its batch normalisation, for an output of out_size × out_size."""
    weights = c_in * c_out * kernel * kernel
    return Cost(params=weights + 2 * c_out, macs=weights * out_size * out_size)


class Points(ABC, Generic[A]):
    """A set of architectures that a strategy can search: it reads, draws and mutates them."""

    @abstractmethod
    def parse(self, text: str) -> A:
        """The architecture written as `text`: the inverse of `str`. Raises InputError if there is none."""

    def label(self, text: str, arch: A) -> str:
        """The name of `arch` in results if the user wrote it as `text`; `parse` can read it.

        It is the field's string or, if `text` names a published architecture, the official spelling of that name.
        """
        return str(arch)

    @abstractmethod
    def sample(self, rng: Random) -> A:
        """An architecture drawn uniformly; all randomness comes from `rng`."""

    @abstractmethod
    def mutate(self, arch: A, rng: Random) -> A:
        """A copy of `arch` with one elementary change, never equal to `arch`, which is left unchanged."""


@dataclass
class NoSettings:
    """The settings of what a space does not have, such as a supernet."""

    def check(self) -> None:
        """Nothing can be wrong."""


def _refusing_texts(method: F) -> F:
    """The method of a space, which raises InputError for an architecture that is a text."""

    @wraps(method)
    def checked(self: Any, arch: Any, *args: Any, **settings: Any) -> Any:
        if isinstance(arch, str):
            raise InputError(
                f"Expected an architecture of {self.name} but got the text {arch!r}; read it first: "
                f"space.{method.__name__}(space.parse(text))."
            )
        return method(self, arch, *args, **settings)

    return cast(F, checked)


class SearchSpace(Points[A]):
    """A space of architectures and the networks built from them. It has no state: all instances are interchangeable.

    The methods on networks take `settings`, the keyword arguments of `build`, for example channels and depth. The
    dataclass `Settings` lists them with types and defaults, `ScoringSettings` those of the smaller network that proxies
    score, and `SupernetSettings` those of `supernet` if the space has one. Their `check()` raises InputError if a value
    is impossible, and so does `build`.
    """

    name: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()  # keys of the bibliography, or BibTeX entries
    Settings: ClassVar[type]
    ScoringSettings: ClassVar[type]
    SupernetSettings: ClassVar[type] = NoSettings
    cells: ClassVar[bool] = True  # whether the graphs of `edges` say everything; else only `features` do

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        for name in OF_POINTS:
            if name in vars(cls) and not getattr(vars(cls)[name], "__isabstractmethod__", False):
                setattr(cls, name, _refusing_texts(vars(cls)[name]))

    # points

    def parse_json(self, value: Any) -> A:
        """The architecture that `json.loads` has read from a file: that of its text. A text is read by `parse`.

        A space may read the value itself, which is faster. Raises InputError if there is no architecture.
        """
        return self.parse(value if isinstance(value, str) else json.dumps(value))

    @abstractmethod
    def neighbors(self, arch: A) -> Iterable[A]:
        """All architectures one elementary change away, without repetition and in a fixed order.

        A list, or an iterator where there are very many.
        """

    @abstractmethod
    def canonical(self, arch: A) -> A:
        """The representative of the class of cells isomorphic to `arch`: equal for two cells iff they are isomorphic.

        It is the member of the class with the fewest weights; of several, the first in the order of their strings.
        """

    @abstractmethod
    def connected(self, arch: A, **settings: Any) -> bool:
        """Whether the logits of `build(arch, **settings)` depend on the image, except at special values of the weights.

        A cell of poolings and identities is connected. If no path leads from the image to the logits, the network is a
        constant classifier. The answer is the same for isomorphic cells and needs no tensors; in some spaces it depends
        on the depth in `settings`.
        """

    @abstractmethod
    def __iter__(self) -> Iterator[A]:
        """All architectures in a fixed order, lazily."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of architectures; isomorphic ones count separately."""

    @abstractmethod
    def largest(self) -> A:
        """An architecture with the most weights; constraints in percent refer to its size."""

    def draws(self, seed: int, unique: bool = False) -> Iterator[A | None]:
        """Uniform draws without end: each gives an architecture, or None if that architecture was drawn before.

        With `unique` the representatives of classes of isomorphic cells are drawn. The first n are those of
        `nas score --sample n --seed seed`.
        """
        rng = Random(derive(seed, "sample"))
        drawn: set[bytes] = set()
        while True:
            arch = self.sample(rng)
            arch = self.canonical(arch) if unique else arch
            key = digest(str(arch))
            new = key not in drawn
            drawn.add(key)
            yield arch if new else None

    def draw(self, n: int, seed: int = 0, unique: bool = False) -> list[A]:
        """`n` different architectures, drawn uniformly; a smaller `n` gives the first of the same architectures.

        With `unique` each is the representative of a different class of isomorphic cells. Raises InputError if the
        space does not have that many.
        """
        found: list[A] = []
        fruitless = 0
        for arch in self.draws(seed, unique) if n > 0 else ():
            fruitless = 0 if arch is not None else fruitless + 1
            if arch is not None:
                found.append(arch)
            if len(found) == n:
                break
            if fruitless >= MAX_FRUITLESS_DRAWS:
                raise InputError(
                    f"Expected {n} different architectures of {self.name} but found only {len(found)}: "
                    f"{MAX_FRUITLESS_DRAWS} further draws gave no new one; draw fewer."
                )
        return found

    # networks

    @abstractmethod
    def build(self, arch: A, num_classes: int = 10, **settings: Any) -> Network:
        """The network of `arch`, with weights drawn from torch's global generator."""

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
        """All architectures in one network, with weights drawn from torch's global generator.

        A supernet may also take `partial=K` (1/K of the channels of a state pass through the operations) and
        `edge_weights=True` (a weight for each edge), which some strategies ask for.

        Raises InputError if the space has no supernet.
        """
        raise InputError(f"Expected a space with a supernet but {self.name} has none; take another strategy.")

    @abstractmethod
    def features(self, arch: A) -> np.ndarray:
        """Graph features of `arch` (float32, the same length for all); `feature_names` names them."""

    @abstractmethod
    def feature_names(self) -> list[str]:
        """The name of each entry of `features`."""

    @abstractmethod
    def edges(self, arch: A) -> dict[str, list[tuple[str, str, str]]]:
        """The cells of `arch` as graphs for drawing: cell name → (from node, to node, operation), `none` left out.

        An edge that no architecture chooses the operation of has a name of `JOINS`.
        """

    # graphs with one node per operation, which a generator can draw

    def graph_forms(self) -> Mapping[str, GraphForm]:
        """The form of the graph of each part of an architecture, such as "normal"; empty in a space without graphs."""
        return {}

    def to_graph(self, arch: A) -> dict[str, NodeGraph]:
        """The graph of each part of `arch`, by the names of `graph_forms`. Raises InputError in a space without."""
        raise self._no_graphs()

    def from_graph(self, graphs: Mapping[str, NodeGraph]) -> A | None:
        """The architecture of these graphs, the inverse of `to_graph`; None if there is none that a search may propose.

        Raises InputError in a space without graphs.
        """
        raise self._no_graphs()

    def _no_graphs(self) -> InputError:
        return InputError(
            f"Expected a space whose architectures are graphs of operations but {self.name} has none; take another "
            "space, such as nasbench201."
        )
