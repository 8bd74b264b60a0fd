"""Where the finished parts of an evaluation are kept, so that a stopped one continues."""

from __future__ import annotations

from typing import Any, Protocol


class Outcomes(Protocol):
    """A key for each finished part; None where nothing is kept."""

    def get(self, key: str) -> Any: ...

    def put(self, key: str, value: Any) -> None: ...


class Forgetful:
    """Keeps nothing: for an evaluation that nobody continues."""

    def get(self, key: str) -> None:
        return None

    def put(self, key: str, value: Any) -> None:
        pass
