"""The measures of a trained network on test images, and their options."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from nas.core.eigenvalues import LANCZOS_STEPS, largest_eigenvalue
from nas.core.errors import InputError, NasError
from nas.core.io.records import Record
from nas.core.suggestions import suggest
from nas.eval.measures.attacked_confidence import attacked_images, confidences
from nas.eval.measures.curvature import input_hessian
from nas.eval.measures.jacobian import jacobian_norms
from nas.eval.measures.landscape import BatchSums, axis, batch_sums, merge
from nas.eval.metrics import calibration
from nas.eval.plan import AttackOptions, make_attack
from nas.results import Calibration, Landscape, Reliability, Spread

QUANTILES = (5, 25, 50, 75, 95)  # percent of the images
FORWARD = 1 / 3  # cost of a forward pass, relative to a forward+backward pass


@dataclass
class MeasureOptions(AttackOptions):
    """What is measured, on how many images, and the options of the measures."""

    measures: list[str] = field(default_factory=list)  # calibration, hessian, jacobian, classes, landscape
    measure_images: int = 200  # number of images, the first of the n_test images; `classes` takes all of these
    measure_attack: str = "pgd20"  # the attack of the measure `calibration`
    landscape_points: int = 21  # points of the grid in each direction; odd
    landscape_reach: float = 2.0  # half the side of the grid, as a multiple of eps

    def check(self) -> None:
        super().check()
        for name in self.measures:
            if name not in NAMES:
                raise InputError(
                    f"Expected only {', '.join(NAMES)} in eval.measures but got {name!r}"
                    f"{suggest(name, list(NAMES))}; leave it out or correct it."
                )
        if len(set(self.measures)) != len(self.measures):
            raise InputError(f"Expected each measure once in eval.measures but got {', '.join(self.measures)}.")
        self.check_at_least_one("measure_images")
        if "landscape" in self.measures:
            self._check_landscape()
        if "calibration" in self.measures:
            make_attack(self.measure_attack, self)

    def _check_landscape(self) -> None:
        if self.landscape_points < 3 or self.landscape_points % 2 == 0:
            raise InputError(
                f"Expected an odd eval.landscape_points >= 3, so that the image is in the middle, but got "
                f"{self.landscape_points}."
            )
        if not 0 < self.landscape_reach < math.inf:
            raise InputError(
                f"Expected a positive eval.landscape_reach, a multiple of eval.eps, but got {self.landscape_reach}."
            )


class Measure(ABC):
    """One measure. An object is made for each network; `batch` is called for each batch, then `result` once.

    The network is in eval mode and its weights need no gradient; torch's global generators are seeded per batch.
    """

    name: ClassVar[str]

    def __init__(self, settings: MeasureOptions) -> None:
        self.settings = settings

    @property
    def needs_gradient(self) -> bool:
        """Whether the measure needs gradients of the network with respect to the pixels."""
        return True

    def kept_as(self, key: str, x: Tensor) -> str:
        """The key under which the values of a batch like `x` are stored."""
        return key

    @abstractmethod
    def batch(self, network: nn.Module, x: Tensor, y: Tensor, seed: int) -> Any:
        """The values of one batch, in a form that JSON can write."""

    @abstractmethod
    def result(self, batches: list[Any], images: int) -> Record:
        """The result over all batches, which have `images` images together."""

    @abstractmethod
    def passes(self, num_classes: int) -> float:
        """Forward+backward passes per image, for forecasts."""


class CalibrationMeasure(Measure):
    """Expected calibration error of the clean images and of the same images under `eval.measure_attack`.

    An image with a NaN or infinite logit is wrong and has no confidence: it counts for the accuracy, but not for the
    error, its bins and the mean confidence. `non_finite` is the number of such images.
    """

    name = "calibration"

    @property
    def needs_gradient(self) -> bool:
        return make_attack(self.settings.measure_attack, self.settings).needs_gradient

    def kept_as(self, key: str, x: Tensor) -> str:
        return make_attack(self.settings.measure_attack, self.settings).kept_as(key, x)

    def batch(self, network: nn.Module, x: Tensor, y: Tensor, seed: int) -> Any:
        x_adv = attacked_images(network, x, y, make_attack(self.settings.measure_attack, self.settings), seed)
        answers = {"clean": confidences(network, x, y), "attacked": confidences(network, x_adv, y)}
        return {
            key: [[None if math.isnan(one) else one for one in confidence.tolist()], right.int().tolist()]
            for key, (confidence, right) in answers.items()
        }

    def result(self, batches: list[Any], images: int) -> Calibration:
        clean, attacked = (_reliability([batch[key] for batch in batches]) for key in ("clean", "attacked"))
        settings = self.settings
        return Calibration(images, settings.measure_attack, settings.eps, settings.norm, clean, attacked)

    def passes(self, num_classes: int) -> float:
        return 3 * FORWARD + make_attack(self.settings.measure_attack, self.settings).passes()


class HessianMeasure(Measure):
    """The largest eigenvalue of each image's input Hessian (nats per squared unit of the [0, 1] range)."""

    name = "hessian"

    def batch(self, network: nn.Module, x: Tensor, y: Tensor, seed: int) -> Any:
        values, errors = largest_eigenvalue(input_hessian(network, x, y), torch.randn_like(x.flatten(1)))
        return {"eigenvalue": values.tolist(), "error": errors.tolist()}

    def result(self, batches: list[Any], images: int) -> Spread:
        values = [value for batch in batches for value in batch["eigenvalue"]]
        error = max(value for batch in batches for value in batch["error"])
        return replace(_spread(self.name, values), steps=LANCZOS_STEPS, largest_error=error)

    def passes(self, num_classes: int) -> float:
        return 1 + 4 * FORWARD * LANCZOS_STEPS


class JacobianMeasure(Measure):
    """The Frobenius norm of each image's Jacobian of the logits."""

    name = "jacobian"

    def batch(self, network: nn.Module, x: Tensor, y: Tensor, seed: int) -> Any:
        return jacobian_norms(network, x).tolist()

    def result(self, batches: list[Any], images: int) -> Spread:
        return _spread(self.name, [value for batch in batches for value in batch])

    def passes(self, num_classes: int) -> float:
        return FORWARD * (1 + num_classes)


class LandscapeMeasure(Measure):
    """The loss around each image, in the plane of two directions: the gradient's signs and random signs."""

    name = "landscape"

    def _axis(self) -> list[float]:
        return axis(self.settings.eps, self.settings.landscape_reach, self.settings.landscape_points)

    def batch(self, network: nn.Module, x: Tensor, y: Tensor, seed: int) -> Any:
        return batch_sums(network, x, y, self._axis(), self.settings.norm).to_json()

    def result(self, batches: list[Any], images: int) -> Landscape:
        return merge(list(map(BatchSums.from_json, batches)), self._axis(), self.settings.eps, self.settings.norm)

    def passes(self, num_classes: int) -> float:
        return 1 + FORWARD * self.settings.landscape_points**2


CLASSES = "classes"  # a measure that needs no pass: it is counted from the outcomes of the attacks
_KINDS: tuple[type[Measure], ...] = (CalibrationMeasure, HessianMeasure, JacobianMeasure, LandscapeMeasure)
MEASURES = {kind.name: kind for kind in _KINDS}
NAMES = (*MEASURES, CLASSES)


def _reliability(batches: list[list[list[float | None]]]) -> Reliability:
    """The reliability from the confidences and outcomes of all batches."""
    confidence, right = (
        np.concatenate([np.array(part, dtype=np.float64) for part in parts]) for parts in zip(*batches)
    )
    answered = ~np.isnan(confidence)
    calibrated = calibration(confidence[answered], right[answered]) if answered.any() else None
    return Reliability(
        ece=None if calibrated is None else calibrated.ece,
        accuracy=float(np.mean(right * answered)),  # earlier versions may have stored non-finite ones as correct
        confidence=None if calibrated is None else float(np.mean(confidence[answered])),
        bins=[] if calibrated is None else calibrated.bins,
        non_finite=int((~answered).sum()),
    )


def _spread(name: str, values: list[float]) -> Spread:
    """Mean and quantiles over images. Raises `NasError` if a value is not finite."""
    if not all(map(math.isfinite, values)):
        raise NasError(f"The measure {name} is not finite for some test images; leave it out of eval.measures.")
    quantiles = np.percentile(values, QUANTILES)
    by_percent = {str(percent): float(value) for percent, value in zip(QUANTILES, quantiles)}
    return Spread(len(values), float(np.mean(values)), by_percent)
