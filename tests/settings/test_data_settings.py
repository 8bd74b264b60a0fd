"""Data settings of runs, checkpoints and score files of earlier versions, and where newer settings are refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import result_factory
from PIL import Image

from nas.commands import COMMANDS
from nas.commands.eval import Eval
from nas.commands.search import Search
from nas.commands.train import Train
from nas.commands.transfer import Transfer
from nas.core import config, provenance
from nas.core.data import DataSettings, load
from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.core.io.files import write_with_checksum
from nas.results import EvalResult
from nas.runs.given_model import evaluation_settings
from nas.runs.run_config import read_config
from nas.runs.run_folder import create, reopen
from nas.runs.settings_checksum import CHANGEABLE, EARLIER_DEFAULTS, EARLIER_OPTIONS, PLACES, provenance_of
from nas.runs.stages.transfer import combine
from nas.scoring.loop import default_row_settings, row_settings
from nas.scoring.rows import RowFile
from nas.settings import command_line
from nas.settings.schema import from_values
from nas.train import TrainedNetwork, large_batch_note, load_trained

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
NAMES = [str(number) for number in range(11)]
NEW = [key.removeprefix("data.") for key in EARLIER_DEFAULTS if key.startswith("data.") and key != "data.validation"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """Classes 0 to 10, four images of 4 x 4 each."""
    for name in NAMES:
        (tmp_path / "numbers" / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (4, 4), (255, 20 * int(name), 0)).save(tmp_path / "numbers" / name / f"{number}.png")
    return tmp_path / "numbers"


def images(root: Path, *more: str) -> list[str]:
    return ["data.name=imagefolder", f"data.root={root}", "device=cpu", *more]


def as_before(folder: Path) -> None:
    """Turn a run into one that a version before 0.3.0 began."""
    about = json.loads((folder / "config.json").read_text())
    for key in NEW:
        del about["settings"]["data"][key]
    write_with_checksum(folder / "config.json", about)


def first_version(settings: Any) -> dict[str, Any]:
    """The settings as version 0.1.0 wrote them."""
    values = config.plain(settings)
    for key in EARLIER_DEFAULTS:
        section, _, name = key.partition(".")
        values[section].pop(name, None)
    for name in EARLIER_OPTIONS.get(values["strategy"]["name"], ()):
        del values["strategy"][name]
    return values


# runs


def test_a_run_of_before_counts_as_text_and_its_checksum_stays(numbers: Path, tmp_path: Path) -> None:
    new = from_values({}, images(numbers, f"run.dir={tmp_path / 'run'}"))
    assert new.data.order == "numeric"
    with create("train", new):
        pass
    as_before(tmp_path / "run")
    values = first_version(new)
    before = provenance.settings_checksum(values, (*CHANGEABLE, *PLACES))
    with reopen(tmp_path / "run") as run:
        assert run.settings.data.order == "text"
        assert load(run.settings.data).classes[2] == "10"
        assert provenance_of(run.settings)["settings_sha256"] == before
    assert read_config(tmp_path / "run").settings["data"]["order"] == "text"
    assert provenance_of(new)["settings_sha256"] != before, "its labels are others"


def test_where_there_is_one_order_new_runs_have_the_checksum_of_before() -> None:
    sums = {provenance_of(from_values({}, [f"data.name={name}"]))["settings_sha256"] for name in ("digits", "cifar10")}
    for name in ("digits", "cifar10"):
        values = first_version(from_values({}, [f"data.name={name}"]))
        sums.remove(provenance.settings_checksum(values, (*CHANGEABLE, *PLACES)))
    assert not sums


def test_a_damaged_configuration_is_written_anew_with_the_same_meaning(numbers: Path, tmp_path: Path) -> None:
    with create("train", from_values({}, images(numbers, f"run.dir={tmp_path / 'run'}"))) as run:
        kept = run.store.get("config")
        for key in NEW:
            del kept["settings"]["data"][key]
        run.store.put("config", kept)
    (tmp_path / "run" / "config.json").unlink()
    with reopen(tmp_path / "run") as run:
        assert run.settings.data.order == "text"


def test_what_is_made_from_a_run_of_before_counts_as_it_did(numbers: Path, tmp_path: Path) -> None:
    with create("search", from_values({}, images(numbers, f"run.dir={tmp_path / 'run'}"))) as run:
        run.store.put("search/result", result_factory.searched(CELL).to_json())
    as_before(tmp_path / "run")
    assert Train().settings(str(tmp_path / "run"), [])[0].data.order == "text"
    assert Train().settings(str(tmp_path / "run"), ["data.order=numeric"])[0].data.order == "numeric"


# checkpoints


def network(path: Path, data: dict[str, Any], classes: list[str] | None = None) -> str:
    size = {"channels": 2, "cells_per_stage": 1}
    trained = TrainedNetwork("net", "nasbench201", CELL, size, 11, 4, [0.3] * 3, [0.4] * 3, data, "standard", 0.0)
    payload = trained.export(trained.build().state_dict())
    if classes is None:
        del payload["network"]["classes"]  # as in earlier versions
    else:
        payload["network"]["classes"] = classes
    checkpoint.save(path, {"kind": "network", **payload})
    return str(path)


def test_checkpoints_of_before_count_as_text(numbers: Path, tmp_path: Path) -> None:
    said = {"name": "imagefolder", "root": str(numbers), "size": None, "download": True, "validation": 0.1}
    old = network(tmp_path / "old.pt", said)
    settings, given = Eval().settings(old, ["eval.n_test=4", "eval.attacks=fgsm", "device=cpu"])
    assert settings.data.order == "text"
    Eval().check(settings, given)
    changed, _ = Eval().settings(old, ["data.order=numeric"])
    assert changed.data.order == "numeric"


def test_new_checkpoints_carry_their_order_and_names(
    numbers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = DataSettings("imagefolder", str(numbers), order="numeric")
    new = network(tmp_path / "new.pt", asdict(data), NAMES)
    assert load_trained(Path(new))[1].classes == NAMES
    few = ["eval.n_test=4", "eval.attacks=fgsm", "device=cpu"]
    settings, given = Eval().settings(new, few)
    assert settings.data.order == "numeric"
    Eval().check(settings, given)
    settings, given = Eval().settings(new, [*few, "data.order=text"])
    with pytest.raises(InputError, match=r"set data\.order"):
        Eval().check(settings, given)
    caplog.clear()
    for name in NAMES:
        (numbers / name).rename(numbers / f"n{int(name):03}")
    settings, given = Eval().settings(new, few)
    Eval().check(settings, given)
    assert "11 of 11 classes" in caplog.text


@pytest.mark.parametrize("classes", [["a"], [1] * 11, "abcdefghijk"])
def test_nonsense_names_are_refused(classes: Any, tmp_path: Path) -> None:
    path = network(tmp_path / "net.pt", {}, classes)
    with pytest.raises(InputError, match="does not fit"):
        load_trained(Path(path))


def test_networks_of_two_orders_do_not_meet(numbers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old = network(tmp_path / "old.pt", {"name": "imagefolder", "root": str(numbers)})
    new = network(tmp_path / "new.pt", asdict(DataSettings("imagefolder", str(numbers))), NAMES)
    both = [evaluation_settings(path, [], Transfer().reader()) for path in (old, new)]
    with pytest.raises(InputError, match=r"data\.order"):
        combine(both)
    both = [evaluation_settings(path, ["data.order=text"], Transfer().reader()) for path in (old, new)]
    assert combine(both)[0].data.order == "text"
    digits = [
        network(tmp_path / f"{name}.pt", {"name": "digits", **more})
        for name, more in (("a", {}), ("b", {"order": "numeric"}))
    ]
    combine([evaluation_settings(path, [], Transfer().reader()) for path in digits])
    ways = [f"torchvision:{name}" for name in ("resnet18", "resnet50")]
    assert not caplog.text
    combine([evaluation_settings(one, ["data.name=imagefolder"], Transfer().reader()) for one in ways])
    assert "in 2 ways (crop, 0.875, bilinear; crop, 0.9655, bilinear)" in caplog.text


# score files


def test_score_files_of_before_go_on_where_the_labels_are_the_same(numbers: Path, tmp_path: Path) -> None:
    def begun(settings: Any, name: str) -> None:
        kept = row_settings(settings, ["params"])
        for key in NEW:
            kept["data"].pop(key, None)
        (tmp_path / f"{name}.csv").write_text("arch\n")
        (tmp_path / f"{name}.csv.settings.json").write_text(json.dumps({"version": "0.2.0", **kept}))

    def opened(settings: Any, name: str) -> None:
        values = row_settings(settings, ["params"]), default_row_settings(settings, ["params"])
        with RowFile(tmp_path / f"{name}.csv", ["params"], *values):
            pass

    digits = from_values({}, ["data.size=8"])
    begun(digits, "digits")
    opened(digits, "digits")
    counted = from_values({}, images(numbers))
    begun(counted, "numbers")
    with pytest.raises(InputError, match=r"data\.order is text there and numeric here"):
        opened(counted, "numbers")
    opened(from_values({}, images(numbers, "data.order=text")), "numbers")
    (numbers / "10").rename(numbers / "ten")
    words = from_values({}, images(numbers))
    begun(words, "words")
    opened(words, "words")


# keys on the command line


@pytest.mark.parametrize(
    ("name", "overrides", "word"),
    [
        ("train", ["data.order=text"], "with data.name=digits (only with imagefolder)"),
        ("train", ["data.name=npz", "data.resize=crop"], "without data.size"),
        ("train", ["data.name=npz", "data.interpolation=bicubic"], "without data.size"),
        ("train", ["data.crop_share=.9"], "with data.resize=squash"),
        ("train", ["data.test=all"], "which needs training images"),
        ("run", ["data.test=all"], "which needs training images"),
        ("search", ["data.test=all"], "which needs training images"),
        ("score", ["data.test=all"], "which needs training images"),
        ("dps", ["data.test=all"], "which needs training images"),
    ],
)
def test_what_cannot_act_is_refused(name: str, overrides: list[str], word: str) -> None:
    with pytest.raises(InputError) as caught:
        command_line.from_values(COMMANDS.get(name)().reader(), {}, overrides)
    assert word in str(caught.value)


def test_a_recipe_cannot_train_on_test_images_either() -> None:
    with pytest.raises(InputError, match="which needs training images"):
        command_line.from_values(COMMANDS.get("train")().reader(), {"data": {"test": "all"}}, [])


# libraries


def test_libraries_say_how_their_images_are_cut() -> None:
    chosen = ["data.name=imagefolder", "data.root=here"]
    data = Eval().settings("torchvision:resnet50", chosen)[0].data
    assert (data.size, data.resize, data.crop_share, data.interpolation) == (224, "crop", 224 / 232, "bilinear")
    older = [*chosen, "eval.model_options=weights=IMAGENET1K_V1"]
    data = Eval().settings("torchvision:resnet50", older)[0].data
    assert (data.resize, data.crop_share) == ("crop", 0.875)
    data = Eval().settings("torchvision:resnet50", [*chosen, "data.resize=squash", "data.size=64"])[0].data
    assert (data.size, data.resize) == (64, "squash")
    data = Eval().settings("torchvision:resnet50", [*chosen, "data.crop_share=1"])[0].data
    assert (data.resize, data.crop_share) == ("crop", 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet50.a1_in1k", ("crop", 0.95, "bicubic")),
        ("dm_nfnet_f0.dm_in1k", ("squash-crop", 0.9, "bicubic")),
        ("convnext_small.fb_in22k_ft_in1k_384", ("squash", None, "bicubic")),
    ],
)
def test_so_does_timm(name: str, expected: tuple[str, float | None, str]) -> None:
    pytest.importorskip("timm")
    data = Eval().settings(f"timm:{name}", ["data.name=imagefolder", "data.root=here"])[0].data
    assert (data.resize, data.interpolation) == (expected[0], expected[2])
    if expected[1] is not None:
        assert data.crop_share == expected[1]


def test_padding_is_asked_back() -> None:
    timm = pytest.importorskip("timm")
    padding = [name for name in timm.list_pretrained() if timm.get_pretrained_cfg(name).crop_mode == "border"]
    if not padding:
        pytest.skip("this timm has no such model")
    chosen = ["data.name=imagefolder", "data.root=here"]
    with pytest.raises(InputError, match=r"data\.resize=squash or crop"):
        Eval().settings(f"timm:{padding[0]}", chosen)
    assert Eval().settings(f"timm:{padding[0]}", [*chosen, "data.resize=crop"])[0].data.resize == "crop"


# messages


def test_a_batch_above_the_data_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert large_batch_note("train", 10, 10) is None
    assert "train.batch_size=11 is more than the 10 images" in str(large_batch_note("train", 11, 10))
    small = ["device=cpu", "data.size=8", "model.channels=2", "model.cells_per_stage=1"]
    Train().check(from_values({}, [*small, f"arch={CELL}", "train.batch_size=1295"]))
    assert caplog.text.count("train.batch_size=1295 is more than the 1294 images") == 1
    caplog.clear()
    tiny = ["strategy.name=darts", "supernet.channels=2", "supernet.cells_per_stage=1", "strategy.batch_size=700"]
    Search().check(from_values({}, [*small, *tiny]))
    assert "strategy.batch_size=700 is more than the 647 images" in caplog.text


def test_remarks_and_clean_images_stand_in_the_text_and_the_page() -> None:
    from nas.report.notes import remarks
    from nas.report.text import corruption_lines, remark_lines

    def entry(**more: Any) -> EvalResult:
        corrupted = result_factory.corrupted({"fog": [0.5]}, 0.5, **more)
        return result_factory.evaluation({"clean": "10"}, corruptions=corrupted)

    found = replace(entry(remarks=["And those."]), remarks=["Fewer than <b>."])
    assert remarks(found) == ["Fewer than <b>.", "And those."]
    assert remark_lines(found) == ["note: Fewer than <b>.", "note: And those."]
    assert remarks(entry()) == []
    words = "  the clean accuracy is measured on other images"
    assert words in corruption_lines(entry(clean_images="other images"))
    assert words not in corruption_lines(entry(clean_images="the same images"))
