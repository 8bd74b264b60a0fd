"""The figures as files: vectors with embedded fonts, a legend, marks that differ without colour, the same bytes."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
import result_factory as make
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from papers import N, entries, finished, paper, whole

from nas.cli.main import run_command
from nas.core.goal import Goal
from nas.report.figures import cell_files, cells, curves
from nas.report.figures.drawing import Drawing, drawings
from nas.report.pages import comparison, run
from nas.report.paper.figures import write_figures
from nas.results import Check, EvalResult
from nas.searches.history import Step

pytestmark = pytest.mark.landing

SWEEP = [make.curve("pgd20", (0.0, 0.9), (4 / 255, 0.5), n=N)]


def networks() -> list[EvalResult]:
    return entries(sweep=SWEEP)


def streams(content: bytes) -> bytes:
    """The content of a PDF, unpacked."""
    found = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.S)
    return b"\n".join(_unpacked(one) for one in found) + content


def _unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return stream


def test_a_run_has_its_curves_and_cells_as_files_of_each_kind(tmp_path: Path) -> None:
    page = run.values(whole(networks()).run)
    paths = write_figures(tmp_path / "figures", page, [], ["svg", "pdf"])
    names = ["robustness-pgd20", "cell-best"]
    assert [path.name for path in paths] == [f"{name}.{kind}" for name in names for kind in ("svg", "pdf")]
    files = [path.read_bytes() for path in paths]
    for svg, pdf in zip(files[::2], files[1::2]):
        assert b"<image" not in svg
        assert b"<text" not in svg  # letters are shapes
        assert b"/Subtype /Image" not in pdf
        assert b"/FontFile2" in pdf  # TrueType
        assert b"/Type3" not in pdf
    again = write_figures(tmp_path / "again", page, [], ["svg", "pdf"])
    assert [path.read_bytes() for path in again] == files


def test_a_cell_in_a_file_has_every_edge_label_and_node_of_the_page() -> None:
    edges = [("c_{k-1}", "0", "dil_conv_5x5"), ("c_{k-1}", "1", "a_very_long_operation"), ("0", "1", "skip_connect")]
    drawn = cells.drawing(edges, "normal", "cell-a-normal")
    axes = Figure().add_subplot()
    cell_files._draw(axes, drawn.shown)
    texts = {text.get_text(): text.get_fontsize() for text in axes.texts}
    assert set(texts) == {"dil 5\u00d75", "a very long operation", "skip", "c", "k\u22121", "0", "1", ""}
    assert texts["a very long operation"] < texts["skip"] == cell_files.FONT * cell_files.UNIT  # it fits its label
    boxes = sum(isinstance(one, FancyBboxPatch) for one in axes.patches)
    assert (boxes, len(axes.patches)) == (3 + 3, 3 + 3 + 2 * 3)  # labels and nodes; a line and a head for each edge
    ends = {tuple(cell_files.path_of(line).vertices[-1]) for _, line, _ in drawn.shown["lines"]}
    assert len(ends) == 3


def test_a_path_of_svg_is_read() -> None:
    found = cell_files.path_of("M1 2V7Q1 9 3 9H8l-4.5 8h9v-1z")
    assert found.vertices.tolist()[:-1] == [[1, 2], [1, 7], [1, 9], [3, 9], [8, 9], [3.5, 17], [12.5, 17], [12.5, 16]]
    assert list(found.codes) == [1, 2, 3, 3, 2, 2, 2, 2, 79]


def test_two_figures_never_share_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_files.CellDrawing, "file", lambda drawing, kind: drawing.name.encode())
    page = {"cells": [cells.drawing([("in", "out", "conv")], "", name) for name in ("cell-a b", "cell-a_b")]}
    paths = write_figures(tmp_path, page, [], ["svg"])
    assert [path.name for path in paths] == ["cell-a_b.svg", "cell-a_b-2.svg"]
    assert [path.read_text() for path in paths] == ["cell-a b", "cell-a_b"]


def test_the_legend_names_each_network_and_the_marks_differ_without_colour() -> None:
    page = run.values(whole(networks()).run)
    drawing = next(drawings(page))
    axes = Figure().add_subplot()
    drawing.draw(axes)
    handles, labels = axes.get_legend_handles_labels()
    assert labels == ["best, standard", "best, adversarial", "random, adversarial"]
    looks = {(line.get_marker(), str(line.get_linestyle()), tuple(line._dash_pattern[1] or ())) for line in handles}
    assert len(looks) == 3


def test_a_long_search_is_no_bitmap_in_a_file() -> None:
    steps = [Step(number, "a", float(number % 7), 6.0, None) for number in range(1, curves.MAX_VECTOR_DOTS + 2)]
    drawing = curves.search(steps, Goal("croze"), False)
    assert "<image" in drawing
    assert b"<image" not in drawing.file("svg")


def test_the_figures_of_a_comparison_and_a_landscape(tmp_path: Path) -> None:
    first, *others = networks()
    found = paper(whole([replace(first, measures=make.measured()), *others]))
    assert [one.name for one in drawings(comparison.values(found.networks))] == ["pareto0", "curves0"]
    page = {"nothing": None, "text": "<svg", "figures": []}
    paths = write_figures(tmp_path, page, [replace(first, measures=make.measured())], ["pdf"])
    assert [path.name for path in paths] == ["landscape-best-standard.pdf"]
    assert b"/FontFile2" in streams(paths[0].read_bytes())


def test_the_marker_of_a_network_whose_checks_warn_is_hollow() -> None:
    first, *others = networks()
    found = whole([replace(first, checks=[Check("zero-gradients", "warn", "-")]), *others])
    compared = [paper(one).networks for one in (found, whole([first, *others]))]
    page, plain = map(comparison.page, compared)
    assert "Hollow marker" in page
    assert "Hollow marker" not in plain
    (drawn, *_), (certain, *_) = (list(drawings(comparison.values(one))) for one in compared)
    assert _points(drawn) == {"1": ("none", True), "2": ("full", False), "3": ("full", False)}
    assert _points(certain) == dict.fromkeys("123", ("full", False))


def test_only_the_figure_with_a_hollow_marker_explains_it() -> None:
    first, second, _ = networks()
    found = paper(whole([replace(first, checks=[Check("zero-gradients", "warn", "-")]), replace(second, eps=4 / 255)]))
    fronts = comparison._fronts(list(enumerate(found.networks.checkpoints, start=1)))
    assert [hollow for *_, hollow in fronts] == [True, False]


def _points(drawing: Drawing) -> dict[str, tuple[str, bool]]:
    """By the number of a network: how its marker is filled, and whether its label warns."""
    axes = Figure().add_subplot()
    drawing.draw(axes)
    labels = {str(line.get_label()): str(line.get_fillstyle()) for line in axes.lines}
    points = {label: fill for label, fill in labels.items() if label[0].isdigit()}
    return {label.split(":")[0]: (fill, label.endswith("(checks warn)")) for label, fill in points.items()}


def test_an_unknown_kind_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["report", str(tmp_path), "--figures", "png"]) == 2
    assert "--figures svg,pdf" in capfd.readouterr().err


def test_the_command_lists_the_files(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Drawing, "file", lambda drawing, kind: f"{drawing.name} {kind}".encode())
    folders = [finished(tmp_path / name, one, "eval") for name, one in zip("ab", networks())]
    words = ["report", *map(str, folders), "--out", str(tmp_path / "both.html"), "--figures", "svg, pdf", "--json"]
    assert run_command(words) == 0
    files = json.loads(capfd.readouterr().out)["files"]["figures"]
    named = [str(Path(file).relative_to(tmp_path)) for file in files]
    assert named[:2] == ["a/figures/robustness-pgd20.svg", "a/figures/robustness-pgd20.pdf"]
    assert "both-figures/pareto0.pdf" in named
    assert all(Path(file).is_file() for file in files)
