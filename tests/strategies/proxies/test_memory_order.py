"""Reductions in the order of memory give what reductions in the order of dimensions do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nas.core.errors import NasError
from nas.strategies.proxies.croze import AXES, cosines
from nas.strategies.proxies.passes.autograd import check_finite
from nas.strategies.proxies.passes.memory_order import channels_last, extremes

SHAPES = ((3, 5, 4, 2), (6, 1, 3, 3), (1, 7, 1, 1), (4, 9), (5,), ())


def layouts(a: Tensor) -> list[Tensor]:
    """The same numbers in several orders of memory."""
    backwards = tuple(range(a.dim()))[::-1]
    reversed_order = a.permute(backwards).contiguous().permute(backwards)
    last = [a.contiguous(memory_format=torch.channels_last)] if a.dim() == 4 else []
    return [a, reversed_order, *last]


@pytest.mark.parametrize("shape", SHAPES)
def test_extremes_are_found_in_any_layout(shape: tuple[int, ...]) -> None:
    a = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for same in layouts(a):
        least, most = extremes(same)
        assert (least.item(), most.item()) == (a.min().item(), a.max().item())


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_found_in_any_layout(wrong: float) -> None:
    a = torch.zeros(3, 5, 4, 2)
    a[2, 3, 1, 0] = wrong
    for same in layouts(a):
        with pytest.raises(NasError, match="The weight is not finite"):
            check_finite("weight", [torch.ones(2), None, same])
    check_finite("weight", layouts(torch.zeros(3, 5, 4, 2)))


def test_channels_are_last() -> None:
    a = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5)
    assert channels_last(a).shape == (2, 4, 5, 3)
    assert channels_last(a)[1, 2, 3, 0] == a[1, 0, 2, 3]
    assert channels_last(a[0, 0]).shape == (4, 5)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("shape", [(3, 5, 4, 2), (4, 9)])
def test_cosines_do_not_depend_on_the_layout(axis: str, shape: tuple[int, ...]) -> None:
    """They are those of torch's own function for the vectors by the published order of dimensions (B, C, H, W)."""
    draws = torch.Generator().manual_seed(1)
    a, b = torch.randn(shape, generator=draws), torch.randn(shape, generator=draws)
    over = {"all": (0, 1, 2, 3), "first": (0,), "rest": (1, 2, 3), "not_second": (0, 2, 3)}[axis]
    rest = [dim for dim in range(a.dim()) if dim not in over]
    vectors = [x.movedim(rest, list(range(len(rest)))).flatten(len(rest)).double() for x in (a, b)]
    expected = torch.nn.functional.cosine_similarity(*vectors, dim=-1).flatten().sort().values
    for one in layouts(a):
        for other in layouts(b):
            found = cosines(one, other, axis).double().flatten().sort().values
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
