"""`nas score`: proxy values of given architectures."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import typer

from nas.cli.arguments import sorted_words
from nas.cli.output import Json, output


def command(
    words: list[str] = typer.Argument(..., metavar="ARCH... [KEY=VALUE]...", help="Architectures, and settings."),
    space: str = typer.Option("nasbench201", help="The search space they belong to."),
    proxies: str = typer.Option("croze,params,flops", help="Names from `nas list proxies`, separated by commas."),
    as_json: bool = Json,
) -> None:
    """Score architectures by zero-cost proxies, on digits unless data.name says otherwise.

    `params` and `flops` are those of the network that would be trained on 10 classes of 32x32 images. Example:
    `nas score '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|'`.
    """
    from nas.core.data import load
    from nas.core.errors import InputError
    from nas.drivers.scoring import Scorer, Sized
    from nas.drivers.settings import from_values
    from nas.search_spaces import SPACES

    overrides, texts = sorted_words(words)
    if not texts:
        raise InputError("Expected at least one architecture but got none; quote it, as it has | or brackets in it.")
    names = [name.strip() for name in proxies.split(",") if name.strip()]
    if not names:
        raise InputError("Expected names of proxies but got none; `nas list proxies` shows them.")
    settings = from_values({"space": space, "name": "score"}, overrides)
    points = SPACES.get(settings.space)()
    architectures = [points.parse(text) for text in texts]

    import torch

    torch.set_num_threads(settings.executor.threads)
    with output(as_json) as out:
        dataset = load(settings.data)
        scorer = Scorer(
            names,
            vars(settings.proxies),
            dataset,
            Sized(settings.space, asdict(settings.scoring), dataset.num_classes, dataset.image_size),
            Sized(settings.space, asdict(settings.model), num_classes=10, image_size=32),
            settings.seed,
            settings.torch_device(),
        )
        rows: list[dict[str, Any]] = []
        for text, arch in zip(texts, architectures):
            start = time.perf_counter()
            scores = scorer(str(arch))
            seconds = round(time.perf_counter() - start, 4)
            rows.append({"arch": text, "canonical": str(points.canonical(arch)), "scores": scores, "seconds": seconds})
        out.emit(rows, "\n".join(_line(row) for row in rows))


def _line(row: dict[str, Any]) -> str:
    scores = "  ".join(f"{name} {value:.8g}" for name, value in row["scores"].items())
    return f"{row['arch']}\n    {scores}  ({row['seconds']:.2f} s)"
