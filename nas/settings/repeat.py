"""The words of a command that ask for given settings again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.core import config
from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.settings import command_line
from nas.settings.conditions import ineffective
from nas.settings.reader import Reader
from nas.settings.schema import from_values, load


def overrides(reader: Reader, settings: Json, keys: Mapping[str, Any]) -> list[str]:
    """`key=value` for those of the flat `keys` that act in the command and have a value."""
    kept = acting(reader, settings, keys)
    return [f"{key}={written(value)}" for key, value in kept.items() if value is not None and value != []]


def acting(reader: Reader, settings: Json, flat: Mapping[str, Any]) -> Json:
    """The keys that act in the command, which refuses the others."""
    try:
        idle = ineffective(reader, from_values(settings, []), flat)
    except InputError:  # settings of another machine or version
        return dict(flat)
    return {key: value for key, value in flat.items() if key not in idle}


def changes(reader: Reader, recipe: str, settings: Json) -> list[str] | None:
    """The overrides that turn a shipped recipe into `settings`, the run's folder and what does not act in the command
    aside; `None` where none do."""
    wanted = {**settings, "run": {**settings["run"], "dir": None}}
    try:
        kinds = [f"space={settings['space']}", f"strategy.name={settings['strategy']['name']}"]
        base = config.flat(config.plain(load(recipe, kinds)))
        plain = config.flat(config.plain(load(recipe, [])))
        changed = [key for key in ("space", "strategy.name") if plain[key] != base[key]]
        flat = config.flat(wanted)
        changed += [key for key in flat if key != "seed" and flat[key] != base.get(key)]
        kept = acting(reader, wanted, {key: flat[key] for key in changed})
        found = [f"{key}={written(value)}" for key, value in kept.items()]
        repeated = config.plain(command_line.load(reader, recipe, [f"seed={settings['seed']}", *found]))
        both = [config.flat(repeated), config.flat(config.plain(from_values(wanted, [])))]
        same, as_asked = (acting(reader, wanted, one) for one in both)
    except InputError:
        return None
    return found if same == as_asked else None


def written(item: Any) -> str:
    if item is None:
        return "null"
    if isinstance(item, bool):
        return str(item).lower()
    return ",".join(map(str, item)) if isinstance(item, list) else str(item)
