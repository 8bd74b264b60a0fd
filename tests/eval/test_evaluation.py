"""An evaluation counts what an independent loop counts, keeps what is done, and leaves the network alone."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.data import Dataset, DataSettings, attacked, load
from nas.core.errors import InputError, NasError
from nas.core.images import unit_range
from nas.eval import ATTACKS, Attack, EvalSettings, evaluate, hrs, wilson
from nas.search_spaces import NASBench201, Network


class Memory(dict[str, Any]):
    """Outcomes in a dictionary."""

    def put(self, key: str, value: Any) -> None:
        self[key] = value


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(DataSettings())


@pytest.fixture
def network(data: Dataset) -> Network:
    """Briefly trained, with running statistics that differ a lot from a batch's."""
    space = NASBench201()
    torch.manual_seed(1)
    cell = space.parse("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|")
    network = space.build(cell, channels=4, cells_per_stage=1, mean=data.mean, std=data.std)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    x, y = unit_range(data.train.images), data.train.labels
    for _ in range(60):
        chosen = torch.randperm(len(y))[:64]
        loss = F.cross_entropy(network(x[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


SETTINGS = EvalSettings(
    attacks=["fgsm", "pgd3"], eps=0.05, n_test=50, batch_size=20, sweep=[0.5, 2.0], sweep_attack="fgsm"
)


def _evaluate(network: Network, data: Dataset, settings: EvalSettings = SETTINGS, **more: Any) -> dict[str, Any]:
    outcomes = more.pop("outcomes", Memory())
    return evaluate(network, data, settings, 3, torch.device("cpu"), outcomes, **more)


def test_fgsm_accuracy_is_that_of_a_plain_loop(network: Network, data: Dataset) -> None:
    """No library, no batches, eval mode throughout: right before and after one signed step."""
    part = attacked(data, 50)
    clean, robust = [], []
    for image, label in zip(part.images, part.labels):
        x = (image.float() / 255)[None].requires_grad_(True)
        logits = network(x)
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, label[None]), x)
        after = network((x + 0.05 * gradient.sign()).clamp(0, 1))
        clean.append(int(logits.argmax() == label))
        robust.append(int(clean[-1] and after.argmax() == label))
    result = _evaluate(network, data)
    assert result["correct"]["clean"] == "".join(map(str, clean))
    assert result["correct"]["fgsm"] == "".join(map(str, robust))
    assert 0 < sum(robust) < sum(clean) < 50
    assert result["clean"] == sum(clean) / 50
    assert result["attacks"]["fgsm"] == sum(robust) / 50
    assert result["hrs"]["fgsm"] == hrs(sum(clean) / 50, sum(robust) / 50)
    assert result["intervals"]["fgsm"] == list(wilson(sum(robust), 50))
    assert result["n_test"] == 50


def test_sweep_falls_and_has_the_evaluation_at_factor_1(network: Network, data: Dataset) -> None:
    settings = EvalSettings(attacks=["fgsm"], eps=0.05, n_test=50, sweep=[0.2, 1.0, 3.0], sweep_attack="fgsm")
    result = _evaluate(network, data, settings)
    sweep = result["sweep"]
    assert sweep["eps"] == pytest.approx([0.0, 0.01, 0.05, 0.15])
    assert sweep["accuracy"][0] == result["clean"]
    assert sweep["accuracy"][2] == result["attacks"]["fgsm"]
    assert sweep["accuracy"] == sorted(sweep["accuracy"], reverse=True)


def test_a_stopped_evaluation_continues_to_the_same_end(network: Network, data: Dataset) -> None:
    whole = Memory()
    expected = _evaluate(network, data, outcomes=whole)
    for stop in range(1, len(whole), 3):
        kept = Memory(list(whole.items())[:stop])
        before = dict(kept)
        assert _evaluate(network, data, outcomes=kept) == expected
        assert {key: kept[key] for key in before} == before


def test_finished_parts_are_not_done_again(network: Network, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Memory()
    expected = _evaluate(network, data, outcomes=kept)
    monkeypatch.setattr(ATTACKS.get("fgsm"), "perturb", None)
    monkeypatch.setattr(ATTACKS.get("pgd"), "perturb", None)
    assert _evaluate(network, data, outcomes=kept) == expected


def test_batch_size_does_not_change_deterministic_attacks(network: Network, data: Dataset) -> None:
    settings = [EvalSettings(attacks=["fgsm"], eps=0.05, n_test=30, batch_size=size) for size in (30, 7)]
    first, second = (_evaluate(network, data, one)["correct"] for one in settings)
    assert first == second


class Careless(Attack):
    """Leaves the network in train mode, and its ball if told so."""

    name: ClassVar[str] = "careless"
    reach = 0.0

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        network.train()
        return x + self.reach

    @classmethod
    def passes(cls, steps: int | None) -> float:
        return 1


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> type[Careless]:
    monkeypatch.setitem(ATTACKS.components, "careless", Careless)
    return Careless


def test_an_attack_that_changes_the_mode_changes_no_number(
    network: Network, data: Dataset, careless: type[Careless]
) -> None:
    settings = EvalSettings(attacks=["careless", "fgsm"], eps=0.05, n_test=50, batch_size=20)
    result = _evaluate(network, data, settings)
    assert result["correct"]["careless"] == result["correct"]["clean"]
    assert result["correct"]["fgsm"] == _evaluate(network, data)["correct"]["fgsm"]
    assert not network.training


@pytest.mark.parametrize("reach", [0.2, float("nan"), -2.0])
def test_an_attack_that_leaves_its_ball_is_an_error(
    network: Network, data: Dataset, careless: type[Careless], reach: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(careless, "reach", reach)
    with pytest.raises(NasError, match="left its ball"):
        _evaluate(network, data, EvalSettings(attacks=["careless"], eps=0.05, n_test=10))


def test_more_images_than_there_are_is_an_error(network: Network, data: Dataset) -> None:
    with pytest.raises(InputError, match="359"):
        _evaluate(network, data, EvalSettings(attacks=["fgsm"], n_test=360))
