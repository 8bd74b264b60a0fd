"""Networks get images as floats in [0, 1]; other images are refused."""

from __future__ import annotations

import pytest
import torch

from nas.core.errors import InputError
from nas.core.images import check_unit_range, unit_range


def test_bytes_become_floats_in_the_unit_range() -> None:
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(2, 3, 16, 16)
    floats = unit_range(images)
    assert floats.dtype == torch.float32
    assert floats.is_contiguous(memory_format=torch.channels_last)
    assert floats.shape == images.shape
    for value in range(256):
        assert floats[1, 2].flatten()[value].item() == pytest.approx(value / 255, abs=1e-7)
    assert (floats.min(), floats.max()) == (0, 1)
    assert images.dtype == torch.uint8
    check_unit_range(floats)


@pytest.mark.parametrize("value", [-1e-6, 1.0001, 255.0, float("nan"), float("inf"), -float("inf")])
def test_values_outside_are_refused(value: float) -> None:
    images = torch.full((2, 3, 4, 4), 0.5)
    images[1, 2, 3, 3] = value
    with pytest.raises(InputError, match=r"Expected images in \[0, 1\]"):
        check_unit_range(images)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_whole_numbers_are_refused(dtype: torch.dtype) -> None:
    with pytest.raises(InputError, match="divide bytes by 255"):
        check_unit_range(torch.zeros(1, 3, 2, 2, dtype=dtype))


def test_the_bounds_and_no_images_pass() -> None:
    check_unit_range(torch.tensor([0.0, 1.0]))
    check_unit_range(torch.zeros(0, 3, 2, 2))
