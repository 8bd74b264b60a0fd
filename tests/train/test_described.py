"""What a file may say of a trained network: each value is checked before a network is built from it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.train import TrainedNetwork, load_trained
from nas.train.exported import is_exported, load, load_exported, save_exported

Describe = Callable[..., TrainedNetwork]


def test_the_largest_and_the_least_are_taken(describe: Describe) -> None:
    trained = describe()
    trained.check()
    extremes: dict[str, tuple[Any, ...]] = {
        "num_classes": (1, 2**20),
        "image_size": (1, 2**16),
        "eps": (0.0, 1, 0.03),
        "classes": ([], ["a", "b", "c"]),
        "std": ([1, 1, 1], [1e-9, 0.5, 2.0]),
        "mean": ([0, 0.5, -1.0],),
        "settings": ({},),
    }
    for key, values in extremes.items():
        for value in values:
            replace(trained, **{key: value}).check()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", 1),
        ("space", None),
        ("arch", ["a"]),
        ("settings", [1]),
        ("num_classes", 3.0),
        ("num_classes", True),
        ("image_size", "8"),
        ("image_size", False),
        ("mean", (0.5, 0.5, 0.5)),
        ("std", 0.5),
        ("data", None),
        ("training", 7),
        ("eps", "0.1"),
        ("eps", True),
        ("classes", "abc"),
    ],
)
def test_a_value_of_another_kind_is_refused(key: str, value: Any, describe: Describe) -> None:
    with pytest.raises(TypeError, match=rf"^{key} is "):
        replace(describe(), **{key: value}).check()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("num_classes", 0, "num_classes is 0 "),
        ("num_classes", 2**20 + 1, "num_classes is 1048577 "),
        ("image_size", 0, "image_size 0$"),
        ("image_size", 2**16 + 1, "image_size 65537$"),
        ("mean", [0.5, 0.5], "mean is"),
        ("mean", [0.5, 0.5, math.nan], "mean is"),
        ("mean", [0.5, 0.5, "0.5"], "mean is"),
        ("std", [0.5, 0.5, 0.5, 0.5], "std is"),
        ("std", [0.5, 0.5, math.inf], "std is"),
        ("std", [0.5, 0.0, 0.5], "std is"),
        ("eps", math.nan, "eps nan"),
        ("eps", math.inf, "eps inf"),
        ("classes", ["a", "b"], "num_classes is 3 but there are 2 names"),
        ("classes", ["a", "b", 3], "num_classes is 3 but there are 3 names"),
    ],
)
def test_an_impossible_value_is_refused(key: str, value: Any, words: str, describe: Describe) -> None:
    with pytest.raises(ValueError, match=words):
        replace(describe(), **{key: value}).check()


@pytest.mark.parametrize(("key", "value"), [("num_classes", 0), ("image_size", True), ("std", [0.5, 0.0, 0.5])])
def test_a_checkpoint_that_says_such_things_is_refused(
    key: str, value: Any, describe: Describe, tmp_path: Path
) -> None:
    trained = describe()
    payload = {"kind": "network", "epoch": 1, **trained.export(trained.build().state_dict())}
    assert payload["format"] == 1
    checkpoint.save(tmp_path / "good.pt", payload)
    load_trained(tmp_path / "good.pt")
    payload["network"][key] = value
    checkpoint.save(tmp_path / "bad.pt", payload)
    with pytest.raises(InputError, match=r"bad\.pt does not fit"):
        load_trained(tmp_path / "bad.pt")


def test_an_auxiliary_head_is_not_counted_and_left_out(describe: Describe) -> None:
    plain, with_head = describe("darts"), describe("darts", auxiliary=True)
    assert plain.params == with_head.params == sum(weight.numel() for weight in plain.build().parameters())
    weights = with_head.build().state_dict()
    shorter, left = with_head.without_auxiliary(weights)
    assert shorter == plain
    assert left.keys() == plain.build().state_dict().keys()
    assert all(value is weights[name] for name, value in left.items())
    assert len(weights) > len(left)
    assert asdict(with_head)["settings"]["auxiliary"] is True


def test_a_folder_with_other_weights_than_it_says_is_refused(describe: Describe, tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="safetensors, in which folders are exported, is not installed")
    trained = describe()
    network = trained.build()
    assert not is_exported(tmp_path)
    save_exported(tmp_path, trained, network.state_dict(), {"more": 1})
    assert is_exported(tmp_path)
    found, again = load_exported(tmp_path)
    assert again == trained
    assert not found.training
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in found.state_dict().items())
    assert next(load(tmp_path).parameters()).device.type == "cpu"
    content = (tmp_path / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match="another checksum"):
        load_exported(tmp_path)
    nonsense = b"no safetensors"
    (tmp_path / "weights.safetensors").write_bytes(nonsense)
    text = (tmp_path / "architecture.json").read_text()
    old = hashlib.sha256(content).hexdigest()
    assert old in text
    (tmp_path / "architecture.json").write_text(text.replace(old, hashlib.sha256(nonsense).hexdigest()))
    with pytest.raises(InputError, match="Expected safetensors in"):
        load_exported(tmp_path)
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(InputError, match=r"Expected to read .*weights\.safetensors but"):
        load_exported(tmp_path)
    (tmp_path / "architecture.json").write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(InputError, match=r"Expected format 1 in .* but got 2"):
        load_exported(tmp_path)
    (tmp_path / "architecture.json").unlink()
    with pytest.raises(InputError, match=r"has no architecture\.json"):
        load_exported(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "nowhere")
