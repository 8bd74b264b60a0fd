"""The mixtures of operations: on the simplex, one-hot, and with the gradients of their definitions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from toy_search import TINY, search

from nas.search_spaces import DARTS, NASBench201
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet import MIXTURES
from nas.strategies.supernet.compared.by_options import PCDARTS
from nas.strategies.supernet.mixing.mixtures import draw_dirichlet, draw_gumbel, mean_dirichlet


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def supernet(**kept: Any) -> Supernet:
    torch.manual_seed(0)
    network = NASBench201().supernet(3, **TINY)
    with torch.no_grad():
        network.alphas["cell"].normal_(generator=generator(3))
    if kept:
        network.kept = {"cell": torch.tensor([[column in kept["columns"] for column in range(5)]] * 6)}
    return network


@pytest.mark.parametrize("kept", [{}, {"columns": (1, 3)}])
@pytest.mark.parametrize("name", [name for name in MIXTURES.names() if not MIXTURES.get(name).independent])
def test_weights_sum_to_one_on_every_edge(name: str, kept: dict[str, Any]) -> None:
    network = supernet(**kept)
    mixture = MIXTURES.get(name)
    for mixer in (mixture.compute(network, 2.0, generator()), mixture.settled(network)):
        network.mixer = mixer
        weights, computed = network.mixed()["cell"]
        torch.testing.assert_close(weights.sum(1), torch.ones(6))
        assert (weights >= 0).all()
        if kept:
            assert not weights[:, [0, 2, 4]].any()
            assert computed is not None
            assert not any(row[column] for row in computed for column in (0, 2, 4))
        assert computed is None or not weights[~torch.tensor(computed)].any()


def test_sigmoid_weighs_each_operation_by_its_own_alpha() -> None:
    run = search(mixture="sigmoid", warm_up=0, epochs=1, validation_images=0)
    network, alpha = run.supernet, run.alphas[0]
    weights = network.mixed()["cell"].weights
    torch.testing.assert_close(weights, 1 / (1 + torch.exp(-alpha)))
    (slope,) = torch.autograd.grad(weights[0, 1], alpha)
    assert slope.nonzero().tolist() == [[0, 1]]
    assert network.entropy()["cell"] == pytest.approx(math.log(5), abs=1e-3)
    before = alpha.detach().clone()
    run.step()
    assert (alpha != before)[:, 1:].all()
    network.kept = {"cell": torch.tensor([[False, True, False, True, False]] * 6)}
    weights, computed = network.mixed()["cell"]
    assert computed == network.kept["cell"].tolist()
    torch.testing.assert_close(weights, alpha.sigmoid() * network.kept["cell"])


def test_a_cell_of_darts_has_the_edges_with_the_largest_weights_of_their_mixture() -> None:
    torch.manual_seed(0)
    network = DARTS().supernet(3, channels=2, cells=3)
    with torch.no_grad():
        network.alphas["normal"].zero_()
        for row, column, value in ((2, 6, 2.0), (3, 5, 1.0), (4, 4, 1.0)):  # the edges into the second node
            network.alphas["normal"][row, column] = value
        network.alphas["normal"][2:5] += torch.tensor([[0.0], [2.0], [1.5]])
    assert ("dil_conv_3x3", 0) in network.derive().normal[2:4]  # the largest share of the softmax on its edge
    network.independent = True
    assert {source for _, source in network.derive().normal[2:4]} == {1, 2}


def test_gumbel_is_one_hot_with_the_gradient_of_softmax() -> None:
    network, temperature = supernet(), 0.7
    alpha = network.alphas["cell"]
    weights, computed = draw_gumbel(network, temperature, generator(5))("cell", alpha)
    assert computed is not None
    torch.testing.assert_close(weights, torch.tensor(computed).float())
    assert [sum(row) for row in computed] == [1] * 6
    noise = -torch.empty_like(alpha).exponential_(generator=generator(5)).log()
    soft = ((alpha.log_softmax(1) + noise) / temperature).softmax(1)
    assert torch.equal(soft.argmax(1), weights.argmax(1))
    direction = torch.randn(6, 5, generator=generator(1))
    (ours,) = torch.autograd.grad((weights * direction).sum(), alpha)
    (theirs,) = torch.autograd.grad((soft * direction).sum(), alpha)
    torch.testing.assert_close(ours, theirs)


def test_gumbel_draws_an_operation_with_its_probability() -> None:
    network, draws = supernet(), 3000
    counts, noise = torch.zeros(6, 5), generator()
    for _ in range(draws):
        counts += draw_gumbel(network, 1.0, noise)("cell", network.alphas["cell"]).weights.detach()
    expected = network.probabilities()["cell"].detach()
    deviation = (expected * (1 - expected) / draws).sqrt()
    assert ((counts / draws - expected).abs() < 4.5 * deviation + 1e-9).all()


def test_the_dirichlet_has_the_mean_and_in_the_mean_the_gradient_of_its_closed_form() -> None:
    """E x = c/Σc with c = elu(α) + 1; the gradient of the mean of x is the mean of the gradients of x."""
    network, draws, noise = supernet(), 1500, generator()
    alpha = network.alphas["cell"]
    direction = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0])
    values, slopes = [], []
    for _ in range(draws):
        weights = draw_dirichlet(network, 1.0, noise)("cell", alpha).weights
        values.append(weights.detach())
        slopes.append(torch.autograd.grad((weights * direction).sum(), alpha)[0])
    mean = mean_dirichlet(network)("cell", alpha).weights
    concentration = torch.where(alpha > 0, alpha + 1, alpha.exp())
    torch.testing.assert_close(mean, concentration / concentration.sum(1, keepdim=True))
    (expected,) = torch.autograd.grad((mean * direction).sum(), alpha)
    for sample, truth in ((torch.stack(values), mean.detach()), (torch.stack(slopes), expected)):
        error = sample.std(0) / math.sqrt(draws)
        assert ((sample.mean(0) - truth).abs() < 4.5 * error + 1e-6).all()


def test_all_passes_of_a_step_have_the_same_weights() -> None:
    for draw in (draw_dirichlet, draw_gumbel):
        network = supernet()
        network.mixer = draw(network, 1.0, generator())
        assert torch.equal(network.mixed()["cell"].weights, network.mixed()["cell"].weights)
        network.mixer, before = draw(network, 1.0, generator(1)), network.mixer
        assert not torch.equal(network.mixed()["cell"].weights, before("cell", network.alphas["cell"]).weights)


def test_each_level_of_each_step_has_weights_of_its_own_from_a_generator_of_the_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = search(mixture="dirichlet", warm_up=0, epochs=2, coefficient=0.0, alpha_lr=1e-9)
    seen: list[Tensor] = []
    for name in ("alpha_step", "weight_step"):
        step = getattr(run, name)
        monkeypatch.setattr(
            run,
            name,
            lambda *batches, step=step: (seen.append(run.supernet.mixed()["cell"].weights.detach()), step(*batches))[1],
        )
    for epoch in (0, 1):
        seen.clear()
        run.train_epoch(epoch)
        draws = run.generator("mixture", epoch)
        again = [draw_dirichlet(run.supernet, 1.0, draws)("cell", run.alphas[0]).weights for _ in seen]
        assert len(seen) == 2 * run.steps_per_epoch > 2
        for one, other in zip(seen, again):
            torch.testing.assert_close(one, other.detach(), atol=1e-4, rtol=1e-3)


def test_held_out_images_see_no_none_of_gumbel() -> None:
    network = supernet()
    with torch.no_grad():
        network.alphas["cell"][:, 0] = 9.0
    weights = MIXTURES.get("gumbel").settled(network)("cell", network.alphas["cell"]).weights
    assert [network.operations[column] for column in weights.argmax(1)] == list(network.derive().operations)


def test_pc_darts_mixes_a_share_of_the_channels_and_learns_the_weights_of_edges() -> None:
    run = search(PCDARTS, partial=2, warm_up=0, validation_images=0)
    assert run.supernet.blocks[0].partial == 2
    (beta,) = run.supernet.betas.values()
    before = beta.detach().clone()
    run.step()
    assert (beta.detach() != before).any()


def test_the_temperature_of_gumbel_falls_linearly() -> None:
    run = search(epochs=3, mixture="gumbel", temperature=10.0, temperature_end=0.1)
    seen = []
    compute = run.mixture.compute
    object.__setattr__(
        run.mixture,
        "compute",
        lambda m, temperature, draws: (seen.append(temperature), compute(m, temperature, draws))[1],
    )
    try:
        for run.epochs_done in range(3):
            run.draw_mixture(generator())
    finally:
        object.__setattr__(run.mixture, "compute", compute)
    assert seen == pytest.approx([10.0, 5.05, 0.1])


def test_a_loaded_search_by_gumbel_classifies_with_its_own_alpha() -> None:
    run, again = (search(mixture="gumbel") for _ in range(2))
    with torch.no_grad():
        run.alphas[0][:, 3] = 1.0
    again.load_state_dict(run.state_dict())
    assert again.supernet.mixed()["cell"].weights.argmax(1).tolist() == [3] * 6


def test_a_search_by_gumbel_computes_one_operation_per_edge() -> None:
    """And held-out images see the operations that would be derived."""
    run = search(mixture="gumbel", coefficient=0.0, warm_up=0)
    convs = {
        name: module for name, module in run.supernet.named_modules() if name.rpartition(".")[2].startswith("conv_")
    }
    called: list[str] = []
    for name, module in convs.items():
        module.register_forward_hook(lambda *_, name=name: called.append(name))
    run.draw_mixture(generator())
    run.supernet(torch.rand(2, 3, 8, 8))
    assert len(called) == len(set(called))
    edges = [name.rpartition(".")[0] for name in called]
    assert len(edges) == len(set(edges)) < 6
    run.settle()
    called.clear()
    run.supernet(torch.rand(2, 3, 8, 8))
    operations = run.supernet.derive().operations
    assert len(called) == sum("conv" in name for name in operations)
