"""The time that a computation needs at least on a machine: its operations and bytes against what the machine can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from nas.bench.measuring.timing import device, seconds

MATRIX = 1024  # rows and columns of the product that measures operations
COPIED = 2**24  # numbers of the copy that measures bytes: 64 MiB, more than caches hold
ATTEMPTS = 5
MOVE_NOTHING = (  # besides views: they name memory, or only reserve it
    torch.ops.aten._unsafe_view,
    torch.ops.aten.empty,
    torch.ops.aten.empty_like,
    torch.ops.aten.empty_strided,
    torch.ops.aten.new_empty,
    torch.ops.aten.new_empty_strided,
)


@dataclass(frozen=True)
class Machine:
    """What a machine does at most."""

    flops: float  # operations of a product of float32 matrices per second, a multiplication and an addition each count
    bandwidth: float  # bytes per second that a copy of a large tensor reads and writes


@dataclass(frozen=True)
class Kernel:
    """One kernel of torch in a computation: its operations, and the bytes of its tensors."""

    flops: int
    bytes: int

    def seconds(self, machine: Machine) -> float:
        """The roofline: the longer of the time for its operations and the time for its bytes."""
        return max(self.flops / machine.flops, self.bytes / machine.bandwidth)


def machine() -> Machine:
    """This machine with torch's current threads, or its GPU: the best of some attempts."""
    left, right = torch.rand(2, MATRIX, MATRIX, device=device())
    source = torch.rand(COPIED, device=device())
    target = torch.empty_like(source)
    product = min(seconds(torch.mm, left, right) for _ in range(ATTEMPTS))
    copy = min(seconds(target.copy_, source) for _ in range(ATTEMPTS))
    return Machine(2 * MATRIX**3 / product, 2 * source.nbytes / copy)


def kernels(action: Callable[[], object]) -> list[Kernel]:
    """The kernels of a computation, forward and backward, in their order; views are none.

    The operations are those of convolutions and matrix products, as torch counts them. Each tensor that a kernel reads
    or writes counts as if it came from memory: caches make the true traffic smaller.
    """
    with _Recorded() as recorded:
        action()
    return recorded.kernels


class _Recorded(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[Kernel] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        out = func(*args, **given)
        if not func.is_view and func.overloadpacket not in MOVE_NOTHING:
            count = flop_registry.get(func.overloadpacket)
            flops = count(*args, **given, out_val=out) if count else 0
            tensors = [leaf for leaf in tree_leaves((args, given, out)) if isinstance(leaf, Tensor)]
            distinct = {(one.data_ptr(), one.nbytes) for one in tensors}
            self.kernels.append(Kernel(flops, sum(size for _, size in distinct)))
        return out
