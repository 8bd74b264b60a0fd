"""Optional packages: imported where they are needed, with an error message that says how to install them."""

from __future__ import annotations

import importlib
from types import ModuleType

from nas.core.errors import InputError


def optional(module: str, extra: str) -> ModuleType:
    """Import the module of an optional package. If that fails, raises `InputError`, which says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise InputError(
            f"Expected the package {package} but it cannot be imported ({error}); install it with "
            f"`pip install 'robust-nas[{extra}]'`."
        ) from error
