"""The study of supernet searches: its plan, a search that is killed, and how found cells are judged."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nas.core.data import Dataset, Split
from nas.core.errors import InputError
from nas.core.statistics.paired import holm
from nas.core.statistics.repetitions import uniform_sum
from nas.search_spaces import NASBench201
from nas.strategies.supernet import SUPERNET_STRATEGIES
from nas.studies.plots import trajectories
from nas.studies.supernets import runs
from nas.studies.supernets.judge import ADVERSARIAL, TESTED, RandomCells, _judged, compare, convolutions, judge
from nas.studies.supernets.plan import EQUAL, OWN, PROTOCOL, VARIANTS, Planned, planned, shortened
from nas.studies.supernets.runs import Epoch, Found, Rows, compute, planned_search

SPACE = NASBench201()


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "SUPERNET", {"channels": 4, "cells_per_stage": 1})
    monkeypatch.setattr(runs, "PROTOCOL", {**PROTOCOL, "batch_size": 8, "crop": 1})


def data() -> Dataset:
    images = torch.randint(0, 256, (34, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    split = Split(images, torch.arange(34) % 3)
    return Dataset("toy", split, split, split, 3, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def variant(name: str, **options: Any) -> Any:
    (one,) = (each for each in VARIANTS if each.strategy == name)
    return one._replace(options={**one.options, **options})


def test_the_plan_has_every_strategy_of_first_order_with_options_that_it_takes() -> None:
    names = [one.strategy for one in VARIANTS]
    assert set(names) == set(SUPERNET_STRATEGIES.names()) - {"darts-second-order", "p-darts"}
    for one in VARIANTS:
        SUPERNET_STRATEGIES.get(one.strategy).Options(**{**PROTOCOL, **one.options}).check()
    every = list(planned())
    assert len({(one.variant.strategy, one.length, one.seed) for one in every}) == len(every)
    own = {
        name: sorted(one.seed for one in every if (one.variant.strategy, one.length) == (name, OWN)) for name in names
    }
    assert own == {one.strategy: list(range(3 if one.dear else 8)) for one in VARIANTS}
    equal = [one for one in every if one.length == EQUAL]
    assert {one.variant.strategy for one in equal} == set(names) - {"darts"}
    assert {one.seed for one in equal} == {0, 1, 2}
    last = max(every.index(one) for one in equal)
    assert all(one.length == EQUAL or one.variant.strategy == "darts" for one in every[:last])


def test_an_equal_search_has_at_most_the_passes_of_darts() -> None:
    most = planned_search(Planned(variant("darts"), OWN, 0), data())
    assert most is not None
    for name, longer in (("gdas", False), ("advrush", False), ("rnas-max", True)):
        search = planned_search(Planned(variant(name), EQUAL, 0), data())
        assert search is not None
        assert search.passes() <= most.passes()
        assert longer == (search.options.epochs < 5)
    assert planned_search(Planned(variant("gdas"), EQUAL, 0), data()).options.epochs == 15  # type: ignore[union-attr]
    assert shortened(variant("rnas-max"), 3) == {"epochs": 3, "warm_up": 1}
    assert shortened(variant("dsrna-jacobian"), 13) == {"epochs": 13, "penalty_after": 3}  # of 2.6


@pytest.mark.landing
def test_a_killed_search_goes_on_to_the_same_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, said = Planned(variant("rnas-uniform", epochs=2, warm_up=1), OWN, 1), list[str]()
    monkeypatch.setattr(runs, "time", SimpleNamespace(process_time=count().__next__))  # a second for each epoch
    whole = Rows(tmp_path / "whole", write=True)
    compute(one, whole, data(), said.append)
    killed = Rows(tmp_path / "killed", write=True)
    kind = SUPERNET_STRATEGIES.get("rnas-uniform")
    step, steps = kind.step, 0

    def dies(self: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == 2:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(kind, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        compute(one, killed, data(), said.append)
    assert killed.found() == []
    assert list((tmp_path / "killed" / "unfinished").iterdir())
    compute(one, killed, data(), said.append)
    assert steps == 3  # one epoch was not made again
    assert not list((tmp_path / "killed" / "unfinished").iterdir())
    (found,), (again,) = Rows(tmp_path / "whole").found(), Rows(tmp_path / "killed").found()
    assert found == again
    assert found.seconds == 2
    assert found.arch in said[0]
    epochs = Rows(tmp_path / "whole").paths()["rnas-uniform", OWN, 1]
    assert epochs == Rows(tmp_path / "killed").paths()["rnas-uniform", OWN, 1]
    assert epochs[-1].arch == found.arch
    assert epochs[0].weights == pytest.approx((0.2,) * 5, abs=1e-3)  # α does not learn in the warm-up
    assert len(set(epochs[1].weights)) > 1
    assert sum(epochs[1].weights) == pytest.approx(1)
    assert killed.has(one)


def test_the_picture_has_the_weights_of_every_seed_and_the_cells_of_the_first() -> None:
    first = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"
    last = first.replace("none", "skip_connect")
    rows = [Epoch(first, (0.2, 0.2, 0.2, 0.2, 0.2)), Epoch(last, (0.1, 0.6, 0.1, 0.1, 0.1))]
    figure = trajectories._figure({("gdas", OWN, 1): rows, ("gdas", OWN, 4): rows[::-1], ("darts", OWN, 0): rows[:1]})
    gdas, darts, cells, _ = (axes for axes in figure.axes if axes.get_visible())
    assert [axes.get_title(loc="left") for axes in (gdas, darts)] == ["gdas, own length", "darts, own length"]
    lines = [line.get_ydata().tolist() for line in gdas.lines]
    assert len(lines) == 2 * 5
    assert (lines[1], lines[6]) == ([0.2, 0.6], [0.6, 0.2])  # of the skip connection
    shown = np.asarray(cells.collections[0].get_array()).reshape(6, 2)
    assert shown[:, 0].tolist() == [3, 1, 0, 2, 0, 4]  # as OPERATIONS has them
    assert shown[:, 1].tolist() == [3, 1, 1, 2, 1, 4]
    assert cells.get_xlabel() == "epoch (cell of seed 1)"


class Tables:
    """A column that is the number of 3×3 convolutions plus a hundredth of that of skip connections."""

    def higher_is_better(self, name: str) -> bool:
        return True

    def values(self, name: str, archs: list[str]) -> np.ndarray:
        cells = [SPACE.parse(arch) for arch in archs]
        return np.array([convolutions(cell) + cell.operations.count("skip_connect") / 100 for cell in cells])


def random_cells() -> RandomCells:
    return RandomCells(Tables(), (TESTED,))  # type: ignore[arg-type]


def test_cells_are_judged_by_their_share_of_worse_ones() -> None:
    cells = random_cells()
    assert len(cells.cells) == 4**6
    threes = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    pools = threes.replace("nor_conv_3x3", "avg_pool_3x3")
    found = [
        Found("gdas", OWN, 0, threes, 2, 10, 5.0),
        Found("gdas", OWN, 1, threes.replace("|nor_conv_3x3~0|+", "|skip_connect~0|+", 1), 2, 10, 7.0),
        Found("darts", OWN, 0, pools, 2, 8, 3.0),
    ]
    darts, gdas, drawn, largest = judge(found, cells)
    assert (darts.strategy, gdas.strategy, largest.strategy) == ("darts", "gdas", "six 3x3 convolutions")
    assert (drawn.strategy, drawn.seeds, len(set(drawn.percentiles[TESTED])) > 5) == ("random cells", 20, True)
    assert 30 < np.mean(drawn.percentiles[TESTED]) < 70
    assert largest.percentiles[TESTED] == pytest.approx([100 - 50 / 4096])
    assert gdas.percentiles[TESTED][0] == largest.percentiles[TESTED][0]
    assert (gdas.convolutions, gdas.skips, gdas.agreement, gdas.seconds) == (5.5, 0.5, pytest.approx(5 / 6), 6.0)
    classes = [SPACE.canonical(cell) for cell in cells.cells if convolutions(cell) == 0]
    scores = [convolutions(cell) + cell.operations.count("skip_connect") / 100 for cell in classes]
    own = Tables().values(TESTED, [str(SPACE.canonical(SPACE.parse(pools)))])[0]
    share = 100 * (np.mean(np.array(scores) < own) + np.mean(np.isclose(scores, own)) / 2)
    assert darts.among_equals == {TESTED: [pytest.approx(share)]}
    assert compare(found, cells) == []
    best, worst = (uniform_sum([value / 100 for value in row.percentiles[TESTED] if value]) for row in (gdas, darts))
    assert (gdas.p_random[TESTED], darts.p_random[TESTED]) == tuple(holm([best, worst]))
    assert (drawn.p_random, largest.p_random) == ({}, {})


def test_cells_with_adversarial_training_are_tested_by_a_column_of_their_own() -> None:
    class Two(Tables):
        """The second column prefers cells with few convolutions."""

        def values(self, name: str, archs: list[str]) -> np.ndarray:
            return super().values(name, archs) * (-1 if name == ADVERSARIAL else 1)

    cells = RandomCells(Two(), ("clean", TESTED, ADVERSARIAL))  # type: ignore[arg-type]
    assert cells.tested == [TESTED, ADVERSARIAL]
    found = [Found("darts", OWN, seed, cell_with(0), 1, 1, 1) for seed in range(7)]
    found += [Found("rnas-uniform", OWN, seed, cell_with(3), 1, 1, 1) for seed in range(7)]
    rows = judge(found, cells)[:2]
    for name in (TESTED, ADVERSARIAL):
        raw = [uniform_sum([value / 100 for value in row.percentiles[name] if value]) for row in rows]
        assert [row.p_random[name] for row in rows] == holm(raw)
    for row in rows:
        assert list(row.p_random) == list(row.among_equals) == [TESTED, ADVERSARIAL]
        for values in (row.percentiles, row.among_equals):
            np.testing.assert_allclose(values[ADVERSARIAL], 100 - np.array(values[TESTED], dtype=float))
    standard, adversarial = compare(found, cells)
    assert (standard.column, adversarial.column) == (TESTED, ADVERSARIAL)
    assert standard.difference == -adversarial.difference > 0
    assert standard.p == adversarial.p == pytest.approx(2 / 2**7)  # one comparison in each column


def test_a_robust_term_is_compared_with_its_base_over_common_seeds() -> None:
    base = "|skip_connect~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|"
    better = base.replace("avg_pool_3x3", "nor_conv_3x3")
    found = [Found("darts", OWN, seed, base, 1, 1, 1) for seed in range(7)]
    found += [Found("rnas-uniform", OWN, seed, better, 1, 1, 1) for seed in range(6)]
    found += [Found("advrush", OWN, seed, better, 1, 1, 1) for seed in range(3)]  # too few
    (only,) = compare(found, random_cells())
    assert (only.strategy, only.base, only.seeds) == ("rnas-uniform", "darts", 6)
    assert only.difference > 50
    assert only.p == pytest.approx(2 / 2**6)


def cell_with(large: int) -> str:
    """A cell with so many 3×3 convolutions."""
    pools = "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|"
    return pools.replace("avg_pool_3x3", "nor_conv_3x3", large)


class ByConvolutions:
    """In place of the random cells: a percentile is ten times the number of 3×3 convolutions."""

    columns = tested = (TESTED,)

    def percentile(self, column: str, cell: Any, equals: bool = False) -> float:
        return 10.0 * convolutions(cell)


def test_comparisons_are_of_searches_of_their_own_length_and_corrected_together() -> None:
    found = [
        Found(name, length, seed, cell_with(large), 1, 1, 1)
        for length, cells in ((OWN, (0, 3, 2)), (EQUAL, (6, 0, 0)))
        for name, large in zip(("darts", "rnas-uniform", "advrush"), cells)
        for seed in range(7)
    ]
    uniform, advrush = compare(found, ByConvolutions())  # type: ignore[arg-type]
    assert (uniform.seeds, uniform.difference, advrush.difference) == (7, 30, 20)
    assert uniform.p == advrush.p == pytest.approx(2 * 2 / 2**7)  # Holm: twice the smaller of two p-values


def test_the_cost_of_searches_is_their_median() -> None:
    found = [Found("gdas", OWN, seed, cell_with(seed), 1, passes, passes / 2) for seed, passes in enumerate((2, 4, 60))]
    row = _judged("gdas", OWN, found, [SPACE.parse(one.arch) for one in found], ByConvolutions())  # type: ignore[arg-type]
    assert (row.passes, row.seconds, row.convolutions) == (4, 2, 1)


def test_a_percentile_is_that_of_the_class_in_the_direction_of_the_column() -> None:
    asked: list[str] = []

    class Costs:
        def higher_is_better(self, name: str) -> bool:
            return False

        def values(self, name: str, archs: list[str]) -> np.ndarray:
            asked.extend(archs)
            return np.array([3.0])

    cells = RandomCells(Costs(), (TESTED,))  # type: ignore[arg-type]
    cells.__dict__["values"] = {TESTED: np.array([-1.0, -2.0, -4.0])}  # costs, so that larger is better
    cell = SPACE.parse("|none~0|+|nor_conv_3x3~0|none~1|+|avg_pool_3x3~0|nor_conv_3x3~1|nor_conv_1x1~2|")
    assert cells.percentile(TESTED, cell) == pytest.approx(100 / 3)
    assert asked == [str(SPACE.canonical(cell))] != [str(cell)]


def test_a_table_that_lacks_cells_is_refused() -> None:
    class Part(Tables):
        def values(self, name: str, archs: list[str]) -> np.ndarray:
            known = super().values(name, archs)
            known[3:5] = np.nan
            return known

    cells = RandomCells(Part(), (TESTED,))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"a value of hrs:pgd@1 for each of the 4,096 cells .* but 2 have none"):
        judge([Found("darts", OWN, 0, cell_with(0), 1, 1, 1)], cells)


def test_the_settings_of_every_search_are_those_that_were_written_down() -> None:
    """docs/studies/supernets.md names them."""
    written = {"batch_size": 32, "lr": 0.025, "lr_min": 0.001, "alpha_lr": 0.003, "validation_images": 0}
    assert written == PROTOCOL
