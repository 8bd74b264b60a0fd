"""Trained networks: checkpoints and exported folders."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from contract import folder, target
from targets.notations import CELL

from nas.core.io import checkpoint
from nas.core.seeds import seeded
from nas.search_spaces import Network
from nas.train.exported import DESCRIPTION, FORMAT, WEIGHTS, load
from nas.train.trained_network import TrainedNetwork

TRAINED = TrainedNetwork(
    *("mine", "nasbench201", CELL, {"channels": 1, "cells_per_stage": 1}, 2, 8),
    *([0.5] * 3, [0.25] * 3, {"name": "digits"}, "standard", 0.0),
)


@functools.cache
def _network() -> Network:
    with seeded(0):
        return TRAINED.build()


@functools.cache
def _checkpoint() -> bytes:
    with folder() as place:
        payload = {"kind": "network", "epoch": 1, **TRAINED.export(_network().state_dict())}
        checkpoint.save(place / "a.pt", payload)
        return (place / "a.pt").read_bytes()


def _classifies(path: Path) -> None:
    with torch.no_grad():
        assert load(path)(torch.zeros(1, 3, 8, 8)).dim() == 2


@target("checkpoint", lambda: [_checkpoint()])
def checkpoint_file(data: bytes) -> None:
    """A checkpoint file."""
    with folder() as place:
        (place / "a.pt").write_bytes(data)
        _classifies(place / "a.pt")


def _inside(name: str, data: bytes) -> bytes:
    """The checkpoint whose entry `name` is `data`, with a correct checksum."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_checkpoint())) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, data if entry.filename.endswith(name) else old.read(entry))
    return out.getvalue()


def _pickles() -> Sequence[bytes]:
    with zipfile.ZipFile(io.BytesIO(_checkpoint())) as archive:
        (name,) = (entry for entry in archive.namelist() if entry.endswith("data.pkl"))
        return [archive.read(name), pickle.dumps({"kind": "network", "network": asdict(TRAINED), "weights": {}}, 2)]


@target("checkpoint-pickle", lambda: _pickles()[:1])
def checkpoint_pickle(data: bytes) -> None:
    """The description in a checkpoint, in an archive with correct checksums."""
    with folder() as place:
        (place / "a.pt").write_bytes(_inside("data.pkl", data))
        _classifies(place / "a.pt")


@functools.cache
def _weights() -> bytes:
    from safetensors.torch import save

    return save({name: value.contiguous() for name, value in _network().state_dict().items()})


def _description(weights: bytes) -> bytes:
    sums = {WEIGHTS: hashlib.sha256(weights).hexdigest()}
    return json.dumps({"format": FORMAT, "network": asdict(TRAINED), "sha256": sums}).encode()


@target("exported-description", lambda: [_description(_weights())])
def exported_description(data: bytes) -> None:
    """The description in an exported folder."""
    with folder() as place:
        (place / WEIGHTS).write_bytes(_weights())
        (place / DESCRIPTION).write_bytes(data)
        _classifies(place)


@target("exported-weights", lambda: [_weights()])
def exported_weights(data: bytes) -> None:
    """The weights in an exported folder, with a correct checksum."""
    with folder() as place:
        (place / WEIGHTS).write_bytes(data)
        (place / DESCRIPTION).write_bytes(_description(data))
        _classifies(place)
