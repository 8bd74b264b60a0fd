"""Networks whose logits do not depend on the image: proxies, trainings, dps, supernets and files of scores."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import result_factory
from unconnected import ALIVE, DEAD, NOTHING, SMALL, SPACE, settings

from nas.commands import command_of
from nas.commands.train import Train
from nas.core.errors import InputError, NasError
from nas.objectives.constant_logits import NEVER_VALUED, REASON
from nas.objectives.network_spec import NetworkSpec
from nas.objectives.notation import builds
from nas.results import SearchResult
from nas.runs.run_folder import create
from nas.runs.stages.context import Watcher, Worker
from nas.scoring.loop import Scored, ScoreWorker, score
from nas.scoring.rows import RowFile
from nas.search_spaces.architecture_source import ArchitectureSource
from nas.searches import dps, supernet_stage
from nas.searches.dps_losses import BASELINE, LossTask, LossWorker
from nas.settings.schema import from_values
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet.base import DerivedArchitecture


def test_which_proxies_gave_such_networks_no_value_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each asked for its value as older versions did: without a look at the graph of the cell."""
    monkeypatch.setattr(NetworkSpec, "connected", lambda self, arch: True)
    values = from_values({"name": "test"}, [*SMALL, "data.size=16"])
    names = [name for name in PROXIES.names() if builds(name) and name != "ntk_cond"]  # which is younger
    scorer = Worker(values, None).scorer(names)
    dead_end = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|none~2|"
    failed = [set(scorer.try_score(text)[1]) for text in (DEAD, NOTHING, dead_end)]
    assert set.intersection(*failed) == NEVER_VALUED


def test_training_one_says_so(caplog: pytest.LogCaptureFixture) -> None:
    Train().settings("quickstart", [f"arch='{ALIVE}'"])
    assert not caplog.messages
    Train().settings("quickstart", [f"arch='{DEAD}'", "train.method=standard"])
    (said,) = caplog.messages
    with pytest.raises(InputError, match=r"can be attacked .* do not depend on the image.* train\.method=standard"):
        Train().settings("quickstart", [f"arch='{DEAD}'", "train.method=fgsm"])
    assert said.startswith(f"{DEAD}: The network's logits do not depend on the image")


def _dps() -> Any:
    small = {"eproxy": {"batch_size": 4, "c_mid": 4, "c_out": 3, "features": "dot"}}
    scoring = {"channels": 2, "cells_per_stage": 1}
    return from_values({"data": {"size": 8}, "scoring": scoring, "proxies": small, "device": "cpu"}, [])


def test_labelled_ones_have_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    work = LossWorker(_dps(), frozenset([DEAD]))
    assert work(LossTask(DEAD, (BASELINE, BASELINE))) == [REASON, REASON]
    assert not work.losses().probes
    assert isinstance(work(LossTask(ALIVE, (BASELINE,)))[0], float)
    run: Any = SimpleNamespace(settings=_dps(), folder=Path("a-run"), begun_before=lambda version: None)
    dps._check_constant(run, [ALIVE])
    assert not caplog.messages
    dps._check_constant(run, [ALIVE, DEAD, NOTHING])
    (said,) = caplog.messages
    assert said.startswith("2 of the 3 labelled architectures have no loss")


def test_an_older_dps_that_ranked_one_is_refused() -> None:
    run: Any = SimpleNamespace(settings=_dps(), folder=Path("a-run"), begun_before=lambda version: "0.1.0")
    dps._check_constant(run, [ALIVE])
    with pytest.raises(InputError, match=r"a-run was begun by version 0\.1\.0"):
        dps._check_constant(run, [ALIVE, DEAD])


def test_a_supernet_that_ends_in_one_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With supernet.allow_none it may; the epochs are not trained again when the run is resumed."""
    done = SimpleNamespace(
        done=True,
        total_epochs=1,
        epochs_done=1,
        history=[result_factory.supernet_epoch(ALIVE, val_accuracy=0.1, val_robust_accuracy=0.1)],
        result=lambda: DerivedArchitecture(NOTHING, 1, None),
        load_state_dict=lambda state: None,
    )
    monkeypatch.setattr(supernet_stage, "new_strategy", lambda worker: done)
    tiny = ("strategy.name=rnas-uniform", "supernet.allow_none=true", f"run.dir={tmp_path / 'run'}")
    with create("search", settings(*tiny)) as run:
        for _ in range(2):
            with pytest.raises(NasError, match=r"supernet\.allow_none=false") as caught:
                command_of(run.folder).finish(run, Watcher())
            assert REASON in str(caught.value)
            assert caught.value.exit_code == 1
        assert not (tmp_path / "run" / "result.json").exists()
        done.result = lambda: DerivedArchitecture(ALIVE, 1, None)
        found = command_of(run.folder).finish(run, Watcher())
        assert isinstance(found, SearchResult)
        assert found.best.arch == ALIVE


class Before(ScoreWorker):
    """Scores as an older version gave them, and as this one does."""

    def __init__(self, dead: bool) -> None:
        super().__init__(settings(), ["params", "croze"])
        self.dead = dead
        self.scorer: Any = None

    def __call__(self, arch: str) -> Scored:
        if self.dead or SPACE.connected(SPACE.parse(arch)):
            return Scored({"params": 1.0, "croze": 2.0}, {}, 0.1)
        return Scored({"params": 1.0}, {"croze": REASON}, 0.1)


def scored(path: Path, work: ScoreWorker, *archs: str) -> None:
    with RowFile(path, work.proxies, {"space": "nasbench201"}) as file:
        score(ArchitectureSource(SPACE, archs), work, file)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_file_with_such_a_value_is_refused_until_its_line_is_taken_out(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"scores{suffix}"
    scored(path, Before(dead=True), ALIVE, DEAD)
    before = path.read_bytes()
    with pytest.raises(InputError, match="remove such lines") as caught:
        scored(path, Before(dead=False), ALIVE, DEAD, NOTHING)
    assert DEAD in str(caught.value)
    assert path.read_bytes() == before
    path.write_bytes(b"".join(before.splitlines(keepends=True)[:-1]))
    for _ in range(2):  # rows of this version are no hindrance
        scored(path, Before(dead=False), ALIVE, DEAD, NOTHING)
    assert path.read_text().count(REASON) == 2
    assert path.read_bytes().startswith(before[: before.index(DEAD.encode()) - 20])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_an_older_file_without_such_a_value_goes_on(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"scores{suffix}"
    scored(path, Before(dead=True), ALIVE)
    before = path.read_bytes()
    scored(path, Before(dead=False), ALIVE, DEAD)
    assert path.read_bytes().startswith(before)
    assert REASON in path.read_text()
