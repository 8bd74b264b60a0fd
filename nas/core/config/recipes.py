"""Recipes: short YAML files that extend one another, shipped with the project or written by a user."""

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
from nas.core.suggestions import suggest

FILE = "settings"  # the key under which a section may name a file of its options


def shipped() -> list[str]:
    """The names of the recipes that are shipped with the project."""
    folder = resources.files("nas.configs")
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def describe(name: str) -> str:
    """The first comment line of a shipped recipe."""
    first = resources.files("nas.configs").joinpath(f"{name}.yaml").read_text().splitlines()[0]
    return first.lstrip("# ")


def compose(name: str, above: tuple[str, ...] = ()) -> Values:
    """The values of a shipped recipe or, if `name` ends in .yaml, of a file, over those of recipes that it `extends`.

    A file that another file extends is looked up in the same folder. `above` are the recipes that extend this one.
    Raises InputError if one of them is missing or is not YAML, if they extend each other in a circle, or if one has an
    option both in a file of settings and on its own.
    """
    text, where = _read(name)
    own = copy.deepcopy(_parsed(text, where))
    merged: Values = {}
    parents = own.pop("extends", None) or []
    for parent in parents if isinstance(parents, list) else [parents]:
        if not isinstance(parent, str):
            raise InputError(f"Expected names of recipes in extends of {where} but got {parent!r}.")
        in_same_folder = parent.endswith((".yaml", ".yml")) and name.endswith((".yaml", ".yml"))
        extended = str(Path(name).parent / expanded(parent)) if in_same_folder else parent
        if extended in (*above, name):
            raise InputError(f"Expected no circle of recipes but {where} extends {parent!r}, which extends it in turn.")
        merged = _merged_by_name(merged, compose(extended, (*above, name)))
    check_files(own)
    return _merged_by_name(merged, own)


def over(below: Values, above: Values) -> Values:
    """`merge`, where a file that a section names under `settings` counts as the values that are in it.

    So a file in `above` replaces those options of `below` that it has, and an option in `above` replaces that of a file
    in `below`.
    """
    return merge(_yielding(below, above), above)


def check_files(values: Values, path: str = "") -> None:
    """Raises InputError if a section names a file of settings and has another value for an option that the file has."""
    for key, value in values.items():
        if isinstance(value, dict):
            check_files(value, f"{path}{key}.")
    for key, value in _of_file(values).items():
        if key in values and _listed(values[key]) != _listed(value):
            raise InputError(
                f"Expected {path}{key} from {path}{FILE}={values[FILE]} or on its own but got both ({value} and "
                f"{values[key]}); leave one out, or change the file."
            )


def _yielding(below: Values, above: Values) -> Values:
    """`below` without what a file in `above` has, and with its own file read if `above` has an option of that."""
    both = {key: (value, above[key]) for key, value in below.items() if key in above}
    below = below | {key: _yielding(*two) for key, two in both.items() if all(isinstance(one, dict) for one in two)}
    file = _of_file(above)
    own = {} if FILE in above else _of_file(below)
    if any(key in above for key in own):
        below = own | {key: value for key, value in below.items() if key != FILE}
    return {key: value for key, value in below.items() if key not in file}


def _of_file(section: Values) -> Values:
    """The values of the file of settings that a section names; empty if it names none that can be read."""
    name = section.get(FILE)
    try:
        return compose(expanded(name)) if isinstance(name, str) else {}
    except InputError:
        return {}


def _listed(value: Any) -> list[Any]:
    """A value that may be a list or the single entry of one."""
    return value if isinstance(value, list) else [value]


@functools.lru_cache(maxsize=64)
def _parsed(text: str, where: str) -> Any:
    """The keys and values of a file. Raises InputError if its text is not YAML with keys and values."""
    try:
        check_size(text)
        check_numbers(text)
        loaded = OmegaConf.create(text) if text.strip() else OmegaConf.create({})
        if not isinstance(loaded, DictConfig):
            raise _no_section(where)
        return OmegaConf.to_container(loaded, resolve=False)
    except (OmegaConfBaseException, YAMLError, ValueError) as error:  # ValueError: a number with thousands of digits
        raise InputError(f"Expected readable YAML in {where} but: {explained(error, text)}.") from error
    except AssertionError as error:  # omegaconf raises it for a single number
        raise _no_section(where) from error


def _merged_by_name(below: Values, above: Values) -> Values:
    """`merge`, except that a section with another `name` replaces the old one: its keys belong to another component."""

    def renamed(key: str) -> bool:
        old, new = below[key], above.get(key)
        return isinstance(old, dict) and isinstance(new, dict) and new.get("name", old.get("name")) != old.get("name")

    return over({key: value for key, value in below.items() if not renamed(key)}, above)


def _no_section(where: str) -> InputError:
    return InputError(f"Expected keys and values in {where} but got something else; write `key: value` lines.")


def _read(name: str) -> tuple[str, str]:
    """The text of a recipe or file, and what to call it in messages. Raises InputError if there is none."""
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
        exists = ".." not in parts and not name.startswith("/") and bool(name) and file.is_file()
    except (OSError, ValueError):  # no file can have such a name
        exists = False
    if not exists:
        raise InputError(
            f"Expected a configuration but got {name!r}{suggest(name, shipped())}; use one of "
            f"{', '.join(shipped())}, or a path ending in .yaml."
        )
    return file.read_text(encoding="utf-8"), f"configuration {name!r}"
