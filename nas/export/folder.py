"""Export a trained network as a self-contained folder: weights, description, measured numbers, model card, ONNX."""

from __future__ import annotations

import inspect
import io
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from nas.core.errors import InputError
from nas.core.extras import optional
from nas.core.io import checkpoint
from nas.core.io.files import os_errors_as_input_errors, write_atomic, write_json, write_text
from nas.core.io.records import Json
from nas.core.provenance import versions
from nas.export.card import Evaluation, Facts, card
from nas.report.run_data import evaluations_of
from nas.results import ExportResult
from nas.runs.given_model import checkpoint_of, config_or_warning, run_of
from nas.runs.run_config import CONFIG, read_config
from nas.runs.run_files import result_of
from nas.search_spaces import SPACES, Network
from nas.train import adversarial
from nas.train.exported import DESCRIPTION, WEIGHTS, is_exported, load_exported, save_exported
from nas.train.trained_network import network_from_payload

METRICS, CARD, ONNX = "metrics.json", "README.md", "model.onnx"
ADVERSARIAL = ("eps", "step_size", "steps", "validation_steps")  # settings that standard training does not read
LATER_KEYS = ("validation", "order", "resize", "crop_share", "interpolation")  # of the data; earlier versions lack them


def export(source: Path, folder: Path) -> ExportResult:
    """Write the network of a checkpoint (or of a run that trained one) to the new `folder`; return a summary.

    The folder appears whole or not at all. Raises `InputError` if it exists and is not empty, if there is no
    such network, or if a package is missing.
    """
    if is_exported(source):
        raise InputError(f"Expected a checkpoint or a run but {source} is an exported folder already; copy it.")
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise InputError(f"Expected a new or empty folder to export to but {folder} exists; choose another.")
    path = checkpoint_of(source).resolve()
    payload = checkpoint.load(path, "network")  # before the packages, so that a wrong path is reported first
    for module in ("safetensors", "onnx", "onnxscript"):
        optional(module, "export")
    run = run_of(path)
    network, trained = network_from_payload(payload, path)
    trained, weights = trained.without_auxiliary(network.state_dict())
    data = {key: trained.data.get(key) for key in ("name", "size")}  # no paths of this machine
    data |= {key: trained.data[key] for key in LATER_KEYS if key in trained.data}
    trained = replace(trained, data=data)
    space = SPACES.get(trained.space)()
    cost = space.cost(space.parse(trained.arch), trained.num_classes, image_size=trained.image_size, **trained.settings)
    facts = Facts(
        params=cost.params,
        macs=cost.macs,
        epoch=payload.get("epoch"),
        recipe=None if run is None else _recipe(run, trained.training),
        versions={**versions(), **_installed("safetensors", "onnx")},
    )
    metrics = [] if run is None else _metrics(run, path)
    with _complete_or_absent(folder) as new:
        save_exported(new, trained, weights, asdict(facts))
        exported, _ = load_exported(new)
        write_atomic(new / ONNX, lambda file: file.write(onnx_bytes(exported, trained.image_size)))
        write_json(new / METRICS, [one.to_json() for one in metrics])
        write_text(new / CARD, card(folder.name, trained, facts, metrics))
    return ExportResult(
        folder=str(folder),
        name=trained.name,
        arch=trained.arch,
        params=cost.params,
        evaluations=len(metrics),
        files=[DESCRIPTION, WEIGHTS, METRICS, CARD, ONNX],
    )


def onnx_bytes(network: Network, image_size: int) -> bytes:
    """The network as an ONNX model: `images` float32 (batch, 3, S, S) in [0, 1] → `logits` (batch, classes).

    The exporter is the default of the installed torch: up to 2.8 tracing, later `torch.export`. Raises InputError if
    the package onnx is missing.
    """
    onnx = optional("onnx", "export")
    images = torch.rand(2, 3, image_size, image_size)
    with torch.no_grad():
        network(images)  # fills the caches of constants, in which the exporter would otherwise leave its placeholders
    names: Any = {"input_names": ["images"], "output_names": ["logits"]}
    file = io.BytesIO()
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # both exporters print and warn
        warnings.simplefilter("ignore")
        if inspect.signature(torch.onnx.export).parameters["dynamo"].default:
            shapes = ({0: torch.export.Dim("batch")},)
            program: Any = torch.onnx.export(network, (images,), dynamic_shapes=shapes, **names)
            file.write(program.model_proto.SerializeToString())
        else:
            axes = {"images": {0: "batch"}, "logits": {0: "batch"}}
            traced: Any = file  # the older signature takes a buffer
            torch.onnx.export(network, (images,), traced, dynamic_axes=axes, **names)
    model = onnx.load_from_string(file.getvalue())
    for part in (model.graph, *model.graph.node, *model.graph.value_info):  # drops the code lines that made the nodes
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    onnx.checker.check_model(model)
    return model.SerializeToString()


@contextmanager
def _complete_or_absent(folder: Path) -> Iterator[Path]:
    """A new folder that is renamed to `folder` at the end of the block, so that a kill leaves nothing of that name."""
    with os_errors_as_input_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield temporary
        temporary.chmod(0o755)
        with os_errors_as_input_errors(folder):
            os.rename(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _recipe(run: Path, training: str) -> Json | None:
    """The settings of the training; None if the run's configuration cannot be read."""
    config = config_or_warning(run, "The card is written without the settings of the training.")
    if config is None:
        return None
    recipe = {"seed": config.settings["seed"], **config.settings["train"], "method": training}
    return {key: value for key, value in recipe.items() if adversarial(training) or key not in ADVERSARIAL}


def _metrics(run: Path, path: Path) -> list[Evaluation]:
    """Every finished evaluation of the checkpoint: in its own run, and in runs of `nas eval` beside that run."""
    metrics = []
    others = sorted(other for other in run.parent.iterdir() if other != run and (other / CONFIG).is_file())
    for folder in [run, *others]:
        try:
            result = result_of(folder)
        except InputError:
            continue
        for entry in [] if result is None else evaluations_of(result):
            if entry.checkpoint is not None and (folder / entry.checkpoint).resolve() == path:
                data = read_config(folder).settings["data"]
                metrics.append(Evaluation(entry, {key: data.get(key) for key in ("name", "size")}, folder.name))
    return metrics


def _installed(*packages: str) -> dict[str, str]:
    return {package: version(package) for package in packages}
