"""AutoAttack `standard`, from the authors' package where it is installed, else from pyautoattack."""

from __future__ import annotations

import contextlib
import io
from importlib.util import find_spec
from typing import Any, ClassVar

from torch import Tensor, nn

from nas.core.errors import InputError
from nas.eval.attacks.base import Attack

TARGETS = 9  # of the targeted parts, whatever the number of classes: this is what `standard` means


class AutoAttack(Attack):
    """APGD-CE, targeted APGD-DLR, targeted FAB, Square (Croce and Hein, ICML 2020), 100 iterations, 5,000 queries.

    The four parts are driven one at a time on fixed batches, so that a stopped evaluation continues exactly.
    """

    name: ClassVar[str] = "autoattack"

    @property
    def stages(self) -> tuple[str, ...]:
        return ("apgd-ce", "apgd-t", "fab-t", "square")

    def check(self, num_classes: int) -> None:
        if num_classes < 4:
            raise InputError(
                f"Expected at least 4 classes for autoattack (its DLR loss ranks four logits) but the data has "
                f"{num_classes}; use eval.attacks=fgsm,pgd20."
            )

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        with contextlib.redirect_stdout(io.StringIO()):  # both packages print
            adversary = _adversary(network, self.eps, seed, x)
            targets = min(TARGETS, network(x[:1]).shape[1] - 1)
            adversary.apgd_targeted.n_target_classes = targets
            adversary.fab.n_target_classes = targets
            adversary.attacks_to_run = [stage]
            result = adversary.run_standard_evaluation(x, y, **{_batch_argument(): len(x)})
        return result[0] if isinstance(result, tuple) else result

    @classmethod
    def passes(cls, steps: int | None) -> float:
        return 2900


def package() -> str:
    """The package that attacks: "autoattack" (the authors') or "pyautoattack"."""
    return "autoattack" if find_spec("autoattack") else "pyautoattack"


def _adversary(network: nn.Module, eps: float, seed: int, x: Tensor) -> Any:
    seed = seed % 2**32  # one of the parts seeds numpy's old generator
    if package() == "autoattack":
        from autoattack import AutoAttack as Authors

        return Authors(network, norm="Linf", eps=eps, seed=seed, verbose=False, version="standard", device=x.device)
    from pyautoattack import AutoAttack as Packaged

    return Packaged(network, norm="Linf", eps=eps, seed=seed, version="standard", device=x.device)


def _batch_argument() -> str:
    return "bs" if package() == "autoattack" else "batch_size"
