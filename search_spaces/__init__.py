"""Search spaces: their architectures, networks, costs and graph features."""

from nas.core.registry import Registry, is_concrete_subclass
from nas.search_spaces.base import Architecture, BuildSettings, Cost, SearchSpace
from nas.search_spaces.darts import DARTS
from nas.search_spaces.nasbench101 import NASBench101
from nas.search_spaces.nasbench201 import NASBench201
from nas.search_spaces.network import Network
from nas.search_spaces.transnas import TransNASMacro, TransNASMicro

SPACES: Registry[type[SearchSpace]] = Registry(
    "search space", "nas.search_spaces", "nas.search_spaces", is_concrete_subclass(SearchSpace)
)

__all__ = [
    "DARTS",
    "SPACES",
    "Architecture",
    "BuildSettings",
    "Cost",
    "NASBench101",
    "NASBench201",
    "Network",
    "SearchSpace",
    "TransNASMacro",
    "TransNASMicro",
]
