"""The example of docs/develop/commands.md is a command as soon as its file is there; and every command is whole."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import result_factory

import nas.commands
from nas.cli import main
from nas.cli.app import build_app
from nas.commands import COMMANDS
from nas.commands.base import DEFAULT_SPACE, Command, Output, RunCommand
from nas.commands.transfer import Transfer
from nas.core import registry
from nas.core.errors import InputError
from nas.results import FoundArchitecture, PercentileRank
from nas.runs import run_config
from nas.search_spaces import NASBench201
from nas.settings.schema import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "develop" / "commands.md"
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command of the page, in a folder of its own beside those of the project."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "cost.py").write_text(example)
    assert COMMANDS.components
    monkeypatch.setattr(nas.commands, "__path__", [*nas.commands.__path__, str(tmp_path)])
    for name in ("components", "installed"):
        monkeypatch.delitem(vars(COMMANDS), name)  # are found again
    monkeypatch.setattr(main, "app", build_app())
    yield
    del sys.modules["nas.commands.cost"]


@pytest.mark.usefixtures("added")
def test_the_example_is_a_command(capfd: pytest.CaptureFixture[str]) -> None:
    cost = NASBench201().cost(NASBench201().parse(CELL), num_classes=100)
    assert main.run_command(["cost", CELL, "--classes", "100", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"arch": CELL, "params": cost.params, "macs": cost.macs}
    assert main.run_command(["cost", CELL, "--classes", "100"]) == 0
    assert capfd.readouterr().out == f"{cost.params:,} weights, {cost.macs:,} multiply-accumulates\n"


@pytest.mark.usefixtures("added")
def test_the_example_has_what_every_command_has(capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run_command(["--help"]) == 0
    assert "  cost      Print the number of weights and" in capfd.readouterr().out
    assert main.run_command(["cost", "--help"]) == 0
    said = capfd.readouterr().out
    for part in ("Usage: ", "ARCH", "--space", "[default: 10]", "--classes", "--json", "Example: `nas cost"):
        assert part in said
    assert "--dry-run" not in said
    assert main.run_command(["cost", CELL, "--space", "dart"]) == 2
    assert "did you mean 'darts'?" in capfd.readouterr().err


def test_without_the_file_there_is_no_such_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run_command(["cost", CELL]) == 2
    assert "No such command 'cost'" in capfd.readouterr().err


def test_a_command_of_a_broken_package_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def load() -> None:
        raise ImportError("No module named 'missing'")

    entry = SimpleNamespace(name="cost", load=load, dist=SimpleNamespace(name="robust-cost"))
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == "nas.commands" else [])
    for name in ("components", "unusable", "_third_party"):
        monkeypatch.delitem(vars(COMMANDS), name)
    monkeypatch.setattr(main, "app", build_app())
    sentence = (
        "Expected the command 'cost' of the package robust-cost to be importable but got ImportError: No module named "
        "'missing'; update or uninstall that package."
    )
    assert main.run_command(["cost", "a", "--classes", "3"]) == 2
    assert capfd.readouterr().err == f"nas: {sentence}\n"
    assert main.run_command(["--help"]) == 0
    assert sentence in " ".join(capfd.readouterr().out.split())
    assert main.run_command(["list", "strategies"]) == 0
    assert "evolution" in capfd.readouterr().out
    monkeypatch.setattr(run_config, "read_config", lambda folder: SimpleNamespace(command="cost"))
    with pytest.raises(InputError, match="of the package robust-cost to be importable"):
        nas.commands.command_of(Path("a-run-of-it"))


def test_a_command_without_costs_says_so() -> None:
    assert not Transfer.has_forecast()
    with pytest.raises(InputError, match="with a command that can forecast its cost but got it with nas trans"):
        Transfer().costs(cast(Any, None), None)


@pytest.mark.parametrize("name", COMMANDS.names())
def test_every_command_is_given_what_it_declares(name: str) -> None:
    kind: type[Command] = COMMANDS.get(name)
    names = [one.name for one in kind.arguments]
    assert len(set(names)) == len(names)
    given = dict.fromkeys(names)
    if issubclass(kind, RunCommand):
        inspect.signature(kind.settings).bind(kind(), **given)
    else:
        inspect.signature(kind.call).bind(kind(), Output(), **given)
    assert (inspect.getdoc(kind) or "").strip()
    assert f"`nas {kind.cli_name()}" in (sys.modules[kind.__module__].__doc__ or "")


def test_every_command_has_a_place_of_its_own_in_the_help() -> None:
    places = [command.place for command in COMMANDS.components.values()]
    assert len(set(places)) == len(places)


def test_the_summary_of_a_search_says_where_the_best_stands_in_tables() -> None:
    ranks = {"clean": PercentileRank(0.75, 62.5), "fgsm@8": PercentileRank(None, None)}
    top = [FoundArchitecture(CELL, CELL, {"croze": 1.0}, ranks)]
    lines = COMMANDS.get("search")().summary(Path("runs/a"), result_factory.searched(top=top))
    assert any("clean 0.75 (62.5)" in line for line in lines)
    assert not any("fgsm" in line for line in lines)


def test_commands_have_the_space_of_settings_by_default() -> None:
    assert DEFAULT_SPACE == NASBench201.name == Settings().space
