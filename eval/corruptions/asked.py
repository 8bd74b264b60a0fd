"""Corruptions as the settings of an evaluation ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from nas.core.data import Dataset, Split
from nas.core.data.formats.class_order import other_order
from nas.eval.corruptions.evaluation import corrupted
from nas.eval.corruptions.scores import read_baseline
from nas.eval.corruptions.sources import Computed, Published, Source
from nas.eval.standing import Outcomes, Tick

if TYPE_CHECKING:
    from nas.eval.settings import EvalSettings

SAME = "the same images"
OTHERS = "the attacked images, which are not those of the files"


class Asked:
    """The corruptions of one evaluation: everything is checked when it is made, nothing is computed before `run`."""

    def __init__(self, settings: EvalSettings, dataset: Dataset, part: Split, seed: int) -> None:
        self.source: Source | None = None
        self.baseline = None
        if settings.corruptions:
            self.source = _source(settings, dataset, part, seed)
            if settings.corruption_baseline is not None:
                self.baseline = read_baseline(settings.corruption_baseline, self.source.kinds, self.source.severities)

    @property
    def ticks(self) -> int:
        """How often `run` tells of a finished batch."""
        if self.source is None:
            return 0
        return self.source.steps + (self.source.batches if self._measures_clean else 0)

    @property
    def _measures_clean(self) -> bool:
        return isinstance(self.source, Published) and self.source.has_clean

    def run(
        self, network: nn.Module, device: torch.device, outcomes: Outcomes, clean: float, tick: Tick
    ) -> dict[str, dict[str, Any]]:
        """`{"corruptions": …}` as `corrupted` returns it, or nothing where none were asked for.

        `clean` is the accuracy on the attacked images. Files hold the test images in another order; the accuracy on
        those very images, uncorrupted, is measured where their labels tell that they are the test part's, else
        `clean_images` says that `clean` is of others.
        """
        if self.source is None:
            return {}
        given = None if self._measures_clean else clean
        result = corrupted(network, self.source, device, outcomes, given, self.baseline, tick)
        result["clean_images"] = SAME if self.source.has_clean else OTHERS
        return {"corruptions": result}


def _source(settings: EvalSettings, dataset: Dataset, part: Split, seed: int) -> Source:
    names, severities, size = settings.corruptions, settings.severities, settings.batch_size
    if settings.corruption_data is None:
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
