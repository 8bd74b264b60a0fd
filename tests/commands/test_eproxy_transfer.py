"""The ImageNet transfer of Eproxy: settings from labelled cells of NDS-DARTS, then a search in DARTS with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.cli.main import run_command
from nas.core.errors import InputError
from nas.objectives.labels import read_labels
from nas.search_spaces import SPACES

SPACE = SPACES.get("nds-darts")()
DATA = ("data.name=digits", "data.size=8", "executor.workers=1")
TASK = ("proxies.eproxy.c_mid=[4]", "proxies.eproxy.c_out=4", "proxies.eproxy.iterations=2")


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Eight records of NDS; the accuracies are made up."""
    nets = [json.loads(str(arch)) for arch in SPACE.draw(8, seed=1)]
    records = [{"net": net, "test_ep_top1": [90.0, 10.0 + row], "params": row} for row, net in enumerate(nets)]
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(records))
    return path


def test_labels_are_read_from_json(labels: Path, tmp_path: Path) -> None:
    found = read_labels(labels, SPACE, None)
    assert [value for _, value in found] == [90.0 - row for row in range(8)]
    assert [arch for arch, _ in found] == list(map(str, SPACE.draw(8, seed=1)))
    assert [value for _, value in read_labels(labels, SPACE, "params")] == list(map(float, range(8)))
    with pytest.raises(InputError, match=r"got 'acc'.*did you mean 'accuracy'"):
        read_labels(labels, SPACE, "acc")
    rows = [{"arch": str(arch), "top1": 50.0} for arch in SPACE.draw(3, seed=1)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    assert [value for _, value in read_labels(tmp_path / "rows.json", SPACE, None)] == [50.0] * 3


@pytest.mark.slow
def test_settings_of_one_space_lead_a_search_in_the_other(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = ["imagenet-darts-eproxy", *DATA]
    searched = ["--labels", str(labels), "--count", "5", "--evaluations", "3", "--population", "2", "--tournament", "2"]
    sizes = ["space=nds-darts", "scoring.channels=4", "scoring.cells=4", *TASK]
    assert run_command(["dps", *recipe, *sizes, *searched, "--draws", "1", "--output", "found.yaml"]) == 0
    assert "c_mid" in Path("found.yaml").read_text()
    capfd.readouterr()
    found = ["proxies.eproxy.settings=found.yaml", "scoring.channels=4", "scoring.cells=4"]
    small = ["search.budget=2", "search.ask=2", "strategy.population=2", "strategy.tournament=2"]
    limits = ["search.constraints=params<=6e6"]  # the recipe's hold at 32×32
    assert run_command(["search", *recipe, *found, *small, *limits, "--json"]) == 0, capfd.readouterr().err
    result = json.loads(capfd.readouterr().out)
    assert (result["evaluated"], result["failed"]) == (2, 0)
