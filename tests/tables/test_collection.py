"""Several tables asked at once, by settings that name their files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from nas.core.config import checked
from nas.core.errors import InputError
from nas.search_spaces import NASBench201
from nas.tables import ArrayTable, Collection, LatencyTable, RobustnessDataset, TableSettings

SPACE = NASBench201()
A = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
TWIN = A.replace("none~1|+", "avg_pool_3x3~1|+")  # isomorphic to A, and its class's other member here
B = A.replace("nor_conv_3x3", "skip_connect")
C = A.replace("nor_conv_3x3", "nor_conv_1x1")


def table(source: str, architectures: list[str], **columns: list[float]) -> ArrayTable:
    return ArrayTable(source, architectures, {name: np.array(values) for name, values in columns.items()})


@pytest.fixture
def tables() -> Collection:
    robust = table("main", [A, B, C], clean=[0.9, 0.8, np.nan], fog=[0.5, 0.4, 0.3])
    accuracy = table("accuracy", [A, TWIN, B, C], cifar10_test_acc=[90, 91, 80, 70])
    latency = LatencyTable("latency", [A, TWIN, B], {"fpga_latency": np.array([1.0, 2.0, 3.0])})
    return Collection({"": robust, "accuracy:": accuracy}, [latency])


def test_columns_are_found_by_prefix_or_by_name(tables: Collection) -> None:
    assert tables.labels == ["clean", "fog", "accuracy:cifar10_test_acc", "fpga_latency"]
    assert tables.default_columns == ["clean", "accuracy:cifar10_test_acc", "fpga_latency"]
    assert tables.chosen(["*_latency", "clean"]) == ["fpga_latency", "clean"]
    assert tables.levels("fpga_latency")[1].shape == (3, 1)
    owner, values = tables.column("accuracy:cifar10_test_acc")
    assert owner.source == "accuracy"
    assert list(values) == [90, 91, 80, 70]
    assert [tables.higher_is_better(name) for name in tables.labels] == [True, True, True, False]
    with pytest.raises(InputError, match="did you mean 'clean'"):
        tables.column("claen")
    with pytest.raises(InputError, match="did you mean 'fpga_latency'"):
        Collection({}, tables.unprefixed).column("fpga_latenzy")


def test_a_line_for_each_table_with_isomorphic_rows(tables: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "accuracy": "accuracy: 4 rows are 3 classes of isomorphic architectures;",
        "latency": "latency: 3 rows are 2 classes of isomorphic architectures;",
    }

    def starts(*columns: str) -> list[str]:
        return [line.partition(" a class has")[0] for line in tables.class_remarks(columns)]

    assert starts("clean", "fog") == []
    assert starts("accuracy:cifar10_test_acc", "accuracy:other") == [said["accuracy"]]
    assert starts("accuracy:cifar10_test_acc", "clean", "fpga_latency") == list(said.values())
    monkeypatch.setattr(NASBench201, "__len__", lambda space: 4)
    assert starts("accuracy:cifar10_test_acc", "fpga_latency") == [said["latency"]], "the other has the whole space"


def test_what_is_shown_by_default() -> None:
    """Of the robustness dataset those of its paper, of the others everything; of a robust training two scores more."""
    attacked = [f"{attack}@{eps}" for attack in ("fgsm", "pgd", "apgd", "square") for eps in (0.1, 1, 2, 4, 8)]
    kinds = ["corruptions", "weather", "noise", "blur", "digital", "fog", "snow"]
    main = table("main", [A], **{name: [0.5] for name in ["clean", *attacked, *kinds]})
    after = table("after", [A], **{name: [0.5] for name in ["clean", "fgsm@3", "fgsm@8", "pgd@3", "pgd@8"]})
    other = table("other", [A], clean=[0.5], fgsm=[0.5])
    assert Collection({"": main, "robbench:": after, "x:": other}).default_columns == [
        *("clean", "fgsm@1", "fgsm@2", "fgsm@4", "fgsm@8", "pgd@1", "apgd@1", "square@1"),
        *("corruptions", "weather", "noise", "blur", "digital"),
        *("robbench:clean", "robbench:fgsm@3", "robbench:fgsm@8", "robbench:pgd@3", "robbench:pgd@8"),
        *("robbench:hrs:fgsm@8", "robbench:hrs:pgd@8"),
        *("x:clean", "x:fgsm"),
    ]


def test_values_are_of_the_string_first_and_of_the_class_otherwise(tables: Collection) -> None:
    assert list(tables.values("accuracy:cifar10_test_acc", [TWIN, SPACE.parse(A)])) == [91, 90]
    assert list(tables.values("clean", [TWIN, B])) == [0.9, 0.8]


def test_classes_are_those_that_all_columns_have(tables: Collection) -> None:
    representatives = [str(SPACE.canonical(SPACE.parse(text))) for text in (A, B, C)]
    assert tables.classes(["fog"]) == representatives
    assert tables.classes(["accuracy:cifar10_test_acc", "fog"]) == representatives
    assert tables.classes(["fog", "clean"]) == representatives[:2]
    assert tables.classes(["accuracy:cifar10_test_acc", "fpga_latency"]) == representatives[:2]
    with pytest.raises(InputError, match="Expected columns"):
        tables.classes([])


def test_metrics_are_the_values_and_stay_as_they_are(tables: Collection) -> None:
    columns = ["clean", "fpga_latency", "accuracy:cifar10_test_acc", "hrs:fog"]
    for text in (A, TWIN, B, C, str(SPACE.largest())):
        found = tables.metrics(SPACE.parse(text), columns)
        assert list(found) == columns
        np.testing.assert_array_equal(list(found.values()), [tables.values(name, [text])[0] for name in columns])
    tables.metrics(A, columns)["clean"] = 5
    assert tables.metrics(A, columns)["clean"] == 0.9
    assert tables.metrics(A, ["fog"]) == {"fog": 0.5}


def test_settings_open_what_they_name(tmp_path: Path) -> None:
    (tmp_path / "accuracy.csv").write_text(f"arch_str,cifar10_test_acc\n{A},90\n")
    (tmp_path / "robbench.csv").write_text(f"arch_str,val_acc,val_fgsm_8_acc,val_pgd_8_acc\n{A},.8,.5,.4\n")
    (tmp_path / "latency.csv").write_text(f"arch_str,fpga_latency\n{A},1\n")
    (tmp_path / "scores.csv").write_text(f"arch,nwot\n{A},1\n")
    (tmp_path / "more.csv").write_text(f"arch,nwot\n{A},2\n")
    paths = {name: str(tmp_path / f"{name}.csv") for name in ("accuracy", "robbench", "latency")}
    one = TableSettings(**paths, scores=[str(tmp_path / "scores.csv")]).open()
    assert [name for name in one.labels if one.is_fraction(name)] == [
        *("robbench:clean", "robbench:fgsm@8", "robbench:pgd@8")
    ]
    assert one.labels == [
        *("accuracy:cifar10_test_acc", "robbench:clean", "robbench:fgsm@8", "robbench:pgd@8"),
        *("scores:nwot", "fpga_latency"),
    ]
    assert one.metrics(A, ["scores:nwot", "fpga_latency"]) == {"scores:nwot": 1, "fpga_latency": 1}
    two = TableSettings(scores=[str(tmp_path / "scores.csv"), str(tmp_path / "more.csv")]).open()
    assert two.labels == ["scores:scores:nwot", "scores:more:nwot"]
    with pytest.raises(InputError, match="'scores' more than once"):
        TableSettings(scores=["a/scores.csv", "b/scores.json"]).open()
    with pytest.raises(InputError, match="Expected a table but got none"):
        TableSettings().open()
    for name in ("robustness", "accuracy", "robbench", "latency"):
        with pytest.raises(InputError, match=r"nowhere.* but there is no such file; .*http"):
            TableSettings(**{name: str(tmp_path / "nowhere")}).open()
    assert asdict(TableSettings())["dataset"] == "cifar10"


@pytest.mark.landing
def test_all_of_cifar10(data_dir: Path) -> None:
    """Every column of every table; what is common to them; the same values looked up and in columns."""
    folder = data_dir / "nasbench201"

    tables = TableSettings(
        robustness=str(data_dir / "robustness-dataset"),
        accuracy=str(folder / "cifar10_test_acc.csv"),
        robbench=str(folder / "nas_robbench_201_cifar10.csv"),
        latency=str(folder / "hw_nas_bench_cifar10.csv"),
        scores=[str(folder / "zc_proxies_cifar10.csv")],
    ).open()
    assert all(len(tables.column(name)) for name in tables.labels)
    assert isinstance(tables.tables[""], RobustnessDataset)
    assert len(tables.labels) == len(set(tables.labels)) == 83
    assert len(tables.classes(["clean", "robbench:pgd@8", "edgegpu_latency"])) == 6466
    assert len(tables.classes(["scores:nwot", "clean"])) < 6466

    columns = ["clean", "fgsm@8", "robbench:hrs:pgd@8", "edgegpu_latency"]
    strings = [str(arch) for arch in SPACE]
    found = np.array([list(tables.metrics(text, columns).values()) for text in strings])
    expected = np.array([tables.values(name, strings) for name in columns])
    np.testing.assert_array_equal(found, expected.T)


def test_every_path_of_a_table_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = ("robustness", "accuracy", "robbench", "latency")
    found = checked({**dict.fromkeys(paths, "~/x.csv"), "scores": ["~/x.csv", "y.csv"]}, TableSettings)
    assert [getattr(found, name) for name in paths] == [str(tmp_path / "x.csv")] * 4
    assert found.scores == [str(tmp_path / "x.csv"), "y.csv"]


def test_what_the_tables_list_is_not_the_callers_to_say(tables: Collection) -> None:
    for name in ("labels", "usual"):
        with pytest.raises(TypeError, match=name):
            Collection(tables.tables, **{name: ["clean"]})  # type: ignore[arg-type]


def test_files_of_scores_are_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert checked({"scores": ["~/a.csv", "b.csv"]}, TableSettings).scores == ["/home/somebody/a.csv", "b.csv"]
