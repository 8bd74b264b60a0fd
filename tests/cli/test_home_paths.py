"""`~` is the home folder wherever a path is taken: in every setting, option and argument there is."""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from nas.cli.arguments import with_home
from nas.cli.main import app, run_command
from nas.core import config
from nas.core.data import DataSettings, located
from nas.core.errors import InputError
from nas.search_spaces import SPACES
from nas.settings.command_line import sorted_words
from nas.settings.schema import from_values, load, schema
from nas.strategies import STRATEGIES
from nas.strategies.supernet import SUPERNET_STRATEGIES
from nas.train.exported import load as load_network

NO_PATHS = {  # every other setting that is text; who adds one says here or in its field's metadata what it is
    *("data.interpolation", "data.order", "data.resize", "data.test"),
    *("arch", "data.name", "device", "name", "run.trainings", "space", "tables.dataset"),
    *("eval.attacks", "eval.corruptions", "eval.measure_attack", "eval.measures", "eval.model_options", "eval.norm"),
    "eval.normalise",
    *("eval.sweep_attack", "eval.sweep_preset", "executor.address", "executor.name", "model.stem", "scoring.stem"),
    *("label.method", "label.precision", "label.schedule", "label.select", "predicted.accuracy", "predicted.model"),
    *("proxies.croze.features", "proxies.croze.gradients", "proxies.croze.reduction", "proxies.croze.weights"),
    *("proxies.eproxy.barrier_init", "proxies.eproxy.features", "proxies.eproxy.init"),
    *("search.cheap", "search.constraints", "search.features", "search.limits", "search.objective"),
    *(
        "strategy.acquisition",
        "strategy.compile",
        "strategy.generator",
        "strategy.improvement",
        "strategy.mixture",
        "strategy.mixture_noise",
        "strategy.name",
        "strategy.penalty",
        "strategy.perturbation",
        "strategy.pick",
        "strategy.precision",
        "strategy.predictor",
    ),
    *(
        "strategy.ranked_by",
        "strategy.regulariser",
        "train.method",
        "train.precision",
        "train.schedule",
        "train.select",
    ),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def texts(kind: type, path: str = "") -> Iterator[tuple[str, dataclasses.Field[Any], bool]]:
    """All settings of a schema that hold text: dotted key, field, whether several."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        inner = [one for one in typing.get_args(hint) if one is not type(None)] or [hint]
        if dataclasses.is_dataclass(inner[0]):
            yield from texts(inner[0], f"{path}{field.name}.")  # type: ignore[arg-type]
        elif inner == [str] or hint is str:
            yield path + field.name, field, typing.get_origin(hint) is list


@cache
def every_text() -> dict[str, tuple[dataclasses.Field[Any], bool]]:
    found = {}
    for space in SPACES.names():
        for strategy in (*STRATEGIES.names(), *SUPERNET_STRATEGIES.names()):
            found.update({key: (field, several) for key, field, several in texts(schema(space, strategy))})
    return found


def test_every_setting_that_is_text_says_whether_it_is_a_path() -> None:
    paths = {key for key, (field, _) in every_text().items() if config.PATH in field.metadata}
    assert {"data.root", "run.dir", "predicted.labels", "tables.accuracy", "tables.scores", "eval.frost"} <= paths
    assert {"proxies.eproxy.settings", "eval.corruption_data", "eval.corruption_baseline"} <= paths
    assert set(every_text()) - paths == NO_PATHS


PATHS = sorted(key for key, (field, _) in every_text().items() if config.PATH in field.metadata)


@pytest.mark.parametrize("key", PATHS)
def test_every_setting_that_is_a_path_is_expanded(key: str, home: Path) -> None:
    (home / "there.yaml").write_text("iterations: 3\n")
    written = "~/there.yaml"
    section, _, name = key.rpartition(".")
    several = every_text()[key][1]
    values: Any = {name: [written, "~/b.csv"] if several else written}
    for part in reversed(section.split(".")):
        values = {part: values}
    typed = f"{key}={written},~/b.csv" if several else f"{key}={written}"
    values = config.merge(values, {"eval": {"corruptions": ["noise", "frost"]}})  # or there is nothing to read
    for settings in (from_values(values, []), from_values({}, ["eval.corruptions=noise,frost", typed])):
        if key == "proxies.eproxy.settings":  # is read and then forgotten
            assert settings.proxies.eproxy.iterations == 3
            continue
        value: Any = settings
        for part in key.split("."):
            value = getattr(value, part)
        assert value == ([f"{home}/there.yaml", f"{home}/b.csv"] if several else f"{home}/there.yaml")


def functions(group: typer.Typer, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The words of every command, and its function."""
    for command in group.registered_commands:
        yield (*words, command.name or command.callback.__name__), command.callback  # type: ignore[union-attr]
    for inner in group.registered_groups:
        yield from functions(inner.typer_instance, (*words, str(inner.name)))  # type: ignore[arg-type]


COMMANDS = dict(functions(app))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_and_argument_that_is_text_is_expanded(
    words: tuple[str, ...], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the command is given for all its options and arguments at once, each option's written after `=`."""
    command = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    hints = typing.get_type_hints(COMMANDS[words])
    line, paths = [*words], {}
    for parameter in command.params:
        name = str(parameter.name)
        kinds = {Path, str} & {hints.get(name), *typing.get_args(hints.get(name))}
        if kinds:
            option = parameter.param_type_name == "option"
            line.append(f"{parameter.opts[-1]}=~/{name}" if option else f"~/{name}")
            paths[name] = f"{home}/{name}"
    met: dict[str, Any] = {}
    monkeypatch.setattr(type(command), "invoke", lambda self, context: met.update(context.params))
    assert run_command(line) == 0
    assert paths
    for name, path in paths.items():
        value = met[name]
        assert (list(map(str, value)) if isinstance(value, (list, tuple)) else [str(value)]) == [path], name


@pytest.mark.parametrize("word", ["data.root=~/x", "strategy.name=~", "x~/y", "|none~0|", "a=~", "--set=a.b=~/c", ""])
def test_other_words_stay(word: str) -> None:
    assert with_home(word) == word


def test_words_and_settings_that_can_be_no_path_stay() -> None:
    assert with_home("~\0/x") == "~\0/x"
    assert with_home("~/a\nb") == os.path.expanduser("~/a\nb")  # a name may have two lines
    assert with_home("~no-such-user-here/x") == "~no-such-user-here/x"
    assert from_values({}, ["run.dir=~no-such-user-here/x"]).run.dir == "~no-such-user-here/x"
    assert from_values({}, ["run.dir=~"]).run.dir is None  # YAML's null


def test_configurations_and_what_they_extend(home: Path) -> None:
    (home / "base.yaml").write_text("seed: 5\n")
    (home / "sub").mkdir()
    (home / "sub" / "mine.yaml").write_text("extends: ~/base.yaml\nrun: {dir: ~/runs/a}\n")
    settings = load(with_home("~/sub/mine.yaml"), [])
    assert (settings.seed, settings.run.dir) == (5, f"{home}/runs/a")


def test_a_score_file_is_read_and_written_in_the_home_folder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "archs.txt").write_text("5\n")
    assert run_command(["score", "--file=~/archs.txt", "--output=~/a.csv", "--proxies=params"]) == 0
    assert (home / "a.csv").exists()
    assert not Path("~").exists()


def test_the_place_of_data_is_absolute(home: Path) -> None:
    assert located(DataSettings("npz", root="~/a.npz")).root == f"{home}/a.npz"


def test_the_python_face_expands_too(home: Path) -> None:
    with pytest.raises(InputError, match=os.fspath(home)):
        load_network("~/nothing")


def test_a_genotype_with_a_name_before_it_is_no_override() -> None:
    words = ["MINE=Genotype(normal=[])", "arch=Genotype(normal=[])", "seed=3", "Genotype(normal=[])", "my=genotype([])"]
    assert sorted_words(words) == ([words[1], words[2]], [words[0], words[3], words[4]])
