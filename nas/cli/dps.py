"""`nas dps`: find settings of Eproxy that suit a task."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from nas.cli.arguments import Config, Overrides, only_overrides
from nas.cli.output import Json


def command(
    config: str = Config,
    overrides: list[str] = Overrides,
    labels: Path = typer.Option(
        ..., metavar="CSV", help="Architectures (column arch or arch_str) and their accuracies."
    ),
    accuracy: str = typer.Option(None, metavar="COLUMN", help="The accuracies' column, where there are several."),
    count: int = typer.Option(20, help="Architectures to search with, drawn from the CSV by the seed."),
    held_out: int = typer.Option(None, metavar="N", help="Report on N of the others, not on all of them."),
    evaluations: int = typer.Option(200, help="Settings tried, those of the first population among them."),
    population: int = typer.Option(40, help="Of the evolution."),
    tournament: int = typer.Option(10, help="Of the evolution."),
    finalists: int = typer.Option(5, help="How many of the best settings are evaluated again with other random draws."),
    draws: int = typer.Option(5, help="How often, the first time included; 1 takes the best by one evaluation."),
    errors: float = typer.Option(
        1.0, help="Of all within so many standard errors of the best, the fewest changes win; 0 takes the best."
    ),
    to: Path = typer.Option(None, "--output", metavar="FILE.yaml", help="Where the settings shall be, too."),
    as_json: bool = Json,
) -> None:
    """Discrete proxy search: evolve Eproxy's settings until it ranks a few labelled architectures rightly.

    Writes the best settings as a file that `proxies.eproxy.settings` takes, and says how well they rank the labelled
    architectures that were not searched with. The networks are those of the configuration's `scoring`. Examples:
    `nas dps cifar10-nb201-eproxy --labels accuracies.csv --output mine.yaml`, then
    `nas search cifar10-nb201-eproxy objective.settings=mine.yaml`.
    """
    from nas.cli.execution import carry_out
    from nas.core.errors import InputError
    from nas.objectives.labels import read_labels, split
    from nas.runs.run_folder import create
    from nas.search_spaces import SPACES
    from nas.searches.dps import DPSOptions, preflight
    from nas.settings.effects import Reader
    from nas.settings.typed import load

    settings = load(Reader("dps", ("eproxy",)), config, only_overrides(overrides))
    options = DPSOptions(evaluations, population, tournament, finalists, draws, errors)
    options.check()
    if to is not None and (to.suffix not in (".yaml", ".yml") or to.exists()):
        raise InputError(f"Expected a new file ending in .yaml for --output but got {to}; choose another.")
    space = SPACES.get(settings.space)()
    seen, unseen = split(read_labels(labels, space, accuracy), space, count, held_out, settings.seed)
    preflight(settings)
    extra = {
        "options": asdict(options),
        "labels": seen,
        "held_out": unseen,
        "output": None if to is None else str(to.absolute()),
    }
    carry_out(create("dps", settings, extra), as_json)
