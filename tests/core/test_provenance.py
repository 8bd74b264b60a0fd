"""The provenance of a result."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.core import provenance
from nas.core.data import Dataset, Split
from nas.core.data import checksum as data_checksum
from nas.core.data.checksum import checksums, digest

CPU = torch.device("cpu")
SETTINGS = {"seed": 0, "name": "a", "run": {"dir": "x", "random": True}, "executor": {"workers": 1, "threads": 1}}
LEFT_OUT = ("name", "run.dir", "executor.workers")


def data(seed: int = 0, count: int = 20) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    parts = [
        Split(
            torch.randint(0, 256, (count, 3, 4, 4), dtype=torch.uint8, generator=generator),
            torch.randint(0, 3, (count,), generator=generator),
        )
        for _ in range(3)
    ]
    return Dataset("x", *parts, 3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_the_environment_is_plain_and_complete() -> None:
    found = provenance.environment(CPU)
    assert json.loads(json.dumps(found)) == found
    assert found["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert found["versions"]["numpy"] == np.__version__
    assert {"robust-nas", "python", "pyautoattack", "scikit-learn"} <= found["versions"].keys()
    assert ("torchattacks" in found["versions"]) == (find_spec("torchattacks") is not None)
    assert found["hardware"]["cpu"]
    assert found["hardware"]["cores"] >= 1
    assert found["hardware"]["memory_gib"] > 0
    assert "gpu" not in found["hardware"]
    found["versions"]["torch"] = "changed by a caller"
    assert provenance.versions()["torch"] != "changed by a caller"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_is_named() -> None:
    found = provenance.hardware(torch.device("cuda"))
    assert found["gpu"] == torch.cuda.get_device_name()
    assert found["gpu_memory_gib"] > 0


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_the_revision_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*command: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        return subprocess.run(["git", *who, *command], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    (tmp_path / "nas").mkdir()
    source = tmp_path / "nas/__init__.py"
    source.write_text("a = 1\n")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "nas/core/provenance.py"))
    answer = provenance.revision.__wrapped__
    assert answer() is None
    git("init", "-q")
    assert answer() is None  # no commit yet
    git("add", ".")
    git("commit", "-q", "-m", "first")
    expected = {"commit": git("rev-parse", "HEAD").strip(), "changed": False}
    assert answer() == expected
    (tmp_path / "results.json").write_text("what a run leaves there")
    assert answer() == expected
    source.write_text("a = 2\n")
    assert answer() == {**expected, "changed": True}


def test_the_checksum_of_settings_sees_what_matters_alone() -> None:
    def of(**changes: object) -> str:
        return provenance.settings_checksum({**SETTINGS, **changes}, LEFT_OUT)

    assert len(of()) == 64
    shuffled = dict(reversed(SETTINGS.items()))
    assert provenance.settings_checksum(shuffled, LEFT_OUT) == of()
    assert of(name="b", run={"dir": None, "random": True}, executor={"workers": 9, "threads": 1}) == of()
    for changes in ({"seed": 1}, {"run": {"dir": "x", "random": False}}, {"executor": {"workers": 1, "threads": 2}}):
        assert of(**changes) != of()
    assert SETTINGS["name"] == "a"
    assert SETTINGS["run"] == {"dir": "x", "random": True}


def test_the_checksum_of_settings_is_the_same_everywhere() -> None:
    """The expected sum is that of sha256sum for `{"executor":{"threads":1},"run":{"random":true},"seed":0}`."""
    assert provenance.settings_checksum(SETTINGS, LEFT_OUT) == (
        "39289e8413e54919aab685918b6b318226486b833d57d70d2f3f6731473972a1"
    )


def test_data_checksums_see_every_pixel_and_label() -> None:
    before = checksums(data())
    assert before.keys() == {"train", "validation", "test"}
    assert checksums(data()) == before
    for part in before:
        other = data()
        getattr(other, part).images[7, 2, 3, 1] ^= 1
        found = checksums(other)
        assert [name for name in found if found[name] != before[name]] == [part]
        other = data()
        getattr(other, part).labels[3] = 5
        assert checksums(other)[part] != before[part]


def test_of_large_data_a_sample_is_read_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_checksum, "MAX_WHOLE_BYTES", 1000)
    monkeypatch.setattr(data_checksum, "SAMPLE_IMAGES", 5)
    before = checksums(data(count=21))  # 1008 bytes a part
    assert before.keys() == {"train_sample", "validation_sample", "test_sample"}
    for position in range(21):
        other = data(count=21)
        other.train.images[position] ^= 1
        assert (checksums(other) != before) == (position % 5 == 0)
        other = data(count=21)
        other.train.labels[position] = 5
        assert checksums(other) != before
    assert before["test_sample"] != checksums(data(count=20)).get("test")


def test_the_digest_does_not_depend_on_how_memory_is_laid_out() -> None:
    part = data().train
    other = Split(part.images.clone().contiguous(memory_format=torch.channels_last), part.labels.clone())
    assert digest(other) == digest(part)
    assert digest(part, np.arange(len(part))) == digest(part)
