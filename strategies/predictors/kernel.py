"""An exact Gaussian process whose kernel learns which features matter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nas.core.errors import InputError, NasError
from nas.core.seeds import derive
from nas.strategies.predictors.base import Prediction, Predictor

if TYPE_CHECKING:
    from typing_extensions import Self

MAX_ARCHITECTURES = 20_000  # the exact solution takes n² memory and n³ time
BLOCK = 512  # rows of a large kernel matrix that are computed at once
JITTER = 1e-4  # as a part of the targets' variance; added to the fitted noise
FIRST_NOISE = 0.05  # at the start of the fit, as a part of the targets' variance
FIRST_LINEAR = 0.1


@dataclass
class KernelOptions:
    steps: int = 60  # of Adam on the kernel's parameters
    subset: int = 600  # architectures that each step draws
    lr: float = 0.1  # falls linearly to a hundredth
    spread: float = 0.5  # sd of the normal prior on the log length scales, around their common start

    def check(self) -> None:
        if self.steps < 0 or self.subset < 2 or self.lr <= 0 or self.spread <= 0:
            raise InputError(
                f"Expected steps >= 0, subset >= 2, lr > 0 and spread > 0 but got {self.steps}, {self.subset}, "
                f"{self.lr} and {self.spread}; the defaults are 60, 600, .1 and .5."
            )


class _Parameters(NamedTuple):
    """The logarithms of the kernel's parameters, relative to the variance of the targets."""

    inverse_lengths: Tensor  # (2, d): of the smooth and of the rough part
    amplitudes: Tensor  # (2,)
    linear: Tensor
    noise: Tensor


def _squares(x: Tensor, z: Tensor) -> Tensor:
    distances = (x * x).sum(1)[:, None] + (z * z).sum(1) - 2 * x @ z.T
    return distances.clamp_min(1e-12)  # so that the root in `_gram` has a gradient


def _gram(p: _Parameters, x: Tensor, z: Tensor) -> Tensor:
    smooth, rough = p.inverse_lengths.exp()
    return (
        p.amplitudes[0].exp() * torch.exp(-_squares(x * smooth, z * smooth) / 2)
        + p.amplitudes[1].exp() * torch.exp(-_squares(x * rough, z * rough).sqrt())
        + p.linear.exp() * (x @ z.T) / x.shape[1]
    )


def _gram_in_blocks(p: _Parameters, x: Tensor, z: Tensor) -> Tensor:
    """`_gram` of many rows: the intermediate matrices of a block stay in the processor's cache."""
    return torch.cat([_gram(p, rows, z) for rows in x.split(BLOCK)])


def _root(gram: Tensor, noise: Tensor) -> Tensor:
    """Cholesky root of gram + noise, with more jitter if rounding requires it (if architectures repeat)."""
    eye = torch.eye(len(gram), dtype=gram.dtype)
    for jitter in (JITTER, 10 * JITTER, 100 * JITTER):
        root, failed = torch.linalg.cholesky_ex(gram + (noise + jitter) * eye)
        if not failed:
            return root
    raise NasError("The kernel of the architectures has no Cholesky root; take another predictor, such as extra-trees.")


class Kernel(Predictor):
    """Gaussian process with k(x, z) = a·exp(-|u(x-z)|²/2) + b·exp(-|v(x-z)|) + c·x·z/d + noise·[x is z].

    u and v hold one inverse length per feature. Adam maximises the log posterior of all parameters on random
    subsets of the training data. Its first term is the log marginal likelihood: the mean over the targets, each at its
    best scale. Its second term is a normal prior on log u and log v, which keeps the length scales of the features
    alike while data are few. The targets share the kernel and nothing else. Given the kernel, the prediction is exact
    (Rasmussen and Williams 2006, alg. 2.1).

    Features with many distinct values are first replaced by their normal scores, so that heavy tails do no harm; then
    all features are standardised.
    """

    name: ClassVar[str] = "kernel"
    references: ClassVar[tuple[str, ...]] = ("rasmussen2006gaussian",)
    Options: ClassVar[type] = KernelOptions
    together: ClassVar[bool] = True  # one fit to all targets, which predicts each of them better

    def __init__(self, seed: int = 0, options: Any = None) -> None:
        super().__init__(seed, options)
        self._parameters: _Parameters | None = None

    def fit(self, features: np.ndarray, targets: np.ndarray) -> Self:
        x, y = self._checked(features, targets)
        if len(x) > MAX_ARCHITECTURES:
            raise InputError(
                f"Expected at most {MAX_ARCHITECTURES:,} architectures but got {len(x):,}; fit extra-trees instead."
            )
        self._scores = [_normal_scores(column) for column in x.T]
        scored = self._transformed(x)
        self._centre, deviation = scored.mean(axis=0), scored.std(axis=0)
        self._use = (np.ptp(scored, axis=0) > 0) & (deviation > 0)
        self._deviation = np.where(self._use, deviation, 1.0)
        self._x = self._standardised(x)
        self._offset, self._scale = y.mean(axis=0), np.where(np.ptp(y, axis=0) > 0, y.std(axis=0), 0.0)
        self._y = torch.from_numpy((y - self._offset) / np.where(self._scale > 0, self._scale, 1.0))
        p = _Parameters(*(parameter.double() for parameter in self._fit_kernel(self._x.float(), self._y.float())))
        self._parameters = p
        self._root = _root(_gram_in_blocks(p, self._x, self._x), p.noise.exp())
        self._weights = torch.cholesky_solve(self._y, self._root)  # K⁻¹y, (n, t)
        self._amplitude = (self._y * self._weights).mean(dim=0).clamp_min(0)  # each target's scale, squared
        return self

    def predict(self, features: np.ndarray) -> Prediction:
        x = self._standardised(self._known(features))
        assert self._parameters is not None
        across = _gram_in_blocks(self._parameters, x, self._x)
        own = self._parameters.amplitudes.exp().sum() + self._parameters.linear.exp() * (x * x).mean(dim=1)
        explained = torch.linalg.solve_triangular(self._root, across.T, upper=False).square().sum(dim=0)
        variance = (own - explained).clamp_min(1e-9)[:, None] * self._amplitude
        mean = (across @ self._weights).numpy() * self._scale + self._offset
        return self._shaped(mean, variance.sqrt().numpy() * self._scale)

    def leave_one_out(self) -> np.ndarray:
        """Predictions (n, t) for the architectures of the fit, each from all others: y - K⁻¹y / diag K⁻¹, same kernel.

        Source: Rasmussen and Williams 2006, eq. 5.12.
        """
        from scipy.linalg.lapack import dtrtri

        inverse, _ = dtrtri(self._root.numpy(), lower=1)  # L⁻¹ of K = L·Lᵀ, so diag K⁻¹ = Σ over rows of (L⁻¹)²
        diagonal = torch.from_numpy(np.einsum("ij,ij->j", inverse, inverse))
        return (self._y - self._weights / diagonal[:, None]).numpy() * self._scale + self._offset

    def _fit_kernel(self, x: Tensor, y: Tensor) -> _Parameters:
        """The parameters of the kernel with the highest posterior that Adam finds."""
        (n, d), t = x.shape, y.shape[1]
        start = -0.5 * math.log(d)
        p = _Parameters(
            torch.full((2, d), start), torch.zeros(2), torch.tensor(math.log(FIRST_LINEAR)),
            torch.tensor(math.log(FIRST_NOISE)),
        )  # fmt: skip
        if n < 3 or not y.any():
            return p
        options, generator = self.options, torch.Generator().manual_seed(derive(self.seed, "kernel"))
        for parameter in p:
            parameter.requires_grad_()
        optimiser = torch.optim.Adam(list(p), lr=options.lr)
        with torch.enable_grad():
            for step in range(options.steps):
                optimiser.param_groups[0]["lr"] = options.lr * (1.01 - step / options.steps)
                rows = torch.randperm(n, generator=generator)[: options.subset]
                m = len(rows)
                root = _root(_gram(p, x[rows], x[rows]), p.noise.exp())
                white = torch.linalg.solve_triangular(root, y[rows], upper=False)
                unlikely = t * root.diagonal().log().sum() + m / 2 * (white.square().mean(dim=0) + 1e-9).log().sum()
                prior = (p.inverse_lengths - start).square().sum() / (2 * options.spread**2) * m / n
                optimiser.zero_grad()
                ((unlikely + prior) / (m * t)).backward()
                optimiser.step()
        return _Parameters(*(parameter.detach() for parameter in p))

    def _transformed(self, x: np.ndarray) -> np.ndarray:
        """The features, as normal scores where `fit` found such scores, else as they are."""
        columns = [
            column if scores is None else np.interp(column, *scores) for column, scores in zip(x.T, self._scores)
        ]
        return np.stack(columns, axis=1)

    def _standardised(self, x: np.ndarray) -> Tensor:
        z = ((self._transformed(x) - self._centre) / self._deviation)[:, self._use]
        return torch.from_numpy(z if z.shape[1] else np.zeros((len(x), 1)))


def _normal_scores(column: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Distinct values and the normal quantile of the mean rank of each; None for a column of few values (a count)."""
    from scipy.special import ndtri

    values, times = np.unique(column, return_counts=True)
    if len(values) <= max(2, min(len(column) / 4, 64)):
        return None
    ranks = np.cumsum(times) - times / 2
    return values, ndtri(ranks / len(column))
