"""`nas search`: find architectures."""

from __future__ import annotations

from nas.cli.arguments import Config, Overrides, only_overrides
from nas.cli.output import DryRun, Json


def command(
    config: str = Config,
    overrides: list[str] = Overrides,
    as_json: bool = Json,
    dry_run: bool = DryRun,
) -> None:
    """Search only; prints the best architectures and keeps the run, which `nas train RUN` takes.

    Examples: `nas search quickstart`;
    `nas search cifar10-darts-croze-small search.budget=500 'search.constraints=params<=4e6'`.
    """
    from nas.cli.execution import forecast, start
    from nas.settings.effects import Reader
    from nas.settings.typed import load

    settings = load(Reader("search"), config, only_overrides(overrides))
    if dry_run:
        forecast("search", settings, as_json)
    else:
        start("search", settings, as_json)
