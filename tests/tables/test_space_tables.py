"""Tables of any search space: every layout in which benchmarks publish them, what is dropped, and directions."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nas
from nas.core.errors import InputError
from nas.search_spaces import SPACES
from nas.tables import SpaceTable, TableSettings, read_columns

CELLS = {  # two cells of NASBench-101: upper triangle, operations
    "101": "conv3x3-bn-relu",
    "101011": "conv3x3-bn-relu maxpool3x3",
}


def table(path: Path, space: str) -> SpaceTable:
    return read_columns(path, SPACES.get(space)())


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, logger="nas")
    logging.getLogger("nas").propagate = True
    return caplog


def nds_record(space: str, seed: int, errors: list[float | None], lr: float = 0.05) -> dict[str, Any]:
    net = json.loads(str(SPACES.get(space)().draw(seed + 1, seed=3)[seed]))
    return {"net": net, "optim": {"base_lr": lr, "wd": 5e-5}, "params": 10 + seed, "flops": 100, "test_ep_top1": errors}


def test_a_csv_with_the_two_columns_of_a_cell(tmp_path: Path) -> None:
    lines = [f"{'0' * 32},{triangle},{names},0.5,7" for triangle, names in CELLS.items()]
    path = written(tmp_path / "a.csv", "\n".join(["hash,upper_triangle,operations,val_108,seconds", *lines]))
    found = table(path, "nasbench101")
    space = SPACES.get("nasbench101")()
    assert found.architectures == tuple(str(space.parse(f"{bits} {names}")) for bits, names in CELLS.items())
    assert found.names() == ["val_108", "seconds"]
    assert found.values("val_108", found.architectures).tolist() == [0.5, 0.5]


def test_a_csv_with_arch_and_rows_that_are_not_used(tmp_path: Path, warnings: pytest.LogCaptureFixture) -> None:
    rows = ["64-111114-basic,44", "64-9-basic,3", "64-111123-basic,", "64-111114-basic,46"]
    found = table(written(tmp_path / "rows.csv", "\n".join(["arch,val", *rows])), "transnas-macro")
    assert found.architectures == ("64-111114-basic",)
    assert found.column("val").tolist() == [45]
    assert (found.rows_read, found.repeated, list(found.dropped.values())) == (4, 1, [1, 1])
    said = found.remarks()[0]
    assert "2 of 4 rows used; 1 repeat an architecture" in said
    assert "no value in any column" in said
    assert "no architecture of transnas-macro (the first is row 2: Expected" in said
    assert said in warnings.text


@pytest.mark.parametrize("space", ["nds-darts", "nds-resnext-a"])
def test_records_of_nds(space: str, tmp_path: Path) -> None:
    records = [nds_record(space, 0, [80, 30.5]), nds_record(space, 1, [70, 25.0]), nds_record(space, 2, [])]
    found = table(written(tmp_path / "a.json", records), space)
    assert found.names() == ["accuracy", "params", "flops"]
    assert found.column("accuracy")[:2].tolist() == [69.5, 75.0]
    assert np.isnan(found.column("accuracy")[2])
    assert found.column("params").tolist() == [10, 11, 12]
    space_itself = SPACES.get(space)()
    assert found.architectures == tuple(map(str, space_itself.draw(3, seed=3)))
    parts = table(written(tmp_path / "b.json", {"top": records[:1], "mid": records[1:]}), space)
    assert parts.architectures == found.architectures


def test_records_of_several_trainings_are_warned_of(tmp_path: Path, warnings: pytest.LogCaptureFixture) -> None:
    records = [nds_record("nds-resnet", 0, [30.0], lr=0.1), nds_record("nds-resnet", 1, [99.9], lr=0.2)]
    table(written(tmp_path / "lr-wd.json", records), "nds-resnet")
    assert "2 pairs of learning rate and weight decay" in warnings.text
    assert "accuracy is not a function of the network alone" in warnings.text
    assert "1 records have an error of 99 % or more" in warnings.text
    warnings.clear()
    table(written(tmp_path / "one.json", [nds_record("nds-resnet", 0, [30.0])]), "nds-resnet")
    assert not warnings.text


def test_what_is_odd_about_the_trainings_of_nds(tmp_path: Path, warnings: pytest.LogCaptureFixture) -> None:
    records = [nds_record("nds-resnet", row, [40.0, 30.0 + row]) for row in range(3)]
    for record, epochs in zip(records, (2, 3, 4)):
        record["optim"]["max_ep"] = epochs
    empty, failed = nds_record("nds-resnet", 3, []), nds_record("nds-resnet", 4, [40.0, None])
    empty["optim"]["max_ep"] = failed["optim"]["max_ep"] = 2
    found = table(written(tmp_path / "cut.json", [*records, empty, failed]), "nds-resnet")
    assert found.column("accuracy").tolist()[:3] == [70, 69, 68]
    assert "2 records end before their last epoch; the error of the last one that they have counts" in warnings.text
    assert "cut.json: without a value, of 5 architectures: accuracy 2" in warnings.text
    records[1]["params"] = "eleven"
    with pytest.raises(InputError, match="params of row 2 is 'eleven', not a number"):
        table(written(tmp_path / "word.json", records), "nds-resnet")
    with pytest.raises(InputError, match=r"its largest error is 0.31, a fraction, where NDS has percent"):
        table(written(tmp_path / "a.json", [nds_record("nds-resnet", 0, [0.4, 0.31])]), "nds-resnet")


def test_numbers_that_json_writes_as_texts(tmp_path: Path) -> None:
    """As `json.dump(default=str)` writes numbers of NumPy of single precision."""
    archs = list(map(str, SPACES.get("transnas-macro")().draw(3, seed=1)))
    records = [
        {"arch": arch, "val": value, "hash": "12", "note": "good"} for arch, value in zip(archs, (55.0, "57.25", None))
    ]
    found = table(written(tmp_path / "a.json", records), "transnas-macro")
    assert found.names() == ["val"]
    assert found.column("val").tolist() == [55.0, 57.25]
    assert found.dropped == {"no value in any column": 1}
    records[2]["val"] = "57_3"
    with pytest.raises(InputError, match="val of row 3 is '57_3', not a number"):
        table(written(tmp_path / "b.json", records), "transnas-macro")
    with pytest.raises(InputError, match=r"row 3 of column 'val' is '1_14\.15', not a number"):
        table(written(tmp_path / "c.csv", f"arch,val\n{archs[0]},3\n{archs[1]},1_14.15\n"), "transnas-macro")


def test_a_column_that_some_rows_lack_is_told(tmp_path: Path, warnings: pytest.LogCaptureFixture) -> None:
    archs = list(map(str, SPACES.get("transnas-macro")().draw(3, seed=1)))
    rows = [f"{archs[0]},1,", f"{archs[1]},2,inf", f"{archs[2]},3,5"]
    found = table(written(tmp_path / "a.csv", "\n".join(["arch,params,val", *rows])), "transnas-macro")
    said = "a.csv: without a value, of 3 architectures: val 2"
    assert found.remarks()[-1].endswith(said)
    assert said in warnings.text
    cells = list(map(str, SPACES.get("nasbench201")().draw(2, seed=1)))
    path = written(tmp_path / "b.csv", f"arch,val,acc_time\n{cells[0]},90,1\n{cells[1]},,2\n")
    collection = TableSettings(accuracy=str(path)).open()
    remarks = [line.removeprefix(f"{path}: ") for line in collection.remarks()]
    undirected = "no name says in which direction acc_time is better"
    assert remarks == [undirected, "without a value, of 2 architectures: val 1"]
    assert collection.direction("accuracy:acc_time") is None
    with pytest.raises(InputError, match="write accuracy:acc_time:max or accuracy:acc_time:min as objective"):
        collection.higher_is_better("accuracy:acc_time")


def test_pairs_and_records_of_nas_bench_mr(tmp_path: Path) -> None:
    configurations = [json.loads(str(arch)) for arch in SPACES.get("nasbench-mr")().draw(2, seed=1)]
    pairs = [[configuration, 70.0 + row] for row, configuration in enumerate(configurations)]
    found = table(written(tmp_path / "a.json", pairs), "nasbench-mr")
    assert found.names() == ["metric"]
    assert found.column("metric").tolist() == [70, 71]
    several = [[configurations[0], {"mIoU": 70.0, "note": "good"}], [configurations[1], {"mIoU": "71.5"}]]
    assert table(written(tmp_path / "c.json", several), "nasbench-mr").column("mIoU").tolist() == [70, 71.5]
    with pytest.raises(InputError, match=r"row 1 has .*good.*, not a number"):
        table(written(tmp_path / "d.json", [[configurations[0], {"note": "good"}]]), "nasbench-mr")
    records = [{"mIoU": 70.0, "params": 1.5, "embedding": [1], **configuration} for configuration in configurations]
    others = table(written(tmp_path / "b.json", records), "nasbench-mr")
    assert others.architectures == found.architectures
    assert others.names() == ["mIoU", "params"]
    assert [others.direction(name) for name in others.names()] == [True, False]


@pytest.mark.parametrize(
    ("space", "name", "advice"),
    [
        ("nasbench101", "nasbench_full.tfrecord", "module_adjacency"),
        ("transnas-micro", "transnas-bench_v10141024.pth", "get_single_metric"),
        ("darts", "NATS-sss-v1_0-50262.pickle.pbz2", "the columns arch and"),
        ("nds-enas", "folder", "is a folder"),
    ],
)
def test_official_files_say_what_to_export(space: str, name: str, advice: str, tmp_path: Path) -> None:
    if name == "folder":
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="as CSV or JSON but") as caught:
        table(tmp_path / name, space)
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "arch,val\nx,1\n", "no row is an architecture of transnas-macro with a value .row 1: Expected"),
        ("a.csv", "arch,val\n64-111114-basic,\n", "no row is an architecture"),
        ("a.csv", "arch,note\n64-111114-basic,good\n", "no column holds numbers"),
        ("a.csv", "net,val\n64-111114-basic,1\n", "no column is called arch or arch_str"),
        ("a.json", "[]", "it is not a list of rows"),
        ("a.json", '[["64-111114-basic", "good"]]', "row 1 has 'good', not a number"),
        ("a.json", '[["64-111114-basic"]]', "row 1 is not a pair"),
        ("a.json", "[3]", "row 1 has no arch, no net and no configuration"),
        ("a.json", '[{"net": {}, "test_ep_top1": ["x"]}]', "record 1 is not one of NDS"),
        ("a.json", '[{"net": {}}]', "record 1 is not one of NDS; it needs net, and test_ep_top1 as a list of numbers"),
    ],
)
def test_damaged_files(name: str, content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        table(written(tmp_path / name, content), "transnas-macro")
    with pytest.raises(InputError, match="there is no such file"):
        table(tmp_path / f"no-{name}", "transnas-macro")


def test_tables_that_only_nasbench201_has_are_refused(tmp_path: Path) -> None:
    for name in ("robustness", "robbench", "latency"):
        with pytest.raises(InputError, match=f"tables of darts but got {name}, which has cells of NAS-Bench-201 only"):
            TableSettings(**{name: str(tmp_path / "a.csv")}).open("darts")
    with pytest.raises(InputError, match="search space"):
        TableSettings(accuracy=str(tmp_path / "a.csv")).open("drats")
    zc = written(tmp_path / "zc.json", '{"cifar10": {"(4, 0, 3, 1, 4, 3)": {"nwot": {"score": 1.0}}}}')
    with pytest.raises(InputError, match="has the codes of cells of NAS-Bench-201"):
        TableSettings(scores=[str(zc)]).open("darts")


def test_open_tables_finds_a_class_by_any_member(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "arch,val\n64-41414-0_00_003,30\n64-41414-0_03_003,31\n")
    tables = nas.open_tables(space="transnas-micro", accuracy=path)
    column = tables["accuracy:val"]
    assert column["64-41414-0_03_003"] == 31
    assert column["64-41414-1_00_003"] == 30  # what an identity into a dead end adds is never seen
    assert tables.unit("accuracy:val") == "percent"
    assert tables.higher_is_better("accuracy:val")
    assert tables.remarks[0].endswith("2 of 2 rows used")


@pytest.mark.parametrize(
    ("space", "file", "rows", "column", "first"),
    [
        ("nasbench101", "nasbench101_test.csv", 1250, "test_108", 0.907953),
        ("nds-amoeba", "nds_Amoeba_in.json", 124, "accuracy", 65.368),
        ("nds-darts", "nds_DARTS_in.json", 121, "accuracy", 66.806),
        ("nds-resnext-a", "nds_ResNeXt-A_in.json", 130, "accuracy", 40.484),
        ("transnas-macro", "transnas_macro_autoencoder.csv", 3255, "val", 0.6238440275192261),
        ("transnas-micro", "transnas_micro_class_scene.csv", 4096, "val", 14.152070045471191),
        ("nasbench-mr", "nasbench_mr_seg.json", 2507, "metric", 76.09),
        ("darts", "darts_trained.csv", 600, "val", 85.0),
    ],
)
def test_published_files_are_read_whole(
    space: str, file: str, rows: int, column: str, first: float, data_dir: Path
) -> None:
    found = table(data_dir / "benchmarks" / file, space)
    assert (len(found.architectures), found.rows_read, found.dropped, found.repeated) == (rows, rows, {}, 0)
    assert found.column(column)[0] == pytest.approx(first, abs=1e-9)
    assert found.direction(column)
