"""An evaluation under corruptions: its accuracies, how it continues after a kill, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nas.core.data import Dataset, attacked
from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.core.storage.memory import InMemoryStore
from nas.eval import EvalSettings, evaluate, hrs
from nas.eval.corruptions import CORRUPTIONS, Computed, corrupted, evaluate_corruptions
from nas.search_spaces import Network

CPU = torch.device("cpu")
KINDS = ["gaussian_noise", "fog", "contrast", "speckle_noise"]


class Dying(InMemoryStore):
    """The store of a process that is killed after `left` outcomes."""

    left = 0

    def put(self, key: str, value: Any) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.facts[key] = value


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
    assert result.correct_counts == counts.tolist()
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


def test_frost_is_left_out_of_groups_and_said_so(images: torch.Tensor, labels: torch.Tensor) -> None:
    source = Computed(images, labels, ["weather"])
    assert source.kinds == ["brightness", "fog", "snow"]
    assert "eval.frost" in source.left_out["frost"]
    with pytest.raises(InputError, match=r"eval\.frost"):
        Computed(images, labels, ["weather", "frost"])
    with pytest.raises(InputError, match="found none"):
        Computed(images, labels, ["weather"], frost="no-such-folder")


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
    assert source.origin.startswith(words)
    assert source.origin.endswith("ImageNet-C") == ("not comparable" in words)


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


@pytest.mark.landing
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


def test_what_cannot_be_evaluated_is_said_before_the_attacks(untrained: Network, data: Dataset) -> None:
    settings = EvalSettings(attacks=["fgsm"], n_test=30, corruptions=["fog"], corruption_data="no-such-folder")
    kept = InMemoryStore()
    with pytest.raises(InputError, match="there is none"):
        evaluate(untrained, data, settings, 3, CPU, kept)
    assert not kept.facts
