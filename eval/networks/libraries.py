"""Networks of timm and torchvision, and what the libraries say about their images and weights."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from nas.core.data.resize import CROP, SQUASH, SQUASH_CROP
from nas.core.errors import InputError
from nas.core.extras import optional
from nas.core.io.files import sha256_of
from nas.core.suggestions import suggest
from nas.eval.networks.making import Keywords, make_network
from nas.eval.networks.weights import load_weights
from nas.eval.networks.wrapped import NONE, SETTINGS, Normalisation

LIBRARIES = ("timm", "torchvision")
OTHER_PLACES = {"checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"}  # options by which timm finds weights
INSIDE = "transform_input"  # option of googlenet and inception_v3: the network itself normalises its images once more
PUBLISHED = re.compile(r"-([0-9a-f]{8,64})\.\w+$")  # the beginning of a file's SHA-256 in its name
ImageOptions = dict[str, int | float | str]  # keys of `data`: size, resize, crop_share, interpolation


@dataclass(frozen=True)
class ModelInfo:
    """What a library says about one of its models."""

    images: ImageOptions
    mean: list[float]
    std: list[float]
    num_classes: int | None


def model_info(library: str, name: str, chosen: Any = None) -> ModelInfo:
    """What `library` says about its model `name`; for torchvision with the `chosen` weights, by default the newest.

    Raises `InputError` if the library has no model of this name.
    """
    if library == "timm":
        timm = optional("timm", "zoo")
        known = timm.is_model(name.partition(".")[0])
        config = timm.get_pretrained_cfg(name, allow_unregistered=False) if known else None
        if config is None:
            raise _unknown_model(library, name, timm.list_models())
        return ModelInfo(_images_of_timm(config), list(config.mean), list(config.std), config.num_classes)
    from torchvision import models

    if name not in (listed := models.list_models(module=models)):
        raise _unknown_model(library, name, listed)
    known = models.get_model_weights(name)
    weights = known.__members__.get(str(chosen).rpartition(".")[2], known.DEFAULT)  # type: ignore[attr-defined]
    given = weights.transforms()
    size, side = given.crop_size[0], given.resize_size[0]
    images: ImageOptions = {"size": size, **_crop(size / side), "interpolation": given.interpolation.value}
    return ModelInfo(images, list(given.mean), list(given.std), len(weights.meta["categories"]))


def _images_of_timm(config: Any) -> ImageOptions:
    """Without `resize` if timm pads images: `data.resize` has no such value, so the user must choose one."""
    images: ImageOptions = {"size": config.input_size[-1], "interpolation": config.interpolation}
    if config.crop_mode == "center":
        return images | _crop(config.crop_pct)
    if config.crop_mode == "squash":
        return images | ({"resize": SQUASH} if config.crop_pct == 1 else _crop(config.crop_pct, SQUASH_CROP))
    return images


def _crop(share: float, how: str = CROP) -> ImageOptions:
    return {"resize": how, "crop_share": share}


def _unknown_model(library: str, name: str, listed: list[str]) -> InputError:
    return InputError(f"Expected a model of {library} but got {name!r}{suggest(name, listed)}.")


def from_library(
    library: str, name: str, weights: Path | None, keywords: Keywords, asked: Normalisation, seed: int
) -> tuple[nn.Module, Normalisation]:
    """The library's model for images in [0, 1], and how these are normalised.

    The normalisation is by the library's constants unless another is `asked` for. The weights are those of a file, or
    the library's own (downloaded), or random ones with `pretrained=false`. Raises `InputError` if the options or the
    weights do not fit the model.
    """
    about = model_info(library, name, keywords.get("weights"))
    for key in OTHER_PLACES & keywords.keys():
        raise InputError(
            f"Expected no {key} in eval.model_options, which could make {library} unpickle a file; give weights as "
            f"{library}:{name}@PATH."
        )
    pretrained = keywords.pop("pretrained", weights is None)
    if not isinstance(pretrained, bool) or (pretrained and weights is not None):
        raise InputError(
            f"Expected eval.model_options=pretrained=true or false, and weights from one source only, but got "
            f"pretrained={pretrained}{'' if weights is None else f' and the weights {weights}'}; leave out one of them."
        )
    if pretrained and keywords.get("num_classes", about.num_classes) != about.num_classes:
        raise InputError(
            f"Expected the {about.num_classes} classes that the weights of {library}:{name} were trained for but got "
            f"num_classes={keywords['num_classes']}; give weights that fit as {library}:{name}@PATH."
        )
    source = f"{library}:{name}"
    if library == "timm":
        make = optional("timm", "zoo").create_model
        network = make_network(source, lambda: make(name, pretrained=pretrained, **keywords), seed)
    else:
        from torchvision import models

        if pretrained:
            keywords.setdefault("weights", "DEFAULT")
        network = make_network(source, lambda: models.get_model(name, **keywords), seed)
    if weights is not None:
        load_weights(network, weights)
        if library == "torchvision" and hasattr(network, INSIDE):
            network.transform_input = _normalises_inside(name, weights, keywords)  # type: ignore[assignment]
    if asked.by in (NONE, SETTINGS):
        used = asked
    else:
        used = Normalisation(library, tuple(about.mean), tuple(about.std))
    return used.around(network), used


def _normalises_inside(name: str, weights: Path, keywords: Keywords) -> bool:
    """Whether a model that can normalise once more must do so with these weights; their file does not say it.

    Raises `InputError` if the option `transform_input` is needed and not given.
    """
    given = keywords.get(INSIDE)
    if isinstance(given, bool):
        return given
    if given is None and sha256_of(weights).startswith(tuple(published(name))):
        return True
    got = "" if given is None else f" but got {given!r}"
    raise InputError(
        f"Expected eval.model_options={INSIDE}=true or false for torchvision:{name}@{weights}{got}: these weights were "
        f"trained with or without a second normalisation inside the network. Give true for weights that started from "
        f"torchvision's own ({', '.join(published(name))}), else false, which is what torchvision does by default."
    )


def published(name: str) -> list[str]:
    """The first digits of the SHA-256 of torchvision's own files of weights for a model, from the files' names."""
    from torchvision import models

    urls = [str(weights.url) for weights in models.get_model_weights(name)]  # type: ignore[attr-defined]
    return [found[1] for found in map(PUBLISHED.search, urls) if found is not None]
