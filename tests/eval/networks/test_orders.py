"""A network with another order of the classes than the data is recognised by its answers, without a second pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.core.data import Dataset, Split
from nas.core.data.formats.class_order import ordered, other_order
from nas.core.errors import InputError
from nas.core.storage.memory import InMemoryStore
from nas.eval import EvalSettings, evaluate
from nas.eval.attack_runner import OTHER_ORDER, flags_of
from nas.eval.corruptions import Published
from nas.eval.model_source import EvaluatedModel
from nas.eval.networks.fitting import check_fits, class_name_warning
from nas.eval.networks.orders import order_remark
from nas.results import EvalResult

CPU = torch.device("cpu")
NAMES = [str(number) for number in range(12)]


class Reads(nn.Module):
    """Reads the class from the level of the image (20 levels for each class), with the classes in `order`."""

    def __init__(self, order: str) -> None:
        super().__init__()
        self.levels = torch.tensor([20.0 * int(name) for name in ordered(NAMES, order)])
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return -((255 * x[:, 0, 0, :1] - self.levels) ** 2)


def dataset(order: str, names: list[str] = NAMES) -> Dataset:
    classes = ordered(names, order)
    labels = torch.arange(48) % len(classes)
    levels = torch.tensor([20 * NAMES.index(name) if name in NAMES else 0 for name in classes])[labels]
    images = levels.to(torch.uint8)[:, None, None, None].expand(48, 3, 4, 4).contiguous()
    part = Split(images, labels)
    return Dataset("folder", part, part, part, len(classes), (0.5,) * 3, (0.25,) * 3, tuple(classes))


def evaluated(network: nn.Module, data: Dataset, kept: dict[str, Any] | None = None, **more: Any) -> EvalResult:
    settings = EvalSettings(attacks=["fgsm"], n_test=48, batch_size=20, **more)
    return evaluate(network, data, settings, 0, CPU, InMemoryStore(kept))


@pytest.mark.parametrize("order", ["numeric", "text"])
def test_the_other_order_is_said_where_it_fits_better(order: str) -> None:
    other = {"numeric": "text", "text": "numeric"}[order]
    data = dataset(order)
    right = evaluated(Reads(order), data)
    assert (right.clean, right.remarks) == (1, [])
    kept: dict[str, Any] = {}
    wrong = evaluated(Reads(other), data, kept)
    same = [ordered(NAMES, order)[k] == ordered(NAMES, other)[k] for k in range(12)]
    assert wrong.clean == sum(same) / 12
    (sentence,) = wrong.remarks
    assert sentence.startswith(f"{100 * sum(same) / 12:.1f} % of the clean images are correct, but 100.0 % would be")
    assert f"data.order={other}" in sentence
    assert set(wrong.correct["clean"].tolist()) == {False, True}
    assert wrong.attacks["fgsm"].accuracy <= wrong.clean
    again = Reads(other)
    assert evaluated(again, data, dict(kept)).to_json() == wrong.to_json()
    assert again.calls == 0, "what is kept tells it too"


def test_nothing_is_said_where_there_is_one_order() -> None:
    names = [f"class {name}" for name in NAMES]
    assert evaluated(Reads("text"), dataset("numeric", names)).remarks == []
    assert evaluated(Reads("text"), dataset("numeric", NAMES[:10])).remarks == []


def test_flags_of_before_are_read() -> None:
    kept: dict[str, Any] = {f"clean/{batch}": [1, 0] * size for batch, size in enumerate((10, 10, 4))}
    assert evaluated(Reads("numeric"), dataset("numeric"), kept).clean == 0.5


def test_more_than_twice_is_exact() -> None:
    labels, elsewhere = torch.tensor([0, 1, 2, 2, 2]), [0, 2, 1]
    said = torch.eye(3)[[0, 2, 1, 1, 0]]
    assert flags_of(said, labels, torch.tensor(elsewhere)[labels]) == [1, OTHER_ORDER, OTHER_ORDER, OTHER_ORDER, 0]
    assert flags_of(said, labels) == [1, 0, 0, 0, 0]
    said[[0, 1], 2] = torch.nan
    assert flags_of(said, labels, torch.tensor(elsewhere)[labels]) == [0, 0, OTHER_ORDER, OTHER_ORDER, 0], "no answer"

    def found(*flags: int) -> bool:
        return order_remark(list(flags), labels, elsewhere, "images", "do something") is not None

    assert found(1, 3, 3, 0, 0)  # label 0 is correct in both orders: 3 against 1
    assert not found(1, 3, 0, 0, 0)  # 2 against 1
    assert not found(0, 1, 3, 3, 0)  # 2 against 1
    assert found(0, 1, 3, 3, 3)
    assert not found(0, 0, 0, 0, 0)
    assert found(0, 3, 0, 0, 0)


# published files


def files(folder: Path, labels: Tensor, images: Tensor) -> EvalSettings:
    np.save(folder / "fog.npy", np.tile(images.permute(0, 2, 3, 1).numpy(), (5, 1, 1, 1)))
    np.save(folder / "labels.npy", np.tile(labels.numpy(), 5))
    return EvalSettings(corruptions=["fog"], corruption_data=str(folder))


@pytest.mark.parametrize("order", ["numeric", "text"])
def test_files_that_count_in_the_other_order_are_renumbered(order: str, tmp_path: Path) -> None:
    """If the labels are those of the test part in the other order, the order is known for certain."""
    data = dataset(order)
    _, elsewhere = other_order(data.classes) or ("", [])
    files(tmp_path, torch.tensor(elsewhere)[data.test.labels], data.test.images)
    more = {"corruptions": ["fog"], "corruption_data": str(tmp_path)}
    found = evaluated(Reads(order), data, **more).corruptions
    assert found is not None
    assert (found.mean, found.clean, found.clean_images) == (1, 1, "the same images")
    assert "which number the classes in the other order, are renumbered" in found.images
    assert found.remarks == []
    np.save(tmp_path / "labels.npy", np.tile(data.test.labels.numpy(), 5))
    found = evaluated(Reads(order), data, **more).corruptions
    assert found is not None
    assert found.mean == 1
    assert "renumbered" not in found.images


def test_files_of_other_rows_in_the_other_order_are_said(tmp_path: Path) -> None:
    """Their rows are other images, so that only the network's answers show the order."""
    data = dataset("text")
    _, elsewhere = other_order(data.classes) or ("", [])
    rows = torch.randperm(48, generator=torch.Generator().manual_seed(0))
    files(tmp_path, torch.tensor(elsewhere)[data.test.labels[rows]], data.test.images[rows])
    more = {"corruptions": ["fog"], "corruption_data": str(tmp_path)}
    found = evaluated(Reads("text"), data, **more).corruptions
    assert found is not None
    assert found.mean < 0.3
    (sentence,) = found.remarks
    assert "of the corrupted images are correct, but 100.0 % would be" in sentence
    assert "attacked images" in found.clean_images
    assert all(count <= 5 for count in found.correct_counts)
    plain = Published(str(tmp_path), ["fog"], 12, 4, test=(data.test.images, data.test.labels))
    assert plain.other_order is None


# class names of a network


def subject(classes: list[str]) -> EvaluatedModel:
    return EvaluatedModel(Reads("text"), "x", 1, "standard", 12, 4, tuple(classes))


def test_a_network_with_names_is_not_shown_them_in_another_order() -> None:
    data = dataset("numeric")
    check_fits(subject(ordered(NAMES, "numeric")), data, "net.pt")
    check_fits(subject([]), data, "net.pt")  # an earlier version
    with pytest.raises(InputError, match=r"whose class 2 is '10', but in folder it is '2'; set data\.order"):
        check_fits(subject(ordered(NAMES, "text")), data, "net.pt")
    others = subject([f"n{name}" for name in NAMES])
    check_fits(others, data, "net.pt")
    assert "12 of 12 classes of net.pt have other names" in str(class_name_warning(others, data, "net.pt"))
    assert class_name_warning(subject(NAMES), data, "net.pt") is None
    assert class_name_warning(subject([]), data, "net.pt") is None
