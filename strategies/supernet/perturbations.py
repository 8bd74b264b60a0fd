"""How the perturbed images x' of RNAS are made, in the ball |x' - x|∞ ≤ eps and in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nas.core.optimisation.attack_steps import Objective, pgd, uniform_noise
from nas.core.registry import Registry


@dataclass(frozen=True)
class Budget:
    """The radius of the ball and the steps of an attack, for images in [0, 1]."""

    eps: float
    step_size: float
    steps: int


Compute = Callable[[Objective, Tensor, Budget, torch.Generator | None], Tensor]


@dataclass(frozen=True)
class Perturbation:
    """Makes x' for a batch of images x. Attacks increase `objective(x') -> scalar`; noise does not use it.

    Attacks start at x + U(-eps, eps), because a disagreement with x has no gradient at x itself. The result carries no
    gradient. `passes(budget)` counts how often the objective is evaluated and differentiated with respect to the input.
    """

    name: str
    compute: Compute
    passes: Callable[[Budget], int]
    references: tuple[str, ...] = ()  # keys of the bibliography, or BibTeX entries

    def __call__(
        self, objective: Objective, x: Tensor, budget: Budget, generator: torch.Generator | None = None
    ) -> Tensor:
        return self.compute(objective, x, budget, generator)


def perturbation(
    name: str, *, passes: Callable[[Budget], int], references: tuple[str, ...] = ()
) -> Callable[[Compute], Perturbation]:
    """Decorator: makes a perturbation from `(objective, x, budget, generator) -> x'`; its docstring describes it."""
    return lambda compute: Perturbation(name, compute, passes, references)


@perturbation("pgd", passes=lambda budget: budget.steps, references=("madry2018towards",))
def projected_gradient(objective: Objective, x: Tensor, budget: Budget, generator: torch.Generator | None) -> Tensor:
    """`steps` signed gradient steps of `step_size` from a random point of the ball (Madry et al., ICLR 2018)."""
    start = uniform_noise(x, budget.eps, generator)
    return pgd(objective, x, budget.eps, budget.step_size, budget.steps, start=start)


@perturbation("fgsm", passes=lambda budget: 1, references=("wong2020fast",))
def one_step(objective: Objective, x: Tensor, budget: Budget, generator: torch.Generator | None) -> Tensor:
    """One signed gradient step of 1.25·eps from a random point of the ball, projected (Wong et al., ICLR 2020)."""
    start = uniform_noise(x, budget.eps, generator)
    return pgd(objective, x, budget.eps, 1.25 * budget.eps, 1, start=start)


@perturbation("uniform", passes=lambda budget: 0, references=("zhu2023rnas",))
def uniform(objective: Objective, x: Tensor, budget: Budget, generator: torch.Generator | None) -> Tensor:
    """x + U(-eps, eps) per pixel, clipped to [0, 1]: as in RNAS-uniform; needs no gradient."""
    return uniform_noise(x, budget.eps, generator)


PERTURBATIONS: Registry[Perturbation] = Registry(
    "perturbation", "nas.strategies.supernet", "nas.rnas", lambda value: isinstance(value, Perturbation)
)
