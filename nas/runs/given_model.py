"""Which network `nas eval` and `nas transfer` attack, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nas.core import config
from nas.core.data import BEFORE
from nas.core.data.resize import RESIZES
from nas.core.errors import InputError
from nas.eval.model_source import ModelSource
from nas.eval.networks.loading import EvaluatedModel, load_model, refuse_options
from nas.runs.run_outputs import model_source, run_of, settings_of
from nas.settings import typed
from nas.settings.reader import Reader
from nas.settings.schema import Settings, from_values
from nas.train.exported import is_exported, read

EVALUATED = ("eval", "data", "seed", "device", "executor", "run", "name")  # what `nas eval` takes


@dataclass(frozen=True)
class GivenModel:
    """The network that a command was given: where it comes from and its name; itself, where that was loaded already."""

    source: ModelSource
    name: str
    loaded: EvaluatedModel | None = None

    def load(self, settings: Settings) -> EvaluatedModel:
        return self.loaded or load_model(self.source, settings.eval, settings.seed)

    def to_json(self) -> dict[str, str]:
        """As a run keeps it."""
        return {**self.source.to_json(), "name": self.name}

    @classmethod
    def from_json(cls, value: Mapping[str, str]) -> GivenModel:
        return cls(ModelSource.from_json(value), value["name"])


def evaluation_settings(text: str, overrides: list[str], reader: Reader) -> tuple[Settings, GivenModel]:
    """Settings of `nas eval` (or another command that attacks, the `reader`) and which network it is about.

    Data come from the checkpoint or the exported folder; attacks and strengths from the run that a checkpoint belongs
    to, where there is one. A network that is not ours brings neither: its data must be named in `overrides`.
    """
    for override in overrides:
        if override.partition("=")[0].partition(".")[0] not in EVALUATED:
            raise InputError(
                f"Expected settings of {', '.join(EVALUATED)} but got {override!r}; the network is trained already."
            )
    source = model_source(text)
    if source.foreign:
        return _foreign_settings(source, overrides, reader), GivenModel(source, source.label)
    path = Path(source.text)
    network, trained = read(path)
    run = None if is_exported(path) else run_of(path)
    values = {} if run is None else settings_of(run)
    values = config.merge(
        values, {"space": trained.space, "model": trained.settings, "data": {**BEFORE, **trained.data}}
    )
    values = config.merge(values, {"arch": trained.arch, "train": {"method": trained.training}})
    values["name"] = f"eval-{trained.name}"
    settings = typed.from_values(reader, values, overrides)
    refuse_options(source, settings.eval)
    return settings, GivenModel(source, trained.name, EvaluatedModel.of_ours(network, trained))


def _foreign_settings(source: ModelSource, overrides: list[str], reader: Reader) -> Settings:
    if not any(text.startswith("data.name=") for text in overrides):
        raise InputError(
            f"Expected data.name=... for {source.text}, which has no run that says what to attack it on; for example "
            "data.name=cifar10 data.root=PATH."
        )
    images = source.native_images(from_values({}, overrides).eval.model_options)
    if images and "resize" not in images and not any(text.startswith("data.resize=") for text in overrides):
        raise InputError(
            f"Expected data.resize={' or '.join(RESIZES)} for {source.text}, for which the library pads images, but "
            "got none; set the nearest."
        )
    return typed.from_values(reader, {"name": f"eval-{source.label}", "data": images}, overrides)
