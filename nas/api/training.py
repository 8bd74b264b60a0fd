"""`nas.train_model`: train one architecture."""

from __future__ import annotations

import os
from typing import Any

from nas.api.execution import Progress, execute
from nas.api.keywords import Data, Recipe, SettingsGiven, data_keywords, overrides, settings_of, space_name
from nas.api.registering import name_of
from nas.api.results import Model
from nas.commands.train import Train
from nas.runs.stages.train_stage import check_connected
from nas.train.methods import METHODS, Method


def train_model(
    arch: Any,
    *,
    space: Any = None,
    data: Data = None,
    method: str | type[Method] | None = None,
    epochs: int | None = None,
    eps: float | str | None = None,
    step_size: float | str | None = None,
    recipe: Recipe | None = None,
    settings: SettingsGiven = None,
    seed: int | None = None,
    device: str | None = None,
    run: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Progress = False,
) -> Model:
    """Train one architecture, as `nas train` does.

    Args:
        arch: an architecture as text, as a point of the space, or as a search found it.
        space: its search space, by default NAS-Bench-201.
        data: a data set, an .npz file or a folder of class folders; digits by default.
        method: a training method from `nas list trainings`; standard by default.
        epochs: passes over the training images.
        eps: radius of the attack in adversarial training, as a fraction of the range of a pixel; `"8/255"` as text.
        step_size: its step, in the same unit.
        recipe: a recipe, the path of a .yaml file, or its content; the other arguments override it.
        settings: other settings by their keys, such as `{"model.channels": 8, "train.lr": 0.1}`.
        seed: everything random is drawn from it.
        run: a new folder for the run, which `nas.resume` continues; by default nothing is left on disk.
        workers: processes; by default the work is done in this one.
        progress: true shows it on standard error; a function is called with (done, total, note).

    Returns:
        The trained network: `model.network`, `model.history`, `model.save(path)`, `model.export(folder)`.

    Raises:
        InputError: if a setting is impossible or without effect, or data are missing.
        NasError: if the training diverged.

    >>> import nas
    >>> cell = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    >>> small = {"model.channels": 4, "model.cells_per_stage": 1}
    >>> model = nas.train_model(cell, epochs=1, settings=small)
    >>> model.epochs
    1
    """
    keywords = {
        **data_keywords(data),
        "space": space_name(space),
        "arch": str(getattr(arch, "arch", arch)),
        "train.method": name_of(method, METHODS),
        "train.epochs": epochs,
        "train.eps": eps,
        "train.step_size": step_size,
        "seed": seed,
        "device": device,
        "executor.workers": workers,
    }
    command = Train()
    chosen = settings_of(command.reader(), recipe, overrides(keywords, settings))
    check_connected(chosen)
    result, record = execute(command, chosen, None, run, progress)
    return Model.of(result, record)
