"""Pickle what a worker needs, all of which it must be able to import."""

from __future__ import annotations

import io
import pickle
from types import FunctionType
from typing import Any

from nas.core.errors import InputError
from nas.core.registry import MAIN


def dumps(thing: Any) -> bytes:
    """The pickled object.

    Raises InputError, which names the part, if it contains a class or function that another process cannot import:
    one of a script or notebook itself, or one that is defined within a function.
    """
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(thing)
    except InputError:
        raise
    except Exception as error:  # whatever foreign code may raise
        raise InputError(
            f"Expected only what workers can import or read but: {' '.join(str(error).split())}; define it at the top "
            "level of a module, or leave workers at 1."
        ) from error
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, (type, FunctionType)) and thing.__module__ in MAIN:
            raise InputError(
                f"Expected only what workers can import but {thing.__qualname__} is defined in the script or notebook "
                "itself; move it into a module (a .py file), import it from there, or leave workers at 1."
            )
        return NotImplemented
