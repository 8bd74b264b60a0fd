"""What every registered supernet strategy must do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from toy_search import FAST, TINY, OneCell, dataset, same

from nas.core.io import checkpoint
from nas.results import SupernetEpoch
from nas.search_spaces import DARTS
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet import SUPERNET_STRATEGIES, SupernetStrategy

SMALL: dict[str, dict[str, Any]] = {  # where the tests of all strategies need other options
    "advrush": {"penalty_after": 2},
    "dsrna-jacobian": {"penalty_after": 2},
    "darts-pt": {"epochs": 1, "warm_up": 0, "tune_epochs": 1},
    "drnas": {"epochs": 3, "stage_partial": [2, 1]},
    "p-darts": {
        "epochs": 2,
        "warm_up": 0,
        "batch_size": 16,
        "stage_operations": [3],
        "stage_cells": [3, 3],
        "stage_skip_dropout": [0.1, 0.4],
    },
    "pc-darts": {"partial": 2},
    "robnet": {"epochs": 2, "samples": 2, "rank_images": 6, "steps": 1},
    "sdarts-adv": {"noise_steps": 1},
}
NAMES = SUPERNET_STRATEGIES.names()
SECONDS = ("advrush", "darts-pt", "p-darts")  # which take longer than the others
ON_DARTS = ["drnas", "gdas", "pc-darts", "robnet"]  # those that compute other operations or channels than DARTS


def new(name: str, space: Any = None, settings: Any = None) -> SupernetStrategy:
    kind = SUPERNET_STRATEGIES.get(name)
    options = kind.Options(**{**FAST, "warm_up": 1, **SMALL.get(name, {})})
    if name == "p-darts":  # which needs cells in a row
        space, settings = DARTS(), {"channels": 2, "cells": 3}
    return kind(space or OneCell(), dataset(), 3, options, settings or TINY)


def without_times(history: list[SupernetEpoch]) -> list[SupernetEpoch]:
    return [replace(epoch, seconds=0.0) for epoch in history]


@contextmanager
def counted() -> Iterator[list[None]]:
    """A list that gets an entry for each pass of any supernet."""
    seen: list[None] = []

    def note(module: nn.Module, _: Any) -> None:
        if isinstance(module, Supernet):
            seen.append(None)

    hook = register_module_forward_pre_hook(note)
    try:
        yield seen
    finally:
        hook.remove()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.landing] if name in SECONDS else []) for name in NAMES]
)
def test_a_search_goes_on_to_the_same_bits_and_counts_its_passes(name: str, tmp_path: Path) -> None:
    """Also: it leaves the global generator alone, and each row has an architecture of the space."""
    before = torch.random.get_rng_state()
    whole, passes, states = new(name), 0, []
    while not whole.done:
        whole.options.validation_images, images = 0, whole.options.validation_images
        with counted() as seen:
            whole.step()
        whole.options.validation_images = images
        passes += len(seen)
        states.append(tmp_path / f"{whole.epochs_done}.pt")
        checkpoint.save(states[-1], {"kind": "search", **whole.state_dict()})
        row = whole.history[-1]
        assert str(whole.space.parse(row.arch)) == row.arch
    assert torch.equal(before, torch.random.get_rng_state())
    assert len(whole.history) == whole.total_epochs
    assert passes == whole.passes()
    for path in {states[0], states[len(states) // 2], states[-2]} - {states[-1]}:
        torch.manual_seed(12345)
        resumed = new(name)
        resumed.options.validation_images = 0
        resumed.load_state_dict(checkpoint.load(path, "search"))
        while not resumed.done:
            resumed.step()
        assert same(list(resumed.supernet.parameters()), list(whole.supernet.parameters()))
        assert without_times(resumed.history) == without_times(whole.history)
        assert resumed.result() == whole.result()


@pytest.mark.landing
@pytest.mark.parametrize("name", ON_DARTS)
def test_an_epoch_on_darts(name: str) -> None:
    run = new(name, DARTS(), {"channels": 4, "cells": 3})
    run.options.warm_up, run.options.validation_images = 0, 0
    alphas = [alpha.detach().clone() for alpha in run.alphas]
    row = run.step()
    assert str(DARTS().parse(row.arch)) == row.arch
    assert same(alphas, list(run.alphas)) == (name == "robnet")
    assert run.result().arch == row.arch
