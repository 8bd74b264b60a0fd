"""Every supernet keeps its contract, and keeps nothing of what it has seen."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_supernets import TINY, WITH_SUPERNET, images, supernet
from torch.nn import functional

from nas.core.errors import InputError
from nas.search_spaces import DARTS, SPACES, NASBench201, SearchSpace
from nas.search_spaces.nasbench201.supernet import MixedCell, NASBench201Supernet
from nas.search_spaces.partial_channels import mixed_part, node_sum
from nas.search_spaces.supernet import Mixed, Supernet


@pytest.fixture(params=WITH_SUPERNET)
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return SPACES.get(request.param)()


def test_the_spaces_without_a_supernet_have_no_settings_of_one() -> None:
    assert {"darts", "nasbench201"} <= set(WITH_SUPERNET)
    for name in set(SPACES.names()) - set(WITH_SUPERNET):
        SPACES.get(name).SupernetSettings().check()
        with pytest.raises(InputError, match=f"a supernet but {name} has none; take another strategy"):
            SPACES.get(name)().supernet()


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


def test_alphas_start_near_0() -> None:
    """10⁻³·N(0, 1) for each edge and operation: Liu et al., ICLR 2019, and their release."""
    torch.manual_seed(0)
    for network, rows in ((DARTS().supernet(channels=2, cells=3), 28), (NASBench201().supernet(channels=2), 6)):
        values = torch.cat([alpha.detach().flatten() for alpha in network.alphas.values()])
        assert len(values) == rows * len(network.operations)
        assert values.std().item() == pytest.approx(1e-3, rel=0.35)
        assert abs(values.mean().item()) < 5e-4


def test_logits_of_half_precision_are_of_the_type_of_the_images() -> None:
    network = NASBench201().supernet(3, channels=2, cells_per_stage=1)
    network.precision = torch.bfloat16
    assert network(torch.rand(2, 3, 8, 8)).dtype == torch.float32


def test_a_supernet_without_options_has_the_size_of_the_benchmarks_networks() -> None:
    """NAS-Bench-201: 16 channels, five cells in each of three stages."""
    network = NASBench201Supernet(10)
    assert network.stem[0].out_channels == 16
    assert sum(isinstance(block, MixedCell) for block in network.blocks) == 15
