"""What is fuzzed: every reader of what comes from outside, each as one function of bytes."""

from nas.bench.fuzzed.base import Finding, Target, check
from nas.bench.fuzzed.mutate import mutated
from nas.core.registry import Registry

TARGETS: Registry[Target] = Registry(
    "fuzzing target", "nas.bench.fuzzed", "nas.fuzzed", lambda value: isinstance(value, Target)
)

__all__ = ["TARGETS", "Finding", "Target", "check", "mutated"]
