"""A function of the caller as the objective of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.api.process import callers_code
from nas.core.errors import InputError
from nas.core.registry import reference_of
from nas.objectives.functions import Function, full_name, notation_of


class CallerFunction:
    """The caller's function, with its last exception, which this process can raise again."""

    def __init__(self, function: Function, directions: Mapping[str, str] | None, workers: int | None) -> None:
        """Raises InputError if other processes are to call the function but cannot import it."""
        self.function = self.__wrapped__ = function  # `inspect.unwrap` finds its source
        self.name = full_name(function)
        self.notation = notation_of(function, directions)
        self.raised: Exception | None = None
        self.in_process: dict[str, Function] = {}
        if workers is None or workers == 1:
            self.in_process = {self.name: self}
        elif reference_of(function) is None:
            raise InputError(
                f"Expected a function that {workers} workers can import but {self.name} is defined in the script or "
                "notebook itself, or inside another function; move it into a module, or leave workers out."
            )

    @classmethod
    def of(cls, objective: Any, directions: Mapping[str, str] | None, workers: int | None) -> CallerFunction | None:
        """None if the objective is no function. Raises InputError if it is neither a function nor a text."""
        if callable(objective):
            return cls(objective, directions, workers)
        if objective is not None and not isinstance(objective, str):
            raise InputError(
                f"Expected an objective as text or a function of an architecture but got {objective!r:.80}."
            )
        if directions is not None:
            raise InputError(
                "Expected directions only with a function as objective; write them into the text: 'fgsm@1+params:min'."
            )
        return None

    def __call__(self, arch: Any) -> Any:
        try:
            with callers_code():
                return self.function(arch)
        except Exception as error:
            self.raised = error
            raise
