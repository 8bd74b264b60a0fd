"""Networks of others come out as modules on images in [0, 1] with what is known of them, or it is told why not."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nas.core.data import Dataset, DataSettings, Split, load
from nas.core.errors import InputError
from nas.eval import EvalSettings
from nas.eval.model_source import UNKNOWN, EvaluatedModel, ModelSource, classify, load_model, weights_of
from nas.eval.networks import libraries
from nas.eval.networks.fitting import check_fits
from nas.eval.networks.gradients import needing

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])  # mean and deviation, as both libraries publish them
RANDOM = ["pretrained=false", "num_classes=10"]
SMALL = "torchvision:squeezenet1_1"


def opened(
    text: str, options: Sequence[str] = (), folder: Path | None = None, seed: int = 0, **keys: Any
) -> EvaluatedModel:
    settings = EvalSettings(model_options=list(options), **keys)
    settings.check()
    return load_model(classify(text, folder), settings, seed)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load(DataSettings(size=32))


def test_what_is_foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("timm:resnet18", "torchvision:resnet18@a b.pth", "mine:make", "my.package_2:Maker.make"):
        assert classify(text).foreign
    (tmp_path / "mine:make").mkdir()
    for text in ("mine:make", "a.pt", "runs/x", "/a:b/c.pt", "C:/x.pt"):
        assert classify(text) == ModelSource(text)


def test_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert classify("timm:resnet18.a1_in1k@dir/x.pth").label == "resnet18.a1_in1k"
    assert classify("my.package:make").label == "package.make"
    weights = classify("timm:resnet18@w.pth")
    assert weights == ModelSource(f"timm:resnet18@{tmp_path / 'w.pth'}", str(tmp_path))
    assert (weights.library, weights.model, weights.weights) == ("timm", "resnet18", tmp_path / "w.pth")
    for text, library, model in (("torchvision:resnet18", "torchvision", "resnet18"), ("mine:make", None, "make")):
        source = classify(text)
        assert (source.text, source.library, source.model, source.weights) == (text, library, model, None)
    assert classify("torchvision:resnet18").native_images([])["size"] == 224
    assert classify("torchvision:inception_v3").native_images([])["size"] == 299
    assert classify("mine:make").native_images([]) == {}


def test_what_a_run_keeps_of_a_source_means_the_same_from_another_folder(tmp_path: Path) -> None:
    foreign = ModelSource("mine:make", str(tmp_path))
    assert foreign.to_json() == {"checkpoint": "mine:make", "importable": str(tmp_path)}
    assert foreign.within(tmp_path) == foreign
    assert foreign.seen_from(tmp_path) == "mine:make"
    ours = ModelSource("models/model/best.pt").within(tmp_path)
    assert ours.to_json() == {"checkpoint": str(tmp_path / "models/model/best.pt")}
    assert ours.seen_from(tmp_path / "models") == "model/best.pt"
    for source in (foreign, ours):
        assert ModelSource.from_json(source.to_json()) == source


def normalised(x: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
    return (x - mean) / std


def test_torchvision_takes_images_in_0_1(digits: Dataset) -> None:
    """The module inside, fed with images normalised by the published constants, says the same."""
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


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a user's module."""
    (tmp_path / "own_networks.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def make(width=4, num_classes=10):\n"
        "    return nn.Sequential(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), "
        "nn.Linear(width, num_classes))\n"
        "def frozen():\n    return make().requires_grad_(False)\n"
        "def broken():\n    raise OSError('no\\nsuch thing')\n"
        "def text():\n    return 'a network'\n"
        "class Nan(nn.Module):\n    def forward(self, x):\n        return torch.full((len(x), 10), float('nan'))\n"
        "class Pair(nn.Module):\n    def forward(self, x):\n        return x, x\n"
        "there = make()\nnumber = 5\n"
    )
    monkeypatch.syspath_prepend("")  # what opening adds to the path is taken back
    return tmp_path


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
        ("torchvision:resnet18", ["pretrained=perhaps"], "true or false"),
        ("torchvision:resnet18@a.pth", ["pretrained=true"], "one place"),
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


def test_data_of_other_classes_than_a_checkpoints_are_told(digits: Dataset) -> None:
    subject = EvaluatedModel(nn.Identity(), "|cell|", 5, "pgd", 100, 32)
    with pytest.raises(InputError, match="100 classes and 32 pixels"):
        check_fits(subject, digits, "a.pt")


def test_options_are_refused_for_our_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"eval\.model_options"):
        opened(str(tmp_path / "a.pt"), ["width=3"], None, 0)
    assert UNKNOWN == "unknown"


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
        ({"normalise": "imagenet"}, "library, none"),
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


def test_normalisation_is_refused_for_our_own(tmp_path: Path) -> None:
    for keys in ({"normalise": "none"}, {"mean": [0.5], "std": [0.5]}):
        with pytest.raises(InputError, match=r"eval\.normalise.*as it was trained"):
            opened(str(tmp_path / "a.pt"), [], None, 0, **keys)


class Inside(nn.Module):
    """Can normalise once more, as googlenet and inception_v3 of torchvision."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 2)
        self.transform_input = False


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of weights for such a network."""
    monkeypatch.setattr(libraries, "made", lambda where, make, seed: Inside())
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
    """googlenet has the attribute that stands for the second normalisation."""
    from torchvision import models

    with torch.device("meta"):
        assert hasattr(models.googlenet(init_weights=False), libraries.INSIDE)
    assert not hasattr(models.squeezenet1_1(), libraries.INSIDE)


WITHOUT = (
    "import torch\nfrom torch import nn\n"
    "class NoGrad(nn.Module):\n"
    "    def __init__(self):\n        super().__init__()\n        self.last = nn.Linear(3072, 10)\n"
    "    def forward(self, x):\n        with torch.no_grad():\n            return self.last(x.flatten(1))\n"
    "class Votes(nn.Module):\n"
    "    def forward(self, x):\n"
    "        return nn.functional.one_hot(x.flatten(1)[:, :10].argmax(1), 10).float()\n"
)


@pytest.mark.parametrize("name", ["NoGrad", "Votes"])
def test_networks_without_gradients_are_refused_where_one_is_needed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Dataset
) -> None:
    (tmp_path / f"without_{name.lower()}.py").write_text(WITHOUT)
    monkeypatch.syspath_prepend("")
    text = f"without_{name.lower()}:{name}"
    subject = opened(text, [], tmp_path, 0)
    for keys, words in (
        ({"attacks": ["square100", "pgd20"]}, "for pgd20 but"),
        ({"attacks": ["autoattack"]}, "for autoattack but"),
        ({"attacks": ["square100"], "measures": ["jacobian"]}, r"for eval\.measures=jacobian but"),
        ({"attacks": ["square100"], "checks": True}, r"for eval\.checks=true but"),
        ({"attacks": ["square100"], "sweep": [0.5], "sweep_attack": ["fgsm"]}, "for fgsm but"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            check_fits(subject, digits, text, EvalSettings(**keys))  # type: ignore[arg-type]
        assert "square and corruptions need none" in str(caught.value)
    check_fits(subject, digits, text, EvalSettings(attacks=["square100"], corruptions=["all"], measures=["classes"]))
    check_fits(subject, digits, text)


@pytest.mark.filterwarnings("ignore:torch.ao.quantization:DeprecationWarning")
def test_quantised_weights_are_counted() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 10))
    quantised = torch.ao.quantization.quantize_dynamic(network, {nn.Linear})
    assert weights_of(quantised) == weights_of(network) == 3 * 4 * 9 + 4 + 4 * 36 * 10 + 10


def test_one_number_stands_for_all_channels_of_either() -> None:
    asked = EvalSettings(mean=[0.5], std=[0.1, 0.2, 0.3]).normalisation
    assert (asked.mean, asked.std) == ((0.5, 0.5, 0.5), (0.1, 0.2, 0.3))
    assert EvalSettings(mean=[0.1, 0.2, 0.3], std=[0.5]).normalisation.std == (0.5, 0.5, 0.5)


def test_what_needs_a_gradient() -> None:
    settings = EvalSettings(
        attacks=["square", "fab"],
        sweep=[0.5, 1.0],
        sweep_attack=["square10", "pgd3"],
        measures=["calibration", "classes", "hessian"],
        measure_attack="square10",
    )
    assert needing(settings) == ["fab", "pgd3", "eval.measures=hessian"]
    settings.measure_attack = "fgsm"
    assert "eval.measures=calibration" in needing(settings)


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
