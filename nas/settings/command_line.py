"""Settings from the words of a command line: a `key=value` that cannot have an effect in that call is refused.

What a recipe, a file or a run's `config.json` contains is not checked for that: it may serve several commands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nas.core import config
from nas.core.data import ALL
from nas.core.errors import InputError
from nas.settings import schema as schema
from nas.settings.no_effect import refuse_ineffective
from nas.settings.reader import Reader
from nas.settings.schema import Settings

_GENOTYPE = re.compile(r"(?!arch=)\w+=\s*Genotype\s*\(", re.IGNORECASE)


def load(reader: Reader, recipe: str, words: Sequence[str] | None) -> Settings:
    """`schema.load` for the overrides that a user typed for a command.

    Raises InputError if `schema.load` does, or if a word is no override or has no effect in the command.
    """
    return from_values(reader, schema.values_of(recipe), words)


def from_values(reader: Reader, values: config.Values, words: Sequence[str] | None) -> Settings:
    """`schema.from_values` for the overrides that a user typed for a command.

    Raises InputError if `schema.from_values` does, or if a word is no override or has no effect in the command.
    """
    overrides = only_overrides(words)
    settings = schema.from_values(values, overrides, reader.proxies)
    if settings.data.test == ALL and reader.needs_training_images:
        raise InputError(
            f"Expected data.test=part for nas {reader.command}, which needs training images, but got data.test=all; "
            "only nas eval and nas transfer need none."
        )
    given = config.flat(config.override({}, schema.with_full_keys(values, overrides), type(settings)))
    before, default = config.flat(values), config.flat(config.plain(type(settings)()))
    now = config.flat(config.plain(settings))
    reset = {key for key in given if now[key] == default[key] != before.get(key, default[key])}  # to their defaults
    if any(text.startswith("objective.") for text in overrides):
        reset.add("search.objective")  # here it only tells which proxy has the option
    refuse_ineffective(reader, settings, [key for key in given if key not in reset])
    return settings


def sorted_words(words: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The words of a command line in two lists: overrides (`key=value`), and others such as architectures.

    `Genotype(normal=...)` is no override, nor is `MINE=Genotype(normal=...)`, as written in a file of architectures.
    """
    overrides: list[str] = []
    others: list[str] = []
    for word in words or []:
        (overrides if config.OVERRIDE.match(word) and not _GENOTYPE.match(word) else others).append(word)
    return overrides, others


def only_overrides(words: Sequence[str] | None) -> list[str]:
    """The words, all of which are overrides. Raises InputError if one is not."""
    overrides, others = sorted_words(words)
    if others:
        raise InputError(f"Expected overrides of the form key=value but got {others[0]!r}.")
    return overrides
