"""Where an evaluated network comes from: a checkpoint, an exported folder, Python code, timm or torchvision.

Whatever it is, it comes out as a module in eval mode that takes images in [0, 1], with what is known of it.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn

from nas.core.data import Dataset
from nas.core.data.resize import CROP, SQUASH, SQUASH_CROP
from nas.core.errors import InputError
from nas.core.extras import optional
from nas.core.images import unit_range
from nas.core.logits import finite
from nas.core.registry import suggest
from nas.core.seeds import seeded
from nas.core.yaml_errors import explained
from nas.core.yaml_size import check_size
from nas.eval.logit_shapes import check_logits, check_one_image
from nas.eval.wrapped import Normalized
from nas.train import load_trained
from nas.train.exported import load_exported

LIBRARIES = ("timm", "torchvision")
CODE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
OTHER_PLACES = {"checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"}  # where timm would load weights from
UNKNOWN = "unknown"  # how a network of somebody else was trained


@dataclass(frozen=True)
class Subject:
    """A network to evaluate and what is known of it."""

    network: nn.Module  # in eval mode, on images in [0, 1]
    architecture: str
    params: int  # trainable weights, without an auxiliary head
    training: str
    num_classes: int | None = None  # where the source says so
    image_size: int | None = None
    classes: tuple[str, ...] = ()  # their names in the order of the logits, where the source says so


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
    weights = _keywords(options).get("weights") if library == "torchvision" else None
    return _stated(library, rest.partition("@")[0], weights).images


def opened(text: str, options: list[str], importable: str | None, seed: int) -> Subject:
    """The network that `text` names: `timm:NAME[@WEIGHTS]`, `torchvision:NAME[@WEIGHTS]`, `package.module:factory`,
    or the path of a checkpoint or an exported folder.

    `options` (key=value) go to the maker of a foreign network; `importable` is a folder whose modules it may import;
    `seed` fixes weights that are drawn and not loaded. Raises `InputError` where there is no such network.
    """
    if is_foreign(text):
        keywords = _keywords(options)
        library, _, rest = text.partition(":")
        if library in LIBRARIES:
            network = _from_library(library, *_name_and_weights(rest), keywords, seed)
        else:
            network = _from_code(text, keywords, importable, seed)
        return Subject(network.eval(), text, _weights(network), UNKNOWN)
    if options:
        raise InputError(
            f"Expected no eval.model_options for {text}, which is built as it was trained; leave the option out."
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


def check_fits(subject: Subject, dataset: Dataset, name: str) -> None:
    """`InputError` unless the network takes the images of `dataset` and tells its classes apart.

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
    try:
        with torch.no_grad():
            logits = subject.network(unit_range(dataset.example.images[:2]))
    except Exception as error:  # the code of somebody else may fail in any way
        raise InputError(
            f"Expected {name} to take {images} of {dataset.name} but: {_reason(error)}; set data.size."
        ) from error
    check_logits(logits, dataset.num_classes, name, f"{images} of {dataset.name}")
    if not bool(finite(logits).any()):  # a single image may be one that the network cannot standardise
        raise InputError(f"Expected finite logits of {name} but got NaN or infinity; check its weights.")
    check_one_image(subject.network, unit_range(dataset.example.images[:1]), dataset.num_classes, name)


def unlike(subject: Subject, dataset: Dataset, name: str) -> str | None:
    """That the network's classes have other names than those of the data, in a sentence; None where they have not."""
    pairs = [(ours, theirs) for ours, theirs in zip(subject.classes, dataset.classes) if ours != theirs]
    if not pairs:
        return None
    return (
        f"{len(pairs):,} of {len(subject.classes):,} classes of {name} have other names than those of the data (as "
        f"{pairs[0][0]!r} and {pairs[0][1]!r}); they are taken to be the same in this order."
    )


@dataclass(frozen=True)
class _Stated:
    """What a library says of one of its models."""

    images: dict[str, Any]  # keys of `data`
    mean: list[float]
    std: list[float]
    num_classes: int | None


def _stated(library: str, name: str, chosen: Any = None) -> _Stated:
    """What `library` says of its model `name`; of torchvision's with the `chosen` weights, by default its newest."""
    if library == "timm":
        timm = optional("timm", "zoo")
        known = timm.is_model(name.partition(".")[0])
        config = timm.get_pretrained_cfg(name, allow_unregistered=False) if known else None
        if config is None:
            raise _no_model(library, name, timm.list_models())
        return _Stated(_images_of_timm(config), list(config.mean), list(config.std), config.num_classes)
    from torchvision import models

    if name not in (listed := models.list_models(module=models)):
        raise _no_model(library, name, listed)
    known = models.get_model_weights(name)
    weights = known.__members__.get(str(chosen).rpartition(".")[2], known.DEFAULT)  # type: ignore[attr-defined]
    given = weights.transforms()
    size, side = given.crop_size[0], given.resize_size[0]
    images = {"size": size, **_cut(size / side), "interpolation": given.interpolation.value}
    return _Stated(images, list(given.mean), list(given.std), len(weights.meta["categories"]))


def _images_of_timm(config: Any) -> dict[str, Any]:
    """`resize` is left to the user where timm pads images, which `data.resize` cannot."""
    images = {"size": config.input_size[-1], "interpolation": config.interpolation}
    if config.crop_mode == "center":
        return images | _cut(config.crop_pct)
    if config.crop_mode == "squash":
        return images | ({"resize": SQUASH} if config.crop_pct == 1 else _cut(config.crop_pct, SQUASH_CROP))
    return images


def _cut(share: float, how: str = CROP) -> dict[str, Any]:
    return {"resize": how, "crop_share": share}


def _no_model(library: str, name: str, listed: list[str]) -> InputError:
    return InputError(f"Expected a model of {library} but got {name!r}{suggest(name, listed)}.")


def _name_and_weights(rest: str) -> tuple[str, Path | None]:
    name, at, path = rest.partition("@")
    return name, Path(path) if at else None


def _from_library(library: str, name: str, weights: Path | None, keywords: dict[str, Any], seed: int) -> nn.Module:
    """The library's model, normalised by the library's own constants.

    The weights are those of a file, or the library's own (downloaded), or random ones with `pretrained=false`.
    """
    stated = _stated(library, name, keywords.get("weights"))
    for key in OTHER_PLACES & keywords.keys():
        raise InputError(
            f"Expected no {key} in eval.model_options, which could make {library} unpickle a file; give weights as "
            f"{library}:{name}@PATH."
        )
    pretrained = keywords.pop("pretrained", weights is None)
    if not isinstance(pretrained, bool) or (pretrained and weights is not None):
        raise InputError("Expected eval.model_options=pretrained=true or false, and weights from one place.")
    if pretrained and keywords.get("num_classes", stated.num_classes) != stated.num_classes:
        raise InputError(
            f"Expected the {stated.num_classes} classes that the weights of {library}:{name} were trained for but got "
            f"num_classes={keywords['num_classes']}; give weights that fit as {library}:{name}@PATH."
        )
    where = f"{library}:{name}"
    if library == "timm":
        make = optional("timm", "zoo").create_model
        network = _made(where, lambda: make(name, pretrained=pretrained, **keywords), seed)
    else:
        from torchvision import models

        if pretrained:
            keywords.setdefault("weights", "DEFAULT")
        network = _made(where, lambda: models.get_model(name, **keywords), seed)
    if weights is not None:
        _load(network, weights)
    return Normalized(network, stated.mean, stated.std)


def _load(network: nn.Module, path: Path) -> None:
    """Put the weights of a .safetensors or .pth file into the network, every one of them."""
    if not os.path.isfile(path):
        raise InputError(f"Expected a file of weights at {path} but there is none; check the path.")
    try:
        if path.suffix == ".safetensors":
            content = optional("safetensors.torch", "zoo").load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
            for key in ("state_dict", "model"):  # how training scripts wrap them
                content = content.get(key, content) if isinstance(content, dict) else content
        network.load_state_dict({name.removeprefix("module."): value for name, value in content.items()})
    except InputError:
        raise
    except Exception as error:  # each library has its own ways to say that a file is broken or does not fit
        raise InputError(f"Expected the weights of this model in {path} but: {_reason(error)}.") from error


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
            f"Expected to import {text} but: {_reason(error)}; run in the folder that holds the module, or install it."
        ) from error
    if not callable(found):
        raise InputError(f"Expected {text} to be a function that makes a network but it is a {type(found).__name__}.")
    if isinstance(found, nn.Module):
        raise InputError(f"Expected {text} to be a function that makes a network but it is one; write a function.")
    return _made(text, lambda: found(**keywords), seed)


def _made(where: str, make: Callable[[], Any], seed: int) -> nn.Module:
    try:
        with seeded(seed):
            network = make()
    except Exception as error:  # a download that fails, an option that is not known, ...
        raise InputError(
            f"Expected {where} to make a network but: {_reason(error)}; check eval.model_options, the weights and the "
            "connection."
        ) from error
    if not isinstance(network, nn.Module):
        raise InputError(f"Expected {where} to make an nn.Module but got {type(network).__name__}.")
    return network


def _keywords(options: list[str]) -> dict[str, Any]:
    """`["num_classes=10", "pretrained=false"]` as values; each is read as YAML."""
    keywords: dict[str, Any] = {}
    for text in options:
        key, equals, _ = str(text).partition("=")
        if not equals or not key.isidentifier():
            raise InputError(f"Expected eval.model_options as key=value,key=value but got {text!r}.")
        try:
            check_size(text)
            keywords[key] = OmegaConf.to_container(OmegaConf.from_dotlist([text]))[key]  # type: ignore[index,call-overload]
        except Exception as error:  # of the YAML library
            raise InputError(
                f"Expected a YAML value in eval.model_options but got {text!r}: {explained(error)}."
            ) from error
    return keywords


def _weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": .")
