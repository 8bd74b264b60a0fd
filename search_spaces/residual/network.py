"""The residual network around the stages: a stem for CIFAR or ImageNet, the stages, mean over pixels, linear."""

from __future__ import annotations

from torch import Tensor, nn

from nas.search_spaces.network import Body
from nas.search_spaces.residual.architecture import ResidualArch
from nas.search_spaces.residual.blocks import Block, conv_bn
from nas.search_spaces.widths import scaled


def stem_widths(arch: ResidualArch, stem: str, multiplier: float) -> list[int]:
    """The widths of the stem's convolutions, of which there are three in the ResNeXt stem for ImageNet."""
    last = scaled(arch.ws[0], multiplier)
    if stem == "imagenet" and arch.bot_muls:
        return [scaled(32, multiplier), scaled(64, multiplier), last]
    return [last]


class ResidualBody(Body):
    """Stem, stages of equal blocks, mean over pixels, linear.

    Stem `cifar`: a 3×3 convolution. Stem `imagenet` of basic blocks: a 7×7 convolution and a 3×3 max-pooling, stride 2
    each; of bottlenecks: three 3×3 convolutions to 32, 64 and ws[0] channels, stride 2 each. BN and ReLU follow each
    convolution.
    """

    def __init__(self, arch: ResidualArch, num_classes: int, stem: str, width_multiplier: float) -> None:
        super().__init__()
        kernel = 7 if stem == "imagenet" and not arch.bot_muls else 3
        layers: list[nn.Module] = []
        c_in = 3
        for width in stem_widths(arch, stem, width_multiplier):
            layers += [*conv_bn(c_in, width, kernel, stride=2 if stem == "imagenet" else 1), nn.ReLU()]
            c_in = width
        if kernel == 7:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
        self.stem = nn.Sequential(*layers)
        self.blocks = nn.ModuleList()
        for stage in arch.stages():
            width = scaled(stage.width, width_multiplier)
            blocks = [Block(stage, c_in, width, stage.stride)]
            blocks += [Block(stage, width, width, 1) for _ in range(stage.blocks - 1)]
            self.blocks.append(nn.Sequential(*blocks))
            c_in = width
        self.classifier = nn.Linear(c_in, num_classes)

    def stages(self, x: Tensor) -> list[Tensor]:
        outputs = [self.stem(x)]
        for blocks in self.blocks:
            outputs.append(blocks(outputs[-1]))
        return outputs

    def pooled(self, last: Tensor) -> Tensor:
        return last
