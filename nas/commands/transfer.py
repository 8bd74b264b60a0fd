"""`nas transfer`: test networks on the adversarial examples of others."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.commands.base import Argument, RunCommand
from nas.settings.reader import Reader

if TYPE_CHECKING:
    from nas.core.io.records import Json
    from nas.results import Result, TransferResult
    from nas.runs.given_model import GivenModel
    from nas.runs.run_folder import Run
    from nas.runs.stages.context import Watcher
    from nas.settings.schema import Settings


class Transfer(RunCommand):
    """Attack each network and test all networks on the adversarial examples: white-box on the diagonal, else black-box.

    Rows are the attacked networks, columns the tested ones; accuracies have 95 % intervals. The attack is pgd20 by
    default; data and strengths are those of the first network's run. Example:
    `nas transfer runs/a-1/models/best-pgd/best.pt runs/a-1/models/random-pgd/best.pt eval.attacks=fgsm,pgd20`.
    """

    name, place = "transfer", 10
    arguments = (
        Argument(
            "words",
            "Two or more networks, each as for `nas eval`; settings to override.",
            "NETWORK NETWORK... [KEY=VALUE]...",
            list[str],
        ),
    )
    takes = ("name", "run.dir", "eval.*")
    needs_training_images = False

    def settings(self, words: list[str]) -> tuple[Settings, dict[str, GivenModel]]:
        from nas.runs.given_model import evaluation_settings
        from nas.runs.stages.transfer import check_overrides, combine
        from nas.settings.command_line import sorted_words

        overrides, networks = sorted_words(words)
        overrides = check_overrides(overrides)
        return combine([evaluation_settings(network, overrides, self.reader()) for network in networks])

    def reader(self, proxies: tuple[str, ...] = ()) -> Reader:
        from nas.eval.transfer import reset_unused

        return replace(super().reader(proxies), narrowed=reset_unused)

    def repeat(self, settings: Json, extra: Json) -> tuple[str, bool]:
        from nas.core import config
        from nas.eval.transfer import TRANSFER_SETTINGS
        from nas.settings.repeat import overrides

        chosen = {key: settings["eval"][key] for key in TRANSFER_SETTINGS if key in settings["eval"]}
        attacks = overrides(self.reader(), settings, config.flat(chosen, "eval."))
        networks = [str(one["checkpoint"]) for one in extra["networks"].values()]
        return shlex.join(["nas", self.name, *networks, f"seed={settings['seed']}", *attacks]), False

    def extra(self, given: dict[str, GivenModel]) -> Json:
        return {"networks": {name: one.to_json() for name, one in given.items()}}

    def check(self, settings: Settings, given: dict[str, GivenModel], keep: bool = True) -> None:
        from nas.runs.stages.transfer import check
        from nas.settings import attack_warnings

        settings.check_single_seed(self.name)
        check(settings, given, keep)
        attack_warnings.warn(self.reader(), settings)

    def execute(self, run: Run, watcher: Watcher) -> Result:
        from nas.runs.stages.transfer import execute

        return execute(run, watcher)

    def summary(self, folder: Path, result: TransferResult) -> list[str]:
        from nas.report.notes import input_notes
        from nas.report.text import check_lines

        notes = [f"{network.name}: {line}" for network in result.networks for line in input_notes(network)]
        return [*(_matrix(result, attack) for attack in result.attacks), *notes, *check_lines(result.checks)]


def _matrix(result: TransferResult, attack: str) -> str:
    """The table of one attack: accuracy of each target (column) under examples of each source (row)."""
    from rich.table import Table

    from nas.report.text import eps_text, short_accuracy, table_text

    names = [network.name for network in result.networks]
    lines = Table(title=f"{attack}, {result.n_test} test images, {result.norm} eps {eps_text(result.eps)}")
    lines.add_column("source \\ target", no_wrap=True)
    for name in names:
        lines.add_column(name, justify="right")
    lines.add_row(
        "(clean)", *(short_accuracy(result.clean.accuracy[name], result.clean.intervals[name]) for name in names)
    )
    for name, row, bounds in zip(names, result.attacks[attack].accuracy, result.attacks[attack].intervals):
        lines.add_row(name, *map(short_accuracy, row, bounds))
    return table_text(lines)
