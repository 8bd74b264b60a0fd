"""Where an evaluated network comes from: a checkpoint, an exported folder, Python code, timm or torchvision.

Whatever it is, it comes out as a module in eval mode that takes images in [0, 1], with what is known of it.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.core.images import unit_range
from nas.core.logits import finite
from nas.core.reasons import reason
from nas.eval.networks import layout
from nas.eval.networks.gradients import needing
from nas.eval.networks.libraries import LIBRARIES, from_library, stated
from nas.eval.networks.logit_shapes import check_logits, check_one_image
from nas.eval.networks.making import keywords, made
from nas.eval.networks.wrapped import LIBRARY, NONE, Normalisation
from nas.eval.settings import EvalSettings
from nas.train import load_trained
from nas.train.exported import load_exported

CODE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
AS_STATED = Normalisation()  # unless another is asked for
CONSTANTS = ("prim::Constant", "prim::ConstantMKLDNNTensor")  # of a TorchScript program
UNKNOWN = "unknown"  # how a network of somebody else was trained


@dataclass(frozen=True)
class Subject:
    """A network to evaluate and what is known of it."""

    network: nn.Module  # in eval mode, on images in [0, 1]
    architecture: str
    params: int  # weights, frozen or not, without an auxiliary head
    training: str
    num_classes: int | None = None  # where the source says so
    image_size: int | None = None
    classes: tuple[str, ...] = ()  # their names in the order of the logits, where the source says so
    normalised: Normalisation | None = None  # of a network from elsewhere: how, before it


def is_foreign(text: str) -> bool:
    """Whether the text names a network that is not a file or folder of ours."""
    if text.partition(":")[0] not in LIBRARIES and CODE.fullmatch(text) is None:
        return False
    try:
        return not Path(text).exists()
    except (OSError, ValueError):  # no file can have such a name
        return True


def label(text: str) -> str:
    """A short name for a foreign network: that of the model, or of the factory with its module."""
    library, _, rest = text.partition(":")
    name = rest.partition("@")[0] if library in LIBRARIES else f"{library.rpartition('.')[2]}.{rest}"
    return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:80] or "network"


def settled(text: str) -> str:
    """`text` with the path of its weights made absolute, so that it means the same from another folder."""
    library, _, rest = text.partition(":")
    name, at, path = rest.partition("@")
    if not at or library not in LIBRARIES:
        return text
    if "\0" in path:  # no path, and told as such where it is opened
        return text
    return f"{library}:{name}@{os.path.abspath(os.path.expanduser(path))}"


def native_images(text: str, options: list[str]) -> dict[str, Any]:
    """How the library wants images for this model: `size`, `resize`, `crop_share` and `interpolation` of the data.

    Empty for other sources. `options` are those of the model: they may choose other weights of torchvision.
    """
    library, _, rest = text.partition(":")
    if library not in LIBRARIES:
        return {}
    weights = keywords(options).get("weights") if library == "torchvision" else None
    return stated(library, rest.partition("@")[0], weights).images


def opened(
    text: str, options: list[str], importable: str | None, seed: int, asked: Normalisation = AS_STATED
) -> Subject:
    """The network that `text` names: `timm:NAME[@WEIGHTS]`, `torchvision:NAME[@WEIGHTS]`, `package.module:factory`,
    or the path of a checkpoint or an exported folder.

    `options` (key=value) go to the maker of a foreign network, which gets its images normalised as `asked`;
    `importable` is a folder whose modules it may import; `seed` fixes weights that are drawn and not loaded.
    Raises `InputError` where there is no such network.
    """
    if is_foreign(text):
        given = keywords(options)
        library, _, rest = text.partition(":")
        if library in LIBRARIES:
            name, at, weights = rest.partition("@")
            network, used = from_library(library, name, Path(weights) if at else None, given, asked, seed)
        elif asked.by == LIBRARY:
            raise InputError(
                f"Expected a model of {' or '.join(LIBRARIES)} for eval.normalise=library but got {text}; leave it "
                "out, or give eval.mean with eval.std."
            )
        else:
            used = Normalisation(asked.by or NONE, asked.mean, asked.std)
            network = used.around(_from_code(text, given, importable, seed))
        return Subject(layout.evaluating(network), text, _weights(network), UNKNOWN, normalised=used)
    for key, there in (("model_options", options), ("normalise, eval.mean and eval.std", asked.by is not None)):
        if there:
            raise InputError(
                f"Expected no eval.{key} for {text}, which is built as it was trained; leave the option out."
            )
    if not os.path.exists(text):  # also for what can be no name of a file
        raise InputError(f"Expected a checkpoint at {text} but there is no such file; check the path.")
    path = Path(text)
    ours, trained = load_exported(path) if path.is_dir() else load_trained(path)
    return Subject(
        ours,
        trained.arch,
        trained.params,
        trained.training,
        trained.num_classes,
        trained.image_size,
        tuple(trained.classes),
    )


def check_fits(subject: Subject, dataset: Dataset, name: str, settings: EvalSettings | None = None) -> None:
    """`InputError` unless the network takes the images of `dataset`, tells its classes apart, and has the gradients
    that an evaluation by `settings` needs.

    A network of somebody else is asked with two images, of the training part where there is one, and with one.
    """
    classes, size = subject.num_classes, subject.image_size
    if classes is not None and (dataset.num_classes, dataset.image_size) != (classes, size):
        raise InputError(
            f"Expected data of {classes} classes and {size} pixels for {name} but {dataset.name} has "
            f"{dataset.num_classes} and {dataset.image_size}; set data.name, data.size."
        )
    if sorted(subject.classes) == sorted(dataset.classes) and subject.classes != dataset.classes:
        odd = next(label for label, name in enumerate(subject.classes) if name != dataset.classes[label])
        raise InputError(
            f"Expected the classes in the order of {name}, whose class {odd} is {subject.classes[odd]!r}, but in "
            f"{dataset.name} it is {dataset.classes[odd]!r}; set data.order as it was for the training."
        )
    if classes is not None:
        return
    images = f"{dataset.image_size}x{dataset.image_size} images"
    wanting = [] if settings is None else needing(settings)
    x = unit_range(dataset.example.images[:2])
    try:
        network = layout.fitted(subject.network, x)
        with torch.no_grad():
            logits = network(x)
        without = layout.missing_gradient(network, x) if wanting else None
    except Exception as error:  # the code of somebody else may fail in any way
        raise InputError(
            f"Expected {name} to take {images} of {dataset.name} but: {reason(error)}; set data.size."
        ) from error
    check_logits(logits, dataset.num_classes, name, f"{images} of {dataset.name}")
    if not bool(finite(logits).any()):  # a single image may be one that the network cannot standardise
        raise InputError(
            f"Expected finite logits of {name} but got NaN or infinity; check its weights. If it masks classes by "
            "infinite logits, let them be large and finite."
        )
    check_one_image(network, x[:1], dataset.num_classes, name)
    subject.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    if without is not None:
        raise InputError(
            f"Expected a gradient of {name} in the pixels for {', '.join(wanting)} but there is none "
            f"({reason(without)}); leave these out, or give a network that computes gradients (not quantised, not "
            "optimised for inference, not run under no_grad). The attack square and corruptions need none."
        )


def unlike(subject: Subject, dataset: Dataset, name: str) -> str | None:
    """That the network's classes have other names than those of the data, in a sentence; None where they have not."""
    pairs = [(ours, theirs) for ours, theirs in zip(subject.classes, dataset.classes) if ours != theirs]
    if not pairs:
        return None
    return (
        f"{len(pairs):,} of {len(subject.classes):,} classes of {name} have other names than those of the data (as "
        f"{pairs[0][0]!r} and {pairs[0][1]!r}); they are taken to be the same in this order."
    )


def _from_code(text: str, keywords: dict[str, Any], importable: str | None, seed: int) -> nn.Module:
    """What the user's own factory returns; importing its module runs the user's code."""
    module_name, _, path = text.partition(":")
    if importable is not None and importable not in sys.path:
        sys.path.insert(0, importable)
    try:
        found: Any = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:  # a module may fail in any way
        raise InputError(
            f"Expected to import {text} but: {reason(error)}; run in the folder that holds the module, or install it."
        ) from error
    if not callable(found):
        raise InputError(f"Expected {text} to be a function that makes a network but it is a {type(found).__name__}.")
    if isinstance(found, nn.Module):
        raise InputError(f"Expected {text} to be a function that makes a network but it is one; write a function.")
    return made(text, lambda: found(**keywords), seed)


def _packed(part: nn.Module) -> Iterator[Tensor]:
    """The weights of a quantised layer, which are no parameters: functions give them."""
    for name in ("weight", "bias"):
        give = getattr(part, name, None)
        if callable(give) and not isinstance(give, nn.Module) and not isinstance(part, torch.jit.ScriptModule):
            found = give()
            if isinstance(found, Tensor):
                yield found


def _weights(network: nn.Module) -> int:
    """The weights, frozen ones too; quantised ones; of a TorchScript program whose weights became constants, these."""
    found = sum(weight.numel() for weight in network.parameters())
    found += sum(weight.numel() for part in network.modules() for weight in _packed(part))
    scripts = [part for part in network.modules() if isinstance(part, torch.jit.ScriptModule)]
    if found or not scripts:
        return found
    graph: Any = scripts[0].graph
    constants = [one for kind in CONSTANTS for one in graph.findAllNodes(kind) if one.output().uses()]
    return sum(one.t("value").numel() for one in constants if one.output().type().kind() == "TensorType")
