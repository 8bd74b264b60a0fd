"""The settings of a supernet search; the defaults are those of RNAS-max (Zhu et al., section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from nas.core.config import Section
from nas.core.config.conditions import Condition
from nas.strategies.supernet.compilation import COMPILABLE, COMPILERS
from nas.strategies.supernet.mixing.options import MIXING_CONDITIONS, MixingOptions, coefficient_of_alpha
from nas.strategies.supernet.perturbations import PERTURBATIONS
from nas.strategies.supernet.regularisers import REGULARISERS

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}  # the types in which convolutions compute


def _is_regularised(options: Any, *_: Any) -> bool:
    return max(options.coefficient, coefficient_of_alpha(options)) > 0


_regularised = Condition(_is_regularised, "with strategy.coefficient=0")
_perturbed = Condition(
    lambda options, space: _is_regularised(options) or options.validation_images > 0,
    "with strategy.coefficient=0 and strategy.validation_images=0",
)
CONDITIONS = {  # of the options below
    "regulariser": _regularised,
    "regulariser_temperature": Condition(
        lambda options, space: _is_regularised(options) and not REGULARISERS.get(options.regulariser).scale_free,
        lambda options: (
            f"with {options.section}.regulariser={options.regulariser}, which is the same at any scale"
            if _is_regularised(options)
            else f"with {options.section}.coefficient=0"
        ),
    ),
    "perturbation": _regularised,
    "warm_up_regularised": Condition(
        lambda options, space: options.coefficient > 0 and options.warm_up > 0,
        "with strategy.coefficient=0 or strategy.warm_up=0",
    ),
    "eps": _perturbed,
    "steps": _perturbed,
    "step_size": _perturbed,
    "compile": COMPILABLE,
    **MIXING_CONDITIONS,
}


@dataclass
class TrainingOptions(Section):
    """Both levels minimise CE + λ·f; the weights by SGD with a cosine learning rate, α by Adam.

    The paper does not say whether the steps of the warm-up minimise λ·f. Here they do: eq. 4 and both algorithms
    define the weights w*(α) with that term.
    """

    section: ClassVar[str] = "strategy"

    epochs: int = 50  # passes over the half of the images that trains the weights
    warm_up: int = 15  # first epochs, in which only the weights learn
    warm_up_regularised: bool = True  # whether the weights minimise λ·f in the warm-up too
    batch_size: int = 64  # images per step of either level
    coefficient: float = 1.0  # λ; 0 is DARTS
    regulariser: str = "correlation"  # f
    regulariser_temperature: float = 1.0  # T of T²·f(clean/T, perturbed/T)
    perturbation: str = "pgd"  # how x' is made
    eps: float = 0.031  # radius of the L∞ ball, images in [0, 1]
    steps: int = 10  # of PGD
    step_size: float = 0.003  # of PGD
    second_order: bool = False  # the gradient of α goes through one step of the weights
    lr: float = 0.025  # of the weights
    lr_min: float = 0.001  # the rate of the weights at the end of its cosine
    momentum: float = 0.9  # of the weights' SGD
    weight_decay: float = 3e-4  # of the weights
    clip: float = 5.0  # largest L2 norm of the weights' gradient
    alpha_lr: float = 3e-4  # of α, by Adam
    alpha_beta1: float = 0.5  # of Adam
    alpha_beta2: float = 0.999  # of Adam
    alpha_weight_decay: float = 1e-3  # of α
    crop: int = 4  # random crop after padding by this many pixels; 0 for none
    flip: bool = True  # mirror half of the images
    precision: str = "fp32"  # bf16: autocast, on GPUs that support it; weights, α and losses stay in fp32
    compile: str | None = None  # cuda-graphs or reduce-overhead: how `torch.compile` makes passes faster on a GPU
    validation_images: int = 1000  # held-out images for the accuracies after each epoch; 0 for none
    stop_skips: int | None = None  # end if the normal cell has this many skip connections (DARTS+: 2)
    stop_eigenvalue: bool = False  # end if the validation loss becomes sharp in α (Zela et al. 2020)

    def check(self) -> None:
        super().check()
        REGULARISERS.get(self.regulariser)
        PERTURBATIONS.get(self.perturbation)
        self.check_choices({"precision": tuple(PRECISIONS)})
        if self.compile is not None:
            self.check_choices({"compile": tuple(COMPILERS)})
        self.check_between(
            {
                "epochs": (1, 1_000_000),
                "warm_up": (0, 1_000_000),
                "batch_size": (2, 1_000_000),
                "coefficient": (0, 1e6),
                "eps": (0, 1),
                "steps": (1, 100_000),
                "lr_min": (0, 1e6),
                "momentum": (0, 1),
                "weight_decay": (0, 1e6),
                "alpha_beta1": (0, 0.999999),
                "alpha_beta2": (0, 0.999999),
                "alpha_weight_decay": (0, 1e6),
                "crop": (0, 512),
                "validation_images": (0, 1_000_000_000),
                "stop_skips": (1, 1_000_000),
            }
        )
        self.check_positive("lr", "clip", "alpha_lr", "step_size", "regulariser_temperature")


@dataclass
class BilevelOptions(MixingOptions, TrainingOptions):
    """The options that all supernet strategies have; the defaults are those of RNAS-max."""
