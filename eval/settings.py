"""The settings of an attack evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.core.errors import InputError


@dataclass
class EvalSettings:
    """Which attacks, how strong, on how many test images. eps in units of the [0, 1] image range, L∞."""

    attacks: list[str] = field(default_factory=lambda: ["fgsm", "pgd20", "autoattack"])
    eps: float = 8 / 255
    step_size: float | None = None  # of PGD; by default eps/4
    n_test: int = 1000  # the first so many images of a fixed permutation of the test part
    batch_size: int = 250  # images attacked at once; outcomes are kept per batch
    sweep: list[float] = field(default_factory=list)  # radii of the robustness curve, as multiples of eps
    sweep_attack: str = "pgd20"

    def check(self) -> None:
        if not 0 < self.eps <= 1:
            raise InputError(f"Expected eval.eps in (0, 1] but got {self.eps}; 8/255 is the usual one for CIFAR-10.")
        if self.step_size is not None and not 0 < self.step_size <= 1:
            raise InputError(f"Expected eval.step_size in (0, 1] or null but got {self.step_size}.")
        for key in ("n_test", "batch_size"):
            if getattr(self, key) < 1:
                raise InputError(f"Expected eval.{key} >= 1 but got {getattr(self, key)}.")
        for factor in self.sweep:
            if not 0 < factor * self.eps <= 1:
                raise InputError(f"Expected eval.sweep with factor * eval.eps in (0, 1] but got factor {factor}.")
        if len(set(self.attacks)) != len(self.attacks):
            raise InputError(f"Expected each attack once in eval.attacks but got {', '.join(self.attacks)}.")
