"""What `import nas` offers: its names, their arguments, and how soon it is there."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import nas
from nas import api

EVERY_VERB = {"settings", "seed", "device", "run", "workers", "progress"}
WITHOUT = {  # what takes fewer of these arguments, and why
    "compare": EVERY_VERB,  # it computes nothing but statistics
    "load": EVERY_VERB - {"device"},  # it reads a file
    "open_run": EVERY_VERB - {"run"},  # it reads files
    "open_tables": EVERY_VERB,  # it reads files
    "open_search": {"device", "workers", "progress"},  # the caller evaluates
    "rank_correlation": EVERY_VERB - {"seed"},  # it computes nothing but statistics
    "register": EVERY_VERB,  # it does no work
    "resume": {"seed", "device"},  # those of the run
    "space": EVERY_VERB,  # it does no work
    "table_search": {"device", "run"},  # it looks up, and leaves no folder
}


def _functions() -> list[str]:
    return [name for name in dir(nas) if inspect.isfunction(getattr(nas, name))]


def test_dir_shows_the_face() -> None:
    assert sorted(dir(nas)) == sorted([*_functions(), "__version__"])
    assert set(_functions()) <= set(api.__all__)
    assert {"compare", "load", "open_run", "open_tables", "resume", "score", "search", "space"} <= set(_functions())


def test_no_function_has_the_name_of_a_package_or_module() -> None:
    assert not {module.name for module in pkgutil.iter_modules(nas.__path__)} & set(dir(nas))


@pytest.mark.parametrize("name", _functions())
def test_every_verb_takes_the_same_arguments(name: str) -> None:
    parameters = inspect.signature(getattr(nas, name)).parameters
    assert EVERY_VERB - set(parameters) == WITHOUT.get(name, set())


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'serach'"):
        nas.serach  # noqa: B018


def test_the_import_is_quick_and_leaves_torch_alone(tmp_path: Path) -> None:
    script = """import sys, time
began = time.process_time()
import nas
took = time.process_time() - began
assert "torch" not in sys.modules and "numpy" not in sys.modules
assert took < .2, took
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
