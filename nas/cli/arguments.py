"""Sort a command's words into overrides (`key=value`) and others, such as architectures."""

from __future__ import annotations

from nas.core.config import OVERRIDE
from nas.core.errors import InputError


def sorted_words(words: list[str] | None) -> tuple[list[str], list[str]]:
    """(overrides, others). `Genotype(normal=...)` is no override: its key would not be a word."""
    words = words or []
    return [w for w in words if OVERRIDE.match(w)], [w for w in words if not OVERRIDE.match(w)]


def only_overrides(words: list[str] | None) -> list[str]:
    overrides, others = sorted_words(words)
    if others:
        raise InputError(f"Expected overrides of the form key=value but got {others[0]!r}.")
    return overrides
