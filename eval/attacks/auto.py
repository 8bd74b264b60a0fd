"""AutoAttack and its parts, from the authors' package if it is installed, else from pyautoattack."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, ClassVar

from torch import Tensor, nn

from nas.core.errors import InputError
from nas.eval.attacks import library
from nas.eval.attacks.base import NORMS, Attack

TARGETS = 9  # target classes of the targeted parts, at most, as in the version `standard`
FORWARD = 1 / 3  # cost of a forward pass, relative to a forward+backward pass
TILES = 5  # the smallest number of tiles along a side in the first step of Square in L2


class FromAutoAttack(Attack):
    """Runs one part of the package at a time on fixed batches, so that a stopped evaluation continues exactly."""

    norms: ClassVar[tuple[str, ...]] = NORMS
    version: ClassVar[str] = "standard"
    classes: ClassVar[int] = 2  # the smallest number of classes with which the attack works

    def check(self, num_classes: int, image_size: int) -> None:
        if num_classes < self.classes:
            raise InputError(
                f"Expected at least {self.classes} classes for {self.name} (its DLR loss ranks {self.classes} logits) "
                f"but the data has {num_classes}; use eval.attacks=fgsm,pgd20,apgd-ce,square."
            )
        if self.norm == "L2" and "square" in self.stages:
            check_square_fits(self.name, image_size)

    def adjust(self, adversary: Any, num_classes: int) -> None:
        """Set the options that differ from the package's `standard` version."""

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        with contextlib.redirect_stdout(io.StringIO()), _without_dlr_warning(stage):  # both packages print
            adversary = self.adversary(network, seed, x)
            self.adjust(adversary, network(x[:1]).shape[1])
            adversary.attacks_to_run = [stage]
            result = adversary.run_standard_evaluation(x, y, **{_batch_argument(): len(x)})
        return result[0] if isinstance(result, tuple) else result

    def adversary(self, network: nn.Module, seed: int, x: Tensor) -> Any:
        """The package's attack object, before `adjust`."""
        common: Any = {"norm": self.norm, "eps": self.eps, "version": self.version, "device": x.device}
        common["seed"] = seed % 2**32  # one of the parts seeds numpy's old generator, which takes 32 bits
        if package() == "autoattack":
            from autoattack import AutoAttack as Authors

            return Authors(network, verbose=False, **common)
        from pyautoattack import AutoAttack as Packaged

        return Packaged(network, **common)


class AutoAttack(FromAutoAttack):
    """APGD-CE, targeted APGD-DLR, targeted FAB, Square (Croce and Hein, ICML 2020), 100 iterations, 5,000 queries."""

    name: ClassVar[str] = "autoattack"
    references: ClassVar[tuple[str, ...]] = ("croce2020reliable", "croce2020fab", "andriushchenko2020square")
    reads: ClassVar[frozenset[str] | None] = frozenset()
    classes: ClassVar[int] = 4

    @property
    def stages(self) -> tuple[str, ...]:
        return ("apgd-ce", "apgd-t", "fab-t", "square")

    def adjust(self, adversary: Any, num_classes: int) -> None:
        adversary.apgd_targeted.n_target_classes = min(TARGETS, num_classes - 1)
        adversary.fab.n_target_classes = min(TARGETS, num_classes - 1)

    def passes(self) -> float:
        return 2900


class AutoAttackRand(FromAutoAttack):
    """AutoAttack's version for randomised networks: APGD-CE and APGD-DLR, each gradient the mean of 20."""

    name: ClassVar[str] = "autoattack-rand"
    references: ClassVar[tuple[str, ...]] = ("croce2020reliable",)
    reads: ClassVar[frozenset[str] | None] = frozenset()
    version: ClassVar[str] = "rand"
    classes: ClassVar[int] = 3

    @property
    def stages(self) -> tuple[str, ...]:
        return ("apgd-ce", "apgd-dlr")

    def passes(self) -> float:
        return 2 * 100 * 20


class APGDCE(FromAutoAttack):
    """PGD with a step size of its own choice on the cross-entropy (Croce and Hein, ICML 2020), 100 iterations."""

    name: ClassVar[str] = "apgd-ce"
    references: ClassVar[tuple[str, ...]] = ("croce2020reliable",)
    reads: ClassVar[frozenset[str] | None] = frozenset({"restarts"})
    default_steps: ClassVar[int | None] = 100

    def adjust(self, adversary: Any, num_classes: int) -> None:
        adversary.apgd.n_iter, adversary.apgd.n_restarts = self.steps, self.restarts

    def passes(self) -> float:
        return (self.steps or 0) * self.restarts


class APGDDLR(APGDCE):
    """APGD on the difference of logits ratio, a loss that the scale of the logits does not change, 100 iterations."""

    name: ClassVar[str] = "apgd-dlr"
    references: ClassVar[tuple[str, ...]] = ("croce2020reliable",)
    reads: ClassVar[frozenset[str] | None] = frozenset({"restarts"})
    classes: ClassVar[int] = 3


class FAB(FromAutoAttack):
    """The nearest decision boundary within the ball (Croce and Hein, ICML 2020), untargeted, 100 iterations."""

    name: ClassVar[str] = "fab"
    references: ClassVar[tuple[str, ...]] = ("croce2020fab",)
    reads: ClassVar[frozenset[str] | None] = frozenset({"restarts"})
    default_steps: ClassVar[int | None] = 100

    def adjust(self, adversary: Any, num_classes: int) -> None:
        adversary.fab.n_iter, adversary.fab.n_restarts = self.steps, self.restarts

    def passes(self) -> float:
        return (self.steps or 0) * self.restarts * 10  # a backward pass per class, if there are 10


class Square(FromAutoAttack):
    """Random search with squares, by queries alone (Andriushchenko et al., ECCV 2020), 5,000 queries."""

    name: ClassVar[str] = "square"
    references: ClassVar[tuple[str, ...]] = ("andriushchenko2020square",)
    needs_gradient: bool = False
    reads: ClassVar[frozenset[str] | None] = frozenset({"restarts"})
    default_steps: ClassVar[int | None] = 5000

    def adjust(self, adversary: Any, num_classes: int) -> None:
        adversary.square.n_queries, adversary.square.n_restarts = self.steps, self.restarts

    def passes(self) -> float:
        return (self.steps or 0) * self.restarts * FORWARD


def square_fits(image_size: int) -> bool:
    """Whether the tiles of Square's first step in L2 fit into images of `image_size` pixels a side.

    The first of ⌊n/s⌋ tiles of side s = ⌊n/5⌋ in each direction begins at ⌊(n - 5s)/2⌋. The package fails if s is 0
    (n < 5), or if s > 1 and the last tile sticks out of the image (n = 12, 14, 18, 19, 24).
    """
    side = image_size // TILES
    if side <= 1:
        return side == 1
    return (image_size - TILES * side) // 2 + image_size // side * side <= image_size


def check_square_fits(name: str, image_size: int) -> None:
    """Raise `InputError` unless Square, as a part of the attack `name`, can start in L2."""
    if not square_fits(image_size):
        larger = next(size for size in range(image_size + 1, 2 * image_size + TILES) if square_fits(size))
        raise InputError(
            f"Expected images into which the squares of {name} fit in L2 but the images have {image_size} pixels a "
            f"side, with which its package fails; leave {name} out, use eval.norm=Linf, or images of {larger} pixels."
        )


def package() -> str:
    """The package that attacks: "autoattack" (the authors', not torchattacks' copy) or "pyautoattack"."""
    return "autoattack" if find_spec("autoattack") and not library.ships("autoattack") else "pyautoattack"


@contextlib.contextmanager
def _without_dlr_warning(stage: str) -> Iterator[None]:
    """Leave out the package's warning about the targeted DLR loss in every part that does not use that loss."""

    def wanted(record: logging.LogRecord) -> bool:
        return "targeted DLR loss" not in record.getMessage()

    logger = logging.getLogger("auto-attack")
    if stage != "apgd-t":
        logger.addFilter(wanted)
    try:
        yield
    finally:
        logger.removeFilter(wanted)


def _batch_argument() -> str:
    return "bs" if package() == "autoattack" else "batch_size"
