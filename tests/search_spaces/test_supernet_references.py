"""Supernets equal slow literal versions, with the same gradients, and compute nothing twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from tiny_supernets import images, supernet, worst
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from nas.bench.measuring.transcription import TranscribedSupernet
from nas.search_spaces import DARTS, NASBench201
from nas.search_spaces.nasbench201.cell import EDGES
from nas.search_spaces.supernet import batch_norm


def test_darts_search_network_has_the_published_weights() -> None:
    assert sum(weight.numel() for weight in DARTS().supernet().weights()) == 1_930_618


@pytest.mark.landing
@pytest.mark.parametrize(("cells", "side"), [(3, 8), (4, 7), (5, 6)])
def test_darts_equals_its_transcription(cells: int, side: int) -> None:
    fast = supernet(DARTS(), cells=cells).double()
    slow = TranscribedSupernet(4, channels=2, cells=cells).double()
    slow_weights = [parameter for name, parameter in slow.named_parameters() if not name.startswith("alphas")]
    with torch.no_grad():
        for from_, to in zip([*fast.weights(), *fast.architecture_parameters()], [*slow_weights, *slow.alphas]):
            assert from_.shape == to.shape
            to.copy_(from_)
        assert len(fast.weights()) == len(slow_weights)
    x, y = images(side=side).double(), torch.tensor([0, 1, 2, 3])
    x_fast, x_slow = x.clone().requires_grad_(), x.clone().requires_grad_()
    logits, expected = fast(x_fast), slow(x_slow)
    assert worst(logits, expected) < 1e-11
    ours = torch.autograd.grad(
        functional.cross_entropy(logits, y), [x_fast, *fast.weights(), *fast.architecture_parameters()]
    )
    theirs = torch.autograd.grad(functional.cross_entropy(expected, y), [x_slow, *slow_weights, *slow.alphas])
    assert all(worst(a, b) < 1e-9 for a, b in zip(ours, theirs))
    assert (ours[-1][:, 0] != 0).any()  # `none` takes part in the softmax


def literal_nasbench201(network: nn.Module, x: Tensor) -> Tensor:
    """The supernet of NAS-Bench-201 computed operation by operation from the weights of `network`."""
    weights = dict(network.named_parameters())
    probabilities = functional.softmax(weights["alphas.cell"], -1)

    def bn(x: Tensor, prefix: str | None = None) -> Tensor:
        centred = x - x.mean((0, 2, 3), keepdim=True)
        normal = centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
        if prefix is None:
            return normal
        return normal * weights[f"{prefix}.weight"].view(1, -1, 1, 1) + weights[f"{prefix}.bias"].view(1, -1, 1, 1)

    def operation(column: int, edge: str, x: Tensor) -> Tensor:
        if column == 0:
            return x * 0
        if column == 1:
            return x
        if column == 4:
            return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        kernel = 1 if column == 2 else 3
        weight = weights[f"{edge}.conv_{kernel}x{kernel}.weight"]
        return bn(functional.conv2d(functional.relu(x), weight, padding=kernel // 2))

    def reduction(prefix: str, x: Tensor) -> Tensor:
        y = functional.conv2d(functional.relu(x), weights[f"{prefix}.conv_a.1.weight"], stride=2, padding=1)
        y = functional.relu(bn(y, f"{prefix}.conv_a.2"))
        y = bn(functional.conv2d(y, weights[f"{prefix}.conv_b.1.weight"], padding=1), f"{prefix}.conv_b.2")
        return y + functional.conv2d(
            functional.avg_pool2d(x, 2, 2, ceil_mode=True), weights[f"{prefix}.shortcut.1.weight"]
        )

    x = bn(functional.conv2d(x, weights["stem.0.weight"], padding=1), "stem.1")
    for block in range(5):  # cell, reduction, cell, reduction, cell
        if block % 2:
            x = reduction(f"blocks.{block}", x)
            continue
        nodes = [x]
        for node in (1, 2, 3):
            terms = [
                probabilities[row, column] * operation(column, f"blocks.{block}.edges.{row}", nodes[source])
                for row, (source, target) in enumerate(EDGES)
                if target == node
                for column in range(5)
            ]
            nodes.append(torch.stack(terms).sum(0))
        x = nodes[3]
    pooled = functional.relu(bn(x, "last.0")).mean((2, 3))
    return functional.linear(pooled, weights["classifier.weight"], weights["classifier.bias"])


@pytest.mark.parametrize("side", [8, 11])
def test_nasbench201_equals_a_literal_version(side: int) -> None:
    network = supernet(NASBench201()).double()
    x, y = images(side=side).double().requires_grad_(), torch.tensor([0, 1, 2, 3])
    wanted = [x, *network.weights(), *network.architecture_parameters()]
    logits, expected = network(x), literal_nasbench201(network, x)
    assert worst(logits, expected) < 1e-11
    ours = torch.autograd.grad(functional.cross_entropy(logits, y), wanted)
    theirs = torch.autograd.grad(functional.cross_entropy(expected, y), wanted)
    assert all(worst(a, b) < 1e-9 for a, b in zip(ours, theirs))
    assert (ours[-1][:, 0] != 0).any()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_scaled_batch_norm_is_the_scale_times_batch_norm(memory_format: torch.memory_format) -> None:
    x = images(5).double().to(memory_format=memory_format).requires_grad_()
    scale = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    gradient = torch.randn(x.shape, dtype=torch.float64)
    got, expected = batch_norm(x, scale), scale * batch_norm(x)
    torch.testing.assert_close(got, expected)
    for ours, theirs in zip(
        torch.autograd.grad(got, (x, scale), gradient), torch.autograd.grad(expected, (x, scale), gradient)
    ):
        torch.testing.assert_close(ours, theirs)


class Calls(TorchDispatchMode):
    """Counts the operations that are run."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def test_poolings_are_computed_once_per_state() -> None:
    network = supernet(DARTS())
    with Calls() as calls, torch.no_grad():
        network(images())
    assert calls.counts["max_pool2d_with_indices"] == calls.counts["avg_pool2d"] == 3 * 5  # of 14 edges in each cell
