"""Damage to a run's files is named, and the resumed run comes to the result of an undamaged one."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import TINY, killed_when, nas, nas_json, without_seconds

from nas.core.io import checkpoint

pytestmark = pytest.mark.landing

SMALL = (
    *(text for text in TINY if not text.startswith(("train.steps", "train.validation_steps", "eval.sweep"))),
    "run.trainings=standard",
    "run.random=false",
    "eval.attacks=fgsm",
    "eval.sweep=[]",
    "executor.workers=1",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, few_digits: str) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("whole")
    nas_json("run", "quickstart", *SMALL, few_digits, "run.dir=run", cwd=folder)
    return folder / "run"


@pytest.fixture(scope="module")
def searching(tmp_path_factory: pytest.TempPathFactory, few_digits: str) -> Path:
    """The folder of the same run, killed in its search."""
    folder = tmp_path_factory.mktemp("searching")

    def some() -> bool:
        if not (folder / "run/store.sqlite").exists():
            return False
        with sqlite3.connect(f"file:{folder / 'run/store.sqlite'}?mode=ro", uri=True, timeout=1) as connection:
            return connection.execute("SELECT COUNT(*) FROM history").fetchone()[0] >= 4

    killed_when(some, "run", "quickstart", *SMALL, few_digits, "run.dir=run", cwd=folder)
    return folder / "run"


def result(run: Path) -> dict[str, Any]:
    return without_seconds(json.loads((run / "result.json").read_text()))


def resumed(run: Path) -> tuple[dict[str, Any], str]:
    """The result of the resumed run, and its standard error."""
    done = nas("resume", str(run), "--json", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    return without_seconds(json.loads(done.stdout)), done.stderr


def copied(run: Path, to: Path) -> Path:
    return Path(shutil.copytree(run, to / "run"))


def overwritten(path: Path) -> None:
    """Overwrite the second half of the file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"\xa5" * (len(content) - len(content) // 2))


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [pytest.param(overwritten, marks=pytest.mark.slow), emptied, pytest.param(Path.unlink, marks=pytest.mark.slow)],
)
def test_a_damaged_store_in_mid_search(
    searching: Path, whole: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    run = copied(searching, tmp_path)
    (run / "store.sqlite-wal").unlink(missing_ok=True)
    damage(run / "store.sqlite")
    found, said = resumed(run)
    assert found == result(whole)
    for name in ("best", "final"):  # the same bits, although another process was stopped on the way
        first, second = (
            checkpoint.load(one / f"models/best-standard/{name}.pt", "network")["weights"] for one in (whole, run)
        )
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert f"{run / 'store.sqlite'} was damaged" in said
    assert "good copy" in said
    assert (run / "store.damaged-1.sqlite").exists() == (damage is not Path.unlink)


@pytest.mark.slow
def test_a_store_that_is_older_than_everything_else(whole: Path, tmp_path: Path) -> None:
    """The store is restored from the copy of the very start, while the networks are those of the end."""
    run = copied(whole, tmp_path)
    (run / "result.json").unlink()
    emptied(run / "store.sqlite")
    shutil.copyfile(_first_copy(tmp_path, run), run / "store.good.sqlite")
    found, said = resumed(run)
    assert found == result(whole)
    assert "it is empty, 0 bytes" in said


def _first_copy(tmp_path: Path, run: Path) -> Path:
    """The good copy of a store of a run that has just begun."""
    from nas.core.storage.backup import renew_copy
    from nas.core.storage.sqlite import SqliteStore

    with SqliteStore(tmp_path / "first.sqlite") as store:
        store.put("config", json.loads((run / "config.json").read_text()))
        renew_copy(store)
    return tmp_path / "first.good.sqlite"


def test_a_damaged_store_without_a_good_copy_is_told(searching: Path, tmp_path: Path) -> None:
    run = copied(searching, tmp_path)
    emptied(run / "store.sqlite")
    emptied(run / "store.good.sqlite")
    done = nas("resume", str(run), cwd=tmp_path)
    assert done.returncode == 2
    assert "so is its good copy store.good.sqlite (it is empty, 0 bytes)" in done.stderr
    assert "Traceback" not in done.stderr
    assert (run / "store.sqlite").exists()  # nothing was moved


@pytest.mark.parametrize(
    "damage",
    [pytest.param(overwritten, marks=pytest.mark.slow), flipped, pytest.param(emptied, marks=pytest.mark.slow)],
)
def test_a_damaged_result_is_made_again(whole: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    run = copied(whole, tmp_path)
    damage(run / "result.json")
    told = nas("report", str(run), cwd=tmp_path)
    assert told.returncode == 2
    assert "nas resume" in told.stderr
    found, said = resumed(run)
    assert found == result(whole) == result(run)
    assert f"{run / 'result.json'} was damaged" in said
    assert (run / "result.damaged-1.json").exists()


@pytest.mark.parametrize(
    "name", [pytest.param("last", marks=pytest.mark.slow), "best", pytest.param("final", marks=pytest.mark.slow)]
)
def test_a_damaged_checkpoint_of_a_trained_network(whole: Path, tmp_path: Path, name: str) -> None:
    run = copied(whole, tmp_path)
    (run / "result.json").unlink()
    path = run / f"models/best-standard/{name}.pt"
    overwritten(path)
    found, said = resumed(run)
    assert found == result(whole)
    assert f"{path} was damaged" in said


def test_settings_changed_by_hand_are_told(whole: Path, tmp_path: Path) -> None:
    run = copied(whole, tmp_path)
    path = run / "config.json"
    original = path.read_text()
    path.write_text(original.replace('"budget": 12', '"budget": 13'))
    done = nas("resume", str(run), cwd=tmp_path)
    assert done.returncode == 2
    assert "keeps the settings that it began with" in done.stderr
    path.unlink()
    found, said = resumed(run)
    assert found == result(whole)
    assert path.read_text() == original
    assert "written anew from the run's store" in said


@pytest.mark.slow
def test_an_unreadable_configuration_is_written_anew(searching: Path, whole: Path, tmp_path: Path) -> None:
    run = copied(searching, tmp_path)
    original = (run / "config.json").read_text()
    overwritten(run / "config.json")
    found, said = resumed(run)
    assert found == result(whole)
    assert f"{run / 'config.json'} was damaged" in said
    assert (run / "config.json").read_text() == original


def test_other_data_than_the_run_began_with_is_told(searching: Path, tmp_path: Path) -> None:
    import numpy as np

    run = copied(searching, tmp_path)
    root = json.loads((run / "config.json").read_text())["settings"]["data"]["root"]
    with np.load(root) as there:
        arrays = dict(there)
    arrays["images"][0, 0, 0] ^= 1
    np.savez(tmp_path / "other.npz", **arrays)
    done = nas("resume", str(run), f"data.root={tmp_path / 'other.npz'}", cwd=tmp_path)
    assert done.returncode == 2
    assert "their checksums differ" in done.stderr


def test_a_result_says_where_it_comes_from(whole: Path) -> None:
    found = json.loads((whole / "result.json").read_text())
    about = found["provenance"]
    assert {"robust-nas", "python", "torch", "numpy", "pyautoattack"} <= found["versions"].keys()
    assert {"cpu", "cores", "memory_gib", "system", "instructions"} <= about["hardware"].keys()
    assert len(about["settings_sha256"]) == 64
    assert about["data_sha256"].keys() == {"train", "validation", "test"}
    assert about["deterministic"] is False
    assert about["earlier"] == []
    carried = checkpoint.load(whole / "models/best-standard/best.pt", "network")["provenance"]
    assert carried["versions"] == found["versions"]
    assert carried["training_seed"] == found["seeds"]["best-standard"]
    for key in ("settings_sha256", "data_sha256", "hardware", "source"):
        assert carried[key] == about[key]
    page = (whole / "report.html").read_text()
    assert about["settings_sha256"] in page
    assert about["hardware"]["cpu"].split("(")[0] in page
