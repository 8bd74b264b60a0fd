"""A store in memory, which ends with its process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nas.core.io.records import Json
from nas.core.storage.base import Metrics, Store, TaskResult


class InMemoryStore(Store):
    """For work that is never resumed, such as thousands of searches on a table; it begins with `facts`."""

    durable = False

    def __init__(self, facts: Json | None = None) -> None:
        self.facts = {} if facts is None else facts
        self._evaluations: dict[str, TaskResult[str, Metrics]] = {}
        self._history: dict[str, None] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.facts.get(key, default)

    def put(self, key: str, value: Any) -> None:
        self.facts[key] = value

    def under(self, prefix: str) -> Json:
        keys = sorted(key for key in self.facts if key.startswith(prefix))
        return {key.removeprefix(prefix): self.facts[key] for key in keys}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def record(self, evaluation: TaskResult[str, Metrics]) -> None:
        self._evaluations[evaluation.key] = evaluation

    def evaluation(self, key: str) -> TaskResult[str, Metrics] | None:
        return self._evaluations.get(key)

    def evaluations(self) -> Iterator[TaskResult[str, Metrics]]:
        return iter(self._evaluations.values())

    def append_history(self, key: str) -> None:
        if key in self._history:
            raise ValueError(f"{key!r} is in the history already")
        self._history[key] = None

    def history(self) -> Iterator[TaskResult[str, Metrics]]:
        return (self._evaluations[key] for key in self._history)

    def from_history(self, key: str) -> TaskResult[str, Metrics] | None:
        return self._evaluations[key] if key in self._history else None

    def history_length(self) -> int:
        return len(self._history)
