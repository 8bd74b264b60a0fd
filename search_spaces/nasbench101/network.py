"""The network around a NASBench-101 cell: stem, three stacks of equal cells with poolings between, classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.search_spaces.nasbench101.cell import Cell
from nas.search_spaces.nasbench101.cost import STACKS, node_channels, stacks
from nas.search_spaces.network import Body

MOMENTUM = 0.003  # of the running statistics, PyTorch's way to write the benchmark's decay of .997


def conv_bn_relu(c_in: int, c_out: int, kernel: int) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU; (B, c_in, H, W) → (B, c_out, H, W)."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(c_out, momentum=MOMENTUM),
        nn.ReLU(),
    )


def operation(name: str, channels: int) -> nn.Module:
    """The module of an inner node. Raises KeyError for another name."""
    match name:
        case "conv3x3-bn-relu":
            return conv_bn_relu(channels, channels, 3)
        case "conv1x1-bn-relu":
            return conv_bn_relu(channels, channels, 1)
        case "maxpool3x3":
            return nn.MaxPool2d(3, stride=1, padding=1)
    raise KeyError(name)


class CellModule(nn.Module):
    """One cell; (B, c_in, H, W) → (B, c_out, H, W).

    An inner node adds what arrives and applies its operation. An edge from the input is a 1×1 convolution with BN and
    ReLU to the channels of its target, one from another inner node gives its first channels. The output is the
    concatenation of the inner nodes that feed it, to which an edge from the input is added.
    """

    def __init__(self, cell: Cell, c_in: int, c_out: int) -> None:
        super().__init__()
        self.output = cell.output
        self.channels = node_channels(cell, c_out)
        self.incoming: dict[int, list[int]] = {node: [] for node in range(1, cell.output + 1)}
        for source, target in cell.edges:
            self.incoming[target].append(source)
        for node, name in enumerate(cell.operations, start=1):
            self.add_module(f"node_{node}", operation(name, self.channels[node]))
        for source, target in cell.edges:
            if source == 0:
                self.add_module(f"projection_{target}", conv_bn_relu(c_in, self.channels[target], 1))

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for node in range(1, self.output):
            width = self.channels[node]
            terms = [
                getattr(self, f"projection_{node}")(x) if source == 0 else nodes[source][:, :width]
                for source in self.incoming[node]
            ]
            nodes.append(getattr(self, f"node_{node}")(sum(terms[1:], terms[0])))
        parts = [nodes[source] for source in self.incoming[self.output] if source > 0]
        if not parts:
            return getattr(self, f"projection_{self.output}")(x)
        joined = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        if 0 in self.incoming[self.output]:
            joined = joined + getattr(self, f"projection_{self.output}")(x)
        return joined


class NASBench101Body(Body):
    """Stem (3×3 convolution to C, BN, ReLU), three stacks of N cells at C, 2C, 4C; mean over pixels, linear.

    Before the second and the third stack, 2×2 max-pooling halves the image.
    """

    def __init__(self, cell: Cell, num_classes: int, channels: int, cells_per_stack: int) -> None:
        super().__init__()
        self.stem = conv_bn_relu(3, channels, 3)
        cells = [CellModule(cell, c_in, c_out) for c_in, c_out, _ in stacks(channels, cells_per_stack, 1)]
        self.stacks = nn.ModuleList()
        for stack in range(STACKS):
            pool = [nn.MaxPool2d(2, stride=2, ceil_mode=True)] if stack > 0 else []
            own = cells[stack * cells_per_stack : (stack + 1) * cells_per_stack]
            self.stacks.append(nn.Sequential(*pool, *own))
        self.classifier = nn.Linear(channels * 2 ** (STACKS - 1), num_classes)

    def stages(self, x: Tensor) -> list[Tensor]:
        outputs = [self.stem(x)]
        for stack in self.stacks:
            outputs.append(stack(outputs[-1]))
        return outputs

    def pooled(self, last: Tensor) -> Tensor:
        return last
