"""Whether a foreign network gives one logit per class for each image, and what to do if it does not."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nas.core.errors import InputError


def check_logits(outputs: Any, classes: int, name: str, images: str) -> None:
    """Raise `InputError` unless the `outputs` for two images, which `images` describes, are logits of all `classes`."""
    expected = (2, classes)
    if not isinstance(outputs, Tensor) or tuple(outputs.shape) != expected:
        got = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise InputError(
            f"Expected {name} to give logits of shape {expected} for two {images} but got {got}; "
            f"{_advice(outputs, classes)}."
        )


def count_classes(outputs: Any, images: int, name: str) -> int:
    """The number of classes of a network from its `outputs` for some images. Raises `InputError` if these are no logits
    of at least two classes.
    """
    if isinstance(outputs, Tensor) and outputs.dim() == 2 and outputs.shape[0] == images and outputs.shape[1] > 1:
        return outputs.shape[1]
    got = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
    single = isinstance(outputs, Tensor) and outputs.numel() == images
    advice = (
        _advice(outputs, 2) if single or not isinstance(outputs, Tensor) else "let it return one row for each image"
    )
    raise InputError(f"Expected {name} to give logits of shape ({images}, classes) but got {got}; {advice}.")


def check_one_image(network: nn.Module, x: Tensor, classes: int, name: str) -> None:
    """Raise `InputError` if the network drops the batch dimension of the single image `x`.

    Attacks get the images of a batch that are still correct, which may be a single one. A network that fails on a
    single image passes here: another check finds that its logits depend on the rest of the batch.
    """
    try:
        with torch.no_grad():
            shape = tuple(network(x).shape)
    except Exception:  # whatever foreign code may raise
        return
    if shape != (1, classes):
        raise InputError(
            f"Expected {name} to give logits of shape {(1, classes)} for one image alone but got {shape}; keep the "
            "dimension of the batch: flatten(1) or squeeze(-1), not squeeze()."
        )


def _advice(outputs: Any, classes: int) -> str:
    if not isinstance(outputs, Tensor):
        return "let it return the logits alone (a tensor), without features or auxiliary outputs"
    if classes == 2 and tuple(outputs.shape) in ((2,), (2, 1)):
        join = "cat" if outputs.dim() == 2 else "stack"
        return f"each class needs a logit: from a single output y, return torch.{join}([0 * y, y], dim=1)"
    other = f"choose other data, or a model of as many classes (eval.model_options=num_classes={classes})"
    if outputs.dim() == 2 and outputs.shape[1] > classes:
        return f"{other}; if the data has only some of its classes, let your own code return logits[:, those]"
    return other
