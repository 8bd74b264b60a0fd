"""Accuracies under corruption are those of a plain loop; what is done is kept; scores and files are what they say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas.core.data import Dataset, DataSettings, attacked, load
from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.core.statistics.proportions import clustered_interval
from nas.core.storage.memory import InMemoryStore
from nas.eval import EvalSettings, evaluate, hrs, wilson
from nas.eval.corruptions import CORRUPTIONS, Computed, Published, corrupted, evaluate_corruptions, photographs
from nas.eval.corruptions.scores import Baseline, read_baseline, relative_errors, summary
from nas.search_spaces import NASBench201, Network

CPU = torch.device("cpu")
KINDS = ["gaussian_noise", "fog", "contrast", "speckle_noise"]


class Dying(InMemoryStore):
    """Outcomes of a process that is killed after so many."""

    left = 0

    def put(self, key: str, value: Any) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.facts[key] = value


@pytest.fixture(autouse=True)
def _no_photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "PACKAGE", "no_such_package")


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    parts = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4)
    network = nn.Sequential(*parts)
    network(torch.rand(64, 3, 16, 16))  # running statistics that are not those of one batch
    return network


@pytest.fixture
def images() -> torch.Tensor:
    coarse = torch.rand(23, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    return (nn.functional.interpolate(coarse, size=16, mode="bilinear") * 255).byte()


@pytest.fixture
def labels(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What the network says of the clean images, but for some of them."""
    said = network.eval()(images.float() / 255).argmax(1)
    network.train()
    return torch.where(torch.arange(len(said)) % 5 == 0, (said + 1) % 4, said)


def test_accuracies_are_those_of_a_plain_loop(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    result = evaluate_corruptions(network, images, labels, KINDS, [2, 5], batch_size=9, seed=11)
    assert network.training, "the mode is as before"
    network.eval()
    counts = torch.zeros(23, dtype=torch.long)
    for kind in KINDS:
        for position, severity in enumerate([2, 5]):
            right = []
            for number, start in enumerate((0, 9, 18)):
                x, y = images[start : start + 9].float() / 255, labels[start : start + 9]
                generator = torch.Generator().manual_seed(derive(11, kind, severity, number))
                right.append(network(CORRUPTIONS.get(kind)()(x, severity, generator)).argmax(1) == y)
            assert result.accuracy[kind][position] == torch.cat(right).sum().item() / 23
            if kind != "speckle_noise":
                counts += torch.cat(right)
    assert result.right == counts.tolist()
    assert 0.2 < result.mean < 1
    assert result.mean == pytest.approx(counts.sum().item() / (23 * 6))
    assert result.mean_of == KINDS[:3]
    clean = (network(images.float() / 255).argmax(1) == labels).sum().item() / 23
    assert result.clean == clean
    assert result.hrs == hrs(clean, result.mean)
    assert result.n_test == 23
    assert "not comparable" in result.images
    unit = evaluate_corruptions(network, images.float() / 255, labels, KINDS, [2, 5], batch_size=9, seed=11)
    assert unit == result, "bytes or floats"


def test_a_killed_evaluation_continues_to_the_same_end(
    network: nn.Module, images: torch.Tensor, labels: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Computed(images, labels, KINDS[:2], [1, 3], size=10, seed=3)
    assert source.steps == 2 * 2 * 3
    ticks: list[str] = []
    whole = InMemoryStore()
    expected = corrupted(network, source, CPU, whole, tick=lambda passes, note: ticks.append(note))
    assert len(ticks) == source.steps + source.batches
    for after in (0, 1, 7, 14):
        kept = Dying()
        kept.left = after
        with pytest.raises(KeyboardInterrupt):
            corrupted(network, source, CPU, kept)
        assert len(kept.facts) == after
        kept.left = 100
        assert corrupted(network, source, CPU, kept) == expected
        assert kept.facts == whole.facts
    monkeypatch.setattr(source, "batch", None)
    assert corrupted(network, source, CPU, whole) == expected


def test_other_seeds_give_other_noise(images: torch.Tensor, labels: torch.Tensor) -> None:
    made = [Computed(images, labels, ["gaussian_noise"], size=10, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (source.batch("gaussian_noise", 3, 1, CPU)[0] for source in made)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_summary_by_type_group_and_all() -> None:
    accuracy = {"snow": [0.5, 0.3], "fog": [0.8, 0.6], "contrast": [0.2, 0.0], "saturate": [1.0, 1.0]}
    result = summary(accuracy, 0.9)
    assert result.types == pytest.approx({"snow": 0.4, "fog": 0.7, "contrast": 0.1, "saturate": 1.0})
    assert result.groups == pytest.approx({"weather": 0.55, "digital": 0.1})
    assert result.mean == pytest.approx(0.4), "extra types are not in it"
    assert result.hrs == pytest.approx(2 * 0.9 * 0.4 / 1.3)
    assert summary({"saturate": [0.5]}, 0.9).mean == 0.5


def test_the_interval_takes_images_as_the_sample() -> None:
    right = [4, 0, 2, 4, 3, 1, 4, 4]
    shares = np.array(right) / 4
    half = 1.959963984540054 * shares.std(ddof=1) / np.sqrt(8)
    assert clustered_interval(right, 4) == pytest.approx((shares.mean() - half, min(1.0, shares.mean() + half)))
    assert clustered_interval([4] * 8, 4) == wilson(8, 8)
    assert clustered_interval([1], 4) == wilson(0, 1)


BASELINE = {"clean": 0.8, "severities": [1, 2], "accuracy": {"fog": [0.6, 0.4], "snow": [0.5, 0.5], "spatter": [0, 0]}}


def test_mce_is_that_of_the_definition() -> None:
    mine = {"fog": [0.9, 0.7], "snow": [0.8, 0.4], "spatter": [0.5, 0.5]}
    result = relative_errors(mine, 0.95, read_baseline(BASELINE, list(mine), [1, 2]))
    ce = {"fog": 100 * 0.4 / 1.0, "snow": 100 * 0.8 / 1.0}
    relative = {"fog": 100 * (0.4 - 0.1) / (1.0 - 0.4), "snow": 100 * (0.8 - 0.1) / (1.0 - 0.4)}
    assert result.ce == pytest.approx(ce)
    assert result.relative_ce == pytest.approx(relative)
    assert result.mce == pytest.approx(60)
    assert result.relative_mce == pytest.approx(sum(relative.values()) / 2)
    theirs = read_baseline(BASELINE, list(mine), [1, 2])
    own = relative_errors(theirs.accuracy, 0.8, theirs)
    assert own.mce == pytest.approx(100)
    assert own.relative_mce == pytest.approx(100)
    perfect = relative_errors(mine, 0.95, Baseline(1.0, {"fog": [1, 1], "snow": [0.5, 0.5]}))
    assert perfect.ce["fog"] is None
    assert perfect.mce is None


def test_baselines_of_every_form(tmp_path: Path) -> None:
    forms = [BASELINE, {"corruptions": BASELINE, "clean": 0.1}, {"models": [{"corruptions": BASELINE}]}]
    for form in forms:
        path = tmp_path / "baseline.json"
        path.write_text(json.dumps(form))
        for given in (form, str(path)):
            found = read_baseline(given, ["snow", "spatter"], [2])  # type: ignore[arg-type]
            assert found == Baseline(0.8, {"snow": [0.5]})


def test_baselines_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="zoom_blur, severity 3"):
        read_baseline(BASELINE, ["fog", "zoom_blur"], [1, 3])
    with pytest.raises(InputError, match="divide percents by 100"):
        read_baseline({"clean": 80, "severities": [1], "accuracy": {"fog": [60]}}, ["fog"], [1])
    for wrong in ({"clean": 0.5}, {"models": [BASELINE, BASELINE]}, []):
        with pytest.raises(InputError, match="of one model"):
            read_baseline(wrong, ["fog"], [1])  # type: ignore[arg-type]
    (tmp_path / "broken.json").write_text("{")
    for path in (tmp_path / "broken.json", tmp_path / "none.json"):
        with pytest.raises(InputError, match="cannot be read"):
            read_baseline(str(path), ["fog"], [1])


def test_frost_is_left_out_of_groups_and_said_so(images: torch.Tensor, labels: torch.Tensor) -> None:
    source = Computed(images, labels, ["weather"])
    assert source.kinds == ["brightness", "fog", "snow"]
    assert "eval.frost" in source.left_out["frost"]
    with pytest.raises(InputError, match=r"eval\.frost"):
        Computed(images, labels, ["weather", "frost"])
    with pytest.raises(InputError, match="found none"):
        Computed(images, labels, ["weather"], frost="no-such-folder")


def write(folder: Path, m: int = 6, kinds: tuple[str, ...] = ("fog", "contrast"), repeat: int = 5) -> np.ndarray:
    """Files of m images at five severities, each image told apart by its values."""
    folder.mkdir(exist_ok=True)
    for position, kind in enumerate(kinds):
        rows = np.arange(5 * m, dtype=np.uint8) + 100 * position
        np.save(folder / f"{kind}.npy", np.broadcast_to(rows[:, None, None, None], (5 * m, 16, 16, 3)))
    labels = np.arange(m) % 4
    np.save(folder / "labels.npy", np.tile(labels, repeat))
    return labels


@pytest.mark.parametrize("repeat", [1, 5])
def test_published_files_are_read_by_severity(tmp_path: Path, repeat: int) -> None:
    labels = write(tmp_path, repeat=repeat)
    source = Published(str(tmp_path), ["contrast", "fog"], 4, 16, [1, 4], n=5, size=3)
    assert (source.n, source.batches, source.steps) == (5, 2, 8)
    for kind, base in (("fog", 0), ("contrast", 100)):
        for severity in (1, 4):
            batches = [source.batch(kind, severity, number, CPU) for number in (0, 1)]
            x, y = (torch.cat(parts) for parts in zip(*batches))
            assert x.shape == (5, 3, 16, 16)
            expected = base + 6 * (severity - 1) + torch.arange(5)
            assert torch.equal((x * 255).round()[:, 0, 0, 0], expected.float())
            assert y.tolist() == labels[:5].tolist()
    assert "rows 1 to 5 of 6" in source.described


def test_rows_and_columns_of_published_images_stay_what_they_are(tmp_path: Path) -> None:
    write(tmp_path)
    levels = np.arange(30 * 16 * 16 * 3, dtype=np.uint32).astype(np.uint8).reshape(30, 16, 16, 3)
    np.save(tmp_path / "fog.npy", levels)
    x, _ = Published(str(tmp_path), ["fog"], 4, 16, [2], n=5, size=5).batch("fog", 2, 0, CPU)
    assert (x[3, 1, 2, 7] * 255).round() == levels[6 + 3, 2, 7, 1]
    assert np.array_equal((x * 255).round().numpy(), np.moveaxis(levels[6:11], -1, 1))


def test_published_files_and_the_clean_images_they_are_of(
    tmp_path: Path, network: nn.Module, images: torch.Tensor
) -> None:
    labels = torch.from_numpy(write(tmp_path))
    given = {"folder": str(tmp_path), "names": ["fog"], "num_classes": 4, "image_size": 16}
    same = Published(**given, test=(images[:6], labels))  # type: ignore[arg-type]
    result = corrupted(network, same, CPU, InMemoryStore())
    right = network.eval()(images[:6].float() / 255).argmax(1) == labels
    assert result.clean == right.sum().item() / 6
    other = Published(**given, test=(images[:6], labels.flip(0)))  # type: ignore[arg-type]
    assert corrupted(network, other, CPU, InMemoryStore(), clean=0.5).clean == 0.5
    with pytest.raises(InputError, match="clean images"):
        corrupted(network, other, CPU, InMemoryStore())


def spoil(folder: Path, what: str) -> None:
    save = {
        "missing": lambda: (folder / "fog.npy").unlink(),
        "floats": lambda: np.save(folder / "fog.npy", np.zeros((30, 16, 16, 3))),
        "size": lambda: np.save(folder / "fog.npy", np.zeros((30, 8, 8, 3), np.uint8)),
        "not five": lambda: np.save(folder / "fog.npy", np.zeros((31, 16, 16, 3), np.uint8)),
        "shorter": lambda: np.save(folder / "contrast.npy", np.zeros((25, 16, 16, 3), np.uint8)),
        "labels": lambda: np.save(folder / "labels.npy", np.zeros(29, int)),
        "severities": lambda: np.save(folder / "labels.npy", np.r_[np.zeros(29, int), 1]),
        "classes": lambda: np.save(folder / "labels.npy", np.full(30, 4)),
        "pickle": lambda: np.save(folder / "labels.npy", np.array([{}] * 30), allow_pickle=True),
        "cut": lambda: (folder / "fog.npy").write_bytes((folder / "fog.npy").read_bytes()[:900]),
    }
    save[what]()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing", r"fog\.npy but there is none"),
        ("floats", r"five severities.*float64"),
        ("size", r"five severities.*\(30, 8, 8, 3\)"),
        ("not five", "five severities"),
        ("shorter", "same length"),
        ("labels", "30 whole numbers"),
        ("severities", "same labels at each severity"),
        ("classes", "0 to 3"),
        ("pickle", "cannot be read"),
        ("cut", "cannot be read"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, what: str, message: str) -> None:
    write(tmp_path)
    spoil(tmp_path, what)
    with pytest.raises(InputError, match=message):
        Published(str(tmp_path), ["fog", "contrast"], 4, 16)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((32, 32), "computed with the parameters for 32x32"),
        ((32, 40), "computed with the parameters for 32x32"),
        ((224, 224), "computed with the parameters for 224x224"),
        ((250, 224), "computed with the parameters for 224x224"),
        ((16, 16), "computed with the parameters for 32x32, lengths times 16/32: not comparable"),
        ((64, 90), "computed with the parameters for 32x32, lengths times 64/32: not comparable"),
        ((65, 65), "computed with the parameters for 224x224, lengths times 65/224: not comparable"),
        ((33, 33), "computed with the parameters for 32x32, lengths times 33/32: not comparable"),
        ((223, 300), "computed with the parameters for 224x224, lengths times 223/224: not comparable"),
    ],
)
def test_the_parameters_of_computed_images_are_said(shape: tuple[int, int], words: str) -> None:
    source = Computed(torch.zeros(1, 3, *shape, dtype=torch.uint8), torch.zeros(1), ["fog"])
    assert source.described.startswith(words)
    assert source.described.endswith("ImageNet-C") == ("not comparable" in words)


def test_batches_hold_every_image_once(images: torch.Tensor, labels: torch.Tensor) -> None:
    for size, lengths in ((10, [10, 10, 3]), (23, [23]), (22, [22, 1]), (250, [23]), (1, [1] * 23)):
        source = Computed(images, labels, ["fog", "contrast"], [1, 2, 5], size)
        found = [source.clean(number, CPU) for number in range(source.batches)]
        assert [len(y) for _, y in found] == lengths
        assert torch.equal(torch.cat([y for _, y in found]), labels)
        torch.testing.assert_close(torch.cat([x for x, _ in found]), images.float() / 255)
        assert source.steps == len(lengths) * 2 * 3


def test_what_is_no_set_of_images_is_refused(images: torch.Tensor, labels: torch.Tensor) -> None:
    with pytest.raises(InputError, match="23 images, 22 labels"):
        Computed(images, labels[1:], ["fog"])
    with pytest.raises(InputError, match="0 images, 0 labels"):
        Computed(images[:0], labels[:0], ["fog"])
    with pytest.raises(InputError, match="at least one image in a batch but got 0"):
        Computed(images, labels, ["fog"], size=0)
    with pytest.raises(InputError, match="at least one type of corruption"):
        Computed(images, labels, [])
    with pytest.raises(InputError, match=r"images in \[0, 1\]"):
        Computed(images.float(), labels, ["fog"])


def test_labels_of_files_that_cannot_be_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    for wrong, words in (([-1, 0, 1, 2, 3, 0], "0 to 3"), ([0.0, 1, 2, 3, 0, 1], "whole numbers")):
        np.save(tmp_path / "labels.npy", np.array(wrong))
        with pytest.raises(InputError, match=words):
            Published(str(tmp_path), ["fog"], 4, 16)
    write(tmp_path)
    for count in (0, -1, 7):
        with pytest.raises(InputError, match="between 1 and 6 images"):
            Published(str(tmp_path), ["fog"], 4, 16, n=count)
    whole = Published(str(tmp_path), ["fog"], 4, 16)
    assert (whole.n, whole.severities, whole.batches) == (6, [1, 2, 3, 4, 5], 1)
    assert not whole.has_clean
    assert Published(str(tmp_path), ["fog"], 4, 16, n=6).n == 6
    np.save(tmp_path / "grey.npy", np.zeros((30, 16, 16, 1), np.uint8))
    (tmp_path / "grey.npy").rename(tmp_path / "fog.npy")
    with pytest.raises(InputError, match="five severities"):
        Published(str(tmp_path), ["fog"], 4, 16)


def test_labels_of_another_test_part_are_not_its_labels(tmp_path: Path, images: torch.Tensor) -> None:
    """The clean images of files are known only where all labels agree."""
    labels = torch.from_numpy(write(tmp_path))
    for count, known in ((6, True), (5, False), (7, False)):
        own = torch.arange(count) % 4
        source = Published(str(tmp_path), ["fog"], 4, 16, test=(images[:count], own))
        assert source.has_clean == known
        assert source.labels.tolist() == labels.tolist()


def test_more_rows_than_there_are_is_an_error(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(InputError, match="between 1 and 6"):
        Published(str(tmp_path), ["fog"], 4, 16, n=7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"corruptions": ["foog"]}, "did you mean 'fog'"),
        ({"corruptions": ["fog"], "severities": [0]}, "severities from 1 to 5"),
        ({"corruptions": ["fog"], "severities": [2, 2]}, "each once"),
        ({"corruptions": ["fog"], "severities": []}, "got none"),
        ({"corruption_data": "folder"}, r"eval\.corruptions with eval\.corruption_data"),
        ({"corruption_baseline": "file"}, r"eval\.corruptions with eval\.corruption_baseline"),
        ({"corruptions": ["fog"], "frost": "folder"}, "Expected frost among"),
        ({"corruptions": ["all"], "frost": "folder", "corruption_data": "folder"}, "got both"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        EvalSettings(**settings).check()
    EvalSettings(corruptions=["all", "extra"], severities=[5, 1]).check()


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(DataSettings())


@pytest.fixture(scope="module")
def untrained(data: Dataset) -> Network:
    space = NASBench201()
    torch.manual_seed(1)
    cell = space.parse("|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    return space.build(cell, channels=4, cells_per_stage=1, mean=data.mean, std=data.std).eval()


def test_an_evaluation_with_corruptions(untrained: Network, data: Dataset, tmp_path: Path) -> None:
    settings = EvalSettings(attacks=["fgsm"], n_test=30, batch_size=20, corruptions=["digital", "weather"])
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int, note: str) -> None:
        seen.append((done, total))

    kept = InMemoryStore()
    result = evaluate(untrained, data, settings, 3, CPU, kept, progress)
    found = result.corruptions
    assert seen[-1][0] == seen[-1][1]
    assert len(found.accuracy) == 7
    assert list(found.left_out) == ["frost"]
    assert found.clean == result.clean
    assert found.clean_images == "the same images"
    assert found.relative is None
    assert evaluate(untrained, data, settings, 3, CPU, InMemoryStore(dict(list(kept.facts.items())[:25]))) == result
    part = attacked(data, 30)
    same = evaluate_corruptions(untrained, part.images, part.labels, ["weather"], batch_size=20, seed=3)
    assert same.accuracy == {kind: found.accuracy[kind] for kind in same.accuracy}

    (tmp_path / "result.json").write_text(json.dumps(result.to_json()))
    settings = EvalSettings(
        attacks=["fgsm"],
        n_test=30,
        corruptions=["fog"],
        batch_size=20,
        corruption_baseline=str(tmp_path / "result.json"),
    )
    again = evaluate(untrained, data, settings, 3, CPU, InMemoryStore()).corruptions
    assert again.relative.mce == pytest.approx(100)
    some = evaluate(untrained, data, replace(settings, severities=[4, 1]), 3, CPU, InMemoryStore()).corruptions
    assert some.accuracy["fog"] == [again.accuracy["fog"][3], again.accuracy["fog"][0]]
    assert some.relative.mce == pytest.approx(100)


def test_an_evaluation_of_published_files(untrained: Network, data: Dataset, tmp_path: Path) -> None:
    m, side = len(data.test), data.image_size
    np.save(tmp_path / "fog.npy", np.zeros((5 * m, side, side, 3), np.uint8))
    np.save(tmp_path / "labels.npy", np.tile(data.test.labels.numpy(), 5))
    settings = EvalSettings(
        attacks=["fgsm"], n_test=40, batch_size=30, corruptions=["fog"], corruption_data=str(tmp_path)
    )
    seen: list[tuple[int, int]] = []
    result = evaluate(
        untrained, data, settings, 3, CPU, InMemoryStore(), lambda done, total, note: seen.append((done, total))
    )
    assert seen[-1][0] == seen[-1][1]
    found = result.corruptions
    said = untrained(torch.zeros(1, 3, side, side)).argmax(1)
    assert found.accuracy["fog"] == [(data.test.labels[:40] == said).sum().item() / 40] * 5
    right = untrained(data.test.images[:40].float() / 255).argmax(1) == data.test.labels[:40]
    assert found.clean == right.sum().item() / 40
    assert found.clean_images == "the same images"
    np.save(tmp_path / "labels.npy", np.tile(data.test.labels.numpy()[::-1], 5))
    found = evaluate(untrained, data, settings, 3, CPU, InMemoryStore()).corruptions
    assert found.clean == result.clean
    assert "not those of the files" in found.clean_images


def test_what_cannot_be_evaluated_is_said_before_the_attacks(untrained: Network, data: Dataset) -> None:
    settings = EvalSettings(attacks=["fgsm"], n_test=30, corruptions=["fog"], corruption_data="no-such-folder")
    kept = InMemoryStore()
    with pytest.raises(InputError, match="there is none"):
        evaluate(untrained, data, settings, 3, CPU, kept)
    assert not kept.facts
