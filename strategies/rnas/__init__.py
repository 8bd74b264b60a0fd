"""Robust supernet search: DARTS whose two levels also minimise the disagreement on clean and perturbed images."""

from nas.core.registry import Registry, is_concrete_subclass
from nas.strategies.rnas.base import SupernetStrategy
from nas.strategies.rnas.bilevel import Bilevel
from nas.strategies.rnas.options import BilevelOptions
from nas.strategies.rnas.perturbations import PERTURBATIONS
from nas.strategies.rnas.regularisers import REGULARISERS

SUPERNET_STRATEGIES: Registry[type[SupernetStrategy]] = Registry(
    "supernet strategy", "nas.strategies.rnas", is_concrete_subclass(SupernetStrategy)
)

__all__ = ["PERTURBATIONS", "REGULARISERS", "SUPERNET_STRATEGIES", "Bilevel", "BilevelOptions", "SupernetStrategy"]
