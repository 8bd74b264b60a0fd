"""BANANAS' ensemble of small networks, all members trained at once."""

from __future__ import annotations

from collections.abc import Callable
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

BETAS = (0.9, 0.99)  # of Adam, as in the release
EPSILON = 1e-7  # of Adam, Keras' default


@dataclass
class NetworksOptions:
    """The settings of the authors' release."""

    members: int = 5  # M
    layers: int = 10  # hidden layers
    width: int = 20  # units of each layer
    epochs: int = 150  # passes over the labelled architectures
    batch_size: int = 32  # architectures per step
    lr: float = 0.01  # of Adam

    def check(self) -> None:
        for key in ("members", "width", "epochs", "batch_size"):
            if getattr(self, key) < 1:
                raise InputError(f"Expected {key} >= 1 but got {getattr(self, key)}.")
        if self.layers < 0 or not self.lr > 0:
            raise InputError(f"Expected layers >= 0 and lr > 0 but got layers={self.layers} lr={self.lr}.")


class Networks(Predictor):
    """Mean and standard deviation of M multilayer perceptrons that differ in initial weights and order of the data.

    Source: White, Neiswanger and Savani, AAAI 2021 (arXiv:1910.11858), with the settings of the authors' release
    (naszilla, `params.py` "standard"): 10 hidden layers of 20 ReLUs, Adam with lr .01 and betas (.9, .99), 150 epochs
    of batches of 32, mean absolute error, Glorot-uniform weights. The release takes accuracies in per cent and 0/1
    features as they are; here targets are standardised, and features scaled to [0, 1] by their range in `fit` (which
    leaves 0/1 features as they are), so that units do not matter. `predict` clips features to [-1, 2].
    """

    name: ClassVar[str] = "networks"
    references: ClassVar[tuple[str, ...]] = ("white2021bananas",)
    Options: ClassVar[type] = NetworksOptions

    def __init__(self, seed: int = 0, options: Any = None) -> None:
        super().__init__(seed, options)
        self._layers: list[Layer] = []

    def fit(self, features: np.ndarray, targets: np.ndarray) -> Self:
        self._layers = _train(*self._scaled(features, targets), self.seed, self.options)
        return self

    def predict(self, features: np.ndarray) -> Prediction:
        x = self._inputs(self._known(features))
        with torch.no_grad():
            outputs = _inputs_of_layers(self._layers, x.expand(self.options.members, *x.shape))[-1]
        answers = outputs.double().numpy()  # (M, m, t)
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


Layer = tuple[Tensor, Tensor]  # weight (M, in, out) and bias (M, 1, out)


@torch.no_grad()
def _train(x: Tensor, y: Tensor, seed: int, options: Any) -> list[Layer]:
    """The trained layers of M members; x (n, d), y (n, t).

    Member j draws everything from one generator seeded by `derive(seed, "member", j)`: the weights layer by layer, then
    for each epoch a random number per row; sorting these numbers gives the order of the rows. Members share nothing, so
    the gradient of the sum of their losses gives each member its own gradient. It is written out, because automatic
    differentiation of such small layers takes more than twice the time; both give the same bits.
    """
    generators = [torch.Generator().manual_seed(derive(seed, "member", j)) for j in range(options.members)]
    widths = [x.shape[1], *[options.width] * options.layers, y.shape[1]]
    layers = [_glorot(inputs, outputs, generators) for inputs, outputs in pairwise(widths)]
    orders = torch.stack([torch.rand((options.epochs, len(x)), generator=each).argsort(dim=1) for each in generators])
    gradients = [(torch.empty_like(weight), torch.empty_like(bias)) for weight, bias in layers]
    step = _adam(layers, gradients, options.lr)
    for order in orders.unbind(dim=1):  # (M, n)
        for rows in order.split(options.batch_size, dim=1):  # (M, B)
            inputs = _inputs_of_layers(layers, x[rows])  # of each layer (M, B, in), and the outputs (M, B, t)
            slope = (inputs.pop() - y[rows]).sgn_() / (rows.shape[1] * y.shape[1])  # of mean |output - y|
            for layer, (of_weight, of_bias) in reversed(list(enumerate(gradients))):
                torch.bmm(inputs[layer].transpose(1, 2), slope, out=of_weight)
                torch.sum(slope, 1, keepdim=True, out=of_bias)
                if layer > 0:  # 0 where the ReLU below was off
                    below = torch.bmm(slope, layers[layer][0].transpose(1, 2))
                    slope = torch.ops.aten.threshold_backward(below, inputs[layer], 0)
            step()
    return layers


def _adam(layers: list[Layer], gradients: list[Layer], lr: float) -> Callable[[], None]:
    """A function that does one step of Adam with what is in `gradients`, without the checks of `torch.optim.Adam`."""
    weights, slopes = ([one for pair in pairs for one in pair] for pairs in (layers, gradients))
    first, second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))  # moments
    steps = torch.zeros(())
    counts = [steps] * len(weights)
    beta1, beta2 = BETAS

    def step() -> None:
        steps.add_(1)
        torch._fused_adam_(
            weights, slopes, first, second, [], counts, lr=lr, beta1=beta1, beta2=beta2, eps=EPSILON,
            weight_decay=0.0, amsgrad=False, maximize=False,
        )  # fmt: skip

    return step


def _inputs_of_layers(layers: list[Layer], x: Tensor) -> list[Tensor]:
    """The inputs of each layer, and the outputs of the last (M, B, t), of each member for its own rows (M, B, d)."""
    *below, (weight, bias) = layers
    inputs = [x]
    for w, b in below:
        inputs.append(torch.baddbmm(b, inputs[-1], w).relu_())
    return [*inputs, torch.baddbmm(bias, inputs[-1], weight)]


def _glorot(inputs: int, outputs: int, generators: list[torch.Generator]) -> Layer:
    """Weights uniform in ±√(6 / (inputs + outputs)), biases 0."""
    limit = (6 / (inputs + outputs)) ** 0.5
    weights = [torch.rand((inputs, outputs), generator=each) * 2 * limit - limit for each in generators]
    return torch.stack(weights), torch.zeros(len(generators), 1, outputs)
