"""An exported folder gives the network back in one line, and is not believed when it is damaged."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import nas
from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.search_spaces import Network
from nas.train import TrainedNetwork
from nas.train.exported import DESCRIPTION, WEIGHTS, is_exported, load_exported, save_exported

pytest.importorskip("safetensors")
Describe = Callable[..., TrainedNetwork]


def exported(folder: Path, trained: TrainedNetwork) -> Network:
    torch.manual_seed(0)
    network = trained.build().to(memory_format=torch.channels_last)
    network(torch.rand(8, 3, 8, 8))  # moves the running statistics
    save_exported(folder, trained, network.state_dict(), {"params": 5})
    return network.eval().to(memory_format=torch.contiguous_format)  # rounds as what is loaded does


@pytest.mark.parametrize("space", ["nasbench201", "darts"])
def test_one_line_gives_the_network_back(
    tmp_path: Path, describe: Describe, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = describe(space, training="pgd")
    network = exported(tmp_path / "net", trained)

    def forbidden(*arguments: Any, **keywords: Any) -> None:
        raise AssertionError("an exported folder needs no pickle")

    for place, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(place, name, forbidden)
    loaded = nas.load(str(tmp_path / "net"))
    assert not any(module.training for module in loaded.modules())
    x = torch.rand(4, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(loaded(x), network(x))
    assert load_exported(tmp_path / "net")[1] == trained
    assert is_exported(tmp_path / "net")
    assert json.loads((tmp_path / "net" / DESCRIPTION).read_text())["params"] == 5


def test_a_checkpoint_is_loaded_by_the_same_line(tmp_path: Path, describe: Describe) -> None:
    trained = describe()
    network = trained.build().eval()
    checkpoint.save(tmp_path / "a.pt", {"kind": "network", **trained.export(network.state_dict())})
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(nas.load(tmp_path / "a.pt")(x), network(x))


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        nas.load(folder)
    return str(caught.value)


def test_a_page_is_told_from_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<!DOCTYPE html>")
    assert "report.html is a page of nas report; give the checkpoint of a run" in refused(tmp_path / "report.html")


def test_damage_is_told(tmp_path: Path, describe: Describe) -> None:
    folder = tmp_path / "net"
    exported(folder, describe())
    whole = (folder / WEIGHTS).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    (folder / WEIGHTS).write_bytes(flipped)
    assert "another checksum" in refused(folder)
    (folder / WEIGHTS).unlink()
    assert "No such file" in refused(folder)
    (folder / WEIGHTS).write_bytes(whole)
    text = (folder / DESCRIPTION).read_text()
    for changed, words in (
        (text[:-30], "readable"),
        (text.replace('"format": 1', '"format": 9'), "format 1"),
        ("[]", "readable"),
        (text.replace("nor_conv_1x1", "nor_conv_9x9"), "nor_conv_9x9"),
        (text.replace('"channels": 4', '"channels": 5'), "does not fit"),
    ):
        assert changed != text
        (folder / DESCRIPTION).write_text(changed)
        assert words in refused(folder)
    (folder / DESCRIPTION).unlink()
    assert "nas export" in refused(folder)
    assert "does not exist" in refused(tmp_path / "nowhere")


def test_other_names_of_the_package_are_errors() -> None:
    with pytest.raises(AttributeError, match="lod"):
        _ = nas.lod  # type: ignore[attr-defined]


def benchmark(model: nn.Module | Sequence[nn.Module], n_examples: int, device: torch.device) -> float:
    """What RobustBench's function of this name asks of a model: one module in eval mode, `.to`, images in [0, 1]."""
    assert not isinstance(model, Sequence)
    assert not model.training
    model = model.to(device)
    images, labels = torch.rand(n_examples, 3, 8, 8), torch.arange(n_examples) % 3
    with torch.no_grad():
        logits: Tensor = model(images.to(device))
    assert logits.shape == (n_examples, 3)
    return float((logits.max(1)[1] == labels).float().mean())


def test_a_benchmark_takes_what_is_loaded(tmp_path: Path, describe: Describe) -> None:
    exported(tmp_path / "net", describe())
    assert 0 <= benchmark(nas.load(tmp_path / "net", device="cpu"), 6, torch.device("cpu")) <= 1
