"""The networks of NAS-Bench-MR against the records, and against a literal network from the definition."""

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

from nas.search_spaces.nasbench_mr import Configuration, NASBenchMR

SPACE = NASBenchMR()
SMALL = Configuration((16, 24, 2, 1, 24, 2, 1, 2, 32, 40, 1, 2, 1, 1, 24, 48, 64, 2, 2, 1, 1, 1, 48, 64, 32, 8, 8))


def test_weights_of_all_records(data_dir: Path) -> None:
    """In millions with six digits; `flops` also count element-wise work."""
    records = json.loads((data_dir / "benchmarks" / "nasbench_mr_params.json").read_text())
    assert len(records) == 2507
    for record in records:
        cost = SPACE.cost(Configuration(tuple(record["embedding"])), num_classes=50, image_size=128)
        assert cost.params == round(record["params"] * 1e6)
        assert 0.968 < cost.macs / record["flops"] / 1e9 < 0.999


def test_records_as_they_are_built(data_dir: Path) -> None:
    records = json.loads((data_dir / "benchmarks" / "nasbench_mr_params.json").read_text())
    for record in sorted(records, key=lambda one: one["params"])[:3]:
        network = SPACE.build(SPACE.parse(json.dumps(record)), 50)
        assert sum(parameter.numel() for parameter in network.parameters()) == round(record["params"] * 1e6)


def literal(setting: dict[str, Any], state: dict[str, Tensor], x: Tensor, stride: int, training: bool) -> Tensor:
    """The logits, computed from the words of the definition; the tensors are taken by their names."""

    def conv_bn(name: str, x: Tensor, stride: int = 1, first: int = 0) -> Tensor:
        kernel = state[f"{name}.{first}.weight"]
        weight, bias, mean, var = (
            state[f"{name}.{first + 1}.{one}"] for one in ("weight", "bias", "running_mean", "running_var")
        )
        x = functional.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2)
        if training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        column = [one.reshape(1, -1, 1, 1) for one in (mean, var, weight, bias)]
        return (x - column[0]) / (column[1] + 1e-5).sqrt() * column[2] + column[3]

    def doubled(x: Tensor, size: torch.Size) -> Tensor:
        """Every pixel twice in each direction; of an odd size, without the last."""
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, : size[0], : size[1]]

    maps = {0: conv_bn("stem.1", conv_bn("stem.0", x, stride).relu(), stride).relu()}
    number: Iterator[int] = iter(())
    before = 0
    for branches, blocks, _ in setting["inverted_residual_setting"]:
        if branches != before:
            number, before = iter(range(4)), branches
        row = f"parts.{branches - 1}.{next(number)}"
        fused: dict[int, Tensor] = {}
        for i in range(branches):
            if i not in maps:
                fused[i] = conv_bn(f"{row}.fusion.new.{i - len(maps)}", fused[i - 1], 2).relu()
                continue
            terms = [conv_bn(f"{row}.fusion.into.{i}.{i}", maps[i]).relu()]
            if i - 1 in maps:
                terms.append(conv_bn(f"{row}.fusion.into.{i}.{i - 1}", maps[i - 1], 2).relu())
            if i + 1 in maps:
                below = conv_bn(f"{row}.fusion.into.{i}.{i + 1}", maps[i + 1]).relu()
                terms.append(doubled(below, maps[i].shape[2:]))
            fused[i] = sum(terms, torch.zeros(())).relu()
        for i, count in enumerate(blocks):
            for block in range(count):
                name = f"{row}.branches.{i}.{block}.branch"
                inner = conv_bn(name, fused[i]).relu()
                fused[i] = (conv_bn(name, inner, first=3) + fused[i]).relu()
        maps = fused
    joined = torch.cat(
        [functional.interpolate(maps[i], maps[3].shape[2:], mode="bilinear", align_corners=False) for i in range(4)], 1
    )
    last = conv_bn("join", joined).relu().mean((2, 3), keepdim=True)
    kernel = state["classifier.weight"].reshape(*state["classifier.weight"].shape, 1, 1)
    return functional.conv2d(last, kernel, state["classifier.bias"]).flatten(1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("stride", "size"), [(2, (64, 64)), (1, (16, 24)), (2, (45, 70)), (1, (9, 13))])
def test_logits_are_those_of_a_literal_network(stride: int, size: tuple[int, int], training: bool) -> None:
    torch.manual_seed(0)
    network = SPACE.build(SMALL, 7, stem_stride=stride).double()
    with torch.no_grad():
        for tensor in network.body.state_dict().values():  # statistics and factors of BN that are not those of a start
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5)
        x = torch.rand(3, 3, *size, dtype=torch.float64)
        state = {name: tensor.clone() for name, tensor in network.body.state_dict().items()}
        got = network.train(training)(x)
        torch.testing.assert_close(got, literal(json.loads(str(SMALL)), state, x, stride, training))


def test_every_convolution_changes_the_logits() -> None:
    """A convolution whose BN gives zeros, one at a time: nothing is built that is not used."""
    arch = SPACE.sample(Random(3))
    torch.manual_seed(1)
    network = SPACE.build(arch, 5, stem_stride=1, width_multiplier=0.25).double().train()
    x = torch.rand(4, 3, 16, 16, dtype=torch.float64)
    logits = network(x)
    (logits * torch.randn_like(logits)).sum().backward()
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(convolutions) > 50
    assert all(module.weight.grad is not None and module.weight.grad.abs().sum() > 0 for module in convolutions)


def test_stages_are_the_lowest_branches_and_the_join() -> None:
    network = SPACE.build(SMALL, 5)
    shapes = [tuple(stage.shape[1:]) for stage in network.stages(torch.rand(2, 3, 128, 128))]
    assert shapes == [(24, 32, 32), (24, 32, 32), (40, 16, 16), (64, 8, 8), (8, 4, 4)]


def test_weights_come_back_from_a_saved_state() -> None:
    first, second = (SPACE.build(SMALL, 4, width_multiplier=0.25).eval() for _ in range(2))
    x = torch.rand(2, 3, 32, 32)
    assert not torch.equal(first(x), second(x))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x), second(x))
