"""The network that a command is given: its source, the run that it belongs to, and the settings of that run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nas.core import config
from nas.core.data import GivenArrays
from nas.core.data.resize import RESIZES
from nas.core.errors import InputError
from nas.eval.model_source import EvaluatedModel, ModelSource, classify, load_model, refuse_options
from nas.results import EvalResult, RunResult, SearchResult, StudyResult, TrainResult
from nas.runs.run_config import CONFIG, RunConfig, read_config
from nas.runs.run_files import STORE, finished, result_of
from nas.runs.run_folder import reopen
from nas.runs.settings_checksum import with_earlier_defaults
from nas.settings import command_line
from nas.settings.reader import Reader
from nas.settings.schema import Settings, from_values
from nas.train.exported import is_exported, read

EVAL_SECTIONS = ("eval", "data", "seed", "device", "executor", "run", "name")  # settings that `nas eval` takes
MAX_DEPTH = 4  # the run's folder is at most this many levels above a checkpoint


@dataclass(frozen=True)
class GivenModel:
    """The network that a command was given: its source, its name, and the network itself if it is loaded already."""

    source: ModelSource
    name: str
    loaded: EvaluatedModel | None = None

    def load(self, settings: Settings) -> EvaluatedModel:
        return self.loaded or load_model(self.source, settings.eval, settings.seed)

    def to_json(self) -> dict[str, str]:
        """The form in which a run stores it."""
        return {**self.source.to_json(), "name": self.name}

    @classmethod
    def from_json(cls, value: Mapping[str, str]) -> GivenModel:
        return cls(ModelSource.from_json(value), value["name"])


def evaluation_settings(text: str, overrides: list[str], reader: Reader) -> tuple[Settings, GivenModel]:
    """The settings for an evaluation of the network named by `text`, and that network; `reader` is the command.

    The data are those of the checkpoint or the exported folder; the attacks and their strengths are those of the run
    that a checkpoint belongs to, if there is one. A foreign network has neither: its data must be named in
    `overrides`. Raises `InputError` if there is no such network or an override does not fit.
    """
    for override in overrides:
        if override.partition("=")[0].partition(".")[0] not in EVAL_SECTIONS:
            raise InputError(
                f"Expected settings of {', '.join(EVAL_SECTIONS)} but got {override!r}; the network is trained already."
            )
    source = classify(text)
    if source.foreign:
        return _foreign_settings(source, overrides, reader), GivenModel(source, source.label)
    path = Path(text)
    path = (path if is_exported(path) else checkpoint_of(path)).resolve()
    source = ModelSource(str(path))
    network, trained = read(path)
    run = None if is_exported(path) else run_of(path)
    begun = None if run is None else config_or_warning(run, "The attacks are the default ones, not those of that run.")
    values = {} if begun is None else begun.settings_elsewhere()
    network_values = {"space": trained.space, "model": trained.settings, "data": trained.data}
    values = config.merge(values, with_earlier_defaults(network_values))
    values = config.merge(values, {"arch": trained.arch, "train": {"method": trained.training}})
    values["name"] = f"eval-{trained.name}"
    settings = command_line.from_values(reader, values, overrides)
    refuse_options(source, settings.eval)
    return settings, GivenModel(source, trained.name, EvaluatedModel.of_ours(network, trained))


def _foreign_settings(source: ModelSource, overrides: list[str], reader: Reader) -> Settings:
    if not any(text.startswith("data.name=") for text in overrides):
        raise InputError(
            f"Expected data.name=... for {source.text}, which belongs to no run that names its data; set, for example, "
            "data.name=cifar10 data.root=PATH."
        )
    given = f"data.name={GivenArrays.name}" in overrides  # arrays, whose images are never resized
    images = {} if given else source.native_images(from_values({}, overrides).eval.model_options)
    if images and "resize" not in images and not any(text.startswith("data.resize=") for text in overrides):
        raise InputError(
            f"Expected data.resize={' or '.join(RESIZES)} for {source.text}, whose library pads images, but got none; "
            "set the one that is nearest to padding."
        )
    return command_line.from_values(reader, {"name": f"eval-{source.label}", "data": images}, overrides)


def run_of(checkpoint: Path) -> Path | None:
    """The folder of the checkpoint's run, even if its configuration is damaged; None if there is no such run."""
    for folder in list(checkpoint.parents)[:MAX_DEPTH]:
        try:
            if read_config(folder).command != StudyResult.command:
                return folder
        except InputError:
            if (folder / STORE).is_file():  # otherwise it is no run, and any config.json belongs to something else
                return folder
    return None


def config_or_warning(run: Path, consequence: str) -> RunConfig | None:
    """The configuration of a run. If it cannot be read: None, and a warning that ends with the `consequence`."""
    try:
        return read_config(run)
    except InputError as error:
        logging.getLogger("nas").warning("%s %s", error, consequence)
    return None


def checkpoint_of(path: Path) -> Path:
    """The checkpoint at `path`, or the one of the run at `path`. Raises `InputError` if the run has none or several."""
    if not path.is_dir():
        return path
    refuse_study(path)
    result = finished(path)
    if isinstance(result, (TrainResult, EvalResult)) and result.checkpoint:
        return path / result.checkpoint
    models = [str(entry.checkpoint) for entry in result.models] if isinstance(result, RunResult) else []
    if len(models) == 1:
        return path / models[0]
    if models:
        raise InputError(
            f"Expected one checkpoint but {path} has {len(models)}; give one of them: "
            f"{', '.join(str(path / model) for model in models)}."
        )
    raise InputError(f"Expected a checkpoint in {path} but this run trained nothing; train with `nas train {path}`.")


def best_of(folder: Path) -> str:
    """The best architecture that a run's search found (the run itself may be unfinished), or the one it trained.

    Raises `InputError` if the search is not finished.
    """
    result = result_of(folder)
    if isinstance(result, TrainResult):
        return result.arch
    with reopen(folder) as run:
        stored = run.store.get("search/result")
    if stored is None:
        raise InputError(f"Expected a finished search but {folder} has none; continue it with `nas resume {folder}`.")
    return SearchResult.from_json(stored).best.arch


def refuse_study(folder: Path) -> None:
    """Raise `InputError` if the folder is a study of several seeds, not one run."""
    if read_config(folder).command == StudyResult.command:
        runs = ", ".join(str(path.parent) for path in sorted(folder.glob(f"seed-*/{CONFIG}")))
        raise InputError(
            f"Expected one run but {folder} is a study of several seeds; give one of {runs or 'its runs'}."
        )
