"""`nas search` and `nas run` with a supernet: what is found, kill and resume, and what is refused."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from commands import TINY, killed_when, nas, nas_json
from names_and_types import SUPERNET_SEARCH, wrong

from nas.core.io import checkpoint
from nas.results import SearchResult
from nas.search_spaces import NASBench201

pytestmark = pytest.mark.landing

SUPERNET = (
    *(
        "strategy.name=rnas-max",
        "strategy.epochs=3",
        "strategy.warm_up=1",
        "strategy.steps=2",
        "strategy.batch_size=16",
    ),
    *("supernet.channels=2", "supernet.cells_per_stage=1", "executor.workers=1", "device=cpu"),
)
OTHERS = tuple(text for text in TINY if not text.startswith(("strategy.", "search.", "scoring.")))


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if key not in ("seconds", "memory_mb", "run")}
    return [without_times(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, few_digits: str) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("supernet")
    arguments = ("search", "quickstart", *OTHERS, *SUPERNET, few_digits, "run.dir=run")
    return folder / "run", nas_json(*arguments, cwd=folder)


def test_a_search_tells_what_it_found_and_every_epoch(whole: tuple[Path, dict[str, Any]]) -> None:
    folder, result = whole
    space = NASBench201()
    assert wrong(SearchResult, result, *SUPERNET_SEARCH) == []
    (best,) = result["best"]
    assert str(space.parse(best["arch"])) == best["arch"] == result["epochs"][-1]["architecture"]
    assert set(best["metrics"]) == {"val_accuracy", "val_robust_accuracy"}
    assert [row["epoch"] for row in result["epochs"]] == [1, 2, 3]
    assert [row["warm_up"] for row in result["epochs"]] == [True, False, False]
    assert result["chosen_epoch"] == result["evaluated"] == 3
    assert result["memory_mb"] > 50
    assert checkpoint.load(folder / "supernet/last.pt", "supernet")["state"]["epochs_done"] == 3
    assert any((folder / "supernet/tensorboard").iterdir())


def test_a_report_shows_the_epochs(whole: tuple[Path, dict[str, Any]]) -> None:
    folder, result = whole
    assert nas("report", "run", cwd=folder.parent).returncode == 0
    page = (folder / "report.html").read_text()
    assert "rnas-max" in page
    assert "entropy cell" in page
    assert page.count(result["best"][0]["arch"]) >= 1


def test_a_killed_search_goes_on_to_the_same_bits(
    whole: tuple[Path, dict[str, Any]], tmp_path: Path, few_digits: str
) -> None:
    folder, result = whole
    run = tmp_path / "run"
    arguments = ("search", "quickstart", *OTHERS, *SUPERNET, few_digits, "run.dir=run")
    code = killed_when(lambda: (run / "supernet/last.pt").exists(), *arguments, cwd=tmp_path)
    assert code == -signal.SIGKILL
    assert not (run / "result.json").exists()
    assert without_times(nas_json("resume", "run", cwd=tmp_path)) == without_times(result)
    first, second = (checkpoint.load(one / "supernet/last.pt", "supernet")["state"] for one in (folder, run))
    for name, value in first["supernet"].items():
        assert (second["supernet"][name] == value).all(), name


def test_what_a_supernet_search_cannot_keep_to_is_refused(tmp_path: Path) -> None:
    done = nas("search", "quickstart", *SUPERNET, "search.constraints=params<=1e6", "run.dir=run", cwd=tmp_path)
    assert done.returncode == 2
    assert "search.constraints" in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_found_cell_is_trained_and_looked_up(tmp_path: Path, few_digits: str, data_dir: Path) -> None:
    tables = f"tables.robustness={data_dir / 'robustness-dataset'}"
    settings = ("run.random=false", "run.trainings=standard", "train.epochs=1", "eval.attacks=fgsm", "eval.sweep=[]")
    others = [text for text in OTHERS if not text.startswith(("train.", "eval.sweep"))]
    arguments = ("run", "quickstart", *others, *SUPERNET, "strategy.epochs=1", *settings, few_digits, tables)
    result = nas_json(*arguments, "run.dir=run", cwd=tmp_path)
    assert result["architecture"] == result["search"]["best"][0]["arch"] == result["models"][0]["architecture"]
    standing = result["search"]["best"][0]["standing"]
    assert 0 <= standing["fgsm@1"]["percentile"] <= 100
