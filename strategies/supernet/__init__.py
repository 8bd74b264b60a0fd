"""Robust supernet search: DARTS, but both levels also minimise how much clean and perturbed images disagree."""

from nas.core.registry import Registry, is_concrete_subclass
from nas.strategies.supernet.base import SupernetStrategy
from nas.strategies.supernet.options import BilevelOptions
from nas.strategies.supernet.perturbations import PERTURBATIONS
from nas.strategies.supernet.regularisers import REGULARISERS

SUPERNET_STRATEGIES: Registry[type[SupernetStrategy]] = Registry(
    "supernet strategy", "nas.strategies.supernet", "nas.rnas", is_concrete_subclass(SupernetStrategy)
)

__all__ = ["PERTURBATIONS", "REGULARISERS", "SUPERNET_STRATEGIES", "BilevelOptions", "SupernetStrategy"]
