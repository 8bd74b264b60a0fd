"""On a Ray cluster of several nodes: the results of one core, and no loss with a worker, a node or the driver."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import pytest
import result_factory
from commands import TINY, killed_when, nas_json, without_seconds
from ray_work import Work

from nas.cli.main import run_command
from nas.core.errors import InputError
from nas.core.execution.executor import Executor, ExecutorSettings, executor_for
from nas.results import RunResult
from nas.runs.run_folder import Run, create
from nas.runs.stages import several_seeds
from nas.runs.stages.context import Watcher
from nas.search_spaces import NASBench201
from nas.settings.schema import load

# Loopback only, quiet, and workers as important as the other tests that run at the time (Ray asks for less).
os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
ray = pytest.importorskip("ray", reason="Ray is not installed")
from ray.cluster_utils import Cluster  # noqa: E402

pytestmark = pytest.mark.landing  # a cluster takes seconds to start and to end
NODE: dict[str, Any] = {"num_cpus": 2, "node_ip_address": "127.0.0.1"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without cores and a machine of two; all are processes of this one, and can import this module."""
    paths = [*map(str, Path(__file__).parents[:2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        made = Cluster(
            initialize_head=True, connect=True, head_node_args={**NODE, "num_cpus": 0, "include_dashboard": False}
        )
        made.add_node(**NODE)
        made.wait_for_nodes()
        yield made
        ray.shutdown()
        made.shutdown()


def on(folder: Path, workers: int = 2, retries: int = 2, deadline: float | None = None, **work: Any) -> Any:
    settings = ExecutorSettings("ray", workers=workers, retries=retries, deadline=deadline)
    return executor_for(Work(folder, **work), settings, "cpu")


def outcomes(executor: Executor[int, int], items: list[int]) -> dict[int, tuple[Any, Any]]:
    found: dict[int, tuple[Any, Any]] = {}
    for done in executor.map(enumerate(items)):
        assert done.key not in found
        found[done.key] = (done.result, done.failure)
    return found


def squares(items: list[int]) -> dict[int, tuple[Any, Any]]:
    return {index: (item * item, None) for index, item in enumerate(items)}


def test_the_same_outcomes_and_the_function_once_per_worker(cluster: Any, tmp_path: Path) -> None:
    items = [0, 1, 2, 3, 4, 5, 6, 7]
    with on(tmp_path) as executor:
        found = outcomes(executor, items)
        assert found == {**squares(items), 3: (None, "ValueError: three is bad")}
        assert outcomes(executor, items[::-1]) == {7 - index: value for index, value in found.items()}
        assert len(list(tmp_path.glob("unpickled-*"))) <= 2
        assert len(list(tmp_path.glob("item-*"))) == 16
        with pytest.raises(InputError, match="the disk is full"):
            outcomes(executor, [0, 13, 1])


def test_a_killed_worker_loses_nothing_and_an_idle_one_is_not_the_items_fault(cluster: Any, tmp_path: Path) -> None:
    with on(tmp_path, dies=2) as executor:
        assert outcomes(executor, [0, 1, 2, 4]) == squares([0, 1, 2, 4])
        assert len(list(tmp_path.glob("item-2-*"))) == 2
        executor.retries = 0
        processes = {int(path.name.split("-")[2]) for path in tmp_path.glob("item-*")}
        for process in filter(psutil.pid_exists, processes):
            os.kill(process, signal.SIGKILL)
        assert outcomes(executor, [5, 6]) == squares([5, 6])


def test_what_hangs_is_ended_at_the_deadline(cluster: Any, tmp_path: Path) -> None:
    with on(tmp_path, workers=1, deadline=1.0) as executor:
        found = outcomes(executor, [0, 99])
    assert found == {0: (0, None), 1: (None, "It took longer than executor.deadline=1 seconds.")}


def test_a_killed_node_loses_nothing_and_repeats_nothing_that_was_done(cluster: Any, tmp_path: Path) -> None:
    node = cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    found: dict[int, Any] = {}
    items: list[int] = []

    def until_it_is_gone() -> Iterator[int]:
        for item in range(20, 520):
            if node is None and len(items) >= 16:
                return
            items.append(item)
            yield item

    with on(tmp_path, workers=4, slow=0.3) as executor:
        for done in executor.map(enumerate(until_it_is_gone())):
            found[done.key] = (done.result, done.failure)
            if len(list(tmp_path.glob("unpickled-*"))) == 4 and node is not None:
                finished = {items[index] for index in found}
                cluster.remove_node(node, allow_graceful=False)
                node = None
    assert node is None, "the node was never used"
    assert found == squares(items)
    for item in finished:
        assert len(list(tmp_path.glob(f"item-{item}-*"))) == 1


def test_what_does_not_fit_is_told(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="room for a worker of 1 cores and 1 GPUs"):
        executor_for(Work(tmp_path), ExecutorSettings("ray", gpus=1), "cpu")
    for wrong in ({"address": "auto"}, {"gpus": 0.5}):
        with pytest.raises(InputError, match="only with executor=ray"):
            ExecutorSettings(**wrong).check()
    with pytest.raises(InputError, match="a whole number or a fraction"):
        ExecutorSettings("ray", gpus=1.5).check()
    with pytest.raises(InputError, match="executor=local or ray"):
        ExecutorSettings("slurm").check()


def test_nobody_else_can_connect(cluster: Any) -> None:
    """All processes of a cluster that this project starts listen on the loopback interface only."""
    me = psutil.Process()
    listening = []
    for process in me.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended in the meantime
            listening += [one.laddr.ip for one in process.net_connections("inet") if one.status == "LISTEN"]
    assert listening
    assert {ip.removeprefix("::ffff:") for ip in listening} <= {"127.0.0.1", "::1"}


SMALL = (
    *(text for text in TINY if not text.startswith(("eval.", "search.", "train."))),
    *(
        "search.budget=6",
        "search.ask=3",
        "train.epochs=2",
        "train.batch_size=64",
        "run.trainings=standard",
        "executor.workers=2",
    ),
    *("eval.n_test=8", "eval.batch_size=4", "eval.attacks=fgsm,pgd2", "eval.eps=0.05"),
)


def test_a_killed_driver_is_resumed_to_the_result_of_one_machine(cluster: Any, tmp_path: Path, few_digits: str) -> None:
    common = ("run", "quickstart", *SMALL, few_digits)
    alone = nas_json(*common, "executor.workers=1", "run.dir=alone", cwd=tmp_path)
    run = tmp_path / "run"
    killed_when(
        lambda: any(run.glob("models/*/last.pt")),
        *(*common, "executor=ray", f"executor.address={cluster.address}", "run.dir=run"),
        cwd=tmp_path,
    )
    assert not (run / "result.json").exists()
    before = evaluations(run)
    assert len(before) == 6
    resumed = nas_json("resume", "run", cwd=tmp_path)
    assert without_seconds(resumed) == without_seconds(alone)
    assert evaluations(run) == before, "nothing is evaluated twice"


def evaluations(run: Path) -> list[Any]:
    """All rows with their seconds, which would be different if an evaluation were repeated."""
    with closing(sqlite3.connect(run / "store.sqlite")) as connection:
        return connection.execute("SELECT key, metrics, seconds FROM evaluations ORDER BY key").fetchall()


def test_scores_are_those_of_one_core(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ("scoring.channels=2", "scoring.cells_per_stage=1", "data.name=digits", "data.size=8", "device=cpu")
    rows = []
    for how in (("executor.workers=1",), ("executor=ray", "executor.workers=2")):
        assert run_command(["score", "--sample", "9", "--proxies", "synflow,params", *small, *how, "--json"]) == 0
        rows.append([without_seconds(row) for row in json.loads(capfd.readouterr().out)])
    assert len(rows[0]) == 9
    assert rows[0] == rows[1]


def test_searches_on_a_table_are_those_of_one_core(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = [str(cell) for cell in islice(NASBench201(), 0, None, 301)]
    lines = [f"{cell},{50 + number % 17}" for number, cell in enumerate(cells)]
    (tmp_path / "table.csv").write_text("\n".join(["arch_str,cifar10_test_acc", *lines]) + "\n")
    command = [
        "tables",
        "search",
        "--accuracy",
        "table.csv",
        "--objective",
        "accuracy:cifar10_test_acc",
        "--strategy",
        "random,bo-graph",
    ]
    found = []
    for how in (["--workers", "1"], ["--workers", "2", "--executor", "ray"]):
        assert run_command([*command, "--queries", "9", "--seeds", "12", *how, "--json"]) == 0
        result = json.loads(capfd.readouterr().out)["objectives"]["accuracy:cifar10_test_acc"]["strategies"]
        found.append({name: without_seconds(cells) for name, cells in result.items()})
    assert found[0] == found[1]


def lead(run: Run, watcher: Watcher) -> RunResult:
    """Replaces a whole run: its result says where the evaluations would be done."""
    how = run.settings.executor
    entry = result_factory.evaluation({"clean": run.settings.seed}, 10, name="best-standard")
    more = {"how": [how.name, how.workers]}
    return run.finish(result_factory.whole_run([entry], seeds={"run": run.settings.seed}, more=more))


def test_the_seeds_of_a_study_are_led_at_once_and_share_the_cluster(
    cluster: Any, tmp_path: Path, few_digits: str
) -> None:
    settings = load("quickstart", [*SMALL, few_digits, "executor=ray", "executor.workers=4", "seeds=2"])
    settings.run.dir = str(tmp_path / "study")
    with create("study", settings) as run:
        result = several_seeds.execute(run, Watcher(), lead, lambda folder, result: None)
    assert result.seeds == [0, 1]
    assert result.models[0].metrics["clean"].values == [0.0, 0.1]
    for seed in (0, 1):
        assert json.loads((tmp_path / "study" / f"seed-{seed}" / "result.json").read_text())["how"] == ["ray", 2]
