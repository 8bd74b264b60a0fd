"""Every registered corruption keeps the contract of corruptions, at any size, with the parameters it states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from nas.core.errors import InputError
from nas.eval.corruptions import CORRUPTIONS, GROUPS, SEVERITIES, Corruption, photographs, select_types
from nas.eval.corruptions.base import to_levels

BENCHMARK = {
    "noise": {"gaussian_noise", "shot_noise", "impulse_noise"},
    "blur": {"defocus_blur", "glass_blur", "motion_blur", "zoom_blur"},
    "weather": {"snow", "frost", "fog", "brightness"},
    "digital": {"contrast", "elastic_transform", "pixelate", "jpeg_compression"},
}
# severities grow in pixel distance; those of the others mix their parameters in different ways
RISING = sorted(set.union(*BENCHMARK.values()) - {"glass_blur", "frost", "elastic_transform", "snow", "fog"})


@pytest.fixture(scope="module")
def frost(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("frost")
    for number in range(3):
        levels = np.random.default_rng(number).integers(0, 255, (50 + 40 * number, 70, 3), np.uint8)
        Image.fromarray(levels).save(folder / f"{number}.png")
    return str(folder)


def smooth_images(n: int, height: int, width: int) -> torch.Tensor:
    coarse = torch.rand(n, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    fine = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    return to_levels(fine) / 255


def corrupt(corruption: Corruption, x: torch.Tensor, severity: int, seed: int = 3) -> torch.Tensor:
    return corruption(x, severity, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (20, 28), (64, 64), (75, 75), (224, 224)])
@pytest.mark.parametrize("name", CORRUPTIONS.names())
def test_corruption_contract(name: str, size: tuple[int, int], frost: str) -> None:
    corruption = CORRUPTIONS.get(name).made(frost)
    x = smooth_images(1 if size[0] == 224 else 3, *size)
    before, state = x.clone(), torch.get_rng_state()
    for severity in (1, 4, 5) if size[0] == 224 else SEVERITIES:
        result = corrupt(corruption, x, severity)
        assert result.shape == x.shape
        assert result.dtype == torch.float32
        assert torch.equal(result, (result * 255).round() / 255)
        assert result.min() >= 0
        assert result.max() <= 1
        assert severity < 5 or not torch.equal(result, x)
        assert torch.equal(result, corrupt(corruption, x, severity)), "the same seed must give the same images"
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state), "only the given generator is drawn from"


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS.names()) - {"spatter"}))  # drops of spatter may miss an image
def test_images_of_a_batch_are_corrupted_each_in_its_own_way(name: str, frost: str) -> None:
    x = smooth_images(1, 32, 32).expand(4, -1, -1, -1)
    results = corrupt(CORRUPTIONS.get(name).made(frost), x, 5)
    fixed = name in ("brightness", "contrast", "defocus_blur", "gaussian_blur", "zoom_blur", "pixelate", "saturate")
    fixed = fixed or name == "jpeg_compression"
    same = [torch.equal(results[0], other) for other in results[1:]]
    assert all(same) if fixed else not any(same)
    assert fixed == torch.equal(results, corrupt(CORRUPTIONS.get(name).made(frost), x, 5, seed=4))


@pytest.mark.parametrize("side", [16, 32, 100])
@pytest.mark.parametrize("name", RISING)
def test_severity_raises_the_distortion(name: str, side: int) -> None:
    x = smooth_images(8, side, side)
    corruption = CORRUPTIONS.get(name).made(None)
    moved = [(corrupt(corruption, x, severity) - x).abs().mean().item() for severity in SEVERITIES]
    assert moved == sorted(moved)
    assert moved[0] < moved[-1]


def test_the_benchmark_has_its_fifteen_types() -> None:
    for group, members in BENCHMARK.items():
        assert set(select_types([group])) == members
    assert set(select_types(["all"])) == set.union(*BENCHMARK.values())
    assert set(select_types(["extra"])) == {"speckle_noise", "gaussian_blur", "spatter", "saturate"}
    assert {kind.group for kind in CORRUPTIONS.components.values()} == set(GROUPS)


def test_names_are_expanded_once_in_order() -> None:
    assert select_types(["fog", "noise", "shot_noise"]) == ["fog", "gaussian_noise", "impulse_noise", "shot_noise"]
    with pytest.raises(InputError, match="did you mean 'glass_blur'"):
        select_types(["glas_blur"])


@pytest.mark.parametrize("name", CORRUPTIONS.names())
def test_published_parameters_are_unscaled_at_their_sizes(name: str) -> None:
    kind = CORRUPTIONS.get(name)
    for table, own, other in ((kind.small, 32, 48), (kind.large, 224, 112)):
        assert len(table) == len(SEVERITIES)
        assert len({len(row) for row in table}) == 1
        for severity, row in zip(SEVERITIES, table):
            assert kind.row(severity, own) == row
            scaled = [v * other / own if i in kind.lengths else v for i, v in enumerate(row)]
            assert list(kind.row(severity, other)) == scaled
    turn = [kind.row(5, side)[i] / side for side in (64, 65) for i in kind.lengths]
    whole = [row[4][i] / own for row, own in ((kind.small, 32), (kind.large, 224)) for i in kind.lengths]
    assert turn == pytest.approx(whole)
    for severity in (0, 6):
        with pytest.raises(InputError, match="1 to 5"):
            kind.row(severity, 32)


@pytest.mark.parametrize(
    "x",
    [torch.rand(3, 32, 32), torch.rand(2, 1, 32, 32), torch.rand(2, 3, 32, 32) * 255, torch.zeros(1, 3, 4, 4).byte()],
)
def test_other_images_are_refused(x: torch.Tensor) -> None:
    with pytest.raises(InputError):
        corrupt(CORRUPTIONS.get("contrast").made(None), x, 1)


def test_values_are_cut_not_rounded() -> None:
    levels = torch.arange(256.0)
    assert torch.equal(to_levels(levels / 255), levels)
    assert torch.equal(to_levels((levels[:-1] + 0.99) / 255), levels[:-1])
    assert to_levels(torch.tensor([-1.0, 2.0])).tolist() == [0, 255]


def test_frost_says_where_photographs_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "PACKAGE", "no_such_package")
    with pytest.raises(InputError, match=r"eval\.frost to a folder.*pip install"):
        CORRUPTIONS.get("frost").made(None)
    with pytest.raises(InputError, match="found none"):
        CORRUPTIONS.get("frost").made(str(tmp_path))
    (tmp_path / "one.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="cannot be read"):
        CORRUPTIONS.get("frost").made(str(tmp_path))


def test_frost_finds_the_photographs_of_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frost: str
) -> None:
    package = tmp_path / "frosty_package"
    (package / "frost").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('only looked at, never imported')")
    for file in Path(frost).iterdir():
        (package / "frost" / file.name).write_bytes(file.read_bytes())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(photographs, "PACKAGE", "frosty_package")
    x = smooth_images(2, 32, 32)
    found, given = (CORRUPTIONS.get("frost").made(folder) for folder in (None, frost))
    assert torch.equal(corrupt(found, x, 2), corrupt(given, x, 2))
