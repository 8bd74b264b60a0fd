"""`nas run`: search, train, attack, report."""

from __future__ import annotations

from nas.cli.arguments import Config, Overrides, only_overrides
from nas.cli.output import DryRun, Json


def command(
    config: str = Config,
    overrides: list[str] = Overrides,
    as_json: bool = Json,
    dry_run: bool = DryRun,
) -> None:
    """Search, train the best and a random cell, attack them, and write a report.

    Examples: `nas run quickstart`; `nas run quickstart seed=1 search.budget=200 run.dir=my-run`;
    `nas run cifar10-nb201 data.root=/data/cifar10 --dry-run`. `nas run quickstart seeds=3` repeats the whole study
    with three seeds and reports mean ± standard deviation and paired tests against the random cells.
    """
    from nas.cli.execution import forecast, start
    from nas.settings.effects import Reader
    from nas.settings.typed import load

    settings = load(Reader("run"), config, only_overrides(overrides))
    command = "run" if settings.seeds == 1 else "study"
    if dry_run:
        forecast(command, settings, as_json)
    else:
        start(command, settings, as_json)
