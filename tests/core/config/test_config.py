"""Configurations: recipes compose, overrides are checked, and whatever is typed gives settings or one clear line."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from nas.core import config
from nas.core.config import compose, plain
from nas.core.errors import InputError
from nas.search_spaces import NASBench201
from nas.settings.schema import from_values, load, schema
from nas.strategies import STRATEGIES
from nas.strategies.supernet import SUPERNET_STRATEGIES

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|none~2|"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Dotted keys of nested sections."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            result |= flat(value, f"{above}{key}.")
        else:
            result[above + key] = value
    return result


def told(name: str, overrides: list[str]) -> str:
    """The line that refuses the overrides."""
    with pytest.raises(InputError) as caught:
        load(name, overrides)
    text = str(caught.value)
    assert text
    assert len(text.splitlines()) == 1
    return text


# recipes


@pytest.mark.parametrize("name", config.shipped())
def test_a_recipe_differs_from_the_defaults_in_what_it_says_only(name: str) -> None:
    said = flat(compose(name))
    loaded = load(name, [])
    defaults = flat(plain(schema(loaded.space, loaded.strategy.name)()))
    got = flat(plain(loaded))
    assert set(said) <= set(got)
    filled_in = {"name", "data.root"}  # from the file's name, and where the data set lies
    if "proxies.eproxy.settings" in said:  # a file of settings that DPS found
        filled_in |= {key for key in got if key.startswith("proxies.eproxy.")}
    assert {key for key in got if got[key] != defaults[key]} <= set(said) | filled_in
    for key, value in said.items():
        if key == "proxies.eproxy.settings":
            continue  # its values have taken its place
        if isinstance(value, str) and "/" in value:
            top, bottom = value.split("/")
            value = int(top) / int(bottom)
        assert got[key] == value, key
    assert loaded.name == name


@pytest.mark.parametrize("name", config.shipped())
def test_a_recipe_says_what_it_is_for(name: str) -> None:
    text = config.describe(name)
    assert len(text) > 20
    assert not text.startswith("#")
    assert ":" in text or "," in text


def test_extends_lays_the_own_keys_over_the_others(folder: Path) -> None:
    Path("a.yaml").write_text("seed: 1\ntrain: {epochs: 3, lr: 0.5}\nsearch: {budget: 7}\n")
    Path("b.yaml").write_text("extends: a.yaml\nseed: 2\ntrain: {epochs: 4}\n")
    Path("c.yaml").write_text("train: {momentum: 0.5, epochs: 9}\n")
    Path("d.yaml").write_text("extends: [b.yaml, c.yaml]\ntrain: {crop: 0}\n")
    assert compose("b.yaml") == {"seed": 2, "train": {"epochs": 4, "lr": 0.5}, "search": {"budget": 7}}
    assert compose("d.yaml") == {
        "seed": 2,
        "train": {"epochs": 9, "lr": 0.5, "momentum": 0.5, "crop": 0},
        "search": {"budget": 7},
    }
    assert load("d.yaml", []).name == "d"


def test_a_section_of_another_name_takes_the_place_of_the_old(folder: Path) -> None:
    Path("a.yaml").write_text("strategy: {name: evolution, population: 7}\ndata: {name: digits, size: 8}\n")
    Path("b.yaml").write_text("extends: a.yaml\nstrategy: {name: random}\ndata: {size: 16}\n")
    Path("c.yaml").write_text("extends: a.yaml\nstrategy: {name: evolution, tournament: 3}\n")
    assert compose("b.yaml") == {"strategy": {"name": "random"}, "data": {"name": "digits", "size": 16}}
    assert compose("c.yaml")["strategy"] == {"name": "evolution", "population": 7, "tournament": 3}


def test_a_file_extends_a_shipped_recipe(folder: Path) -> None:
    Path("mine.yaml").write_text("extends: quickstart\ntrain: {epochs: 2}\n")
    mine, shipped = load("mine.yaml", []), load("quickstart", [])
    assert (mine.train.epochs, mine.train.eps) == (2, shipped.train.eps)
    assert plain(mine.strategy) == plain(shipped.strategy)


def test_an_override_beats_the_recipe_and_the_last_one_wins() -> None:
    loaded = load("quickstart", ["train.epochs=3", "train.epochs=4", "train.lr=.5"])
    assert (loaded.train.epochs, loaded.train.lr) == (4, 0.5)
    assert loaded.train.crop == compose("quickstart")["train"]["crop"]


# values


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("train.eps=8/255", 8 / 255),
        ("train.eps=0.03", 0.03),
        ("train.eps=1", 1.0),
        ("eval.step_size=2/255", 2 / 255),
        ("eval.step_size=null", None),
        ("eval.step_size=", None),
        ("train.clip=~", None),
        ("eval.sweep=1/2,1,2", [0.5, 1.0, 2.0]),
        ("eval.sweep=[1/2, 1]", [0.5, 1.0]),
        ("eval.sweep=.5", [0.5]),
        ("eval.sweep=[]", []),
        ("run.trainings=pgd,standard", ["pgd", "standard"]),
        ("run.trainings=[pgd, standard]", ["pgd", "standard"]),
        ("run.trainings=pgd", ["pgd"]),
        ("search.constraints=params<=1e6,flops<=50%", ["params<=1e6", "flops<=50%"]),
        ("train.flip=true", True),
        ("train.flip=off", False),
        ("run.dir=5", "5"),
        ("name=true", "true"),
        (f"arch={CELL}", CELL),
        ("executor.workers=2", 2),
        ("train={epochs: 5}", {"epochs": 5}),
    ],
)
def test_a_value_is_read_as_its_key_asks(override: str, value: Any) -> None:
    loaded = load("quickstart", [override])
    for part in override.partition("=")[0].split("."):
        loaded = getattr(loaded, part)
    if isinstance(value, dict):
        assert value.items() <= plain(loaded).items()
    else:
        assert loaded == value
        assert type(loaded) is type(value)


def test_an_architecture_of_darts_survives_the_override() -> None:
    from random import Random

    from nas.search_spaces import SPACES

    text = str(SPACES.get("darts")().sample(Random(0)))
    assert load("cifar10-darts-croze", [f"arch={text}"]).arch == text


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("train.epochs=abc", "train.epochs"),
        ("train.epochs=1.5", "train.epochs"),
        ("train.epochs=true", "train.epochs"),
        ("train.epochs=[1]", "train.epochs"),
        ("train.epochs=null", "train.epochs"),
        ("train.flip=maybe", "train.flip"),
        ("train.lr=fast", "train.lr"),
        ("train.lr=true", "train.lr"),
        ("train.eps=8/0", "train.eps"),
        ("train.eps=8/x", "train.eps"),
        ("train.eps={a: 1}", "train.eps"),
        ("train=5", "train"),
        ("train=null", "train"),
        ("train=[1]", "train"),
        ("eval.sweep=a,b", "eval.sweep"),
        ("eval.sweep={a: 1}", "eval.sweep"),
        ("eval.sweep=[[1]]", "eval.sweep"),
        ("eval.sweep=[true]", "eval.sweep"),
        ("search.constraints=[[1]]", "search.constraints"),
        ("search.constraints={a: 1}", "search.constraints"),
        ("search.constraints=[null]", "search.constraints"),
        ("seed=???", "seed"),
        ("name=???", "name"),
        ("seed=${seed}", "seed"),
        ("seed=${nope}", "seed"),
        ("seed=1e400", "seed"),
        ("seed=&a [*a]", "seed"),
        ("seed=[", "seed"),
        ("seed=!!python/name:os.system", "seed"),
    ],
)
def test_a_wrong_type_is_told_with_its_key(override: str, key: str) -> None:
    assert key in told("quickstart", [override])


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("train.epochs=-1", "train.epochs"),
        ("train.epochs=0", "train.epochs"),
        ("train.eps=nan", "train.eps"),
        ("train.eps=-0.1", "train.eps"),
        ("train.eps=1.01", "train.eps"),
        ("train.lr=0", "train.lr"),
        ("train.lr=nan", "train.lr"),
        ("train.lr=inf", "train.lr"),
        ("train.step_size=0", "train.step_size"),
        ("train.steps=0", "train.steps"),
        ("train.momentum=1.5", "train.momentum"),
        ("train.momentum=0", "train.momentum"),  # nesterov is on
        ("train.weight_decay=-1", "train.weight_decay"),
        ("train.drop_path=1", "train.drop_path"),
        ("train.clip=0", "train.clip"),
        ("train.clip=inf", "train.clip"),
        ("train.clip=nan", "train.clip"),
        ("train.batch_size=1", "train.batch_size"),
        ("train.method=fast", "train.method"),
        ("train.select=first", "train.select"),
        ("eval.eps=0", "eval.eps"),
        ("eval.eps=nan", "eval.eps"),
        ("eval.step_size=0", "eval.step_size"),
        ("eval.n_test=0", "eval.n_test"),
        ("eval.sweep=0", "eval.sweep"),
        ("eval.sweep=100", "eval.sweep"),
        ("search.budget=0", "search.budget"),
        ("search.ask=0", "search.ask"),
        ("seed=-1", "seed"),
        ("strategy.tournament=0", "strategy.tournament"),
        ("strategy.tournament=31", "strategy.tournament"),
        ("executor.workers=0", "executor.workers"),
        ("executor.threads=0", "executor.threads"),
        ("proxies.croze.axis=second", "proxies.croze.axis"),
        ("proxies.croze.reduction=max", "proxies.croze.reduction"),
        ("proxies.croze.batch_size=1", "proxies.croze.batch_size"),
        ("proxies.croze.beta=-1", "proxies.croze.beta"),
        ("proxies.croze.epsilon=nan", "proxies.croze.epsilon"),
        ("proxies.croze.gamma=inf", "proxies.croze.gamma"),
        ("model.channels=0", "channels"),
        ("run.trainings=", "run.trainings"),
        ("run.trainings=pgd,pgd", "run.trainings"),
        ("device=gpu", "device"),
        ("search.constraints=weights<=3", "weights<=3"),
        ("arch=|none~0|", "|none~0|"),
    ],
)
def test_an_impossible_value_is_told_with_its_key(override: str, key: str) -> None:
    assert key in told("quickstart", [override])


@pytest.mark.parametrize(
    ("override", "key", "near"),
    [
        ("train.epoch=3", "train.epoch", "train.epochs"),
        ("train.learning_rat=3", "train.learning_rat", None),
        ("eval.eps_=3", "eval.eps_", "eval.eps"),
        ("sed=3", "sed", "seed"),
        ("proxies.crozee.beta=1", "proxies.crozee", "proxies.croze"),
        ("proxies.croze.bta=1", "proxies.croze.bta", "proxies.croze.beta"),
        ("model.chanels=8", "model.chanels", "model.channels"),
        ("proxies.params.x=8", "proxies.params.x", None),
    ],
)
def test_an_unknown_key_names_itself_in_full_and_the_near_one(override: str, key: str, near: str | None) -> None:
    text = told("quickstart", [override])
    assert repr(key) in text
    if near is not None:
        assert f"did you mean {near!r}" in text


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["strategy.name=random", "strategy.seeding=1"], None),
        (["strategy.name=random", "strategy.x.y=1"], None),
        (["scoring.cells=8"], "scoring.cells is a key of space=darts, not of nasbench201; possible here: scoring.ch"),
        (["model.auxiliary=true"], "model.auxiliary is a key of space=darts, not of nasbench201;"),
        (["space=darts", "model.cells_per_stage=3"], "is a key of space=nasbench201, not of darts;"),
    ],
)
def test_a_key_of_another_space_names_it(overrides: list[str], said: str | None) -> None:
    text = told("quickstart", overrides)
    assert said in text if said is not None else "is a key of" not in text


def test_a_key_of_other_strategies_names_all_of_them() -> None:
    """A key of each set of strategies that share one, typed with one that lacks it, and in a file."""
    kinds = {**STRATEGIES.components, **SUPERNET_STRATEGIES.components}
    keys = {name: [field.name for field in fields(kind.Options)] for name, kind in kinds.items()}
    every = sorted(set(chain.from_iterable(keys.values())))
    shared = {", ".join(name for name in kinds if key in keys[name]): key for key in every}
    for others, key in shared.items():
        chosen = next((name for name in kinds if key not in keys[name]), None)
        if chosen is None:
            continue
        said = f"strategy.{key} is a key of strategy.name={others}, not of {chosen};"
        assert said in told("quickstart", [f"strategy.name={chosen}", f"strategy.{key}=5"])
    with pytest.raises(
        InputError, match=r"strategy\.tournament is a key of strategy\.name=evolution, .*, not of random;"
    ):
        from_values({"strategy": {"name": "random", "tournament": 5}}, [])


def test_a_key_below_a_single_value_is_told() -> None:
    assert "train.lr is a single value" in told("quickstart", ["train.lr.start=1"])


@pytest.mark.parametrize(
    ("text", "near"), [("space=nasbench20", "nasbench201"), ("strategy.name=evolutoin", "evolution")]
)
def test_an_unknown_component_suggests_the_near_one(text: str, near: str) -> None:
    assert f"did you mean {near!r}" in told("quickstart", [text])


# other spaces and strategies


def test_another_space_drops_the_networks_of_the_recipe(folder: Path) -> None:
    Path("mine.yaml").write_text(f"extends: quickstart\narch: '{CELL}'\n")
    assert load("mine.yaml", []).model.cells_per_stage == 1
    other = load("mine.yaml", ["space=darts", "model.cells=5"])
    default = schema("darts", "evolution")()
    assert other.space == "darts"
    assert other.arch is None
    assert plain(other.scoring) == plain(default.scoring)
    assert plain(other.model) == {**plain(default.model), "cells": 5}
    assert other.train == load("mine.yaml", []).train
    same = load("mine.yaml", ["space=nasbench201"])
    assert plain(same) == plain(load("mine.yaml", []))


def test_another_strategy_drops_the_options_of_the_recipe() -> None:
    other = load("quickstart", ["strategy.name=random"])
    assert plain(other.strategy) == {"name": "random"}
    assert load("quickstart", ["strategy.name=evolution"]).strategy.population == 30
    assert "strategy.population" in told("quickstart", ["strategy.name=random", "strategy.population=3"])


# files


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: 'x",
        "a: 1\na: 2",
        "a: *b",
        "{",
        "--- a\n--- b",
        "a: !!python/object:os.system {}",
        "- 1\n- 2",
        "[]",
        "5",
        "a: &x {b: *x}",
        "extends: mine.yaml",
        "extends: other.yaml",
        "extends: 5",
        "extends: [quickstart, 5]",
        "extends: {a: b}",
        "extends: quickstrat",
        "1: 2",
        "true: 1",
        "seed: ???",
        "train: ${data}",
        "train: 3",
        "strategy: random",
        "space: [1]",
        "just words",
        "\0",
    ],
)
def test_a_file_that_is_no_configuration_is_told(folder: Path, text: str) -> None:
    Path("mine.yaml").write_text(text)
    Path("other.yaml").write_text("extends: mine.yaml")
    told("mine.yaml", [])


def test_a_file_that_is_not_text_is_told(folder: Path) -> None:
    Path("mine.yaml").write_bytes(b"\xff\xfe\x00")
    assert "mine.yaml" in told("mine.yaml", [])


def test_empty_files_and_extends_are_the_defaults(folder: Path) -> None:
    defaults = plain(schema("nasbench201", "evolution")())
    for text in ("", "# nothing\n", "extends: null", "extends: []"):
        Path("mine.yaml").write_text(text)
        assert plain(load("mine.yaml", [])) == {**defaults, "name": "mine"}


@pytest.mark.parametrize(
    "name",
    [
        "nope.yaml",
        ".yaml",
        "quickstrat",
        "../quickstart",
        "../configs/quickstart",
        "a/../quickstart",
        "/etc/passwd",
        "",
        ".",
        "..",
        "/",
        "__init__",
        "quickstart\n",
        "x\0",
        "x\0.yaml",
        "a" * 5000,
        "a" * 5000 + ".yaml",
    ],
    ids=lambda name: repr(name[:20]),
)
def test_a_name_of_nothing_is_told(folder: Path, name: str) -> None:
    told(name, [])


def test_names_do_not_lead_out_of_the_recipes(folder: Path) -> None:
    (folder / "evil.yaml").write_text("seed: 5")
    for name in (str(folder / "evil"), "./evil", "evil"):
        told(name, [])


# round trips


@pytest.mark.parametrize("name", config.shipped())
@pytest.mark.parametrize("overrides", [[], ["space=darts"], ["strategy.name=random", "train.clip=null"]])
def test_plain_values_give_the_same_settings_again(name: str, overrides: list[str]) -> None:
    import json

    loaded = load(name, overrides)
    again = from_values(json.loads(json.dumps(plain(loaded))), [])
    assert plain(again) == plain(loaded)


def test_composing_and_overriding_leave_the_values_alone() -> None:
    values = {"train": {"epochs": 3}, "eval": {"sweep": [0.5]}}
    before = {"train": {"epochs": 3}, "eval": {"sweep": [0.5]}}
    from_values(values, ["train.epochs=4", "eval.sweep=1,2", "space=darts"])
    config.merge(values, {"train": {"epochs": 5}})
    assert values == before


def settings_or_line(values: dict[str, Any], overrides: list[str]) -> Any:
    """The settings, or the one line that refuses them; any other error fails the test."""
    try:
        return from_values(values, overrides)
    except InputError as error:
        line = str(error)
    assert line
    assert len(line.splitlines()) == 1
    return line


KEYS = sorted(flat(plain(schema("nasbench201", "evolution")())))
SECTIONS = ["train", "eval", "data", "strategy", "proxies", "proxies.croze", "", ".", "train.", "x", "train.lr.x"]
PIECES = ["[", "]", "{", "}", ":", ",", "${", "seed", "!!", "&a", "*a", "'", '"', "1", ".inf", "nan", "-", "???"]


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(KEYS + SECTIONS),
    st.one_of(
        st.text(max_size=20),
        st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
        st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join),
        st.integers().map(str),
        st.floats().map(str),
    ),
)
@example("train.lr", "\n")
@example("seed", "9" * 5000)
@example("seed", "[" * 3000)
@example("search.constraints", "a\nb")
@example("device", "cpu\ncpu")
@example("data.name", "digits\r\n")
@example("data.root", "~nobody-of-this-name/data")
def test_any_text_gives_settings_or_one_line(key: str, value: str) -> None:
    loaded = settings_or_line({}, [f"{key}={value}"])
    if not isinstance(loaded, str):
        assert plain(from_values(plain(loaded), [])) == plain(loaded)


@settings(max_examples=30, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*KEYS, "train", "eval", "name", "eps"]) | st.text(), inner)
        ),
        max_leaves=6,
    ).filter(lambda value: isinstance(value, dict))
)
def test_any_values_give_settings_or_one_line(values: dict[str, Any]) -> None:
    settings_or_line(values, [])


@pytest.mark.parametrize(
    ("text", "is_override"),
    [
        ("train.epochs=3", True),
        ("a=b=c", True),
        ("Genotype(normal=[])", False),
        (CELL, False),
        ("=3", False),
        ("quickstart", False),
    ],
)
def test_overrides_are_told_from_architectures(text: str, is_override: bool) -> None:
    assert bool(config.OVERRIDE.match(text)) is is_override


def test_the_cell_of_these_tests_is_one() -> None:
    assert str(NASBench201().parse(CELL)) == CELL


def test_settings_read_twice_share_nothing() -> None:
    before = plain(load("quickstart", []))
    first = load("quickstart", [])
    first.eval.attacks.append("pgd50")
    first.search.constraints.append("params<=1")
    first.proxies.croze.batch_size += 1
    assert plain(load("quickstart", [])) == before
    typed = ["eval.attacks=[pgd7]", "search.constraints=[params<=2]"]
    load("quickstart", typed).eval.attacks.append("pgd50")
    assert load("quickstart", typed).eval.attacks == ["pgd7"]
    composed = compose("quickstart")
    composed["search"]["budget"] = composed["extends"] = 0
    assert plain(load("quickstart", [])) == before


@pytest.mark.parametrize("name", config.shipped())
def test_settings_are_those_of_omegaconf_read_as_a_whole(name: str) -> None:
    settings = from_values(config.compose(name), ["train.lr=3e-2", "run.trainings=pgd", "proxies.croze.beta=0.5"])
    values, kind = plain(settings), type(settings)
    whole: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), OmegaConf.create(values)))
    assert type(config.checked(values, kind)) is type(whole)
    assert config.checked(values, kind) == whole
    assert config.checked({}, kind) == OmegaConf.to_object(OmegaConf.structured(kind))


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass
class OfUnusual:
    size: int = 3
    rate: float = 1  # written as a whole number


@dataclass
class Unusual:
    """Options of a third party, of types that no section here has."""

    colour: Colour = Colour.RED
    weights: dict[str, float] = field(default_factory=lambda: {"a": 1.0})
    inner: OfUnusual = field(default_factory=lambda: OfUnusual(size=5))
    maybe: OfUnusual | None = None
    numbers: list[int] | None = None


def test_sections_of_third_parties_may_have_any_type_of_omegaconf() -> None:
    default = config.checked({}, Unusual)
    assert (default, default.inner.rate) == (Unusual(), 1.0)
    assert type(default.inner.rate) is float
    values = {"colour": "BLUE", "weights": {"b": 2}, "inner": {"rate": "1/4"}, "maybe": {"size": "7"}, "numbers": "1,2"}
    found = config.checked(values, Unusual)
    assert found == Unusual(Colour.BLUE, {"a": 1.0, "b": 2.0}, OfUnusual(5, 0.25), OfUnusual(7), [1, 2])
    found.weights["c"] = 3.0
    assert config.checked({}, Unusual).weights == {"a": 1.0}
    with pytest.raises(InputError, match="Expected a valid value for colour but"):
        config.checked({"colour": "GREEN"}, Unusual)
    with pytest.raises(InputError, match=r"Expected a valid value for weights\.b but"):
        config.checked({"weights": {"b": "x"}}, Unusual)


def test_what_a_file_says_is_read_whenever_it_changed(folder: Path) -> None:
    for budget in (3, 4):
        Path("a.yaml").write_text(f"search: {{budget: {budget}}}\n")
        assert load("a.yaml", []).search.budget == budget


def test_values_that_are_equal_but_of_another_type_are_told_apart() -> None:
    assert load("quickstart", ["search.budget=1"]).search.budget == 1
    for text in ("true", "1.5"):
        with pytest.raises(InputError, match=r"search\.budget"):
            load("quickstart", [f"search.budget={text}"])
    with pytest.raises(InputError, match=r"search\.budget"):
        from_values({"search": {"budget": True}}, [])
    assert from_values({"search": {"budget": 1}}, []).search.budget == 1


@dataclass
class Inner:
    files: list[str] = field(default_factory=list, metadata={config.PATH: True})
    text: str | None = None


@dataclass
class Outer:
    place: str | None = config.path_field()
    inner: Inner = field(default_factory=Inner)


def test_the_home_folder_stands_for_its_sign_in_paths_of_every_section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    found = config.checked({"place": "~/a", "inner": {"files": ["~/b", "c"], "text": "~/d"}}, Outer)
    assert (found.place, found.inner.files) == ("/home/somebody/a", ["/home/somebody/b", "c"])
    assert found.inner.text == "~/d"
