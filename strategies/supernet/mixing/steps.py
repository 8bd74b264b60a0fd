"""How the operations of a supernet are mixed in each step of a search, as its options say."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nas.core.io.checkpoint import State
from nas.search_spaces.supernet import Supernet, differentiate_only
from nas.strategies.supernet.base import SupernetStrategy
from nas.strategies.supernet.compilation import begin_graphs
from nas.strategies.supernet.halves import Batch
from nas.strategies.supernet.mixing.mixtures import MIXTURES, Mixture
from nas.strategies.supernet.mixing.noise import MIXTURE_NOISES, Weights
from nas.strategies.supernet.mixing.skip_dropout import SkipDropout, decayed_rate


class MixingStrategy(SupernetStrategy):
    """A search whose steps draw a mixture, perturb it and drop parts of skip connections, as its options say."""

    dropout: SkipDropout | None = None  # on skip connections, during an epoch

    @cached_property
    def mixture(self) -> Mixture:
        return MIXTURES.get(self.options.mixture)

    def begin_step(self, draws: torch.Generator) -> None:
        """What all passes of the next step have in common: the mixture, and what skip connections drop."""
        if self.options.compile is not None:
            begin_graphs()
        self.draw_mixture(draws)
        if self.dropout is not None:
            self.dropout.begin_step()

    def skip_dropout(self, epoch: int) -> float:
        """The rate of the dropout on skip connections in an epoch."""
        return decayed_rate(self.options.skip_dropout, epoch, self.options.epochs, self.options.warm_up)

    def draw_mixture(self, draws: torch.Generator) -> None:
        """Draw how α mixes the operations in the next step."""
        options, last = self.options, max(self.options.epochs - 1, 1)
        fall = (options.temperature - options.temperature_end) * min(self.epochs_done / last, 1)
        self.supernet.mixer = self.mixture.compute(self.supernet, options.temperature - fall, draws)

    def perturb_mixture(self, train: Batch, draws: torch.Generator) -> None:
        """Perturb the mixture for the next step of the weights, if the options say so."""
        m, options = self.supernet, self.options
        if options.mixture_noise is None:
            return
        x, y = train
        now = {name: one._replace(weights=one.weights.detach()) for name, one in m.mixed().items()}

        def mix(weights: Weights) -> None:
            m.mixer = lambda name, alpha: now[name]._replace(weights=weights[name])

        def loss(weights: Weights) -> Tensor:
            mix(weights)
            return functional.cross_entropy(m(x), y)

        grown = min(self.epochs_done / options.epochs, 1)
        radius = options.noise_radius + (options.noise_radius_end - options.noise_radius) * grown
        with differentiate_only(m, ()):
            before = {name: one.weights for name, one in now.items()}
            moved = MIXTURE_NOISES.get(options.mixture_noise).compute(before, loss, radius, options.noise_steps, draws)
        mix(moved)

    def settle(self) -> None:
        """Let passes mix operations as for held-out images."""
        self.supernet.mixer = self.mixture.settled(self.supernet)

    def install(self, supernet: Supernet) -> None:
        super().install(supernet)
        supernet.independent = self.mixture.independent
        if not self.options.mix_none and "none" in supernet.operations:
            there = torch.tensor([name != "none" for name in supernet.operations], device=self.device)
            supernet.kept = {name: there.expand_as(alpha).clone() for name, alpha in supernet.alphas.items()}
        self.settle()

    def new_supernet(self, *labels: object, **changes: Any) -> Supernet:
        options = self.options
        asked = {"partial": options.partial} if options.partial > 1 else {}
        asked |= {"edge_weights": True} if options.edge_weights else {}
        return super().new_supernet(*labels, **{**asked, **changes})

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.settle()
