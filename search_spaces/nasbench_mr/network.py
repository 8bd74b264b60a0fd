"""The network of a configuration of NAS-Bench-MR: a stem, modules of parallel branches, and a classifier on all."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.search_spaces.nasbench_mr.configuration import Configuration
from nas.search_spaces.network import Body
from nas.search_spaces.residual.architecture import Stage
from nas.search_spaces.residual.blocks import Block, conv_bn
from nas.search_spaces.widths import scaled


def conv_bn_relu(c_in: int, c_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(*conv_bn(c_in, c_out, kernel, stride), nn.ReLU())


def fusion_inputs(branch: int, count: int) -> list[tuple[int, int, int]]:
    """(input branch, kernel, stride) of the convolutions that add up to an output branch of a fusion.

    The branch above has twice the resolution and comes with stride 2. The branch below has half of it, and its 1×1
    convolution is followed by an upsampling.
    """
    inputs = [(branch - 1, 3, 2), (branch, 3, 1), (branch + 1, 1, 1)]
    return [one for one in inputs if 0 <= one[0] < count]


class Fusion(nn.Module):
    """The exchange between neighbouring branches that stands before the blocks of every module.

    An output branch is the ReLU of the sum of convolutions of its neighbours and of itself. A branch that is new is a
    convolution of stride 2 of the output branch above it. BN and ReLU follow each convolution.
    """

    def __init__(self, before: list[int], widths: list[int]) -> None:
        super().__init__()
        self.into = nn.ModuleList()
        for branch, width in enumerate(widths[: len(before)]):
            inputs = fusion_inputs(branch, len(before))
            self.into.append(
                nn.ModuleDict({str(source): conv_bn_relu(before[source], width, *how) for source, *how in inputs})
            )
        self.new = nn.ModuleList(
            conv_bn_relu(above, width, 3, 2) for above, width in zip(widths[len(before) - 1 :], widths[len(before) :])
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """(B, before_i, H/2ⁱ, W/2ⁱ) for each input branch → (B, width_i, H/2ⁱ, W/2ⁱ) for each output branch."""
        outputs: list[Tensor] = []
        for branch, convolutions in enumerate(self.into):
            terms = []
            for source, convolution in cast(nn.ModuleDict, convolutions).items():
                term = convolution(branches[int(source)])
                if int(source) > branch:  # to the size of the branch: twice, or one pixel less if that is odd
                    term = functional.interpolate(term, branches[branch].shape[2:], mode="nearest")
                terms.append(term)
            outputs.append(functional.relu(sum(terms[1:], terms[0])))
        for convolution in self.new:
            outputs.append(convolution(outputs[-1]))
        return outputs


class MultiResolutionModule(nn.Module):
    """A fusion, then the blocks of each branch."""

    def __init__(self, before: list[int], widths: list[int], blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.fusion = Fusion(before, widths)
        self.branches = nn.ModuleList(
            nn.Sequential(*(Block(Stage(count, width, 1, None, 1), width, width, 1) for _ in range(count)))
            for count, width in zip(blocks, widths)
        )

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        return [blocks(x) for blocks, x in zip(self.branches, self.fusion(inputs))]


class NASBenchMRBody(Body):
    """Two strided convolutions, modules of one to four branches, all branches joined at the lowest resolution.

    The branches are resized bilinearly to the smallest of them and concatenated; a 1×1 convolution with BN and ReLU
    goes before the mean over pixels and the linear layer. This is the head of the benchmark's classification tasks.
    """

    def __init__(
        self, configuration: Configuration, num_classes: int, stem_stride: int, width_multiplier: float
    ) -> None:
        super().__init__()
        first, second = (scaled(width, width_multiplier) for width in configuration.stem)
        self.stem = nn.Sequential(conv_bn_relu(3, first, 3, stem_stride), conv_bn_relu(first, second, 3, stem_stride))
        self.parts = nn.ModuleList()
        before = [second]
        for part in configuration.parts():
            widths = [scaled(width, width_multiplier) for width in part.widths]
            modules = nn.ModuleList()
            for _ in range(part.modules):
                modules.append(MultiResolutionModule(before, widths, part.blocks))
                before = widths
            self.parts.append(modules)
        last = scaled(configuration.last, width_multiplier)
        self.join = conv_bn_relu(sum(before), last, 1)
        self.classifier = nn.Linear(last, num_classes)

    def stages(self, x: Tensor) -> list[Tensor]:
        """The stem's output, the branch of the lowest resolution after 1, 2 and 3 branches, and the joined branches."""
        branches = [self.stem(x)]
        outputs = [branches[0]]
        for modules in self.parts:
            for module in cast(nn.ModuleList, modules):
                branches = module(branches)
            outputs.append(branches[-1])
        size = branches[-1].shape[2:]
        resized = [functional.interpolate(x, size, mode="bilinear", align_corners=False) for x in branches[:-1]]
        return [*outputs[:-1], self.join(torch.cat([*resized, branches[-1]], dim=1))]

    def pooled(self, last: Tensor) -> Tensor:
        return last
