"""Packages that only some commands need: imported when they are needed, and named when they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from nas.core.errors import InputError


def optional(module: str, extra: str) -> ModuleType:
    """The module of an optional package; `InputError` says which extra of this project installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise InputError(
            f"Expected the package {package} but it cannot be imported ({error}); install it with "
            f"`pip install 'robust-nas[{extra}]'`."
        ) from error
