"""Whether attacks can follow the outputs of a network: checks that cost a few passes over one batch.

`nas eval` makes them for every network; with `eval.checks` they are part of the checks in `nas.eval.checks`. Sources:
the flags of AutoAttack; Carlini et al. 2019 (arXiv:1902.06705).
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nas.core.io.records import Json
from nas.core.logits import finite
from nas.core.optimisation.attack_steps import SMALLEST_NORM, eval_mode, input_gradient
from nas.core.reasons import reason
from nas.core.seeds import derive, seeded
from nas.eval.attack_runner import AttackRunner
from nas.eval.attacks.auto import package
from nas.results import OUTPUT_CHECKS, Check

CHECKED_IMAGES = 50  # number of images that are checked, at most one batch
MAX_DISTANCE = 1e-2  # relative, between the logits of an image alone and in its batch; rounding stays far below
SHORT_GRADIENT = 100 * SMALLEST_NORM  # if a gradient is shorter, L2 steps lose a hundredth of their length or more
ROUNDING = 1e-5  # by which a probability may leave [0, 1]
RANDOMISED, LOGITS, GRADIENTS, ALONE = NAMES = OUTPUT_CHECKS


def verdict(warns: bool) -> str:
    return "warn" if warns else "pass"


def check_outputs(few: AttackRunner, norm: str = "Linf") -> list[Check]:
    """The checks `NAMES` on the first batch of `few`; images whose logits are not finite are left out.

    `norm` is that of the attacks: in L2 a gradient is divided by its length, which can be too small for that. Random
    numbers come from a seed of their own, and the state of the global generators is restored.
    """

    def compute() -> list[Json]:
        with seeded(derive(few.seed, few.prefix, "outputs")), eval_mode(few.network):
            return [check.to_json() for check in _checks(few, norm)]

    return list(map(Check.from_json, few.once("outputs", compute)))


def autoattack_checks() -> Any:
    """The module with the checks that the installed AutoAttack makes before it attacks."""
    return importlib.import_module(f"{package()}.checks")


class WarningCollector:
    """The logger that is given to AutoAttack's checks: it collects their warnings."""

    def __init__(self, messages: list[str] | None = None) -> None:
        self.messages: list[str] = messages or []

    def warning(self, message: str) -> None:
        self.messages.append(message.partition(" See ")[0])

    def check(self, name: str, fine: str) -> Check:
        """A check that warns with the messages; if there are none, it passes with the reason `fine`."""
        return Check(name, verdict(bool(self.messages)), "; ".join(self.messages) or fine)


def _checks(few: AttackRunner, norm: str) -> list[Check]:
    x, y = few.images[0], few.labels[0]
    try:
        logits = _logits(few, x)
        if not bool(finite(logits).all()):
            x, y = x[finite(logits)], y[finite(logits)]
            logits = _logits(few, x) if len(x) else logits
    except Exception as error:  # a network that takes the batches of the evaluation but not this smaller one
        skipped = [Check(name, "skipped", "the batch raises an error") for name in NAMES if name != ALONE]
        return [*skipped, Check(ALONE, "warn", f"a batch of {len(x)} images raises {reason(error)}")]
    if not len(x):
        return [Check(name, "skipped", "no image of the batch has finite logits") for name in NAMES]
    randomised = _randomised(few, x, y)
    return [
        randomised,
        _are_logits(logits),
        _gradients(few, x, y, norm),
        _alone(few, x, logits, randomised.ok == "warn"),
    ]


def _logits(few: AttackRunner, x: Tensor) -> Tensor:
    with torch.no_grad():
        return few.network(x)


def _randomised(few: AttackRunner, x: Tensor, y: Tensor) -> Check:
    collector = WarningCollector()
    autoattack_checks().check_randomized(few.network, x, y, bs=len(x), logger=collector)
    if collector.messages:
        words = (
            "passes over the same images give different logits: dropout or noise is on, or the network is randomised "
            "as a defence, for which eval.attacks=autoattack-rand is made"
        )
        return Check(RANDOMISED, "warn", words)
    return Check(RANDOMISED, "pass", "five passes give the same logits")


def _are_logits(logits: Tensor) -> Check:
    low, high = logits.min().item(), logits.max().item()
    if low < -ROUNDING or high > 1 + ROUNDING:
        return Check(LOGITS, "pass", "the outputs are not probabilities")
    words = (
        "all outputs lie in [0, 1], as probabilities do, for which the loss is flat; if the last layer is a softmax or "
        "sigmoid, leave it out"
    )
    return Check(LOGITS, "warn", words)


def _gradients(few: AttackRunner, x: Tensor, y: Tensor, norm: str) -> Check:
    """Whether attacks can follow the gradient of the cross-entropy from every image."""
    connected = True

    def loss(z: Tensor) -> Tensor:
        nonlocal connected
        logits = few.network(z)
        connected = logits.requires_grad
        return functional.cross_entropy(logits, y, reduction="sum") if connected else 0 * z.sum()

    consequence = "attacks that follow it find nothing"
    try:
        gradient = input_gradient(loss, x).flatten(1)
    except Exception as error:  # whatever an operation without a derivative may raise
        return Check(GRADIENTS, "warn", f"no gradient can be computed ({reason(error)}): {consequence}")
    if not connected:
        return Check(GRADIENTS, "warn", f"the logits have no gradient in the images: {consequence}")
    length = torch.linalg.vector_norm(gradient, dim=1, dtype=torch.float64)  # in float32 the squares would vanish
    zero, undefined = int((length == 0).sum()), int((~length.isfinite()).sum())
    short = int(((length > 0) & (length < SHORT_GRADIENT)).sum()) if norm == "L2" else 0
    parts = [f"zero on {zero}"] if zero else []
    parts += [f"not finite on {undefined}"] if undefined else []
    warnings = [f"the gradient is {' and '.join(parts)} of {len(x)} images: {consequence} there"] if parts else []
    if short:
        warnings.append(
            f"the gradient is shorter than {SHORT_GRADIENT:.0e} on {short} of {len(x)} images: attacks in L2 divide by "
            f"its length + {SMALLEST_NORM:.0e}, so their steps are too short there"
        )
    if warnings:
        return Check(GRADIENTS, "warn", "; ".join(warnings))
    return Check(GRADIENTS, "pass", f"no gradient is zero on {len(x)} images")


def _alone(few: AttackRunner, x: Tensor, logits: Tensor, randomised: bool) -> Check:
    """Whether the first, the middle and the last image get the same logits alone as in their batch."""
    if len(x) == 1:
        return Check(ALONE, "skipped", "the batch has one image")
    numbers = sorted({0, len(x) // 2, len(x) - 1})
    for number in numbers:
        together = logits[number]
        try:
            alone = _logits(few, x[number : number + 1])
        except Exception as error:  # an error counts as dependence
            return _depends(number, f"raises {reason(error)}")
        if alone.shape != (1, *together.shape):
            return _depends(number, f"gets outputs of shape {tuple(alone.shape)}, not {(1, *together.shape)}")
        if randomised:
            continue
        if alone[0].equal(together):
            continue
        if not bool(alone.isfinite().all()):
            return _depends(number, "gets NaN or infinite logits")
        distance = _distance(alone[0], together)
        if distance > MAX_DISTANCE:
            return _depends(number, f"gets other logits, at a relative distance of {distance:.2g}")
        if alone.argmax() != together.argmax():
            return _depends(number, "gets another class")
    if randomised:
        return Check(ALONE, "skipped", "outputs are randomised, so that two passes cannot be compared")
    return Check(
        ALONE,
        "pass",
        f"{len(numbers)} images get the same class alone as in a batch of {len(x)}, and the same logits to a "
        f"relative distance of {MAX_DISTANCE:g}",
    )


def _distance(alone: Tensor, together: Tensor) -> float:
    alone, together = alone.cpu().double(), together.cpu().double()
    return ((alone - together).norm() / together.norm()).item()


def _depends(number: int, what: str) -> Check:
    return Check(
        ALONE,
        "warn",
        f"image {number} alone {what}; the accuracies depend on which images are evaluated together (eval.batch_size)",
    )
