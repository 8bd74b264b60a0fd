"""What a run keeps: the interface of its store, and the record of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from nas.core.io.records import Json

Key = TypeVar("Key")
Result = TypeVar("Result")
AnyStore = TypeVar("AnyStore", bound="FactStore")
Metrics = dict[str, float]


@dataclass(frozen=True)
class TaskResult(Generic[Key, Result]):
    """What became of the task `key`: its result, or the reason of its failure; and how many seconds it took."""

    key: Key
    result: Result | None
    failure: str | None
    seconds: float


class FactStore(ABC):
    """Facts: a JSON value under each key. What workers and evaluations see of a store; its block closes it."""

    @abstractmethod
    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`."""

    @abstractmethod
    def put(self, key: str, value: Any) -> None:
        """Keep a value, in the place of that before; it is kept when this returns."""

    @abstractmethod
    def under(self, prefix: str) -> Json:
        """All facts whose key starts with `prefix`, without it, in the order of the keys."""

    def close(self) -> None:  # noqa: B027  (not all hold something open)
        """Let go of what is open; the store is not used any more."""

    def __enter__(self: AnyStore) -> AnyStore:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class PrefixedFacts(FactStore):
    """The facts of another store whose keys start with `prefix`, without it."""

    def __init__(self, store: FactStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def get(self, key: str, default: Any = None) -> Any:
        return self._store.get(self._prefix + key, default)

    def put(self, key: str, value: Any) -> None:
        self._store.put(self._prefix + key, value)

    def under(self, prefix: str) -> Json:
        return self._store.under(self._prefix + prefix)


class Store(FactStore):
    """Facts, evaluations, and the history of a search: the evaluations that its strategy was told of, in that order.

    What is evaluated and not in the history belongs to a step under way.
    """

    durable: bool  # whether it outlives the process

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """All writes of the block happen, or none; where the store is not durable, up to the error."""

    @abstractmethod
    def record(self, evaluation: TaskResult[str, Metrics]) -> None:
        """Keep an evaluation, in the place of an earlier one of its key."""

    @abstractmethod
    def evaluation(self, key: str) -> TaskResult[str, Metrics] | None:
        """The evaluation of `key`, in the history or not."""

    @abstractmethod
    def evaluations(self) -> Iterator[TaskResult[str, Metrics]]:
        """All evaluations, in the history or not, in no particular order."""

    @abstractmethod
    def append_history(self, key: str) -> None:
        """Note that the strategy was told of the evaluation of `key`, the first and only time."""

    @abstractmethod
    def history(self) -> Iterator[TaskResult[str, Metrics]]:
        """The evaluations in the order in which the strategy was told of them."""

    @abstractmethod
    def from_history(self, key: str) -> TaskResult[str, Metrics] | None:
        """The evaluation of `key` if the strategy was told of it."""

    @abstractmethod
    def history_length(self) -> int:
        """How many evaluations the strategy was told of."""

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Add to the time that a stage has taken, over all sessions of the run."""
        key = f"seconds/{stage}"
        with self.transaction():
            self.put(key, self.get(key, 0.0) + seconds)
