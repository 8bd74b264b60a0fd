"""What a search keeps when nothing has to outlive it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nas.core.storage.sqlite import Evaluation


class Memory:
    """The part of a `Store` that a search uses, in memory; for thousands of searches on a table."""

    durable = False

    def __init__(self) -> None:
        self._evaluations: dict[str, Evaluation] = {}
        self._told: dict[str, None] = {}
        self._facts: dict[str, Any] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def record(self, evaluation: Evaluation) -> None:
        self._evaluations[evaluation.key] = evaluation

    def evaluation(self, key: str) -> Evaluation | None:
        return self._evaluations.get(key)

    def tell(self, position: int, key: str) -> None:
        self._told[key] = None

    def told(self) -> Iterator[Evaluation]:
        return (self._evaluations[key] for key in self._told)

    def told_of(self, key: str) -> Evaluation | None:
        return self._evaluations[key] if key in self._told else None

    def count_told(self) -> int:
        return len(self._told)

    def put(self, key: str, value: Any) -> None:
        self._facts[key] = value

    def get(self, key: str, default: Any = None) -> Any:
        return self._facts.get(key, default)
