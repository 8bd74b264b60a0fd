"""The project's benchmarks: each measures a cost as a ratio to its floor and returns the JSON it prints."""

from nas.bench.base import Bench
from nas.core.registry import Registry, is_concrete_subclass

BENCHES: Registry[type[Bench]] = Registry("benchmark", "nas.bench", "nas.bench", is_concrete_subclass(Bench))

__all__ = ["BENCHES", "Bench"]
