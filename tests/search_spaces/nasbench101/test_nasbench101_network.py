"""The network of NASBench-101 against a transcription of its definition, and what its output depends on."""

from __future__ import annotations

import re
from itertools import islice
from random import Random

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nas.search_spaces import NASBench101
from nas.search_spaces.nasbench101 import Cell
from nas.search_spaces.nasbench101.cell import OPERATIONS
from nas.search_spaces.nasbench101.cost import node_channels

SPACE = NASBench101()
C3, C1, POOL = OPERATIONS


def cells(seed: int, count: int) -> list[Cell]:
    """Drawn ones and small ones, of which each has an edge from input to output or not."""
    rng = Random(seed)
    return [SPACE.parse("1"), *(SPACE.sample(rng) for _ in range(count)), *rng.sample(list(islice(SPACE, 97)), 3)]


def literal(cell: Cell, state: dict[str, Tensor], x: Tensor, channels: int, count: int, training: bool) -> Tensor:
    """Logits by the definition (Ying et al., section 2.1, and its release), from a state dict without the prefix."""

    def convolved(x: Tensor, name: str, width: int) -> Tensor:
        weight = state.pop(f"{name}.0.weight")
        assert weight.shape[:2] == (width, x.shape[1])
        x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
        statistics = state.pop(f"{name}.1.running_mean"), state.pop(f"{name}.1.running_var")
        scale, shift = state.pop(f"{name}.1.weight"), state.pop(f"{name}.1.bias")
        state.pop(f"{name}.1.num_batches_tracked")
        return F.relu(F.batch_norm(x, *statistics, scale, shift, training, 0.003, 1e-5))

    matrix, names = cell.matrix, ["input", *cell.operations, "output"]
    end = len(names) - 1
    x = convolved(x, "stem", channels)
    for stack in range(3):
        width = channels * 2**stack
        if stack:
            x = F.max_pool2d(F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), value=-torch.inf), 2)
        for number in range(count):
            name = f"stacks.{stack}.{number + (stack > 0)}"
            feeding = [node for node in range(1, end) if matrix[node][end]]
            widths = {}
            for place, node in enumerate(feeding):
                widths[node] = width // len(feeding) + (1 if place < width % len(feeding) else 0)
            for node in reversed(range(1, end)):
                if node not in feeding:
                    widths[node] = max(widths[other] for other in range(node + 1, end) if matrix[node][other])
            values = {0: x}
            for node in range(1, end):
                total: Tensor | float = 0.0
                if matrix[0][node]:
                    total = total + convolved(x, f"{name}.projection_{node}", widths[node])
                for other in range(1, node):
                    if matrix[other][node]:
                        assert widths[other] >= widths[node]
                        total = total + values[other][:, : widths[node]]
                assert isinstance(total, Tensor)
                if names[node] == POOL:
                    values[node] = F.max_pool2d(total, 3, 1, 1)
                else:
                    values[node] = convolved(total, f"{name}.node_{node}", widths[node])
            out = torch.cat([values[node] for node in feeding], 1) if feeding else None
            if matrix[0][end]:
                projected = convolved(x, f"{name}.projection_{end}", width)
                out = projected if out is None else out + projected
            assert out is not None
            x = out
    return F.linear(x.mean((2, 3)), state.pop("classifier.weight"), state.pop("classifier.bias"))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(8, 8), (9, 6)])
def test_the_network_is_the_definition(training: bool, shape: tuple[int, int]) -> None:
    for number, cell in enumerate(cells(5, 8)):
        torch.manual_seed(number)
        channels, count = [(6, 2), (11, 1)][number % 2]
        body = SPACE.build(cell, 5, channels=channels, cells_per_stack=count).double().body
        for value in body.state_dict().values():  # also what starts as 0 or 1
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) - (0.3 if value.ndim > 1 else -0.1))
        state = {name: value.clone() for name, value in body.state_dict().items()}
        x = torch.randn(4, 3, *shape, dtype=torch.float64)
        with torch.no_grad():
            got = body.train(training)(x)
            torch.testing.assert_close(got, literal(cell, state, x, channels, count, training))
        assert not state, "every weight is used once"


def test_every_weight_matters() -> None:
    """All nodes are on a path: each convolution has a gradient. The projections are those of edges from the input."""
    for number, cell in enumerate(cells(6, 6)):
        torch.manual_seed(number)
        body = SPACE.build(cell, 5, channels=8, cells_per_stack=1).double().body
        body(torch.randn(8, 3, 8, 8, dtype=torch.float64)).square().sum().backward()
        for name, parameter in body.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0 or name.endswith("1.bias"), name
        projections = {int(found) for found in re.findall(r"projection_(\d)", " ".join(body.state_dict()))}
        assert projections == {target for source, target in cell.edges if source == 0}


def test_a_state_dict_makes_the_same_network() -> None:
    cell = cells(7, 1)[1]
    first, second = (SPACE.build(cell, 5, channels=8, cells_per_stack=1).eval() for _ in range(2))
    x = torch.rand(2, 3, 8, 8)
    assert not torch.equal(first(x), second(x))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x), second(x))


def test_running_statistics_decay_as_in_the_benchmark() -> None:
    body = SPACE.build(SPACE.parse("1"), channels=8).body
    body.train()(torch.rand(2, 3, 8, 8))
    assert body.stem[1].eps == 1e-5
    assert body.stem[1].running_var.mean() > 0.99


@pytest.mark.parametrize(
    ("text", "c_out", "expected"),
    [
        (f"110111 {C3} {POOL}", 128, [0, 64, 64, 128]),
        (f"1110001011 {C3} {C1} {POOL}", 128, [0, 43, 43, 42, 128]),
        (f"1110001011 {C3} {C1} {POOL}", 256, [0, 86, 85, 85, 256]),
        (f"100101 {C3} {POOL}", 128, [0, 128, 128, 128]),
        ("1", 128, [0, 128]),
    ],
)
def test_channels_are_divided_among_the_nodes_before_the_output(text: str, c_out: int, expected: list[int]) -> None:
    assert node_channels(SPACE.parse(text), c_out) == expected


def test_a_network_costs_what_the_benchmark_says() -> None:
    """Typed from its first record by hash: weights of a cell with two nodes before the output."""
    text = f"100000100001000111101 {C1} {C1} {C3} {C1} {C3}"
    network = SPACE.build(SPACE.parse(text))
    assert sum(parameter.numel() for parameter in network.parameters()) == 5_878_154
    assert [tuple(stage.shape[1:]) for stage in network.stages(torch.zeros(1, 3, 8, 8))] == [
        (128, 8, 8), (128, 8, 8), (256, 4, 4), (512, 2, 2)
    ]  # fmt: skip
