"""Opening a network by its name, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from nas.eval import EvalSettings
from nas.eval.model_source import EvaluatedModel, classify, load_model

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])  # mean and deviation, as both libraries publish them
RANDOM = ["pretrained=false", "num_classes=10"]
SMALL = "torchvision:squeezenet1_1"


def opened(
    text: str, options: Sequence[str] = (), folder: Path | None = None, seed: int = 0, **keys: Any
) -> EvaluatedModel:
    settings = EvalSettings(model_options=list(options), **keys)
    settings.check()
    return load_model(classify(text, folder), settings, seed)


def normalised(x: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
    return (x - mean) / std
