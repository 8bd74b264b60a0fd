"""Components are found in their folder or by entry points; for an unknown name the nearest one is suggested."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.bench import BENCHES
from nas.core import registry as module
from nas.core.data import LOADERS
from nas.core.errors import InputError
from nas.core.registry import (
    Reference,
    Registry,
    add_referenced,
    importable_additions,
    is_concrete_subclass,
    reference_of,
)
from nas.eval.attacks import ATTACKS
from nas.eval.corruptions.base import CORRUPTIONS
from nas.search_spaces import SPACES
from nas.strategies import STRATEGIES
from nas.strategies.predictors import PREDICTORS
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet import SUPERNET_STRATEGIES
from nas.strategies.supernet.mixing.mixtures import MIXTURES
from nas.strategies.supernet.mixing.noise import MIXTURE_NOISES
from nas.strategies.supernet.penalties import PENALTIES
from nas.strategies.supernet.perturbations import PERTURBATIONS
from nas.strategies.supernet.regularisers import REGULARISERS
from nas.train.methods import METHODS

BASE = """
from abc import ABC, abstractmethod
class Base(ABC):
    @abstractmethod
    def work(self): ...
"""
ONE = """
from shapes.base import Base
class One(Base):
    name = "one"
    def work(self): ...
class Nameless(Base):
    def work(self): ...
class Half(Base):
    name = "half"  # abstract
three = One
"""
TWO = """
from shapes.base import Base
from shapes.one import One
class Two(Base):
    name = "a-two"
    def work(self): ...
"""


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[Any]]:
    """A package with a component on each of two levels of folders."""
    (tmp_path / "shapes/deep").mkdir(parents=True)
    (tmp_path / "shapes/__init__.py").write_text("")
    (tmp_path / "shapes/base.py").write_text(BASE)
    (tmp_path / "shapes/one.py").write_text(ONE)
    (tmp_path / "shapes/deep/__init__.py").write_text("")
    (tmp_path / "shapes/deep/two.py").write_text(TWO)
    monkeypatch.syspath_prepend(str(tmp_path))
    from importlib import import_module

    base = import_module("shapes.base").Base
    yield Registry("shape", "shapes", "nas.shapes", is_concrete_subclass(base))
    for name in [name for name in sys.modules if name.partition(".")[0] == "shapes"]:
        del sys.modules[name]


def test_the_scan_finds_concrete_components_with_a_name(shapes: Registry[Any]) -> None:
    assert shapes.names() == ["a-two", "one"]  # sorted, on every level, each once
    assert shapes.get("a-two").__name__ == "Two"
    assert shapes.components["one"] is shapes.get("one")


def test_an_unknown_name_suggests_the_near_one_and_lists_all(shapes: Registry[Any]) -> None:
    with pytest.raises(InputError, match=r"Expected a shape but got 'onne' \(did you mean 'one'\?\)"):
        shapes.get("onne")
    with pytest.raises(InputError, match=r"got 'zzzzz'; available: a-two, one\."):
        shapes.get("zzzzz")


def test_entry_points_of_third_parties_are_added(shapes: Registry[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import import_module

    asked = []
    base = import_module("shapes.base").Base
    theirs = type("Theirs", (base,), {"name": "theirs", "work": lambda self: None})
    other = type("Other", (), {"name": "other"})  # a component of another registry of the same group

    def entry_points(group: str) -> list[SimpleNamespace]:
        asked.append(group)
        return [SimpleNamespace(name="whatever", load=lambda one=one: one) for one in (theirs, other)]

    monkeypatch.setattr(module, "entry_points", entry_points)
    assert shapes.get("theirs") is theirs
    assert shapes.names() == ["a-two", "one", "theirs"]
    assert shapes.unusable == {}
    assert asked == ["nas.shapes"]


def test_what_a_third_partys_component_lacks_is_said(shapes: Registry[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A base class may require more than it did when the other package was written."""
    from importlib import import_module

    half = type("Half", (import_module("shapes.base").Base,), {"name": "their-half"})
    entry = SimpleNamespace(name="whatever", load=lambda: half)
    monkeypatch.setattr(module, "entry_points", lambda group: [entry])
    assert shapes.names() == ["a-two", "one"]
    assert list(shapes.unusable) == ["their-half"]
    assert shapes._third_party == ([half], {}), "it could be imported"
    with pytest.raises(InputError, match="Expected the shape 'their-half' of an installed package to have work but"):
        shapes.get("their-half")
    with pytest.raises(InputError, match="Expected a shape but got 'their-hal'"):
        shapes.get("their-hal")


def test_a_package_that_cannot_be_imported_is_named_where_it_is_asked_for(
    shapes: Registry[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load() -> None:
        raise RuntimeError("a library\nis too old.")

    package = SimpleNamespace(name="their-package")
    entries = [
        SimpleNamespace(name="theirs", load=load, dist=package),
        SimpleNamespace(name="local", load=load, dist=None, module="their_module"),
    ]
    monkeypatch.setattr(module, "entry_points", lambda group: entries)
    assert shapes.names() == ["a-two", "one"]
    assert list(shapes.unusable) == ["theirs", "local"]
    reason = (
        "Expected the shape 'theirs' of the package their-package to be importable but got RuntimeError: a library "
    )
    with pytest.raises(InputError, match=f"^{reason}is too old; update or uninstall that package.$"):
        shapes.get("theirs")
    with pytest.raises(InputError, match="of the package their_module to be importable"):
        shapes.get("local")


def square(shapes: Registry[Any], name: str = "square") -> Any:
    """A component that another process cannot import."""
    base = next(iter(shapes.components.values())).__mro__[1]
    return type("Square", (base,), {"name": name, "work": lambda self: None})


def test_what_is_added_is_used_in_this_process(shapes: Registry[Any]) -> None:
    first, second = square(shapes), square(shapes)
    for component in (first, second):  # the second replaces the first
        shapes.add(component)
        assert shapes.get("square") is component
    assert shapes.names() == ["a-two", "one", "square"]
    assert list(shapes.installed) == ["a-two", "one"]
    with pytest.raises(InputError, match="Expected a new name for the shape but 'one' is installed"):
        shapes.add(square(shapes, "one"))


def test_what_values_mention_is_found_as_words(shapes: Registry[Any]) -> None:
    shapes.add(square(shapes))
    for values in ("square", {"a": ["b+square:min"]}, {"proxies.square.x": 1}, ["square20"]):
        assert list(shapes.mentioned(values)) == ["square"]
    for values in ("squares", {"a": ["my_square"]}, [None, 1], "one"):
        assert not shapes.mentioned(values)


def test_another_process_adds_what_it_can_import(shapes: Registry[Any], tmp_path: Path) -> None:
    (tmp_path / "ours.py").write_text(
        "from shapes.base import Base\nclass Outer:\n  class Ours(Base):\n    name = 'ours'\n    def work(self): ..."
    )
    from importlib import import_module

    ours = import_module("ours").Outer.Ours
    shapes.add(ours)
    shapes.add(square(shapes))
    assert reference_of(ours) == Reference("ours", "Outer.Ours")
    assert reference_of(shapes.get("square")) is None
    assert [place for place in importable_additions() if place.module == "ours"] == [Reference("ours", "Outer.Ours")]
    shapes.added.clear()
    vars(shapes).pop("components")
    add_referenced([Reference("ours", "Outer.Ours")])
    assert shapes.get("ours") is ours


@pytest.mark.parametrize(
    ("registry", "group"),
    [
        (SPACES, "nas.search_spaces"),
        (STRATEGIES, "nas.strategies"),
        (PROXIES, "nas.proxies"),
        (PREDICTORS, "nas.predictors"),
        (SUPERNET_STRATEGIES, "nas.rnas"),  # the group of other packages, whatever the folder is called
        (REGULARISERS, "nas.rnas"),
        (PERTURBATIONS, "nas.rnas"),
        (PENALTIES, "nas.rnas"),
        (MIXTURES, "nas.rnas"),
        (MIXTURE_NOISES, "nas.rnas"),
        (METHODS, "nas.methods"),
        (ATTACKS, "nas.attacks"),
        (CORRUPTIONS, "nas.corruptions"),
        (LOADERS, "nas.data"),
        (BENCHES, "nas.bench"),
    ],
)
def test_every_kind_has_its_own_group(registry: Registry[Any], group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names, asked = registry.names(), []

    def entry_points(group: str) -> list[Any]:
        asked.append(group)
        return []

    monkeypatch.setattr(module, "entry_points", entry_points)
    assert Registry(registry.kind, registry.package, registry.group, registry.is_component).names() == names
    assert asked == [group]


def test_names_are_those_of_the_components() -> None:
    for registry in (SPACES, STRATEGIES, PROXIES, BENCHES):
        assert registry.names()
        for name, component in registry.components.items():
            assert component.name == name


def test_is_concrete_subclass_asks_for_all_three() -> None:
    class Base(ABC):
        @abstractmethod
        def work(self) -> None: ...

    class Whole(Base):
        name = "whole"

        def work(self) -> None: ...

    class Nameless(Whole):
        name = None  # type: ignore[assignment]

    class Half(Base):
        name = "half"

    class Other:
        name = "other"

    check = is_concrete_subclass(Base)
    assert check(Whole)
    assert not any(map(check, (Base, Nameless, Half, Other, Whole(), "whole", None)))
