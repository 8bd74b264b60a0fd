"""`nas transfer`: adversarial examples of one network shown to others."""

from __future__ import annotations

import typer

from nas.cli.arguments import sorted_words
from nas.cli.output import Json


def command(
    words: list[str] = typer.Argument(
        ...,
        metavar="NETWORK NETWORK... [KEY=VALUE]...",
        help="What `nas eval` takes, two or more; settings that differ.",
    ),
    as_json: bool = Json,
) -> None:
    """Attack each network and count the adversarial examples on all: white-box on the diagonal, black-box elsewhere.

    Rows are sources, columns targets; accuracies with 95 % intervals. The attack is pgd20 where none is named; data and
    strengths are those of the first network's run. Example:
    `nas transfer runs/a-1/models/best-pgd/best.pt runs/a-1/models/random-pgd/best.pt eval.attacks=fgsm,pgd20`.
    """
    from nas.cli.execution import carry_out
    from nas.runs.evaluation import evaluation_settings
    from nas.runs.run_folder import create
    from nas.runs.transfer import Work, check_overrides, together
    from nas.settings import reach

    overrides, networks = sorted_words(words)
    overrides = check_overrides(overrides)
    settings, given = together([evaluation_settings(network, overrides, "transfer") for network in networks])
    settings.once("transfer")
    Work(settings, given, None).check()
    reach.warn("transfer", settings)
    carry_out(create("transfer", settings, {"networks": {name: one.to_json() for name, one in given.items()}}), as_json)
