"""The name of a network to evaluate can mean a run, a checkpoint, a library's network, or the user's own code."""

from __future__ import annotations

from pathlib import Path

import pytest
from opening import opened
from torch import nn

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.eval.model_source import EvaluatedModel, ModelSource, classify
from nas.eval.networks.fitting import check_fits
from nas.results import UNKNOWN


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


def test_data_of_other_classes_than_a_checkpoints_are_told(digits: Dataset) -> None:
    subject = EvaluatedModel(nn.Identity(), "|cell|", 5, "pgd", 100, 32)
    with pytest.raises(InputError, match="100 classes and 32 pixels"):
        check_fits(subject, digits, "a.pt")


def test_options_are_refused_for_our_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"eval\.model_options"):
        opened(str(tmp_path / "a.pt"), ["width=3"], None, 0)
    assert UNKNOWN == "unknown"


def test_normalisation_is_refused_for_our_own(tmp_path: Path) -> None:
    for keys in ({"normalise": "none"}, {"mean": [0.5], "std": [0.5]}):
        with pytest.raises(InputError, match=r"eval\.normalise.*as it was trained"):
            opened(str(tmp_path / "a.pt"), [], None, 0, **keys)
