"""Searches that train a supernet: DARTS, RNAS and the searches that it is compared with."""

from nas.core.registry import Registry, is_concrete_subclass
from nas.strategies.supernet.base import SupernetStrategy
from nas.strategies.supernet.mixing.mixtures import MIXTURES
from nas.strategies.supernet.mixing.noise import MIXTURE_NOISES
from nas.strategies.supernet.options import BilevelOptions
from nas.strategies.supernet.penalties import PENALTIES
from nas.strategies.supernet.perturbations import PERTURBATIONS
from nas.strategies.supernet.regularisers import REGULARISERS

SUPERNET_STRATEGIES: Registry[type[SupernetStrategy]] = Registry(
    "supernet strategy", "nas.strategies.supernet", "nas.rnas", is_concrete_subclass(SupernetStrategy)
)

__all__ = [
    "MIXTURES",
    "MIXTURE_NOISES",
    "PENALTIES",
    "PERTURBATIONS",
    "REGULARISERS",
    "SUPERNET_STRATEGIES",
    "BilevelOptions",
    "SupernetStrategy",
]
