"""What a search builds before it begins, and again when it goes on in another supernet."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from nas.core.errors import InputError
from nas.search_spaces.base import SearchSpace
from nas.strategies.supernet.options import BilevelOptions


def check_arguments(space: SearchSpace[Any], asked: Iterable[str], strategy: str) -> None:
    """Raises InputError if the supernet of a space does not take the arguments that a strategy asks for."""
    arguments = inspect.signature(space.supernet).parameters
    missing = [name for name in asked if name not in arguments]
    if missing and not any(one.kind is one.VAR_KEYWORD for one in arguments.values()):
        raise InputError(
            f"Expected a space whose supernet takes {', '.join(missing)} for strategy.name={strategy} but got "
            f"{space.name}; take another space or another strategy."
        )


def optimizers(
    weights: Sequence[nn.Parameter], alphas: Sequence[nn.Parameter], options: BilevelOptions
) -> tuple[torch.optim.SGD, torch.optim.Adam]:
    """SGD for the weights, Adam for α."""
    return (
        torch.optim.SGD(
            weights,
            options.lr,
            options.momentum,
            weight_decay=options.weight_decay,
            nesterov=options.nesterov,
        ),
        torch.optim.Adam(
            alphas,
            options.alpha_lr,
            (options.alpha_beta1, options.alpha_beta2),
            weight_decay=options.alpha_weight_decay,
        ),
    )
