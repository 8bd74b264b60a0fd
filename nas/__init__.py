"""Robust neural architecture search: from a search space to a robustness number.

The top-level folders (`search_spaces`, `strategies`, ...) are installed as parts of this package, so that a user's own
`train.py` or `eval.py` never shadows them.
"""

from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING

from nas.version import __version__ as __version__

if _TYPE_CHECKING:
    from nas.train.exported import load as load

# In a checkout, Python imports `./nas`, not the installed package; the parts of the package are the folders beside it.
_root = _Path(__file__).resolve().parent.parent
if (_root / "setup.cfg").is_file() and (_root / "search_spaces").is_dir():
    __path__.append(str(_root))


def __getattr__(name: str) -> object:
    """Import a name when it is first used: `nas.load(FOLDER)` returns the network of an exported folder."""
    if name == "load":
        from nas.train.exported import load

        return load
    raise AttributeError(f"module 'nas' has no attribute {name!r}")
