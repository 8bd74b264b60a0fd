"""`nas train`: train one architecture."""

from __future__ import annotations

import typer

from nas.cli.arguments import Overrides, only_overrides
from nas.cli.output import DryRun, Json


def command(
    source: str = typer.Argument(..., metavar="CONFIG|RUN", help="A recipe, a .yaml file, or the folder of a search."),
    overrides: list[str] = Overrides,
    as_json: bool = Json,
    dry_run: bool = DryRun,
) -> None:
    """Train one architecture, or the best of a run; standard by default, adversarially with train.method=pgd.

    On several GPUs or machines: `torchrun --nproc-per-node 2 -m nas train ...`, and so with `nas resume`.
    Examples: `nas train runs/quickstart-1 train.method=pgd`;
    `nas train quickstart arch='|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|'`.
    """
    from nas.cli.execution import forecast, start
    from nas.commands.train import Train
    from nas.runs.torchrun import follow, together

    with together() as first:
        if not first:
            follow()
        else:
            settings = Train().settings(source, only_overrides(overrides))
            (forecast if dry_run else start)("train", settings, as_json)
