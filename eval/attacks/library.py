"""torchattacks, an optional package: whether it is installed, and whether its version can be used."""

from __future__ import annotations

import importlib
import logging
import re
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from types import ModuleType

from nas.core.errors import InputError
from nas.core.extras import optional

NAME = "torchattacks"  # of the package, and of the extra of this project that installs it
OLDEST = (3, 5, 1)  # 3.3.0 brings a copy of AutoAttack under the name of the authors' package


def torchattacks() -> ModuleType | None:
    """The package if it is installed and not too old, else None. If it is too old, a warning says so once."""
    try:
        found = importlib.import_module(NAME)
    except ImportError:
        return None
    if _version(found) >= OLDEST:
        return found
    warn_once(f"torchattacks {found.__version__} is installed, which is too old and is not used; {_advice()}.")
    return None


def required() -> ModuleType:
    """The package. Raises `InputError` if it is not installed or too old."""
    found = optional(NAME, NAME)
    if _version(found) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise InputError(f"Expected torchattacks {wanted} or newer but {found.__version__} is installed; {_advice()}.")
    return found


def ships(module: str) -> bool:
    """Whether the top-level `module` comes with torchattacks, as `autoattack` does with old versions.

    A warning says so once.
    """
    if module not in modules():
        return False
    warn_once(f"The package {module} here comes with an old torchattacks, not from its authors, and is not used.")
    return True


@lru_cache(maxsize=1)
def modules() -> frozenset[str]:
    """The top-level modules that were installed with torchattacks, whichever version it is; looked up once."""
    try:
        about = distribution(NAME)
    except PackageNotFoundError:
        return frozenset()
    return frozenset((about.read_text("top_level.txt") or "").split()) | {file.parts[0] for file in about.files or ()}


def _version(module: ModuleType) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", getattr(module, "__version__", "0"))[:3]))


def _advice() -> str:
    return f"`pip install --upgrade 'robust-nas[{NAME}]'` brings a newer one"


@lru_cache(maxsize=8)
def warn_once(text: str) -> None:
    """Log a warning that was not logged before in this process."""
    logging.getLogger("nas").warning(text)
