"""Transfer: the diagonal equals an evaluation, the rest an independent loop, and a stopped one continues exactly."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nas.core.data import Dataset, DataSettings, attacked, load
from nas.core.images import unit_range
from nas.core.storage.memory import InMemoryStore
from nas.eval import EvalSettings, evaluate, wilson
from nas.eval.transfer import matrix, transfer, transfer_ticks
from nas.search_spaces import NASBench201

SETTINGS = EvalSettings(attacks=["fgsm", "pgd3"], eps=0.1, n_test=30, batch_size=12)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(DataSettings(size=8))


@pytest.fixture(scope="module")
def networks(data: Dataset) -> dict[str, nn.Module]:
    space = NASBench201()
    x, y = unit_range(data.train.images), data.train.labels
    found: dict[str, nn.Module] = {}
    for number, name in enumerate("ab"):
        torch.manual_seed(number)
        cell = space.parse("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|")
        network = space.build(cell, channels=4, cells_per_stage=1, mean=data.mean, std=data.std)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
        for _ in range(60):
            chosen = torch.randperm(len(y))[:64]
            loss = F.cross_entropy(network(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found[name] = network.eval()
    return found


def moved(source: str, networks: dict[str, nn.Module], data: Dataset, outcomes: Any, **more: Any) -> Any:
    copies = {name: deepcopy(network) for name, network in networks.items()}
    return transfer(source, copies, attacked(data, 30), SETTINGS, 3, CPU, outcomes, **more)


@pytest.mark.landing
def test_fgsm_transfers_as_in_a_plain_loop(networks: dict[str, nn.Module], data: Dataset) -> None:
    part = attacked(data, 30)
    found = moved("a", networks, data, InMemoryStore())
    expected = {"a": "", "b": ""}
    for image, label in zip(part.images, part.labels):
        x = (image.float() / 255)[None].requires_grad_(True)
        (gradient,) = torch.autograd.grad(F.cross_entropy(networks["a"](x), label[None]), x)
        x_adv = (x + 0.1 * gradient.sign()).clamp(0, 1)
        for name, network in networks.items():
            right = network(x).argmax() == label and network(x_adv).argmax() == label
            expected[name] += str(int(right))
    assert found.to_json()["correct"]["fgsm"] == expected
    assert expected["a"] != expected["b"]


@pytest.mark.landing
def test_the_diagonal_is_the_evaluation(networks: dict[str, nn.Module], data: Dataset) -> None:
    network: Any = deepcopy(networks["a"])
    whole = evaluate(network, data, SETTINGS, 3, CPU, InMemoryStore())
    found = moved("a", networks, data, InMemoryStore())
    for metric in ("fgsm", "clean"):
        assert found.correct[metric]["a"].tolist() == whole.correct[metric].tolist()


@pytest.mark.landing
def test_the_matrix_has_sources_in_rows(networks: dict[str, nn.Module], data: Dataset) -> None:
    rows = {name: moved(name, networks, data, InMemoryStore()) for name in networks}
    found = matrix(rows)
    one, shown = found.attacks["pgd3"], rows["a"].correct["pgd3"]["b"]
    assert one.correct[0][1].tolist() == shown.tolist()
    assert one.accuracy[0][1] == int(shown.sum()) / 30
    assert one.intervals[1][0] == wilson(int(rows["b"].correct["pgd3"]["a"].sum()), 30)
    assert one.accuracy[0][0] < one.accuracy[1][0], "an attack is strongest on the network it was made for"
    assert [check.ok for check in found.checks] == ["pass", "pass"]
    assert found.clean.accuracy == {name: int(rows["a"].correct["clean"][name].sum()) / 30 for name in networks}


@pytest.mark.landing
def test_a_stopped_transfer_continues_to_the_same_end(networks: dict[str, nn.Module], data: Dataset) -> None:
    class Stopped(Exception):
        pass

    class Dying(InMemoryStore):
        left = 0

        def put(self, key: str, value: Any) -> None:
            super().put(key, value)
            self.left -= 1
            if self.left == 0:
                raise Stopped

    expected = moved("b", networks, data, InMemoryStore())
    kept, deaths = Dying(), 0
    while deaths < 20:
        kept.left = 4
        try:
            assert moved("b", networks, data, kept) == expected
            break
        except Stopped:
            deaths += 1
    assert 0 < deaths < 20


def test_progress_adds_up(networks: dict[str, nn.Module], data: Dataset) -> None:
    told: list[float] = []
    moved("a", networks, data, InMemoryStore(), tick=lambda passes, note: told.append(passes))
    assert sum(told) == pytest.approx(transfer_ticks(SETTINGS, 2))
