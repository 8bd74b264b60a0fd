"""Conditions under which settings have an effect: declared beside the code that reads the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Condition:
    """When one key of a section has an effect. A key without a condition always has an effect.

    `holds` takes the section's settings; for an option of a strategy, it takes the strategy's options and the search
    space. `words` is what follows "has no effect", such as "without eval.sweep", or a function of the settings that
    returns it.
    """

    holds: Callable[..., bool]
    words: str | Callable[[Any], str]

    def why(self, section: Any) -> str:
        """Why the key has no effect, in words that follow "has no effect"."""
        return self.words if isinstance(self.words, str) else self.words(section)


def chosen(section: str, key: str, *values: str) -> Condition:
    """The condition of a key that has an effect only with these `values` of another key: `gamma` with `step`."""

    def words(settings: Any) -> str:
        name = getattr(settings, "section", section)
        return f"with {name}.{key}={getattr(settings, key)} (only with {either(values)})"

    return Condition(lambda settings, *_: getattr(settings, key) in values, words)


def conditions_of(component: Any) -> Mapping[str, Condition]:
    """The conditions that a component (a strategy) states for its options, by key.

    Conditions of a base class do not count: a subclass of a third party may read an option that its base ignores.
    """
    return vars(component).get("conditions", {})


def may_read(component: Any, key: str) -> bool:
    """Whether a component (a training method, an attack, a data set) may read the key.

    It may, unless it has a list `reads` without this key. The list of a base class does not count: see `conditions_of`.
    """
    reads = vars(component).get("reads")
    return reads is None or key in reads


def readers(components: Mapping[str, Any], key: str) -> list[str]:
    """The names of the components whose list `reads` has the key."""
    return [name for name, one in components.items() if key in (vars(one).get("reads") or ())]


def either(words: Any) -> str:
    """`a`, `a or b`, `a, b or c`."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
