"""The settings of the mixture of operations, of its perturbation, and of the robust terms of α alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nas.core.config import Section
from nas.core.config.conditions import Condition, chosen
from nas.core.errors import InputError
from nas.strategies.supernet.mixing.mixtures import MIXTURES
from nas.strategies.supernet.mixing.noise import MIXTURE_NOISES
from nas.strategies.supernet.penalties import PENALTIES

_moved = Condition(lambda options, space: options.mixture_noise is not None, "without strategy.mixture_noise")
_alpha_regularised = Condition(
    lambda options, space: coefficient_of_alpha(options) > 0,
    "with strategy.coefficient=0 or strategy.alpha_coefficient=0",
)
_penalised = Condition(lambda options, space: options.penalty is not None, "without strategy.penalty")
MIXING_CONDITIONS = {  # of the options below
    "temperature": chosen("strategy", "mixture", "gumbel"),
    "temperature_end": chosen("strategy", "mixture", "gumbel"),
    "noise_radius": _moved,
    "noise_radius_end": _moved,
    "noise_steps": chosen("strategy", "mixture_noise", "adversarial"),
    "penalty_coefficient": _penalised,
    "penalty_after": _penalised,
    "alpha_coefficient_after": _alpha_regularised,
}


def coefficient_of_alpha(options: Any) -> float:
    """λ of α's loss, after the epochs in which it is without λ·f."""
    own = options.alpha_coefficient
    return float(options.coefficient if own is None else own)


@dataclass
class MixingOptions(Section):
    """What a pass of the supernet computes from α, and what α minimises besides the loss of both levels.

    Every mixture goes with every penalty and with partial channels. The defaults are those of DARTS.
    """

    section: ClassVar[str] = "strategy"

    mixture: str = "softmax"  # how α weighs the operations of an edge: softmax, dirichlet, gumbel or sigmoid
    mix_none: bool = True  # whether `none` takes part in the mixture
    temperature: float = 10.0  # of gumbel, in the first epoch
    temperature_end: float = 0.1  # of gumbel, in the last epoch; between them it falls linearly
    partial: int = 1  # 1/partial of the channels pass through the operations
    edge_weights: bool = False  # whether each edge has a weight too, softmax(β) over the edges into a node
    mixture_noise: str | None = None  # perturbs the mixture in the steps of the weights: random or adversarial
    noise_radius: float = 0.03  # of the perturbed mixture, in the first epoch
    noise_radius_end: float = 0.3  # what it grows to, linearly
    noise_steps: int = 7  # of the adversarial perturbation
    penalty: str | None = None  # a term of α's loss: smoothness, jacobian or dirichlet-kl
    penalty_coefficient: float = 0.01  # what it is multiplied by
    penalty_after: int = 0  # first epochs, in which α's loss is without it
    alpha_coefficient: float | None = None  # λ of α's loss; null: that of both levels
    alpha_coefficient_after: int = 0  # first epochs, in which α's loss is without λ·f
    skip_dropout: float = 0.0  # rate at which elements of skip connections are dropped, at first
    nesterov: bool = False  # whether the momentum of the weights' SGD is that of Nesterov

    def check(self) -> None:
        super().check()
        MIXTURES.get(self.mixture)
        if self.mixture_noise is not None:
            MIXTURE_NOISES.get(self.mixture_noise)
            if self.mixture == "gumbel":
                raise InputError(
                    "Expected no strategy.mixture_noise with strategy.mixture=gumbel, where an edge has a single "
                    "operation; leave one of them out."
                )
            if MIXTURES.get(self.mixture).independent:
                raise InputError(
                    f"Expected no strategy.mixture_noise with strategy.mixture={self.mixture}, whose weights need not "
                    "sum to 1; leave one of them out."
                )
        if self.penalty is not None:
            PENALTIES.get(self.penalty)
        self.check_between(
            {
                "partial": (1, 1024),
                "noise_radius": (0, 1),
                "noise_radius_end": (0, 1),
                "noise_steps": (1, 100_000),
                "penalty_coefficient": (0, 1e6),
                "penalty_after": (0, 1_000_000),
                "alpha_coefficient": (0, 1e6),
                "alpha_coefficient_after": (0, 1_000_000),
                "skip_dropout": (0, 0.999999),
            }
        )
        self.check_positive("temperature", "temperature_end")
        if self.nesterov and getattr(self, "momentum", 0.0) == 0:
            raise InputError("Expected strategy.momentum > 0 with strategy.nesterov=true but got 0.")
