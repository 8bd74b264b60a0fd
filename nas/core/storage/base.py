"""The interface of stores, which hold what a run has computed; and the result of a task."""

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
    """The outcome of the task `key`: its result, or the reason for its failure; and the seconds that it took."""

    key: Key
    result: Result | None
    failure: str | None
    seconds: float


class FactStore(ABC):
    """Facts: a JSON value under each key. Workers use only this part of a store; a `with` block closes the store."""

    @abstractmethod
    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`, or `default`."""

    @abstractmethod
    def put(self, key: str, value: Any) -> None:
        """Store a value under `key`, replacing an earlier one; when this returns, it is stored."""

    @abstractmethod
    def under(self, prefix: str) -> Json:
        """All facts whose key starts with `prefix`, by the rest of the key, sorted by key."""

    def close(self) -> None:  # noqa: B027  (some stores have nothing to close)
        """Close the store; it cannot be used afterwards."""

    def __enter__(self: AnyStore) -> AnyStore:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class PrefixedFacts(FactStore):
    """The facts of another store whose keys start with `prefix`, by the rest of their keys."""

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
    """Facts, evaluations, and the history of a search: the evaluations that its strategy has received, in order.

    Evaluations that are not in the history belong to the current step.
    """

    durable: bool  # whether the content survives the process

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """All writes of the block take effect, or none; a store that is not durable keeps writes before an error."""

    @abstractmethod
    def record(self, evaluation: TaskResult[str, Metrics]) -> None:
        """Store an evaluation, replacing an earlier one with the same key."""

    @abstractmethod
    def evaluation(self, key: str) -> TaskResult[str, Metrics] | None:
        """The evaluation with this key, whether it is in the history or not."""

    @abstractmethod
    def evaluations(self) -> Iterator[TaskResult[str, Metrics]]:
        """All evaluations, whether they are in the history or not, in no particular order."""

    @abstractmethod
    def append_history(self, key: str) -> None:
        """Append the evaluation of `key`, which the strategy has received; each key is appended once."""

    @abstractmethod
    def history(self) -> Iterator[TaskResult[str, Metrics]]:
        """The evaluations in the order in which the strategy has received them."""

    @abstractmethod
    def from_history(self, key: str) -> TaskResult[str, Metrics] | None:
        """The evaluation of `key`, if it is in the history."""

    @abstractmethod
    def history_length(self) -> int:
        """How many evaluations are in the history."""

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Add to the time that a stage has taken in all sessions of the run."""
        key = f"seconds/{stage}"
        with self.transaction():
            self.put(key, self.get(key, 0.0) + seconds)
