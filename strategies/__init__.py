"""Ask–tell search strategies, and the proxies that score untrained networks."""

from nas.core.registry import Registry, is_concrete_subclass
from nas.strategies.base import Goal, Hints, Strategy

STRATEGIES: Registry[type[Strategy]] = Registry(
    "strategy", "nas.strategies", "nas.strategies", is_concrete_subclass(Strategy)
)

__all__ = ["STRATEGIES", "Goal", "Hints", "Strategy"]
