"""The contract of a proxy: a pure function with its direction, mode and source attached."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, make_dataclass
from typing import Any, ClassVar, Literal

from nas.core.errors import InputError, NasError
from nas.strategies.proxies.passes.quantities import Quantity

NoOptions = make_dataclass("NoOptions", [])


@dataclass
class BatchOptions:
    """Options of a proxy that uses one batch, by default as large as for the published score tables."""

    batch_size: int = 64  # images of the training part

    section: ClassVar[str] = "proxies.NAME"  # the section in which the user sets the options

    def check(self) -> None:
        """Raises InputError if the batch is too small or too large."""
        if not 2 <= self.batch_size <= 65536:
            raise InputError(
                f"Expected {self.section}.batch_size between 2 and 65536 but got {self.batch_size}; batch "
                "normalisation needs two images."
            )


@dataclass(frozen=True)
class Proxy:
    """A zero-cost proxy.

    `needs="network"`: `compute(probe, options)` gets a `Probe` of an initialised network and a batch.
    `needs="cost"`: `compute(cost, options)` gets the number of weights and MACs of the network that would be trained.
    The value is a finite float in `domain` ("linear", or "log" if raw values would explode). If the definition gives a
    network no value, `compute` raises `NasError` with the reason. Networks whose logits do not depend on the image
    never reach a proxy: they are not scored.

    `uses(options)` names the quantities of the probe's shared pass (`passes/quantities.py`), so that one pass can serve
    all proxies that are asked for together. `passes(options)` is what the proxy costs alone, in forward and backward
    passes (F+B) of its batch. `batches` is 2 if it also uses `probe.second`. `thin` says that it
    scores the thinnest network of the space instead. All randomness comes from `probe.generator`.
    """

    name: str
    compute: Callable[[Any, Any], float]
    needs: Literal["network", "cost"]
    higher_is_better: bool
    mode: Literal["train", "eval", "none"]
    batch_norm: str
    domain: Literal["linear", "log"]
    source: str
    Options: type
    uses: Callable[[Any], Iterable[str]]
    passes: Callable[[Any], float]
    batches: int
    references: tuple[str, ...] = ()  # keys of the bibliography, or BibTeX entries
    thin: bool = False

    def __call__(self, subject: Any, options: Any = None) -> float:
        """The value for a `Probe`, or for a `Cost` if the proxy only needs that.

        Raises NasError if the network has no value, or the value is not finite.
        """
        options = options if options is not None else self.Options()
        if self.needs == "network":
            subject.want(self.uses(options))
        value = self.compute(subject, options)
        if not math.isfinite(value):
            raise NasError(f"The value is {value}: its computation left the range of floats.")
        return value


def proxy(
    name: str,
    *,
    needs: Literal["network", "cost"] = "network",
    higher_is_better: bool = True,
    mode: Literal["train", "eval", "none"] = "train",
    batch_norm: str = "batch statistics",
    domain: Literal["linear", "log"] = "linear",
    source: str,
    options: type | None = None,
    uses: Iterable[Quantity | str] | Callable[[Any], Iterable[Quantity | str]] = (),
    passes: float | Callable[[Any], float],
    batches: int = 1,
    references: tuple[str, ...] = (),
    thin: bool = False,
) -> Callable[[Callable[[Any, Any], float]], Proxy]:
    """Attach the metadata to a function `(probe or cost, options) -> float`; its docstring gives the formula."""
    kind = options if options is not None else BatchOptions if needs == "network" else NoOptions

    def decorate(compute: Callable[[Any, Any], float]) -> Proxy:
        return Proxy(
            name,
            compute,
            needs,
            higher_is_better,
            mode,
            batch_norm,
            domain,
            source,
            kind,
            lambda options: [str(quantity) for quantity in (uses(options) if callable(uses) else uses)],
            passes if callable(passes) else lambda options: passes,
            batches,
            references,
            thin,
        )

    return decorate
