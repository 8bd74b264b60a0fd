"""The networks of TransNAS-Bench-101 against transcriptions of their definition, in float64."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nas.search_spaces import TransNASMacro, TransNASMicro
from nas.search_spaces.nasbench201.cell import EDGES
from nas.search_spaces.transnas import MicroCell

MICRO, MACRO = TransNASMicro(), TransNASMacro()
State = dict[str, Tensor]


def conv(x: Tensor, state: State, name: str, stride: int = 1) -> Tensor:
    weight = state.pop(f"{name}.weight")
    return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2)


def norm(x: Tensor, state: State, name: str, training: bool, eps: float = 1e-5) -> Tensor:
    mean, variance, scale, shift, _ = (
        state.pop(f"{name}.{part}") for part in ("running_mean", "running_var", "weight", "bias", "num_batches_tracked")
    )
    if training:
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    shape = (1, -1, 1, 1)
    x = (x - mean.view(shape)) / (variance.view(shape) + eps).sqrt()
    return x * scale.view(shape) + shift.view(shape)


def stem(x: Tensor, state: State, training: bool) -> Tensor:
    x = norm(conv(x, state, "stem.0", 2), state, "stem.1", training)
    return norm(conv(x.relu(), state, "stem.2.1", 2), state, "stem.2.2", training)


def edge(x: Tensor, digit: str, state: State, name: str, stride: int, widens: bool, training: bool) -> Tensor:
    if digit == "1" and stride == 1 and not widens:
        return x
    if digit == "1":
        x = x.relu()
        beside = torch.zeros_like(x)  # the map moved by one pixel up and left
        beside[:, :, :-1, :-1] = x[:, :, 1:, 1:]
        halves = conv(x, state, f"{name}.conv_1", stride), conv(beside, state, f"{name}.conv_2", stride)
        return norm(torch.cat(halves, 1), state, f"{name}.bn", training)
    assert state[f"{name}.1.weight"].shape[-1] == {"2": 1, "3": 3}[digit]
    return norm(conv(x.relu(), state, f"{name}.1", stride), state, f"{name}.2", training)


def micro(code: str, x: Tensor, state: State, channels: int, cells: int, training: bool) -> Tensor:
    """By the text of the cell, 64-41414-a_bc_def."""
    digits = dict(zip(EDGES, code.split("-")[2].replace("_", "")))
    x = stem(x, state, training)
    width = channels
    for layer, kind in enumerate("41414"):
        for number in range(cells):
            first = number == 0 and kind == "4"
            width, stride = (2 * width, 2) if first else (width, 1)
            height, breadth = (-(-side // stride) for side in x.shape[2:])
            nodes = {0: x}
            for node in (1, 2, 3):
                total = torch.zeros(len(x), width, height, breadth, dtype=x.dtype)
                for source in range(node):
                    digit, name = digits[source, node], f"layers.{layer}.{number}.{source}_{node}"
                    if digit != "0":
                        change = first and source == 0
                        term = edge(nodes[source], digit, state, name, stride if change else 1, change, training)
                        total = total + term
                nodes[node] = total
            x = nodes[3]
    return F.linear(x.mean((2, 3)), state.pop("classifier.weight"), state.pop("classifier.bias"))


def macro(code: str, x: Tensor, state: State, channels: int, count: int, training: bool) -> Tensor:
    """By the text of the layers, 64-<digits>-basic."""
    x = stem(x, state, training)
    for layer, digit in enumerate(code.split("-")[1]):
        for number in range(count):
            name = f"layers.{layer}.{number}"
            stride = 2 if number == 0 and digit in "34" else 1
            y = norm(conv(x.relu(), state, f"{name}.conv_a.1", stride), state, f"{name}.conv_a.2", training)
            y = norm(conv(y.relu(), state, f"{name}.conv_b.1"), state, f"{name}.conv_b.2", training)
            if number == 0 and digit != "1":
                x = norm(conv(x, state, f"{name}.shortcut.0", stride), state, f"{name}.shortcut.1", training, eps=1.0)
            x = x + y
    return F.linear(x.mean((2, 3)), state.pop("classifier.weight"), state.pop("classifier.bias"))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(32, 32), (21, 40)])
def test_networks_are_the_definition(training: bool, size: tuple[int, int]) -> None:
    rng = Random(0)
    some: list[Any] = [MICRO.parse("1_11_111"), MICRO.parse("0_13_012"), *(MICRO.sample(rng) for _ in range(3))]
    some += [MACRO.parse("64-1234-basic"), MACRO.parse("64-433221-basic"), MACRO.sample(rng)]
    for number, arch in enumerate(some):
        torch.manual_seed(number)
        channels, count = [(4, 2), (7, 1)][number % 2]
        space: Any = MICRO if isinstance(arch, MicroCell) else MACRO
        body = space.build(arch, 5, channels=channels, blocks_per_layer=count).double().body
        for value in body.state_dict().values():  # also what starts as 0 or 1
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) - (0.4 if value.ndim > 1 else -0.1))
        state = {name: value.clone() for name, value in body.state_dict().items()}
        x = torch.randn(3, 3, *size, dtype=torch.float64)
        literal = micro if space is MICRO else macro
        with torch.no_grad():
            got = body.train(training)(x)
            torch.testing.assert_close(got, literal(str(arch), x, state, channels, count, training))
        assert not state, "every weight is used once"


def test_the_output_depends_on_the_operations_on_paths_alone() -> None:
    """By gradients; a BN's shift after an operation on zeros is left out, for it is a constant."""
    rng = Random(1)
    for number in range(8):
        torch.manual_seed(number)
        cell = MICRO.sample(rng)
        body = MICRO.build(cell, 5, channels=8, blocks_per_layer=1).double().body
        body(torch.randn(6, 3, 48, 48, dtype=torch.float64)).square().sum().backward()
        reached, useful = {0}, {3}
        named = [(a, b, name) for (a, b), name in zip(EDGES, cell.operations) if name != "none"]
        for a, b, _ in named:
            reached |= {b} if a in reached else set()
        for a, b, _ in sorted(named, reverse=True):
            useful |= {a} if b in useful else set()
        for a, b, _ in named:
            weights = [
                parameter.grad
                for name, parameter in body.named_parameters()
                if f".{a}_{b}." in name and parameter.ndim == 4 and MICRO.connected(cell)
            ]
            for slope in weights:
                live = a in reached and b in useful
                assert (slope is not None and slope.abs().max().item() > 1e-12) is live


def test_the_normalisation_of_a_macro_shortcut_is_that_of_the_release() -> None:
    """eps and momentum of 1, from positional arguments that meant something else; every other one has the usual."""
    body = MACRO.build(MACRO.parse("64-4111-basic"), channels=2).body
    unusual = {
        name: (module.eps, module.momentum)
        for name, module in body.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d) and (module.eps, module.momentum) != (1e-5, 0.1)
    }
    assert unusual == {"layers.0.0.shortcut.1": (1.0, 1.0)}


@pytest.mark.parametrize(("space", "text"), [(MICRO, "1_11_111"), (MACRO, "64-4111-basic")])
def test_built_networks_weigh_what_the_release_does(space: Any, text: str) -> None:
    network = space.build(space.parse(text), 63)
    expected = {"1_11_111": 573_279, "64-4111-basic": 2_325_727}[text]
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_stages_are_the_stem_and_the_layers() -> None:
    stages = MICRO.build(MICRO.parse("3_00_001"), channels=4).stages(torch.zeros(2, 3, 64, 64))
    assert [tuple(stage.shape[1:]) for stage in stages] == [
        (4, 16, 16), (8, 8, 8), (8, 8, 8), (16, 4, 4), (16, 4, 4), (32, 2, 2)
    ]  # fmt: skip


def test_a_state_dict_makes_the_same_network() -> None:
    for space, text in ((MICRO, "1_23_321"), (MACRO, "64-1242-basic")):
        first, second = (space.build(space.parse(text), channels=4, blocks_per_layer=1).eval() for _ in range(2))
        second.load_state_dict(first.state_dict())
        x = torch.rand(2, 3, 32, 32)
        assert torch.equal(first(x), second(x))
