"""A goal of a search."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """One metric to optimise and its direction."""

    name: str
    higher_is_better: bool = True

    def fitness(self, metrics: dict[str, float]) -> float:
        """The metric with a sign such that higher is better."""
        return metrics[self.name] if self.higher_is_better else -metrics[self.name]
