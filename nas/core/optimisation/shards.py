"""Which images of a batch this process handles, if several processes share the batch or it is cut into parts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.core.errors import InputError


@dataclass(frozen=True)
class BatchShard:
    """The images at the positions `index` of a batch of `total` images.

    Random numbers are drawn for the whole batch and `of` picks those of this shard, so that an image gets the same
    random numbers however many processes share the batch.
    """

    total: int
    index: Tensor

    def of(self, whole: Tensor) -> Tensor:
        """The rows of `whole` (total, ...) that belong to this shard; `whole` is on the device of `index`."""
        return whole[self.index]

    def on(self, device: torch.device) -> BatchShard:
        return BatchShard(self.total, self.index.to(device))


def own_rows(drawn: Tensor, shard: BatchShard | None) -> Tensor:
    """The rows of `drawn` (total, ...) that belong to the shard; all of them without a shard."""
    return drawn if shard is None else shard.of(drawn)


def divided(total: int, parts: int, rank: int, processes: int) -> tuple[BatchShard | None, list[int]]:
    """The shard of process `rank` in a batch of `total` images, and the size of the shard in each of the `parts`.

    The batch is cut into `parts`, and each part into one piece per process, so that the pieces of part k together are
    the part k that a single process would have. Pieces differ by at most one image. The shard is `None` if there is
    one process. Raises `InputError` if a piece would be empty.
    """
    if total < parts * processes:
        raise InputError(
            f"Expected a batch of at least {parts * processes} images for {parts} part(s) on {processes} process(es) "
            f"but got {total}; lower train.accumulate or use fewer processes."
        )
    pieces = [part.tensor_split(processes)[rank] for part in torch.arange(total).tensor_split(parts)]
    sizes = [len(piece) for piece in pieces]
    return (None if processes == 1 else BatchShard(total, torch.cat(pieces))), sizes
