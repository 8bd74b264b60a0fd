"""The contract of an attack, and how a name such as `pgd20` becomes one."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from nas.core.errors import InputError, NasError
from nas.core.optimisation.attack_steps import Walk

if TYPE_CHECKING:
    from nas.core.registry import Registry

NORMS = ("Linf", "L2")
ROUNDING = 1e-5  # tolerance of the distance, absolute and relative
Options = dict[str, Any]  # keyword arguments of an attack; those of a library's attack have the library's names
OWN = "robust-nas"  # provider of an attack: this project itself, not a library


class Attack(ABC):
    """Looks for misclassified images in the ball ‖x' - x‖ ≤ eps around images in [0, 1].

    An evaluation makes one object per radius and calls `perturb` once per stage and batch, in the order of `stages`, on
    images that the network still classifies correctly (`nas transfer` also on others). The network is in eval mode and
    its weights need no gradient. Torch's global generators are seeded with `seed` before each call and restored after.

    Raises `InputError` if the attack is not defined for `norm`.
    """

    name: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()  # keys of the bibliography, or BibTeX entries
    norms: ClassVar[tuple[str, ...]] = ("Linf",)
    bounded: ClassVar[bool] = True  # False: it looks for the smallest perturbation, which may be outside the ball
    default_steps: ClassVar[int | None] = None  # a number in the name, as in pgd20, replaces it; None: allows no number
    needs_gradient: bool = True  # whether it needs gradients with respect to the image; False: it only needs logits
    reads: ClassVar[frozenset[str] | None] = None  # which of step_size and restarts it uses; None: both
    example: ClassVar[str | None] = None  # a name that works, where `name` is a pattern such as `library:NAME`

    def __init__(
        self,
        eps: float,
        step_size: float | None = None,
        steps: int | None = None,
        norm: str = "Linf",
        restarts: int = 1,
    ) -> None:
        if norm not in self.norms:
            raise InputError(
                f"Expected an attack that is defined for {norm} but {self.name} is defined for "
                f"{' and '.join(self.norms)}; set eval.norm={self.norms[0]} or leave it out of eval.attacks."
            )
        self.eps = eps
        self.norm = norm
        self.steps = self.default_steps if steps is None else steps
        self.step_size = self.default_step_size() if step_size is None else step_size
        self.restarts = restarts

    def default_step_size(self) -> float:
        return self.eps / 4

    @property
    def stages(self) -> tuple[str, ...]:
        """Parts that run one after the other, each on the images that are correct after all parts before it."""
        return (self.name,)

    def check(self, num_classes: int, image_size: int) -> None:  # noqa: B027
        """Raise `InputError` if the attack cannot finish with this number of classes or images of this size (pixels a
        side), or needs a package that is not installed. By default it always can. Called before anything is written.
        """

    def provider(self, x: Tensor) -> str | None:
        """The library that attacks images like `x`, if several could and their numbers may differ; else None."""
        return None

    def kept_as(self, key: str, x: Tensor) -> str:
        """The key under which an outcome on images like `x` is stored: outcomes of two providers are never mixed."""
        return f"{key}/{OWN}" if self.provider(x) == OWN else key

    @abstractmethod
    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        """Perturbed images, of the shape of `x` (B, C, H, W)."""

    @abstractmethod
    def passes(self) -> float:
        """Forward+backward passes of all stages for an image that survives them, for forecasts."""

    def walk(self) -> Walk | None:
        """The number of steps and their size; `None` if the attack has no steps of a fixed size."""
        return None

    def admitted(self, x_adv: Tensor, x: Tensor) -> Tensor:
        """(B,) whether each perturbed image lies in the ball and in [0, 1]; only such images count as successes.

        Raises `NasError` if a bounded attack returned another image, or any attack another shape: a defect of the
        attack or its library.
        """
        if x_adv.shape != x.shape:
            raise NasError(
                f"Expected the attack {self.name} to return images of shape {tuple(x.shape)}, as they "
                f"were given, but got {tuple(x_adv.shape)}, which is a defect of the attack or its library."
            )
        inside = distance(x_adv, x, self.norm) <= self.eps * (1 + ROUNDING) + ROUNDING
        inside &= (x_adv.clamp(0, 1) == x_adv).flatten(1).all(1)
        if self.bounded and not bool(inside.all()):
            raise NasError(
                f"The attack {self.name} left its ball or [0, 1] (or gave NaN), which is a defect of the attack or its "
                "library."
            )
        return inside


def distance(a: Tensor, b: Tensor, norm: str) -> Tensor:
    """‖a - b‖ of each image, (B, C, H, W) to (B,): the largest change of a pixel (Linf), or Euclidean (L2)."""
    difference = (a - b).flatten(1)
    return difference.abs().amax(1) if norm == "Linf" else torch.linalg.vector_norm(difference, dim=1)


def parse_attack(attacks: Registry[type[Attack]], text: str) -> tuple[type[Attack], Options]:
    """The attack class that `text` names, and the options in the name: `pgd20` → (PGD, {"steps": 20}).

    `library:NAME` gives the class of that pattern, whose `read` parses the rest. Raises `InputError` if there is no
    such attack.
    """
    prefix, colon, rest = text.partition(":")
    pattern = f"{prefix}:NAME"
    if colon and pattern in attacks.names():
        kind: Any = attacks.get(pattern)
        return kind, kind.read(rest)
    match = re.fullmatch(r"(.*?)(\d+)?", text)
    base, digits = match.groups() if match else (text, None)
    if digits is not None and base in attacks.names():
        if attacks.get(base).default_steps is None or int(digits) < 1:
            raise InputError(f"Expected an attack but got {text!r}; {base} takes no such number of steps.")
        return attacks.get(base), {"steps": int(digits)}
    return attacks.get(text), {}
