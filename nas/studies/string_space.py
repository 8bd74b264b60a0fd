"""A search space in which every string is a class of its own, as in published comparisons that count strings."""

from __future__ import annotations

from functools import cache
from typing import Any

from nas.search_spaces import SearchSpace


@cache
def string_space(space: SearchSpace[Any]) -> SearchSpace[Any]:
    """The space with `canonical(arch) = arch`; everything else is as in `space`."""
    return _kind(type(space))()


@cache
def _kind(kind: type[SearchSpace[Any]]) -> type[SearchSpace[Any]]:
    return type(f"{kind.__name__}OfStrings", (_Strings, kind), {"of": kind})


class _Strings:
    """The part of such a space that differs; it is pickled by the space that it was made from."""

    of: type[SearchSpace[Any]]

    def canonical(self, arch: Any) -> Any:
        return arch

    def __reduce__(self) -> tuple[Any, ...]:
        return string_space, (self.of(),)
