"""Where a network comes from (a checkpoint, an exported folder, timm, torchvision, Python code), and loading it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.eval.networks import layout
from nas.eval.networks.libraries import LIBRARIES, ImageOptions, from_library, model_info
from nas.eval.networks.making import from_code, keywords
from nas.eval.networks.wrapped import LIBRARY, NONE, NetworkOptions, Normalisation
from nas.results import PYTHON, UNKNOWN, UsedNormalisation
from nas.train.exported import read
from nas.train.trained_network import TrainedNetwork

CODE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
CONSTANTS = ("prim::Constant", "prim::ConstantMKLDNNTensor")  # kinds of constants of a TorchScript program


@dataclass(frozen=True)
class ModelSource:
    """The source of a network, as it was named on the command line; it is classified once.

    `text` is the path of a checkpoint or an exported folder, or the name of a foreign network:
    `timm:NAME[@WEIGHTS]`, `torchvision:NAME[@WEIGHTS]`, `package.module:factory`. `importable` is the folder whose
    modules a foreign network may import; None for a network that this project trained. A module that was given in a
    call from Python has the text `python:CLASS`, and cannot be loaded again.
    """

    text: str
    importable: str | None = None

    @classmethod
    def of_module(cls, network: nn.Module) -> ModelSource:
        kind = type(network)
        name = getattr(network, "original_name", kind.__qualname__)  # of a TorchScript module: its class in Python
        return cls(f"{PYTHON}{kind.__module__}.{name}", "")

    @property
    def foreign(self) -> bool:
        return self.importable is not None

    @property
    def in_python(self) -> bool:
        """Whether the source is a module that was given in a call from Python."""
        return self.foreign and self.text.startswith(PYTHON)

    def check_loadable(self) -> None:
        """Raise `InputError` for a module that was given in a call from Python."""
        if self.in_python:
            raise InputError(
                f"Expected a network that can be loaded but {self.label} was given in Python; evaluate it with "
                "nas.evaluate(network, ...) in a new run."
            )

    @property
    def described(self) -> str:
        """The network as messages name it."""
        return self.label if self.in_python else self.text

    @property
    def library(self) -> str | None:
        """`timm` or `torchvision`; None for any other source."""
        library = self.text.partition(":")[0]
        return library if self.foreign and library in LIBRARIES else None

    @property
    def model(self) -> str:
        """The part after the colon: the model's name in the library, or the factory."""
        name = self.text.partition(":")[2]
        return name.partition("@")[0] if self.library else name

    @property
    def weights(self) -> Path | None:
        """The file of weights that is given for a library's model; None if there is none."""
        _, at, path = self.text.partition("@")
        return Path(path) if self.library and at else None

    @property
    def label(self) -> str:
        """A short name for a foreign network: that of the model or the class, or the factory's with its module."""
        if self.in_python:
            name = self.model.rpartition(".")[2]
        else:
            name = self.model if self.library else f"{self.text.partition(':')[0].rpartition('.')[2]}.{self.model}"
        return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:80] or "network"

    def native_images(self, options: list[str]) -> ImageOptions:
        """The images that the library uses for its model: `size`, `resize`, `crop_share`, `interpolation` of the data.

        Empty for other sources. `options` are the model options, which may choose other weights of torchvision.
        Raises `InputError` if the library has no such model.
        """
        if self.library is None:
            return {}
        chosen = keywords(options).get("weights") if self.library == "torchvision" else None
        return model_info(self.library, self.model, chosen).images

    def within(self, folder: Path) -> ModelSource:
        """The same source, with a relative path taken from `folder`."""
        return self if self.foreign else replace(self, text=str(folder / self.text))

    def seen_from(self, folder: Path) -> str:
        """The text to store in a file in `folder`: a relative path, because both may be moved together."""
        return self.text if self.foreign else os.path.relpath(self.text, folder)

    def to_json(self) -> dict[str, str]:
        """The form in which a run stores the source."""
        return {"checkpoint": self.text, **({} if self.importable is None else {"importable": self.importable})}

    @classmethod
    def from_json(cls, value: Mapping[str, str]) -> ModelSource:
        return cls(value["checkpoint"], value.get("importable"))


def classify(text: str, importable: str | Path | None = None) -> ModelSource:
    """The source that `text` names; code is imported from the folder `importable`, by default the current one.

    The path of a library's weights becomes absolute, so that it is valid from another folder.
    """
    if not _is_foreign(text):
        return ModelSource(text)
    library, _, rest = text.partition(":")
    name, at, path = rest.partition("@")
    if at and library in LIBRARIES and "\0" not in path:  # such a text is no path: opening it raises the error
        text = f"{library}:{name}@{os.path.abspath(os.path.expanduser(path))}"
    return ModelSource(text, str(importable or Path.cwd()))


def _is_foreign(text: str) -> bool:
    if text.partition(":")[0] not in LIBRARIES and CODE.fullmatch(text) is None:
        return False
    try:
        return not Path(text).exists()
    except (OSError, ValueError):  # no file can have such a name
        return True


@dataclass(frozen=True)
class EvaluatedModel:
    """A network to evaluate, and what is known about it."""

    network: nn.Module  # in eval mode, on images in [0, 1]
    architecture: str
    params: int  # weights, frozen or not, without an auxiliary head
    training: str
    num_classes: int | None = None  # None if the source does not say it
    image_size: int | None = None
    classes: tuple[str, ...] = ()  # their names in the order of the logits; empty if the source does not say them
    normalised: Normalisation | None = None  # in front of a foreign network

    @classmethod
    def of_ours(cls, network: nn.Module, trained: TrainedNetwork) -> EvaluatedModel:
        """A network that this project trained, with its description."""
        return cls(
            network,
            trained.arch,
            trained.params,
            trained.training,
            trained.num_classes,
            trained.image_size,
            tuple(trained.classes),
        )

    @property
    def normalised_by(self) -> UsedNormalisation | None:
        """The normalisation in the form of a result."""
        return None if self.normalised is None else self.normalised.used()


def load_model(source: ModelSource, options: NetworkOptions, seed: int) -> EvaluatedModel:
    """The network of a source. Weights that are not loaded are drawn by `seed`, the seed of the run.

    A foreign network is made with the model options, and its images are normalised as the options ask for.
    Raises `InputError` if there is no such network, or if a network of ours is given options.
    """
    source.check_loadable()
    if source.foreign:
        return _foreign(source, options, derive(seed, "weights"))
    refuse_options(source, options)
    if not os.path.exists(source.text):  # also for a text that cannot be the name of a file
        raise InputError(f"Expected a checkpoint at {source.text} but there is no such file; check the path.")
    return EvaluatedModel.of_ours(*read(Path(source.text)))


def refuse_options(source: ModelSource, options: NetworkOptions) -> None:
    """Raise `InputError` if a network of ours is given options that only a foreign one takes."""
    asked = options.normalisation.by is not None
    for key, given in (("model_options", options.model_options), ("normalise, eval.mean and eval.std", asked)):
        if given:
            raise InputError(
                f"Expected no eval.{key} for {source.text}, which is built as it was trained; leave the option out."
            )


def _foreign(source: ModelSource, options: NetworkOptions, seed: int) -> EvaluatedModel:
    asked, given = options.normalisation, keywords(options.model_options)
    if source.library is not None:
        network, used = from_library(source.library, source.model, source.weights, given, asked, seed)
    else:
        used = _own_normalisation(source, asked)
        network = used.around(from_code(source.text, given, source.importable, seed))
    return EvaluatedModel(layout.in_eval_mode(network), source.text, weights_of(network), UNKNOWN, normalised=used)


def _own_normalisation(source: ModelSource, asked: Normalisation) -> Normalisation:
    """The normalisation for a foreign network that is of no library."""
    if asked.by == LIBRARY:
        raise InputError(
            f"Expected a model of {' or '.join(LIBRARIES)} for eval.normalise=library but got {source.described}; "
            "leave it out, or give eval.mean with eval.std."
        )
    return Normalisation(asked.by or NONE, asked.mean, asked.std)


def model_of(network: nn.Module, options: NetworkOptions) -> EvaluatedModel:
    """A module that was given in a call from Python; its images are normalised as the options say.

    Puts the module into eval mode. Raises `InputError` if there are model options: they are for making a network.
    """
    source = ModelSource.of_module(network)
    if options.model_options:
        raise InputError(
            f"Expected no eval.model_options for {source.label}, which is made already; leave the option out."
        )
    used = _own_normalisation(source, options.normalisation)
    params = weights_of(network)
    network = layout.in_eval_mode(used.around(network))
    return EvaluatedModel(network, source.text, params, UNKNOWN, normalised=used)


def weights_of(network: nn.Module) -> int:
    """The number of weights, including frozen and quantised ones.

    For a TorchScript program without weights it is the number of its constants.
    """
    count = sum(weight.numel() for weight in network.parameters())
    count += sum(weight.numel() for part in network.modules() for weight in _quantised_weights(part))
    scripts = [part for part in network.modules() if isinstance(part, torch.jit.ScriptModule)]
    if count or not scripts:
        return count
    graph: Any = scripts[0].graph
    constants = [one for kind in CONSTANTS for one in graph.findAllNodes(kind) if one.output().uses()]
    return sum(one.t("value").numel() for one in constants if one.output().type().kind() == "TensorType")


def _quantised_weights(part: nn.Module) -> Iterator[Tensor]:
    """The weights of a quantised layer, which methods of the layer return: they are not parameters."""
    for name in ("weight", "bias"):
        give = getattr(part, name, None)
        if callable(give) and not isinstance(give, nn.Module) and not isinstance(part, torch.jit.ScriptModule):
            weight = give()
            if isinstance(weight, Tensor):
                yield weight
