"""Published files of corrupted images: their layout, labels and clean images, and files that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.core.storage.memory import InMemoryStore
from nas.eval import EvalSettings, evaluate
from nas.eval.corruptions import Published, corrupted
from nas.search_spaces import Network

CPU = torch.device("cpu")


def write(folder: Path, m: int = 6, kinds: tuple[str, ...] = ("fog", "contrast"), repeat: int = 5) -> np.ndarray:
    """Write files of m images at five severities; the level of an image identifies it."""
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
    assert "rows 1 to 5 of 6" in source.origin


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
    """The clean images of the files are known only if all labels agree."""
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
