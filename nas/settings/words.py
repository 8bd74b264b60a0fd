"""The words of a command: overrides (`key=value`), and others such as architectures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nas.core.config import OVERRIDE
from nas.core.errors import InputError

_GENOTYPE = re.compile(r"(?!arch=)\w+=\s*Genotype\s*\(", re.IGNORECASE)


def sorted_words(words: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """(overrides, others). `Genotype(normal=...)` is no override: its key would not be a word; nor is one with a name
    before it, as in a file of them: `MINE=Genotype(normal=...)`."""
    overrides: list[str] = []
    others: list[str] = []
    for word in words or []:
        (overrides if OVERRIDE.match(word) and not _GENOTYPE.match(word) else others).append(word)
    return overrides, others


def only_overrides(words: Sequence[str] | None) -> list[str]:
    overrides, others = sorted_words(words)
    if others:
        raise InputError(f"Expected overrides of the form key=value but got {others[0]!r}.")
    return overrides
