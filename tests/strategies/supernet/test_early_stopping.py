"""When a supernet search ends early, and with which architecture."""

from __future__ import annotations

import pytest

from nas.results import SupernetEpoch
from nas.strategies.supernet.early_stopping import early_stop, has_sharpened, is_collapsing
from nas.strategies.supernet.options import BilevelOptions


def epochs(skips: int = 0, eigenvalues: tuple[float, ...] = (1.0,), warm_up: bool = False) -> list[SupernetEpoch]:
    """A history with an epoch for each eigenvalue."""
    return [
        SupernetEpoch(
            epoch=number,
            warm_up=warm_up,
            weight={},
            alpha={},
            arch="a",
            entropy={},
            skips={"skips_normal": skips, "skips_reduce": 9},
            warning=None,
            validation={},
            eigenvalue=value,
            lr=0.1,
            seconds=1.0,
        )
        for number, value in enumerate(eigenvalues, 1)
    ]


def test_without_a_criterion_it_never_ends() -> None:
    assert early_stop(BilevelOptions(), epochs(9, (1.0,) * 5 + (9.0,) * 5)) is None


@pytest.mark.parametrize(("skips", "reason"), [(1, None), (2, "2 skip connections in the normal cell")])
def test_skip_connections_are_counted_in_the_first_cell(skips: int, reason: str | None) -> None:
    history = epochs(skips, (1.0, 1.0))
    end = early_stop(BilevelOptions(stop_skips=2), history)
    assert end == (None if reason is None else (reason, history[-1]))
    assert early_stop(BilevelOptions(stop_skips=2), epochs(skips, warm_up=True)) is None


def test_a_loss_that_grew_sharp_ends_with_the_architecture_of_before() -> None:
    history = epochs(9, (1.0,) * 5 + (1.34,) * 5)
    end = early_stop(BilevelOptions(stop_eigenvalue=True), history)
    assert end == ("the validation loss became sharp in the architecture parameters", history[4])
    assert early_stop(BilevelOptions(stop_eigenvalue=True), epochs(9, (1.0,) * 10)) is None


def test_when_a_loss_has_sharpened() -> None:
    assert not has_sharpened([1.0] * 20)
    assert not has_sharpened([1.0] * 4 + [100.0] * 5)  # too short to tell
    assert has_sharpened([1.0] * 5 + [1.34] * 5)
    assert not has_sharpened([1.0] * 5 + [1.33] * 5)
    assert not has_sharpened([2.0] * 5 + [1.0] * 5)
    for earlier in (0.1, 9.0):  # than the ten epochs that are compared
        assert has_sharpened([earlier] * 20 + [1.0] * 5 + [1.34] * 5)
        assert not has_sharpened([earlier] * 20 + [1.0] * 5 + [1.33] * 5)
    for old in (-1.0, -0.1, 0.0):
        assert not has_sharpened([old] * 5 + [9.0] * 5)


def test_more_than_half_skip_connections_are_a_collapse() -> None:
    assert not is_collapsing(4, 8)
    assert is_collapsing(5, 8)
