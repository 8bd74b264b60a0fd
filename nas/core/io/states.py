"""Whether a saved state fits a given network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def difference(state: Any, own: Mapping[str, Any]) -> str | None:
    """Why `state` does not fit a network whose own state is `own`, in words; `None` if it fits."""
    if not isinstance(state, Mapping):
        return f"it holds a {type(state).__name__}"
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    if missing or unexpected:
        parts = []
        if missing:
            parts.append(f"{missing[0]} is missing")
        if unexpected:
            parts.append(f"{str(unexpected[0])!r:.200} is not one of its keys")
        return (
            f"{' and '.join(parts)} ({len(missing)} of {len(own)} keys are missing, {len(unexpected)} are unexpected)"
        )
    for name, value in state.items():
        if not isinstance(own[name], Tensor):  # extra state that the network itself defines
            continue
        if not isinstance(value, Tensor):
            return f"{name} is a {type(value).__name__}, not a tensor"
        if value.shape != own[name].shape:
            return f"{name} has the shape {tuple(value.shape)}, but {tuple(own[name].shape)} in this network"
    return None
