"""Find components by name: built-in ones by scanning a package, third-party ones through entry points.

Those that were added to a registry of this process are known in no other one, but workers add those that they can
import as well.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import entry_points
from operator import attrgetter
from types import GenericAlias
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakSet

from nas.core.errors import InputError
from nas.core.importing import import_named
from nas.core.suggestions import suggest

T = TypeVar("T")

MAIN = ("__main__", "__mp_main__")  # names of the module that a process runs, which no other process can import


class Registry(Generic[T]):
    """All components of one kind, keyed by their own `name` attribute.

    Every module of `package` is imported on first use and the objects that satisfy `is_component` are collected;
    importing a component therefore has no side effect. Third parties add theirs in the entry-point group `group`, which
    keeps its name even if the package moves.
    """

    def __init__(self, kind: str, package: str, group: str, is_component: Callable[[Any], bool]) -> None:
        self.kind = kind
        self.package = package
        self.group = group
        self.is_component = is_component
        self.added: dict[str, T] = {}  # components added to this process, by name
        _registries.add(self)

    @cached_property
    def components(self) -> dict[str, T]:
        """Everything that can be used, by name."""
        return dict(sorted({**self.installed, **self.added}.items()))

    def add(self, component: Any) -> None:
        """Let this process use a component, in place of one that was added under the same name before.

        Raises InputError if an installed component has its name.
        """
        if component.name in self.installed:
            raise InputError(
                f"Expected a new name for the {self.kind} but {component.name!r} is installed; choose another name."
            )
        self.added[component.name] = component
        self.__dict__.pop("components", None)

    def mentioned(self, values: object) -> dict[str, T]:
        """The added components whose names, maybe with a number after them, are words of these values."""
        text = repr(values) if self.added else ""
        names = [name for name in self.added if re.search(rf"(?<!\w){re.escape(name)}\d*(?!\w)", text)]
        return {name: self.added[name] for name in names}

    @cached_property
    def installed(self) -> dict[str, T]:
        """The components of this project and of other packages, by name."""
        components: dict[str, T] = {}
        root = importlib.import_module(self.package)
        for info in pkgutil.walk_packages(root.__path__, self.package + "."):
            for value in vars(importlib.import_module(info.name)).values():
                if self.is_component(value):
                    components[value.name] = value
        for value in self._third_party[0]:
            if self.is_component(value):  # several registries may share a group
                components[value.name] = value
        return dict(sorted(components.items()))

    @cached_property
    def unusable(self) -> dict[str, str]:
        """Third-party components that cannot be used: name to a sentence that says why, and what to do."""
        loaded, reasons = self._third_party[0], dict(self._third_party[1])
        for value in loaded:
            missing = sorted(getattr(value, "__abstractmethods__", ()))
            name = getattr(value, "name", None)
            if missing and isinstance(name, str):
                lacking = self.lacking(f"{name!r} of an installed package", missing)
                reasons[name] = f"{lacking}; update that package to suit this version."
        return reasons

    def lacking(self, name: str, missing: list[str]) -> str:
        """The start of a sentence about a component that does not have all that this version needs."""
        return f"Expected the {self.kind} {name} to have {', '.join(missing)} but it does not"

    @property
    def base(self) -> type | None:
        """The class of which components are subclasses; None if they are objects."""
        return getattr(self.is_component, "base", None)

    @cached_property
    def _third_party(self) -> tuple[list[Any], dict[str, str]]:
        """What the entry points of the group give; and by name, why other entry points cannot be imported."""
        loaded: list[Any] = []
        reasons: dict[str, str] = {}
        for entry in entry_points(group=self.group):
            try:
                loaded.append(entry.load())
            except Exception as error:  # whatever the code of another package raises while it is imported
                package = entry.dist.name if entry.dist is not None else entry.module
                reason = " ".join(str(error).split()).rstrip(".")
                reasons[entry.name] = (
                    f"Expected the {self.kind} {entry.name!r} of the package {package} to be importable but got "
                    f"{type(error).__name__}: {reason}; update or uninstall that package."
                )
        return loaded, reasons

    def names(self) -> list[str]:
        return list(self.components)

    def get(self, name: str) -> T:
        """The component called `name`.

        Raises InputError if there is none (and suggests the most similar name), or if it is third-party and cannot be
        used.
        """
        if name in self.components:
            return self.components[name]
        if name in self.unusable:
            raise InputError(self.unusable[name])
        article = "an" if self.kind[0] in "aeiou" else "a"
        raise InputError(
            f"Expected {article} {self.kind} but got {name!r}{suggest(name, self.names())}; "
            f"available: {', '.join(self.names())}."
        )


_registries: WeakSet[Registry[Any]] = WeakSet()  # all registries of this process


class Reference(NamedTuple):
    """Where another process finds a component."""

    module: str
    path: str  # of the attribute


def reference_of(component: Any) -> Reference | None:
    """Where another process finds the component; None if it cannot be imported.

    A component that a decorator made of a function (`compute`) is found where that function was written.
    """
    written = component if isinstance(component, type) else getattr(component, "compute", component)
    place = Reference(getattr(written, "__module__", MAIN[0]), getattr(written, "__qualname__", ""))
    module = sys.modules.get(place.module)
    if place.module in MAIN or getattr(module, "__spec__", None) is None:
        return None
    for path in (place.path, *vars(module)):
        try:
            if attrgetter(path)(module) is component:
                return Reference(place.module, path)
        except AttributeError:  # it is defined within a function
            continue
    return None


def importable_additions() -> list[Reference]:
    """Where other processes find what was added to the registries of this process."""
    added = [component for registry in _registries for component in registry.added.values()]
    return [place for place in map(reference_of, added) if place is not None]


def add_referenced(references: list[Reference]) -> None:
    """Import components of another process, and add each to the registry for its kind."""
    for module, path in references:
        component = import_named(module, path)
        for registry in list(_registries):
            if registry.is_component(component):
                registry.add(component)


class _IsConcreteSubclass:
    def __init__(self, base: type) -> None:
        self.base = base

    def __call__(self, value: Any) -> bool:
        return (
            isinstance(value, type)
            and not isinstance(value, GenericAlias)  # tuple[float, ...] counts as a type in Python 3.10
            and issubclass(value, self.base)
            and not getattr(value, "__abstractmethods__", None)
            and isinstance(getattr(value, "name", None), str)
        )


def is_concrete_subclass(base: type) -> Callable[[Any], bool]:
    """An `is_component` for `Registry`: it accepts concrete subclasses of `base` that have a name."""
    return _IsConcreteSubclass(base)
