"""The forecast costs of a training and an evaluation, against counts by hand."""

from __future__ import annotations

import pytest

from nas.core.data import Dataset, load
from nas.runs.stages import eval_stage, train_stage
from nas.runs.stages.forecast import SURVIVORS, Speed, makespan
from nas.settings.schema import Settings, from_values

SPEED = Speed(step=0.3, attack_step=0.2, batch=10)
SMALL = ("device=cpu", "data.size=8", "executor.workers=1", "eval.n_test=20", "eval.batch_size=10", "eval.sweep=[]")


def settings_of(*overrides: str) -> Settings:
    return from_values({}, [*SMALL, *overrides])


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load(settings_of().data)


@pytest.mark.parametrize(("method", "whole", "inputs"), [("standard", 1, 0), ("pgd", 1, 5), ("trades", 2, 5)])
def test_a_training_costs_its_passes(method: str, whole: int, inputs: int, digits: Dataset) -> None:
    settings = settings_of("train.epochs=3", "train.steps=5")
    cost = train_stage.cost(settings, [method], digits, SPEED)
    images = 3 * len(digits.train)
    assert cost.passes == images * (whole + inputs)
    assert cost.seconds == pytest.approx(images / 10 * (0.3 * whole + 0.2 * inputs))


@pytest.mark.parametrize(
    ("attacks", "passes"),
    [
        ("fgsm", 1),
        ("fgsm,pgd4", 1 + 4),
        ("autoattack", 2900 * SURVIVORS["adversarial"]),  # its later stages attack the images that are left
    ],
)
def test_an_evaluation_costs_the_passes_of_its_attacks(attacks: str, passes: float, digits: Dataset) -> None:
    cost = eval_stage.cost(settings_of(f"eval.attacks={attacks}"), ["pgd"], digits, SPEED)
    assert cost.passes == pytest.approx(20 * passes)
    assert cost.seconds == pytest.approx(20 * passes * 0.3 / 10)


def test_later_attacks_of_a_cascade_attack_what_is_left(digits: Dataset) -> None:
    cost = eval_stage.cost(settings_of("eval.attacks=fgsm,pgd4", "eval.cascade=true"), ["standard"], digits, SPEED)
    assert cost.passes == pytest.approx(20 * (1 + 4 * SURVIVORS["standard"]))


def test_the_longest_task_starts_first() -> None:
    assert makespan([1, 1, 2], 2) == 2
    assert makespan([1, 1, 2], 1) == 4
