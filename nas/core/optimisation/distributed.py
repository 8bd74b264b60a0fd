"""The processes that share one training: which of them this one is, and how they exchange values.

`torchrun` starts them; whoever starts a training joins them by `torch.distributed` beforehand. Where nobody did, there
is one process, and nothing here costs anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch import distributed as dist


@dataclass(frozen=True)
class Processes:
    """`rank` counts from 0; the first one writes files and tells progress."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def total(self, value: Tensor) -> Tensor:
        """The sum of `value` over the processes."""
        if self.count > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def gathered(self, value: Any) -> list[Any]:
        """The value of every process, by rank."""
        values = [value]
        if self.count > 1:
            values = [None] * self.count
            dist.all_gather_object(values, value)
        return values

    def from_first(self, value: Any) -> Any:
        """What the first process gives."""
        if self.count == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values)
        return values[0]


def current() -> Processes:
    """The processes of this training."""
    if dist.is_available() and dist.is_initialized():
        return Processes(dist.get_rank(), dist.get_world_size())
    return Processes()
