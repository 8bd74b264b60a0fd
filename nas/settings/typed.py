"""Settings from what a user typed: a `key=value` of this call that cannot act is refused.

What a recipe, a file or a run's `config.json` says is not looked at: it may serve several commands.
"""

from __future__ import annotations

from nas.core import config
from nas.core.data import ALL
from nas.core.errors import InputError
from nas.settings import schema as schema
from nas.settings.conditions import ineffective
from nas.settings.reader import Reader
from nas.settings.schema import Settings


def load(reader: Reader, name: str, overrides: list[str]) -> Settings:
    """`settings.load` for a command whose user typed the overrides; `InputError` where one cannot act."""
    return from_values(reader, schema.values_of(name), overrides)


def from_values(reader: Reader, values: config.Values, overrides: list[str]) -> Settings:
    """`settings.from_values`, likewise."""
    settings = schema.from_values(values, overrides)
    if settings.data.test == ALL and reader.needs_training_images:
        raise InputError(
            f"Expected data.test=part for nas {reader.command}, which needs training images, but got data.test=all; "
            "only nas eval and nas transfer can do without."
        )
    typed = config.flat(config.override({}, schema.in_full(values, overrides), type(settings)))
    said, usual = config.flat(values), config.flat(config.plain(type(settings)()))
    now = config.flat(config.plain(settings))
    undone = {key for key in typed if now[key] == usual[key] != said.get(key, usual[key])}  # takes back what was said
    if any(text.startswith("objective.") for text in overrides):
        undone.add("search.objective")  # says whose option it is
    found = ineffective(reader, settings, [key for key in typed if key not in undone])
    if found:
        listed = "; ".join(f"{key} has no effect {why}" for key, why in found.items())
        raise InputError(
            f"Expected only settings that act in this call but {listed}; leave out what has no effect, or set what it "
            "needs."
        )
    return settings
