"""The words of a command: configurations, overrides (`key=value`), and others such as architectures."""

from __future__ import annotations

import re

import typer

from nas.core.config import OVERRIDE, expanded
from nas.core.errors import InputError

Config = typer.Argument(..., metavar="CONFIG", help="A recipe (see `nas list configs`) or a path to a .yaml file.")
Overrides = typer.Argument(None, metavar="[KEY=VALUE]...", help="Settings that differ.")


_GENOTYPE = re.compile(r"(?!arch=)\w+=\s*Genotype\s*\(", re.IGNORECASE)
_OPTION = re.compile(r"(--[\w-]+=)?(~.*)", re.DOTALL)


def with_home(word: str) -> str:
    """A word of the command line with the home folder for a `~` at its beginning or that of the option's value.

    The shell does so for the first but not for `--output=~/file`, nor where the word is quoted. No word that is no path
    begins so. Of `key=value` the settings know which are paths.
    """
    match = _OPTION.fullmatch(word)
    return word if match is None else (match[1] or "") + expanded(match[2])


def sorted_words(words: list[str] | None) -> tuple[list[str], list[str]]:
    """(overrides, others). `Genotype(normal=...)` is no override: its key would not be a word; nor is one with a name
    before it, as in a file of them: `MINE=Genotype(normal=...)`."""
    overrides: list[str] = []
    others: list[str] = []
    for word in words or []:
        (overrides if OVERRIDE.match(word) and not _GENOTYPE.match(word) else others).append(word)
    return overrides, others


def only_overrides(words: list[str] | None) -> list[str]:
    overrides, others = sorted_words(words)
    if others:
        raise InputError(f"Expected overrides of the form key=value but got {others[0]!r}.")
    return overrides
