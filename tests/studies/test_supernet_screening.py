"""The screening of changes of rnas-max: its plan, half of the images, the goal, and the best two."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from test_supernet_study import SPACE, ByConvolutions, cell_with, data, random_cells

from nas.strategies.supernet import SUPERNET_STRATEGIES
from nas.studies.supernets import making, runs
from nas.studies.supernets.goal import best, goals, meets
from nas.studies.supernets.making import half_of
from nas.studies.supernets.plan import COMPARED, PROTOCOL, Planned
from nas.studies.supernets.runs import Found, Rows, compute, planned_search, settings
from nas.studies.supernets.screening import (
    BASE,
    CHANGED,
    EXPLANATIONS,
    FRESH,
    FRESH_SEEDS,
    SCREENED,
    SCREENING,
    SEEDS,
)


def test_each_explanation_is_tested_twice_by_one_change_of_the_base() -> None:
    assert len(EXPLANATIONS) == 4
    assert min(map(len, EXPLANATIONS.values())) >= 2
    for one in CHANGED:
        other = {key for key, value in one.options.items() if BASE.options.get(key) != value}
        if one.strategy != BASE.strategy:
            other = {"strategy"} | other - {"coefficient", "tune_epochs"}  # which make it the same search
        assert (
            other in ({"regulariser", "regulariser_temperature"}, {"epochs", "warm_up"})
            or len(other) <= 1
            or (
                one.label == "alpha-only"  # λ moves from both levels to one
            )
        )
    for one in (*SCREENED, *CHANGED):
        SUPERNET_STRATEGIES.get(one.strategy).Options(**{**PROTOCOL, **one.options}).check()
    plain = {one.label: one.options for one in (BASE, *CHANGED)}
    assert len(set(map(str, plain.values()))) == len(plain) == len(SCREENED)


def test_the_screening_is_cheap_and_goes_seed_by_seed() -> None:
    every = list(SCREENING.planned())
    assert len(every) <= 60
    assert [one.seed for one in every] == sorted(one.seed for one in every)
    assert set(Counter(one.variant.name for one in every).values()) == {len(SEEDS)}
    assert all((one.variant.options["steps"], one.variant.options["step_size"]) == (3, 0.01) for one in every)
    full = list(FRESH.planned())
    assert not any("steps" in one.variant.options for one in full)  # the published ten
    assert len(FRESH_SEEDS) == 5
    assert not set(FRESH_SEEDS) & set(SEEDS)
    assert "base" not in {one.variant.name for one in full}
    cheap, dear = (planned_search(next(plan.planned()), data()) for plan in (SCREENING, FRESH))
    assert cheap is not None
    assert dear is not None
    assert cheap.passes() < dear.passes() / 2


@pytest.mark.landing
def test_every_variant_finds_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "SUPERNET", {"channels": 2, "cells_per_stage": 1})
    monkeypatch.setattr(runs, "PROTOCOL", {**PROTOCOL, "batch_size": 16, "crop": 1})
    rows, said = Rows(tmp_path, write=True, plan=SCREENING), list[str]()
    for one in SCREENED:
        short = {**one.options, "epochs": 1, "warm_up": 0, "steps": 1, "alpha_coefficient_after": 0}
        compute(Planned(one._replace(options=short), "screening", 0), rows, data(), said.append)
    assert [one.strategy for one in rows.found()] == [one.name for one in SCREENED]
    assert all(SPACE.parse(one.arch) for one in rows.found())
    assert "margin, screening, seed 0" in said[1]
    assert len(rows.paths()["removal", "screening", 0]) == 6  # an epoch before each selection of an edge


def test_the_rows_of_the_plans_are_apart(tmp_path: Path) -> None:
    for plan in (COMPARED, SCREENING, FRESH):
        rows = Rows(tmp_path, write=True, plan=plan)
        assert rows.found() == []
    assert len(list(tmp_path.glob("*.csv"))) == 6
    assert settings() == settings(COMPARED) != settings(SCREENING)
    assert "images" not in settings(FRESH)
    assert settings(SCREENING)["variants"]["removal"]["strategy"] == "darts-pt"


def test_the_screening_sees_half_of_each_class() -> None:
    whole = data()
    half = half_of(whole)
    assert len(half.train) == 17
    counts = torch.bincount(half.train.labels)
    assert (counts - torch.bincount(whole.train.labels) / 2).abs().max() <= 1
    assert torch.equal(half.train.images, half_of(whole).train.images)
    assert half.validation is whole.validation


POOLS = "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|"
WORSE = POOLS.replace("avg_pool_3x3", "nor_conv_3x3", 4)
BETTER = WORSE.replace("avg_pool_3x3", "skip_connect")  # which the table of the test counts, a little
SIX = POOLS.replace("avg_pool_3x3", "nor_conv_3x3")


def test_the_goal_is_above_random_cells_and_above_equals_with_few_large_operations() -> None:
    cells = random_cells()
    assert cells.percentile("hrs:pgd@1", SPACE.parse(BETTER)) > 95  # type: ignore[operator]
    assert meets(SPACE.parse(BETTER), cells)
    assert not meets(SPACE.parse(WORSE), cells)  # the worst of its equals
    assert not meets(SPACE.parse(SIX), cells)  # the best, but with six 3×3 convolutions
    assert not meets(SPACE.parse(POOLS.replace("avg_pool_3x3", "skip_connect")), cells)  # the best of its equals


def test_the_best_two_meet_the_goal_most_often_and_the_base_is_none_of_them() -> None:
    cells = random_cells()
    of = {
        "base": [BETTER] * 4,
        "margin": [BETTER, POOLS, POOLS, POOLS],
        "late": [WORSE] * 4,  # never, but with a larger percentile than
        "sigmoid": [POOLS] * 4,
        "long": [BETTER, BETTER, BETTER, SIX],
    }
    found = [
        Found(name, "screening", seed, arch, 1, 1, 1) for name, archs in of.items() for seed, arch in enumerate(archs)
    ]
    assert best(found, cells, SCREENED) == ["long", "margin"]
    assert best(found, cells, SCREENED, count=4) == ["long", "margin", "late", "sigmoid"]
    rows = {one.strategy: one for one in goals(found[:-1], cells, SCREENED)}
    assert list(rows) == ["base", "margin", "late", "sigmoid", "long"]
    assert (rows["base"].reached, rows["long"].reached) == (True, False)
    assert (rows["long"].met, rows["long"].common_seeds) == ([True, True, True], 3)
    percents = [cells.percentile("hrs:pgd@1", SPACE.parse(arch)) for arch in (POOLS, BETTER)]
    expected = np.mean([0, *[percents[0] - percents[1]] * 3])  # type: ignore[operator]
    assert rows["margin"].difference == pytest.approx(expected)
    (alone,) = goals(found[4:8], cells, SCREENED)
    assert alone.difference is None


def test_of_variants_that_never_meet_the_goal_the_larger_median_is_the_better() -> None:
    found = [
        Found(name, "screening", seed, cell_with(large), 1, 1, 1)
        for name, sizes in (("margin", (0, 1, 6)), ("late", (2, 2, 2)))
        for seed, large in enumerate(sizes)
    ]
    assert best(found, ByConvolutions(), SCREENED) == ["late", "margin"]  # type: ignore[arg-type]


def test_missing_searches_are_made_on_the_images_of_their_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, int, int]] = []
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    monkeypatch.setattr(making, "load", lambda settings: data())
    monkeypatch.setattr(
        making,
        "compute",
        lambda one, rows, images, report: made.append((one.variant.name, one.seed, len(images.train))),
    )
    for plan, name in ((SCREENING, "late"), (FRESH, "late")):
        making.make(Rows(tmp_path, plan=plan), tmp_path, [name], 1.0, print)
    assert made == [("late", seed, 17) for seed in SEEDS] + [("late", seed, 34) for seed in FRESH_SEEDS]
