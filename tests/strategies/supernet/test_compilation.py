"""Compiled passes of a supernet: which passes they are, and that a search finds the same with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from toy_search import FAST, TINY, noise, same, search

from nas.core.config.conditions import conditions_of
from nas.core.errors import InputError
from nas.search_spaces import DARTS, NASBench201
from nas.search_spaces.supernet import differentiate_only
from nas.strategies.supernet import SUPERNET_STRATEGIES, bilevel
from nas.strategies.supernet.bilevel import Bilevel
from nas.strategies.supernet.compared.by_options import AdvRush, DSRNAJacobian, SDARTSAdversarial
from nas.strategies.supernet.compared.selection import DARTSPT
from nas.strategies.supernet.compilation import COMPILERS, compile_passes, uncompiled
from nas.strategies.supernet.double_backward import cheap_double_backward
from nas.strategies.supernet.variants import DARTSFirstOrder, DARTSSecondOrder, RNASMax, RNASUniform

ONE = {"epochs": 1, "warm_up": 0}


class Compiler:
    """In place of `torch.compile`: counts the calls of what was compiled, and of graphs that begin."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arguments: list[Any] = []
        self.calls = self.begun = 0
        monkeypatch.setattr(torch, "compile", self.compile)
        monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", self.begin)

    def compile(self, function: Callable[..., Tensor], **arguments: Any) -> Callable[..., Tensor]:
        self.arguments.append(arguments)

        def compiled(*inputs: Any) -> Tensor:
            self.calls += 1
            return function(*inputs)

        return compiled

    def begin(self) -> None:
        self.begun += 1


def passes(monkeypatch: pytest.MonkeyPatch, kind: type[Bilevel], **options: Any) -> tuple[int, int]:
    """How many passes of an epoch are compiled, and how many there are."""
    run = search(kind, **{**ONE, **options}, compile="cuda-graphs")
    compiler, total, logits = Compiler(monkeypatch), [0], type(run.supernet).logits

    def count(*inputs: Any) -> Tensor:
        total[0] += 1
        return logits(*inputs)

    monkeypatch.setattr(type(run.supernet), "logits", count)
    run.install(run.supernet)
    run.step()
    return compiler.calls, total[0]


@pytest.mark.parametrize("name", COMPILERS)
def test_the_compiler_gets_the_arguments_of_the_option(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    compiler = Compiler(monkeypatch)
    search()
    assert compiler.arguments == []
    search(compile=name)
    wanted = {"cuda-graphs": {"backend": "cudagraphs"}, "reduce-overhead": {"mode": "reduce-overhead"}}[name]
    assert compiler.arguments == [{"dynamic": False, **wanted}]


@pytest.mark.parametrize("kind", [DARTSFirstOrder, RNASUniform, RNASMax, SDARTSAdversarial])
def test_all_passes_are_compiled(monkeypatch: pytest.MonkeyPatch, kind: type[Bilevel]) -> None:
    compiled, total = passes(monkeypatch, kind, validation_images=0)
    assert compiled == total >= 4


def test_passes_of_held_out_images_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, total = passes(monkeypatch, DARTSFirstOrder)
    assert total - compiled == 2 + FAST["steps"]  # clean, PGD, perturbed; one batch


def test_removals_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    run = search(DARTSPT, compile="cuda-graphs")
    compiler = Compiler(monkeypatch)
    run.install(run.supernet)
    assert isinstance(run, DARTSPT)
    run.correct_without("cell", 0, 1)
    assert compiler.calls == 0


def test_each_step_of_a_level_begins_new_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = Compiler(monkeypatch)
    run = search(RNASUniform, **ONE, compile="cuda-graphs")
    run.step()
    assert compiler.begun == 2 * run.steps_per_epoch > 2
    search(RNASUniform, **ONE).step()
    assert compiler.begun == 2 * run.steps_per_epoch


@pytest.mark.parametrize(
    ("kind", "options", "left_out"),
    [
        (AdvRush, {"penalty_after": 0}, 2),  # of each step of α: the pass of x, and that of x + z
        (DSRNAJacobian, {"penalty_after": 0}, 1),
        (DARTSFirstOrder, {"mixture": "dirichlet", "penalty": "dirichlet-kl"}, 0),  # of α alone
    ],
)
def test_passes_whose_gradients_are_differentiated_are_not_compiled(
    monkeypatch: pytest.MonkeyPatch, kind: type[Bilevel], options: dict[str, Any], left_out: int
) -> None:
    compiled, total = passes(monkeypatch, kind, **options, validation_images=0)
    assert total - compiled == left_out * search(kind).steps_per_epoch


def test_a_hessian_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    run = search(RNASMax, compile="cuda-graphs")
    compiler = Compiler(monkeypatch)
    run.install(run.supernet)
    run.eigenvalue()  # with the attack of its loss
    assert compiler.calls == 0


def test_a_hessian_has_the_cheap_second_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    run, blocks = search(DARTSFirstOrder), []

    @contextmanager
    def noted() -> Iterator[None]:
        with cheap_double_backward():
            yield
        blocks.append(1)

    monkeypatch.setattr(bilevel, "cheap_double_backward", noted)
    run.eigenvalue()
    assert len(blocks) == 1


def test_passes_that_draw_numbers_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = Compiler(monkeypatch)
    run = search(compile="cuda-graphs")
    run.supernet.skip_output = lambda: lambda x: x
    run.supernet(torch.rand(2, 3, 8, 8))
    assert compiler.calls == 0


def test_compiled_passes_come_back_after_an_error() -> None:
    run = search(compile="cuda-graphs")
    compiled = run.supernet.compiled

    def fails() -> None:
        with uncompiled(run.supernet):
            assert run.supernet.compiled is None
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert run.supernet.compiled is compiled is not None


def test_options_without_effect_are_told() -> None:
    def why(kind: str, **options: Any) -> str | None:
        strategy = SUPERNET_STRATEGIES.get(kind)
        given = strategy.Options(**options)
        condition = conditions_of(strategy)["compile"]
        return None if condition.holds(given, NASBench201()) else condition.why(given)

    assert why("gdas") == "with strategy.mixture=gumbel, whose operations change from step to step"
    assert why("darts", skip_dropout=0.1) == "with strategy.skip_dropout, which draws new numbers in each pass"
    assert "stage_skip_dropout in every stage" in (why("p-darts") or "")
    assert why("p-darts", stage_skip_dropout=[0.0, 0.4, 0.7]) is None
    assert "paths are drawn" in (why("robnet") or "")
    for name in ("darts", "darts-second-order", "rnas-max", "pc-darts", "sdarts-adv", "advrush", "drnas", "darts-pt"):
        assert why(name) is None
    with pytest.raises(InputError, match=r"strategy\.compile to be cuda-graphs or reduce-overhead"):
        RNASMax.Options(compile="inductor").check()


# really compiled


def both(kind: type[Bilevel], compiler: str, **options: Any) -> tuple[Bilevel, Bilevel]:
    """The same epoch without and with a compiler."""
    torch.compiler.reset()
    runs = tuple(search(kind, **{**ONE, **options, "compile": name}) for name in (None, compiler))
    for run in runs:
        run.step()
    return runs  # type: ignore[return-value]


@pytest.mark.landing
@pytest.mark.filterwarnings("ignore:.*lru_cache.*")
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (RNASMax, {}),
        pytest.param(DARTSSecondOrder, {"stop_eigenvalue": True}, marks=pytest.mark.slow),
        pytest.param(AdvRush, {"penalty_after": 0}, marks=pytest.mark.slow),
        pytest.param(SDARTSAdversarial, {"mixture": "dirichlet"}, marks=pytest.mark.slow),
        pytest.param(DARTSPT, {"tune_epochs": 1}, marks=pytest.mark.slow),
    ],
)
def test_a_search_with_graphs_is_the_same_to_the_bit(kind: type[Bilevel], options: dict[str, Any]) -> None:
    """On a CPU; what is compared is what is traced, and that nothing is left out or computed twice."""
    plain, compiled = both(kind, "cuda-graphs", **options)
    assert same(plain.weights, compiled.weights)
    assert same(plain.alphas, compiled.alphas)
    assert plain.history[0].weight == compiled.history[0].weight
    assert plain.history[0].validation == compiled.history[0].validation
    assert not torch._dynamo.utils.counters["graph_break"]


@pytest.mark.landing
@pytest.mark.filterwarnings("ignore:.*lru_cache.*")
def test_each_kind_of_pass_has_a_graph_of_its_own() -> None:
    """What torch traced for one kind is not taken for another, or gradients would be missing."""
    torch.compiler.reset()
    run, x = search(compile="cuda-graphs"), torch.rand(2, 3, 8, 8)
    m = run.supernet

    def gradients(wanted: list[Any]) -> list[Tensor]:
        with differentiate_only(m, wanted):
            return list(torch.autograd.grad(m(x).square().sum(), wanted))

    for wanted in (run.alphas, m.classifier.parameters(), m.stem.parameters()):
        parameters = list(wanted)
        found = gradients(parameters)
        with uncompiled(m):
            assert same(found, gradients(parameters))
    m.kept = {name: torch.ones_like(alpha, dtype=torch.bool) for name, alpha in m.alphas.items()}
    m.kept["cell"][:3, 2] = False
    logits = m(x)
    with uncompiled(m):
        assert torch.equal(m(x), logits)


def test_the_kind_of_a_pass_says_what_it_depends_on() -> None:
    m, kinds = search().supernet, []
    m.compiled = lambda x, weights, kind: kinds.append(kind) or m.logits(x, weights)  # type: ignore[func-returns-value]
    x = torch.rand(2, 3, 8, 8)
    m(x)
    m(x)
    with differentiate_only(m, m.alphas.values()):
        m(x)
    m.with_features(x)
    m.kept = {name: torch.ones_like(alpha, dtype=torch.bool) for name, alpha in m.alphas.items()}
    m(x)
    m.kept["cell"][0, 2] = False
    m(x)
    assert kinds[0] == kinds[1]
    assert len(set(kinds)) == 5


@pytest.mark.slow
def test_a_search_with_fused_kernels_is_the_same_up_to_rounding() -> None:
    plain, compiled = both(RNASUniform, "reduce-overhead")
    for name, value in plain.history[0].weight.items():
        assert compiled.history[0].weight[name] == pytest.approx(value, rel=1e-4, abs=1e-4)
    for one, other in zip(plain.weights, compiled.weights):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("error:.*lru_cache")
@pytest.mark.parametrize(
    ("space", "settings"),
    [
        (NASBench201, TINY),
        (NASBench201, {"channels": 4, "cells_per_stage": 1, "partial": 2, "edge_weights": True}),
        (DARTS, {"channels": 2, "cells": 3}),
    ],
)
def test_a_pass_is_one_graph(monkeypatch: pytest.MonkeyPatch, space: Any, settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    m = space().supernet(3, **settings)
    x = torch.rand(2, 3, 8, 8, generator=noise())
    plain = m(x)
    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, **given: compile_(function, fullgraph=True, **given))
    compile_passes(m, "cuda-graphs")
    logits = m(x)
    assert torch.equal(logits, plain)
    gradients = [torch.autograd.grad(value.square().sum(), m.weights(), allow_unused=True) for value in (plain, logits)]
    for one, other in zip(*gradients):
        assert (one is None) == (other is None) or not (one if other is None else other).any()
        assert one is None or other is None or torch.equal(one, other)


def test_an_epoch_of_these_tests_has_several_steps() -> None:
    assert search().steps_per_epoch > 1
