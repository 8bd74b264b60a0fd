"""The command on a page repeats what the page is about."""

from __future__ import annotations

import shlex

import pytest
from result_factory import BEST
from whole_reports import Make, data_of, entry, result, write_report

from nas.commands import COMMANDS
from nas.settings import command_line, schema


def test_the_command_repeats_the_run(make: Make) -> None:
    overrides = [
        "space=darts",
        "eval.attacks=fgsm,pgd20",
        "train.clip=5.0",
        "run.random=false",
        "train.eps=8/255",
    ]
    run = data_of(make(*overrides), result())
    line, needs_file = run.repeated
    assert not needs_file
    words = line.split()
    assert words[:3] == ["nas", "run", "quickstart"]
    again = schema.load("quickstart", words[3:])
    assert again.seed == 7
    assert again.eval.attacks == ["fgsm", "pgd20"]
    assert again.train.eps == 8 / 255
    assert again.space == "darts"
    assert not again.run.random


@pytest.mark.usefixtures("undrawn")
def test_a_run_from_a_file_says_to_save_the_settings(make: Make) -> None:
    folder = make("name=mine")
    page = write_report(folder, result()).read_text()
    assert "nas run mine.yaml seed=7" in page
    assert "Save the settings" in page


def test_an_evaluation_is_repeated_with_its_attacks(make: Make) -> None:
    folder = make(command="eval", extra={"checkpoint": "some folder/best.pt", "name": "best-pgd"})
    line, _ = data_of(folder, entry("best-pgd", BEST)).repeated
    assert line.startswith("nas eval 'some folder/best.pt' seed=7 eval.attacks=fgsm,pgd20,autoattack eval.eps=0.15")


@pytest.mark.parametrize("command", ["run", "search", "train", "eval"])
def test_the_command_that_repeats_a_run_names_what_acts_alone(make: Make, command: str) -> None:
    """A run may have settings from another that its own command would refuse, were they typed."""
    idle = {
        "run": ["train.trades_beta=3", "label.epochs=2"],
        "search": ["label.epochs=2", "run.random=false"],
        "train": ["search.budget=7", "strategy.name=random", "train.trades_beta=3"],
        "eval": ["eval.restarts=3", "eval.checks_images=7"],
    }[command]
    more = {"train": [f"arch={BEST}"], "eval": ["eval.attacks=fgsm", "eval.sweep=[]"]}.get(command, [])
    extra = {"checkpoint": "best.pt", "name": "best-pgd"} if command == "eval" else None
    folder = make(*idle, *more, "eval.n_test=20", command=command, extra=extra)
    line, needs_file = data_of(folder, entry("best-pgd", BEST) if command == "eval" else result()).repeated
    assert not needs_file
    _, _, source, *words = shlex.split(line)
    for text in idle:
        assert text.split("=")[0] not in line
    if command == "eval":
        command_line.from_values(COMMANDS.get("eval")().reader(), {}, words)
    else:
        command_line.load(COMMANDS.get(command)().reader(), source, words)
    assert command == "eval" or "eval.n_test=20" in words
