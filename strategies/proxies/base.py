"""The contract of a proxy: a pure function with its direction, mode and source written on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from typing import Any, Literal

NoOptions = make_dataclass("NoOptions", [])


@dataclass(frozen=True)
class Proxy:
    """A zero-cost proxy.

    `needs="network"`: `compute(probe, options)` looks at an initialised network and a batch, by way of a `Probe`.
    `needs="cost"`: `compute(cost, options)` only needs weights and MACs of the network that would be trained.
    The value is a finite float in `domain` ("linear", or "log" where raw values explode).
    """

    name: str
    compute: Callable[[Any, Any], float]
    needs: Literal["network", "cost"]
    higher_is_better: bool
    mode: Literal["train", "eval", "none"]
    batch_norm: str
    domain: Literal["linear", "log"]
    source: str
    doc: str
    Options: type

    def __call__(self, subject: Any, options: Any = None) -> float:
        return self.compute(subject, options if options is not None else self.Options())


def proxy(
    name: str,
    *,
    needs: Literal["network", "cost"] = "network",
    higher_is_better: bool = True,
    mode: Literal["train", "eval", "none"] = "train",
    batch_norm: str = "on",
    domain: Literal["linear", "log"] = "linear",
    source: str,
    options: type = NoOptions,
) -> Callable[[Callable[[Any, Any], float]], Proxy]:
    """Attach the metadata to a function `(probe or cost, options) -> float`; its docstring gives the formula."""

    def decorate(compute: Callable[[Any, Any], float]) -> Proxy:
        doc = (compute.__doc__ or "").strip()
        return Proxy(
            name, compute, needs, higher_is_better, mode, batch_norm, domain, source, doc, options
        )  # fmt: skip

    return decorate
