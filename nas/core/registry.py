"""Find components by name: built-in ones by scanning a package, third-party ones through entry points."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import entry_points
from types import GenericAlias
from typing import Any, Generic, TypeVar

from nas.core.errors import InputError
from nas.core.suggestions import suggest

T = TypeVar("T")


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

    @cached_property
    def components(self) -> dict[str, T]:
        """Everything that can be used, by name."""
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
                reasons[name] = (
                    f"Expected the {self.kind} {name!r} of an installed package to have {', '.join(missing)} but it "
                    "does not; update that package to suit this version."
                )
        return reasons

    @cached_property
    def _third_party(self) -> tuple[list[Any], dict[str, str]]:
        """What the entry points of the group give; and by name, why others cannot be imported."""
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


def is_concrete_subclass(base: type) -> Callable[[Any], bool]:
    """An `is_component` for `Registry`: it accepts concrete subclasses of `base` that have a name."""

    def check(value: Any) -> bool:
        return (
            isinstance(value, type)
            and not isinstance(value, GenericAlias)  # tuple[float, ...] counts as a type in Python 3.10
            and issubclass(value, base)
            and not getattr(value, "__abstractmethods__", None)
            and isinstance(getattr(value, "name", None), str)
        )

    return check
