"""Robust neural architecture search: from a search space to a robustness number.

The parts live in top-level folders (`search_spaces`, `strategies`, ...) and are installed under this one name, so
that a user's own `train.py` or `eval.py` never shadows them.
"""

from pathlib import Path as _Path

__version__ = "0.1.0"

# In a checkout the folder `./nas` comes before an ordinary install on the path; the parts stand beside it then.
_root = _Path(__file__).resolve().parent.parent
if (_root / "setup.cfg").is_file() and (_root / "search_spaces").is_dir():
    __path__.append(str(_root))
