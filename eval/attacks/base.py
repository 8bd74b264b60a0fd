"""The contract of an attack, and how a name such as `pgd20` becomes one."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from nas.core.errors import InputError

if TYPE_CHECKING:
    from nas.core.registry import Registry


class Attack(ABC):
    """Looks for misclassified images in the ball |x' - x| ≤ eps (L∞) around images in [0, 1].

    An evaluation makes one per radius and calls `perturb` once per stage and batch, always on images that the network
    still classifies rightly, in `stages` order. The network is in eval mode and its weights need no gradient. Torch's
    global generators are seeded before each call with `seed`, and put back after it.
    """

    name: ClassVar[str]
    norm: ClassVar[str] = "Linf"
    default_steps: ClassVar[int | None] = None  # a number after the name, as in pgd20, sets the steps; None: no such

    def __init__(self, eps: float, step_size: float | None, steps: int | None) -> None:
        self.eps = eps
        self.step_size = eps / 4 if step_size is None else step_size
        self.steps = self.default_steps if steps is None else steps

    @property
    def stages(self) -> tuple[str, ...]:
        """Parts that are run one after the other, each on what the previous ones left standing."""
        return (self.name,)

    def check(self, num_classes: int) -> None:  # noqa: B027
        """`InputError` where the attack is not defined for so many classes; by default it always is."""

    @abstractmethod
    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        """Perturbed images, of the shape of `x` (B, C, H, W)."""

    @classmethod
    @abstractmethod
    def passes(cls, steps: int | None) -> float:
        """Forward+backward passes per attacked image that survives, for forecasts."""


def named(attacks: Registry[type[Attack]], text: str) -> tuple[type[Attack], int | None]:
    """The attack class and number of steps that `text` names: `fgsm`, `pgd20`, `autoattack`."""
    match = re.fullmatch(r"(.*?)(\d+)?", text)
    base, digits = match.groups() if match else (text, None)
    if digits is not None and base in attacks.names():
        if attacks.get(base).default_steps is None or int(digits) < 1:
            raise InputError(f"Expected an attack but got {text!r}; {base} takes no such number of steps.")
        return attacks.get(base), int(digits)
    return attacks.get(text), None
