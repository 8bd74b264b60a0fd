"""Both spaces' networks from image to logits against transcriptions of their papers, in float64 and train mode."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces import DARTS, NASBench201
from nas.search_spaces.darts.genotype import Genotype
from nas.search_spaces.twocells.cell import Edges


class Weights:
    """The parameters of a network by name; a transcription takes each once, so that none is left over."""

    def __init__(self, network: nn.Module) -> None:
        generator = torch.Generator().manual_seed(0)
        self.left = {}
        for name, value in network.named_parameters():
            with torch.no_grad():  # also those that start as 0 or 1
                value.copy_(torch.randn(value.shape, generator=generator, dtype=value.dtype) / value[0].numel() ** 0.5)
            self.left[name] = value.detach()

    def conv(self, x: Tensor, name: str, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = self.left.pop(f"{name}.weight")
        padding = dilation * (weight.shape[2] // 2)
        return F.conv2d(x, weight, None, stride, padding, dilation, groups=x.shape[1] // weight.shape[1])

    def norm(self, x: Tensor, name: str) -> Tensor:
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
        weight, bias = (self.left.pop(f"{name}.{kind}")[:, None, None] for kind in ("weight", "bias"))
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x.mean((2, 3)) @ self.left.pop(f"{name}.weight").T + self.left.pop(f"{name}.bias")


def pooled(x: Tensor, kind: str, stride: int = 1) -> Tensor:
    """3×3, over the pixels inside the image."""
    if kind == "max_pool_3x3":
        return F.max_pool2d(x, 3, stride, 1)
    inside = F.avg_pool2d(torch.ones_like(x), 3, stride, 1)
    return F.avg_pool2d(x, 3, stride, 1) / inside


# NAS-Bench-201: Dong and Yang, ICLR 2020, section 2.1 and figure 1


def nb201(operations: tuple[str, ...], x: Tensor, w: Weights, cells: int) -> Tensor:
    x = w.norm(w.conv(x, "stem.0"), "stem.1")
    for stage in range(3):
        place = 0
        if stage:  # the residual block: two 3×3 convolutions beside 2×2 average pooling and a 1×1 convolution
            name = f"blocks.{stage}.0"
            y = w.norm(w.conv(x.relu(), f"{name}.conv_a.1", stride=2), f"{name}.conv_a.2")
            y = w.norm(w.conv(y.relu(), f"{name}.conv_b.1"), f"{name}.conv_b.2")
            x = y + w.conv(F.avg_pool2d(x, 2), f"{name}.shortcut.1")
            place = 1
        for cell in range(cells):
            nodes = [x, torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x)]
            for number, (source, target) in enumerate([(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]):
                operation, name = operations[number], f"blocks.{stage}.{place + cell}.{source}_{target}"
                if operation == "skip_connect":
                    nodes[target] = nodes[target] + nodes[source]
                elif operation == "avg_pool_3x3":
                    nodes[target] = nodes[target] + pooled(nodes[source], operation)
                elif operation != "none":
                    y = w.norm(w.conv(nodes[source].relu(), f"{name}.1"), f"{name}.2")
                    nodes[target] = nodes[target] + y
            x = nodes[3]
    return w.linear(w.norm(x, "last.0").relu(), "classifier")


@pytest.mark.parametrize("seed", range(3))
def test_nasbench201_is_the_network_of_its_paper(seed: int) -> None:
    space = NASBench201()
    cell = space.sample(Random(seed))
    body = space.build(cell, 7, channels=4, cells_per_stage=2).double().body
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    weights = Weights(body)
    expected = nb201(cell.operations, x, weights, 2)
    assert not weights.left
    torch.testing.assert_close(body(x).detach(), expected)


# DARTS: Liu et al., ICLR 2019, sections 2.1 and A.1, and the networks of its release


def halved(x: Tensor, w: Weights, name: str) -> Tensor:
    """Two strided 1×1 convolutions, one of the pixels at even places, one of those at odd ones."""
    x = x.relu()
    even = w.conv(x, f"{name}.conv_1", stride=2)
    odd = w.conv(x[:, :, 1:, 1:], f"{name}.conv_2", stride=2)
    return w.norm(torch.cat([even, odd], 1), f"{name}.bn")


def operated(operation: str, x: Tensor, w: Weights, name: str, stride: int) -> Tensor:
    kind = operation.partition("_conv_")[0]
    if operation == "skip_connect":
        return x if stride == 1 else halved(x, w, name)
    if kind == "sep":
        for first, pace in ((0, stride), (4, 1)):
            x = w.conv(x.relu(), f"{name}.{first + 1}", pace)
            x = w.norm(w.conv(x, f"{name}.{first + 2}"), f"{name}.{first + 3}")
        return x
    if kind == "dil":
        x = w.conv(x.relu(), f"{name}.1", stride, dilation=2)
        return w.norm(w.conv(x, f"{name}.2"), f"{name}.3")
    return pooled(x, operation, stride)


def darts(genotype: Genotype, x: Tensor, w: Weights, cells: int, stem: str) -> list[Tensor]:
    """The outputs of all cells."""
    if stem == "cifar":
        before = x = w.norm(w.conv(x, "stem0.0"), "stem0.1")
    else:
        before = w.norm(w.conv(x, "stem0.0", 2), "stem0.1").relu()
        before = w.norm(w.conv(before, "stem0.3", 2), "stem0.4")
        x = w.norm(w.conv(before.relu(), "stem1.1", 2), "stem1.2")
    outputs = []
    for layer in range(cells):
        reduction, name = layer in (cells // 3, 2 * cells // 3), f"cells.{layer}"
        if before.shape[2] != x.shape[2]:
            first = halved(before, w, f"{name}.preprocess0")
        else:
            first = w.norm(w.conv(before.relu(), f"{name}.preprocess0.1"), f"{name}.preprocess0.2")
        second = w.norm(w.conv(x.relu(), f"{name}.preprocess1.1"), f"{name}.preprocess1.2")
        nodes = [first, second]
        edges: Edges = genotype.reduce if reduction else genotype.normal
        for node in range(2, 6):
            terms = [
                operated(operation, nodes[source], w, f"{name}.{source}_{node}", 2 if reduction and source < 2 else 1)
                for operation, source in edges[2 * node - 4 : 2 * node - 2]
            ]
            nodes.append(terms[0] + terms[1])
        before, x = x, torch.cat(nodes[2:], 1)
        outputs.append(x)
    return outputs


@pytest.mark.parametrize(("stem", "cells", "size"), [("cifar", 4, 8), ("cifar", 5, 8), ("imagenet", 4, 32)])
def test_darts_is_the_network_of_its_paper(stem: str, cells: int, size: int) -> None:
    space = DARTS()
    for seed in range(3):
        genotype = space.sample(Random(seed))
        network = space.build(genotype, 7, channels=4, cells=cells, stem=stem, auxiliary=True)
        body = network.double().body
        x = torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        weights = Weights(body)
        outputs = darts(genotype, x, weights, cells, stem)
        found, auxiliary = body.with_auxiliary(x)
        torch.testing.assert_close(found.detach(), weights.linear(outputs[-1], "classifier"))
        y = outputs[2 * cells // 3].relu()  # at two thirds of the depth; of these sizes pooled to 2×2 whatever they are
        y = F.adaptive_avg_pool2d(y, 2)
        y = weights.norm(weights.conv(y, "auxiliary.layers.0"), "auxiliary.layers.1").relu()
        y = F.conv2d(y, weights.left.pop("auxiliary.layers.3.weight"))
        y = weights.norm(y, "auxiliary.layers.4").relu()
        torch.testing.assert_close(auxiliary.detach(), weights.linear(y, "auxiliary.layers.7"))
        assert not weights.left


@pytest.mark.parametrize(("stem", "size", "stride"), [("cifar", 8, 3), ("imagenet", 7, 2)])
def test_the_auxiliary_head_pools_by_five_pixels_to_two(stem: str, size: int, stride: int) -> None:
    """The release: a stride of 3 on the 8×8 features of CIFAR, of 2 on the 7×7 of ImageNet."""
    space = DARTS()
    network = space.build(space.largest(), 7, channels=4, cells=3, stem=stem, auxiliary=True)
    head = network.double().body.auxiliary
    x = torch.randn(2, 64, size, size, dtype=torch.float64)
    torch.testing.assert_close(head(x), head.layers(F.avg_pool2d(x.relu(), 5, stride)))
