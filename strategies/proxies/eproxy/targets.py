"""What networks learn in Eproxy: features of the batch that need no labels and are the same for all architectures."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.strategies.proxies.eproxy.layers import draw
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.strategies.proxies.passes.probe import Probe

SIDE = 8  # features are compared at 8x8 pixels
FREQUENCIES = {"sine_low": (0.0, 0.125), "sine_mid": (0.125, 0.375), "sine_high": (0.375, 0.5)}  # cycles per pixel
WIDTHS = (64, 128, 256, 512, 1024)  # of the untrained network's first five layers
MAX_BATCHES = 4  # whose features are kept; the least recently used batch is dropped

_features: OrderedDict[tuple[object, ...], tuple[Tensor, dict[tuple[str, int], Tensor]]] = OrderedDict()


def target(probe: Probe, options: EproxyOptions, stage: int) -> Tensor:
    """What a stage has to learn, (B, c_out, 8, 8): the sum of its features, multiplied by its coefficient."""
    names = options.of_stage(options.features, stage).split("+")
    features = torch.stack([feature(probe, name, options.c_out) for name in names])
    return options.of_stage(options.coefficient, stage) * features.sum(0)


def feature(probe: Probe, name: str, channels: int) -> Tensor:
    """One feature of the probe's batch, (B, channels, 8, 8); made once per process, seed and batch.

    `net`: the output of an untrained network of six convolutions. `sine_*`: sin(2π·f·p + φ) for each image and
    channel, p the pixel's row or column (at random), f uniform in the range, φ in (0, 2π). `dot`: each ±1 at random.
    """
    features = _features_of_batch(probe)
    if (name, channels) not in features:
        generator = probe.generator(f"eproxy {name}")
        with torch.no_grad():
            if name == "net":
                value = _untrained(probe.images, channels, generator)
            elif name == "dot":
                value = 2 * torch.randint(2, (len(probe.images), channels, SIDE, SIDE), generator=generator) - 1
            else:
                value = _sines(len(probe.images), channels, FREQUENCIES[name], generator)
            features[name, channels] = value.to(probe.images).to(memory_format=torch.channels_last)
    return features[name, channels]


def resized(features: Tensor) -> Tensor:
    """Features resized to (B, C, 8, 8) by taking the nearest pixels."""
    return features if features.shape[2:] == (SIDE, SIDE) else F.interpolate(features, (SIDE, SIDE))


def _features_of_batch(probe: Probe) -> dict[tuple[str, int], Tensor]:
    """The features made so far for the seed and batch of the probe."""
    images = probe.images
    key = (probe.seed, tuple(images.shape), images.dtype, images.device)
    if key not in _features or not torch.equal(_features[key][0], images):
        _features[key] = images, {}
    _features.move_to_end(key)
    if len(_features) > MAX_BATCHES:
        _features.popitem(last=False)
    return _features[key][1]


def _untrained(images: Tensor, channels: int, generator: torch.Generator) -> Tensor:
    """3x3 convolutions to 64, 128, 256, 512, 1024 and `channels`, all but the last with normalisation by the batch
    and ReLU, the first two with 2x2 max-pooling."""
    x = images
    for number, width in enumerate((*WIDTHS, channels)):
        weight, bias = draw((width, x.shape[1], 3, 3), "default", generator)
        x = F.conv2d(x, weight.to(x), bias.to(x), padding=1)
        if number < len(WIDTHS):
            x = F.relu(F.batch_norm(x, None, None, training=True))
        if number < 2:
            x = F.max_pool2d(x, 2)
    return resized(x)


def _sines(batch: int, channels: int, frequencies: tuple[float, float], generator: torch.Generator) -> Tensor:
    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand((batch, channels, 1, 1), generator=generator, dtype=torch.float64)

    f, phase, along_rows = uniform(*frequencies), uniform(0, 2 * math.pi), uniform(0, 1) < 0.5
    pixel = torch.arange(SIDE, dtype=torch.float64)
    position = torch.where(along_rows, pixel[:, None], pixel[None, :])
    return torch.sin(2 * math.pi * f * position + phase)
