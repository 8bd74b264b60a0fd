"""The contract of a search that trains a supernet: its epochs, its result, its state."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import torch

from nas.core.config.conditions import Condition
from nas.core.data import Dataset
from nas.core.errors import NasError
from nas.core.io.checkpoint import State
from nas.results import SupernetEpoch
from nas.search_spaces.base import BuildSettings, SearchSpace
from nas.strategies.supernet.accuracy import accuracies
from nas.strategies.supernet.compilation import uncompiled
from nas.strategies.supernet.early_stopping import early_stop, is_collapsing
from nas.strategies.supernet.options import BilevelOptions
from nas.strategies.supernet.training import SupernetTraining


class Levels(NamedTuple):
    """What an epoch measured on each level, by name: `weight_loss`, `alpha_accuracy` and so on."""

    weight: dict[str, float]
    alpha: dict[str, float]  # empty if α did not learn


class Phase(NamedTuple):
    """A part of a search in the same supernet, as a forecast counts it."""

    passes: int  # see `SupernetStrategy.passes`
    penalised_steps: int  # steps of α whose loss has a penalty, which costs more than its passes say


class DerivedArchitecture(NamedTuple):
    """The architecture that a search ends with."""

    arch: str  # as its space writes it
    epoch: int  # after which it was derived; 0: before the first
    stopped: str | None  # why the search stopped early, if it did


class SupernetStrategy(SupernetTraining, ABC):
    """A search that learns all architectures of a space at once, in one network.

    Lifetime: a run makes one, with the settings of the space's `supernet`, and calls `step()` until `done`; each step
    is one epoch and returns its row of the log. Between steps the run may save `state_dict()`; a new strategy of the
    same space, data, seed and options that loads it continues the same search to the same result. `result()` may be
    called at any time. A `NasError` means that the loss diverged; the last saved state is still good.

    A concrete strategy has a name and a dataclass of options: `BilevelOptions` or a subclass of it.

    Accuracies are measured on `dataset.validation`: neither level sees these images, and no choice depends on them.

    `state_dict` is complete between epochs, and a search that loads it continues to the same bits on a CPU. The state
    refers to the live tensors: save or copy it before the next epoch.
    """

    references: ClassVar[tuple[str, ...]] = ()  # keys of the bibliography, or BibTeX entries
    published_cost: ClassVar[str | None] = None  # of a search on DARTS, with its source, for `--dry-run`
    conditions: ClassVar[Mapping[str, Condition]] = {}  # options that act only with certain values of others

    def __init__(
        self,
        space: SearchSpace[Any],
        dataset: Dataset,
        seed: int,
        options: BilevelOptions | None = None,
        settings: BuildSettings | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """See `SupernetTraining`. Raises InputError if it does."""
        super().__init__(space, dataset, seed, options, settings, device)
        self.epochs_done = 0
        self.history: list[SupernetEpoch] = []
        self.stopped: str | None = None  # why a criterion ended the search early, if one did
        self.chosen: SupernetEpoch | None = None  # the epoch whose architecture that criterion chose

    # the algorithm

    @property
    def total_epochs(self) -> int:
        """How many steps the search takes if it does not stop early."""
        return self.options.epochs

    @abstractmethod
    def train_epoch(self, epoch: int) -> Levels:
        """Train the weights and α for one epoch, counted from 0."""

    def searches(self, epoch: int) -> bool:
        """Whether α learns in this epoch, counted from 0; the first ones are the warm-up, in which it does not."""
        return epoch >= self.options.warm_up

    @abstractmethod
    def eigenvalue(self) -> float:
        """How sharp the loss is in α: the dominant eigenvalue of its Hessian, for `stop_eigenvalue`."""

    @abstractmethod
    def passes(self) -> int:
        """The number of forward and backward passes in the whole search, each of one batch.

        Validation and Hessians do not count.
        """

    def phases(self) -> Iterator[Phase]:
        """The whole search, phase by phase, for a forecast; `supernet` is that of the phase.

        A strategy that was asked for its phases is of no other use.
        """
        yield Phase(self.passes(), 0)

    # the search

    @property
    def done(self) -> bool:
        return self.epochs_done >= self.total_epochs or self.stopped is not None

    def step(self) -> SupernetEpoch:
        """Train for one epoch, measure, and decide whether to stop early.

        Raises NasError if a loss is not finite.
        """
        started = time.perf_counter()
        number, options = self.epochs_done, self.options
        searches = self.searches(number)
        levels = self.train_epoch(number)
        self._check_finite(number + 1, levels.weight | levels.alpha)
        arch, skips = self.derived()
        collapsing = [cell for cell, count in skips.items() if is_collapsing(count, self.supernet.derived_edges)]
        row = SupernetEpoch(
            epoch=number + 1,
            warm_up=not searches,
            weight=levels.weight,
            alpha=levels.alpha,
            arch=arch,
            entropy={f"entropy_{cell}": value for cell, value in self.supernet.entropy().items()},
            skips={f"skips_{cell}": count for cell, count in skips.items()},
            warning=f"mostly skip connections in: {', '.join(collapsing)}" if collapsing else None,
            validation=self.validation(),
            eigenvalue=self.eigenvalue() if options.stop_eigenvalue and searches else None,
            lr=self.weight_optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - started,
        )
        self.history.append(row)
        self.epochs_done += 1
        if (stop := early_stop(options, self.history)) is not None:
            self.stopped, self.chosen = stop
        return row

    def validation(self) -> dict[str, float | None]:
        """Accuracy on the held-out images, clean and under PGD with the same random starts in every epoch.

        None if the data have no held-out images; empty if `validation_images` is 0.
        """
        with uncompiled(self.supernet):  # batches have other sizes, and no step of theirs would begin new graphs
            return accuracies(
                self.supernet,
                self.held_out,
                self.options.validation_images,
                self.batch_size,
                self.budget,
                self.generator("validation"),
            )

    def derived(self) -> tuple[str, dict[str, int]]:
        """The architecture that the supernet derives now, and the number of skip connections of each of its cells."""
        return str(self.supernet.derive()), self.supernet.skips()

    def result(self) -> DerivedArchitecture:
        """The architecture that the search ends with, or would end with now."""
        if not self.history:
            return DerivedArchitecture(self.derived()[0], 0, None)
        epoch = self.chosen or self.history[-1]
        return DerivedArchitecture(epoch.arch, epoch.epoch, self.stopped)

    # state

    def state_dict(self) -> State:
        return {
            "epochs_done": self.epochs_done,
            "supernet": self.supernet.state_dict(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "alpha_optimizer": self.alpha_optimizer.state_dict(),
            "history": [epoch.to_json() for epoch in self.history],
            "stopped": self.stopped,
            "chosen": None if self.chosen is None else self.chosen.to_json(),
        }

    def load_state_dict(self, state: State) -> None:
        self.supernet.load_state_dict(state["supernet"])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        self.alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        self.epochs_done = state["epochs_done"]
        self.history = list(map(SupernetEpoch.from_json, state["history"]))
        self.stopped = state["stopped"]
        self.chosen = None if state["chosen"] is None else SupernetEpoch.from_json(state["chosen"])

    def _check_finite(self, epoch: int, means: dict[str, float]) -> None:
        for level in ("weight", "alpha"):
            value = means.get(f"{level}_loss", 0.0)
            if not math.isfinite(value):
                raise NasError(
                    f"The search diverged: the loss of the {level}s became {value} in epoch {epoch}; lower "
                    f"{self.options.section}.lr or {self.options.section}.clip and resume from the last checkpoint or "
                    "start again."
                )
