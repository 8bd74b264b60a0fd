"""Python functions as objectives: `python:package.module.function`, of an architecture."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.core.errors import InputError, NasError
from nas.core.importing import import_named
from nas.core.reasons import reason
from nas.core.storage.base import Metrics
from nas.objectives.notation import DIRECTIONS, PYTHON, function_of, label
from nas.search_spaces import SearchSpace

Function = Callable[[Any], Any]  # from a point of the space to a number, or to several numbers by name
BY_HAND = f"{PYTHON}nas.open_search"  # the function of a search whose caller evaluates the architectures
RAISED = " raised "
OF_ANOTHER_KIND = ("Expected values of ", "Expected a number for ")  # beginnings of what `values_of` refuses


class FunctionError(InputError):
    """The first call of the function raised an exception, or returned something that no architecture could have."""


def notation_of(function: Function, directions: Mapping[str, str] | None = None) -> str:
    """How the objective of a function is written: `python:MODULE.NAME`, with `/KEY:DIRECTION` for each of its values.

    `directions` has "max" or "min" by the name of each value; a single number has the name of the function.
    Raises InputError for another direction.
    """
    name = f"{PYTHON}{full_name(function)}"
    if directions is None:
        return name
    check_directions(directions)
    if list(directions) == [label(name)]:
        return f"{name}:{directions[label(name)]}"
    return "+".join(f"{name}/{key}:{direction}" for key, direction in directions.items())


def check_directions(directions: Mapping[str, str]) -> None:
    """Raises InputError if there is none, or a name or direction cannot be written in an objective."""
    for key, direction in directions.items():
        if direction not in DIRECTIONS:
            raise InputError(f"Expected directions of max or min but got {direction!r} for {key!r}.")
        if not key or any(sign in key for sign in "+:/"):
            raise InputError(f"Expected names of values without +, : and / but got {key!r}.")
    if not directions:
        raise InputError("Expected directions of at least one value but got none; leave directions out.")


def full_name(function: Function) -> str:
    """MODULE.NAME of a function; of a callable object, the names of its class."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def source_sha256(function: Function) -> str:
    """The SHA-256 of the source of a function, or `unknown` if Python cannot find it."""
    try:
        return hashlib.sha256(inspect.getsource(inspect.unwrap(function)).encode()).hexdigest()
    except (OSError, TypeError):
        return "unknown"


def import_function(name: str) -> Function:
    """The function of a metric `python:MODULE.NAME`, which may stand in a module of the current folder.

    Raises InputError if it cannot be imported.
    """
    path = function_of(name)
    if f"{PYTHON}{path}" == BY_HAND:
        raise InputError(
            "Expected a search that evaluates architectures by itself but the caller of nas.open_search evaluates "
            "them; continue it with nas.open_search(run=...)."
        )
    module, _, attribute = path.rpartition(".")
    while module:
        try:
            function = import_named(module, attribute, str(Path.cwd()))
            break
        except ModuleNotFoundError as error:
            parent, _, outer = module.rpartition(".")  # NAME may be an attribute of a class
            if not parent or error.name != module:
                raise _not_importable(path, error) from error
            module, attribute = parent, f"{outer}.{attribute}"
        except Exception as error:  # whatever the code of a user raises
            raise _not_importable(path, error) from error
    if not callable(function):
        raise InputError(f"Expected {path} to be a function of an architecture but it is a {type(function).__name__}.")
    return function  # type: ignore[no-any-return]


def _not_importable(path: str, error: Exception) -> InputError:
    return InputError(
        f"Expected to import the function {path} but: {reason(error)}; run in the folder that holds its module, or "
        "continue a run of nas.search with nas.resume(RUN, objective=FUNCTION)."
    )


class FunctionMetrics:
    """The values of one or more functions for an architecture; each function is called once.

    `given` holds functions of this process by their names; others are imported. Raises InputError if one cannot be.
    """

    def __init__(self, names: Sequence[str], space: SearchSpace[Any], given: Mapping[str, Function]) -> None:
        self.names = list(names)
        self.space = space
        paths = list(dict.fromkeys(map(function_of, names)))
        self.functions = {path: given.get(path) or import_function(f"{PYTHON}{path}") for path in paths}

    def __call__(self, text: str) -> Metrics:
        """Raises NasError, with the reason, if a value is no finite number or a function raises."""
        metrics: Metrics = {}
        for path, function in self.functions.items():
            own = [name for name in self.names if function_of(name) == path]
            metrics |= values_of(self._call(path, function, text), [label(name) for name in own], _keyed(own), path)
        return metrics

    def _call(self, path: str, function: Function, text: str) -> Any:
        try:
            return function(self.space.parse(text))
        except Exception as error:  # whatever the code of a user raises
            raise NasError(f"The function {label(PYTHON + path)}{RAISED}{reason(error)}.") from error


def _keyed(names: Sequence[str]) -> bool:
    """Whether the function has to return several numbers by name."""
    return any("/" in name for name in names)


def is_of_the_function(failure: str | None) -> bool:
    """Whether a failure is likely to be that of every architecture: an exception, or a value that is no number.

    None and numbers that are not finite are failures of a single architecture.
    """
    if failure is None:
        return False
    raised = failure.startswith("The function ") and RAISED in failure
    return raised or (failure.startswith(OF_ANOTHER_KIND) and "but got None" not in failure)


def values_of(value: Any, keys: Sequence[str], keyed: bool, name: str) -> Metrics:
    """The numbers in `value`, which the function `name` returned, by the `keys` of the goals.

    Raises NasError if one is missing, unknown or no finite number.
    """
    if not keyed and not isinstance(value, Mapping):
        value = {keys[0]: value}
    if not isinstance(value, Mapping) or set(value) != set(keys):
        got = f"values of {', '.join(map(str, value))}" if isinstance(value, Mapping) else f"{value!r:.80}"
        raise NasError(
            f"Expected values of {', '.join(keys)} from {name} but got {got}; directions name the values that a "
            "function returns as a dictionary, or the function itself if it returns one number."
        )
    return {key: _number(value[key], key) for key in keys}


def _number(value: Any, name: str) -> float:
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise NasError(f"Expected a number for {name} but got {value!r:.80}.") from error
    if not math.isfinite(number):
        raise NasError(f"Expected a finite number for {name} but got {number}.")
    return number
