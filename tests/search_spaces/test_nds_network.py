"""The networks of NDS cells against a slow network written from the words of the paper and of its records."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces import SPACES
from nas.search_spaces.nds import NDSDARTS, NDSAmoeba, NDSPoint
from nas.search_spaces.nds.space import NDSCells
from nas.search_spaces.twocells.operations import operation

NAMES = ("nds-amoeba", "nds-darts", "nds-enas", "nds-nasnet", "nds-pnas")
Weights = dict[str, Tensor]


def space_of(name: str) -> NDSCells:
    space = SPACES.get(name)()
    assert isinstance(space, NDSCells)
    return space


OPERATIONS = sorted({name for space in NAMES for name in space_of(space).family.operations} - {"none"})


# the slow network: one function, weights by name, batch statistics


def norm(x: Tensor, w: Weights, name: str) -> Tensor:
    x = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    return x * w.pop(f"{name}.weight")[:, None, None] + w.pop(f"{name}.bias")[:, None, None]


def conv(x: Tensor, w: Weights, name: str, stride: Any = 1, dilation: int = 1) -> Tensor:
    kernel = w.pop(f"{name}.weight")
    groups = x.shape[1] // kernel.shape[1]
    sides = [dilation * (side // 2) for side in kernel.shape[2:]]
    return F.conv2d(F.pad(x, (sides[1], sides[1], sides[0], sides[0])), kernel, None, stride, 0, dilation, groups)


def halved(x: Tensor, w: Weights, name: str) -> Tensor:
    even, odd = x.relu()[:, :, ::2, ::2], x.relu()[:, :, 1::2, 1::2]
    return norm(torch.cat([conv(even, w, f"{name}.conv_1"), conv(odd, w, f"{name}.conv_2")], 1), w, f"{name}.bn")


def averaged(x: Tensor, k: int, stride: int) -> Tensor:
    """The mean of those pixels of a window that are in the image."""
    total = F.avg_pool2d(F.pad(x, (k // 2,) * 4), k, stride)
    return total / F.avg_pool2d(F.pad(torch.ones_like(x), (k // 2,) * 4), k, stride)


def operated(name: str, x: Tensor, w: Weights, at: str, s: int) -> Tensor:
    if name == "skip_connect":
        return x if s == 1 else halved(x, w, at)
    if name == "avg_pool_3x3":
        return averaged(x, 3, s)
    if name.startswith("max_pool"):
        k = int(name[-1])
        return F.max_pool2d(F.pad(x, (k // 2,) * 4, value=-torch.inf), k, s)
    if name in ("conv_1x1", "conv_3x3"):
        return norm(conv(x.relu(), w, f"{at}.1", s), w, f"{at}.2")
    if name in ("conv_3x1_1x3", "conv_7x1_1x7"):
        rows = conv(x.relu(), w, f"{at}.1", (1, s))
        return norm(conv(rows, w, f"{at}.2", (s, 1)), w, f"{at}.3")
    if name.startswith("dil_conv"):
        return norm(conv(conv(x.relu(), w, f"{at}.1", s, 2), w, f"{at}.2"), w, f"{at}.3")
    dilation = 2 if name == "dil_sep_conv_3x3" else 1
    x = norm(conv(conv(x.relu(), w, f"{at}.1", s, dilation), w, f"{at}.2"), w, f"{at}.3")
    return norm(conv(conv(x.relu(), w, f"{at}.5", 1, dilation), w, f"{at}.6"), w, f"{at}.7")


def slow(net: dict[str, Any], x: Tensor, w: Weights, stem: str) -> Tensor:
    """The logits of the network that a record describes; takes every weight that it uses out of `w`."""
    if stem == "cifar":
        outputs = [norm(conv(x, w, "stem0.0"), w, "stem0.1")] * 2
    else:
        x = norm(conv(x, w, "stem0.0", 2), w, "stem0.1").relu()
        x = norm(conv(x, w, "stem0.3", 2), w, "stem0.4")
        outputs = [x, norm(conv(x.relu(), w, "stem1.1", 2), w, "stem1.2")]
    for layer in range(net["depth"]):
        reduction = layer in (net["depth"] // 3, 2 * net["depth"] // 3)
        kind, at = "reduce" if reduction else "normal", f"cells.{layer}"
        before, last = outputs[-2:]
        if before.shape[-1] != last.shape[-1]:
            states = [halved(before, w, f"{at}.preprocess0")]
        else:
            states = [norm(conv(before.relu(), w, f"{at}.preprocess0.1"), w, f"{at}.preprocess0.2")]
        states.append(norm(conv(last.relu(), w, f"{at}.preprocess1.1"), w, f"{at}.preprocess1.2"))
        edges = net["genotype"][kind]
        for first in range(0, len(edges), 2):
            node = len(states)
            total: Any = 0
            taken: list[int] = []
            for name, source in edges[first : first + 2]:
                if name != "none":
                    own = f"{at}.{source}_{node}" + "_again" * (source in taken)
                    taken.append(source)
                    total = total + operated(name, states[source], w, own, 2 if reduction and source < 2 else 1)
            if not taken:
                side = -(-states[1].shape[-1] // 2) if reduction else states[1].shape[-1]
                total = torch.zeros((*states[1].shape[:2], side, side), dtype=x.dtype)
            states.append(total)
        outputs.append(torch.cat([states[node] for node in net["genotype"][f"{kind}_concat"]], 1))
    return outputs[-1].mean((2, 3)) @ w.pop("classifier.weight").T + w.pop("classifier.bias")


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_the_slow_network(name: str, stem: str) -> None:
    space, rng = space_of(name), Random(2)
    for _ in range(2):
        point = replace(space.sample(rng), depth=4)
        torch.manual_seed(0)
        body = space.build(point, 3, channels=4, stem=stem).double().body
        for parameter in body.parameters():  # no weight is 0 or 1 by its initialisation
            parameter.data += 0.1 * torch.randn_like(parameter)
        x = torch.randn(3, 3, *((8, 8) if stem == "cifar" else (32, 32)), dtype=torch.float64)
        weights = {key: value.detach() for key, value in body.named_parameters()}
        expected = slow(json.loads(str(point)), x, weights, stem)
        torch.testing.assert_close(body(x).detach(), expected)
        assert not weights


@pytest.mark.parametrize("index", [0, 60])
def test_a_built_record_has_its_weights(data_dir: Path, index: int) -> None:
    space = NDSAmoeba()
    record = json.loads((data_dir / "benchmarks/nds_Amoeba_in.json").read_text())[index]
    network = space.build(space.parse(json.dumps(record["net"])), 1000, stem="imagenet")
    assert sum(parameter.numel() for parameter in network.parameters()) == record["params"]


@pytest.mark.parametrize("name", NAMES)
def test_the_output_depends_on_exactly_the_operations_on_a_path(name: str) -> None:
    """An edge in the last cell counts where its input depends on an image and its node is part of the output."""
    space, rng = space_of(name), Random(4)
    for _ in range(3):
        point = space.sample(rng)
        network = space.build(point, 3, channels=4, cells=3).double()
        network(torch.rand(2, 3, 8, 8, dtype=torch.float64)).square().sum().backward()
        last = network.get_submodule("body.cells.2")
        alive, useful = {0, 1}, set(point.cells.reduce.concat)
        for position, (operation_name, source) in enumerate(point.reduce):
            if operation_name != "none" and source in alive:
                alive.add(2 + position // 2)
        for position, (operation_name, source) in reversed(list(enumerate(point.reduce))):
            if operation_name != "none" and 2 + position // 2 in useful:
                useful.add(source)
        for position, (operation_name, source) in enumerate(point.reduce):
            node = 2 + position // 2
            if operation_name == "none":
                continue
            first = point.reduce[position - 1]
            again = position % 2 == 1 and first[1] == source and first[0] != "none"
            module = last.get_submodule(f"{source}_{node}" + "_again" * again)
            convolutions = [one for one in module.modules() if isinstance(one, nn.Conv2d)]
            for one in convolutions:
                assert one.weight.grad is not None
                assert (one.weight.grad.abs().max() > 0) == (source in alive and node in useful)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [1, 6, 7])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_keep_channels_and_divide_sides(name: str, side: int, stride: int) -> None:
    module = operation(name, 4, stride).eval()
    assert module(torch.rand(2, 4, side, side + 1)).shape == (2, 4, -(-side // stride), -(-(side + 1) // stride))


def test_full_convolutions_are_not_depthwise_and_stride_by_axis() -> None:
    _, row, column, _ = operation("conv_7x1_1x7", 6, 2).children()
    assert isinstance(row, nn.Conv2d)
    assert isinstance(column, nn.Conv2d)
    assert (row.kernel_size, row.stride, row.groups) == ((1, 7), (1, 2), 1)
    assert (column.kernel_size, column.stride, column.groups) == ((7, 1), (2, 1), 1)


def test_depth_and_width_are_those_of_the_point_unless_settings_say_otherwise() -> None:
    space = NDSDARTS()
    sampled = space.sample(Random(0))
    point = NDSPoint(space.family, sampled.normal, sampled.reduce, 4, 32)
    body: Any = space.build(point).body
    assert len(body.cells) == 4
    assert body.stages(torch.rand(1, 3, 8, 8))[0].shape == (1, 96, 8, 8)
    other: Any = space.build(point, channels=2, cells=5).body
    assert len(other.cells) == 5
    assert other.stages(torch.rand(1, 3, 8, 8))[0].shape == (1, 6, 8, 8)
    size: dict[str, Any] = {"channels": 2, "cells": 5}
    assert space.cost(replace(point, depth=8, width=48), **size) == space.cost(point, **size)
    assert space.connected(point) == space.connected(point, cells=4)


@pytest.mark.parametrize("training", [True, False])
def test_the_auxiliary_head_sees_the_output_of_the_second_reduction(training: bool) -> None:
    """Its channels are those of the reduction cell, which may concatenate another number of nodes than the normal."""
    space = NDSAmoeba()
    point = next(
        point
        for point in map(space.sample, [Random(seed) for seed in range(50)])
        if len(point.cells.normal.concat) != len(point.cells.reduce.concat)
    )
    size: dict[str, Any] = {"channels": 4, "cells": 6, "auxiliary": True}
    network = space.build(point, 5, **size).train(training)
    logits, extra = network.with_auxiliary(torch.rand(2, 3, 32, 32))
    assert logits.shape == (2, 5)
    assert (extra is not None) == training
    assert sum(p.numel() for p in network.parameters()) == space.cost(point, 5, **size).params


def test_a_state_is_restored() -> None:
    space = NDSDARTS()
    point = space.sample(Random(3))
    first, second = (space.build(point, channels=3, cells=4).eval() for _ in range(2))
    x = torch.rand(2, 3, 15, 10)
    assert not torch.allclose(first(x), second(x))
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(first(x), second(x))
