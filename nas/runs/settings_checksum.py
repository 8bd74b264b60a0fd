"""Which settings a result depends on: their checksum, and the defaults that earlier versions had for them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict
from typing import Any

from nas.core import config, provenance
from nas.core.config import Values
from nas.core.config.conditions import may_read
from nas.core.data import EARLIER_DATA_DEFAULTS, loader_type
from nas.core.io.records import Json
from nas.settings.schema import Settings
from nas.strategies.supernet.mixing.options import MixingOptions

CHANGEABLE = (  # settings that no result depends on
    *(f"executor.{key}" for key in ("name", "address", "workers", "retries", "deadline")),
    "data.root",
)
PLACES = ("name", "run.dir", "data.download")  # settings about where files are; no number depends on them
EARLIER_DEFAULTS = {  # settings that runs of earlier versions lack, with the value that those runs used
    "data.validation": 0.1,
    "data.order": EARLIER_DATA_DEFAULTS["order"],
    "data.resize": "squash",
    "data.crop_share": 0.875,
    "data.interpolation": "bilinear",
    "data.test": "part",
    "search.limits": [],
    "search.joint": False,
    "search.warm_start": None,
    "strategy.ranked_by": "cheap",  # this and the next one are options of warmup-move alone
    "strategy.neighbours": None,
    "eval.normalise": None,  # the library's constants for its networks, none for others
    "eval.mean": [],
    "eval.std": [],
}
EARLIER_OPTIONS: dict[str, Json] = {  # the same for options of one strategy
    **{
        name: {**asdict(MixingOptions()), "regulariser_temperature": 1.0, "compile": None}
        for name in ("darts", "darts-second-order", "rnas-max", "rnas-uniform")
    },
    **{
        name: {"compile": None}
        for name in (
            *("gdas", "pc-darts", "sdarts-rs", "sdarts-adv", "advrush", "dsrna-jacobian", "drnas", "p-darts"),
            *("darts-pt", "robnet"),
        )
    },
    "evolution": {"init": None},
    "local": {"improvement": "best", "init": 1},
}


def provenance_of(settings: Settings) -> Json:
    """Provenance of a result: the seed, a checksum of every setting that can change a number, and whether
    deterministic kernels were on.

    A setting that runs of an earlier version lack is left out of the checksum if it has the value that those used, or
    if the data set does not read it, so that equal settings have equal checksums in all versions.
    """
    values = config.plain(settings)
    left_out = [key for key, before in EARLIER_DEFAULTS.items() if _value(values, key) == before]
    strategy = values["strategy"]
    left_out += [f"strategy.{key}" for key, before in _earlier_options(strategy).items() if strategy.get(key) == before]
    left_out += [f"data.{key}" for key in EARLIER_DATA_DEFAULTS if not may_read(loader_type(settings.data.name), key)]
    return {
        "seed": settings.seed,
        "settings_sha256": provenance.settings_checksum(values, (*CHANGEABLE, *PLACES, *left_out)),
        "deterministic": settings.executor.deterministic,
    }


def _value(values: Json, key: str) -> Any:
    """The value of the dotted key of a section; None if there is no such key."""
    section, _, name = key.partition(".")
    return values[section].get(name)


def _earlier_options(strategy: Any) -> Json:
    """The later options of the strategy in these settings, with the values before they were options."""
    name = strategy.get("name") if isinstance(strategy, dict) else None
    return EARLIER_OPTIONS.get(name, {}) if isinstance(name, str) else {}


def with_earlier_defaults(settings: Values) -> Values:
    """The settings of a run of any version; settings that its sections lack get the value of earlier versions."""
    if not isinstance(settings, dict):
        return settings
    filled = dict(settings)
    for key, before in EARLIER_DEFAULTS.items():
        section, _, name = key.partition(".")
        values = filled.get(section)
        if isinstance(values, dict) and (section != "strategy" or values.get("name") == "warmup-move"):
            filled[section] = {**values, name: values.get(name, deepcopy(before))}
    if options := _earlier_options(filled.get("strategy")):
        filled["strategy"] = {**options, **filled["strategy"]}
    return filled
