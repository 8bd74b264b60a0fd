"""Scores depend on seed, architecture, options and data, and on nothing else."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import torch

from nas.core.data import DataSettings, load
from nas.core.errors import InputError
from nas.drivers.scoring import Scorer, Sized
from nas.search_spaces import NASBench201
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.croze import CRoZeOptions

CELLS = (
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|nor_conv_1x1~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
)
SMALL = {"channels": 4, "cells_per_stage": 1}


def _scorer(seed: int = 0, names: tuple[str, ...] = ("croze", "params", "flops"), **croze: Any) -> Scorer:
    options = {name: proxy.Options() for name, proxy in PROXIES.components.items()}
    options["croze"] = CRoZeOptions(**croze)
    data = load(DataSettings())
    sized = Sized("nasbench201", SMALL, data.num_classes, data.image_size)
    full = Sized("nasbench201", asdict(NASBench201.Settings()), 10, 32)
    return Scorer(list(names), options, data, sized, full, seed, torch.device("cpu"))


def test_order_and_company_do_not_matter() -> None:
    forward, backward = _scorer(), _scorer()
    first = [forward(cell) for cell in CELLS]
    torch.manual_seed(99)
    second = [backward(cell) for cell in reversed(CELLS)][::-1]
    assert first == second
    assert _scorer(names=("croze",))(CELLS[0])["croze"] == first[0]["croze"]


def test_seed_and_batch_size_matter() -> None:
    values = {_scorer(seed)(CELLS[0])["croze"] for seed in range(3)}
    values |= {_scorer(batch_size=8)(CELLS[0])["croze"]}
    assert len(values) == 4


def test_params_and_flops_are_those_of_the_trained_network() -> None:
    cost = NASBench201().cost(NASBench201().parse(CELLS[0]))
    scores = _scorer()(CELLS[0])
    assert (scores["params"], scores["flops"]) == (cost.params, cost.macs)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(InputError, match="batch_size"):
        _scorer(batch_size=5000)


def test_asking_for_costs_builds_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NASBench201, "build", None)
    assert set(_scorer(names=("params", "flops"))(CELLS[0])) == {"params", "flops"}
