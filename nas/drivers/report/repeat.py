"""The command that repeats a run."""

from __future__ import annotations

import shlex
from typing import Any

from nas.core import config
from nas.core.errors import InputError
from nas.drivers.report.facts import Facts
from nas.drivers.settings import from_values, load
from nas.eval.transfer import USED


def command(facts: Facts) -> tuple[str, bool]:
    """The command line, and whether it needs the settings of this page saved as a file first."""
    if facts.command == "eval" and facts.extra.get("checkpoint"):
        flat = _flat(facts.settings["eval"], "eval.")
        attacks = [f"{key}={_written(item)}" for key, item in flat.items() if item is not None and item != []]
        seed = f"seed={facts.settings['seed']}"
        if "importable" in facts.extra:  # a network that is not ours brings no data
            data = _flat(facts.settings["data"], "data.")
            attacks = [f"{key}={_written(item)}" for key, item in data.items() if item is not None] + attacks
        return shlex.join(["nas", "eval", str(facts.extra["checkpoint"]), seed, *attacks]), False
    if facts.command == "transfer":
        flat = _flat({key: facts.settings["eval"][key] for key in USED}, "eval.")
        attacks = [f"{key}={_written(item)}" for key, item in flat.items() if item is not None and item != []]
        networks = [str(one["checkpoint"]) for one in facts.extra["networks"].values()]
        return shlex.join(["nas", "transfer", *networks, f"seed={facts.settings['seed']}", *attacks]), False
    name, seed = str(facts.settings["name"]), f"seed={facts.settings['seed']}"
    repeated = [f"seeds={facts.settings['seeds']}"] if facts.command == "study" else []
    words, shipped = [f"{name}.yaml", seed, *repeated], False
    if name in config.shipped():
        changed = _changes(name, facts.settings)
        if changed is not None:
            words, shipped = [name, seed, *changed], True
    name = "run" if facts.command == "study" else facts.command
    return shlex.join(["nas", name, *words]), not shipped


def _changes(recipe: str, settings: dict[str, Any]) -> list[str] | None:
    """The overrides that turn a shipped recipe into `settings` (the run's folder aside); `None` where "
    "none do."""
    wanted = {**settings, "run": {**settings["run"], "dir": None}}
    try:
        kinds = [f"space={settings['space']}", f"strategy.name={settings['strategy']['name']}"]
        base = _flat(config.plain(load(recipe, kinds)))
        plain = _flat(config.plain(load(recipe, [])))
        found = [kind for kind in kinds if plain[kind.split("=")[0]] != base[kind.split("=")[0]]]
        flat = _flat(wanted)
        found += [f"{key}={_written(flat[key])}" for key in flat if key != "seed" and flat[key] != base.get(key)]
        repeated = config.plain(load(recipe, [f"seed={settings['seed']}", *found]))
        same = _flat(repeated) == _flat(config.plain(from_values(wanted, [])))
    except InputError:
        return None
    return found if same else None


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in values.items():
        flat.update(_flat(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}": item})
    return flat


def _written(item: Any) -> str:
    if item is None:
        return "null"
    if isinstance(item, bool):
        return str(item).lower()
    return ",".join(map(str, item)) if isinstance(item, list) else str(item)
