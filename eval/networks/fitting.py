"""Whether a network fits the data and the attacks of an evaluation."""

from __future__ import annotations

import torch

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.core.images import unit_range
from nas.core.logits import finite
from nas.core.reasons import reason
from nas.eval.measures import MEASURES
from nas.eval.model_source import EvaluatedModel
from nas.eval.networks import layout
from nas.eval.networks.logit_shapes import check_logits, check_one_image
from nas.eval.plan import attacks_of
from nas.eval.settings import EvalSettings


def check_fits(model: EvaluatedModel, dataset: Dataset, name: str, settings: EvalSettings | None = None) -> None:
    """Raise `InputError` unless the network `name` fits the images and classes of `dataset`.

    It must also have the gradients that an evaluation by `settings` needs. A foreign network is called with two images
    (of the training part if there is one), and with one.
    """
    classes, size = model.num_classes, model.image_size
    if classes is not None and (dataset.num_classes, dataset.image_size) != (classes, size):
        raise InputError(
            f"Expected data of {classes} classes and {size} pixels for {name} but {dataset.name} has "
            f"{dataset.num_classes} and {dataset.image_size}; set data.name, data.size."
        )
    if sorted(model.classes) == sorted(dataset.classes) and model.classes != dataset.classes:
        odd = next(label for label, name in enumerate(model.classes) if name != dataset.classes[label])
        raise InputError(
            f"Expected the classes in the order of {name}, whose class {odd} is {model.classes[odd]!r}, but in "
            f"{dataset.name} it is {dataset.classes[odd]!r}; set data.order as it was for the training."
        )
    if classes is not None:
        return
    images = f"{dataset.image_size}x{dataset.image_size} images"
    users = [] if settings is None else gradient_users(settings)
    x = unit_range(dataset.example.images[:2])
    x = x if len(x) == 2 else x.repeat(2, 1, 1, 1)
    try:
        network = layout.adapt(model.network, x)
        with torch.no_grad():
            logits = network(x)
        no_gradient = layout.missing_gradient(network, x) if users else None
    except Exception as error:  # whatever foreign code may raise
        raise InputError(
            f"Expected {name} to take {images} of {dataset.name} but: {reason(error)}; set data.size."
        ) from error
    check_logits(logits, dataset.num_classes, name, f"{images} of {dataset.name}")
    if not bool(finite(logits).any()):  # the network may be unable to standardise one of the two images
        raise InputError(
            f"Expected finite logits of {name} but got NaN or infinity; check its weights. If it masks classes by "
            "infinite logits, use large finite ones instead."
        )
    check_one_image(network, x[:1], dataset.num_classes, name)
    model.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    if no_gradient is not None:
        raise InputError(
            f"Expected a gradient of {name} in the pixels for {', '.join(users)} but there is none "
            f"({reason(no_gradient)}); leave these out, or give a network that computes gradients (not quantised, not "
            "optimised for inference, not run under no_grad). The attack square and corruptions need none."
        )


def class_name_warning(model: EvaluatedModel, dataset: Dataset, name: str) -> str | None:
    """A warning if the network's classes have other names than those of the data; else None."""
    pairs = [(own, of_data) for own, of_data in zip(model.classes, dataset.classes) if own != of_data]
    if not pairs:
        return None
    return (
        f"{len(pairs):,} of {len(model.classes):,} classes of {name} have other names than those of the data (such as "
        f"{pairs[0][0]!r} and {pairs[0][1]!r}); they are taken to be the same classes in the same order."
    )


def gradient_users(settings: EvalSettings) -> list[str]:
    """The attacks, measures and checks of the settings that need a gradient, by name."""
    attacks = [label.partition("@")[0] for label, attack in attacks_of(settings) if attack.needs_gradient]
    kinds = [kind(settings) for name, kind in MEASURES.items() if name in settings.measures]
    measures = [f"eval.measures={kind.name}" for kind in kinds if kind.needs_gradient]
    checks = ["eval.checks=true"] if settings.checks else []
    return list(dict.fromkeys([*attacks, *measures, *checks]))
