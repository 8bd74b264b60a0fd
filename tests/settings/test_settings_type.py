"""Settings have one type for every space and strategy, and are sent to other processes as values."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from families import one_per_family

from nas.core.config import plain
from nas.core.errors import InputError
from nas.settings.schema import Settings, from_values, load
from nas.strategies import STRATEGIES
from nas.strategies.supernet import SUPERNET_STRATEGIES


@pytest.mark.parametrize("space", one_per_family())
@pytest.mark.parametrize("strategy", [*STRATEGIES.names(), *SUPERNET_STRATEGIES.names()])
def test_what_is_pickled_are_the_values(space: str, strategy: str) -> None:
    settings = from_values({}, [f"space={space}", f"strategy.name={strategy}", "data.validation=50", "train.clip=3"])
    assert isinstance(settings, Settings)
    written = pickle.dumps(settings)
    assert b"StrategySettings" not in written  # nor another class that is made at run time
    again = pickle.loads(written)
    assert type(again) is type(settings)
    assert again == settings
    assert plain(again) == plain(settings)


def test_changes_of_an_instance_travel_with_it() -> None:
    settings = load("quickstart", [])
    settings.eval = replace(settings.eval, eps=0.25)
    settings.strategy.population += 1
    again = pickle.loads(pickle.dumps(settings))
    assert again.eval.eps == 0.25
    assert again.strategy.population == settings.strategy.population


def test_a_home_folder_is_that_of_who_wrote_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "first"))
    written = pickle.dumps(load("quickstart", ["data.root=~/images"]))
    monkeypatch.setenv("HOME", str(tmp_path / "second"))
    assert pickle.loads(written).data.root == str(tmp_path / "first/images")


def test_a_process_without_the_device_says_so() -> None:
    settings = load("quickstart", [])
    settings.device = "cuda:99"
    with pytest.raises(InputError, match="Expected a device of this machine but 'cuda:99' is none"):
        pickle.loads(pickle.dumps(settings))
