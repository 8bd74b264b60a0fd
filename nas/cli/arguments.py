"""The words of a command: configurations, overrides (`key=value`), and others such as architectures."""

from __future__ import annotations

import typer

from nas.core.config import OVERRIDE
from nas.core.errors import InputError

Config = typer.Argument(..., metavar="CONFIG", help="A recipe (see `nas list configs`) or a path to a .yaml file.")
Overrides = typer.Argument(None, metavar="[KEY=VALUE]...", help="Settings that differ.")


def sorted_words(words: list[str] | None) -> tuple[list[str], list[str]]:
    """(overrides, others). `Genotype(normal=...)` is no override: its key would not be a word."""
    words = words or []
    return [w for w in words if OVERRIDE.match(w)], [w for w in words if not OVERRIDE.match(w)]


def only_overrides(words: list[str] | None) -> list[str]:
    overrides, others = sorted_words(words)
    if others:
        raise InputError(f"Expected overrides of the form key=value but got {others[0]!r}.")
    return overrides
