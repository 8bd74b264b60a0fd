"""The images of every batch: from the device's memory where they fit, else brought there batch by batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import torch
from torch import Tensor

from nas.core.data import Split
from nas.core.optimisation.shards import BatchShard

AHEAD = 3  # batches gathered while the device works
ROOM = 0.5  # of the device's free memory that the images may take


def fits(split: Split, device: torch.device) -> bool:
    """Whether the images take at most half of the device's free memory; in the processor's they are or are not."""
    if device.type != "cuda":
        return not split.on_disk
    free, _ = torch.cuda.mem_get_info(device)
    return split.images.numel() <= ROOM * free


class Batches:
    """Batches of bytes and labels on `device`, the same in the same order whether `resident` or not.

    Resident: the whole part is copied to the device once and batches are picked there. Not resident: a thread gathers
    the next batches, from memory or from disk, in pinned memory and they are copied while the device computes. `shard`
    is what this process takes of every batch.
    """

    def __init__(
        self, split: Split, device: torch.device, resident: bool | None = None, shard: BatchShard | None = None
    ) -> None:
        self.device = device
        self.resident = fits(split, device) if resident is None else resident
        self.shard = shard if shard is None else shard.on(device if self.resident else torch.device("cpu"))
        self.split = split.on(device) if self.resident else split

    def __len__(self) -> int:
        return len(self.split)

    def of(self, order: Tensor, batch_size: int, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The whole batches of `order`, positions of images, from number `start` on."""
        last = len(order) // batch_size
        if not self.resident:
            order = order.cpu()  # one wait for the device per epoch
        chosen = (order[number * batch_size : (number + 1) * batch_size] for number in range(start, last))
        own = chosen if self.shard is None else (self.shard.of(positions) for positions in chosen)
        return self._picked(own) if self.resident else self._streamed(own)

    def _picked(self, chosen: Iterator[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        picks = map(self.split.picked, chosen)
        return ((pick.images, pick.labels) for pick in picks)

    def _streamed(self, chosen: Iterator[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        with ThreadPoolExecutor(1) as pool:
            waiting = deque(pool.submit(self._gathered, positions) for positions in islice(chosen, AHEAD))
            while waiting:
                images, labels = waiting.popleft().result()
                waiting.extend(pool.submit(self._gathered, positions) for positions in islice(chosen, 1))
                yield images.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)

    def _gathered(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        pick = self.split.picked(positions)
        images, labels = pick.images, pick.labels
        if self.device.type == "cuda":  # only pinned memory is copied while the host goes on
            images, labels = images.pin_memory(), labels.pin_memory()
        return images, labels
