"""`nas.evaluate`: the numbers of `nas eval`, for any network and images, without a change to what is the caller's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from callers_networks import Failing, Nearest, Noisy
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import nas
from nas.cli.main import run_command
from nas.core.data import Dataset, attacked
from nas.core.errors import InputError, NasError
from nas.core.images import unit_range

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
FAST: dict[str, Any] = {"attacks": ["fgsm", "pgd5"], "eps": 0.03}


@pytest.fixture(scope="module")
def model() -> Any:
    return nas.train_model(CELL, epochs=10, settings={"model.channels": 4, "model.cells_per_stage": 1}, seed=2)


def _numbers(report: Any) -> dict[str, Any]:
    """The result without times, origin and paths."""
    plain = report.to_json() if not isinstance(report, dict) else report
    return {
        key: value for key, value in plain.items() if key not in ("seconds", "versions", "provenance", "checkpoint")
    }


@pytest.mark.landing
def test_the_numbers_of_the_command(model: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    report = nas.evaluate(model, n_test=24, **FAST)
    checkpoint = model.save(tmp_path / "model.pt")
    words = ["eval.n_test=24", "eval.attacks=fgsm,pgd5", "eval.eps=0.03", f"run.dir={tmp_path / 'run'}", "--json"]
    assert run_command(["eval", str(checkpoint), *words, "executor.workers=1"]) == 0
    command = json.loads(capfd.readouterr().out)
    assert _numbers(report) == _numbers(command)
    assert report.clean > 0.3
    assert report.settings["eval"]["n_test"] == 24
    opened = nas.open_run(tmp_path / "run")
    assert _numbers(opened) == _numbers(report)
    assert opened.indices.tolist() == report.indices.tolist()


@pytest.mark.landing
def test_a_path_and_a_name_are_taken_as_by_the_command(model: Any, tmp_path: Path) -> None:
    checkpoint = model.save(tmp_path / "model.pt")
    first, second = nas.evaluate(checkpoint, n_test=8, **FAST), nas.evaluate(str(checkpoint), n_test=8, **FAST)
    assert _numbers(first) == _numbers(second) == _numbers(nas.evaluate(model, n_test=8, **FAST))
    with pytest.raises(InputError, match="there is no such file"):
        nas.evaluate(tmp_path / "nothing.pt", **FAST)


def test_the_module_of_a_model_on_the_same_images(model: Any, images: np.ndarray, labels: np.ndarray) -> None:
    by_name = nas.evaluate(model, n_test=24, **FAST)
    by_hand = nas.evaluate(model.network, data=(images, labels), **FAST)
    assert by_hand.fingerprint == by_name.fingerprint
    assert {name: one.tolist() for name, one in by_hand.correct.items()} == {
        name: one.tolist() for name, one in by_name.correct.items()
    }
    assert by_hand.attacks == by_name.attacks
    assert by_hand.indices.tolist() == list(range(24))


def test_named_data_take_the_first_images_of_the_fixed_order(network: Nearest, digits: Dataset) -> None:
    report = nas.evaluate(network, data="digits", attacks="fgsm", n_test=10)
    part = attacked(digits, 10)
    assert digits.test.images[report.indices].equal(part.images)
    right = network.eval()(unit_range(part.images)).argmax(1) == part.labels
    assert report.correct["clean"].tolist() == right.tolist()
    whole = nas.evaluate(network, data="digits", attacks="fgsm")
    assert whole.n_test == len(digits.test) == len(whole.indices) < 1000
    assert whole.settings["eval"]["n_test"] == len(digits.test)


def test_more_images_than_there_are(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    for data in ("digits", (images, labels), [(images, labels)]):
        with pytest.raises(InputError, match="between 1 and"):
            nas.evaluate(network, data=data, n_test=5000, **FAST)


def test_a_thousand_of_named_data(network: Nearest, tmp_path: Path, digits: Dataset) -> None:
    x = digits.test.images[:8].permute(0, 2, 3, 1).numpy()
    many = {"images": np.tile(x, (130, 1, 1, 1)), "labels": np.tile(digits.test.labels[:8].numpy(), 130)}
    np.savez(tmp_path / "many.npz", **many)
    report = nas.evaluate(network, data=tmp_path / "many.npz", attacks="fgsm", settings={"data.test": "all"})
    assert report.n_test == 1000
    assert nas.evaluate(network, data=(many["images"], many["labels"]), attacks="fgsm").n_test == 1040


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "bytes": lambda x: x,
    "tensor of bytes": torch.from_numpy,
    "floats": lambda x: x.transpose(0, 3, 1, 2).astype(np.float32) / 255,
    "doubles": lambda x: x.transpose(0, 3, 1, 2) / 255,
    "tensor": lambda x: torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255,
    "with a gradient": lambda x: (torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255).requires_grad_(),
    "channels last": lambda x: (torch.from_numpy(x).permute(0, 3, 1, 2) / 255).contiguous(
        memory_format=torch.channels_last
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_images(form: str, network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    expected = nas.evaluate(network, data=(images, labels), **FAST)
    given = FORMS[form](images)
    report = nas.evaluate(network, data=(given, torch.from_numpy(labels)), n_test=20, **FAST)
    for name, correct in report.correct.items():
        assert correct.tolist() == expected.correct[name][:20].tolist()
    wrong = given[:20][~report.correct["pgd5"]]
    assert len(wrong) == 20 - report.correct["pgd5"].sum()


def test_batches(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    x, y = FORMS["tensor"](images), torch.from_numpy(labels)
    report = nas.evaluate(network, data=DataLoader(TensorDataset(x, y), batch_size=7), **FAST)
    assert _numbers(report) == _numbers(nas.evaluate(network, data=(x, y), **FAST))


def test_floats_are_not_rounded(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    """An image on the border of two classes is on one side of it as floats, and on the other when rounded."""

    class Threshold(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first = x[:, 0, 0, 0] - 100.4 / 255
            return torch.stack([-first, first], 1)

    x = torch.full((1, 3, 4, 4), 100.45 / 255)
    report = nas.evaluate(Threshold(), data=(x, [1]), attacks="fgsm", eps=0.01 / 255)
    assert report.correct["clean"].tolist() == [True]


def test_a_path_of_images(network: Nearest, images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", images=images, labels=labels)
    report = nas.evaluate(network, data=tmp_path / "some.npz", settings={"data.test": "all"}, attacks="fgsm", eps=0.1)
    flags = nas.evaluate(network, data=(images, labels), attacks="fgsm", eps=0.1).correct["fgsm"]
    assert report.correct["fgsm"].tolist() == flags[report.indices].tolist()
    assert sorted(report.indices) == list(range(24)) != report.indices.tolist()


def _state(network: nn.Module) -> list[Any]:
    return [
        [part.training for part in network.modules()],
        [(id(one), one.data_ptr(), one.stride(), one.requires_grad) for one in network.parameters()],
        [None if one.grad is None else (id(one.grad), one.grad.tolist()) for one in network.parameters()],
        [(id(one), one.data_ptr(), one.stride()) for one in network.buffers()],
        {name: value.tolist() for name, value in network.state_dict().items()},
        (torch.get_num_threads(), torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        (torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()),  # type: ignore[union-attr]
    ]


@pytest.mark.parametrize("kind", ["plain", "noisy", "failing", "failing later"])
def test_nothing_of_the_callers_is_changed(kind: str, network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    network.norm.eval()
    network.first.requires_grad_(False)
    network(torch.rand(2, 3, 16, 16)).sum().backward()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    whole: nn.Module = {"plain": lambda: network, "noisy": lambda: Noisy(network)}.get(
        kind, lambda: Failing(network, 3 if kind == "failing" else 40)
    )()
    torch.set_num_threads(2)
    before, given = _state(whole), images.copy()
    if kind.startswith("failing"):
        with pytest.raises(NasError, match="out of luck"):
            nas.evaluate(whole, data=(images, labels), attacks=["fgsm", "pgd50"], settings={"eval.batch_size": 6})
    else:
        nas.evaluate(whole, data=(images, labels), **FAST)
    assert _state(whole) == before
    assert (images == given).all()


def test_the_caller_may_have_switched_gradients_off(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    expected = nas.evaluate(network, data=(images, labels), **FAST)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        report = nas.evaluate(network, data=(images, labels), **FAST)
    assert _numbers(report) == _numbers(expected)


def test_random_networks_give_the_same_numbers_each_time(
    network: Nearest, images: np.ndarray, labels: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    first = nas.evaluate(Noisy(network), data=(images, labels), attacks="fgsm", eps=0.1)
    torch.rand(3), np.random.rand()
    second = nas.evaluate(Noisy(network), data=(images, labels), attacks="fgsm", eps=0.1)
    assert _numbers(first) == _numbers(second)
    assert "randomised-outputs: passes over the same images give different logits" in caplog.text


def test_without_a_folder_nothing_is_left(
    network: Nearest, images: np.ndarray, labels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    report = nas.evaluate(network, data=(images, labels), **FAST)
    assert [path.name for path in tmp_path.rglob("*")] == ["tmp"]
    assert report.run is None
    page = report.save_page(tmp_path / "page.html").read_text()
    assert "arrays given in Python" in page
    assert "nas.evaluate(network, data=(images, labels), seed=0" in page
    assert "digits" not in page


def test_a_kept_run(network: Nearest, images: np.ndarray, labels: np.ndarray, tmp_path: Path, capfd: Any) -> None:
    run = tmp_path / "run"
    report = nas.evaluate(network, data=(images, labels), run=run, **FAST)
    assert report.run == run.resolve()
    opened = nas.open_run(run)
    assert _numbers(opened) == _numbers(report)
    assert opened.indices.tolist() == report.indices.tolist()
    assert "arrays given in Python" in (run / "report.html").read_text()
    assert opened.settings["data"]["name"] == "arrays given in Python"
    assert opened.source == "python:callers_networks.Nearest"
    assert run_command(["report", str(run)]) == 0
    capfd.readouterr()
    (run / "result.json").unlink()
    assert run_command(["resume", str(run)]) == 2
    message = capfd.readouterr().err
    assert "Nearest was given in Python; evaluate it with nas.evaluate(network, ...) in a new run." in message
    with pytest.raises(InputError, match="exists"):
        nas.evaluate(network, data=(images, labels), run=run, **FAST)


def test_a_kept_run_of_a_model_without_a_folder_holds_its_network(
    model: Any, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    report = nas.evaluate(model, n_test=8, run=tmp_path / "run", **FAST)
    (tmp_path / "run" / "result.json").unlink()
    assert _numbers(nas.resume(tmp_path / "run")) == _numbers(report)
    assert (tmp_path / "run" / report.checkpoint).is_file()
    nas.evaluate(model, data=(images, labels), run=tmp_path / "arrays", **FAST)
    (tmp_path / "arrays" / "result.json").unlink()
    with pytest.raises(InputError, match=r"were given in Python; evaluate on them with nas.evaluate"):
        nas.resume(tmp_path / "arrays")


def test_what_are_no_data(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    for data in (images, {"images": images}, 3, (images, labels, labels), TensorDataset(torch.from_numpy(labels))):
        with pytest.raises(InputError):
            nas.evaluate(network, data=data, **FAST)
    with pytest.raises(InputError, match="Expected data= for Nearest"):
        nas.evaluate(network, **FAST)
    with pytest.raises(InputError, match=r"no data.size with images in data="):
        nas.evaluate(network, data=(images, labels), settings={"data.size": 8}, **FAST)
    with pytest.raises(InputError, match=r"eval.eps once"):
        nas.evaluate(network, data=(images, labels), settings={"eval.eps": 0.1}, **FAST)
    with pytest.raises(InputError, match=r"eval.model_options"):
        nas.evaluate(network, data=(images, labels), settings={"eval.model_options": ["a=1"]}, **FAST)


def test_corruptions_are_defined_on_bytes(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    settings = {"eval.corruptions": ["contrast"]}
    report = nas.evaluate(network, data=(images, labels), settings=settings, **FAST)
    assert report.corruptions is not None
    with pytest.raises(InputError, match="give uint8 images"):
        nas.evaluate(network, data=(FORMS["floats"](images), labels), settings=settings, **FAST)


def test_one_image(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    assert nas.evaluate(network, data=(images[:1], labels[:1]), **FAST).n_test == 1


def test_progress(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    seen: list[tuple[float, float, str]] = []
    nas.evaluate(network, data=(images, labels), progress=lambda *now: seen.append(now), **FAST)
    assert seen[-1][:2] == (1, 1)


@pytest.mark.slow
def test_in_another_process(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    here = nas.evaluate(network, data=(images, labels), **FAST)
    there = nas.evaluate(network, data=(images, labels), workers=2, **FAST)
    assert _numbers(there) == _numbers(here)
