"""CSV and JSON files of scores and accuracies: every published layout, and damage told in one line."""

from __future__ import annotations

import bz2
import gc
import gzip
import json
import lzma
import math
from pathlib import Path

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces import NASBench201
from nas.tables import ArrayTable, read_accuracies, read_latencies, read_robbench, read_scores

A = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
TWIN = A.replace("none~1|+", "avg_pool_3x3~1|+")  # isomorphic to A: what it adds only sees zeros
B = A.replace("nor_conv_3x3", "skip_connect")


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_scores_as_published(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f"\ufeffarch_str,snip, nwot \n{A},1e3,-2\n{B},,nan\n")
    table = read_scores(path)
    assert table.architectures == (A, B)
    assert table.names() == ["snip", "nwot"]
    np.testing.assert_array_equal(table.column("snip"), [1000, np.nan])
    np.testing.assert_array_equal(table.column("nwot"), [-2, np.nan])


def test_scores_as_nas_score_writes_them(tmp_path: Path) -> None:
    header = "arch,canonical,croze,zen,seconds,reason\n"
    rows = f'{A},{A},1.5,2.5,0.1,\n{B},{B},,3,0.2,"croze: no layer, so no score"\n{A},{A},9,9,0.1,\n'
    table = read_scores(written(tmp_path, "a.csv", header + rows))
    assert table.names() == ["croze", "zen"]
    np.testing.assert_array_equal(table.column("croze"), [1.5, np.nan])
    assert table.repeated == 1

    entries = [
        {"arch": A, "canonical": A, "scores": {"croze": 1.5, "zen": 2.5}, "seconds": 0.1, "reason": None},
        {"arch": B, "canonical": B, "scores": {"zen": 3}, "seconds": 0.2, "reason": "croze: no layer"},
        {"arch": A, "canonical": A, "scores": {"croze": 9, "zen": 9}, "seconds": 0.1},
        {"arch": TWIN, "canonical": A, "scores": None, "reason": "killed"},
    ]
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    for path in (written(tmp_path, "a.jsonl", lines), written(tmp_path, "a.json", json.dumps(entries))):
        same = read_scores(path)
        assert same.repeated == 1
        assert same.architectures == (A, B, TWIN)
        assert same.names() == ["croze", "zen"]
        np.testing.assert_array_equal(same.column("croze"), [1.5, np.nan, np.nan])
        np.testing.assert_array_equal(same.column("zen"), [2.5, 3, np.nan])


@pytest.mark.parametrize("header", ["arch,arch_str", "arch_str,arch"])
def test_of_two_columns_of_architectures_the_own_one_is_read(header: str, tmp_path: Path) -> None:
    """`arch`, as `nas score` calls it; neither is a column of numbers."""
    cells = (A, B) if header.startswith("arch,") else (B, A)
    table = read_scores(written(tmp_path, "a.csv", f"{header},nwot\n{cells[0]},{cells[1]},7\n"))
    assert (table.architectures, table.names()) == ((A,), ["nwot"])


def test_tiny_scores_keep_their_digits(tmp_path: Path) -> None:
    table = read_scores(written(tmp_path, "a.csv", f"arch,fisher\n{A},1e-200\n{B},2.5e-200\n"))
    assert list(table.column("fisher")) == [1e-200, 2.5e-200]


def test_columns_of_words_are_passed_over_and_empty_ones_failed(tmp_path: Path) -> None:
    table = read_scores(
        written(tmp_path, "a.csv", f"index,arch,note,zen,croze,runs\n7,{A},good,1,,3 runs\n8,{B},,2,,\n")
    )
    assert table.names() == ["zen", "croze"]
    assert np.isnan(table.column("croze")).all()


BAD_SCORES = {
    "a.csv: is damaged: no column is called arch": "string,zen\nx,1\n",
    "b.csv: is damaged: no column is called": "",
    "c.csv: row 3 has 1 cells, the header 2": f"arch,zen\n{A},1\n{B}\n",
    "d.csv: row 3 of column 'zen' is 'x'": f"arch,zen\n{A},1\n{B},x\n",
    "e.csv: its header repeats 'zen'": f"arch,zen,zen\n{A},1,2\n",
    "f.jsonl: line 2 is not JSON": json.dumps({"arch": A, "scores": {}}) + "\n{",
    "g.jsonl: row 1 is not of the form": '{"zen": 1}\n',
    "h.jsonl: row 1 has 'x' for 'zen'": json.dumps({"arch": A, "scores": {"zen": "x"}}),
    "i.json: it is neither a list of rows": "{}",
    "j.json: it is not JSON": "[",
    "k.jsonl: row 1 has True for": json.dumps({"arch": A, "scores": {"zen": True}}),
    "m.csv: since its columns are separated by semicolons; save it with commas": f"arch;zen\n{A};1\n",
    "n.csv: separated by tabs": f"index\tarch_str\tzen\n0\t{A}\t1\n",
    "o.csv: row 2 of column 'acc' is '93.2%', not a number": f"arch,zen,acc\n{A},1,93.2%\n",
    "p.csv: row 3 of column 'acc' is '-93,2', not a number": f'arch,zen,acc\n{A},1,\n{B},1,"-93,2"\n',
    "q.csv: row 2 of column 'acc' is ' 93.2 %', not a number": f"arch,zen,acc\n{A},1, 93.2 %\n",
    "r.csv: row 2 of column 'acc' is '53.2 ± 0.1', not a number": f"arch,zen,acc\n{A},1,53.2 ± 0.1\n",
    "s.csv: row 2 of column 'acc' is '53.2 +/- .1', not a number": f"arch,zen,acc\n{A},1,53.2 +/- .1\n",
    "l.csv: unexpected end of data": 'arch,zen\n"x,1\n',
}


@pytest.mark.parametrize("words", BAD_SCORES)
def test_damaged_scores(tmp_path: Path, words: str) -> None:
    name, _, message = words.partition(": ")
    path = written(tmp_path, name, BAD_SCORES[words])
    with pytest.raises(InputError) as error:
        read_scores(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "nas score --output" in str(error.value)


def test_a_compressed_file_is_to_be_unpacked(tmp_path: Path) -> None:
    for name, pack in (("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress)):
        path = tmp_path / f"a.csv.{name}"
        path.write_bytes(pack(f"arch,zen\n{A},1\n".encode()))
        with pytest.raises(InputError, match=f"it is a {name} file; unpack it first"):
            read_scores(path)
    path.write_bytes(b"arch,zen\n\xff\xfe")
    with pytest.raises(InputError, match="it is not text"):
        read_scores(path)


@pytest.mark.parametrize("on", [True, False])
def test_reading_leaves_the_garbage_collector_as_it_was(on: bool, tmp_path: Path) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        read_scores(written(tmp_path, "a.csv", f"arch,zen\n{A},1\n"))
        assert gc.isenabled() == on
        with pytest.raises(InputError):
            read_scores(written(tmp_path, "b.json", "["))
        assert gc.isenabled() == on
    finally:
        (gc.enable if before else gc.disable)()


def test_missing_files_say_where_to_get_them(tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    for read, where in (
        (read_scores, "nas score"),
        (read_accuracies, "github.com/D-X-Y/NAS-Bench-201"),
        (lambda p: read_robbench(p, "cifar10"), "github.com/TT2408/nasrobbench201"),
    ):
        with pytest.raises(InputError, match=rf"none\.csv but there is no such file; .*{where}"):
            read(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_scores(tmp_path)


def test_robbench_columns_have_the_names_of_attacks(tmp_path: Path) -> None:
    header = "arch_str,cifar10#val_acc,cifar10#val_fgsm_3.0_acc,cifar10#val_pgd_8_acc,cifar10#autoattack,other#val_acc"
    path = written(tmp_path, "a.csv", f"{header}\n{A},.8,.6,.5,.4,.1\n{B},.7,.5,.4,0,.2\n")
    table = read_robbench(path, "CIFAR10")
    assert all(table.is_fraction(name) for name in [*table.names(), "hrs:pgd@8"])
    assert not table.is_fraction("params")
    assert table.names() == ["clean", "fgsm@3", "pgd@8", "autoattack"]
    np.testing.assert_allclose(table.column("hrs:pgd@8"), [2 * 0.8 * 0.5 / 1.3, 2 * 0.7 * 0.4 / 1.1])
    assert table.column("hrs:autoattack")[1] == 0
    with pytest.raises(InputError, match=r"'imagenet' in .* but it has cifar10, other"):
        read_robbench(path, "imagenet")
    plain = written(tmp_path, "b.csv", f"arch_str,val_acc,val_fgsm_3_acc\n{A},.8,.6\n")
    assert read_robbench(plain, "anything").names() == ["clean", "fgsm@3"]
    with pytest.raises(InputError, match="no column is called val_acc"):
        read_robbench(written(tmp_path, "c.csv", f"arch_str,zen\n{A},1\n"), "cifar10")


def test_accuracies_answer_with_the_string_first_and_its_class_otherwise(tmp_path: Path) -> None:
    table = read_accuracies(written(tmp_path, "a.csv", f"index,arch_str,cifar10_test_acc\n0,{A},80\n1,{TWIN},81\n"))
    assert list(table.values("cifar10_test_acc", [TWIN, A])) == [81, 80]
    alone = ArrayTable("alone", [TWIN], {"x": np.array([3.0])})
    assert list(alone.values("x", [A, TWIN])) == [3, 3]
    assert math.isnan(alone.values("x", [B])[0])
    assert list(ArrayTable("nothing", [], {"x": np.array([])}).rows([A])) == [-1]
    with pytest.raises(InputError, match="no column holds numbers"):
        read_accuracies(written(tmp_path, "b.csv", f"arch_str,name\n{A},x\n"))


def test_that_the_first_row_counts_is_not_said_of_a_mean() -> None:
    for mean, value, remarks in ((True, 2.0, 0), (False, 1.0, 1)):
        table = ArrayTable("t", [A, A], {"x": np.array([1.0, 3.0])}, mean=mean)
        assert (table.column("x").tolist(), len(table.remarks())) == ([value], remarks)


def test_the_score_of_two_zeros_is_zero_and_a_score_of_null_is_none(tmp_path: Path) -> None:
    zeros = ArrayTable("t", [A], {"clean": np.array([0.0]), "fgsm@1": np.array([0.0])})
    assert zeros.column("hrs:fgsm@1").tolist() == [0.0]
    rows = [{"arch": A, "scores": {"zen": None}}, {"arch": B, "scores": {"zen": 2}}]
    found = read_scores(written(tmp_path, "a.json", json.dumps(rows)))
    np.testing.assert_array_equal(found.column("zen"), [np.nan, 2])


def test_a_class_is_answered_by_its_representative() -> None:
    space = NASBench201()
    heavy, absent = A.replace("none~1|+", "nor_conv_3x3~1|+"), TWIN
    representative = str(space.canonical(space.parse(heavy)))
    assert representative not in (heavy, absent)
    assert list(ArrayTable("t", [heavy, representative], {"x": np.array([1.0, 2.0])}).values("x", [absent])) == [2]


def test_a_row_that_is_no_architecture_is_named_with_its_file(tmp_path: Path) -> None:
    table = read_scores(written(tmp_path, "a.csv", f"arch,zen\n{A},1\nGenotype(),2\n"))
    with pytest.raises(InputError, match=r"a\.csv, architecture 2: Expected a NAS-Bench-201 cell"):
        _ = table.classes


def test_the_real_ones(data_dir: Path) -> None:
    folder = data_dir / "nasbench201"
    scores = read_scores(folder / "zc_proxies_cifar10.csv")
    assert (len(scores.architectures), len(scores.names())) == (9445, 13)
    accuracies = read_accuracies(folder / "cifar10_test_acc.csv")
    assert accuracies.names() == ["cifar10_test_acc"]
    assert accuracies.column("cifar10_test_acc").max().round(2) == 94.37
    assert len(accuracies.architectures) == 15625
    robbench = read_robbench(folder / "nas_robbench_201_cifar10.csv", "cifar10")
    assert robbench.names() == ["clean", "fgsm@3", "pgd@3", "fgsm@8", "pgd@8", "autoattack"]
    assert (robbench.rows(str(arch) for arch in NASBench201()) >= 0).all()
    assert len(robbench.architectures) == 6466
    assert read_scores(data_dir / "croze_release_scores.csv").names() == ["score_init0", "score_init1"]


def test_measured_values_of_several_rows_are_their_mean(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In any notation of the same string; isomorphic ones stay apart, empty cells, NaN and inf do not count."""
    lines = [f"{A},80,.1,", f"{B},60,,1", f"{A.replace('+', ' + ')},82,.1,nan", f"{A},inf,.1,", f"{TWIN},10,0,2"]
    lines.append(f"{A},,.1,")
    path = written(tmp_path, "a.csv", "arch_str,x,y,z\n" + "\n".join(lines) + "\n")
    table = read_accuracies(path)
    assert table.architectures == (A, B, TWIN)
    np.testing.assert_array_equal(table.column("x"), [81, 60, 10])
    np.testing.assert_array_equal(table.column("y"), [0.1, np.nan, 0])  # equal ones give exactly themselves
    np.testing.assert_array_equal(table.column("z"), [np.nan, 1, 2])
    (said,) = [record.getMessage() for record in caplog.records]
    assert (
        said == f"{path}: 1 architecture had several rows; their mean is used; values left out that are "
        "missing or not finite: 2."
    )
    robbench = f"arch,val_acc,val_pgd_8_acc\n{A},.5,.25\n{B},.5,.5\n{A},.75,.5\n{B},.25,0\n"
    found = read_robbench(written(tmp_path, "b.csv", robbench), "cifar10")
    assert (found.column("clean").tolist(), found.column("pgd@8").tolist()) == ([0.625, 0.375], [0.375, 0.25])
    assert "b.csv: 2 architectures had several rows" in caplog.text
    latencies = read_latencies(written(tmp_path, "c.csv", f"arch,pixel3_latency\n{A},1\n{A},-1\n{A},2\n"), "cifar10")
    assert latencies.column("pixel3_latency").tolist() == [1.5]  # -1 is no measurement


def test_the_mean_does_not_depend_on_the_order(tmp_path: Path) -> None:
    values = [93.1, 92.3, 91.99, 94.37, 90.05]
    means = set()
    for turn in range(5):
        rows = [f"{A},{value}" for value in values[turn:] + values[:turn]]
        means.add(read_accuracies(written(tmp_path, f"{turn}.csv", "\n".join(["arch,x", *rows]))).column("x")[0])
    assert len(means) == 1
    assert means.pop() == pytest.approx(sum(values) / 5, rel=1e-15)


def test_score_files_keep_their_first_row(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = read_scores(written(tmp_path, "a.csv", f"arch,zen\n{A},1\n{A.replace('+', ' +')},3\n"))
    assert (table.architectures, table.column("zen").tolist(), table.repeated) == ((A,), [1], 1)
    assert not caplog.records
    (said,) = table.remarks()
    assert said.endswith("a.csv: of an architecture the first row counts; rows that repeat one: 1")
    assert read_scores(written(tmp_path, "b.csv", f"arch,zen\n{A},1\n{B},3\n")).remarks() == []


def test_the_names_of_accuracies_say_in_which_direction_they_are_better(tmp_path: Path) -> None:
    text = f"arch,test,test_error,latency_ms\n{A},.9,.1,3\n{A},.7,.3,3\n{B},.8,.2,2\n"
    table = read_accuracies(written(tmp_path, "a.csv", text))
    assert [table.direction(name) for name in table.names()] == [True, False, False]
    (said,) = table.remarks()
    assert said.endswith("a.csv: lower is better for test_error, latency_ms")
    assert read_accuracies(written(tmp_path, "b.csv", f"arch,val,test\n{A},1,2\n")).remarks() == []


def test_architectures_are_read_in_any_notation(tmp_path: Path) -> None:
    """The string's own row is found, not another of its class, however the file writes it."""
    names = NASBench201().parse(TWIN).operations
    lines = [f"{A.replace('+', ' + ')},1", f'"{names}",2', "5,3", '"naslib:(4, 0, 3, 1, 4, 3)",4', f'" {B}",5']
    table = read_accuracies(written(tmp_path, "a.csv", "arch,x\n" + "\n".join(lines) + "\n"))
    five, naslib = (str(NASBench201().parse(text)) for text in ("5", "naslib:(4, 0, 3, 1, 4, 3)"))
    assert table.architectures == (A, TWIN, five, naslib, B)
    assert table.values("x", [A, TWIN, five, naslib, B]).tolist() == [1, 2, 3, 4, 5]
