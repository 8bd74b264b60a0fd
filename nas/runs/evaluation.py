"""Which network `nas eval` and `nas transfer` attack, and with which settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas.core import config
from nas.core.data import BEFORE
from nas.core.data.resize import RESIZES
from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.eval.sources import Subject, is_foreign, label, native_images, opened, settled
from nas.runs.sources import checkpoint_of, settings_around
from nas.settings import typed
from nas.settings.effects import Reader
from nas.settings.schema import Settings, from_values
from nas.train import load_trained
from nas.train.exported import is_exported, load_exported

EVALUATED = ("eval", "data", "seed", "device", "executor", "run", "name")  # what `nas eval` takes


def evaluation_settings(source: str, overrides: list[str], command: str = "eval") -> tuple[Settings, dict[str, Any]]:
    """Settings of `nas eval` (or another `command` that attacks) and which network it is about.

    Data come from the checkpoint or the exported folder; attacks and strengths from the run that a checkpoint belongs
    to, where there is one. A network that is not ours brings neither: its data must be named in `overrides`.
    """
    for text in overrides:
        if text.partition("=")[0].partition(".")[0] not in EVALUATED:
            raise InputError(
                f"Expected settings of {', '.join(EVALUATED)} but got {text!r}; the network is trained already."
            )
    if is_foreign(source):
        return _foreign_settings(settled(source), overrides, command)
    exported = is_exported(Path(source))
    path = Path(source).resolve() if exported else checkpoint_of(Path(source)).resolve()
    _, trained = load_exported(path) if exported else load_trained(path)
    values = {} if exported else settings_around(path)
    values = config.merge(
        values, {"space": trained.space, "model": trained.settings, "data": {**BEFORE, **trained.data}}
    )
    values = config.merge(values, {"arch": trained.arch, "train": {"method": trained.training}})
    values["name"] = f"eval-{trained.name}"
    settings = typed.from_values(Reader(command), values, overrides)
    return settings, {"checkpoint": str(path), "name": trained.name}


def _foreign_settings(source: str, overrides: list[str], command: str) -> tuple[Settings, dict[str, Any]]:
    if not any(text.startswith("data.name=") for text in overrides):
        raise InputError(
            f"Expected data.name=... for {source}, which has no run that says what to attack it on; for example "
            "data.name=cifar10 data.root=PATH."
        )
    name = label(source)
    options = from_values({}, overrides).eval.model_options
    images = native_images(source, options)
    if images and "resize" not in images and not any(text.startswith("data.resize=") for text in overrides):
        raise InputError(
            f"Expected data.resize={' or '.join(RESIZES)} for {source}, for which the library pads images, but got "
            "none; set the nearest."
        )
    values = {"name": f"eval-{name}", "data": images}
    settings = typed.from_values(Reader(command), values, overrides)
    return settings, {"checkpoint": source, "name": name, "importable": str(Path.cwd())}


def subject_of(settings: Settings, extra: dict[str, Any]) -> Subject:
    """The network that an evaluation is about."""
    seed = derive(settings.seed, "weights")
    asked = settings.eval.normalisation
    return opened(extra["checkpoint"], settings.eval.model_options, extra.get("importable"), seed, asked)
