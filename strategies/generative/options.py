"""The settings of AG-Net."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.suggestions import suggest
from nas.strategies.generative.pretraining import KINDS, NETWORK
from nas.strategies.option_error import OptionError

PICKS = ("surrogate", "random")


@dataclass
class AGNetOptions:
    """The settings of the authors' release; those from `generator` to `pick` take the method apart."""

    init: int = 16  # random architectures at the start
    batch: int = 16  # proposed between two trainings
    candidates: int = 100  # new architectures that are generated for each batch
    draws: int = 9  # batches of 100, 200, … samples at most: 4,500 in all, if fewer do not give the candidates
    epochs: int = 30  # of each training; the release takes 15 on NASBench-101 and DARTS
    lr: float = 1e-3  # of Adam
    alpha: float = 0.9  # share of the surrogate's error in the loss; the rest is that of the reconstruction
    k: float = 0.01  # of the weights 1/(k·N + rank): the smaller, the more the best of the N known count
    pretraining: int = 100_000  # random graphs that the generator has learnt from; the release has 2.5 million
    queries: int = 192  # in a space of several parts (cells), each is searched for an equal share of so many
    generator: str = NETWORK  # or marginals (every node and edge is drawn by itself) or posterior (z is of the graph)
    weighted: bool = True  # the best count more in training
    gradient: bool = True  # the surrogate's error also trains the generator
    pick: str = "surrogate"  # what chooses the batch among the candidates; or random
    limited_alpha: float = 0.95  # in a search with limits, instead of alpha
    limited_lr: float = 2e-4  # in a search with limits, instead of lr
    limited_decay: float = 1e-4  # weight decay of Adam in a search with limits

    def check(self) -> None:
        for key in ("init", "batch", "candidates", "draws", "epochs", "pretraining", "queries"):
            if getattr(self, key) < 1:
                raise OptionError(f"Expected {key} >= 1 but got {getattr(self, key)}", key)
        for key in ("lr", "k", "limited_lr"):
            if not getattr(self, key) > 0:
                raise OptionError(f"Expected {key} > 0 but got {getattr(self, key)}", key)
        for key in ("alpha", "limited_alpha"):
            if not 0 <= getattr(self, key) <= 1:
                raise OptionError(f"Expected {key} between 0 and 1 but got {getattr(self, key)}", key)
        if self.limited_decay < 0:
            raise OptionError(f"Expected limited_decay >= 0 but got {self.limited_decay}", "limited_decay")
        for key, known in (("generator", tuple(KINDS)), ("pick", PICKS)):
            value = getattr(self, key)
            if value not in known:
                raise OptionError(
                    f"Expected one of {', '.join(known)} for {key} but got {value!r}{suggest(value, list(known))}", key
                )
