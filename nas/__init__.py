"""Robust neural architecture search: from a search space to a robustness number.

The top-level folders (`search_spaces`, `strategies`, ...) are installed as parts of this package, so that a user's own
`train.py` or `eval.py` never shadows them.
"""

from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING

from nas.version import __version__ as __version__

if _TYPE_CHECKING:
    from nas.api import compare as compare
    from nas.api import evaluate as evaluate
    from nas.api import load as load
    from nas.api import open_run as open_run
    from nas.api import open_search as open_search
    from nas.api import open_tables as open_tables
    from nas.api import rank_correlation as rank_correlation
    from nas.api import register as register
    from nas.api import resume as resume
    from nas.api import score as score
    from nas.api import search as search
    from nas.api import space as space
    from nas.api import table_search as table_search
    from nas.api import train_model as train_model

# In a checkout, Python imports `./nas`, not the installed package; its other parts are the folders beside `./nas`.
_root = _Path(__file__).resolve().parent.parent
if (_root / "setup.cfg").is_file() and (_root / "search_spaces").is_dir():
    __path__.append(str(_root))


_FACE = (  # names of `nas.api`, which is not imported earlier because it imports torch
    *("compare", "evaluate", "load", "open_run", "open_search", "open_tables", "rank_correlation"),
    *("register", "resume", "score", "search", "space", "table_search", "train_model"),
)


def __getattr__(name: str) -> object:
    """Import a name of `nas.api` when it is first used."""
    if name in _FACE:
        from nas import api

        return getattr(api, name)
    raise AttributeError(f"module 'nas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_FACE, "__version__"])
