"""An exported network: a folder with its weights as safetensors and a description from which it is built again.

Nothing in the folder is pickled, so reading a folder from a stranger runs none of the stranger's code.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from nas.core.config import expanded
from nas.core.errors import InputError
from nas.core.extras import optional
from nas.core.io.files import read_text, write_atomic, write_json
from nas.core.io.records import Json
from nas.search_spaces import Network
from nas.train.trained_network import TrainedNetwork, load_described, load_trained

DESCRIPTION = "architecture.json"
WEIGHTS = "weights.safetensors"
FORMAT = 1


def is_exported(path: Path) -> bool:
    """Whether `path` is a folder written by `nas export`."""
    return (path / DESCRIPTION).is_file()


def save_exported(folder: Path, trained: TrainedNetwork, weights: dict[str, Tensor], more: Json) -> None:
    """Write all weights of a network (name → tensor), and its description with the entries of `more` added.

    Raises InputError if safetensors is not installed.
    """
    safetensors = optional("safetensors.torch", "export")
    content = safetensors.save({name: value.detach().cpu().contiguous() for name, value in weights.items()})
    write_atomic(folder / WEIGHTS, lambda file: file.write(content))
    sums = {WEIGHTS: hashlib.sha256(content).hexdigest()}
    write_json(folder / DESCRIPTION, {"format": FORMAT, "network": asdict(trained), "sha256": sums, **more})


def load_exported(folder: Path) -> tuple[Network, TrainedNetwork]:
    """The network of an exported folder in eval mode, and its description.

    Raises InputError if safetensors is not installed, if a file is missing or damaged, or if the weights do not have
    the checksum in the description.
    """
    description = _description(folder)
    safetensors = optional("safetensors.torch", "export")
    try:
        content = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise InputError(
            f"Expected to read {folder / WEIGHTS} but: {error.strerror or error}; export again."
        ) from error
    if hashlib.sha256(content).hexdigest() != description["sha256"][WEIGHTS]:
        raise InputError(
            f"Expected the weights that {DESCRIPTION} describes but {folder / WEIGHTS} has another checksum; "
            "copy or export the folder again."
        )
    try:
        weights = safetensors.load(content)
    except Exception as error:  # the library has an error class of its own, which older versions hide
        raise InputError(f"Expected safetensors in {folder / WEIGHTS} but: {error}; export again.") from error
    return load_described({**description, "weights": weights}, f"an exported network of this version but {folder}")


def load(path: str | Path, device: str | torch.device = "cpu") -> Network:
    """The network of an exported folder or of a checkpoint, in eval mode, which maps images in [0, 1] to logits.

    `robustbench.benchmark` takes such a network. Raises InputError if no network can be read from `path`.

    >>> import nas, torch
    >>> cell = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    >>> model = nas.train_model(cell, epochs=1, settings={"model.channels": 4, "model.cells_per_stage": 1})
    >>> network = nas.load(model.save("mine.pt"))
    >>> network(torch.rand(2, 3, 16, 16)).shape
    torch.Size([2, 10])
    """
    path = Path(expanded(str(path)))
    if not path.exists():
        raise InputError(f"Expected an exported folder or a checkpoint but {path} does not exist; check the path.")
    if (what := _other_file(path)) is not None:
        raise InputError(
            f"Expected an exported folder or a checkpoint but {path} is {what}; give the checkpoint of a run, such as "
            "RUN/models/best/best.pt."
        )
    return read(path)[0].to(device)


def _other_file(path: Path) -> str | None:
    """What a file is that a run writes beside its checkpoints; None for any other."""
    kinds = {
        **{".html": "a page of nas report", ".json": "a JSON file", ".yaml": "a file of settings", ".csv": "a table"},
        **{".onnx": "an ONNX graph", ".safetensors": "the weights of an exported network, whose folder is needed"},
    }
    return kinds.get(path.suffix.lower()) if path.is_file() else None


def read(path: Path) -> tuple[Network, TrainedNetwork]:
    """The network of an exported folder or of a checkpoint, in eval mode, and its description.

    Raises InputError if it cannot be read.
    """
    return load_exported(path) if path.is_dir() else load_trained(path)


def _description(folder: Path) -> Json:
    path = folder / DESCRIPTION
    try:
        value = json.loads(read_text(path))
        version = value["format"]
        known = isinstance(value["sha256"][WEIGHTS], str) and isinstance(value["network"], dict)
    except FileNotFoundError as error:
        raise InputError(
            f"Expected a folder written by `nas export` but {folder} has no {DESCRIPTION}; check the path."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"Expected a readable {path} but: {error}; copy or export the folder again.") from error
    if version != FORMAT or not known:
        raise InputError(f"Expected format {FORMAT} in {path} but got {version!r}; use the version that wrote it.")
    return value
