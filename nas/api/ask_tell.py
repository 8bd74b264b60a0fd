"""`nas.open_search`: a search whose caller evaluates the architectures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from nas.api.execution import RunRecord
from nas.api.keywords import Recipe, SettingsGiven, overrides, settings_of, space_name
from nas.api.process import unchanged_process
from nas.api.registering import name_of
from nas.api.results import Found
from nas.api.run_files import RunFiles
from nas.commands.search import Search as SearchCommand
from nas.core import config
from nas.core.errors import InputError, NasError
from nas.core.storage.base import Store, TaskResult
from nas.core.storage.memory import InMemoryStore
from nas.objectives.functions import BY_HAND, check_directions, values_of
from nas.objectives.notation import function_of
from nas.report.run_data import RunData
from nas.runs.run_config import CONFIG
from nas.runs.run_folder import create, reopen
from nas.runs.stages.context import Worker
from nas.searches.history import failures, trajectory
from nas.searches.loop import FRUITLESS, Batch, Search
from nas.searches.problem import SearchProblem
from nas.settings.schema import Settings
from nas.settings.schema import values_of as values_of_recipe
from nas.strategies import STRATEGIES
from nas.strategies.supernet import SUPERNET_STRATEGIES

ASKED = "search/asked"  # key in the store: how many architectures the unfinished step asked for


class OpenSearch:
    """A search that proposes architectures and is told their values; `nas.open_search` makes one.

    `ask`, `tell` and `result` may be called any number of times; `close` (or `with`) releases the folder.

    >>> import nas
    >>> with nas.open_search(strategy="random", budget=2) as search:
    ...     for arch in search.ask(2):
    ...         search.tell(arch, len(str(arch)))
    """

    def __init__(self, settings: Settings, store: Store, folder: Path | None, stack: ExitStack) -> None:
        self._settings = settings
        self._store = store
        self._folder = folder
        self._stack = stack
        worker = Worker(settings, folder)
        worker.functions[function_of(BY_HAND)] = lambda arch: None  # never called: the caller evaluates
        if settings.search.limits:
            raise InputError(
                "Expected no search.limits in a search whose caller evaluates, as only the values of the objective are "
                f"told, but got {', '.join(settings.search.limits)}; tell None for what is outside."
            )
        self._problem = SearchProblem(worker, store)
        with unchanged_process():
            self._problem.check()
            self._loop = Search(self._problem, settings.search.budget, settings.search.ask, store)
        self._batch: Batch | None = None
        if (count := store.get(ASKED)) is not None:
            self._propose(count)

    def ask(self, n: int | None = None) -> list[Any]:
        """Architectures to evaluate: at most `n` (by default `search.ask`) different ones, at least one.

        Each is the representative of a class that is new and satisfies the constraints. Until all their values are
        told, the same call returns those that are left. The list is empty if the budget is used up or no class is new.
        Raises InputError if `n` is below 1.

        >>> search = nas.open_search(strategy="random", budget=8)
        >>> len(search.ask(3))
        3
        """
        count = self._loop.ask if n is None else n
        if count < 1:
            raise InputError(f"Expected to ask for at least one architecture but got {count}.")
        with unchanged_process():
            if self._batch is None and not self._loop.finished:
                self._store.put(ASKED, count)
                self._propose(count)
            left = [] if self._batch is None else self._loop.unevaluated(self._batch)
            return [self._loop.space.parse(key) for key in left]

    def _propose(self, count: int) -> None:
        """Propose batches until one has a new class; tell the strategy the known values of the others at once."""
        while not self._loop.finished:
            batch = self._loop.propose(count)
            if self._loop.unevaluated(batch):
                self._batch = batch
                return
            self._loop.conclude(batch)
        self._store.put(ASKED, None)

    def tell(self, arch: Any, values: Any, reason: str = "no value was told") -> None:
        """Record the value of an architecture that `ask` returned: a number, or a number for each of several goals.

        None is a failure for that `reason`; a value that is missing or not finite is a failure too. Any order will do:
        the strategy gets all values of the step, as asked, after the last one. Raises InputError if the architecture
        was not asked for or is told twice.

        >>> search = nas.open_search(strategy="nsga2", directions={"accuracy": "max", "params": "min"})
        >>> first, second = search.ask(2)
        >>> search.tell(second, {"accuracy": .5, "params": 1e6})
        >>> search.tell(first, None, "it was not trained")
        """
        space = self._loop.space
        key = str(space.canonical(space.parse(str(arch))))
        waiting = [] if self._batch is None else self._loop.unevaluated(self._batch)
        if key not in waiting:
            told = self._store.evaluation(key) is not None
            raise InputError(
                f"Expected an architecture that waits for its value but {key} "
                f"{'was told already' if told else 'was not asked for'}; ask() gives those that wait."
            )
        assert self._batch is not None
        goals = [goal.name for goal in self._problem.goals]
        metrics, failure = None, reason
        if values is not None:
            try:
                metrics = values_of(values, goals, len(goals) > 1, "tell")
            except NasError as error:
                failure = str(error)
        self._store.record(TaskResult(key, metrics, None if metrics is not None else failure, 0.0))
        if len(waiting) == 1:
            with unchanged_process():
                self._loop.conclude(self._batch)
            self._store.put(ASKED, None)  # if killed just before, a reopened search proposes at once
            self._batch = None

    def result(self) -> Found:
        """The best architecture of the steps whose values are all told. Raises NasError if none has a value.

        >>> search = nas.open_search(strategy="random")
        >>> search.tell(search.ask(1)[0], .5)
        >>> search.result().best.metrics
        {'value': 0.5}
        """
        loop, settings = self._loop, self._settings
        result = loop.result(settings.search.objective)
        result = replace(result, exhausted=loop.fruitless >= FRUITLESS)
        steps = trajectory(self._store, result.goals[0])
        plain = config.plain(settings)
        command, failed = SearchCommand(), failures(self._store)
        about = (command.repeat(plain, {}), command.acting(plain))
        data = RunData(plain, command.name, {}, result, steps, failed, {}, {}, *about)
        return Found.of(result, RunRecord(data, RunFiles(self._folder, {})))

    def close(self) -> None:
        """Release the folder of the search, so that another process can open it.

        >>> nas.open_search(strategy="random", run="runs/by-hand").close()
        >>> nas.open_search(run="runs/by-hand").close()
        """
        self._stack.close()

    def __enter__(self) -> OpenSearch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_search(
    recipe: Recipe | None = None,
    *,
    space: Any = None,
    strategy: Any = None,
    directions: Mapping[str, str] | None = None,
    budget: int | None = None,
    constraints: Sequence[str] | None = None,
    settings: SettingsGiven = None,
    seed: int | None = None,
    run: str | os.PathLike[str] | None = None,
) -> OpenSearch:
    """A search whose caller evaluates the architectures: `ask`, evaluate them in any way, `tell`.

    Args:
        recipe: a recipe, the path of a .yaml file, or its content; without one, every setting has its default.
        space: as in `nas.search`.
        strategy: as in `nas.search`.
        constraints: as in `nas.search`.
        settings: as in `nas.search`.
        seed: as in `nas.search`.
        directions: the goals, `{"accuracy": "max", "params": "min"}`; by default `value`, which is maximised.
        budget: the number of different classes after which `ask` returns an empty list.
        run: a folder that keeps everything. Called with it again, `open_search` goes on at the same point, with the
            settings of the first call; the end of a `with` block, or `close()`, releases the folder.

    Raises:
        InputError: if a setting is impossible or without effect, or another process works in the folder.

    >>> import nas
    >>> space = nas.space("nasbench201")
    >>> search = nas.open_search(strategy="random", directions={"params": "min"}, budget=8)
    >>> while archs := search.ask(4):
    ...     for arch in archs:
    ...         search.tell(arch, space.cost(arch).params)
    >>> search.result().best.metrics
    {'params': 316346.0}
    """
    folder = None if run is None else Path(run).expanduser()
    if folder is not None and (folder / CONFIG).exists():
        stack = ExitStack()
        with stack:
            opened = stack.enter_context(reopen(folder))
            if not opened.settings.search.objective.startswith(BY_HAND):
                raise InputError(f"Expected a search of nas.open_search but {folder} is another run; use nas.resume.")
            return OpenSearch(opened.settings, opened.store, folder, stack.pop_all())
    strategy = name_of(strategy, STRATEGIES, SUPERNET_STRATEGIES)
    base = recipe if isinstance(recipe, Mapping) else {} if recipe is None else values_of_recipe(str(recipe))
    named = {**config.flat(dict(base)), **config.flat(dict(settings or {}))}
    chosen_strategy = strategy or named.get("strategy.name")
    if chosen_strategy in SUPERNET_STRATEGIES.components:
        raise InputError(f"Expected a strategy that asks for values but got {chosen_strategy}; use nas.search.")
    goals = {"value": "max"} if directions is None else dict(directions)
    check_directions(goals)
    keywords = {
        "space": space_name(space),
        "strategy.name": strategy,
        "search.objective": "+".join(f"{BY_HAND}/{name}:{direction}" for name, direction in goals.items()),
        "search.budget": budget,
        "search.constraints": constraints,
        "seed": seed,
    }
    command = SearchCommand()
    chosen = settings_of(command.reader(), recipe, overrides(keywords, settings))
    if folder is None:
        return OpenSearch(chosen, InMemoryStore(), None, ExitStack())
    chosen.run.dir = str(folder)
    with ExitStack() as stack:
        opened = stack.enter_context(create(command.name, chosen))
        return OpenSearch(opened.settings, opened.store, folder, stack.pop_all())
