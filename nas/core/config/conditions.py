"""When a setting has an effect: declared beside what reads it, asked for where a user types one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Condition:
    """When one key of a section has an effect.

    `holds` tells it of the section's settings (of a strategy's options: of them and of the search space). `words`
    follow "has no effect" in a message and say what is missing: "without eval.sweep"; they may be a function of the
    settings. A key without a condition always has an effect.
    """

    holds: Callable[..., bool]
    words: str | Callable[[Any], str]

    def why(self, section: Any) -> str:
        """What is missing, in words."""
        return self.words if isinstance(self.words, str) else self.words(section)


def chosen(section: str, key: str, *values: str) -> Condition:
    """For a key that belongs to some values of another key of its section: `gamma` to `schedule` step."""

    def words(settings: Any) -> str:
        name = getattr(settings, "section", section)
        return f"with {name}.{key}={getattr(settings, key)} (only with {either(values)})"

    return Condition(lambda settings, *_: getattr(settings, key) in values, words)


def conditions_of(component: Any) -> Mapping[str, Condition]:
    """The conditions that a component (a strategy) states for its options, by key.

    Those of a class it inherits from do not count: what a third party derives may read what its parent leaves alone.
    """
    return vars(component).get("conditions", {})


def may_read(component: Any, key: str) -> bool:
    """Whether a component (a training method, an attack, a data set) may read the key.

    It may unless its own `reads` lists keys and this is none of them; a list is not inherited, for the same reason.
    """
    reads = vars(component).get("reads")
    return reads is None or key in reads


def readers(components: Mapping[str, Any], key: str) -> list[str]:
    """The names of the components that say that they read the key."""
    return [name for name, one in components.items() if key in (vars(one).get("reads") or ())]


def either(words: Any) -> str:
    """a, b or c"""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
