"""The store of a run on a Ray cluster: an actor has it on the machine that leads, and all others ask the actor."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from nas.core.extras import optional
from nas.core.io.records import Json
from nas.core.storage.base import FactStore
from nas.core.storage.sqlite import SqliteStore


class StoreActor:
    """Has the store; its methods are done one after the other."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path)

    def call(self, method: str, *arguments: Any) -> Any:
        return getattr(self.store, method)(*arguments)


class RemoteStore(FactStore):
    """The facts of the store that an actor has."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def get(self, key: str, default: Any = None) -> Any:
        return self._call("get", key, default)

    def put(self, key: str, value: Any) -> None:
        self._call("put", key, value)

    def under(self, prefix: str) -> Json:
        return self._call("under", prefix)

    def _call(self, method: str, *arguments: Any) -> Any:
        return answer_of(optional("ray", "ray"), self._actor.call.remote(method, *arguments))


def answer_of(ray: ModuleType, answer: Any) -> Any:
    """What an actor answered; its exceptions are raised as they were there."""
    try:
        return ray.get(answer)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from None
        raise
