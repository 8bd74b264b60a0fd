"""Load files of weights, as training scripts save them, into a network.

A file holds a state, or a dictionary with a state under a name such as `state_dict` or `net`. The keys of the state may
have one or more prefixes of wrappers: `module.` (data parallel), `_orig_mod.` (a compiled network), an attribute.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.core.errors import InputError
from nas.core.extras import optional
from nas.core.io.states import difference
from nas.core.reasons import FILE, reason

WRAPPED = ("state_dict", "model_state_dict", "model", "net", "network")  # keys under which scripts save a state
COMPILED = "_orig_mod"  # in keys, before the names inside a compiled part
PARALLEL = "module"  # in keys, before the names inside a part that was wrapped by DataParallel
COUNTERS = ("n_averaged",)  # entries of torch's averaged models that are not weights
SAVE_COMMAND = "torch.save(network.state_dict(), 'weights.pth')"


def load_weights(network: nn.Module, path: Path) -> None:
    """Load all weights of the network from a .safetensors or .pth file.

    Raises `InputError`, which says the difference, if the file holds anything but tensors under the network's names.
    """
    if not os.path.isfile(path):
        raise InputError(f"Expected a file of weights at {path} but there is none; check the path.")
    expected = f"Expected the weights of this model in {path} but"
    try:
        if path.suffix == ".safetensors":
            content: Any = optional("safetensors.torch", "zoo").load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # each library has its own ways to say that a file is broken
        why = reason(error)
        why = why if why.startswith(f"{FILE} ") else f"{FILE} cannot be read ({why})"
        raise InputError(f"{expected} {why}; save only the network's state: {SAVE_COMMAND}.") from error
    own = network.state_dict()
    state = unwrap_names(find_state(content), own)
    problem = difference(state, own)
    if problem is not None:
        raise InputError(
            f"{expected} {problem}; save the state of the same network again ({SAVE_COMMAND}), or make this network "
            "like the saved one (with eval.model_options, such as num_classes=10)."
        )
    try:
        network.load_state_dict(state)
    except Exception as error:  # whatever foreign code may raise
        raise InputError(f"{expected} {reason(error)}; save the same network's state again: {SAVE_COMMAND}.") from error


def find_state(content: Any) -> Any:
    """The state, however deep it is nested under names of `WRAPPED`; if there is no such name, the content itself."""
    while isinstance(content, Mapping):
        inner = [content[key] for key in WRAPPED if isinstance(content.get(key), Mapping)]
        if not inner:
            break
        content = inner[0]
    return content


def unwrap_names(state: Any, own: Mapping[str, Any]) -> Any:
    """The state with as many prefixes of wrappers removed as needed for its names to be those of the network, `own`.

    If that is not possible, the state that has the most names in common with the network.
    """
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        return state
    tried: dict[str, object] | None = {
        name: value for name, value in state.items() if name in own or name not in COUNTERS
    }
    nearest, shared = tried, -1
    while tried is not None:
        common = len(tried.keys() & own.keys())
        if tried.keys() == own.keys():
            return tried
        if common > shared:
            nearest, shared = tried, common
        tried = _unwrapped(tried)
    return nearest


def _unwrapped(state: dict[str, object]) -> dict[str, object] | None:
    """The state without one wrapper's prefix; None if there is no prefix, or if two names would become the same."""
    first = {name.partition(".")[0] for name in state}
    if len(first) == 1 and all("." in name for name in state):
        found = {name.partition(".")[2]: value for name, value in state.items()}
    else:
        found = state
        for part in (COMPILED, PARALLEL):
            if any(part in name.split(".")[:-1] for name in state):
                found = {_without(name, part): value for name, value in state.items()}
                break
    return found if found is not state and len(found) == len(state) else None


def _without(name: str, part: str) -> str:
    *path, last = name.split(".")
    return ".".join([*(one for one in path if one != part), last])
