"""A clean accuracy that is not better than guessing is reported with its likely reasons."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.core.data import Dataset, Split
from nas.core.storage.memory import InMemoryStore
from nas.eval import EvalSettings, evaluate
from nas.eval.networks.chance import chance_remark


@pytest.mark.parametrize(
    ("right", "n", "classes", "said"),
    [
        (10, 100, 10, True),
        (15, 100, 10, True),  # from .093 on
        (16, 100, 10, False),  # from .101 on
        (0, 100, 10, True),
        (100, 100, 10, False),
        (50, 100, 2, True),
        (0, 49, 10, False),  # too few images
        (5, 50, 10, True),
    ],
)
def test_the_interval_has_to_be_above_guessing(right: int, n: int, classes: int, said: bool) -> None:
    assert (chance_remark(right, n, classes) is not None) == said


def test_the_remark_is_part_of_the_result_after_those_on_the_images() -> None:
    part = Split(torch.zeros(60, 3, 4, 4, dtype=torch.uint8), torch.arange(60) % 4)
    data = Dataset("x", part, part, part, 4, (0.5,) * 3, (0.25,) * 3, remarks=("Of the images.",))
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 4))
    settings = EvalSettings(attacks=["fgsm"], n_test=60)
    first, said = evaluate(network, data, settings, 0, torch.device("cpu"), InMemoryStore()).remarks
    assert first == "Of the images."
    assert said.startswith(
        "The clean accuracy, 25.0 % of 60 images, is not better than guessing among 4 classes: check"
    )
    assert "eval.mean and eval.std" in said
