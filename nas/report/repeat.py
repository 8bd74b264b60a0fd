"""The command that repeats a run."""

from __future__ import annotations

import shlex
from typing import Any

from nas.core import config
from nas.core.data import ALL
from nas.core.errors import InputError
from nas.eval.transfer import USED
from nas.report.facts import Facts
from nas.settings import typed
from nas.settings.effects import Reader, ineffective
from nas.settings.schema import from_values, load


def command(facts: Facts) -> tuple[str, bool]:
    """The command line, and whether it needs the settings of this page saved as a file first."""
    if facts.command == "eval" and facts.extra.get("checkpoint"):
        flat = _acting("eval", facts.settings, config.flat(facts.settings["eval"], "eval."))
        attacks = [f"{key}={_written(item)}" for key, item in flat.items() if item is not None and item != []]
        seed = f"seed={facts.settings['seed']}"
        if "importable" in facts.extra:  # a network that is not ours brings no data
            data = _acting("eval", facts.settings, config.flat(facts.settings["data"], "data."))
            attacks = [f"{key}={_written(item)}" for key, item in data.items() if item is not None] + attacks
        elif facts.settings["data"].get("test") == ALL:  # its own data are others
            data = {f"data.{key}": facts.settings["data"][key] for key in ("root", "test")}
            attacks = [f"{key}={_written(item)}" for key, item in data.items() if item is not None] + attacks
        return shlex.join(["nas", "eval", str(facts.extra["checkpoint"]), seed, *attacks]), False
    if facts.command == "transfer":
        asked = facts.settings["eval"]
        used = config.flat({key: asked[key] for key in USED if key in asked}, "eval.")
        flat = _acting("transfer", facts.settings, used)
        attacks = [f"{key}={_written(item)}" for key, item in flat.items() if item is not None and item != []]
        networks = [str(one["checkpoint"]) for one in facts.extra["networks"].values()]
        return shlex.join(["nas", "transfer", *networks, f"seed={facts.settings['seed']}", *attacks]), False
    name, seed = str(facts.settings["name"]), f"seed={facts.settings['seed']}"
    repeated = [f"seeds={facts.settings['seeds']}"] if facts.command == "study" else []
    command = "run" if facts.command == "study" else facts.command
    words, shipped = [f"{name}.yaml", seed, *repeated], False
    if name in config.shipped():
        changed = _changes(command, name, facts.settings)
        if changed is not None:
            words, shipped = [name, seed, *changed], True
    return shlex.join(["nas", command, *words]), not shipped


def _acting(command: str, settings: dict[str, Any], flat: dict[str, Any]) -> dict[str, Any]:
    """The keys that act in the command, which refuses the others."""
    try:
        idle = ineffective(Reader(command), from_values(settings, []), flat)
    except InputError:  # settings of another machine or version
        return flat
    return {key: value for key, value in flat.items() if key not in idle}


def _changes(command: str, recipe: str, settings: dict[str, Any]) -> list[str] | None:
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
        kept = _acting(command, wanted, {key: flat[key] for key in changed})
        found = [f"{key}={_written(value)}" for key, value in kept.items()]
        repeated = config.plain(typed.load(Reader(command), recipe, [f"seed={settings['seed']}", *found]))
        both = [config.flat(repeated), config.flat(config.plain(from_values(wanted, [])))]
        same, as_asked = (_acting(command, wanted, one) for one in both)
    except InputError:
        return None
    return found if same == as_asked else None


def _written(item: Any) -> str:
    if item is None:
        return "null"
    if isinstance(item, bool):
        return str(item).lower()
    return ",".join(map(str, item)) if isinstance(item, list) else str(item)
