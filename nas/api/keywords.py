"""Settings of a call from Python: its keywords and its `settings` count like overrides on a command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.api.registering import REGISTRIES, check_importable, name_of
from nas.core import config
from nas.core.data import LOADERS
from nas.core.data.formats.base import Loader
from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.runs.run_config import without_folder
from nas.search_spaces import SPACES, SearchSpace
from nas.settings import command_line, schema
from nas.settings.reader import Reader
from nas.settings.repeat import written
from nas.settings.schema import Settings
from nas.strategies.proxies import Proxy

SettingsGiven = Mapping[str, Any] | None  # dotted keys (`{"train.lr": 0.1}`), nested dictionaries, or both
Recipe = str | os.PathLike[str] | Mapping[str, Any]  # a recipe's name, the path of a .yaml file, or its content
Data = str | os.PathLike[str] | type[Loader] | None  # a data set, an .npz file or a folder of class folders


def overrides(keywords: Mapping[str, Any], given: SettingsGiven) -> list[str]:
    """The keywords that are not None, and the settings, as words `key=value` of a command line.

    Raises InputError if a key is given in both, or the settings are no dictionary.
    """
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"Expected settings as a dictionary such as {{'train.lr': 0.1}} but got {given!r:.80}.")
    chosen = {key: value for key, value in keywords.items() if value is not None}
    own = config.flat(dict(given or {}))
    twice = sorted(chosen.keys() & own.keys())
    if twice:
        raise InputError(f"Expected {twice[0]} once but got it as a keyword and in settings; leave one out.")
    return [f"{key}={written(_plain(value))}" for key, value in {**chosen, **own}.items()]


def _plain(value: Any) -> Any:
    """A value that YAML can write: tuples become lists; the caller's own components, paths and architectures, text."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, (type, Proxy, SearchSpace)):
        return name_of(value, *REGISTRIES)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def settings_of(reader: Reader, recipe: Recipe | None, words: list[str]) -> Settings:
    """The settings that the command of `reader` would have with the same words.

    Without a recipe, the values are those of an empty file. The work is done in this process unless the
    words set the number of workers. Raises InputError as the command does, and if workers need a component of the
    caller's own that they cannot import.
    """
    if recipe is None:
        base = {"name": reader.command}
    elif isinstance(recipe, Mapping):
        base = without_folder({**recipe, "run": recipe.get("run") or {}})
    else:
        base = schema.values_of(str(recipe))
    base = config.merge(base, {"executor": {"workers": 1}})
    settings = command_line.from_values(reader, base, words)
    check_importable(settings, reader.proxies)
    return settings


def data_keywords(data: Data) -> Json:
    """`data.name` and `data.root` for a data set, an .npz file or a folder with a folder for each class.

    A data set is given by its name or as a class. Raises InputError if `data` is neither a data set nor an existing
    path.
    """
    if data is None:
        return {}
    if isinstance(data, (type, Loader)):
        return {"data.name": name_of(data, LOADERS)}
    if isinstance(data, str) and data in LOADERS.components:
        return {"data.name": data}
    if not isinstance(data, (str, os.PathLike)):
        raise InputError(
            f"Expected a data set, an .npz file or a folder of class folders but got {type(data).__name__}; only "
            "nas.evaluate takes images and labels in memory, so write them with numpy.savez(PATH, images=..., "
            "labels=...) and give the path."
        )
    path = Path(data).expanduser()
    if path.is_dir():
        return {"data.name": "imagefolder", "data.root": str(path)}
    if path.is_file() and path.suffix == ".npz":
        return {"data.name": "npz", "data.root": str(path)}
    raise InputError(
        f"Expected a data set ({', '.join(LOADERS.names())}), an .npz file or a folder of class folders but got "
        f"{str(data)!r}; check the name or path, or give data.name and data.root in settings."
    )


def plain_settings(settings: Settings) -> Json:
    """All settings as nested dictionaries; saved as a YAML file, they make a command compute the same numbers."""
    return without_folder(config.plain(settings))


def space_name(space: Any) -> str | None:
    """The name of a search space that is given by its name, as an object or as a class."""
    return name_of(space, SPACES)
