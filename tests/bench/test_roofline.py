"""Rooflines count the operations and bytes of each kernel once, and take the longer of the two times."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from nas.bench.measuring.roofline import Kernel, Machine, kernels, machine


def test_a_kernel_needs_the_longer_of_the_two_times() -> None:
    computer = Machine(flops=100, bandwidth=10)
    assert Kernel(flops=200, bytes=10).seconds(computer) == 2
    assert Kernel(flops=200, bytes=50).seconds(computer) == 5


def test_operations_and_bytes_of_kernels() -> None:
    x, w = torch.rand(2, 3, 8, 8), torch.rand(4, 3, 3, 3)
    (convolution,) = kernels(lambda: functional.conv2d(x, w, padding=1))
    assert convolution.flops == 2 * (2 * 4 * 8 * 8) * (3 * 3 * 3)
    assert convolution.bytes == 4 * (x.numel() + w.numel() + 2 * 4 * 8 * 8)
    (added,) = kernels(lambda: x.add_(x))
    assert added == Kernel(0, 4 * x.numel()), "in place: one tensor"
    assert kernels(lambda: x.view(-1)[1:]) == [], "views move nothing"
    assert kernels(lambda: [torch.empty(9), torch.empty_like(x), x.new_empty(9)]) == [], "nor does reserved memory"


def test_the_way_back_counts_too() -> None:
    x, w = torch.rand(2, 3, 8, 8), torch.rand(4, 3, 3, 3, requires_grad=True)
    forward = 2 * (2 * 4 * 8 * 8) * (3 * 3 * 3)
    found = kernels(lambda: functional.conv2d(x, w, padding=1).sum().backward())
    assert sum(kernel.flops for kernel in found) == 2 * forward


def test_what_the_machine_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds for the product, four for the copy."""
    times = iter([3.0, 2.0, 3.0, 3.0, 3.0, 4.0, 5.0, 5.0, 5.0, 5.0])
    monkeypatch.setattr("nas.bench.measuring.roofline.seconds", lambda action, *arguments: next(times))
    assert machine() == Machine(2 * 1024**3 / 2, 2 * 64 * 2**20 / 4)
