"""The words of a command line that give the same settings again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.core import config
from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.settings import command_line
from nas.settings.no_effect import ineffective
from nas.settings.reader import Reader
from nas.settings.schema import from_values, load


def overrides(reader: Reader, settings: Json, keys: Mapping[str, Any]) -> list[str]:
    """`key=value` for each of the dotted `keys` that acts in the command and has a value."""
    given = acting(reader, settings, keys)
    return [f"{key}={written(value)}" for key, value in given.items() if value is not None and value != []]


def acting(reader: Reader, settings: Json, flat: Mapping[str, Any]) -> Json:
    """The part of `flat` whose keys act in the command; it would refuse all other keys."""
    try:
        idle = ineffective(reader, from_values(settings, []), flat)
    except InputError:  # the settings are of another machine or version
        return dict(flat)
    return {key: value for key, value in flat.items() if key not in idle}


def changes(reader: Reader, recipe: str, settings: Json) -> list[str] | None:
    """The overrides that turn a shipped recipe into `settings`; None if no overrides can.

    The run's folder and settings that do not act in the command are ignored.
    """
    wanted = {**settings, "run": {**settings["run"], "dir": None}}
    try:
        kinds = [f"space={settings['space']}", f"strategy.name={settings['strategy']['name']}"]
        base = config.flat(config.plain(load(recipe, kinds)))
        plain = config.flat(config.plain(load(recipe, [])))
        changed = [key for key in ("space", "strategy.name") if plain[key] != base[key]]
        flat = config.flat(wanted)
        changed += [key for key in flat if key != "seed" and flat[key] != base.get(key)]
        needed = acting(reader, wanted, {key: flat[key] for key in changed})
        words = [f"{key}={written(value)}" for key, value in needed.items()]
        repeated = config.plain(command_line.load(reader, recipe, [f"seed={settings['seed']}", *words]))
        original = config.plain(from_values(wanted, []))
        first, second = (acting(reader, wanted, config.flat(values)) for values in (original, repeated))
    except InputError:
        return None
    return words if first == second else None


def written(item: Any) -> str:
    """A value as it stands in an override."""
    if item is None:
        return "null"
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, list):
        return ",".join(map(str, item)) or "[]"
    return str(item)
