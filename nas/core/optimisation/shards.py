"""Which images of a batch are here, where several processes or several parts share it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.core.errors import InputError


@dataclass(frozen=True)
class Share:
    """The images at `index` of a batch of `total`.

    Random numbers are drawn for the whole batch and `of` picks those of the images here: an image gets the same ones
    however many processes share the batch.
    """

    total: int
    index: Tensor

    def of(self, whole: Tensor) -> Tensor:
        """The rows of `whole` (total, ...), on the index's device, that are here."""
        return whole[self.index]

    def on(self, device: torch.device) -> Share:
        return Share(self.total, self.index.to(device))


def divided(total: int, parts: int, rank: int, processes: int) -> tuple[Share | None, list[int]]:
    """The share of process `rank` in a batch of `total`, and the sizes of the parts that it goes through one by one.

    The batch is cut into `parts`, each part into one piece per process, so that part k of all processes together is
    part k of a single one. The share is `None` where it is the whole batch. Pieces differ by at most one image.
    """
    if total < parts * processes:
        raise InputError(
            f"Expected a batch of at least {parts * processes} images for {parts} part(s) on {processes} process(es) "
            f"but got {total}; lower train.accumulate or use fewer processes."
        )
    pieces = [part.tensor_split(processes)[rank] for part in torch.arange(total).tensor_split(parts)]
    sizes = [len(piece) for piece in pieces]
    return (None if processes == 1 else Share(total, torch.cat(pieces))), sizes
