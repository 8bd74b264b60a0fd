"""The contract of a predictor, which predicts a metric of architectures from their features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from nas.core.errors import InputError, NasError

if TYPE_CHECKING:
    from typing_extensions import Self  # of `typing` from Python 3.11 on


class Prediction(NamedTuple):
    """The prediction for m architectures, in the units of the targets that the predictor was fitted to."""

    mean: np.ndarray  # (m,) or (m, t), like the targets
    sd: np.ndarray  # the model's own uncertainty, same shape


class Predictor(ABC):
    """Learns a metric (or t of them together) from a few measured architectures and predicts it for others.

    Lifetime: made with a seed, fitted once or again (a fit forgets the one before), then used any number of times.
    Features and targets may have any units: a predictor standardises them if it needs to. Predictions are a pure
    function of (seed, options, data): no global generator is read or changed. `fit` and `predict` raise `InputError` if
    data are empty, are not finite or have no finite variance, or if shapes do not match.

    `Options` is a dataclass of the settings with their defaults (and an optional `check()`, which raises InputError).
    """

    name: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()  # keys of the bibliography, or BibTeX entries
    Options: ClassVar[type]
    uncertain: ClassVar[bool] = True  # whether sd says anything; else it is 0
    library: str | None = None  # the one that fits, where the numbers depend on which is installed

    def __init__(self, seed: int = 0, options: Any = None) -> None:
        self.seed = seed
        self.options = options if options is not None else self.Options()
        self._columns: int | None = None  # number of features in `fit`
        self._single = True  # whether the targets in `fit` were (n,), not (n, t)

    @abstractmethod
    def fit(self, features: np.ndarray, targets: np.ndarray) -> Self:
        """Learn from features (n, d) and targets (n,) or (n, t)."""

    @abstractmethod
    def predict(self, features: np.ndarray) -> Prediction:
        """Mean and standard deviation for features (m, d)."""

    # for subclasses: what every fit and predict begins and ends with

    def _checked(self, features: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The data as float64 (n, d) and (n, t); remembers their shape for `_known` and `_shaped`."""
        x = _matrix(features)
        y = np.asarray(targets, dtype=np.float64)
        if y.ndim not in (1, 2) or len(y) != len(x) or y.size == 0:
            raise InputError(
                f"Expected targets of shape (n,) or (n, t) for features {x.shape} but got {y.shape}; give one row of "
                "targets for each row of features, and at least one."
            )
        if not np.isfinite(y).all():
            raise InputError(
                f"Expected finite targets but got {np.count_nonzero(~np.isfinite(y))} that are not; leave out the "
                "architectures without a measurement."
            )
        for name, values in (("features", x), ("targets", y)):
            with np.errstate(over="ignore", invalid="ignore"):
                spread = np.isfinite(values.var(axis=0)).all()
            if not spread:  # dividing by it would make all values 0
                raise InputError(
                    f"Expected {name} with a finite variance but got values up to {np.abs(values).max():.3g}; give "
                    "them in larger units."
                )
        self._columns, self._single = x.shape[1], y.ndim == 1
        return x, y.reshape(len(x), -1)

    def _known(self, features: np.ndarray) -> np.ndarray:
        """Features to predict for, as float64 (m, d) with as many columns as in `fit`."""
        if self._columns is None:
            raise InputError(f"Expected a fitted predictor but {self.name} was not; call fit before predict.")
        x = _matrix(features)
        if x.shape[1] != self._columns:
            raise InputError(
                f"Expected {self._columns} features, as in fit, but got {x.shape[1]}; compute the same features "
                "for all architectures."
            )
        return x

    def _shaped(self, mean: np.ndarray, sd: np.ndarray) -> Prediction:
        """A prediction in the shape of the targets, from (m, t) arrays.

        Raises `NasError` if it is not finite: sorting by NaN would silently leave architectures in their old order.
        """
        if not (np.isfinite(mean).all() and np.isfinite(sd).all()):
            raise NasError(
                f"The predictions of {self.name} are not finite; take another predictor, or targets and features "
                "of ordinary size."
            )
        return Prediction(mean[:, 0], sd[:, 0]) if self._single else Prediction(mean, sd)


def _matrix(features: np.ndarray) -> np.ndarray:
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or x.size == 0:
        raise InputError(f"Expected features of shape (n, d) with n and d above 0 but got {x.shape}; give a matrix.")
    if not np.isfinite(x).all():
        raise InputError(
            f"Expected finite features but got {np.count_nonzero(~np.isfinite(x))} that are not; leave out the "
            "architectures or the features without a value."
        )
    return x
