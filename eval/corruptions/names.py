"""The types of corruption that a list of names selects: types, groups, `all` (the benchmark's fifteen), `extra`."""

from __future__ import annotations

from collections.abc import Sequence

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.eval.corruptions.base import CORRUPTIONS, SEVERITIES

GROUPS = ("noise", "blur", "weather", "digital")  # the benchmark's groups: brightness belongs to weather
ALL, EXTRA = "all", "extra"


def types_of(name: str) -> list[str]:
    """The types that one name selects; a group has only types of the benchmark. Raises `InputError` for other names."""
    known = sorted(CORRUPTIONS.components.values(), key=lambda kind: (_group_number(kind.group), kind.name))
    if name in (ALL, EXTRA):
        return [kind.name for kind in known if kind.extra == (name == EXTRA)]
    if name in GROUPS:
        return [kind.name for kind in known if kind.group == name and not kind.extra]
    if name in CORRUPTIONS.names():
        return [name]
    words = [ALL, EXTRA, *GROUPS]
    raise InputError(
        f"Expected a corruption but got {name!r}{suggest(name, [*CORRUPTIONS.names(), *words])}; "
        f"available: {', '.join(CORRUPTIONS.names())}; groups: {', '.join(words)}."
    )


def _group_number(group: str) -> int:
    return GROUPS.index(group) if group in GROUPS else len(GROUPS)


def select_types(names: Sequence[str]) -> list[str]:
    """The types that the names select, each once, in the order of the names. Raises `InputError` like `types_of`."""
    return list(dict.fromkeys(kind for name in names for kind in types_of(name)))


def check_severities(severities: Sequence[int]) -> None:
    """Raise `InputError` unless there is at least one severity, each is from 1 to 5, and none is there twice."""
    if not severities or len(set(severities)) != len(severities) or not set(severities) <= set(SEVERITIES):
        raise InputError(
            f"Expected severities from 1 to 5, each once, but got {', '.join(map(str, severities)) or 'none'}; "
            "1,2,3,4,5 is the benchmark."
        )
