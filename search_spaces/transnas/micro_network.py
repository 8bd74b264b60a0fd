"""A cell of a micro network of TransNAS-Bench-101 as a module."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.search_spaces.convolution import convolution
from nas.search_spaces.nasbench201.cell import Cell
from nas.search_spaces.nasbench201.network import FourNodes
from nas.search_spaces.nasbench201.operations import operation, relu_conv_bn
from nas.search_spaces.transnas.layers import Block


class Shortcut(nn.Module):
    """A skip that changes the shape: ReLU, two 1×1 convolutions, the second shifted by one pixel, concat, BN.

    (B, c_in, H, W) → (B, c_out, ⌈H/stride⌉, ⌈W/stride⌉). The shifted map gets a row and a column of zeros at its end.
    """

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = convolution(c_in, c_out // 2, 1, stride)
        self.conv_2 = convolution(c_in, c_out - c_out // 2, 1, stride)
        self.bn = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(shifted)], dim=1))


class MicroCellModule(FourNodes):
    """One cell: the edges that leave node 0 have its stride and take its input's channels to its own.

    (B, c_in, H, W) → (B, c_out, ⌈H/stride⌉, ⌈W/stride⌉).
    """

    def __init__(self, cell: Cell, shape: Block) -> None:
        super().__init__(cell, lambda source, name: _edge(name, source, shape))
        self.shape = shape

    def zeros(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        stride = self.shape.stride
        return x.new_zeros((batch, self.shape.c_out, -(-height // stride), -(-width // stride)))


def _edge(name: str, source: int, shape: Block) -> nn.Module:
    if source > 0 or not shape.changes:
        return operation(name, shape.c_out)
    match name:
        case "skip_connect":
            return Shortcut(shape.c_in, shape.c_out, shape.stride)
        case "nor_conv_1x1":
            return relu_conv_bn(shape.c_in, shape.c_out, 1, shape.stride)
        case "nor_conv_3x3":
            return relu_conv_bn(shape.c_in, shape.c_out, 3, shape.stride)
    raise KeyError(name)
