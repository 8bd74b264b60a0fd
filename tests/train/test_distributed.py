"""Two processes on 127.0.0.1 train as one with the same global batch."""

from __future__ import annotations

import dataclasses
import json
import socket
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, multiprocessing, nn

from nas.core.data import Dataset, Split
from nas.core.images import unit_range
from nas.core.io import checkpoint
from nas.core.optimisation.distributed import Processes, current
from nas.core.optimisation.trainer import Loop
from nas.train import TrainedNetwork, TrainSettings, train, training
from nas.train.batchnorm import SynchronisedBatchNorm, synchronised
from nas.train.training import Classification

CPU = torch.device("cpu")
Describe = Callable[..., TrainedNetwork]
Recipe = Callable[..., TrainSettings]
SMALL_BALL = {"eps": 0.002, "step_size": 0.001, "steps": 2}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "standard": ("nasbench201", {}),
    "pgd": ("nasbench201", {"method": "pgd", "epochs": 1}),
    # where gradients are as small as rounding their signs differ, near x those of the divergence; a small ball makes
    # that harmless, and in float64 (below) there is none of it
    "trades": (
        "nasbench201",
        {**SMALL_BALL, "method": "trades", "epochs": 1, "accumulate": 2, "awp": 0.005, "trades_beta": 1.0},
    ),
    "free": ("nasbench201", {"method": "free", "free_replays": 2, "eps": SMALL_BALL["eps"]}),
    "odd": ("nasbench201", {"batch_size": 15, "accumulate": 2, "resident": False, "ema": 0.9}),
    "unused": ("unused", {"epochs": 1}),
    "auxiliary": ("darts", {"epochs": 1}),
}
UNUSED = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"  # its output sees one edge only
COMMON: dict[str, Any] = {"epochs": 2, "lr": 0.02, "momentum": 0.0, "nesterov": False, "eps": 0.05, "step_size": 0.02}


def start_method() -> str:
    """Forks of a process that has imported everything once, where there are any; else new processes."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return "spawn"
    ours = [name for name in sys.modules if name.split(".")[0] == "nas"]
    needed = ["pytest", "torch._dynamo"]  # the second is imported where the first network is wrapped
    multiprocessing.set_forkserver_preload([*needed, *ours])
    return "forkserver"


class Stop(Exception):
    """What interrupts a run below."""


def described(space: str, describe: Describe) -> TrainedNetwork:
    if space == "unused":
        return dataclasses.replace(describe(), arch=UNUSED)
    return describe(space, **({"auxiliary": True} if space == "darts" else {}))


def work(rank: int, port: int, dataset: Dataset, plans: dict[str, Any], folder: Path) -> None:
    """What each process does: every case, then one case stopped and gone on with; and the batch normalisation."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2, timeout=timedelta(seconds=300)
    )
    own = folder / "written" / str(rank)
    for name, (trained, settings) in plans.items():
        # only the first may write: the others are given a folder in which a file would be found
        target = folder / name if rank == 0 else own / name
        _, state = train(trained, dataset, settings, target, 5, CPU)
        (folder / f"{name}-{rank}.json").write_text(json.dumps(state.history))

    trained, settings = plans["standard"]
    settings = dataclasses.replace(settings, save_steps=2)
    target = folder / "stopped" if rank == 0 else own / "stopped"
    gradients, seen = Classification.gradients, []

    def dies(task: Classification, batch: Any, scale: Any) -> torch.Tensor:
        seen.append(1)
        if len(seen) == 3:
            raise Stop
        return gradients(task, batch, scale)

    Classification.gradients = dies  # type: ignore[method-assign]
    with pytest.raises(Stop):
        train(trained, dataset, settings, target, 5, CPU)
    Classification.gradients = gradients  # type: ignore[method-assign]
    _, state = train(trained, dataset, settings, target, 5, CPU)
    (folder / f"stopped-{rank}.json").write_text(json.dumps(state.history))
    (folder / f"normalised-{rank}.json").write_text(json.dumps(normalised(rank)))
    for name, (trained, settings) in plans.items():
        (folder / f"exact-{name}-{rank}.json").write_text(json.dumps(exact(trained, dataset, settings, folder)))
    distributed.destroy_process_group()


def exact(trained: TrainedNetwork, dataset: Dataset, settings: TrainSettings, folder: Path) -> list[float]:
    """The loss of each step of an epoch in float64 with a rate and a momentum that amplify every difference."""

    def wide(images: torch.Tensor) -> torch.Tensor:
        return unit_range(images).double()

    before, training.unit_range = training.unit_range, wide
    try:
        torch.manual_seed(0)
        hard = dataclasses.replace(settings, lr=0.1, momentum=0.9, nesterov=True)
        processes = current()
        task = Classification(trained.build().double(), dataset, hard, trained, CPU, 0, processes)
        loop = Loop(task, training.loop_plan(hard), folder, 0, processes)
        task.model.train()
        task.begin_epoch(0, torch.Generator().manual_seed(0))
        losses = []
        for batch in task.batches(0):
            for _ in range(task.replays):
                loop.total.zero_()
                loop.step(batch, 0.1)
                losses.append(loop.total_loss())
        return losses
    finally:
        training.unit_range = before


def whole_batch() -> torch.Tensor:
    return 3 + 2 * torch.randn(7, 4, 5, 5, generator=torch.Generator().manual_seed(0))


def normalised(rank: int) -> list[Any]:
    """Outputs, input gradients and statistics on 5 or 2 of 7 images."""
    torch.manual_seed(0)
    module = synchronised(nn.Sequential(nn.BatchNorm2d(4)), CPU)[0]  # type: ignore[index]
    assert isinstance(module, SynchronisedBatchNorm)
    x = whole_batch()[:5] if rank == 0 else whole_batch()[5:]
    x.requires_grad_(True)
    y = module(x)
    (y**3).sum().backward()
    assert x.grad is not None
    return [value.detach().tolist() for value in (y, x.grad, module.running_mean, module.running_var)]


@pytest.fixture(scope="module")
def plain_dataset() -> Dataset:
    def noise(count: int, seed: int) -> Split:
        labels = torch.arange(count) % 3
        images = torch.randint(0, 120, (count, 3, 8, 8), generator=torch.Generator().manual_seed(seed))
        images[torch.arange(count), labels] += 100
        return Split(images.to(torch.uint8), labels)

    return Dataset("colours", noise(60, 1), noise(30, 2), noise(3, 3), 3, (0.5, 0.4, 0.45), (0.25, 0.2, 0.3))


Ran = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def ran(
    tmp_path_factory: pytest.TempPathFactory, plain_dataset: Dataset, request: pytest.FixtureRequest
) -> Callable[..., Ran]:
    """Both processes, started once for the cases of all tests of this file that are selected."""
    folder, plans = tmp_path_factory.mktemp("together"), {}
    selected = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}

    def start(describe: Describe, recipe: Recipe) -> Ran:
        if not plans:
            plans.update(
                {
                    name: (described(space, describe), recipe(**{**COMMON, **changes}))
                    for name, (space, changes) in CASES.items()
                    if name == "standard" or name in selected
                }
            )
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            multiprocessing.start_processes(  # type: ignore[attr-defined]
                work, (port, plain_dataset, plans, folder), 2, start_method=start_method()
            )
        return folder, plans

    return start


def history(folder: Path, name: str, rank: int = 0) -> list[dict[str, float]]:
    return json.loads((folder / f"{name}-{rank}.json").read_text())


@pytest.mark.landing
@pytest.mark.parametrize("name", CASES)
def test_the_loss_curve_is_that_of_one_process(
    tmp_path: Path, plain_dataset: Dataset, describe: Describe, recipe: Recipe, ran: Callable[..., Ran], name: str
) -> None:
    folder, plans = ran(describe, recipe)
    trained, settings = plans[name]
    _, alone = train(trained, plain_dataset, settings, tmp_path, 5, CPU)
    assert history(folder, name) == history(folder, name, 1)  # all tell the same
    for one, two in zip(alone.history, history(folder, name)):
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=1e-3)
        assert two["val_accuracy"] == pytest.approx(one["val_accuracy"], abs=0.07)  # 2 of 30 images
    first, second = (checkpoint.load(at / "last.pt", "training")["model"] for at in (tmp_path, folder / name))
    assert first.keys() == second.keys()
    for key in first:
        torch.testing.assert_close(first[key], second[key], rtol=1e-2, atol=1e-3, msg=lambda t, k=key: f"{k}: {t}")


@pytest.mark.landing
@pytest.mark.parametrize(
    "name",
    [name for name in CASES if name != "trades"],  # its signs are those of rounding
)
def test_in_float64_no_step_differs(
    tmp_path: Path, plain_dataset: Dataset, describe: Describe, recipe: Recipe, ran: Callable[..., Ran], name: str
) -> None:
    folder, plans = ran(describe, recipe)
    trained, settings = plans[name]
    expected = exact(trained, plain_dataset, settings, tmp_path)
    got = json.loads((folder / f"exact-{name}-0.json").read_text())
    assert got == pytest.approx(expected, rel=1e-5)  # losses are float32
    assert len(got) >= 3


@pytest.mark.landing
def test_a_stopped_one_goes_on_where_it_was(describe: Describe, recipe: Recipe, ran: Callable[..., Ran]) -> None:
    folder, _ = ran(describe, recipe)
    assert history(folder, "stopped") == history(folder, "standard")


@pytest.mark.landing
def test_only_the_first_process_writes(describe: Describe, recipe: Recipe, ran: Callable[..., Ran]) -> None:
    folder, _ = ran(describe, recipe)
    assert (folder / "standard/last.pt").is_file()
    assert not (folder / "written").exists()


@pytest.mark.landing
def test_shared_normalisation_is_that_of_the_whole_batch(
    describe: Describe, recipe: Recipe, ran: Callable[..., Ran]
) -> None:
    folder, _ = ran(describe, recipe)
    pieces = [
        [torch.tensor(v) for v in json.loads((folder / f"normalised-{rank}.json").read_text())] for rank in (0, 1)
    ]
    module, x = nn.BatchNorm2d(4), whole_batch().requires_grad_(True)
    y = module(x)
    (y**3).sum().backward()
    assert x.grad is not None
    for number, expected in ((0, y.detach()), (1, x.grad)):
        got = torch.cat([piece[number] for piece in pieces])
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    for number, buffer in ((2, module.running_mean), (3, module.running_var)):
        for piece in pieces:
            torch.testing.assert_close(piece[number], buffer, rtol=1e-5, atol=1e-6)


def test_one_process_alone_exchanges_with_nobody() -> None:
    alone, value = current(), torch.ones(2)
    assert alone == Processes()
    assert alone.first
    assert alone.sum(value) is value
    assert alone.gather(3) == [3]
    assert alone.broadcast("x") == "x"
