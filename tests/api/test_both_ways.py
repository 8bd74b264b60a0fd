"""Networks of others are evaluated here, and networks of ours work elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nas
from nas.core.data import DataSettings, attacked, load
from nas.search_spaces import Network

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
ROBUSTBENCH = "NAS_TEST_ROBUSTBENCH"  # names the Python of an environment that has robustbench
FAST: dict[str, Any] = {"attacks": ["fgsm"], "eps": 0.03}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    small = {"model.channels": 4, "model.cells_per_stage": 1}
    model = nas.train_model(CELL, epochs=4, settings={**small, "data.size": 32})
    return model.save(tmp_path_factory.mktemp("both") / "model.pt")


@pytest.fixture
def network(checkpoint: Path) -> Network:
    return nas.load(checkpoint)


@pytest.fixture(autouse=True)
def _no_notes_of_torch() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _logits(network: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        return network(x)


@pytest.mark.slow
def test_torch_export(network: Network) -> None:
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(network, (torch.rand(3, 3, 32, 32),), dynamic_shapes=({0: batch},))
    for count in (1, 5):
        x = torch.rand(count, 3, 32, 32)
        assert torch.allclose(_logits(program.module(), x), _logits(network, x), atol=1e-5)


@pytest.mark.slow
def test_torch_jit_trace(network: Network) -> None:
    traced = torch.jit.trace(network, torch.rand(3, 3, 32, 32))
    for count in (1, 5):
        x = torch.rand(count, 3, 32, 32)
        assert torch.allclose(_logits(traced, x), _logits(network, x), atol=1e-5)


@pytest.mark.slow
def test_onnx_runtime(network: Network, tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed; pip install -e '.[dev]'")
    runtime = pytest.importorskip("onnxruntime")
    path, batch = tmp_path / "model.onnx", torch.export.Dim("batch", min=1, max=64)
    example = (torch.rand(3, 3, 32, 32),)
    torch.onnx.export(network, example, path, dynamo=True, dynamic_shapes=({0: batch},), verbose=False)
    session = runtime.InferenceSession(path)
    for count in (1, 5):
        x = torch.rand(count, 3, 32, 32)
        (logits,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        assert torch.from_numpy(logits).allclose(_logits(network, x), atol=1e-4)


def _images(count: int = 8) -> tuple[Tensor, Tensor]:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1)), torch.arange(count) % 10


@pytest.mark.landing
@pytest.mark.parametrize("name", ["resnetv2_50", "vit_tiny_patch16_224", "efficientnet_b0"])
def test_models_of_timm(name: str) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed; pip install 'robust-nas[zoo]'")
    small = {"resnetv2_50": {"layers": (1, 1), "channels": (8, 16)}, "efficientnet_b0": {}}
    options = small.get(name, {"img_size": 32, "embed_dim": 24, "depth": 1, "num_heads": 3})
    network = timm.create_model(name, pretrained=False, num_classes=10, **options).train()
    x, y = _images()
    report = nas.evaluate(network, data=(x, y), **FAST)
    assert report.correct["clean"].tolist() == (_logits(network.eval(), x).argmax(1) == y).tolist()
    assert report.params == sum(weight.numel() for weight in network.parameters())


@pytest.mark.landing
def test_the_name_of_a_model_of_timm(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed; pip install 'robust-nas[zoo]'")
    network = timm.create_model("resnet10t", pretrained=False, num_classes=10).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    x, y = _images()
    options = {"eval.model_options": ["num_classes=10"]}
    report = nas.evaluate(f"timm:resnet10t@{tmp_path / 'weights.pth'}", data=(x, y), settings=options, **FAST)
    mean, std = (torch.tensor(network.default_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    right = _logits(network, (x - mean) / std).argmax(1) == y
    assert report.correct["clean"].tolist() == right.tolist()
    assert report.arch.startswith("timm:resnet10t")


class ImageNormalizer(nn.Module):
    """As in RobustBench: the constants are buffers, and the model follows in a Sequential of named parts."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.as_tensor(std).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class PreActivation(nn.Module):
    """As the architectures of RobustBench: channels are pooled by a functional call, features are viewed as rows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))
        out = nn.functional.avg_pool2d(out, 32)
        return self.fc(out.view(-1, 8))


@pytest.mark.landing
def test_a_model_as_in_robustbench() -> None:
    """A stand-in: `test_robustbench` takes the real ones."""
    network = nn.Sequential(
        OrderedDict(normalize=ImageNormalizer((0.49, 0.48, 0.45), (0.2, 0.2, 0.2)), model=PreActivation())
    ).train()
    x, y = _images(12)
    report = nas.evaluate(network, data=(x, y), **FAST)
    assert network.training
    assert report.correct["clean"].tolist() == (_logits(network.eval(), x).argmax(1) == y).tolist()


@pytest.mark.slow
def test_robustbench(checkpoint: Path, tmp_path: Path) -> None:
    """`robustbench.benchmark` takes a network of ours, and its architectures are evaluated here.

    Its environment needs robustbench with its requirements, setuptools below 81, and the requirements of this project;
    not torchattacks, which wants other versions.
    """
    python = os.environ.get(ROBUSTBENCH)
    if python is None:
        pytest.skip(f"no environment with robustbench: set {ROBUSTBENCH} to its Python")
    part = attacked(load(DataSettings(size=32)), 8)
    images, labels = part.images.permute(0, 2, 3, 1).numpy(), part.labels.numpy()
    np.savez(tmp_path / "images.npz", images=images, labels=labels)
    output = tmp_path / "output.json"
    root = str(Path(nas.__file__).parent.parent)
    command = [python, str(Path(__file__).with_name("with_robustbench.py"))]
    subprocess.run(
        [*command, str(checkpoint), str(tmp_path / "images.npz"), str(output)],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
    )
    found = json.loads(output.read_text())
    report = nas.evaluate(checkpoint, data=(images, labels), attacks="autoattack", eps=0.3)
    assert found["clean"] == pytest.approx(report.clean)
    assert found["robust"] == pytest.approx(report.attacks["autoattack"].accuracy, abs=1 / 8 + 1e-6)
    for name, (ours, theirs) in found["architectures"].items():
        assert ours == theirs, name
