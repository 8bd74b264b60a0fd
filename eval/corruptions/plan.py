"""The corruptions that the settings of an evaluation ask for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import nn

from nas.core.config import path_field
from nas.core.data import Dataset, Split
from nas.core.data.formats.class_order import other_order
from nas.core.errors import InputError
from nas.core.storage.base import FactStore
from nas.eval.attack_runner import Tick
from nas.eval.corruptions.base import SEVERITIES
from nas.eval.corruptions.corrupted_images import Computed, CorruptedImages, Published
from nas.eval.corruptions.evaluation import corrupted
from nas.eval.corruptions.names import check_severities, select_types
from nas.eval.corruptions.scores import read_baseline
from nas.eval.plan import AttackOptions
from nas.results import CorruptionResult

SAME_IMAGES = "the same images"
OTHER_IMAGES = "the attacked images, which are not those of the files"


@dataclass
class CorruptionOptions(AttackOptions):
    """Which corruptions, at which severities, of the images that are attacked or of published files."""

    corruptions: list[str] = field(default_factory=list)  # types, groups (noise, blur, weather, digital), all, extra
    severities: list[int] = field(default_factory=lambda: list(SEVERITIES))  # from 1, weak, to 5, strong
    corruption_data: str | None = path_field()  # folder of CIFAR-10-C or CIFAR-100-C: n_test rows of each severity
    corruption_baseline: str | None = path_field()  # result (JSON) of the network whose errors the mCE divides by
    frost: str | None = path_field()  # folder of photographs; not needed if the imagecorruptions wheel is installed

    def check(self) -> None:
        super().check()
        check_severities(self.severities)
        types = select_types(self.corruptions)
        for key in ("corruption_data", "corruption_baseline", "frost"):
            if getattr(self, key) is not None and not types:
                raise InputError(f"Expected eval.corruptions with eval.{key} but got none; set eval.corruptions=all.")
        if self.frost is not None and self.corruption_data is not None:
            raise InputError(
                "Expected eval.frost or eval.corruption_data but got both; leave eval.frost out: the files have frost."
            )
        if self.frost is not None and "frost" not in types:
            raise InputError("Expected frost among eval.corruptions with eval.frost; add it, or leave eval.frost out.")


class CorruptionPlan:
    """The corruptions of one evaluation: checked when the plan is made, computed in `run`."""

    def __init__(self, settings: CorruptionOptions, dataset: Dataset, part: Split, seed: int) -> None:
        self.source: CorruptedImages | None = None
        self.baseline = None
        if settings.corruptions:
            self.source = _source(settings, dataset, part, seed)
            if settings.corruption_baseline is not None:
                self.baseline = read_baseline(settings.corruption_baseline, self.source.kinds, self.source.severities)

    @property
    def ticks(self) -> int:
        """The number of batches that `run` reports to its `tick`."""
        if self.source is None:
            return 0
        return self.source.steps + (self.source.batches if self._measures_clean else 0)

    @property
    def _measures_clean(self) -> bool:
        return isinstance(self.source, Published) and self.source.has_clean

    def run(
        self, network: nn.Module, device: torch.device, outcomes: FactStore, clean: float, tick: Tick
    ) -> CorruptionResult | None:
        """The result of `corrupted`; None if no corruptions were asked for.

        `clean` is the accuracy on the attacked images. Published files hold the test images in another order. If their
        labels show that they are the images of the test part, the accuracy on these images without corruption is
        measured; else the result's `clean_images` says that `clean` is the accuracy on other images.
        """
        if self.source is None:
            return None
        given = None if self._measures_clean else clean
        result = corrupted(network, self.source, device, outcomes, given, self.baseline, tick)
        return replace(result, clean_images=SAME_IMAGES if self.source.has_clean else OTHER_IMAGES)


def _source(settings: CorruptionOptions, dataset: Dataset, part: Split, seed: int) -> CorruptedImages:
    names, severities, size = settings.corruptions, settings.severities, settings.batch_size
    if settings.corruption_data is None:
        if part.images.is_floating_point():
            raise InputError(
                "Expected images as bytes (uint8) for eval.corruptions, which are defined on 256 levels, but got "
                "floats; give uint8 images, or leave eval.corruptions out."
            )
        return Computed(part.images, part.labels, names, severities, size, seed, settings.frost)
    other = other_order(dataset.classes)
    return Published(
        settings.corruption_data,
        names,
        dataset.num_classes,
        dataset.image_size,
        severities,
        settings.n_test,
        size,
        (dataset.test.images, dataset.test.labels),
        None if other is None else torch.tensor(other[1]),
    )
