"""The processes that share one training: the rank of this process, and the exchange of values.

`torchrun` starts them; the caller of a training initialises `torch.distributed` beforehand. Otherwise there is a single
process, and nothing here takes time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch import distributed as dist


@dataclass(frozen=True)
class Processes:
    """All processes of a training; `rank` is that of this one, from 0. The first writes files and reports progress."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """The sum of `value` over the processes."""
        if self.count > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        values = [value]
        if self.count > 1:
            values = [None] * self.count
            dist.all_gather_object(values, value)
        return values

    def broadcast(self, value: Any) -> Any:
        """The value of the first process."""
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
