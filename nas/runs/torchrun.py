"""A training on several processes that `torchrun` started: the first does the run, the others take part in training."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed as dist

from nas.core.data import Dataset, load
from nas.core.errors import NasError
from nas.core.execution.worker_pool import mute_data_notes
from nas.core.io.records import Json
from nas.core.optimisation import distributed
from nas.core.optimisation.task import LoopState, Progress
from nas.core.reproducibility import make_deterministic, nondeterminism_as_errors
from nas.settings.schema import Settings
from nas.train import TrainedNetwork, TrainSettings, train

PROCESS_TIMEOUT = timedelta(days=30)  # the others wait while the first process reads data and validates


def under_torchrun() -> bool:
    """Whether torchrun started several processes, of which this is one (clusters set WORLD_SIZE without torchrun)."""
    return dist.is_torchelastic_launched() and int(os.environ["WORLD_SIZE"]) > 1


@contextmanager
def join_processes() -> Iterator[bool]:
    """During a block, connect the processes that torchrun started; yield whether this is the first or only process.

    The first does what it would do alone; the others call `run_follower`, which ends when the first leaves the block.
    """
    if not under_torchrun():
        yield True
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # from now on device=cuda means this GPU
    _bind_to_loopback()
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PROCESS_TIMEOUT)
    world = distributed.current()
    try:
        yield world.first
        if world.first:
            world.broadcast(None)
    finally:
        dist.destroy_process_group()


def _bind_to_loopback() -> None:
    """Let processes of one machine use its loopback interface, which no other machine can reach.

    An interface that the user names is used instead. The ports of `torchrun` itself are not affected.
    """
    names = {name for _, name in socket.if_nameindex()} & {"lo", "lo0"}
    if names and os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"]:
        for library in ("GLOO", "NCCL"):
            os.environ.setdefault(f"{library}_SOCKET_IFNAME", min(names))


def train_on_all_processes(
    settings: Settings,
    trained: TrainedNetwork,
    dataset: Dataset,
    recipe: TrainSettings,
    folder: Path,
    seed: int,
    progress: Progress,
    about: Json,
) -> tuple[Path, LoopState]:
    """`train` on all processes of `join_processes`, on the device of `settings`; `dataset` is that of `settings`."""
    distributed.current().broadcast((settings, trained, recipe, folder, seed))
    return train(trained, dataset, recipe, folder, seed, settings.torch_device(), progress, about)


def run_follower() -> None:
    """Take part in every training that the first process begins, and write nothing into the run.

    Raises `NasError` if another process stopped.
    """
    mute_data_notes()
    while True:
        try:
            work = distributed.current().broadcast(None)
            if work is None:
                return
            settings, trained, recipe, folder, seed = work
            torch.set_num_threads(settings.executor.threads)
            if settings.executor.deterministic:
                make_deterministic()
            with nondeterminism_as_errors():
                train(trained, load(settings.data), recipe, folder, seed, settings.torch_device())
        except RuntimeError as error:  # torch raises it if another process is gone
            raise NasError(f"Another process of this training stopped ({str(error).splitlines()[0]}).") from error
