"""The networks of NDS's residual spaces against the records, and against a literal network from the definitions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nas.search_spaces import SPACES
from nas.search_spaces.residual import NDSResNet, NDSResNeXtA
from nas.search_spaces.residual.cost import published_flops

FILES = {"nds-resnet": "nds_ResNet_lr-wd_in.json", "nds-resnext-a": "nds_ResNeXt-A_in.json"}


def small(name: str, rng: Random) -> Any:
    """A network of few narrow blocks, drawn like a sample."""
    space = SPACES.get(name)()
    while True:
        arch = space.sample(rng)
        if sum(arch.ds) <= 9:
            return arch


@pytest.mark.parametrize("name", FILES)
def test_weights_and_flops_of_all_records(name: str, data_dir: Path) -> None:
    space = SPACES.get(name)()
    records = json.loads((data_dir / "benchmarks" / FILES[name]).read_text())
    assert len(records) > 100
    for record in records:
        arch = space.parse(json.dumps(record["net"]))
        assert json.loads(str(arch)) == record["net"]
        assert space.cost(arch, num_classes=1000, stem="imagenet", image_size=224).params == record["params"]
        assert published_flops(arch) == record["flops"]


@pytest.mark.parametrize("name", FILES)
def test_records_as_they_are_built(name: str, data_dir: Path) -> None:
    space = SPACES.get(name)()
    records = json.loads((data_dir / "benchmarks" / FILES[name]).read_text())
    for record in sorted(records, key=lambda one: one["params"])[:3]:
        network = space.build(space.parse(json.dumps(record["net"])), 1000, stem="imagenet")
        assert sum(parameter.numel() for parameter in network.parameters()) == record["params"]


def literal(net: dict[str, Any], state: Iterator[Tensor], x: Tensor, stem: str, training: bool) -> Tensor:
    """The logits, computed from the words of the definition; `state` gives the tensors in the order of use."""

    def conv_bn(x: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
        kernel = next(state)
        weight, bias, mean, var = (next(state) for _ in range(4))
        next(state)  # number of batches
        x = functional.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2, 1, groups)
        if training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        column = [one.reshape(1, -1, 1, 1) for one in (mean, var, weight, bias)]
        return (x - column[0]) / (column[1] + 1e-5).sqrt() * column[2] + column[3]

    bottleneck = net["block_type"] == "res_bottleneck_block"
    if stem == "cifar":
        x = conv_bn(x).relu()
    elif bottleneck:
        for _ in range(3):
            x = conv_bn(x, 2).relu()
    else:
        x = functional.max_pool2d(conv_bn(x, 2).relu(), 3, 2, 1)
    width = net["ws"][0]
    for place in range(1, len(net["ds"])):
        for number in range(net["ds"][place]):
            stride = net["ss"][place] if number == 0 else 1
            before = x
            if bottleneck:
                x = conv_bn(x).relu()
                x = conv_bn(x, stride, net["num_gs"][place]).relu()
            else:
                x = conv_bn(x, stride).relu()
            x = conv_bn(x)
            if stride != 1 or width != net["ws"][place]:
                before = conv_bn(before, stride)
            width = net["ws"][place]
            x = (x + before).relu()
    weight, bias = next(state), next(state)
    assert next(state, None) is None, "every tensor was used"
    return x.mean((2, 3)) @ weight.T + bias


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
@pytest.mark.parametrize("name", ["nds-resnet", "nds-resnext-a", "nds-resnext-b"])
def test_logits_are_those_of_a_literal_network(name: str, stem: str, training: bool) -> None:
    rng = Random(f"{name} {stem}")
    space, arch = SPACES.get(name)(), small(name, rng)
    torch.manual_seed(0)
    network = space.build(arch, 7, stem=stem).double()
    with torch.no_grad():
        for tensor in network.body.state_dict().values():  # statistics and factors of BN that are not those of a start
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5)
        size = rng.choice([(16, 16), (21, 9)])
        x = torch.rand(3, 3, *size, dtype=torch.float64)
        state = {name: tensor.clone() for name, tensor in network.body.state_dict().items()}
        got = network.train(training)(x)
        expected = literal(json.loads(str(arch)), iter(state.values()), x, stem, training)
    torch.testing.assert_close(got, expected)


def test_a_shortcut_is_a_projection_only_where_it_must_be() -> None:
    net = '{"ds": [1, 2, 2, 1], "ws": [16, 16, 32, 32], "ss": [4, 1, 2, 1]}'
    body = NDSResNet().build(NDSResNet().parse(net)).body
    found = [[len(list(block.shortcut.children())) for block in blocks] for blocks in body.blocks]  # type: ignore[attr-defined]
    assert found == [[0, 0], [2, 0], [0]]


@pytest.mark.parametrize("name", ["nds-resnet", "nds-resnext-a"])
def test_every_block_and_every_shortcut_changes_the_logits(name: str) -> None:
    """A part whose last BN gives zeros, one at a time."""
    space, arch = SPACES.get(name)(), small(name, Random(5))
    torch.manual_seed(1)
    network = space.build(arch, 5, width_multiplier=0.25).double().eval()
    x = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        before = network(x)
        for module in network.body.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                weight = module.weight.clone()
                module.weight.zero_()
                assert not torch.equal(network(x), before)
                module.weight.copy_(weight)
        torch.testing.assert_close(network(x), before, rtol=0, atol=0)


def test_groups_stay_whole_in_narrow_networks() -> None:
    space = NDSResNeXtA()
    arch = space.parse(
        '{"ds": [1, 1, 1, 1], "ws": [64, 16, 128, 128], "ss": [8, 1, 2, 2], "bot_muls": [1, 0.25, 0.5, 0.25], '
        '"num_gs": [1, 4, 4, 2]}'
    )
    network = space.build(arch, 10, width_multiplier=0.1)
    inner = [(blocks[0].branch[3].in_channels, blocks[0].branch[3].groups) for blocks in network.body.blocks]
    assert inner == [(4, 4), (8, 4), (4, 2)]
    assert space.cost(arch, 10, width_multiplier=0.1).params == sum(p.numel() for p in network.parameters())


def test_weights_come_back_from_a_saved_state() -> None:
    space = NDSResNet()
    arch = small("nds-resnet", Random(8))
    first, second = (space.build(arch, 4, width_multiplier=0.1).eval() for _ in range(2))
    x = torch.rand(2, 3, 12, 12)
    assert not torch.equal(first(x), second(x))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x), second(x))
