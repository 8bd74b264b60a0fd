"""Lanczos and power iteration against eigenvalues of explicit matrices."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.core.eigenvalues import dominant_eigenvalue, largest_eigenvalue, unit


def _apply(matrices: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda v: torch.einsum("bij,bj->bi", matrices, v)


def test_the_largest_is_not_the_largest_absolute_value() -> None:
    """Also if all eigenvalues are negative, if the Krylov space is soon exhausted, and for a zero matrix."""
    torch.manual_seed(0)
    basis = torch.linalg.qr(torch.randn(4, 12, 12, dtype=torch.float64))[0]
    values = torch.zeros(4, 12, dtype=torch.float64)
    values[0] = torch.linspace(-9, 2, 12)
    values[1] = torch.linspace(-9, -2, 12)
    values[2] = -3  # a multiple of the identity: one step exhausts the Krylov space
    matrices = basis @ values.diag_embed() @ basis.mT
    found, error = largest_eigenvalue(_apply(matrices), torch.randn(4, 12, dtype=torch.float64), steps=20)
    assert found.tolist() == pytest.approx([2, -2, -3, 0], abs=1e-8)
    assert error.max() < 1e-6


def test_the_bound_covers_the_error_while_it_is_not_small() -> None:
    torch.manual_seed(3)
    matrices = torch.randn(8, 60, 60, dtype=torch.float64)
    matrices = matrices + matrices.mT
    start = torch.randn(8, 60, dtype=torch.float64)
    for steps in (3, 6, 12):
        found, error = largest_eigenvalue(_apply(matrices), start, steps)
        all_values = torch.linalg.eigvalsh(matrices)
        assert (found <= all_values[:, -1] + 1e-9).all()
        assert ((all_values - found[:, None]).abs().amin(1) <= error + 1e-9).all()
        assert error.max() > 1e-3


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_bound_is_the_residual_of_the_ritz_vector(steps: int) -> None:
    """θ is the largest eigenvalue on the Krylov space of the start, u its eigenvector there; the bound is ‖Hu - θu‖."""
    rng = np.random.default_rng(4)
    matrices = rng.normal(size=(3, 10, 10))
    matrices = matrices + matrices.transpose(0, 2, 1)
    start = rng.normal(size=(3, 10))
    found, error = largest_eigenvalue(_apply(torch.from_numpy(matrices)), torch.from_numpy(start), steps)
    for matrix, first, value, bound in zip(matrices, start, found.tolist(), error.tolist()):
        krylov = [np.linalg.matrix_power(matrix, power) @ first for power in range(steps)]
        basis = np.linalg.qr(np.stack(krylov, 1))[0]
        values, vectors = np.linalg.eigh(basis.T @ matrix @ basis)
        ritz = basis @ vectors[:, -1]
        assert value == pytest.approx(values[-1], rel=1e-8)
        assert bound == pytest.approx(np.linalg.norm(matrix @ ritz - value * ritz), rel=1e-6)


def test_twenty_steps_unless_asked_otherwise() -> None:
    counted = []

    def product(v: Tensor) -> Tensor:
        counted.append(1)
        return v * torch.arange(1.0, 31.0)

    largest_eigenvalue(product, torch.ones(1, 30))
    assert len(counted) == 20
    counted.clear()
    largest_eigenvalue(product, torch.ones(1, 30), steps=100)
    assert len(counted) == 30  # the space has no more dimensions


def test_a_start_of_any_length_gives_the_same() -> None:
    matrix = torch.diag(torch.tensor([3.0, 1.0, -5.0]))[None]
    for length in (1e-3, 1.0, 50.0):
        found, _ = largest_eigenvalue(_apply(matrix), length * torch.ones(1, 3))
        assert found.item() == pytest.approx(3.0, rel=1e-5)


def test_the_dominant_eigenvalue_has_the_largest_magnitude_and_its_sign() -> None:
    torch.manual_seed(1)
    basis = torch.linalg.qr(torch.randn(3, 8, 8, dtype=torch.float64))[0]
    values = torch.rand(3, 8, dtype=torch.float64)
    values[0, 3], values[1, 5], values[2] = -4, 3, 0
    product = _apply(basis @ values.diag_embed() @ basis.mT)
    start = torch.randn(3, 8, dtype=torch.float64)
    assert dominant_eigenvalue(product, start, 60).tolist() == pytest.approx([-4, 3, 0], abs=1e-9)
    assert dominant_eigenvalue(product, start, 60, 1e-3).tolist() == pytest.approx([-4, 3, 0], rel=0.02, abs=1e-9)


@pytest.mark.parametrize(("tolerance", "expected"), [(0.0, 50), (0.01, 5)])
def test_power_iteration_ends_where_nothing_changes_any_more(tolerance: float, expected: int) -> None:
    counted = []

    def product(v: Tensor) -> Tensor:
        counted.append(1)
        return v * torch.tensor([1.0, 0.5])

    dominant_eigenvalue(product, torch.ones(1, 2), 50, tolerance)
    assert len(counted) == expected


@pytest.mark.parametrize(("number", "expected"), [(math.nan, True), (math.inf, True), (3e38, True), (0.0, False)])
def test_a_direction_of_no_length_is_no_direction(number: float, expected: bool) -> None:
    """3e38 is finite, but its square is not: a result of 0 would mean that the loss is flat there."""
    v = torch.ones(2, 12)
    v[0] = number
    got = unit(v)
    assert got[0].isnan().all() == expected
    assert expected or not got[0].any()
    assert got[1].norm() == pytest.approx(1.0)
