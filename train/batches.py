"""Batches of training images: all images are in the memory of the device if they fit, else batches are copied there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import torch
from torch import Tensor

from nas.core.data import Split
from nas.core.optimisation.shards import BatchShard

PREFETCHED_BATCHES = 3  # gathered in a thread while the device computes
MAX_MEMORY_SHARE = 0.5  # of the device's free memory, for all images


def fits(split: Split, device: torch.device) -> bool:
    """Whether the images fit in half of the free memory of a GPU; on a CPU, whether they are in memory already."""
    if device.type != "cuda":
        return not split.on_disk
    free, _ = torch.cuda.mem_get_info(device)
    return split.images.numel() <= MAX_MEMORY_SHARE * free


class Batches:
    """Batches of images (bytes) and labels on `device`; `resident` changes neither the batches nor their order.

    Resident: all images are copied to the device once, and batches are picked there. Not resident: a thread gathers the
    next batches from memory or disk into pinned memory, and they are copied while the device computes. `shard` is the
    part of every batch that this process takes.
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
        """The complete batches of images at the positions in `order`, from batch number `start` on."""
        last = len(order) // batch_size
        if not self.resident:
            order = order.cpu()  # waits for the device once per epoch
        chosen = (order[number * batch_size : (number + 1) * batch_size] for number in range(start, last))
        own = chosen if self.shard is None else (self.shard.of(positions) for positions in chosen)
        return self._picked(own) if self.resident else self._streamed(own)

    def _picked(self, chosen: Iterator[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        picks = map(self.split.select, chosen)
        return ((pick.images, pick.labels) for pick in picks)

    def _streamed(self, chosen: Iterator[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        with ThreadPoolExecutor(1) as pool:
            waiting = deque(pool.submit(self._gathered, positions) for positions in islice(chosen, PREFETCHED_BATCHES))
            while waiting:
                images, labels = waiting.popleft().result()
                waiting.extend(pool.submit(self._gathered, positions) for positions in islice(chosen, 1))
                yield images.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)

    def _gathered(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        pick = self.split.select(positions)
        images, labels = pick.images, pick.labels
        if self.device.type == "cuda":  # only pinned memory is copied asynchronously
            images, labels = images.pin_memory(), labels.pin_memory()
        return images, labels
