"""Definitions of values that have changed between versions, and files and runs of earlier versions."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.runs import metric_sources
from nas.runs import run_folder as run_module
from nas.runs.definitions import EARLIER_DEFINITIONS, check_run
from nas.runs.metric_sources import load_once
from nas.runs.run_folder import create, reopen
from nas.runs.stages.context import Watcher, Worker, run_context
from nas.scoring.loop import ScoreWorker, counted_for, dataset_of, default_row_settings, row_settings, score
from nas.scoring.rows import RowFile
from nas.search_spaces import NASBench201
from nas.search_spaces.architecture_source import ArchitectureSource
from nas.settings.schema import from_values

SPACE = NASBench201()
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
OTHER = "|nor_conv_1x1~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
TINY = (
    *("device=cpu", "executor.workers=1", "scoring.channels=2", "scoring.cells_per_stage=1"),
    *("model.channels=4", "model.cells_per_stage=1", "proxies.epe_nas.batch_size=8", "proxies.eproxy.batch_size=4"),
    *("proxies.eproxy.c_mid=4", "proxies.eproxy.c_out=3", "proxies.nwot.batch_size=8"),
)


def made(folder: Path, classes: int, side: int) -> str:
    """The setting for a file of random images, four of each class."""
    path = folder / f"{classes}-{side}.npz"
    if not path.exists():
        labels = np.repeat(np.arange(classes), 4)
        images = np.random.default_rng(0).integers(0, 256, (len(labels), side, side, 3), dtype=np.uint8)
        np.savez(path, images=images, labels=labels)
    return f"data.root={path}"


def settings(*overrides: str) -> Any:
    return from_values({"name": "score"}, [*TINY, *overrides])


def on(folder: Path, classes: int, side: int, *overrides: str) -> Any:
    return settings("data.name=npz", made(folder, classes, side), *overrides)


def opened(path: Path, of: Any, *proxies: str) -> RowFile:
    names = list(proxies)
    return RowFile(path, names, row_settings(of, names), default_row_settings(of, names))


def of_before(path: Path, of: Any, *proxies: str) -> None:
    """A score file of version 0.1: one row, and settings without the keys that it did not write."""
    with opened(path, of, *proxies) as file:
        score(ArchitectureSource(SPACE, [CELL]), ScoreWorker(of, list(proxies)), file)
    beside = path.with_name(f"{path.name}.settings.json")
    values = json.loads(beside.read_text())
    for key in EARLIER_DEFINITIONS:
        values.pop(key, None)
    if "proxies.eproxy" in values:
        del values["proxies.eproxy"]["use_barrier"]
    beside.write_text(json.dumps({**values, "version": "0.1.0"}))


# one rule for the network whose size counts


@pytest.mark.parametrize(("classes", "side"), [(10, 32), (10, 8), (3, 16)])
def test_weights_and_macs_are_counted_on_the_data_as_in_a_search(classes: int, side: int, tmp_path: Path) -> None:
    of = on(tmp_path, classes, side)
    cost = SPACE.cost(SPACE.parse(CELL), classes, image_size=side, **asdict(of.model))
    expected = {"params": cost.params, "flops": cost.macs}
    assert ScoreWorker(of, ["params", "flops"])(CELL).scores == expected
    ours = Worker(of, None)
    assert ours.score(CELL, ["params", "flops"]) == expected
    assert ours.trained.cost(SPACE.parse(CELL)) == cost
    assert counted_for(of, ["croze", "flops"]) == f"; flops are for {classes} classes of {side}x{side} images"
    assert counted_for(of, ["croze"]) == ""


def test_the_flops_term_of_eproxy_is_that_of_a_search(tmp_path: Path) -> None:
    of = on(tmp_path, 3, 8, "proxies.eproxy.alpha=-0.5")
    assert ScoreWorker(of, ["eproxy"])(CELL).scores == Worker(of, None).score(CELL, ["eproxy"])


@pytest.mark.parametrize(
    ("proxies", "extra", "expected"),
    [
        (["croze", "nwot"], (), {}),
        (["params"], (), {"counted_for": {"num_classes": 3}}),
        (["flops"], (), {"counted_for": {"num_classes": 3, "image_size": 8}}),
        (["eproxy"], (), {}),
        (["eproxy"], ("proxies.eproxy.alpha=0.1",), {"counted_for": {"num_classes": 3, "image_size": 8}}),
        (["eproxy"], ("proxies.eproxy.alpha=-0.1",), {"counted_for": {"num_classes": 3, "image_size": 8}}),
        (["epe_nas"], (), {}),
    ],
)
def test_only_what_values_depend_on_is_said(
    proxies: list[str], extra: tuple[str, ...], expected: dict[str, Any], tmp_path: Path
) -> None:
    found = row_settings(on(tmp_path, 3, 8, *extra), proxies)
    assert {key: found[key] for key in EARLIER_DEFINITIONS if key in found} == expected


@pytest.mark.parametrize(("classes", "said"), [(100, False), (101, True)])
def test_the_definition_of_epe_nas_is_said_above_a_hundred_classes(classes: int, said: bool, tmp_path: Path) -> None:
    assert ("definition" in row_settings(on(tmp_path, classes, 8), ["epe_nas"])) == said


# score files of earlier versions


@pytest.mark.landing
@pytest.mark.parametrize(
    ("proxy", "classes", "side", "extra"),
    [
        ("flops", 10, 32, ()),  # the size that version 0.1 assumed
        ("params", 10, 8, ()),  # does not depend on the image size
        ("nwot", 3, 8, ()),  # does not depend on the trained network
        ("eproxy", 3, 8, ()),
        ("eproxy", 10, 32, ("proxies.eproxy.alpha=0.1",)),
        ("epe_nas", 100, 8, ()),
    ],
)
def test_a_file_of_before_goes_on_to_the_same_numbers(
    proxy: str, classes: int, side: int, extra: tuple[str, ...], tmp_path: Path
) -> None:
    of, path = on(tmp_path, classes, side, *extra), tmp_path / "rows.jsonl"
    of_before(path, of, proxy)
    with opened(path, of, proxy) as file:
        counts = score(ArchitectureSource(SPACE, [CELL, OTHER]), ScoreWorker(of, [proxy]), file)
    assert (counts.before, counts.scored, counts.failed) == (1, 1, 0)
    values = [json.loads(line)["scores"] for line in path.read_text().splitlines()]
    assert values == [ScoreWorker(of, [proxy])(text).scores for text in (CELL, OTHER)]


@pytest.mark.parametrize(
    ("proxy", "classes", "side", "extra", "said"),
    [
        ("flops", 10, 16, (), "counted_for.image_size is 32 there and 16 here"),
        ("flops", 3, 32, (), "counted_for.num_classes is 10 there and 3 here"),
        ("params", 3, 32, (), "counted_for.num_classes is 10 there and 3 here"),
        ("eproxy", 10, 8, ("proxies.eproxy.alpha=0.1",), "counted_for.image_size is 32 there and 8 here"),
        ("epe_nas", 101, 8, (), "definition.epe_nas is s_c per pair of images there and s_c per image"),
        ("eproxy", 10, 8, ("proxies.eproxy.use_barrier=false", "proxies.eproxy.c_mid=3"), "use_barrier is True there"),
    ],
)
def test_a_file_of_before_with_other_numbers_is_refused_with_what_changed(
    proxy: str, classes: int, side: int, extra: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    of, path = on(tmp_path, classes, side, *extra), tmp_path / "rows.csv"
    of_before(path, of, proxy)
    before = path.read_bytes()
    with pytest.raises(InputError) as caught:
        opened(path, of, proxy)
    assert said in str(caught.value)
    assert "choose another --output" in str(caught.value)
    assert path.read_bytes() == before


def test_a_file_of_this_version_goes_on_and_other_data_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    of = on(tmp_path, 3, 8)
    with opened(path, of, "flops") as file:
        score(ArchitectureSource(SPACE, [CELL]), ScoreWorker(of, ["flops"]), file)
    with opened(path, of, "flops") as file:
        assert score(ArchitectureSource(SPACE, [CELL, OTHER]), ScoreWorker(of, ["flops"]), file).scored == 1
    with pytest.raises(InputError, match=r"counted_for\.image_size is 8 there and 16 here"):
        opened(path, on(tmp_path, 3, 16), "flops")


def test_data_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of, loads, load = on(tmp_path, 3, 8), [], metric_sources.load_data

    def noted(*arguments: Any) -> Any:
        loads.append(arguments)
        return load(*arguments)

    load_once.cache_clear()
    monkeypatch.setattr(metric_sources, "load_data", noted)
    row_settings(of, ["flops"])
    counted_for(of, ["flops"])
    assert ScoreWorker(of, ["flops"]).scorer.trained.image_size == 8
    assert len(loads) == 1
    load_once.cache_clear()


# runs of earlier versions


@pytest.mark.parametrize("where", ["search.objective=epe_nas", "search.features=graph,epe_nas"])
def test_a_search_of_before_by_epe_nas_on_many_classes_is_refused(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = () if "objective" in where else ("objective=params", "strategy.name=guided")
    of = on(tmp_path, 101, 8, where, *extra)
    monkeypatch.setattr(run_module, "__version__", "0.1.0")
    of.run.dir = str(tmp_path / "run")
    with create("search", of):
        pass
    monkeypatch.setattr(run_module, "__version__", "0.2.0")
    with reopen(tmp_path / "run") as run:
        words = r"more than 100 classes .* was begun by 0\.1\.0.*start a new run"
        with pytest.raises(InputError, match=words), run_context(run, Watcher()):
            pass
        run.store.put("search/result", {})  # the stages after a finished search do not depend on it
        check_run(run, dataset_of(of))


@pytest.mark.parametrize(
    ("objective", "classes", "version"), [("epe_nas", 100, "0.1.0"), ("nwot", 101, "0.1.0"), ("epe_nas", 101, "0.2.0")]
)
def test_others_go_on(
    objective: str, classes: int, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = on(tmp_path, classes, 8, f"objective={objective}")
    monkeypatch.setattr(run_module, "__version__", version)
    of.run.dir = str(tmp_path / "run")
    with create("search", of):
        pass
    monkeypatch.setattr(run_module, "__version__", "0.2.0")
    with reopen(tmp_path / "run") as run:
        check_run(run, dataset_of(of))
