"""Scores depend on seed, architecture, options and data, and on nothing else; what can be shared is made once."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from functools import cache
from random import Random
from typing import Any

import pytest
import torch
from cutting import cut, nothing

from nas.core.data import Dataset, DataSettings, load
from nas.core.errors import InputError, NasError
from nas.objectives import constant_logits, proxy_scorer
from nas.objectives.network_spec import NetworkSpec
from nas.objectives.proxy_scorer import Scorer
from nas.search_spaces import DARTS, NASBench201, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.base import proxy
from nas.strategies.proxies.croze import CRoZeOptions
from nas.strategies.proxies.passes.probe import Probe

CELLS = (
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|nor_conv_1x1~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
)
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
SMALL = {"channels": 4, "cells_per_stage": 1}
SUITE = (
    *("grad_norm", "snip", "plain", "grasp", "fisher", "l2_norm"),
    *("synflow", "jacov", "epe_nas", "nwot", "zen", "flops", "params"),
)
ALL = (*SUITE, "zico", "jacob_fro", "hessian", "croze")


@cache
def _digits() -> Dataset:
    return load(DataSettings())


def _scorer(seed: int = 0, names: tuple[str, ...] = ("croze", "params", "flops"), **croze: Any) -> Scorer:
    options: dict[str, Any] = {name: proxy.Options() for name, proxy in PROXIES.components.items()}
    options["croze"] = CRoZeOptions(**croze)
    for name, its in options.items():  # 64 images take their time
        if name != "croze" and hasattr(its, "batch_size"):
            its.batch_size = 8 if name == "hessian" else 16
    data = _digits()
    sized = NetworkSpec("nasbench201", SMALL, data.num_classes, data.image_size)
    full = NetworkSpec("nasbench201", asdict(NASBench201.Settings()), 10, 32)
    return Scorer(list(names), options, data, sized, full, seed, torch.device("cpu"))


class Made:
    """How many networks and probes were made, and with what batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.networks = 0
        self.probes: list[tuple[int, bool]] = []  # images; whether there is a second batch
        build = NASBench201.build

        def counted(*args: Any, **settings: Any) -> Any:
            self.networks += 1
            return build(*args, **settings)

        def probe(network: Any, images: Any, labels: Any, **settings: Any) -> Probe:
            self.probes.append((len(images), settings["second"] is not None))
            return Probe(network, images, labels, **settings)

        monkeypatch.setattr(NASBench201, "build", counted)
        monkeypatch.setattr(proxy_scorer, "Probe", probe)


@pytest.mark.landing
def test_order_and_company_do_not_matter() -> None:
    forward, backward = _scorer(names=ALL), _scorer(names=ALL[::-1])
    first = [forward(cell) for cell in CELLS]
    torch.manual_seed(99)
    second = [backward(cell) for cell in reversed(CELLS)][::-1]
    assert first == second
    assert all(set(scores) == set(ALL) for scores in first)
    for name in ("grasp", "fisher", "jacov", "nwot", "zico", "hessian", "croze"):
        assert _scorer(names=(name,))(CELLS[0]) == {name: first[0][name]}


def test_the_same_again() -> None:
    scorer = _scorer(names=ALL)
    assert scorer(CELLS[0]) == scorer(CELLS[0])


def test_seed_and_batch_size_matter() -> None:
    values = {_scorer(seed)(CELLS[0])["croze"] for seed in range(3)}
    values |= {_scorer(batch_size=8)(CELLS[0])["croze"]}
    assert len(values) == 4


def test_params_and_flops_are_those_of_the_trained_network() -> None:
    cost = NASBench201().cost(NASBench201().parse(CELLS[0]))
    scores = _scorer()(CELLS[0])
    assert (scores["params"], scores["flops"]) == (cost.params, cost.macs)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(InputError, match="batch_size"):
        _scorer(batch_size=5000)


def test_two_batches_must_fit_as_well() -> None:
    data = _digits()
    sized = NetworkSpec("nasbench201", SMALL, data.num_classes, data.image_size)
    options = PROXIES.get("zico").Options(batch_size=len(data.train) // 2 + 1)

    def made(name: str) -> Scorer:
        return Scorer([name], {name: options}, data, sized, sized, 0, torch.device("cpu"))

    assert len(made("grad_norm").images) == options.batch_size
    with pytest.raises(InputError, match="batch_size"):
        made("zico")


def test_asking_for_costs_builds_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NASBench201, "build", None)
    assert set(_scorer(names=("params", "flops"))(CELLS[0])) == {"params", "flops"}


# sharing


def test_one_network_per_architecture_and_one_probe_per_batch_size(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    scorer = _scorer(names=ALL, batch_size=16)
    assert (made.networks, made.probes) == (0, [])
    for number, cell in enumerate(CELLS, 1):
        scorer(cell)
        assert made.networks == number
        assert Counter(made.probes) == {(16, True): number, (8, False): number}  # zico has a second batch; hessian


def test_a_second_batch_is_only_taken_for_those_who_look(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch)
    scorer = _scorer(names=("croze", "grad_norm"), batch_size=16)
    assert len(scorer.images) == 16
    scorer(CELLS[0])
    assert made.probes == [(16, False)]
    assert len(_scorer(names=("zico",)).images) == 32


def test_the_first_batch_is_the_same_whoever_asks() -> None:
    """A proxy of 8 images sees the first 8 of those that one of 16 sees, and a second batch is of others."""
    few, many = _scorer(names=("hessian",)), _scorer(names=("zico",))
    assert torch.equal(few.images, many.images[:8])
    assert torch.equal(few.labels, many.labels[:8])
    assert len(many.images.flatten(1).unique(dim=0)) == 32


def test_the_whole_suite_takes_one_shared_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    forwards: list[int] = []
    build = NASBench201.build

    def counted(*args: Any, **settings: Any) -> Any:
        network = build(*args, **settings)
        network.body.stem.register_forward_hook(lambda module, inputs, output: forwards.append(len(output)))
        return network

    monkeypatch.setattr(NASBench201, "build", counted)
    _scorer(names=SUITE)(CELLS[0])
    assert sorted(forwards) == [1, 16, 16, 16]  # synflow's image of ones; the shared one, and zen's two


# failures


def test_a_network_without_a_path_has_no_value_and_is_not_built(
    space: SearchSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every proxy that builds a network, whatever its formula would make of a constant; weights and MACs stay."""

    def build(*args: Any, **settings: Any) -> Any:
        raise AssertionError("a network was built")

    none = nothing(space)
    if none is None:
        pytest.skip("a space without `none`")
    data = _digits()
    names, options = PROXIES.names(), {name: proxy.Options() for name, proxy in PROXIES.components.items()}
    scored = NetworkSpec(space.name, vars(space.ScoringSettings()), data.num_classes, data.image_size)
    full = NetworkSpec(space.name, vars(space.Settings()), 10, 32)
    scorer = Scorer(names, options, data, scored, full, 0, torch.device("cpu"))
    monkeypatch.setattr(type(space), "build", build)
    rng = Random(0)
    dead = [arch for arch in cut(space, space.sample(rng), rng) if not scored.connected(arch)]
    for arch in [none, *dead]:
        scores, reasons = scorer.try_score(str(arch))
        assert set(reasons) == {name for name in names if PROXIES.get(name).needs == "network"}
        assert set(reasons.values()) == {constant_logits.REASON}
        cost = full.cost(arch)
        assert scores == {"params": cost.params, "flops": cost.macs}


def test_what_decides_is_the_network_that_is_scored() -> None:
    """This genotype passes over its constant reduction cells at a depth of 5, and not at 8."""
    normal, reduce = [("skip_connect", 0), ("none", 1)] * 4, [("none", 0), ("none", 1)] * 4
    genotype = f"Genotype(normal={normal}, normal_concat=range(2, 6), reduce={reduce}, reduce_concat=range(2, 6))"
    data, options = _digits(), {"grad_norm": PROXIES.get("grad_norm").Options(batch_size=4)}
    for cells in (5, 8):
        sized = NetworkSpec("darts", {"channels": 2, "cells": cells}, data.num_classes, data.image_size)
        scores, reasons = Scorer(["grad_norm"], options, data, sized, sized, 0, torch.device("cpu")).try_score(genotype)
        assert (set(scores), set(reasons)) == (({"grad_norm"}, set()) if cells == 5 else (set(), {"grad_norm"}))


def test_poolings_and_identities_are_paths_enough() -> None:
    for name in ("skip_connect", "avg_pool_3x3"):
        scores, _ = _scorer(names=("grad_norm", "croze")).try_score(
            f"|none~0|+|none~0|none~1|+|{name}~0|none~1|none~2|"
        )
        assert set(scores) == {"grad_norm", "croze"}


def test_one_failure_leaves_the_others_their_values() -> None:
    def twins(*names: str) -> Scorer:
        scorer = _scorer(names=names)
        scorer.images[1] = scorer.images[0]  # the same ReLU codes, so nwot's kernel is singular
        return scorer

    alone = twins("l2_norm", "fisher").try_score(CELLS[0])
    assert alone[1] == {}
    together = twins("l2_norm", "nwot", "fisher").try_score(CELLS[0])
    assert together[0] == alone[0]
    assert set(together[1]) == {"nwot"}


def test_a_call_is_refused_where_one_has_no_value() -> None:
    with pytest.raises(NasError, match=r"synflow has no value for \|none~0\|"):
        _scorer(names=("params", "synflow"))(NOTHING)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_left_the_range_of_floats_is_a_failure(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    @proxy("extreme", needs="cost", mode="none", batch_norm="none", source="this test", passes=0.0)
    def extreme(cost: Any, options: Any) -> float:
        """A value that is none."""
        return value

    scorer = _scorer(names=("params",))
    scorer.proxies.append(extreme)
    scorer.options["extreme"] = extreme.Options()
    scores, reasons = scorer.try_score(CELLS[0])
    assert set(scores) == {"params"}
    assert str(value) in reasons["extreme"]


def test_other_errors_come_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect is no property of the architecture."""
    scorer = _scorer(names=("grad_norm",))

    def broken(self: Probe, name: str) -> Any:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Probe, "quantity", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        scorer.try_score(CELLS[0])


def test_what_is_no_architecture_is_told() -> None:
    with pytest.raises(InputError):
        _scorer().try_score("|none~0|")


def test_darts_is_scored_at_its_scoring_size() -> None:
    data = _digits()
    scored = NetworkSpec("darts", {"channels": 2, "cells": 3}, data.num_classes, data.image_size)
    full = NetworkSpec("darts", asdict(DARTS.Settings()), 10, 32)
    names = ["grad_norm", "nwot", "synflow", "params"]
    options = {name: PROXIES.get(name).Options() for name in names}
    arch = DARTS().largest()
    scores = Scorer(names, options, data, scored, full, 0, torch.device("cpu"))(str(arch))
    assert scores["params"] == DARTS().cost(arch).params
    assert all(map(math.isfinite, scores.values()))
