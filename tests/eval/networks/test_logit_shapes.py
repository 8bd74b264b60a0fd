"""Outputs that are not one logit per class and image are refused with a message that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.core.data import Dataset, Split
from nas.core.errors import InputError
from nas.eval.model_source import EvaluatedModel
from nas.eval.networks.fitting import check_fits
from nas.eval.networks.logit_shapes import check_logits, check_one_image


class Gives(nn.Module):
    def __init__(self, outputs: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x: Tensor) -> Any:
        return self.outputs(x.flatten(1))


def data(classes: int) -> Dataset:
    part = Split(torch.zeros(4, 3, 4, 4, dtype=torch.uint8), torch.arange(4) % classes)
    return Dataset("tiny", part, part, part, classes, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("classes", "outputs", "words"),
    [
        (3, lambda x: (x, x[:, :3]), r"tuple; let it return the logits alone"),
        (3, lambda x: {"logits": x[:, :3]}, r"dict; let it return the logits alone"),
        (2, lambda x: x[:, :1], r"\(2, 1\); each class needs a logit.*torch\.cat\(\[0 \* y, y\], dim=1\)"),
        (2, lambda x: x[:, 0], r"\(2,\); each class needs a logit.*torch\.stack\(\[0 \* y, y\], dim=1\)"),
        (3, lambda x: x[:, :2], r"\(2, 2\); choose other data, or a model of as many classes .*num_classes=3\)\.$"),
        (3, lambda x: x[:, :5], r"\(2, 5\).*only some of its classes.*logits\[:, those\]"),
        (3, lambda x: x[:, :3].sum(), r"\(\); choose other data"),
        (3, lambda x: x[:, :3].squeeze(), r"\(1, 3\) for one image alone but got \(3,\).*squeeze\(-1\)"),
        (3, lambda x: x[:, :3].mean(0) if len(x) == 1 else x[:, :3], r"for one image alone but got \(3,\)"),
    ],
)
def test_what_is_refused(classes: int, outputs: Callable[[Tensor], Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_fits(EvaluatedModel(Gives(outputs), "mine:make", 0, "unknown"), data(classes), "mine:make")


def test_the_advice_for_a_single_output_gives_logits_of_the_same_classes() -> None:
    y = torch.tensor([[-1.5], [0.5], [2.0]])
    assert torch.cat([0 * y, y], dim=1).argmax(1).tolist() == (y[:, 0] > 0).int().tolist()
    column = y[:, 0]
    assert torch.stack([0 * column, column], dim=1).argmax(1).tolist() == (column > 0).int().tolist()


def fails_alone(x: Tensor) -> Tensor:
    if len(x) == 1:
        raise ValueError("Expected more than 1 value per channel")
    return x[:, :3]


@pytest.mark.parametrize("outputs", [lambda x: x[:, :3], lambda x: x[:, :3].view(-1, 3).squeeze(-1), fails_alone])
def test_what_is_taken(outputs: Callable[[Tensor], Tensor]) -> None:
    """Also a network that fails on a single image: another check covers dependence on the batch."""
    images = torch.zeros(2, 3, 4, 4)
    check_logits(Gives(outputs)(images), 3, "mine:make", "images")
    check_one_image(Gives(outputs), images[:1], 3, "mine:make")


def test_any_other_shape_for_one_image_is_refused() -> None:
    class Deeper(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)[None, :, :3]

    with pytest.raises(InputError, match=r"shape \(1, 3\) for one image alone but got \(1, 1, 3\)"):
        check_one_image(Deeper(), torch.rand(1, 3, 2, 2), 3, "mine")
