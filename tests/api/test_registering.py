"""Parts of one's own are used by name or as objects, in this process and in workers that can import them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import own_parts
import pytest
import torch
from slowly import slow_but
from torch import Tensor, nn

import nas
from nas.api.registering import REGISTRIES, name_of, names_of
from nas.core.data import DataSettings, load
from nas.core.data.formats.base import Loader, Source
from nas.core.errors import InputError, NasError
from nas.eval.attacks import ATTACKS, Attack
from nas.search_spaces import SPACES, NASBench201, SearchSpace
from nas.settings.schema import from_values
from nas.strategies import STRATEGIES
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.base import proxy

SMALL = {"scoring.channels": 4, "scoring.cells_per_stage": 1}
SHORT = {"model.scale": 2, "train.batch_size": 50}


@pytest.fixture(autouse=True)
def _nothing_stays_registered() -> Iterator[None]:
    yield
    forget()


def test_a_proxy_is_used_by_name_and_as_an_object() -> None:
    cells = nas.space("nasbench201").draw(1, seed=1)
    by_object = nas.score(cells, proxies=[own_parts.logit_spread, "params"], settings=SMALL)
    assert nas.register(own_parts.logit_spread) is own_parts.logit_spread
    by_name = nas.score(cells, proxies=["logit_spread", "params"], settings=SMALL)
    assert [row.scores for row in by_name] == [row.scores for row in by_object]
    squared = nas.score(cells, proxies="logit_spread", settings={**SMALL, "proxies.logit_spread.power": 2.0})
    assert [row.scores["logit_spread"] for row in squared] == pytest.approx(
        [row.scores["logit_spread"] ** 2 for row in by_object]
    )


def test_space_strategy_and_proxy_of_ones_own_in_a_search() -> None:
    found = nas.search(
        space=own_parts.TwoWidths(),
        strategy=own_parts.First,
        objective=own_parts.logit_spread,
        budget=4,
        settings={"strategy.start": 3, "search.ask": 2, "scoring.scale": 2},
    )
    assert sorted(one.arch for one in found.top) == ["1-4", "1-5", "1-6", "2-1"]
    assert found.best.metrics == {"logit_spread": max(one.metrics["logit_spread"] or 0 for one in found.top)}
    assert found.settings["space"] == "two-widths"
    again = nas.search(
        space="two-widths",
        strategy="first",
        objective="logit_spread",
        budget=4,
        settings={"strategy.start": 3, "search.ask": 2, "scoring.scale": 2},
    )
    assert again.best == found.best


def test_a_network_of_ones_own_space_is_trained_by_ones_own_method_on_ones_own_data() -> None:
    model = nas.train_model(
        own_parts.Widths(4, 4),
        space=own_parts.TwoWidths,
        data=own_parts.Stripes,
        method=own_parts.Faded,
        epochs=2,
        settings=SHORT,
    )
    assert model.training == "faded"
    assert model.network(torch.zeros(1, 3, own_parts.IMAGE_SIDE, own_parts.IMAGE_SIDE)).shape == (1, 2)


@pytest.mark.parametrize("workers", slow_but([None, 2], {None}))
def test_an_attack_of_ones_own_and_one_with_a_number_in_its_name_attack_a_network(workers: int | None) -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * own_parts.IMAGE_SIDE**2, 2))
    reports = [
        nas.evaluate(network, data=own_parts.Stripes, attacks=[attack, "pgd2"], eps=0.5, n_test=20, workers=workers)
        for attack, workers in ((own_parts.Brighter, None), ("brighter", workers))
    ]
    assert list(reports[0].attacks) == ["brighter", "pgd2"]
    for report in reports:
        assert np.array_equal(report.correct["brighter"], reports[0].correct["brighter"])
        assert report.attacks["brighter"].accuracy == reports[0].attacks["brighter"].accuracy


@pytest.mark.slow
def test_workers_know_parts_that_stand_in_a_module() -> None:
    archs = [own_parts.Widths(first, 3) for first in range(1, 5)]
    here = nas.score(archs, space=own_parts.TwoWidths, proxies=[own_parts.logit_spread], data=own_parts.Stripes)
    there = nas.score(
        archs, space=own_parts.TwoWidths, proxies=[own_parts.logit_spread], data=own_parts.Stripes, workers=2
    )
    assert [row.scores for row in there] == [row.scores for row in here]


def within_a_function() -> Any:
    @proxy("local_part", needs="cost", source="this test", passes=0)
    def local_part(cost: Any, options: Any) -> float:
        return float(cost.params)

    return local_part


@pytest.mark.slow
def test_workers_need_a_module_for_what_they_use_and_for_nothing_else() -> None:
    cells = nas.space("nasbench201").draw(4, seed=1)
    nas.register(within_a_function())
    with pytest.raises(InputError, match=r"^Expected the proxy 'local_part' to be importable.* move it to the top lev"):
        nas.score(cells, proxies=["local_part"], workers=2)
    with pytest.raises(InputError, match="'local_part' to be importable"):
        nas.search(objective="local_part", budget=4, workers=2)
    with pytest.raises(InputError, match="'local_part' to be importable"):  # a process that can be stopped
        nas.search(objective="local_part", budget=4, settings={"executor.deadline": 60})
    assert nas.search(objective="local_part", budget=4).evaluated == 4
    scores = nas.score(cells, proxies=["params", "snip"], settings=SMALL, workers=2)
    assert scores.values("params") == nas.score(cells, proxies=["params"]).values("params")


def test_settings_contain_ones_own_proxies_only_where_they_are_used() -> None:
    nas.register(own_parts.logit_spread)
    nas.register(within_a_function())
    assert "logit_spread" not in nas.score(nas.space("nasbench201").draw(1), proxies=["params"]).settings["proxies"]
    used = nas.search(objective="logit_spread", budget=1, settings=SMALL).settings
    assert used["proxies"]["logit_spread"] == {"batch_size": 16, "power": 1.0}
    assert "local_part" not in used["proxies"]
    in_path = from_values({"name": "logit_spread", "data": {"root": "/logit_spread/x"}}, ["run.dir=local_part"])
    assert not {"logit_spread", "local_part"} & vars(in_path.proxies).keys()


def redefined(value: float) -> Any:
    @nas.register
    @proxy("changing", needs="cost", source="this test", passes=0)
    def changing(cost: Any, options: Any) -> float:
        return value

    return changing


def test_a_later_definition_replaces_an_earlier_one() -> None:
    cell = nas.space("nasbench201").draw(1, seed=1)
    for value in (1.0, 2.0):
        redefined(value)
        assert nas.score(cell, proxies=["changing"])[0].scores == {"changing": value}


def stripes_of(level: int) -> type[Loader]:
    class Mine(own_parts.Stripes):
        name = "mine"

        def read(self) -> Any:
            raw = super().read()
            return replace(raw, images=np.full(raw.images.shape, level, np.uint8))

    return Mine


def test_images_of_a_data_set_that_was_defined_again_are_read_again() -> None:
    cell = nas.space("nasbench201").draw(1, seed=1)

    @proxy("brightness", source="this test", options=own_parts.LogitOptions, passes=0)
    def brightness(probe: Any, options: Any) -> float:
        images = probe.images * probe.network.std + probe.network.mean
        return float(images.mean())

    seen = [
        nas.score(cell, proxies=[brightness], data=stripes_of(level), settings=SMALL)[0].scores["brightness"]
        for level in (51, 204)
    ]
    assert seen == pytest.approx([0.2, 0.8], abs=1e-3)


def test_images_of_ones_own_data_set_are_not_cached_between_definitions(tmp_path: Any) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    means = []
    for level in (51, 204):
        mine = stripes_of(level)
        mine.sources = lambda self: [Source.of(file)]  # type: ignore[method-assign]
        nas.register(mine)
        means.append(float(load(DataSettings("mine")).test.images.float().mean()))
    assert means == [51, 204]


def forget() -> None:
    for registry in REGISTRIES:
        registry.added.clear()
        vars(registry).pop("components", None)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("search space 'two-widths'", {"space": own_parts.TwoWidths, "objective": "params"}),
        ("proxy 'logit_spread'", {"objective": own_parts.logit_spread, "settings": SMALL}),
        (
            "strategy 'first'",
            {"objective": "params", "strategy": own_parts.First, "settings": {"strategy.start": 15000}},
        ),
    ],
)
def test_a_run_says_which_part_it_needs_in_another_process(words: str, parts: Any, tmp_path: Path) -> None:
    found = nas.search(budget=2, run=tmp_path / "run", **parts)
    forget()
    with pytest.raises(
        InputError, match=rf"Expected the {words}, which the run .* uses, to be installed or registered"
    ):
        nas.resume(tmp_path / "run")
    assert nas.open_run(tmp_path / "run").best == found.best
    for part in (own_parts.TwoWidths, own_parts.logit_spread, own_parts.First):
        nas.register(part)
    assert nas.resume(tmp_path / "run").best == found.best


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (3, "Expected a part that can be registered but got 3; derive a class from one of SearchSpace, Strategy"),
        (len, "make a proxy of a function with @proxy"),
        (type("Half", (Attack,), {"name": "half"}), "Expected the attack 'Half' to have passes, perturb but it does"),
        (type("Nameless", (own_parts.Brighter,), {"name": None}), "Expected a name of letters"),
        (type("Again", (NASBench201,), {}), "'nasbench201' is installed; choose another name"),
        (type("First", (own_parts.First,), {"name": "rnas-max"}), "'rnas-max' is another strategy"),
        (type("Comma", (own_parts.Brighter,), {"name": "a,b"}), "Expected a name of letters, digits"),
        (own_parts.Brighter(0.1), "give Brighter itself"),
    ],
)
def test_what_cannot_be_registered_is_told(thing: Any, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        nas.register(thing)


@pytest.mark.parametrize("name", ["latency", "a-b", "class", "graph"])
def test_a_proxy_is_named_like_a_variable_and_no_other_metric(name: str) -> None:
    with pytest.raises(InputError, match="name of a Python variable"):
        nas.register(proxy(name, needs="cost", source="", passes=0)(lambda cost, options: 0.0))


def test_an_object_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="Expected a proxy but got the attack 'brighter'"):
        nas.score(nas.space("nasbench201").draw(1), proxies=[own_parts.Brighter])
    with pytest.raises(InputError, match="Expected a strategy or supernet strategy but got the search space"):
        nas.search(strategy=own_parts.TwoWidths)
    assert not ATTACKS.added


def test_two_objects_of_one_name_are_refused() -> None:
    assert names_of([own_parts.Brighter, "pgd20", own_parts.Brighter], ATTACKS) == ["brighter", "pgd20", "brighter"]
    other = type("Other", (own_parts.Brighter,), {})
    with pytest.raises(InputError, match="two are called 'brighter'"):
        names_of([own_parts.Brighter, other], ATTACKS)


def test_installed_parts_can_be_given_as_objects() -> None:
    assert name_of(NASBench201(), SPACES) == name_of(NASBench201, SPACES) == "nasbench201"
    assert name_of(PROXIES.get("croze"), PROXIES) == "croze"
    assert names_of(STRATEGIES.get("random"), STRATEGIES) == ["random"]
    assert not any(registry.added for registry in REGISTRIES)


class Sized(own_parts.TwoWidths):
    name = "sized"

    def __init__(self, largest_width: int = 6) -> None:
        self.largest_width = largest_width


def test_a_space_with_a_state_is_refused_because_it_would_be_made_again() -> None:
    assert name_of(Sized(), SPACES) == "sized"
    with pytest.raises(InputError, match="without a state of its own"):
        nas.search(space=Sized(3))

    class Demanding(own_parts.TwoWidths):
        name = "demanding"

        def __init__(self, width: int) -> None:
            self.width = width

    for register in (nas.register, lambda space: name_of(space, SPACES)):
        with pytest.raises(InputError, match=r"Expected to make the search space by Demanding\(\) but"):
            register(Demanding(3))


def test_objects_stand_in_settings_too() -> None:
    found = nas.search(objective="params", budget=2, settings={"space": own_parts.TwoWidths, "strategy.name": "random"})
    assert found.settings["space"] == "two-widths"


def test_a_class_without_class_variables_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    members = {
        name: value
        for name, value in vars(own_parts.TwoWidths).items()
        if name not in ("Settings", "ScoringSettings", "__dict__", "__weakref__", "_abc_impl")
    }
    with pytest.raises(InputError, match="Expected the search space 'Bare' to have ScoringSettings, Settings but"):
        nas.register(type("Bare", (SearchSpace,), members))


class Broken(own_parts.Brighter):
    name = "broken"

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        raise KeyError("of mine")


def test_the_error_of_an_attack_of_ones_own_names_it() -> None:
    images, labels = torch.rand(4, 3, 8, 8), torch.zeros(4, dtype=torch.long)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
    with torch.no_grad():
        network[1].bias[0] = 100.0  # every image is correct
    with pytest.raises(NasError, match=r"The attack broken raised KeyError: 'of mine'"):
        nas.evaluate(network, data=(images, labels), attacks=[Broken], eps=0.1)
