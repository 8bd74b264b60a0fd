"""Configurations: written and read again they are the same, and any text gives settings or an error of one line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from slowly import slow_but

from nas.core import config
from nas.core.config import compose, plain
from nas.core.errors import InputError
from nas.settings.schema import from_values, load, schema


@pytest.mark.parametrize("name", config.shipped())
@pytest.mark.parametrize("overrides", [[], ["space=darts"], ["strategy.name=random", "train.clip=null"]])
def test_plain_values_give_the_same_settings_again(name: str, overrides: list[str]) -> None:
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
    """The settings, or the error message of one line; any other error fails the test."""
    try:
        return from_values(values, overrides)
    except InputError as error:
        line = str(error)
    assert line
    assert len(line.splitlines()) == 1
    return line


KEYS = sorted(config.flat(plain(schema("nasbench201", "evolution")())))
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


@pytest.mark.parametrize("name", slow_but(config.shipped(), {"quickstart", "cifar10-rnas-max"}))
def test_settings_are_those_of_omegaconf_read_as_a_whole(name: str) -> None:
    settings = from_values(config.compose(name), ["train.lr=3e-2", "run.trainings=pgd", "proxies.croze.beta=0.5"])
    values, kind = plain(settings), type(settings)
    whole: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), OmegaConf.create(values)))
    assert type(config.checked(values, kind)) is type(whole)
    assert config.checked(values, kind) == whole
    assert config.checked({}, kind) == OmegaConf.to_object(OmegaConf.structured(kind))
