"""Robust neural architecture search: from a search space to a robustness number.

The parts live in top-level folders (`search_spaces`, `strategies`, ...) and are installed under this one name, so
that a user's own `train.py` or `eval.py` never shadows them.
"""

from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING

from nas.version import __version__ as __version__

if _TYPE_CHECKING:
    from nas.train.exported import load as load

# In a checkout the folder `./nas` comes before an ordinary install on the path; the parts stand beside it then.
_root = _Path(__file__).resolve().parent.parent
if (_root / "setup.cfg").is_file() and (_root / "search_spaces").is_dir():
    __path__.append(str(_root))


def __getattr__(name: str) -> object:
    """Names that are imported when they are first asked for: `nas.load(FOLDER)`, the network of an exported folder."""
    if name == "load":
        from nas.train.exported import load

        return load
    raise AttributeError(f"module 'nas' has no attribute {name!r}")
