"""Import a function or class by its name; importing its module runs the code of whoever wrote it."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def import_named(module: str, path: str, folder: str | None = None) -> Any:
    """The object with the dotted name `path` in the module; modules in `folder` can be imported from then on.

    Raises whatever the module raises, and AttributeError if it has nothing of that name.
    """
    if folder is not None and folder not in sys.path:
        sys.path.insert(0, folder)
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found
