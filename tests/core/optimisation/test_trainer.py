"""The training loop on problems with closed forms: schedule, optimiser, divergence, selection, resumption, curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.core.errors import NasError
from nas.core.io import checkpoint
from nas.core.optimisation.lr_schedule import Schedule
from nas.core.optimisation.task import LoopState, Plan
from nas.core.optimisation.trainer import Loop


class Slope:
    """Loss g·w for one weight vector w, with a given g for each step: every rule of SGD has a closed form here."""

    def __init__(self, gradients: list[float], steps: int, values: list[float] | None = None) -> None:
        self.model = nn.Linear(3, 1, bias=False)
        nn.init.ones_(self.model.weight)
        self.slopes = gradients
        self.steps_per_epoch = steps
        self.replays = 1
        self.values = values or []
        self.done = 0
        self.draws: list[tuple[float, float]] = []
        self.modes: list[bool] = []

    def begin_epoch(self, epoch: int, generator: torch.Generator) -> None:
        self.epoch, self.generator = epoch, generator
        self.draws.append((torch.rand(1, generator=generator).item(), torch.rand(1).item()))

    def batches(self, start: int) -> Iterator[float]:
        for step in range(start, self.steps_per_epoch):
            yield self.slopes[(self.epoch * self.steps_per_epoch + step) % len(self.slopes)]

    def gradients(self, batch: float, scale: Callable[[Tensor], Tensor]) -> Tensor:
        self.done += 1
        self.modes.append(self.model.training)
        loss = batch * self.model.weight.sum()
        scale(loss).backward()
        return loss.detach()

    def validate(self, epoch: int) -> dict[str, float]:
        self.model.eval()
        return {"value": self.values[epoch] if self.values else float(epoch)}

    def selection(self, metrics: dict[str, float]) -> float:
        return metrics["value"]

    def export(self) -> dict[str, Any]:
        return {"weight": self.model.weight.detach().clone()}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert state == {}


def plan(
    epochs: int = 1, lr: float = 0.1, lr_min: float = 0.1, kind: str = "cosine", select: str = "last", **changes: Any
) -> Plan:
    values: dict[str, Any] = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0, "clip": None}
    return Plan(Schedule(epochs, lr, lr_min, kind), select=select, **{**values, **changes})


def weight_after(folder: Path, plan: Plan, gradients: list[float], steps: int) -> float:
    task = Slope(gradients, steps)
    Loop(task, plan, folder, 0).run()
    weights = task.model.weight.flatten().tolist()
    assert weights == pytest.approx([weights[0]] * 3)
    return weights[0]


# schedule and optimiser


def test_the_rate_follows_the_cosine_over_all_steps(tmp_path: Path) -> None:
    task = Slope([1.0], steps=5)
    loop = Loop(task, plan(epochs=4, lr=0.3, lr_min=0.02), tmp_path, 0)
    rates: list[float] = []
    gradients = task.gradients

    def watch(batch: float, scale: Callable[[Tensor], Tensor]) -> Tensor:
        rates.append(loop.optimizer.param_groups[0]["lr"])
        return gradients(batch, scale)

    task.gradients = watch  # type: ignore[method-assign]
    state = loop.run()
    expected = [0.02 + 0.28 * (1 + math.cos(math.pi * step / 20)) / 2 for step in range(20)]
    assert rates == pytest.approx(expected, rel=1e-12)
    assert [entry["lr"] for entry in state.history] == pytest.approx(expected[4::5], rel=1e-12)
    assert task.model.weight[0, 0].item() == pytest.approx(1 - sum(expected), rel=1e-5)


def test_replays_are_steps_of_the_schedule_on_one_batch(tmp_path: Path) -> None:
    task = Slope([1.0, -2.0], steps=2)
    task.replays = 3
    state = Loop(task, plan(epochs=2, lr=0.3, lr_min=0.0), tmp_path, 0).run()
    rates = [0.3 * (1 + math.cos(math.pi * step / 12)) / 2 for step in range(12)]
    slopes = [1.0] * 3 + [-2.0] * 3
    moved = sum(rate * slope for rate, slope in zip(rates, slopes * 2))
    assert task.model.weight[0, 0].item() == pytest.approx(1 - moved, rel=1e-5)
    assert [entry["lr"] for entry in state.history] == pytest.approx([rates[5], rates[11]], rel=1e-9)


def test_momentum_reaches_the_optimiser(tmp_path: Path) -> None:
    v, w = 0.0, 1.0
    gradients = [1.0, -0.5, 2.0, 0.0]
    for g in gradients:
        v = 0.9 * v + g
        w -= 0.1 * v
    assert weight_after(tmp_path, plan(momentum=0.9), gradients, 4) == pytest.approx(w, rel=1e-5)


def test_nesterov_reaches_the_optimiser(tmp_path: Path) -> None:
    v, w = 0.0, 1.0
    gradients = [1.0, -0.5, 2.0, 0.0]
    for g in gradients:
        v = 0.9 * v + g
        w -= 0.1 * (g + 0.9 * v)
    assert weight_after(tmp_path, plan(momentum=0.9, nesterov=True), gradients, 4) == pytest.approx(w, rel=1e-5)


def test_weight_decay_reaches_the_optimiser(tmp_path: Path) -> None:
    got = weight_after(tmp_path, plan(weight_decay=0.5), [0.0], 6)
    assert got == pytest.approx((1 - 0.1 * 0.5) ** 6, rel=1e-5)


def test_clip_limits_the_norm_of_the_gradient(tmp_path: Path) -> None:
    got = weight_after(tmp_path / "a", plan(clip=0.3), [100.0, 0.01], 2)
    # 100·(1, 1, 1) has norm 100·√3 and is cut to .3; .01·(1, 1, 1) passes
    assert got == pytest.approx(1 - 0.1 * (0.3 / math.sqrt(3) + 0.01), rel=1e-4)
    assert weight_after(tmp_path / "b", plan(clip=None), [100.0, 0.01], 2) == pytest.approx(1 - 10.001)


def test_the_mean_loss_of_the_epoch_is_reported(tmp_path: Path) -> None:
    task = Slope([1.0, 3.0], steps=2)
    state = Loop(task, plan(epochs=1), tmp_path, 0).run()
    first = 1.0 * 3 * 1.0
    second = 3.0 * 3 * (1.0 - 0.1)
    assert state.history == [{"epoch": 1, "train_loss": pytest.approx((first + second) / 2), "lr": 0.1, "value": 0.0}]


def test_every_epoch_starts_in_train_mode(tmp_path: Path) -> None:
    task = Slope([1.0], steps=2)
    Loop(task, plan(epochs=3), tmp_path, 0).run()
    assert task.modes == [True] * 6


# randomness


def test_randomness_depends_on_the_seed_and_the_epoch_only(tmp_path: Path) -> None:
    draws = []
    for number, seed in enumerate((1, 1, 2)):
        torch.manual_seed(number)
        task = Slope([1.0], steps=1)
        Loop(task, plan(epochs=3), tmp_path / str(number), seed).run()
        draws.append(task.draws)
    assert draws[0] == draws[1]
    for kind in (0, 1):  # the given generator, the global one
        assert len({pair[kind] for pair in draws[0] + draws[2]}) == 6


# selection


@pytest.mark.parametrize(
    ("select", "values", "chosen"),
    [
        ("best", [0.1, 0.9, 0.5], 1),
        ("best", [0.9, 0.1, 0.5], 0),
        ("best", [0.5, 0.9, 0.9], 2),  # among equal epochs the last
        ("last", [0.1, 0.9, 0.5], 2),
    ],
)
def test_the_chosen_checkpoint_is_the_epoch_of_the_rule(
    tmp_path: Path, select: str, values: list[float], chosen: int
) -> None:
    task = Slope([1.0], steps=1, values=values)
    loop = Loop(task, plan(epochs=3, select=select), tmp_path, 0)
    state = loop.run()
    payload = checkpoint.load(loop.best, "network")
    assert payload["epoch"] == chosen + 1
    assert state.best_epoch == chosen
    assert state.best == values[chosen]
    assert payload["weight"][0, 0].item() == pytest.approx(1 - 0.1 * (chosen + 1))


def test_the_last_epoch_is_kept_too(tmp_path: Path) -> None:
    loop = Loop(Slope([1.0], 1, [0.9, 0.1, 0.5]), plan(epochs=3, select="best"), tmp_path, 0)
    loop.run()
    assert checkpoint.load(loop.best, "network")["epoch"] == 1
    payload = checkpoint.load(loop.final, "network")
    assert payload["epoch"] == 3
    assert payload["weight"][0, 0].item() == pytest.approx(0.7)


# divergence


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_state(tmp_path: Path, bad: float) -> None:
    task = Slope([1.0, 1.0, 1.0, bad, 1.0, 1.0], steps=2)
    with pytest.raises(NasError, match=r"diverged: the loss became .* in epoch 2; .*last\.pt"):
        Loop(task, plan(epochs=3), tmp_path, 0).run()
    assert task.done == 4  # epoch 3 never began
    payload = checkpoint.load(tmp_path / "last.pt", "training")
    assert payload["state"]["epoch"] == 1
    assert payload["model"]["weight"].flatten().tolist() == pytest.approx([0.8] * 3)
    assert checkpoint.load(tmp_path / "best.pt", "network")["epoch"] == 1


# resumption


class Stop(Exception):
    """Interrupts the runs below."""


def stop_after(epochs: int) -> Any:
    def progress(done: int, total: int, note: str) -> None:
        if done == epochs:
            raise Stop

    return progress


@pytest.mark.parametrize("select", ["best", "last"])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path: Path, select: str) -> None:
    schedule = plan(5, 0.2, 0.01, select=select, momentum=0.9, nesterov=True, weight_decay=0.1, clip=2.0)
    values, gradients = [0.3, 0.9, 0.1, 0.8, 0.2], [1.0, -3.0, 0.5, 2.0, -0.1, 0.7, 5.0]

    def run(folder: str, stops: list[int]) -> tuple[Slope, LoopState, Path]:
        for stop in [*stops, 99]:
            task = Slope(gradients, 3, values)
            loop = Loop(task, schedule, tmp_path / folder, 4)
            if stop == 99:
                return task, loop.run(), loop.best
            with pytest.raises(Stop):
                loop.run(stop_after(stop))
        raise AssertionError

    whole, state, final = run("whole", [])
    parts, again, final_again = run("parts", [1, 2, 4])
    assert parts.done == 3  # one epoch was left to the last session
    assert torch.equal(whole.model.weight, parts.model.weight)
    assert again.history == state.history
    assert (again.best, again.best_epoch, again.epoch) == (state.best, state.best_epoch, state.epoch)
    assert torch.equal(checkpoint.load(final, "network")["weight"], checkpoint.load(final_again, "network")["weight"])
    assert again.seconds > 0


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    Loop(Slope([1.0], 2), plan(epochs=2), tmp_path, 0).run()
    task = Slope([1.0], 2)
    state = Loop(task, plan(epochs=2), tmp_path, 0).run()
    assert task.done == 0
    assert state.epoch == 2
    assert task.model.weight[0, 0].item() == pytest.approx(0.6)


def test_a_kill_within_an_epoch_loses_that_epoch_only(tmp_path: Path) -> None:
    class Dies(Slope):
        def gradients(self, batch: float, scale: Callable[[Tensor], Tensor]) -> Tensor:
            if self.done == 5:
                raise Stop
            return super().gradients(batch, scale)

    with pytest.raises(Stop):
        Loop(Dies([1.0, 2.0], 2), plan(epochs=4, momentum=0.9), tmp_path / "a", 0).run()
    task = Slope([1.0, 2.0], 2)
    Loop(task, plan(epochs=4, momentum=0.9), tmp_path / "a", 0).run()
    assert task.done == 4
    whole = Slope([1.0, 2.0], 2)
    Loop(whole, plan(epochs=4, momentum=0.9), tmp_path / "b", 0).run()
    assert torch.equal(task.model.weight, whole.model.weight)


# progress and curves


def test_progress_is_told_after_every_epoch(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    Loop(Slope([1.0], 1, [0.25, 0.5]), plan(epochs=2), tmp_path, 0).run(lambda *line: told.append(line))
    assert [line[:2] for line in told] == [(1, 2), (2, 2)]
    assert "value 0.250" in told[0][2]
    assert "train_loss 3.000" in told[0][2]


def test_the_curves_are_in_tensorboard_once_per_epoch(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with pytest.raises(Stop):
        Loop(Slope([1.0], 2), plan(epochs=4), tmp_path, 0).run(stop_after(2))
    state = Loop(Slope([1.0], 2), plan(epochs=4), tmp_path, 0).run()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) == {"train_loss", "lr", "value"}
    for name in ("train_loss", "lr", "value"):
        scalars = events.Scalars(name)
        assert [scalar.step for scalar in scalars] == [0, 1, 2, 3]
        assert [scalar.value for scalar in scalars] == pytest.approx([entry[name] for entry in state.history])


# damaged files


def ended(folder: Path, select: str = "best", epochs: int = 4, values: list[float] | None = None) -> dict[str, Any]:
    """The outcome of a training: the weights in its files and its history."""
    task = Slope([1.0, 0.5, -2.0], 3, values or [0.1, 0.9, 0.5, 0.2])
    state = Loop(task, plan(epochs=epochs, select=select), folder, 0).run()
    return {
        "history": state.history,
        "best_epoch": state.best_epoch,
        "weight": task.model.weight.tolist(),
        **files(folder),
    }


def files(folder: Path) -> dict[str, Any]:
    return {
        name: checkpoint.load(folder / name, "network")["weight"].tolist()
        for name in ("best.pt", "final.pt")
        if (folder / name).is_file()
    }


def broken(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.landing
@pytest.mark.parametrize("select", ["best", "last"])
@pytest.mark.parametrize("names", [("last.pt",), ("last.pt", "last.previous.pt"), ("best.pt",), ("best.pt", "last.pt")])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_damaged_files_change_nothing_about_the_end(
    tmp_path: Path, select: str, names: tuple[str, ...], after: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A training is stopped after some epochs, some of its files are damaged, and it is resumed."""
    whole = ended(tmp_path / "whole", select)
    folder = tmp_path / "stopped"

    class StoppedError(Exception):
        pass

    task = Slope([1.0, 0.5, -2.0], 3, [0.1, 0.9, 0.5, 0.2])
    validate = task.validate

    def stop(epoch: int) -> dict[str, float]:
        if epoch == after:
            raise StoppedError
        return validate(epoch)

    task.validate = stop  # type: ignore[method-assign]
    with pytest.raises(StoppedError):
        Loop(task, plan(epochs=4, select=select), folder, 0).run()
    there = [name for name in names if (folder / name).is_file()]
    for name in there:
        broken(folder / name)
    caplog.clear()
    assert ended(folder, select) == whole
    said = "".join(record.getMessage() for record in caplog.records)
    for name in there:
        if name != "best.pt" or (select == "best" and len(names) == 1):  # else it is overwritten unread
            assert str(folder / name) in said, name


@pytest.mark.parametrize("name", ["best.pt", "final.pt", "last.pt"])
@pytest.mark.parametrize("values", [[0.1, 0.9, 0.5, 0.2], [0.1, 0.2, 0.3, 0.4]])
def test_damaged_files_of_a_finished_training(
    tmp_path: Path, name: str, values: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    whole = ended(tmp_path, values=values)
    broken(tmp_path / name)
    assert ended(tmp_path, values=values) == whole
    assert str(tmp_path / name) in caplog.text
    caplog.clear()
    (tmp_path / name).unlink()
    assert ended(tmp_path, values=values) == whole


def test_whole_files_of_a_finished_training_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ended(tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.pt")}
    ended(tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.pt")} == before
    assert not caplog.records


def test_networks_carry_what_they_are_about(tmp_path: Path) -> None:
    Loop(Slope([1.0], 1), plan(), tmp_path, 0, about={"torch": "2"}).run()
    for name in ("best.pt", "final.pt"):
        assert checkpoint.load(tmp_path / name, "network")["provenance"] == {"torch": "2"}
