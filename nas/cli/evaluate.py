"""`nas eval`: attack a trained network."""

from __future__ import annotations

import typer

from nas.cli.arguments import Overrides, only_overrides
from nas.cli.output import DryRun, Json


def command(
    source: str = typer.Argument(
        ...,
        metavar="SOURCE",
        help="A run that trained one network, a checkpoint, an exported folder, timm:NAME[@WEIGHTS], "
        "torchvision:NAME[@WEIGHTS], or package.module:factory.",
    ),
    overrides: list[str] = Overrides,
    as_json: bool = Json,
    dry_run: bool = DryRun,
) -> None:
    """Attack a trained network: accuracies with 95 % intervals and the harmonic robustness score.

    Data are those of the checkpoint, attacks those of its run. Examples: `nas eval runs/quickstart-2`;
    `nas eval runs/quickstart-1/models/best-pgd/best.pt eval.eps=8/255 eval.attacks=fgsm,pgd20`.

    A network that is not ours needs data.name=...: `nas eval timm:resnet18@weights.safetensors data.name=cifar10
    data.root=PATH data.size=32 eval.model_options=num_classes=10`, or your own code in the current folder (a function
    that returns a module for images in [0, 1]; it is run): `nas eval my_networks:make data.name=digits`.
    """
    from nas.cli.execution import forecast, start
    from nas.runs.evaluation import evaluation_settings

    settings, given = evaluation_settings(source, only_overrides(overrides))
    if dry_run:
        forecast("eval", settings, as_json, given.to_json())
    else:
        start("eval", settings, as_json, given.to_json())
