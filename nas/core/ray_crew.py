"""Workers on a Ray cluster: actors, each with its share of the cluster's cores and GPUs."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import time
from collections.abc import Callable
from typing import Any

from nas.core.attempt import attempt, make_repeatable
from nas.core.crew import Crew, News
from nas.core.errors import InputError
from nas.core.extras import optional


class RayCrew(Crew):
    """An actor per worker, which Ray places where its cores and GPUs are free.

    The function goes into Ray's object store once and from there to each actor once, when it starts. An actor that has
    to wait for a place is a worker that is not ready yet; one that dies, alone or with its machine, is a worker that
    died. Every machine must have this project installed and see the data, and the run's folder if the items use it,
    under the same paths.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        threads: int,
        gpus: float = 0.0,
        address: str | None = None,
        workers: int | None = None,
    ) -> None:
        """`address`: of a running cluster; without one a cluster of this machine is started, for `workers` workers."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._ray = ray = optional("ray", "ray")
        self._started = not ray.is_initialized()
        if self._started:
            self._join(address, threads, workers)
        self.size = workers or self._places(threads, gpus)
        actor = ray.remote(_Actor)
        self._hire = actor.options(num_cpus=threads, num_gpus=gpus, max_restarts=0, max_task_retries=0).remote
        self._function = ray.put(pickle.dumps(function))
        self._threads = threads
        self._actors: dict[int, Any] = {}
        self._waited: dict[Any, int] = {}  # what an actor will answer → its worker
        self._count = 0

    def _join(self, address: str | None, threads: int, workers: int | None) -> None:
        settings: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address is None:
            settings |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
            if workers is not None:
                settings["num_cpus"] = workers * threads
        try:
            self._ray.init(address or "local", **settings)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"Expected a Ray cluster at executor.address={address} but: {str(error).splitlines()[0]} Start one "
                "with `ray start --head`, or leave the address out."
            ) from error

    def _places(self, threads: int, gpus: float) -> int:
        """How many workers the cluster has room for now."""
        there = self._ray.cluster_resources()
        places = int(there.get("CPU", 0) // threads)
        if gpus > 0:
            places = min(places, int(there.get("GPU", 0) // gpus))
        if places < 1:
            raise InputError(
                f"Expected a Ray cluster with room for a worker of {threads} cores and {gpus:g} GPUs but it has "
                f"{there.get('CPU', 0):g} and {there.get('GPU', 0):g}; lower executor.threads or executor.gpus."
            )
        return places

    def hire(self) -> int:
        self._count += 1
        actor = self._hire(self._function, self._threads)
        self._actors[self._count] = actor
        self._waited[actor.ready.remote()] = self._count
        return self._count

    def give(self, worker: int, index: int, item: Any) -> None:
        self._waited[self._actors[worker].attempt.remote(index, pickle.dumps(item))] = worker

    def news(self, timeout: float) -> list[News]:
        if not self._waited:
            time.sleep(timeout)
            return []
        finished, _ = self._ray.wait(list(self._waited), num_returns=1, timeout=timeout)
        if finished:  # and whatever else there is by now
            finished, _ = self._ray.wait(list(self._waited), num_returns=len(self._waited), timeout=0)
        return [self._of(answer) for answer in finished]

    def _of(self, answer: Any) -> News:
        worker = self._waited.pop(answer)
        try:
            message = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause or error from None
        except self._ray.exceptions.RayError:  # the actor died, or its machine
            if worker in self._actors:
                self.dismiss(worker)
            return News(worker)
        return News(worker, ready=message is None, done=message)

    def dismiss(self, worker: int) -> None:
        actor = self._actors.pop(worker)
        self._waited = {answer: owner for answer, owner in self._waited.items() if owner != worker}
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(actor)

    def workers(self) -> list[int]:
        return list(self._actors)

    def close(self) -> None:
        super().close()
        if self._started:
            self._ray.shutdown()


class _Actor:
    def __init__(self, function: bytes, threads: int) -> None:
        make_repeatable(threads)
        self.function = pickle.loads(function)

    def ready(self) -> None:
        """Answers once the function is here."""

    def attempt(self, index: int, item: bytes) -> Any:
        return attempt(self.function, index, pickle.loads(item))
