"""Values of settings: each is converted to the type of its key; wrong values and unknown keys are refused by name."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from itertools import chain
from typing import Any

import pytest
from refusal import refusal

from nas.core import config
from nas.core.config import plain
from nas.core.errors import InputError
from nas.search_spaces import NASBench201
from nas.settings.schema import from_values, load
from nas.strategies import STRATEGIES
from nas.strategies.supernet import SUPERNET_STRATEGIES

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|none~2|"


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
def test_a_wrong_type_is_reported_with_its_key(override: str, key: str) -> None:
    assert key in refusal("quickstart", [override])


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
def test_an_impossible_value_is_reported_with_its_key(override: str, key: str) -> None:
    assert key in refusal("quickstart", [override])


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
    text = refusal("quickstart", [override])
    assert repr(key) in text
    if near is not None:
        assert f"did you mean {near!r}" in text


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["strategy.name=random", "strategy.seeding=1"], None),
        (["strategy.name=random", "strategy.x.y=1"], None),
        (["scoring.cells=8"], "scoring.cells is a key of space=darts, "),
        (["model.auxiliary=true"], "model.auxiliary is a key of space=darts, "),
        (["space=darts", "model.cells_per_stage=3"], "is a key of space=nasbench201, not of darts;"),
    ],
)
def test_a_key_of_another_space_names_it(overrides: list[str], said: str | None) -> None:
    text = refusal("quickstart", overrides)
    assert said in text if said is not None else "is a key of" not in text


def test_a_key_of_other_strategies_names_all_of_them() -> None:
    """For each key that several strategies share: given with another strategy, on the command line and in a file."""
    kinds = {**STRATEGIES.components, **SUPERNET_STRATEGIES.components}
    keys = {name: [field.name for field in fields(kind.Options)] for name, kind in kinds.items()}
    every = sorted(set(chain.from_iterable(keys.values())))
    shared = {", ".join(name for name in kinds if key in keys[name]): key for key in every}
    for others, key in shared.items():
        chosen = next((name for name in kinds if key not in keys[name]), None)
        if chosen is None:
            continue
        said = f"strategy.{key} is a key of strategy.name={others}, not of {chosen};"
        assert said in refusal("quickstart", [f"strategy.name={chosen}", f"strategy.{key}=5"])
    with pytest.raises(
        InputError, match=r"strategy\.tournament is a key of strategy\.name=evolution, .*, not of random;"
    ):
        from_values({"strategy": {"name": "random", "tournament": 5}}, [])


def test_a_key_below_a_single_value_is_reported() -> None:
    assert "train.lr is a single value" in refusal("quickstart", ["train.lr.start=1"])


@pytest.mark.parametrize(
    ("text", "near"), [("space=nasbench20", "nasbench201"), ("strategy.name=evolutoin", "evolution")]
)
def test_an_unknown_component_suggests_the_near_one(text: str, near: str) -> None:
    assert f"did you mean {near!r}" in refusal("quickstart", [text])


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


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass
class OfUnusual:
    size: int = 3
    rate: float = 1  # written as a whole number


@dataclass
class Unusual:
    """Options of another package, with types that no section of this project has."""

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
