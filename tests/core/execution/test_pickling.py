"""What workers cannot import is refused with a sentence that names it."""

from __future__ import annotations

import pickle
import sys
from functools import partial
from types import ModuleType

import pytest

from nas.core.errors import InputError
from nas.core.execution.pickling import dumps


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script or notebook with a function and a class."""
    module = ModuleType("__main__")
    exec("def double(x): return 2 * x\nclass Thing: pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


def test_what_can_be_imported_is_pickled() -> None:
    assert pickle.loads(dumps((len, {"a": [1, 2.0]}, partial(int, "3"))))[2]() == 3


def test_what_stands_in_the_script_itself_is_named(main: ModuleType) -> None:
    for thing in (main.double, partial(main.double, 1), [main.Thing], {"key": main.Thing()}):
        with pytest.raises(
            InputError, match=r"^Expected only what workers can import but (double|Thing) is defined in"
        ):
            dumps(thing)


def test_what_stands_in_a_function_is_named() -> None:
    for thing in (lambda: 0, type("Local", (), {})(), (item for item in "abc")):
        with pytest.raises(
            InputError, match=r"^Expected only what workers can import or read but.*at the top level of"
        ):
            dumps(thing)
