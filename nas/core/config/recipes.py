"""Recipes: short YAML files that extend one another, those that come with the project and those of a user."""

from __future__ import annotations

import copy
import functools
from importlib import resources
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from nas.core.config.schema import Values, expanded, merge
from nas.core.config.yaml_errors import explained
from nas.core.config.yaml_numbers import check_numbers
from nas.core.config.yaml_size import check_size
from nas.core.errors import InputError
from nas.core.io.files import read_text
from nas.core.registry import suggest


def shipped() -> list[str]:
    """Names of the recipes that come with the project."""
    folder = resources.files("nas.configs")
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def describe(name: str) -> str:
    """The first comment line of a shipped recipe."""
    first = resources.files("nas.configs").joinpath(f"{name}.yaml").read_text().splitlines()[0]
    return first.lstrip("# ")


def compose(name: str, above: tuple[str, ...] = ()) -> Values:
    """The recipe `name` (shipped) or file `name` (a path ending in .yaml) with everything it `extends` below it.

    A file that a file extends is looked up beside it. `above` are the recipes that extend this one, so that a circle
    is told.
    """
    text, where = _read(name)
    own = copy.deepcopy(_section(text, where))
    merged: Values = {}
    parents = own.pop("extends", None) or []
    for parent in parents if isinstance(parents, list) else [parents]:
        if not isinstance(parent, str):
            raise InputError(f"Expected other recipes in extends of {where} but got {parent!r}.")
        beside = parent.endswith((".yaml", ".yml")) and name.endswith((".yaml", ".yml"))
        found = str(Path(name).parent / expanded(parent)) if beside else parent
        if found in (*above, name):
            raise InputError(f"Expected other recipes in extends of {where} but got {parent!r}.")
        merged = _laid_over(merged, compose(found, (*above, name)))
    return _laid_over(merged, own)


@functools.lru_cache(maxsize=64)
def _section(text: str, where: str) -> Any:
    """The keys and values of a file's text."""
    try:
        check_size(text)
        check_numbers(text)
        loaded = OmegaConf.create(text) if text.strip() else OmegaConf.create({})
        if not isinstance(loaded, DictConfig):
            raise _no_section(where)
        return OmegaConf.to_container(loaded, resolve=False)
    except (OmegaConfBaseException, YAMLError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise InputError(f"Expected readable YAML in {where} but: {explained(error, text)}.") from error
    except AssertionError as error:  # omegaconf's answer to a single number
        raise _no_section(where) from error


def _laid_over(below: Values, above: Values) -> Values:
    """`merge`, but a section with another `name` takes the place of the old: one strategy's keys are not another's."""

    def renamed(key: str) -> bool:
        old, new = below[key], above.get(key)
        return isinstance(old, dict) and isinstance(new, dict) and new.get("name", old.get("name")) != old.get("name")

    return merge({key: value for key, value in below.items() if not renamed(key)}, above)


def _no_section(where: str) -> InputError:
    return InputError(f"Expected keys and values in {where} but got something else; write `key: value` lines.")


def _read(name: str) -> tuple[str, str]:
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        try:
            return read_text(path), str(path)
        except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a zero byte in the name
            raise InputError(f"Expected a readable configuration file but got {name!r}: {error}.") from error
    parts = name.split("/")
    file = resources.files("nas.configs")
    for part in [*parts[:-1], parts[-1] + ".yaml"]:
        file = file.joinpath(part)
    try:
        there = ".." not in parts and not name.startswith("/") and bool(name) and file.is_file()
    except (OSError, ValueError):  # no file can have such a name
        there = False
    if not there:
        raise InputError(
            f"Expected a configuration but got {name!r}{suggest(name, shipped())}; use one of "
            f"{', '.join(shipped())}, or a path ending in .yaml."
        )
    return file.read_text(encoding="utf-8"), f"configuration {name!r}"
