"""The store of a run on a Ray cluster: an actor on the leading machine owns it, and all workers ask the actor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from nas.core.extras import optional
from nas.core.io.records import Json
from nas.core.storage.base import FactStore
from nas.core.storage.sqlite import SqliteStore


class StoreActor:
    """Owns the store; Ray calls its methods one after another."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path)

    def call(self, method: str, *arguments: Any) -> Any:
        return getattr(self.store, method)(*arguments)


class RemoteStore(FactStore):
    """The facts of a store that an actor owns."""

    def __init__(self, actor: Any, answer: Callable[[Any], Any] | None = None) -> None:
        """`answer` waits for the answer of a remote call; by default, Ray does."""
        self._actor = actor
        self._answer = answer or _ray_answer

    def get(self, key: str, default: Any = None) -> Any:
        return self._call("get", key, default)

    def put(self, key: str, value: Any) -> None:
        self._call("put", key, value)

    def under(self, prefix: str) -> Json:
        return self._call("under", prefix)

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._answer(self._actor.call.remote(method, *arguments))


def answer_of(ray: ModuleType, answer: Any) -> Any:
    """The answer of an actor; an exception that the actor raised is raised here."""
    try:
        return ray.get(answer)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from None
        raise


def _ray_answer(reference: Any) -> Any:
    return answer_of(optional("ray", "ray"), reference)
