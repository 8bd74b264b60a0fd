"""The batched ensemble against its members trained one by one by torch's own layers, autograd and Adam."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.strategies.predictors.networks import BETAS, EPSILON, Networks, NetworksOptions, _glorot, _train


def literal(x: np.ndarray, y: np.ndarray, fresh: np.ndarray, seed: int, options: NetworksOptions) -> np.ndarray:
    """(members, m, t): each member's answer on 0/1 features, in units of the standardised targets."""
    t = y.shape[1]
    inputs, targets = torch.from_numpy(x).float(), torch.from_numpy((y - y.mean(0)) / y.std(0)).float()
    answers = []
    for member in range(options.members):
        generator = torch.Generator().manual_seed(derive(seed, "member", member))
        widths = [x.shape[1], *[options.width] * options.layers, t]
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            linear = nn.Linear(a, b)
            limit = (6 / (a + b)) ** 0.5
            with torch.no_grad():
                linear.weight.copy_((torch.rand((a, b), generator=generator) * 2 * limit - limit).T)
                linear.bias.zero_()
            layers += [linear, nn.ReLU()]
        network = nn.Sequential(*layers[:-1])
        optimizer = torch.optim.Adam(network.parameters(), lr=options.lr, betas=(0.9, 0.99), eps=1e-7)
        orders = torch.rand((options.epochs, len(x)), generator=generator).argsort(dim=1)
        for order in orders:
            for rows in order.split(options.batch_size):
                optimizer.zero_grad()
                nn.functional.l1_loss(network(inputs[rows]), targets[rows]).backward()
                optimizer.step()
        with torch.no_grad():
            answers.append(network(torch.from_numpy(fresh).float()).numpy())
    return np.stack(answers)


def data(rows: int, seed: int = 0, columns: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (rows, columns)).astype(float)
    return x, x @ rng.normal(size=columns) * 30 + 500


@pytest.mark.parametrize(
    "options",
    [
        NetworksOptions(members=3, layers=10, width=20, epochs=6, batch_size=32),
        NetworksOptions(members=2, layers=2, width=7, epochs=20, batch_size=7, lr=0.003),
        NetworksOptions(members=2, layers=0, epochs=10),
    ],
)
@pytest.mark.parametrize("t", [1, 2])
def test_it_is_the_members_trained_one_by_one(options: NetworksOptions, t: int) -> None:
    x, y = data(41)
    x[:, 3] = 0.0  # a path that nobody had yet; its weights stay as drawn
    targets = np.stack([y, y**2], axis=1)[:, :t]
    fresh, _ = data(20, seed=1)
    expected = literal(x, targets, fresh, 11, options)
    mean, sd = Networks(11, options).fit(x, targets).predict(fresh)
    scale = targets.std(axis=0)
    np.testing.assert_allclose(mean, targets.mean(axis=0) + scale * expected.mean(axis=0), atol=1e-3 * scale.min())
    np.testing.assert_allclose(sd, scale * expected.std(axis=0), atol=1e-3 * scale.min())
    assert (sd > 0).all()


def test_the_written_gradient_has_the_bits_of_automatic_differentiation() -> None:
    x, y = (torch.from_numpy(part).float() for part in data(41))
    y, options = (y[:, None] - 500) / 30, NetworksOptions(members=2, layers=3, width=7, epochs=3)
    generators = [torch.Generator().manual_seed(derive(5, "member", member)) for member in range(2)]
    layers = [_glorot(a, b, generators) for a, b in pairwise([8, 7, 7, 7, 1])]
    orders = torch.stack([torch.rand((3, 41), generator=generator).argsort(dim=1) for generator in generators])
    parameters = [one.requires_grad_() for layer in layers for one in layer]
    adam = torch.optim.Adam(parameters, lr=options.lr, betas=BETAS, eps=EPSILON, fused=True)
    for order in orders.unbind(dim=1):
        for rows in order.split(options.batch_size, dim=1):
            hidden = x[rows]
            for weight, bias in layers[:-1]:
                hidden = torch.baddbmm(bias, hidden, weight).relu()
            losses = (torch.baddbmm(layers[-1][1], hidden, layers[-1][0]) - y[rows]).abs().mean((1, 2))
            adam.zero_grad()
            losses.sum().backward()
            adam.step()
    found = [one for layer in _train(x, y, 5, options) for one in layer]
    assert all(torch.equal(one, other) for one, other in zip(found, parameters, strict=True))


def test_features_far_away_are_cut() -> None:
    x, y = data(30)
    network = Networks(0, NetworksOptions(epochs=5)).fit(x, y)
    np.testing.assert_array_equal(network.predict(x[:3] + 1e9).mean, network.predict(x[:3] * 0 + 2).mean)


@pytest.mark.parametrize("options", [{"members": 0}, {"layers": -1}, {"epochs": 0}, {"lr": 0.0}, {"lr": np.nan}])
def test_impossible_options_are_told(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        NetworksOptions(**options).check()


def test_features_are_scaled_by_the_range_seen_and_cut_one_range_outside_of_it() -> None:
    """A constant feature counts by its own size, so that its unit does not matter."""
    model = Networks(0, NetworksOptions(members=1, layers=0, epochs=1))
    model.fit(np.array([[0.0, 50.0], [10.0, 50.0], [4.0, 50.0]]), np.array([0.0, 1.0, 2.0]))
    inputs = model._inputs(np.array([[5.0, 75.0], [-5.0, 25.0], [15.0, 50.0], [-90.0, -90.0], [90.0, 900.0]]))
    assert inputs.tolist() == [[0.5, 0.5], [-0.5, -0.5], [1.5, 0.0], [-1.0, -1.0], [2.0, 2.0]]
