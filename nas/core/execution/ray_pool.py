"""A pool of workers on a Ray cluster: actors, each with its share of the cluster's cores and GPUs."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from nas.core.errors import InputError, NasError
from nas.core.execution.pickling import dumps
from nas.core.execution.worker_pool import Work, WorkerEvent, WorkerPool, make_repeatable, mute_data_notes
from nas.core.extras import optional
from nas.core.io.records import Json
from nas.core.registry import Reference, add_referenced, importable_additions
from nas.core.storage.base import FactStore, TaskResult
from nas.core.storage.sqlite import SqliteStore
from nas.version import __version__

LOOPBACK = "127.0.0.1"
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class RayPool(WorkerPool):
    """One actor per worker, which Ray places on a machine with enough free cores and GPUs.

    The work is put into Ray's object store once, and each actor gets it once, when it starts. An actor that waits for
    free cores is a worker that is not ready yet; an actor that dies, alone or with its machine, is a worker that died.
    Ray restarts and retries nothing: docs/topics/scaling.md says why. Every machine needs this project in the same
    version and the data under the same path; trainings and attacks also need the run's folder, on a disk that all
    machines share.
    """

    on_several_machines = True

    def __init__(
        self,
        work: Work,
        threads: int,
        gpus: float = 0.0,
        address: str | None = None,
        workers: int | None = None,
        zero_resources: bool = False,
    ) -> None:
        """Connect to the cluster at `address`; without an address, start one on this machine for `workers`.

        `capacity` is the number of workers that the cluster has room for. With `zero_resources`, workers occupy no
        cores, because they only wait for others; then `capacity` does not limit their number. Raises `InputError` if
        there is no such cluster, no room for one worker, or something in the work that workers cannot import.
        """
        dumps(work)  # to find now what cannot be imported; the work may still change before the first worker starts
        self._work = work
        self._ray, self._started = connect(address, None if workers is None else workers * threads)
        self.capacity = workers or self._current_capacity(threads, gpus)
        self.max_failed_starts += self.capacity  # all workers of a machine may die together
        cores, gpus = (0, 0.0) if zero_resources else (threads, gpus)
        self._actor_class = self._ray.remote(_Actor).options(
            num_cpus=cores, num_gpus=gpus, max_restarts=0, max_task_retries=0
        )
        self._sent: Any = None
        self._threads = threads
        self._actors: dict[int, Any] = {}
        self._pending: dict[Any, int] = {}  # reference to an actor's future answer → its worker
        self._received: dict[int, Any] = {}  # worker → reference to its answer to `acknowledge`
        self._count = 0
        self._stores: list[Any] = []

    def _current_capacity(self, threads: int, gpus: float) -> int:
        """How many workers the cluster has room for now. Raises `InputError` if there is no room for one."""
        resources = self._ray.cluster_resources()
        capacity = int(resources.get("CPU", 0) // threads)
        if gpus > 0:
            capacity = min(capacity, int(resources.get("GPU", 0) / gpus))
        if capacity < 1:
            raise InputError(
                f"Expected a Ray cluster with room for a worker of {threads} cores and {gpus:g} GPUs but it has "
                f"{resources.get('CPU', 0):g} and {resources.get('GPU', 0):g}; lower executor.threads or "
                "executor.gpus, or set executor.workers to the number of workers that there will be."
            )
        return capacity

    def start(self) -> int:
        if self._sent is None:
            self._sent = self._ray.put((importable_additions(), dumps(self._work)))
        self._count += 1
        actor = self._actor_class.remote(self._sent, self._threads, os.getcwd())
        self._actors[self._count] = actor
        self._pending[actor.ready.remote()] = self._count
        return self._count

    def submit(self, worker: int, key: Any, item: Any) -> None:
        actor = self._actors[worker]
        self._received[worker] = actor.acknowledge.remote()
        self._pending[actor.run_task.remote(key, dumps(item))] = worker

    def poll(self, timeout: float) -> list[WorkerEvent]:
        if not self._pending:
            time.sleep(timeout)
            return []
        finished, _ = self._ray.wait(list(self._pending), num_returns=1, timeout=timeout)
        if finished:  # take all other answers that have come by now as well
            finished, _ = self._ray.wait(list(self._pending), num_returns=len(self._pending), timeout=0)
        return [self._event(answer) for answer in finished]

    def _event(self, answer: Any) -> WorkerEvent:
        worker = self._pending.pop(answer)
        try:
            message = answer_of(self._ray, answer)
        except self._ray.exceptions.RayError as error:  # the actor or its machine died
            if "creation task" in str(error):
                raise NasError(
                    f"A worker could not start on the cluster ({_last_line(error)}); install this project on all of "
                    "its machines."
                ) from error
            received = self._received.get(worker)
            if worker in self._actors:
                self.stop(worker)
            return WorkerEvent(worker, not_started=received is not None and not self._has_answered(received))
        if isinstance(message, TaskResult):
            return WorkerEvent(worker, result=message)
        if message != versions():
            raise InputError(
                f"Expected workers with {_in_words(versions())} but one of the cluster has {_in_words(message)}, and "
                "results would differ; install the same versions on all machines."
            )
        return WorkerEvent(worker, ready=True)

    def _has_answered(self, answer: Any) -> bool:
        try:
            self._ray.get(answer, timeout=0)
        except self._ray.exceptions.RayError:
            return False
        return True

    def stop(self, worker: int) -> None:
        actor = self._actors.pop(worker)
        self._received.pop(worker, None)
        self._pending = {answer: owner for answer, owner in self._pending.items() if owner != worker}
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(actor)

    def workers(self) -> list[int]:
        return list(self._actors)

    def store_factory(self, path: Path) -> Callable[[], FactStore]:
        """An actor on this machine writes the store: SQLite is not safe on a disk that several machines share."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
        actor = self._ray.remote(StoreActor).options(num_cpus=0, scheduling_strategy=here, max_restarts=-1)
        self._stores.append(actor.remote(path.resolve()))
        return partial(RemoteStore, self._stores[-1])

    def close(self) -> None:
        super().close()
        for store in self._stores:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.kill(store)
        if self._started:
            self._ray.shutdown()


def connect(address: str | None, cores: int | None) -> tuple[ModuleType, bool]:
    """Ray, connected to the cluster at `address` or to a new one on this machine; and whether this call connected it.

    A cluster on this machine listens on the loopback interface only. Raises `InputError` if there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local = address is None or address.startswith(f"{LOOPBACK}:")
    if local:  # with this variable Ray uses loopback addresses
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    ray = optional("ray", "ray")
    if ray.is_initialized():
        return ray, False
    settings: dict[str, object] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if local:
        settings["_node_ip_address"] = LOOPBACK
    if address is None:
        settings |= {"include_dashboard": False, "num_cpus": cores}
    try:
        with _signal_handlers_kept():
            ray.init(address or "local", **settings)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(
            f"Expected a Ray cluster at executor.address={address} but: {str(error).splitlines()[0]} Start one with "
            "`ray start --head`, or leave the address out."
        ) from error
    return ray, True


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Restore the signal handlers after the block: Ray installs its own, but a run handles signals itself."""
    handlers = [signal.getsignal(number) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(SIGNALS, handlers):
            with contextlib.suppress(ValueError):  # not the main thread: Ray has installed none
                signal.signal(number, handler)


def versions() -> dict[str, str]:
    """The versions that must be the same on all machines."""
    return {"robust-nas": __version__, "torch": torch.__version__.partition("+")[0]}


def _in_words(version_of: dict[str, str]) -> str:
    return " and ".join(f"{name} {version}" for name, version in version_of.items())


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


class StoreActor:
    """Owns the store of a run, on the leading machine; Ray calls its methods one after another."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path)

    def call(self, method: str, *arguments: Any) -> Any:
        return getattr(self.store, method)(*arguments)


class RemoteStore(FactStore):
    """The facts of a store that an actor owns; all workers ask the actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def get(self, key: str, default: Any = None) -> Any:
        return self._call("get", key, default)

    def put(self, key: str, value: Any) -> None:
        self._call("put", key, value)

    def under(self, prefix: str) -> Json:
        return self._call("under", prefix)

    def _call(self, method: str, *arguments: Any) -> Any:
        return answer_of(optional("ray", "ray"), self._actor.call.remote(method, *arguments))


def answer_of(ray: ModuleType, answer: Any) -> Any:
    """The answer of an actor; an exception that the actor raised is raised here."""
    try:
        return ray.get(answer)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from None
        raise


class _Actor:
    """A worker; Ray calls its methods one after another."""

    def __init__(self, sent: tuple[list[Reference], bytes], threads: int, folder: str) -> None:
        with contextlib.suppress(OSError):  # so that relative paths mean the same as in the leading process
            os.chdir(folder)
        make_repeatable(threads)
        mute_data_notes()
        additions, work = sent
        add_referenced(additions)
        self.work: Work = pickle.loads(work)

    def ready(self) -> dict[str, str]:
        return versions()

    def acknowledge(self) -> None:
        """Called right before each task: if a worker dies before it answers, it has not started the task."""

    def run_task(self, key: Any, item: bytes) -> TaskResult[Any, Any]:
        result = self.work(key, pickle.loads(item))
        try:
            pickle.dumps(result.result)
        except Exception as error:  # the code with which a class pickles itself may raise anything
            return TaskResult(key, None, f"{type(error).__name__}: {error}", result.seconds)
        return result
