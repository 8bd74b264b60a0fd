"""The network of two kinds of cells: stem, normal and two reduction cells, classifier, auxiliary head."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.search_spaces.network import Body
from nas.search_spaces.twocells.cell import Cell, Cells, pair, reductions
from nas.search_spaces.twocells.operations import FactorizedReduce, operation, relu_conv_bn


def drop_path(x: Tensor, probability: float) -> Tensor:
    """Set samples to zero with `probability` and scale the others to keep the mean (Larsson et al., 2017)."""
    keep = 1.0 - probability
    return x * (x.new_empty((x.shape[0], 1, 1, 1)).bernoulli_(keep) / keep)


class CellModule(nn.Module):
    """One cell: two inputs brought to C channels, nodes that sum two edges each, some of them concatenated.

    In a reduction cell the edges from the two inputs have stride 2. An edge that is `none` has no module and
    adds nothing; a node of two such edges is all zeros. Two edges from one input have their own weights each; the
    second has the name of the first with `_again`.
    """

    def __init__(
        self, cell: Cell, c_before: int, c_in: int, channels: int, reduction: bool, after_reduction: bool
    ) -> None:
        super().__init__()
        self.preprocess0 = FactorizedReduce(c_before, channels) if after_reduction else relu_conv_bn(c_before, channels)
        self.preprocess1 = relu_conv_bn(c_in, channels)
        self.stride = 2 if reduction else 1
        self.concat = cell.concat
        self.incoming: dict[int, list[tuple[int, str]]] = {node: [] for node in cell.nodes}
        for node in cell.nodes:
            for name, source in pair(cell.edges, node):
                if name != "none":
                    key = f"{source}_{node}"
                    key = f"{key}_again" if key in self._modules else key
                    self.add_module(key, operation(name, channels, self.stride if source < 2 else 1))
                    self.incoming[node].append((source, key))

    def forward(self, before: Tensor, x: Tensor, dropped: float = 0.0) -> Tensor:
        """(B, c_before, ·, ·), (B, c_in, H, W) → (B, n·C, ⌈H/stride⌉, ⌈W/stride⌉) for n nodes.

        `dropped` is the probability of drop-path, which never drops identities.
        """
        nodes = [self.preprocess0(before), self.preprocess1(x)]
        for incoming in self.incoming.values():
            value = None
            for source, key in incoming:
                module = getattr(self, key)
                term = module(nodes[source])
                if dropped > 0.0 and not isinstance(module, nn.Identity):
                    term = drop_path(term, dropped)
                value = term if value is None else value + term
            nodes.append(self._zeros(nodes[1]) if value is None else value)
        return torch.cat([nodes[node] for node in self.concat], dim=1)

    def _zeros(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        return x.new_zeros((batch, channels, -(-height // self.stride), -(-width // self.stride)))


class AuxiliaryHead(nn.Module):
    """A second classifier on the features at 2/3 of the depth, used in training only.

    The published pooling (5×5, stride 3 on CIFAR's 8×8 features, stride 2 on ImageNet's 7×7) results in 2×2 pixels. At
    image sizes where it would not, the features are pooled adaptively to 2×2.
    """

    def __init__(self, channels: int, num_classes: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(768, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(x)
        if all((side - 5) // self.stride + 1 == 2 for side in x.shape[2:]):
            return self.layers(functional.avg_pool2d(x, 5, self.stride))
        return self.layers(functional.adaptive_avg_pool2d(x, 2))


def conv_bn(c_in: int, c_out: int, stride: int) -> list[nn.Module]:
    """3×3 convolution and BN, for the stems."""
    return [nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(c_out)]


class TwoCellsBody(Body):
    """Stem, L cells, mean over pixels, linear; C channels, twice as many from cell L//3 and again from 2L//3.

    Stem `cifar`: a 3×3 convolution to 3C, which is both inputs of the first cell. Stem `imagenet`: three
    strided 3×3 convolutions; the first cell's inputs are the output of the second and, half as large, of the third.

    `drop_path` is the probability that an edge is dropped for a sample in training; set by the trainer.
    """

    drop_path: float = 0.0

    def __init__(self, cells: Cells, num_classes: int, channels: int, depth: int, auxiliary: bool, stem: str) -> None:
        super().__init__()
        self.stem0: nn.Module
        self.stem1: nn.Module
        if stem == "imagenet":
            self.stem0 = nn.Sequential(*conv_bn(3, channels // 2, 2), nn.ReLU(), *conv_bn(channels // 2, channels, 2))
            self.stem1 = nn.Sequential(nn.ReLU(), *conv_bn(channels, channels, 2))
            c_before = c_in = channels
        else:
            self.stem0 = nn.Sequential(*conv_bn(3, 3 * channels, 1))
            self.stem1 = nn.Identity()
            c_before = c_in = 3 * channels
        self.thirds = reductions(depth)
        self.cells = nn.ModuleList()
        after_reduction = stem == "imagenet"
        width = channels
        for layer in range(depth):
            reduction = layer in self.thirds
            width = 2 * width if reduction else width
            cell = cells.reduce if reduction else cells.normal
            self.cells.append(CellModule(cell, c_before, c_in, width, reduction, after_reduction))
            c_before, c_in, after_reduction = c_in, len(cell.concat) * width, reduction
        reduced = len(cells.reduce.concat) * width  # channels of the second reduction's output
        stride = 2 if stem == "imagenet" else 3
        self.auxiliary = AuxiliaryHead(reduced, num_classes, stride) if auxiliary else None
        self.classifier = nn.Linear(c_in, num_classes)

    def outputs(self, x: Tensor) -> list[Tensor]:
        """The outputs of the stem and of every cell."""
        before = self.stem0(x)
        outputs = [self.stem1(before)]
        for cell in self.cells:
            outputs.append(cell(before, outputs[-1], self.drop_path if self.training else 0.0))
            before = outputs[-2]
        return outputs

    def stages(self, x: Tensor) -> list[Tensor]:
        """The outputs of the stem and of the last cell at each of the three resolutions."""
        outputs = self.outputs(x)
        return [outputs[0], *(outputs[layer] for layer in self.thirds), outputs[-1]]

    def pooled(self, last: Tensor) -> Tensor:
        return last

    def with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits of normalised images and, in training mode, those of the auxiliary head if there is one."""
        if self.auxiliary is None or not self.training:
            return self(x), None
        outputs = self.outputs(x)
        return self.head(outputs[-1]), self.auxiliary(outputs[self.thirds[1] + 1])
