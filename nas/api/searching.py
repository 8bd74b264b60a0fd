"""`nas.search`: find architectures; `nas.resume`: go on with a run."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.api.caller_function import CallerFunction
from nas.api.execution import Progress, execute, record_of, shown
from nas.api.keywords import Data, Recipe, SettingsGiven, data_keywords, overrides, settings_of, space_name
from nas.api.process import unchanged_process
from nas.api.registering import name_of
from nas.api.results import Found, outcome
from nas.commands import command_of
from nas.commands.base import RunCommand
from nas.commands.search import Search
from nas.core import config
from nas.core.errors import InputError
from nas.objectives.functions import Function, FunctionError
from nas.results import Result
from nas.runs.run_folder import Run, reopen
from nas.runs.stages.context import Watcher
from nas.searches import search_stage
from nas.strategies import STRATEGIES
from nas.strategies.proxies import PROXIES, Proxy
from nas.strategies.supernet import SUPERNET_STRATEGIES


def search(
    recipe: Recipe | None = None,
    *,
    space: Any = None,
    objective: str | Function | None = None,
    directions: Mapping[str, str] | None = None,
    strategy: Any = None,
    budget: int | None = None,
    constraints: Sequence[str] | None = None,
    limits: Sequence[str] | None = None,
    joint: bool | None = None,
    data: Data = None,
    settings: SettingsGiven = None,
    seed: int | None = None,
    device: str | None = None,
    run: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Progress = False,
) -> Found:
    """Search for architectures, as `nas search` does.

    Args:
        recipe: a recipe from `nas list configs`, the path of a .yaml file, or its content as a dictionary; without one,
            every setting has its default.
        space: the search space.
        objective: a metric, or several joined by +: `"croze"`, `"fgsm@1+params:min"`. Or a function of a point of the
            space (the representative of its class) that returns a number, which is maximised, or a dictionary of
            numbers. A number that is not finite, or an exception, is a failure of that architecture; an exception of
            the first call is raised.
        directions: for the values of a function, such as `{"accuracy": "max", "params": "min"}`.
        strategy: a strategy from `nas list strategies`; its options stand in settings: `{"strategy.population": 20}`.
        budget: how many different classes of isomorphic cells are evaluated.
        constraints: what candidates must satisfy: `["params<=1e6", "latency<=5"]`.
        limits: what is known only after an evaluation: `["edgegpu_latency<=4"]`, of a column of tables, or
            `["latency<=5"]`, which is measured. What is outside costs an evaluation and is never the best.
        joint: with limits, whether a strategy with a model also ranks candidates by the limited quantities.
        data: a data set, an .npz file or a folder of class folders.
        settings: other settings by their keys.
        seed: everything random is drawn from it.
        run: a new folder for the run, which `nas.resume` continues; by default nothing is left on disk.
        workers: processes; by default the work is done in this one.
        progress: true shows it on standard error; a function is called with (done, total, note).

    Returns:
        The best architecture as `found.best` and the best few, or the Pareto front of several goals, as `found.top`.
        If the search is interrupted (Ctrl-C) and has no folder, the best so far, with `found.interrupted` true.

    Raises:
        InputError: if a setting is impossible or without effect, or data are missing.
        NasError: if every evaluation failed, or none was within the limits.

    >>> import nas
    >>> found = nas.search(objective="params:min", strategy="random", budget=20, constraints=["params>=100000"])
    >>> found.evaluated, found.best.metrics
    (20, {'params': 101306.0})
    >>> space = nas.space("nasbench201")
    >>> found = nas.search(objective=lambda arch: space.cost(arch).macs, directions={"objective": "min"}, budget=5)
    >>> list(found.best.metrics)
    ['objective']
    """
    objective = name_of(objective, PROXIES) if isinstance(objective, Proxy) else objective
    given = CallerFunction.of(objective, directions, workers)
    keywords = {
        **data_keywords(data),
        "space": space_name(space),
        "search.objective": objective if given is None else given.notation,
        "strategy.name": name_of(strategy, STRATEGIES, SUPERNET_STRATEGIES),
        "search.budget": budget,
        "search.constraints": constraints,
        "search.limits": limits,
        "search.joint": joint,
        "seed": seed,
        "device": device,
        "executor.workers": workers,
    }
    command = Search()
    chosen = settings_of(command.reader(), recipe, overrides(keywords, settings))
    interrupted = False

    def work(command: RunCommand, opened: Run, watcher: Watcher) -> Result:
        nonlocal interrupted
        opened.functions = {} if given is None else given.in_process
        try:
            return command.finish(opened, watcher)
        except FunctionError:
            if given is None or given.raised is None:
                raise
            raise given.raised  # noqa: B904  (the caller's own exception)
        except KeyboardInterrupt:
            if run is not None or (so_far := search_stage.best_so_far(opened)) is None:
                raise
            logging.getLogger("nas").warning(
                "The search was interrupted after %d of %d evaluations: this is the best so far.",
                so_far.evaluated,
                chosen.search.budget,
            )
            interrupted = True
            return opened.finish(so_far)

    functions = search_stage.functions_of(chosen) if given is None else {given.name: given.function}
    result, record = execute(command, chosen, functions, run, progress, work)
    return replace(Found.of(result, record), interrupted=interrupted)


def resume(
    run: str | os.PathLike[str],
    *,
    objective: Function | None = None,
    settings: SettingsGiven = None,
    workers: int | None = None,
    progress: Progress = False,
) -> Any:
    """Continue a stopped run of any command, as `nas resume` does, and return its result.

    The result is the same as if the run had never been stopped; a finished run's result is read. Only settings that
    cannot change the result may be given, such as `{"data.root": PATH}`. A search by a function that cannot be imported
    needs the function as `objective`; a warning says if its source has changed.

    Raises InputError if the folder is no run, another process works on it, or a setting could change the result.

    >>> import nas
    >>> found = nas.search(objective="params:min", strategy="random", budget=4, run="runs/resumed")
    >>> nas.resume("runs/resumed") == found
    True
    """
    in_settings = "executor.workers" in config.flat(dict(settings or {}))
    words = overrides({"executor.workers": 1 if workers is None and not in_settings else workers}, settings)
    with unchanged_process(), reopen(Path(run).expanduser(), words) as opened, shown(progress) as watcher:
        command = command_of(opened.folder)
        if objective is not None:
            (name,) = opened.extra.get("functions", {None: None})
            if name is None:
                raise InputError(
                    f"Expected no objective for {run}, whose search was begun without a function; leave it out."
                )
            opened.functions = {name: objective}
        result = command.finish(opened, watcher)
        return outcome(result, record_of(opened, result, command, temporary=False))
