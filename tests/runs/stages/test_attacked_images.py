"""How many images are attacked: those that are asked for, or by default at most 1,000 of those that there are."""

from __future__ import annotations

import pytest
import torch

from nas.core.data import Dataset, Split
from nas.core.errors import InputError
from nas.runs.stages import eval_stage, transfer
from nas.settings import schema


def dataset(count: int) -> Dataset:
    part = Split(torch.zeros(count, 3, 8, 8, dtype=torch.uint8), torch.arange(count) % 10)
    return Dataset("digits", part, part, part, 10, (0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize(
    ("overrides", "there", "attacked"),
    [
        ([], 40, 40),
        ([], 1000, 1000),
        ([], 1500, 1000),
        (["eval.n_test=30"], 40, 30),
        (["eval.n_test=1200"], 1500, 1200),
    ],
)
def test_the_default_is_all_up_to_a_thousand(overrides: list[str], there: int, attacked: int) -> None:
    settings = schema.load("cifar10-nb201", overrides)
    eval_stage.check(settings, dataset(there))
    assert settings.eval.n_test == attacked


def test_more_than_there_are_are_refused_by_the_name_of_the_setting() -> None:
    for asked in (41, 1001):
        settings = schema.load("cifar10-nb201", [f"eval.n_test={asked}"])
        with pytest.raises(InputError, match=rf"between 1 and 40 images to attack but got eval\.n_test={asked}"):
            eval_stage.check(settings, dataset(40))


def test_a_transfer_has_the_same_default(monkeypatch: pytest.MonkeyPatch) -> None:
    class Few:
        models: dict[str, object] = {}  # noqa: RUF012

        def __init__(self, *arguments: object, **more: object) -> None:
            self.dataset = dataset(40)

    monkeypatch.setattr(transfer, "TransferWorker", Few)
    settings = schema.load("cifar10-nb201", [])
    transfer.check(settings, {}, keep=False)
    assert settings.eval.n_test == 40
