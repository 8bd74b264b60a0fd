"""`nas tables supernets` on the published table, from rows that are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import nas, nas_json

from nas.studies.row_store import RowStore
from nas.studies.supernets.runs import KEYS, PATH_KEYS, PATH_VALUES, VALUES, settings
from nas.studies.supernets.screening import SCREENING

pytestmark = pytest.mark.landing
THREES = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"


def test_found_cells_have_percentiles_and_a_csv_file(tmp_path: Path, data_dir: Path) -> None:
    store = RowStore(tmp_path / "rows" / "searches.csv", KEYS, VALUES, settings(), write=True)
    for seed in range(2):
        store.add(("gdas", "own", str(seed), THREES.replace("3x3~2", f"{1 + 2 * seed}x{1 + 2 * seed}~2")), (75, 100, 9))
    tables = ("--robustness", str(data_dir / "robustness-dataset"), "--rows", "rows")
    value = nas_json("tables", "supernets", *tables, "--csv", "out.csv", cwd=tmp_path)
    gdas, drawn, largest = value["rows"]
    assert (gdas["strategy"], gdas["seeds"], gdas["convolutions"]) == ("gdas", 2, 5.5)
    assert drawn["seeds"] == 20
    assert largest["percentiles"]["hrs:pgd@1"] == pytest.approx([99.5], abs=0.4)  # typed from the study of RNAS
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + (2 + 20 + 1) * len(gdas["percentiles"])
    assert "to draw but there are none" in nas("tables", "supernets", *tables, "--plot", "a.png", cwd=tmp_path).stderr
    paths = RowStore(tmp_path / "rows" / "cells-by-epoch.csv", PATH_KEYS, PATH_VALUES, settings(), write=True)
    paths.add(("gdas", "own", "0", "1", THREES), (1.5, 0.1, 0.2, 0.2, 0.4, 0.1))
    nas("tables", "supernets", *tables, "--plot", "a.png", cwd=tmp_path)
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    text = nas("tables", "supernets", *tables, cwd=tmp_path).stdout
    assert "six 3x3 convolutions" in text
    assert "robbench" not in text
    robbench = ("--robbench", str(data_dir / "nasbench201" / "nas_robbench_201_cifar10.csv"))
    rows = nas_json("tables", "supernets", *tables, *robbench, cwd=tmp_path)["rows"]
    assert rows[0]["p_random"].keys() == rows[0]["among_equals"].keys() == {"hrs:pgd@1", "robbench:hrs:pgd@8"}
    assert rows[-1]["percentiles"]["robbench:autoattack"] == pytest.approx([99.4], abs=0.4)
    assert rows[0]["percentiles"].items() >= gdas["percentiles"].items()
    text = nas("tables", "supernets", *tables, *robbench, cwd=tmp_path).stdout
    assert "p random (hrs:pgd@1)" in text
    assert "among equals (robbench:hrs:pgd@8)" in text


def test_a_screening_names_the_best_two_for_other_seeds(tmp_path: Path, data_dir: Path) -> None:
    tables = ("--robustness", str(data_dir / "robustness-dataset"), "--rows", "rows")
    store = RowStore(tmp_path / "rows" / "screening.csv", KEYS, VALUES, settings(SCREENING), write=True)
    for name, arch in (("base", THREES.replace("conv_3x3", "conv_1x1")), ("late", THREES), ("margin", THREES)):
        store.add((name, "screening", "0", arch), (15, 100, 9))
    value = nas_json("tables", "supernets", *tables, "--plan", "screening", cwd=tmp_path)
    assert [row["strategy"] for row in value["rows"][:3]] == ["base", "margin", "late"]
    assert value["best"] == ["margin", "late"]
    assert value["goals"][1]["difference"] > 0
    text = nas("tables", "supernets", *tables, "--plan", "screening", cwd=tmp_path).stdout
    assert "margin: met with 0 of 1 seeds; +" in text
    assert "best two so far, 39 searches are missing: margin, late" in text
    images = ("--images", str(data_dir / "cifar10_train_first4000.npz"))
    done = nas("tables", "supernets", *tables, "--plan", "fresh", *images, cwd=tmp_path)
    assert done.returncode == 2
    assert "39 of its searches are missing" in done.stderr


def test_what_the_study_does_not_have_is_refused(tmp_path: Path, data_dir: Path) -> None:
    tables = ("--robustness", str(data_dir / "robustness-dataset"), "--rows", "rows")
    done = nas("tables", "supernets", *tables, "--strategies", "evolution", cwd=tmp_path)
    assert done.returncode == 2
    assert "strategies of the study but got evolution" in done.stderr
    assert (
        "--plan comparison, screening, fresh" in nas("tables", "supernets", *tables, "--plan", "x", cwd=tmp_path).stderr
    )
