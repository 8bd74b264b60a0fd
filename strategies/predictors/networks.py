"""BANANAS' ensemble of small networks, all members trained at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.strategies.predictors.base import Prediction, Predictor

if TYPE_CHECKING:
    from typing_extensions import Self

BETAS, EPSILON = (0.9, 0.99), 1e-7  # of Adam; the release's beta_2, and Keras' epsilon


@dataclass
class NetworksOptions:
    """The release's settings."""

    members: int = 5  # M
    layers: int = 10  # hidden ones
    width: int = 20
    epochs: int = 150
    batch_size: int = 32
    lr: float = 0.01

    def check(self) -> None:
        for key in ("members", "width", "epochs", "batch_size"):
            if getattr(self, key) < 1:
                raise InputError(f"Expected {key} >= 1 but got {getattr(self, key)}.")
        if self.layers < 0 or not self.lr > 0:
            raise InputError(f"Expected layers >= 0 and lr > 0 but got layers={self.layers} lr={self.lr}.")


class Networks(Predictor):
    """Mean and standard deviation of M multilayer perceptrons that differ in their weights at the start.

    Source: White, Neiswanger and Savani, AAAI 2021 (arXiv:1910.11858), with the settings of the authors'
    release (naszilla, `params.py` "standard"): 10 hidden layers of 20 ReLUs, Adam with lr .01 and betas (.9, .99), 150
    epochs of batches of 32, mean absolute error, Glorot-uniform weights. Released are raw accuracies in per cent and
    0/1 features; here targets are standardised, and features brought to [0, 1] by the range seen (which leaves 0/1
    features as they are), so that units do not matter. Later ones are cut at one range outside of it.
    """

    name: ClassVar[str] = "networks"
    Options: ClassVar[type] = NetworksOptions

    def __init__(self, seed: int = 0, options: Any = None) -> None:
        super().__init__(seed, options)
        self._layers: list[Layer] = []  # each (M, in, out) and (M, 1, out)

    def fit(self, features: np.ndarray, targets: np.ndarray) -> Self:
        x, y = self._scaled(features, targets)
        self._layers = _train(x[None], y[None], [self.seed], self.options)
        return self

    def predict(self, features: np.ndarray) -> Prediction:
        x = self._inputs(self._known(features))
        with torch.no_grad():
            hidden = x.expand(self.options.members, *x.shape)  # (M, m, d)
            *below, (weight, bias) = self._layers
            for w, b in below:
                hidden = torch.baddbmm(b, hidden, w).relu_()
            answers = torch.baddbmm(bias, hidden, weight).double().numpy()  # (M, m, t)
        return self._shaped(self._mean + self._sd * answers.mean(axis=0), self._sd * answers.std(axis=0))

    def _scaled(self, features: np.ndarray, targets: np.ndarray) -> tuple[Tensor, Tensor]:
        x, y = self._checked(features, targets)
        self._low = x.min(axis=0)
        span = x.max(axis=0) - self._low
        self._span = np.where(span > 0, span, np.maximum(np.abs(self._low), 1.0))
        self._mean, sd = y.mean(axis=0), y.std(axis=0)
        self._sd = np.where(sd > 0, sd, 1.0)
        return self._inputs(x), torch.from_numpy((y - self._mean) / self._sd).float()

    def _inputs(self, x: np.ndarray) -> Tensor:
        return torch.from_numpy(((x - self._low) / self._span).clip(-1.0, 2.0)).float()


def fit_many(features: np.ndarray, targets: np.ndarray, seeds: Sequence[int], options: Any = None) -> list[Networks]:
    """k ensembles fitted to k data sets of one size in a single batched training, about twice as fast as one by one.

    `features` (k, n, d), `targets` (k, n) or (k, n, t). Each is `Networks(seed, options).fit(...)` of its own data, up
    to the rounding of sums, which the many steps of a long training enlarge.
    """
    if not len(features) == len(targets) == len(seeds) or not len(seeds):
        raise InputError(
            f"Expected as many features and targets as seeds but got {len(features)}, {len(targets)} and {len(seeds)}."
        )
    made = [Networks(seed, options) for seed in seeds]
    data = [network._scaled(x, y) for network, x, y in zip(made, features, targets)]
    layers = _train(torch.stack([x for x, _ in data]), torch.stack([y for _, y in data]), seeds, made[0].options)
    members = made[0].options.members
    for number, network in enumerate(made):
        own = slice(number * members, (number + 1) * members)
        network._layers = [(weight[own], bias[own]) for weight, bias in layers]
    return made


Layer = tuple[Tensor, Tensor]  # weight (G, in, out) and bias (G, 1, out)


@torch.no_grad()
def _train(x: Tensor, y: Tensor, seeds: Sequence[int], options: Any) -> list[Layer]:
    """The trained layers of G = k·M networks, members of a data set side by side; x (k, n, d), y (k, n, t).

    Member j of seed s draws everything from one generator seeded by `derive(s, "member", j)`: the weights layer by
    layer, then a random number per epoch and row, whose order is that of the rows. The gradient is written out: at
    this size autograd would double the time.
    """
    k, n, d = x.shape
    t, members = y.shape[2], options.members
    generators = [torch.Generator().manual_seed(derive(seed, "member", j)) for seed in seeds for j in range(members)]
    first = _glorot(d, options.width if options.layers else t, generators)  # (G, d, width)
    widths = [options.width] * options.layers + [t]
    later = [_glorot(a, b, generators) for a, b in pairwise(widths)]
    orders = torch.stack([torch.rand((options.epochs, n), generator=each).argsort(dim=1) for each in generators])
    orders = orders.view(k, members, options.epochs, n)

    varied = (x != 0).flatten(0, 1).any(dim=0)  # a column of zeros has no gradient: its weights stay as drawn
    x = x[:, :, varied]
    starts = [first[:, varied], *later]
    shapes = [shape for w in starts for shape in (w.shape, (len(w), 1, w.shape[2]))]
    theta = torch.cat([part.flatten() for w in starts for part in (w, torch.zeros(len(w), 1, w.shape[2]))])
    theta.grad = torch.zeros_like(theta)
    values, gradients = _views(theta, shapes), _views(theta.grad, shapes)
    weights, biases, d_weights, d_biases = values[::2], values[1::2], gradients[::2], gradients[1::2]
    adam = torch.optim.Adam([theta], lr=options.lr, betas=BETAS, eps=EPSILON, fused=True)

    data_set = torch.arange(k)[:, None, None]
    for epoch in range(options.epochs):
        for start in range(0, n, options.batch_size):
            rows = orders[:, :, epoch, start : start + options.batch_size]  # (k, M, B)
            inputs = [x[data_set, rows].flatten(0, 1)]  # of each layer; (G, B, d)
            for weight, bias in zip(weights[:-1], biases):
                inputs.append(torch.baddbmm(bias, inputs[-1], weight).relu_())
            answer = torch.baddbmm(biases[-1], inputs[-1], weights[-1])  # (G, B, t)
            up = (answer - y[data_set, rows].flatten(0, 1)).sign_()  # d mean |answer − y| / d answer
            up /= up.shape[1] * t
            for layer in reversed(range(len(weights))):
                torch.bmm(inputs[layer].transpose(1, 2), up, out=d_weights[layer])
                torch.sum(up, dim=1, keepdim=True, out=d_biases[layer])
                if layer:
                    down = torch.bmm(up, weights[layer].transpose(1, 2))
                    up = torch.ops.aten.threshold_backward(down, inputs[layer], 0)  # 0 where the ReLU was off
            adam.step()
    first[:, varied] = weights[0]
    return [(first, biases[0]), *zip(weights[1:], biases[1:])]


def _glorot(inputs: int, outputs: int, generators: list[torch.Generator]) -> Tensor:
    """(G, inputs, outputs), uniform in ±√(6 / (inputs + outputs))."""
    limit = (6 / (inputs + outputs)) ** 0.5
    return torch.stack([torch.rand((inputs, outputs), generator=each) * 2 * limit - limit for each in generators])


def _views(flat: Tensor, shapes: Sequence[Sequence[int]]) -> list[Tensor]:
    """Consecutive parts of `flat` in these shapes, sharing its memory."""
    parts = flat.split([torch.Size(shape).numel() for shape in shapes])
    return [part.view(tuple(shape)) for part, shape in zip(parts, shapes)]
