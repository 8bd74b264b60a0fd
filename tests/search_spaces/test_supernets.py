"""Supernets equal slow literal versions, derive what the rule says, and keep nothing of what they have seen."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from nas.bench.measuring.transcription import TranscribedSupernet
from nas.core.errors import InputError
from nas.search_spaces import DARTS, SPACES, NASBench201, SearchSpace
from nas.search_spaces.darts.depthwise import depthwise
from nas.search_spaces.darts.genotype import NODES
from nas.search_spaces.darts.supernet import EDGES as DARTS_EDGES
from nas.search_spaces.nasbench201.cell import EDGES
from nas.search_spaces.nasbench201.supernet import MixedCell, NASBench201Supernet
from nas.search_spaces.partial_channels import mixed_part, node_sum
from nas.search_spaces.supernet import Mixed, Supernet, batch_norm
from nas.search_spaces.twocells.cell import pair

TINY: dict[str, dict[str, Any]] = {
    "darts": {"channels": 2, "cells": 3},
    "nasbench201": {"channels": 3, "cells_per_stage": 1},
}  # a new space with a supernet adds its own


WITH_SUPERNET = [name for name, kind in SPACES.components.items() if kind.supernet is not SearchSpace.supernet]


@pytest.fixture(params=WITH_SUPERNET)
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return SPACES.get(request.param)()


def test_the_spaces_without_a_supernet_have_no_settings_of_one() -> None:
    assert {"darts", "nasbench201"} <= set(WITH_SUPERNET)
    for name in set(SPACES.names()) - set(WITH_SUPERNET):
        SPACES.get(name).SupernetSettings().check()
        with pytest.raises(InputError, match=f"a supernet but {name} has none; take another strategy"):
            SPACES.get(name)().supernet()


def supernet(space: SearchSpace, seed: int = 0, classes: int = 4, **settings: Any) -> Supernet:
    """A tiny one whose α is far from uniform."""
    torch.manual_seed(seed)
    network = space.supernet(classes, **{**TINY[space.name], **settings})
    with torch.no_grad():
        for alpha in network.architecture_parameters():
            alpha.mul_(1000)
    return network


def images(count: int = 4, side: int = 8, seed: int = 0) -> Tensor:
    return torch.rand((count, 3, side, side), generator=torch.Generator().manual_seed(seed))


def worst(got: Tensor, expected: Tensor) -> float:
    """The largest difference relative to the largest value."""
    return ((got - expected).abs().max() / expected.abs().max().clamp_min(1e-30)).item()


# depthwise convolutions


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(8, 8), (7, 7), (6, 9), (4, 2), (1, 1), (3, 10)])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), list(product((1, 3, 5, 7), (1, 2), (1, 2))))
def test_depthwise_is_conv2d(
    kernel: int, stride: int, dilation: int, shape: tuple[int, int], memory_format: torch.memory_format
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, *shape, dtype=torch.float64).to(memory_format=memory_format).requires_grad_()
    weight = torch.randn(4, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
    got = depthwise(x, weight, stride, dilation)
    expected = functional.conv2d(x, weight, None, stride, dilation * (kernel // 2), dilation, groups=4)
    torch.testing.assert_close(got, expected)
    gradient = torch.randn_like(expected)
    for ours, torchs in zip(
        torch.autograd.grad(got, (x, weight), gradient), torch.autograd.grad(expected, (x, weight), gradient)
    ):
        torch.testing.assert_close(ours, torchs)


@pytest.mark.parametrize("shape", [(4, 4), (3, 4)])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), list(product((3, 5), (1, 2), (1, 2))))
def test_depthwise_can_be_differentiated_twice(kernel: int, stride: int, dilation: int, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 2, *shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)

    def function(x: Tensor, weight: Tensor) -> Tensor:
        return depthwise(x, weight, stride, dilation)

    assert torch.autograd.gradcheck(function, (x, weight), fast_mode=True)
    assert torch.autograd.gradgradcheck(function, (x, weight), fast_mode=True)


def test_depthwise_computes_only_what_is_asked() -> None:
    x, weight = torch.randn(2, 3, 6, 6, requires_grad=True), torch.randn(3, 1, 5, 5)
    depthwise(x, weight).sum().backward()
    assert x.grad is not None
    weight.requires_grad_()
    depthwise(x.detach(), weight).sum().backward()
    assert weight.grad is not None


# the supernets against literal versions


def test_darts_search_network_has_the_published_weights() -> None:
    assert sum(weight.numel() for weight in DARTS().supernet().weights()) == 1_930_618


@pytest.mark.landing
@pytest.mark.parametrize(("cells", "side"), [(3, 8), (4, 7), (5, 6)])
def test_darts_equals_its_transcription(cells: int, side: int) -> None:
    fast = supernet(DARTS(), cells=cells).double()
    slow = TranscribedSupernet(4, channels=2, cells=cells).double()
    slow_weights = [parameter for name, parameter in slow.named_parameters() if not name.startswith("alphas")]
    with torch.no_grad():
        for from_, to in zip([*fast.weights(), *fast.architecture_parameters()], [*slow_weights, *slow.alphas]):
            assert from_.shape == to.shape
            to.copy_(from_)
        assert len(fast.weights()) == len(slow_weights)
    x, y = images(side=side).double(), torch.tensor([0, 1, 2, 3])
    x_fast, x_slow = x.clone().requires_grad_(), x.clone().requires_grad_()
    logits, expected = fast(x_fast), slow(x_slow)
    assert worst(logits, expected) < 1e-11
    ours = torch.autograd.grad(
        functional.cross_entropy(logits, y), [x_fast, *fast.weights(), *fast.architecture_parameters()]
    )
    theirs = torch.autograd.grad(functional.cross_entropy(expected, y), [x_slow, *slow_weights, *slow.alphas])
    assert all(worst(a, b) < 1e-9 for a, b in zip(ours, theirs))
    assert (ours[-1][:, 0] != 0).any()  # `none` takes part in the softmax


def literal_nasbench201(network: nn.Module, x: Tensor) -> Tensor:
    """The supernet of NAS-Bench-201 computed operation by operation from the weights of `network`."""
    weights = dict(network.named_parameters())
    probabilities = functional.softmax(weights["alphas.cell"], -1)

    def bn(x: Tensor, prefix: str | None = None) -> Tensor:
        centred = x - x.mean((0, 2, 3), keepdim=True)
        normal = centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
        if prefix is None:
            return normal
        return normal * weights[f"{prefix}.weight"].view(1, -1, 1, 1) + weights[f"{prefix}.bias"].view(1, -1, 1, 1)

    def operation(column: int, edge: str, x: Tensor) -> Tensor:
        if column == 0:
            return x * 0
        if column == 1:
            return x
        if column == 4:
            return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        kernel = 1 if column == 2 else 3
        weight = weights[f"{edge}.conv_{kernel}x{kernel}.weight"]
        return bn(functional.conv2d(functional.relu(x), weight, padding=kernel // 2))

    def reduction(prefix: str, x: Tensor) -> Tensor:
        y = functional.conv2d(functional.relu(x), weights[f"{prefix}.conv_a.1.weight"], stride=2, padding=1)
        y = functional.relu(bn(y, f"{prefix}.conv_a.2"))
        y = bn(functional.conv2d(y, weights[f"{prefix}.conv_b.1.weight"], padding=1), f"{prefix}.conv_b.2")
        return y + functional.conv2d(
            functional.avg_pool2d(x, 2, 2, ceil_mode=True), weights[f"{prefix}.shortcut.1.weight"]
        )

    x = bn(functional.conv2d(x, weights["stem.0.weight"], padding=1), "stem.1")
    for block in range(5):  # cell, reduction, cell, reduction, cell
        if block % 2:
            x = reduction(f"blocks.{block}", x)
            continue
        nodes = [x]
        for node in (1, 2, 3):
            terms = [
                probabilities[row, column] * operation(column, f"blocks.{block}.edges.{row}", nodes[source])
                for row, (source, target) in enumerate(EDGES)
                if target == node
                for column in range(5)
            ]
            nodes.append(torch.stack(terms).sum(0))
        x = nodes[3]
    pooled = functional.relu(bn(x, "last.0")).mean((2, 3))
    return functional.linear(pooled, weights["classifier.weight"], weights["classifier.bias"])


@pytest.mark.parametrize("side", [8, 11])
def test_nasbench201_equals_a_literal_version(side: int) -> None:
    network = supernet(NASBench201()).double()
    x, y = images(side=side).double().requires_grad_(), torch.tensor([0, 1, 2, 3])
    wanted = [x, *network.weights(), *network.architecture_parameters()]
    logits, expected = network(x), literal_nasbench201(network, x)
    assert worst(logits, expected) < 1e-11
    ours = torch.autograd.grad(functional.cross_entropy(logits, y), wanted)
    theirs = torch.autograd.grad(functional.cross_entropy(expected, y), wanted)
    assert all(worst(a, b) < 1e-9 for a, b in zip(ours, theirs))
    assert (ours[-1][:, 0] != 0).any()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_scaled_batch_norm_is_the_scale_times_batch_norm(memory_format: torch.memory_format) -> None:
    x = images(5).double().to(memory_format=memory_format).requires_grad_()
    scale = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    gradient = torch.randn(x.shape, dtype=torch.float64)
    got, expected = batch_norm(x, scale), scale * batch_norm(x)
    torch.testing.assert_close(got, expected)
    for ours, theirs in zip(
        torch.autograd.grad(got, (x, scale), gradient), torch.autograd.grad(expected, (x, scale), gradient)
    ):
        torch.testing.assert_close(ours, theirs)


class Calls(TorchDispatchMode):
    """Counts the operations that are run."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def test_poolings_are_computed_once_per_state() -> None:
    network = supernet(DARTS())
    with Calls() as calls, torch.no_grad():
        network(images())
    assert calls.counts["max_pool2d_with_indices"] == calls.counts["avg_pool2d"] == 3 * 5  # of 14 edges in each cell


# every supernet


def test_parameters_are_weights_and_alphas(space: SearchSpace) -> None:
    network = supernet(space)
    weights, alphas = network.weights(), network.architecture_parameters()
    assert {id(p) for p in weights}.isdisjoint(id(p) for p in alphas)
    assert {id(p) for p in [*weights, *alphas]} == {id(p) for p in network.parameters()}
    assert all(alpha.shape[1] == len(network.operations) for alpha in alphas)
    assert set(network.alphas) == set(network.skips()) == set(network.entropy())


def test_what_it_derives_is_an_architecture_of_the_space(space: SearchSpace) -> None:
    for seed in range(5):
        derived = supernet(space, seed).derive()
        assert space.parse(str(derived)) == derived
        space.cost(derived)


def test_normalises_inside(space: SearchSpace) -> None:
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    x = images()
    normalised = (x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    assert torch.equal(supernet(space, mean=mean, std=std)(x), supernet(space)(normalised))


def test_a_pass_leaves_nothing_behind(space: SearchSpace) -> None:
    network = supernet(space).train()
    assert not any("running" in name or "batches" in name for name in network.state_dict())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    x = images()
    first = network(x)
    network(images(seed=1) * 0.1)  # other images, much darker
    assert torch.equal(network(x), first)
    assert torch.equal(network.eval()(x), first)  # there is only one mode
    assert torch.equal(network(images(3, seed=2)), network.train()(images(3, seed=2)))
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_the_global_seed_decides(space: SearchSpace) -> None:
    x = images()
    assert torch.equal(supernet(space, 3)(x), supernet(space, 3)(x))
    assert not torch.equal(supernet(space, 3)(x), supernet(space, 4)(x))


def test_entropy_goes_from_undecided_to_decided(space: SearchSpace) -> None:
    network = supernet(space)
    with torch.no_grad():
        for alpha in network.architecture_parameters():
            alpha.zero_()
        for value in network.entropy().values():
            assert value == pytest.approx(math.log(len(network.operations)))
        for alpha in network.architecture_parameters():
            alpha[:, 1] = 200.0  # exp underflows for all others
        for value in network.entropy().values():
            assert value == 0.0


def test_settings_are_checked_and_are_those_of_the_method(space: SearchSpace) -> None:
    settings = vars(space.SupernetSettings())
    built = space.supernet(4, **{**settings, **TINY[space.name]})
    assert isinstance(built, Supernet)
    with pytest.raises(InputError):
        space.supernet(4, channels=0)


def test_a_space_without_a_supernet_says_so(space: SearchSpace) -> None:
    with pytest.raises(InputError, match=f"{space.name} has none"):
        SearchSpace.supernet(space)


@pytest.mark.parametrize("share", [1, 2])
def test_operations_without_weight_need_not_be_computed(space: SearchSpace, share: int) -> None:
    """One operation on each edge, and none on one."""
    width = {"channels": 2 * TINY[space.name]["channels"]} if share == 2 else {}
    network, x = supernet(space, partial=share, **width), images()
    chosen = {name: torch.zeros_like(alpha) for name, alpha in network.alphas.items()}
    for rows in chosen.values():
        for row in range(len(rows)):
            rows[row, row % len(network.operations)] = 1.0
    network.mixer = lambda name, alpha: Mixed(chosen[name])
    whole = network(x)
    network.mixer = lambda name, alpha: Mixed(chosen[name], chosen[name].bool().tolist())
    torch.testing.assert_close(network(x), whole, atol=1e-5, rtol=1e-4)
    network.mixer = lambda name, alpha: Mixed(chosen[name] * 0, (chosen[name] > 1).tolist())
    assert network(x.requires_grad_()).requires_grad
    assert torch.autograd.grad(network(x).sum(), x)[0].abs().max() < 1e-6 or share > 1


def test_the_softmax_is_over_the_operations_that_are_kept(space: SearchSpace) -> None:
    network, x = supernet(space), images()
    network.kept = {name: torch.ones_like(alpha, dtype=torch.bool) for name, alpha in network.alphas.items()}
    everything = network(x)
    name = next(iter(network.alphas))
    network.kept[name][0, 1:3] = False
    found, alpha = network.probabilities()[name], network.alphas[name]
    assert not found[0, 1:3].any()
    torch.testing.assert_close(found.sum(1), torch.ones(len(found)))
    torch.testing.assert_close(found[0, 3] / found[0, 4], (alpha[0, 3] - alpha[0, 4]).exp())
    assert not torch.allclose(network(x), everything)
    network.kept = None
    torch.testing.assert_close(network(x), everything, atol=1e-5, rtol=1e-4)


def test_edges_have_weights_that_sum_to_one_into_each_node(space: SearchSpace) -> None:
    network, plain, x = supernet(space, edge_weights=True), supernet(space), images()
    name = next(iter(network.alphas))
    with torch.no_grad():
        for beta in network.betas.values():
            beta.normal_(generator=torch.Generator().manual_seed(0))
    weights = network.edge_weights(name)
    for node in {node for _, node in network.edges}:
        rows = [row for row, (_, target) in enumerate(network.edges) if target == node]
        assert weights[rows].sum().item() == pytest.approx(1)
        torch.testing.assert_close(weights[rows], network.betas[name][rows].softmax(0))
    plain.load_state_dict({key: value for key, value in network.state_dict().items() if "betas" not in key})
    mixed = {cell: one * network.edge_weights(cell)[:, None] for cell, one in plain.probabilities().items()}
    plain.mixer = lambda cell, alpha: Mixed(mixed[cell])
    torch.testing.assert_close(network(x), plain(x))
    assert network.architecture_parameters()[-1] is list(network.betas.values())[-1]
    gradients = torch.autograd.grad(network(x).square().sum(), network.architecture_parameters())
    assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_the_weight_of_an_edge_counts_when_an_architecture_is_derived() -> None:
    network = supernet(DARTS(), edge_weights=True)
    with torch.no_grad():
        for edge, beta in zip(DARTS_EDGES, network.betas["normal"]):
            beta.fill_(5.0 if edge[0] in (0, 2) else 0.0)
    derived = network.derive()
    assert [source for _, source in pair(derived.normal, 5)] == [0, 2]


def test_a_path_is_that_of_its_architecture(space: SearchSpace) -> None:
    network = supernet(space)
    for arch in space.draw(3, seed=1):
        path = network.path(arch)
        with torch.no_grad():
            for name, alpha in network.alphas.items():
                alpha.copy_(9 * path[name])
        if "none" not in str(arch):
            assert space.canonical(network.derive()) == space.canonical(arch)


def test_partial_channels_touch_a_quarter(space: SearchSpace) -> None:
    """The convolutions of every edge see and make a quarter of the channels; the supernet shrinks accordingly."""
    width = 4 * TINY[space.name]["channels"]
    whole, part = supernet(space, channels=width), supernet(space, channels=width, partial=4)
    for one, other in zip(whole.modules(), part.modules()):
        if type(one).__name__ == "MixedEdge":
            shapes, quarters = ([p.shape[0] for p in edge.parameters()] for edge in (one, other))
            assert all(quarter == max(full // 4, 1) for full, quarter in zip(shapes, quarters))
    assert part(images()).shape == (4, 4)
    with pytest.raises(InputError, match=r"divisible by .* 5 and 4"):
        space.supernet(4, **{**TINY[space.name], "channels": 5}, partial=4)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_other_channels_bypass_the_operations(stride: int) -> None:
    """Literal: concatenate the mixed quarter and the rest of each edge, shuffle, and add up."""
    x = [torch.rand(2, 8, 5, 5, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    mixed = [mixed_part(one, 4)[:, :, ::stride, ::stride] * 3 for one in x]
    assert torch.equal(mixed_part(x[0], 4), x[0][:, :2])
    factors = [torch.tensor(0.25), torch.tensor(0.75)]
    expected = torch.zeros_like(x[0][:, :, ::stride, ::stride])
    for one, output, factor in zip(x, mixed, factors):
        rest = one[:, 2:]
        if stride == 2:
            rest = functional.max_pool2d(functional.pad(rest, (0, 1, 0, 1), value=-9.0), 2)
        whole = torch.cat([output, factor * rest], 1)
        order = [group * 2 + place for place in range(2) for group in range(4)]  # groups of 2 → every fourth channel
        expected = expected + whole[:, order]
    torch.testing.assert_close(node_sum(mixed, x, 4, factors, [stride, stride]), expected)


# deriving


@pytest.mark.parametrize("seed", range(20))
def test_darts_derives_the_best_pair_of_edges(seed: int) -> None:
    network = supernet(DARTS(), seed)
    derived = network.derive()
    for cell, probabilities in network.probabilities().items():
        weights = probabilities.tolist()
        for node in NODES:
            rows = {source: weights[row] for row, (source, target) in enumerate(DARTS_EDGES) if target == node}
            choices = {  # all pairs of inputs with any operations but `none` → the sum of their weights
                ((network.operations[i], a), (network.operations[j], b)): rows[a][i] + rows[b][j]
                for a, b in combinations(range(node), 2)
                for i, j in product(range(1, 8), repeat=2)
            }
            assert pair(getattr(derived, cell), node) == max(choices, key=choices.__getitem__)
    counted = {cell: [op for op, _ in getattr(derived, cell)].count("skip_connect") for cell in ("normal", "reduce")}
    assert network.skips() == counted


def test_none_is_not_derived_but_lowers_the_others_of_its_edge() -> None:
    network = supernet(DARTS())
    with torch.no_grad():
        for alpha in network.architecture_parameters():
            alpha.zero_()
            alpha[:, 4] = 1.0  # sep_conv_3x3 everywhere
            alpha[2:5, 0] = torch.tensor([0.0, 5.0, 0.0])  # into node 3: from 0, 1 and 2
    derived = network.derive()
    assert pair(derived.normal, 3) == (("sep_conv_3x3", 0), ("sep_conv_3x3", 2))
    assert pair(derived.normal, 5) == (("sep_conv_3x3", 0), ("sep_conv_3x3", 1))  # of equal ones the first


@pytest.mark.parametrize("allow_none", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_nasbench201_derives_the_most_probable_cell(seed: int, allow_none: bool) -> None:
    space = NASBench201()
    network = supernet(space, seed, allow_none=allow_none)
    probabilities = network.probabilities()["cell"].tolist()
    column = {name: number for number, name in enumerate(network.operations)}
    cells = [cell for cell in space if allow_none or "none" not in cell.operations]
    best = max(cells, key=lambda cell: math.prod(row[column[op]] for row, op in zip(probabilities, cell.operations)))
    assert network.derive() == best
    assert network.skips() == {"cell": best.operations.count("skip_connect")}


def test_nasbench201_takes_none_only_where_it_may() -> None:
    for allow_none in (False, True):
        network = supernet(NASBench201(), allow_none=allow_none)
        with torch.no_grad():
            network.alphas["cell"].zero_()
            network.alphas["cell"][:, 0] = 9.0
        assert set(network.derive().operations) == {"none" if allow_none else "skip_connect"}


def test_alphas_start_near_0() -> None:
    """10⁻³·N(0, 1) for each edge and operation: Liu et al., ICLR 2019, and their release."""
    torch.manual_seed(0)
    for supernet, rows in ((DARTS().supernet(channels=2, cells=3), 28), (NASBench201().supernet(channels=2), 6)):
        values = torch.cat([alpha.detach().flatten() for alpha in supernet.alphas.values()])
        assert len(values) == rows * len(supernet.operations)
        assert values.std().item() == pytest.approx(1e-3, rel=0.35)
        assert abs(values.mean().item()) < 5e-4


def test_logits_of_half_precision_are_of_the_type_of_the_images() -> None:
    supernet = NASBench201().supernet(3, channels=2, cells_per_stage=1)
    supernet.precision = torch.bfloat16
    assert supernet(torch.rand(2, 3, 8, 8)).dtype == torch.float32


def test_a_supernet_without_options_has_the_size_of_the_benchmarks_networks() -> None:
    """NAS-Bench-201: 16 channels, five cells in each of three stages."""
    network = NASBench201Supernet(10)
    assert network.stem[0].out_channels == 16
    assert sum(isinstance(block, MixedCell) for block in network.blocks) == 15
