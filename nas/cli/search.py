"""`nas search`: find architectures."""

from __future__ import annotations

import typer

from nas.cli.arguments import only_overrides
from nas.cli.output import DryRun, Json


def command(
    config: str = typer.Argument(
        ..., metavar="CONFIG", help="A recipe (see `nas list configs`) or a path to a .yaml file."
    ),
    overrides: list[str] = typer.Argument(None, metavar="[KEY=VALUE]...", help="Settings that differ."),
    as_json: bool = Json,
    dry_run: bool = DryRun,
) -> None:
    """Search only; prints the best architectures and keeps the run, which `nas train RUN` takes.

    Examples: `nas search quickstart`;
    `nas search cifar10-darts-croze search.budget=500 'search.constraints=params<=4e6'`.
    """
    from nas.cli.execution import forecast, start
    from nas.drivers.settings import load

    settings = load(config, only_overrides(overrides))
    if dry_run:
        forecast("search", settings, as_json)
    else:
        start("search", settings, as_json)
