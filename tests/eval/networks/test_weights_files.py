"""Files of weights, as scripts save them, are read completely, or the message says what is wrong with them."""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas.core.errors import InputError
from nas.eval.networks.weights import load_weights


class Small(nn.Module):
    """A network with a part that has the name of a wrapper."""

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, width, 1), nn.BatchNorm2d(width))
        self.model = nn.Linear(width, 2)


def state() -> dict[str, Any]:
    torch.manual_seed(4)
    return dict(Small().state_dict())


def under(prefix: str) -> dict[str, Any]:
    return {prefix + name: value for name, value in state().items()}


TAKEN: dict[str, Any] = {
    "alone": state(),
    "state_dict": {"state_dict": state(), "epoch": 3},
    "model": {"model": state(), "optimizer": {"state": {}}},
    "net": {"net": state(), "acc": 95.2},
    "model_state_dict": {"model_state_dict": state(), "loss": 0.1},
    "network": {"network": state()},
    "a stack of names": {"state_dict": {"model": {"net": state()}}},
    "parallel": under("module."),
    "compiled": under("_orig_mod."),
    "lightning": {"state_dict": under("model.")},
    "a stack": {"net": under("module._orig_mod.model.")},
    "another stack": under("_orig_mod.module."),
    "averaged": {**under("module."), "n_averaged": torch.tensor(3)},
    "some compiled": {name.replace("features.", "features._orig_mod."): value for name, value in state().items()},
    "some parallel": {
        (f"module.{name}" if name.startswith("features") else name): value for name, value in state().items()
    },
    "any attribute": under("classifier_of_mine."),
    "ordered": OrderedDict(state()),
}


@pytest.mark.parametrize("form", TAKEN)
def test_states_are_taken_under_any_wrapper(form: str, tmp_path: Path) -> None:
    torch.save(TAKEN[form], tmp_path / "a.pth")
    network = Small()
    load_weights(network, tmp_path / "a.pth")
    assert all(torch.equal(value, state()[name]) for name, value in network.state_dict().items())


def test_names_of_the_networks_own_are_kept(tmp_path: Path) -> None:
    """`module.` may be a part of the network."""
    network = nn.Sequential(OrderedDict(module=nn.Linear(2, 2)))
    saved = {name: value + 1 for name, value in network.state_dict().items()}
    for form in (saved, {f"module.{name}": value for name, value in saved.items()}):
        torch.save(form, tmp_path / "a.pth")
        load_weights(network, tmp_path / "a.pth")
        assert all(torch.equal(value, saved[name]) for name, value in network.state_dict().items())


def test_an_averaged_network_counts_itself(tmp_path: Path) -> None:
    network, saved = torch.optim.swa_utils.AveragedModel(Small()), torch.optim.swa_utils.AveragedModel(Small())
    saved.n_averaged += 3
    torch.save(saved.state_dict(), tmp_path / "a.pth")
    load_weights(network, tmp_path / "a.pth")
    assert network.n_averaged == 3


def test_half_precision_weights_keep_their_values(tmp_path: Path) -> None:
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state().items()}
    torch.save(halves, tmp_path / "a.pth")
    network = Small()
    load_weights(network, tmp_path / "a.pth")
    assert torch.equal(network.model.weight, halves["model.weight"].float())


class Whole(nn.Module):
    pass


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in state().items() if name not in names}


REFUSED: dict[str, tuple[Any, str]] = {
    "missing": (without("features.1.bias", "model.bias"), "features.1.bias is missing (2 of 9 keys are missing"),
    "unexpected": ({**state(), "head.weight": torch.zeros(2)}, "'head.weight' is not one of its keys"),
    "both": (
        {**without("features.0.weight"), "conv1.weight": torch.zeros(2)},
        "features.0.weight is missing and 'conv1.weight' is not one of its keys (1 of 9 keys are missing, 1 are unexp",
    ),
    "both, wrapped": (
        {"net": {**{f"module.{name}": value for name, value in without("model.bias").items()}}},
        "model.bias is missing (1 of 9 keys are missing, 0 are unexpected)",
    ),
    "two forms of a name": (
        {**state(), "module.model.bias": torch.ones(2)},
        "'module.model.bias' is not one of its keys",
    ),
    "a weight called module": ({**state(), "model.module": torch.ones(2)}, "'model.module' is not one of its keys"),
    "other names": ({"body.one": torch.ones(2), "body.two": torch.ones(2)}, "'body.one' is not one of its keys"),
    "another width": (Small(4).state_dict(), "features.0.weight has the shape (4, 3, 1, 1), but (3"),
    "no tensor": ({**state(), "model.bias": 3.0}, "model.bias is a float, not a tensor"),
    "a list": ([torch.zeros(2)], "it holds a list"),
    "nothing": ({}, "features.0.weight is missing"),
    "a number key": ({1: torch.zeros(2)}, "'1' is not one of its keys"),
    "a whole network": (Whole(), "it holds Python objects ("),
    "an array": ({"net": state(), "acc": np.float64(95.2)}, "it holds Python objects (numpy"),
    "arguments": ({"net": state(), "args": argparse.Namespace(lr=0.1)}, "it holds Python objects (argparse.Namespace)"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_is_refused_says_why_and_how_to_save_it_again(form: str, tmp_path: Path) -> None:
    content, words = REFUSED[form]
    torch.save(content, tmp_path / "a.pth")
    network = Small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    said = refusal(network, tmp_path / "a.pth")
    assert words in said
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items()), "half loaded"


def refusal(network: nn.Module, path: Path) -> str:
    with pytest.raises(InputError, match="Expected the weights of this model") as caught:
        load_weights(network, path)
    said = str(caught.value)
    assert "torch.save(network.state_dict(), 'weights.pth')" in said
    assert "x1b" not in said
    assert "\x1b" not in said
    assert said.endswith(".")
    assert ".." not in said
    return said


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_files_of_other_kinds_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)
    assert "it is a TorchScript archive" in refusal(Small(), path)
    path.write_bytes(b"<!DOCTYPE html><html>")
    assert "it is not a file of tensors" in refusal(Small(), path)
    path.write_bytes(b"")
    assert "it cannot be read (EOFError)" in refusal(Small(), path)
    torch.save(state(), path)
    path.write_bytes(path.read_bytes()[:-200])
    assert "it cannot be read (RuntimeError: " in refusal(Small(), path)
    broken = tmp_path / "a.safetensors"
    broken.write_bytes(b"abc")
    pytest.importorskip("safetensors")
    assert "it cannot be read (SafetensorError: " in refusal(Small(), broken)
