"""Functions of an importable module, as objectives of searches in tests."""

from __future__ import annotations

from typing import Any

import nas

SPACE = nas.space("nasbench201")


def params(arch: Any) -> int:
    """The number of weights of a cell."""
    return SPACE.cost(arch).params


def both(arch: Any) -> dict[str, float]:
    """Weights, and multiply-accumulates in millions."""
    cost = SPACE.cost(arch)
    return {"params": cost.params, "macs": cost.macs / 1e6}
