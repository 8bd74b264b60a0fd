"""Measure a trained network on the first test images, batch by batch, each batch kept as soon as it is done."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from nas.core.errors import InputError, NasError
from nas.core.optimisation.perturb import eval_mode
from nas.core.registry import suggest
from nas.core.seeds import derive, seeded
from nas.eval.measures.curvature import STEPS, input_hessian, largest_eigenvalue
from nas.eval.measures.jacobian import jacobian_norms
from nas.eval.measures.landscape import axis, joined, landscape
from nas.eval.measures.reliability import attacked_images, said
from nas.eval.metrics import by_class, calibration
from nas.eval.plan import made

if TYPE_CHECKING:
    from nas.eval.settings import EvalSettings
    from nas.eval.standing import Outcomes, Tick

QUANTILES = (5, 25, 50, 75, 95)  # percent of the images
FORWARD = 1 / 3  # of a forward and backward pass


class Measure(ABC):
    """One thing to measure; made once per network, `batch` called on each batch and `result` once on all of them.

    The network is in eval mode and its weights need no gradient; torch's global generators are seeded per batch.
    """

    name: ClassVar[str]

    def __init__(self, settings: EvalSettings) -> None:
        self.settings = settings

    @property
    def needs_gradient(self) -> bool:
        """Whether it needs gradients of the network in its pixels."""
        return True

    def kept_as(self, key: str, x: Tensor) -> str:
        """The key under which what was measured on a batch like `x` is kept."""
        return key

    @abstractmethod
    def batch(self, network: nn.Module, x: Tensor, y: Tensor, seed: int) -> Any:
        """What to keep of one batch, as JSON can write it."""

    @abstractmethod
    def result(self, batches: list[Any]) -> dict[str, Any]:
        """What is reported of all batches."""

    @abstractmethod
    def passes(self, num_classes: int) -> float:
        """Forward+backward passes per image, for forecasts."""


class CalibrationMeasure(Measure):
    """Expected calibration error of the clean images and of the same images under `eval.measure_attack`.

    An image with a NaN or infinite logit is wrong, but says no confidence: it counts for the accuracy and is left out
    of the error, its bins and the mean confidence. `non_finite` is the number of such images.
    """

    name = "calibration"

    @property
    def needs_gradient(self) -> bool:
        return made(self.settings.measure_attack, self.settings).needs_gradient

    def kept_as(self, key: str, x: Tensor) -> str:
        return made(self.settings.measure_attack, self.settings).kept_as(key, x)

    def batch(self, network: nn.Module, x: Tensor, y: Tensor, seed: int) -> Any:
        moved = attacked_images(network, x, y, made(self.settings.measure_attack, self.settings), seed)
        found = {"clean": said(network, x, y), "attacked": said(network, moved, y)}
        return {
            key: [[None if math.isnan(one) else one for one in confidence.tolist()], right.int().tolist()]
            for key, (confidence, right) in found.items()
        }

    def result(self, batches: list[Any]) -> dict[str, Any]:
        parts = {}
        for key in ("clean", "attacked"):
            confidence, right = (
                np.concatenate([np.array(batch[key][part], dtype=np.float64) for batch in batches]) for part in (0, 1)
            )
            answered = ~np.isnan(confidence)
            found = calibration(confidence[answered], right[answered]) if answered.any() else None
            parts[key] = {
                "ece": None if found is None else found.ece,
                "accuracy": float(np.mean(right * answered)),  # earlier versions took NaN for the largest logit
                "confidence": None if found is None else float(np.mean(confidence[answered])),
                "bins": [] if found is None else [asdict(one) for one in found.bins],
                "non_finite": int((~answered).sum()),
            }
        return {
            "attack": self.settings.measure_attack,
            "eps": self.settings.eps,
            "norm": self.settings.norm,
            **parts,
        }

    def passes(self, num_classes: int) -> float:
        return 3 * FORWARD + made(self.settings.measure_attack, self.settings).passes()


class HessianMeasure(Measure):
    """The largest eigenvalue of each image's input Hessian (nats per squared unit of the [0, 1] range)."""

    name = "hessian"

    def batch(self, network: nn.Module, x: Tensor, y: Tensor, seed: int) -> Any:
        values, errors = largest_eigenvalue(input_hessian(network, x, y), torch.randn_like(x.flatten(1)))
        return {"eigenvalue": values.tolist(), "error": errors.tolist()}

    def result(self, batches: list[Any]) -> dict[str, Any]:
        values = [value for batch in batches for value in batch["eigenvalue"]]
        error = max(value for batch in batches for value in batch["error"])
        return {**_spread(self.name, values), "steps": STEPS, "largest_error": error}

    def passes(self, num_classes: int) -> float:
        return 1 + 4 * FORWARD * STEPS


class JacobianMeasure(Measure):
    """The Frobenius norm of each image's Jacobian of the logits."""

    name = "jacobian"

    def batch(self, network: nn.Module, x: Tensor, y: Tensor, seed: int) -> Any:
        return jacobian_norms(network, x).tolist()

    def result(self, batches: list[Any]) -> dict[str, Any]:
        return _spread(self.name, [value for batch in batches for value in batch])

    def passes(self, num_classes: int) -> float:
        return FORWARD * (1 + num_classes)


class LandscapeMeasure(Measure):
    """The loss over the plane of the gradient's sign and a random sign, around each image."""

    name = "landscape"

    def _axis(self) -> list[float]:
        return axis(self.settings.eps, self.settings.landscape_reach, self.settings.landscape_points)

    def batch(self, network: nn.Module, x: Tensor, y: Tensor, seed: int) -> Any:
        return landscape(network, x, y, self._axis(), self.settings.norm)

    def result(self, batches: list[Any]) -> dict[str, Any]:
        return {"eps": self.settings.eps, "norm": self.settings.norm, **joined(batches, self._axis())}

    def passes(self, num_classes: int) -> float:
        return 1 + FORWARD * self.settings.landscape_points**2


CLASSES = "classes"  # needs no pass: it is counted from the outcomes of the attacks
_KINDS: tuple[type[Measure], ...] = (CalibrationMeasure, HessianMeasure, JacobianMeasure, LandscapeMeasure)
MEASURES = {kind.name: kind for kind in _KINDS}
NAMES = (*MEASURES, CLASSES)


def measure(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    settings: EvalSettings,
    seed: int,
    device: torch.device,
    outcomes: Outcomes,
    correct: Mapping[str, str],
    tick: Tick = lambda passes, note: None,
) -> dict[str, Any]:
    """What `settings.measures` names, by name.

    `images` (N, C, H, W) in [0, 1] and `labels` (N,) are those that were attacked, `correct` what came out (metric → a
    text of 0 and 1). All but `classes`, which counts every image, take the first `measure_images` of them.
    `NasError` where a network's gradients are not finite.
    """
    count = min(settings.measure_images, len(labels))
    xs = images[:count].to(device).contiguous().split(settings.batch_size)
    ys = labels[:count].to(device).split(settings.batch_size)
    found: dict[str, Any] = {}
    num_classes = _classes(network, xs[0])
    for name in settings.measures:
        if name == CLASSES:
            found[name] = by_class(correct, labels.tolist())
            continue
        kind = MEASURES[name](settings)
        kept = []
        for number, (x, y) in enumerate(zip(xs, ys)):
            key = kind.kept_as(f"measure/{name}/{number}", x)
            part = outcomes.get(key)
            if part is None:
                each = derive(seed, "measure", name, number)
                with seeded(each), eval_mode(network):
                    part = kind.batch(network, x, y, each)
                outcomes.put(key, part)
            kept.append(part)
            tick(kind.passes(num_classes), name)
        found[name] = {"images": count, **kind.result(kept)}
    return found


def measure_passes(settings: EvalSettings, num_classes: int) -> float:
    """Forward+backward passes per measured image."""
    return sum(MEASURES[name](settings).passes(num_classes) for name in settings.measures if name != CLASSES)


def measure_ticks(settings: EvalSettings, n: int, num_classes: int) -> float:
    """The sum of what `measure` tells its `tick` on `n` images."""
    batches = -(-min(settings.measure_images, n) // settings.batch_size)
    return batches * measure_passes(settings, num_classes)


def check_measures(settings: EvalSettings, num_classes: int | None = None, image_size: int | None = None) -> None:
    """`InputError` where a measure is unknown, named twice, or impossible (on such data, where given)."""
    for name in settings.measures:
        if name not in NAMES:
            raise InputError(
                f"Expected measures of {', '.join(NAMES)} in eval.measures but got {name!r}"
                f"{suggest(name, list(NAMES))}; leave it out or correct it."
            )
    if len(set(settings.measures)) != len(settings.measures):
        raise InputError(f"Expected each measure once in eval.measures but got {', '.join(settings.measures)}.")
    if settings.measure_images < 1:
        raise InputError(f"Expected eval.measure_images >= 1 but got {settings.measure_images}.")
    if "landscape" in settings.measures:
        _check_landscape(settings)
    if "calibration" in settings.measures:
        attack = made(settings.measure_attack, settings)
        if num_classes is not None and image_size is not None:
            attack.check(num_classes, image_size)


def _check_landscape(settings: EvalSettings) -> None:
    if settings.landscape_points < 3 or settings.landscape_points % 2 == 0:
        raise InputError(
            f"Expected an odd eval.landscape_points >= 3, so that the image is in the middle, but got "
            f"{settings.landscape_points}."
        )
    if not 0 < settings.landscape_reach < math.inf:
        raise InputError(
            f"Expected a positive eval.landscape_reach, a multiple of eval.eps, but got {settings.landscape_reach}."
        )


def _classes(network: nn.Module, x: Tensor) -> int:
    with torch.no_grad(), eval_mode(network):
        return network(x[:1]).shape[1]


def _spread(name: str, values: list[float]) -> dict[str, Any]:
    """Mean and quantiles over images."""
    if not all(map(math.isfinite, values)):
        raise NasError(f"The measure {name} is not finite for some test images; leave it out of eval.measures.")
    quantiles = np.percentile(values, QUANTILES)
    return {
        "mean": float(np.mean(values)),
        "quantiles": {str(percent): float(value) for percent, value in zip(QUANTILES, quantiles)},
    }
