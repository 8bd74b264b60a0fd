"""The supernet of DARTS written down operation by operation: the baseline of the benchmark, the reference of tests.

Nothing is shared between edges and nothing is folded: every edge computes its eight operations, `none` included, as
the modules that the paper lists (appendix A.1.1), weights them by softmax(α) and adds them up. Source: Liu, Simonyan
and Yang, ICLR 2019 (arXiv:1806.09055), section 2.2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NODES = 4
OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)


def normalisation(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, affine=False)


class None_(nn.Module):
    """All zeros, of the size that the stride leaves."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride] * 0.0


class Halves(nn.Module):
    """ReLU, two strided 1×1 convolutions of which the second sees the image moved by a pixel, concatenated, BN."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(c_in, c_out // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(c_in, c_out - c_out // 2, 1, stride=2, bias=False)
        self.bn = normalisation(c_out)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(x)
        moved = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]  # the added zeros matter only if a side is odd
        return self.bn(torch.cat([self.even(x), self.odd(moved)], 1))


def separable(channels: int, kernel: int, stride: int, dilation: int) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        normalisation(channels),
    ]


def operation(name: str, channels: int, stride: int) -> nn.Module:
    if name == "none":
        return None_(stride)
    if name == "max_pool_3x3":
        return nn.Sequential(nn.MaxPool2d(3, stride, 1), normalisation(channels))
    if name == "avg_pool_3x3":
        return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), normalisation(channels))
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else Halves(channels, channels)
    kernel = int(name[-1])
    if name.startswith("sep_conv"):
        return nn.Sequential(*separable(channels, kernel, stride, 1), *separable(channels, kernel, 1, 1))
    return nn.Sequential(*separable(channels, kernel, stride, 2))


class MixedOperation(nn.Module):
    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.operations = nn.ModuleList(operation(name, channels, stride) for name in OPERATIONS)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return sum(weight * operation(x) for weight, operation in zip(weights, self.operations))


class TranscribedCell(nn.Module):
    def __init__(self, c_before: int, c_in: int, channels: int, reduction: bool, after_reduction: bool) -> None:
        super().__init__()

        def pointwise(c: int) -> nn.Module:
            return nn.Sequential(nn.ReLU(), nn.Conv2d(c, channels, 1, bias=False), normalisation(channels))

        self.preprocess0 = Halves(c_before, channels) if after_reduction else pointwise(c_before)
        self.preprocess1 = pointwise(c_in)
        self.edges = nn.ModuleList(
            MixedOperation(channels, 2 if reduction and source < 2 else 1)
            for node in range(NODES)
            for source in range(2 + node)
        )

    def forward(self, before: Tensor, x: Tensor, weights: Tensor) -> Tensor:
        states = [self.preprocess0(before), self.preprocess1(x)]
        first = 0
        for _ in range(NODES):
            edges = range(first, first + len(states))
            first += len(states)
            states.append(sum(self.edges[edge](state, weights[edge]) for edge, state in zip(edges, states)))
        return torch.cat(states[2:], 1)


class TranscribedSupernet(nn.Module):
    """Takes normalised images; `alphas` are those of the normal and of the reduction cells, (14, 8) each."""

    def __init__(self, num_classes: int, channels: int = 16, cells: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels))
        edges = sum(2 + node for node in range(NODES))
        self.alphas = nn.ParameterList(1e-3 * torch.randn(edges, len(OPERATIONS)) for _ in range(2))
        self.reductions = (cells // 3, 2 * cells // 3)
        self.cells = nn.ModuleList()
        c_before = c_in = 3 * channels
        for layer in range(cells):
            reduction = layer in self.reductions
            channels = 2 * channels if reduction else channels
            self.cells.append(TranscribedCell(c_before, c_in, channels, reduction, layer - 1 in self.reductions))
            c_before, c_in = c_in, 4 * channels
        self.classifier = nn.Linear(c_in, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        normal, reduce = (functional.softmax(alpha, dim=-1) for alpha in self.alphas)
        before = x = self.stem(x)
        for layer, cell in enumerate(self.cells):
            before, x = x, cell(before, x, reduce if layer in self.reductions else normal)
        return self.classifier(x.mean((2, 3)))
