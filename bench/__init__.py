"""The project's benchmarks: each measures a cost as a ratio to a lower bound and returns the JSON that is printed."""

from nas.bench.base import Bench
from nas.core.registry import Registry, is_concrete_subclass

BENCHES: Registry[type[Bench]] = Registry("benchmark", "nas.bench", "nas.bench", is_concrete_subclass(Bench))

__all__ = ["BENCHES", "Bench"]
