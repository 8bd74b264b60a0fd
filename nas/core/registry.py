"""Find components by name: built-in ones by scanning a package, third-party ones through entry points."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import entry_points
from types import GenericAlias
from typing import Any, Generic, TypeVar

from nas.core.errors import InputError

T = TypeVar("T")


def suggest(name: str, known: list[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known name, or nothing."""
    near = difflib.get_close_matches(name[:200], known, n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


class Registry(Generic[T]):
    """All components of one kind, keyed by their own `name` attribute.

    Every module of `package` is imported on first use and the objects that satisfy `is_component` are collected;
    importing a component therefore has no side effect. Third parties add theirs in the entry-point group `group`,
    whose name does not change where the package moves.
    """

    def __init__(self, kind: str, package: str, group: str, is_component: Callable[[Any], bool]) -> None:
        self.kind = kind
        self.package = package
        self.group = group
        self.is_component = is_component

    @cached_property
    def components(self) -> dict[str, T]:
        found: dict[str, T] = {}
        root = importlib.import_module(self.package)
        for info in pkgutil.walk_packages(root.__path__, self.package + "."):
            module = importlib.import_module(info.name)
            for value in vars(module).values():
                if self.is_component(value):
                    found[value.name] = value
        for entry in entry_points(group=self.group):
            value = entry.load()
            if self.is_component(value):  # several registries may share a group
                found[value.name] = value
        return dict(sorted(found.items()))

    def names(self) -> list[str]:
        return list(self.components)

    def get(self, name: str) -> T:
        """The component called `name`; `InputError` with the nearest name where there is none."""
        if name in self.components:
            return self.components[name]
        unfinished = self._unfinished(name)
        if unfinished:
            raise InputError(
                f"Expected the {self.kind} {name!r} of an installed package to have {', '.join(unfinished)} but it "
                "does not; update that package: the base class asks for it now."
            )
        article = "an" if self.kind[0] in "aeiou" else "a"
        raise InputError(
            f"Expected {article} {self.kind} but got {name!r}{suggest(name, self.names())}; "
            f"available: {', '.join(self.names())}."
        )

    def _unfinished(self, name: str) -> list[str]:
        """What a third party's component of that name lacks, where it is left out for this."""
        group = entry_points(group=self.group)
        for value in (entry.load() for entry in group):
            if getattr(value, "name", None) == name and isinstance(value, type):
                return sorted(getattr(value, "__abstractmethods__", ()))
        return []


def is_concrete_subclass(base: type) -> Callable[[Any], bool]:
    """A test for `Registry`: concrete subclasses of `base` that carry a name."""

    def check(value: Any) -> bool:
        return (
            isinstance(value, type)
            and not isinstance(value, GenericAlias)  # tuple[float, ...] counts as a type in Python 3.10
            and issubclass(value, base)
            and not getattr(value, "__abstractmethods__", None)
            and isinstance(getattr(value, "name", None), str)
        )

    return check
