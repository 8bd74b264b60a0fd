"""Images of a foreign network are normalised as the settings or the library say, and never twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from opening import RANDOM, SMALL, normalised, opened
from torch import nn

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.eval import EvalSettings
from nas.eval.networks import libraries


def test_a_librarys_network_is_normalised_as_it_is_asked_for(digits: Dataset) -> None:
    x = torch.rand(2, 3, 32, 32)
    half = {"mean": [0.5, 0.25, 0.125], "std": [0.5, 0.25, 0.75]}
    mean, std = (torch.tensor(half[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    for keys, expected, by in (
        ({}, normalised(x), "torchvision"),
        ({"normalise": "library"}, normalised(x), "torchvision"),
        ({"normalise": "none"}, x, "none"),
        (half, (x - mean) / std, "settings"),
        ({"mean": [0.5], "std": [0.25]}, (x - 0.5) / 0.25, "settings"),
    ):
        subject = opened(SMALL, RANDOM, None, 5, **keys)
        seen: list[torch.Tensor] = []
        inside: Any = getattr(subject.network, "network", subject.network)
        inside.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
        subject.network(x)
        assert torch.allclose(seen[0], expected, atol=1e-6), keys
        assert subject.normalised is not None
        assert subject.normalised.by == by
        assert (subject.normalised.used().mean is None) == (by == "none")


def test_code_of_the_users_own_is_normalised_only_where_that_is_asked_for(module: Path) -> None:
    x = torch.rand(1, 3, 8, 8)
    plain = opened("own_networks:make", [], module, 0)
    same = opened("own_networks:make", [], module, 0, normalise="none")
    other = opened("own_networks:make", [], module, 0, mean=[0.5], std=[0.25])
    assert torch.equal(plain.network(x), same.network(x))
    assert torch.equal(other.network(x), plain.network((x - 0.5) / 0.25))
    assert [one.normalised and one.normalised.by for one in (plain, same, other)] == ["none", "none", "settings"]
    with pytest.raises(InputError, match=r"eval\.normalise=library.*eval\.mean with eval\.std"):
        opened("own_networks:make", [], module, 0, normalise="library")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"normalise": "none", "mean": [0.5], "std": [0.5]}, "leave one out"),
        ({"normalise": "imagenet"}, "library or none"),
        ({"mean": [0.5]}, "1 and 0"),
        ({"std": [0.5]}, "0 and 1"),
        ({"mean": [0.5, 0.5], "std": [0.5, 0.5]}, "of 3 numbers"),
        ({"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}, "by 255"),
        ({"mean": [0.5], "std": [0.0]}, r"\(0, 1\]"),
        ({"mean": [float("nan")], "std": [0.5]}, r"\[0, 1\]"),
    ],
)
def test_constants_that_mean_nothing_are_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        EvalSettings(**keys).check()


class Inside(nn.Module):
    """A network that can normalise once more, like googlenet and inception_v3 of torchvision."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 2)
        self.transform_input = False


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of weights for such a network."""
    monkeypatch.setattr(libraries, "make_network", lambda where, make, seed: Inside())
    path = tmp_path / "weights.pth"
    torch.save(Inside().state_dict(), path)
    return path


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_that_may_normalise_once_more_must_be_told(
    name: str, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"torchvision:{name}@{second}"
    with pytest.raises(InputError, match=r"eval\.model_options=transform_input=true or false"):
        opened(text, [], None, 0)
    with pytest.raises(InputError, match="but got 'perhaps'"):
        opened(text, ["transform_input=perhaps"], None, 0)
    for said in ("true", "false"):
        network: Any = opened(text, [f"transform_input={said}"], None, 0).network
        assert network.network.transform_input is (said == "true")
    digest = libraries.sha256_of(second)
    monkeypatch.setattr(libraries, "published", lambda name: [digest[:8]])
    network = opened(text, [], None, 0).network
    assert network.network.transform_input is True
    network = opened(text, ["transform_input=false"], None, 0).network
    assert network.network.transform_input is False
    with pytest.raises(InputError, match="but got 'perhaps'"):
        opened(text, ["transform_input=perhaps"], None, 0)


def test_torchvisions_own_files_are_known_by_their_names() -> None:
    assert libraries.published("googlenet") == ["1378be20"]
    assert libraries.published("inception_v3") == ["0cc3c7bd"]
    assert len(libraries.published("resnet50")) == 2


def test_the_real_one_asks(tmp_path: Path) -> None:
    """googlenet has the attribute that shows a second normalisation."""
    from torchvision import models

    with torch.device("meta"):
        assert hasattr(models.googlenet(init_weights=False), libraries.INSIDE)
    assert not hasattr(models.squeezenet1_1(), libraries.INSIDE)


def test_one_number_stands_for_all_channels_of_either() -> None:
    asked = EvalSettings(mean=[0.5], std=[0.1, 0.2, 0.3]).normalisation
    assert (asked.mean, asked.std) == ((0.5, 0.5, 0.5), (0.1, 0.2, 0.3))
    assert EvalSettings(mean=[0.1, 0.2, 0.3], std=[0.5]).normalisation.std == (0.5, 0.5, 0.5)
