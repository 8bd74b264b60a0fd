"""The robustness dataset: a small folder made here, damaged in many ways, and the real one."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from robustness_folder import write_measurement, write_robustness

from nas.core.errors import InputError
from nas.search_spaces import NASBench201
from nas.tables import CORRUPTIONS, GROUPS, RobustnessDataset

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EPSILONS = {"fgsm@Linf": [0.5, 8.0], "aa_apgd-ce@Linf": [1.0]}


def cell(first: str, dead: str = "none") -> str:
    """Two operations in a row by way of node 2; `dead` only sees the zeros of node 1, so all of them are isomorphic."""
    return f"|none~0|+|{first}~0|{dead}~1|+|none~0|none~1|nor_conv_3x3~2|"


def twin(first: str) -> str:
    return cell(first, "avg_pool_3x3")


ARCHITECTURES = [cell(op) for op in OPS[1:]]


def accuracies(seed: int, *shape: int) -> np.ndarray:
    return np.round(np.random.default_rng(seed).uniform(0.1, 0.9, (len(ARCHITECTURES), *shape)), 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four classes, each of two strings (ids 10, 11, 12, ...), of which the even ones were measured."""
    values = {"clean": accuracies(0), "fgsm@Linf": accuracies(1, 2), "aa_apgd-ce@Linf": accuracies(2, 1)}
    values |= {kind: of(kind) for kind in CORRUPTIONS}
    write_robustness(tmp_path, "Small", ARCHITECTURES, values, EPSILONS, [twin(op) for op in OPS[1:]])
    return tmp_path


def of(kind: str) -> np.ndarray:
    return accuracies(100 + CORRUPTIONS.index(kind), 5)


def test_columns_by_name(folder: Path) -> None:
    table = RobustnessDataset(folder, "small")
    assert table.architectures == tuple(ARCHITECTURES)
    assert table.names() == [
        *("clean", "fgsm@0.5", "fgsm@8", "apgd@1", "corruptions", "weather", "noise", "blur", "digital"),
        *CORRUPTIONS,
    ]
    np.testing.assert_array_equal(table.column("clean"), accuracies(0))
    np.testing.assert_array_equal(table.column("fgsm@8"), accuracies(1, 2)[:, 1])
    np.testing.assert_array_equal(table.column("fgsm@8.0"), accuracies(1, 2)[:, 1])
    np.testing.assert_array_equal(table.column("fgsm@0.5"), accuracies(1, 2)[:, 0])
    np.testing.assert_array_equal(table.column("apgd@1"), accuracies(2, 1)[:, 0])
    np.testing.assert_array_equal(table.levels("fog"), of("fog"))
    np.testing.assert_array_equal(table.levels("fog@3"), of("fog")[:, [2]])
    everything = np.mean([of(kind) for kind in CORRUPTIONS], axis=(0, 2))
    np.testing.assert_allclose(table.column("corruptions"), everything, atol=1e-12)
    assert table.levels("corruptions").shape == (4, 1)


def test_groups_are_the_releases(folder: Path) -> None:
    table = RobustnessDataset(folder, "Small")
    members = {
        "weather": ["snow", "fog", "frost"],
        "noise": ["gaussian_noise", "shot_noise", "impulse_noise"],
        "blur": ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur"],
        "digital": ["contrast", "jpeg_compression", "brightness"],
    }
    assert members.keys() == GROUPS.keys()
    for group, kinds in members.items():
        severities = np.mean([of(kind) for kind in kinds], axis=0)
        np.testing.assert_allclose(table.levels(group), severities, atol=1e-12)
        np.testing.assert_allclose(table.column(group), severities.mean(axis=1), atol=1e-12)
        np.testing.assert_allclose(table.levels(f"{group}@5")[:, 0], severities[:, 4], atol=1e-12)
        assert table.levels(f"each:{group}").shape == (4, 5 * len(kinds))
    own = table.levels("fog+pixelate")
    np.testing.assert_allclose(own, (of("fog") + of("pixelate")) / 2, atol=1e-12)
    np.testing.assert_array_equal(table.levels("each:fog+pixelate"), np.hstack([of("fog"), of("pixelate")]))
    (folder / "Small/brightness_accuracy.json").unlink()
    without = RobustnessDataset(folder, "Small")
    expected = (of("contrast") + of("jpeg_compression")) / 2
    np.testing.assert_allclose(without.levels("digital"), expected, atol=1e-12)
    assert "digital" in without.names()
    assert "corruptions" not in without.names()


def test_means_of_equal_sums_stay_tied(folder: Path) -> None:
    """.1 + .7 and .3 + .5 differ in their last bit, and their ranks must not."""
    for kind, values in {"fog": [0.1, 0.3, 0.2, 0.4], "snow": [0.7, 0.5, 0.6, 0.4]}.items():
        write_measurement(folder, "Small", kind, np.repeat(np.array(values)[:, None], 5, axis=1))
    table = RobustnessDataset(folder, "small")
    assert len(set(table.column("fog+snow"))) == 1


def test_hrs_is_the_harmonic_mean(folder: Path) -> None:
    clean, robust = accuracies(0), accuracies(1, 2)[:, 1]
    clean[1] = robust[1] = robust[2] = 0
    write_measurement(folder, "Small", "clean", clean)
    write_measurement(folder, "Small", "fgsm@Linf", np.stack([robust, robust], axis=1))
    found = RobustnessDataset(folder, "small").column("hrs:fgsm@8")
    np.testing.assert_allclose(found[[0, 3]], 2 / (1 / clean[[0, 3]] + 1 / robust[[0, 3]]), atol=1e-12)
    assert list(found[[1, 2]]) == [0, 0]


def test_any_form_of_an_architecture_finds_its_row(folder: Path) -> None:
    table, space = RobustnessDataset(folder, "small"), NASBench201()
    clean = accuracies(0)
    members = [twin(op) for op in OPS[1:]]  # in meta.json
    more = [cell(op, "skip_connect") for op in OPS[1:]]  # not in it, but of the same classes
    others = [text.replace("|none~0|none~1|nor", "|none~0|skip_connect~1|nor") for text in ARCHITECTURES]
    strangers = [text.replace("|none~0|none~1|nor", "|skip_connect~0|none~1|nor") for text in ARCHITECTURES]
    for texts in (ARCHITECTURES, members, more, others):
        np.testing.assert_array_equal(table.values("clean", texts), clean)
    np.testing.assert_array_equal(table.values("clean", map(space.parse, more)), clean)
    np.testing.assert_array_equal(table.values("clean", [space.canonical(space.parse(members[2]))]), clean[[2]])
    assert list(table.rows(strangers)) == [-1] * 4
    assert np.isnan(table.values("fog", strangers)).all()
    assert table.has(ARCHITECTURES[0])
    assert not table.has(members[0])


def test_only_what_is_asked_for_is_read(folder: Path) -> None:
    for kind in CORRUPTIONS:
        (folder / f"Small/{kind}_accuracy.json").write_text("{")
    table = RobustnessDataset(folder, "small")
    assert table.column("clean").shape == (4,)
    with pytest.raises(InputError, match=r"fog_accuracy\.json is damaged"):
        table.column("fog")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cleen", "did you mean 'clean'"),
        ("fgsm@7", "there are 0.5, 8"),
        ("fgsm@x", "there are 0.5, 8"),
        ("pgd@1", "column of"),
        ("fog@6", "did you mean"),
        ("fog+clean", "column of"),
        ("each:fgsm@8", "column of"),
        ("hrs:nothing", "nothing"),
    ],
)
def test_unknown_columns(folder: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        RobustnessDataset(folder, "small").column(name)


META: dict[str, Any] = {
    "not JSON": "{",
    "no ids": '{"epsilons": {}}',
    "no representative": json.dumps({"ids": {"1": {"nb201-string": cell("none"), "isomorph": "0"}}, "epsilons": {}}),
    "ids of another kind": '{"ids": ["a"], "epsilons": {}}',
}


@pytest.mark.parametrize("content", META.values(), ids=META)
def test_a_damaged_meta_file_is_named(folder: Path, content: str) -> None:
    (folder / "meta.json").write_text(content)
    with pytest.raises(InputError, match=r"meta\.json is damaged.*robustness\.vision"):
        RobustnessDataset(folder, "small")


FILES: dict[str, Any] = {
    "not JSON": b'{"Small": ',
    "not text": b"\xff\xfe\x00",
    "two data sets": b'{"a": {}, "b": {}}',
    "another key": b'{"Small": {"clean": {"accuracy": {"10": 0.5}}}}',
    "a list": b"[]",
    "no such ids": b'{"Small": {"fgsm@Linf": {"accuracy": {"1": [0.5, 0.4]}}}}',
    "too few": b'{"Small": {"fgsm@Linf": {"accuracy": {"10": [0.5], "12": [0.5]}}}}',
    "ragged": b'{"Small": {"fgsm@Linf": {"accuracy": {"10": [0.5, 0.4], "12": [0.5]}}}}',
    "words": b'{"Small": {"fgsm@Linf": {"accuracy": {"10": [0.5, "x"]}}}}',
    "percent": b'{"Small": {"fgsm@Linf": {"accuracy": {"10": [50, 40]}}}}',
    "NaN": b'{"Small": {"fgsm@Linf": {"accuracy": {"10": [0.5, NaN]}}}}',
    "null": b'{"Small": {"fgsm@Linf": {"accuracy": {"10": [0.5, null]}}}}',
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_damaged_file_is_named(folder: Path, content: bytes) -> None:
    (folder / "Small/fgsm@Linf_accuracy.json").write_bytes(content)
    table = RobustnessDataset(folder, "small")
    with pytest.raises(InputError, match=r"fgsm@Linf_accuracy\.json is damaged.*robustness\.vision"):
        table.column("fgsm@8")


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "Small/fgsm@Linf_accuracy.json").unlink()
    table = RobustnessDataset(folder, "small")
    assert "fgsm@8" not in table.names()
    with pytest.raises(InputError, match=r"fgsm@Linf_accuracy\.json but there is no such file.*robustness\.vision"):
        table.column("fgsm@8")
    with pytest.raises(InputError, match=r"'smal'.*did you mean 'Small'"):
        RobustnessDataset(folder, "smal")
    with pytest.raises(InputError, match=r"meta\.json but there is no such file"):
        RobustnessDataset(folder / "nowhere", "small")


def test_architectures_that_a_file_lacks_have_no_value(folder: Path) -> None:
    (folder / "Small/clean_accuracy.json").write_text('{"Small": {"clean": {"accuracy": {"12": 0.5}}}}')
    found = RobustnessDataset(folder, "small").values("clean", ARCHITECTURES)
    np.testing.assert_array_equal(found, [np.nan, 0.5, np.nan, np.nan])


@pytest.mark.landing
def test_the_real_one(data_dir: Path) -> None:
    """The best values and the 6,466 classes; all in 200 MB. What reading them costs is told by `nas bench tables`."""

    def everything() -> RobustnessDataset:
        table = RobustnessDataset(data_dir / "robustness-dataset", "cifar10")
        for name in table.names():
            assert np.isfinite(table.levels(name)).all()
        return table

    table = everything()
    assert len(table.architectures) == 6466
    best = {"clean": 0.946, "fgsm@1": 0.692, "pgd@1": 0.588, "apgd@1": 0.540, "square@1": 0.736}
    assert {name: table.column(name).max() for name in best} == best

    space = NASBench201()
    strings = [str(arch) for arch in space]
    assert (table.rows(strings) >= 0).all()
    classes = [str(space.canonical(space.parse(text))) for text in strings]
    np.testing.assert_array_equal(table.rows(strings), table.rows(classes))

    tracemalloc.start()
    everything()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200e6
