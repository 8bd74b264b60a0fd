"""Networks of libraries and of the user's own code: how they are made, their weights, and which do not fit."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from opening import RANDOM, SMALL, normalised, opened
from torch import nn

from nas.core.data import Dataset, Split
from nas.core.errors import InputError
from nas.eval import EvalSettings
from nas.eval.model_source import classify, weights_of
from nas.eval.networks.fitting import check_fits


def test_torchvision_takes_images_in_0_1(digits: Dataset) -> None:
    """The inner module gives the same logits for images that are normalised by the published constants."""
    subject = opened(SMALL, RANDOM, None, 5)
    assert isinstance(subject.network, nn.Module)
    assert not any(module.training for module in subject.network.modules())
    assert (subject.training, subject.architecture) == ("unknown", SMALL)
    inside: Any = subject.network.network
    assert subject.params == sum(weight.numel() for weight in inside.parameters())
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(subject.network(x), inside(normalised(x)), atol=1e-6)
    check_fits(subject, digits, SMALL)


def test_random_weights_are_those_of_the_seed() -> None:
    first, same, other = (opened(SMALL, RANDOM, None, seed).network.state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("form", ["plain.pth", "wrapped.pth", "weights.safetensors"])
def test_weights_of_a_file(form: str, tmp_path: Path) -> None:
    inside: Any = opened(SMALL, RANDOM, None, 7).network.network
    weights, path = inside.state_dict(), tmp_path / form
    if form == "weights.safetensors":
        pytest.importorskip("safetensors.torch").save_file(weights, path)
    elif form == "wrapped.pth":
        torch.save({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in weights.items()}}, path)
    else:
        torch.save(weights, path)
    found: Any = opened(f"{SMALL}@{path}", ["num_classes=10"], None, 1).network.network
    assert all(torch.equal(value, weights[name]) for name, value in found.state_dict().items())


class Evil:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path("evil").touch, ())


def test_weights_that_would_run_code_or_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": Evil()}, "evil.pth")
    Path("pickle.pth").write_bytes(pickle.dumps(Evil()))
    torch.save({"a": torch.zeros(2)}, "other.pth")
    torch.save(5, "number.pth")
    for name in ("evil.pth", "pickle.pth", "other.pth", "number.pth"):
        with pytest.raises(InputError, match=r"Expected the weights of this model.*torch\.save\("):
            opened(f"{SMALL}@{name}", ["num_classes=10"], None, 1)
    with pytest.raises(InputError, match="there is none"):
        opened(f"{SMALL}@missing.pth", ["num_classes=10"], None, 1)
    assert not Path("evil").exists()


def test_timm(digits: Dataset) -> None:
    pytest.importorskip("timm", reason="timm is not installed; pip install 'robust-nas[zoo]'")
    name = "timm:resnet10t"
    subject = opened(name, RANDOM, None, 5)
    assert classify(name).native_images([])["size"] == 176
    x = torch.rand(2, 3, 32, 32)
    inside: Any = subject.network.network
    with torch.no_grad():
        assert torch.allclose(subject.network(x), inside(normalised(x)), atol=1e-6)
    check_fits(subject, digits, name)
    with pytest.raises(InputError, match="did you mean 'resnet10t'"):
        opened("timm:resnet10tt", RANDOM, None, 5)


def test_code_of_the_users_own(module: Path, digits: Dataset) -> None:
    subject = opened("own_networks:make", ["width=6"], module, 5)
    assert subject.params == 3 * 6 * 9 + 6 + 6 * 10 + 10
    assert subject.num_classes is None
    check_fits(subject, digits, "own_networks:make")
    again = opened("own_networks:make", ["width=6"], module, 5)
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(subject.network(x), again.network(x))
    opened("own_networks:Nan", [], module, 5)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("own_networks:nothing", [], "has no attribute 'nothing'"),
        ("no_such_module:make", [], "No module named"),
        ("own_networks:broken", [], "OSError: no"),
        ("own_networks:text", [], "nn.Module but got str"),
        ("own_networks:there", [], "write a function"),
        ("own_networks:number", [], "int"),
        ("own_networks:make", ["depth=3"], "depth"),
        ("own_networks:make", ["width"], "key=value"),
        ("own_networks:make", ["width=[1"], "YAML"),
        ("torchvision:resnet81", [], "did you mean"),
        ("torchvision:resnet18", ["num_classes=10"], "torchvision:resnet18@PATH"),
        ("torchvision:resnet18", ["pretrained=perhaps"], "got pretrained=perhaps; leave out"),
        ("torchvision:resnet18@a.pth", ["pretrained=true"], "got pretrained=True and the weights"),
    ],
)
def test_what_cannot_be_made_is_told(text: str, options: list[str], words: str, module: Path) -> None:
    with pytest.raises(InputError) as caught:
        opened(text, options, module, 0)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_download_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models._api import WeightsEnum

    def unreachable(*arguments: Any, **keywords: Any) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", unreachable)
    with pytest.raises(
        InputError, match=r"service not known; check eval\.model_options, the weights and the connection"
    ):
        opened(SMALL, [], None, 0)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [("make", ["num_classes=7"], r"\(2, 7\)"), ("Nan", [], "finite"), ("Pair", [], "tuple")],
)
def test_classes_are_checked_by_a_forward_pass(
    name: str, options: list[str], words: str, module: Path, digits: Dataset
) -> None:
    subject = opened(f"own_networks:{name}", options, module, 0)
    with pytest.raises(InputError, match=words):
        check_fits(subject, digits, name)


def test_images_that_are_too_small_are_told() -> None:
    subject = opened(SMALL, RANDOM, None, 0)
    part = Split(torch.zeros(4, 3, 4, 4, dtype=torch.uint8), torch.arange(4))
    tiny = Dataset("tiny", part, part, part, 10, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    with pytest.raises(InputError, match=r"4x4 images of tiny but.*set data\.size"):
        check_fits(subject, tiny, SMALL)


def test_frozen_weights_are_counted(module: Path) -> None:
    frozen, free = (opened(f"own_networks:{name}", [], module, 0) for name in ("frozen", "make"))
    assert not any(weight.requires_grad for weight in frozen.network.parameters())
    assert frozen.params == free.params


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_weights_that_became_constants_are_counted() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 10)).eval()
    assert weights_of(torch.jit.freeze(torch.jit.script(network))) == weights_of(network) == 112 + 50
    assert weights_of(torch.jit.script(network)) == 112 + 50, "not the constants besides"
    optimised = torch.jit.optimize_for_inference(torch.jit.script(network))
    assert weights_of(optimised) == 112 + 50
    assert weights_of(nn.Flatten()) == 0


@pytest.mark.filterwarnings("ignore:torch.ao.quantization:DeprecationWarning")
def test_quantised_weights_are_counted() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 10))
    quantised = torch.ao.quantization.quantize_dynamic(network, {nn.Linear})
    assert weights_of(quantised) == weights_of(network) == 3 * 4 * 9 + 4 + 4 * 36 * 10 + 10


def test_the_weights_stay_in_their_order_when_a_network_is_tried(module: Path, digits: Dataset) -> None:
    subject = opened("own_networks:make", [], module, 0)
    check_fits(subject, digits, "own_networks:make", EvalSettings())
    assert all(weight.is_contiguous() for weight in subject.network.parameters())


def test_modules_of_the_users_folder_come_before_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other, own = tmp_path / "other", tmp_path / "own"
    for folder, width in ((other, 5), (own, 7)):
        folder.mkdir()
        (folder / "made_twice.py").write_text(f"from torch import nn\ndef make(): return nn.Linear(2, {width})\n")
    monkeypatch.setattr(sys, "path", [str(other), *sys.path])
    monkeypatch.delitem(sys.modules, "made_twice", raising=False)
    subject = opened("made_twice:make", [], own, 0)
    monkeypatch.delitem(sys.modules, "made_twice")
    assert subject.params == 2 * 7 + 7
