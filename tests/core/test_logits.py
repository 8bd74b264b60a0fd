"""An image with a NaN or infinite logit is not correct, whatever `argmax` says; no other code takes the `argmax`."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from nas.core.logits import correct, finite

ROOT = Path(__file__).resolve().parents[2]
NAN, INF = math.nan, math.inf


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(
    "row", [[NAN, NAN, NAN], [NAN, 1.0, 2.0], [0.0, NAN, 9.0], [0.0, INF, 1.0], [3.0, -INF, 1.0], [INF, INF, INF]]
)
def test_an_image_with_a_logit_that_is_not_finite_is_of_no_class(row: list[float], dtype: torch.dtype) -> None:
    logits = torch.tensor([row, [0.0, 2.0, 1.0]], dtype=dtype)
    assert finite(logits).tolist() == [False, True]
    for label in range(3):
        assert correct(logits, torch.tensor([label, 1])).tolist() == [False, True]


def test_finite_logits_are_judged_by_the_largest() -> None:
    logits = torch.randn(200, 7, generator=torch.Generator().manual_seed(0)) * 1e30
    y = torch.arange(200) % 7
    assert torch.equal(correct(logits, y), logits.argmax(1) == y)


def test_nothing_else_takes_the_largest_logit_for_an_answer() -> None:
    pattern = re.compile(r"\.(arg)?max\((dim=)?-?1\)")
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("nas", "eval", "train", "strategies", "search_spaces")
        for path in (ROOT / folder).rglob("*.py")
        if pattern.search(path.read_text())
    }
    colours = "nas/core/optimisation/image_augmentations.py"  # the largest of three colours
    noise = "eval/attacks/from_torchattacks.py"  # labels for images of noise, from a small network
    mixture = "strategies/supernet/mixing/mixtures.py"  # the largest architecture parameter
    assert found - {colours, noise, mixture} == {"nas/core/logits.py"}
