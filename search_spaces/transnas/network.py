"""The network of both TransNAS spaces: stem, layers of cells or residual blocks, mean over pixels, classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from nas.search_spaces.nasbench201.operations import relu_conv_bn
from nas.search_spaces.network import Body
from nas.search_spaces.transnas.layers import Block, blocks


class TransNASBody(Body):
    """Stem (two 3×3 convolutions of stride 2, to C/2 and C), layers, mean over pixels, linear.

    The digit of a layer says whether its first block doubles the channels (2 and 4) and halves the image (3 and 4).
    Neither a normalisation nor a ReLU stands before the mean. The stages are the stem and each layer.
    """

    def __init__(
        self,
        digits: Sequence[int],
        block: Callable[[Block], nn.Module],
        num_classes: int,
        channels: int,
        blocks_per_layer: int,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels // 2, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels // 2),
            relu_conv_bn(channels // 2, channels, 3, stride=2),
        )
        shapes = list(blocks(digits, channels, blocks_per_layer))
        self.layers = nn.ModuleList(
            nn.Sequential(*(block(shape) for shape in shapes if shape.layer == layer)) for layer in range(len(digits))
        )
        self.classifier = nn.Linear(shapes[-1].c_out, num_classes)

    def stages(self, x: Tensor) -> list[Tensor]:
        outputs = [self.stem(x)]
        for layer in self.layers:
            outputs.append(layer(outputs[-1]))
        return outputs

    def pooled(self, last: Tensor) -> Tensor:
        return last
