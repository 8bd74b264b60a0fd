"""Recipes and files of settings: what they extend, what they may contain, and which names they have."""

from __future__ import annotations

from pathlib import Path

import pytest
from refusal import refusal

from nas.core import config
from nas.core.config import compose, plain
from nas.settings.schema import load, schema

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|none~2|"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", config.shipped())
def test_a_recipe_differs_from_the_defaults_in_what_it_says_only(name: str) -> None:
    said = config.flat(compose(name))
    loaded = load(name, [])
    defaults = config.flat(plain(schema(loaded.space, loaded.strategy.name)()))
    got = config.flat(plain(loaded))
    assert set(said) <= set(got)
    filled_in = {"name", "data.root"}  # from the file's name, and the place of the data set
    if "proxies.eproxy.settings" in said:  # a file of settings that DPS found
        filled_in |= {key for key in got if key.startswith("proxies.eproxy.")}
    assert {key for key in got if got[key] != defaults[key]} <= set(said) | filled_in
    for key, value in said.items():
        if key == "proxies.eproxy.settings":
            continue  # its values are in the settings instead
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
    assert "strategy.population" in refusal("quickstart", ["strategy.name=random", "strategy.population=3"])


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
def test_a_file_that_is_no_configuration_is_reported(folder: Path, text: str) -> None:
    Path("mine.yaml").write_text(text)
    Path("other.yaml").write_text("extends: mine.yaml")
    refusal("mine.yaml", [])


def test_a_file_that_is_not_text_is_reported(folder: Path) -> None:
    Path("mine.yaml").write_bytes(b"\xff\xfe\x00")
    assert "mine.yaml" in refusal("mine.yaml", [])


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
def test_a_name_of_nothing_is_reported(folder: Path, name: str) -> None:
    refusal(name, [])


def test_names_do_not_lead_out_of_the_recipes(folder: Path) -> None:
    (folder / "evil.yaml").write_text("seed: 5")
    for name in (str(folder / "evil"), "./evil", "evil"):
        refusal(name, [])


def test_what_a_file_says_is_read_whenever_it_changed(folder: Path) -> None:
    for budget in (3, 4):
        Path("a.yaml").write_text(f"search: {{budget: {budget}}}\n")
        assert load("a.yaml", []).search.budget == budget
