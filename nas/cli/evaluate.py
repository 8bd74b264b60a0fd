"""`nas eval`: attack a trained network."""

from __future__ import annotations

import typer

from nas.cli.arguments import Overrides, only_overrides
from nas.cli.output import DryRun, Json


def command(
    source: str = typer.Argument(
        ..., metavar="RUN|CHECKPOINT", help="A run that trained one network, or a checkpoint."
    ),
    overrides: list[str] = Overrides,
    as_json: bool = Json,
    dry_run: bool = DryRun,
) -> None:
    """Attack a trained network: accuracies with 95 % intervals and the harmonic robustness score.

    Data are those of the checkpoint, attacks those of its run. Examples: `nas eval runs/quickstart-2`;
    `nas eval runs/quickstart-1/models/best-pgd/best.pt eval.eps=8/255 eval.attacks=fgsm,pgd20`.
    """
    from nas.cli.execution import forecast, start
    from nas.drivers.launch import evaluation_settings

    settings, extra = evaluation_settings(source, only_overrides(overrides))
    if dry_run:
        forecast("eval", settings, as_json, extra)
    else:
        start("eval", settings, as_json, extra)
