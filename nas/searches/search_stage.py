"""The search stage of a run, with a strategy that asks for metrics or with a supernet: its checks, and the search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.core.seeds import derive
from nas.objectives import constant_logits
from nas.objectives.directions import direction_remarks
from nas.objectives.functions import Function, import_function, source_sha256
from nas.objectives.notation import PREDICTED, PYTHON, function_of, label, source_of
from nas.objectives.short_training import check_validation_part
from nas.results import SearchResult
from nas.runs.run_folder import Run
from nas.runs.stages.context import RunContext, Worker
from nas.runs.stages.train_stage import log_warning
from nas.searches import supernet_stage, warm_start
from nas.searches.loop import Search
from nas.searches.percentile_ranks import percentile_ranks
from nas.searches.problem import SearchProblem
from nas.settings.schema import Settings, is_supernet
from nas.strategies.predictors import PREDICTORS
from nas.tables.collection import ACCURACY
from nas.tables.repeated import log_once
from nas.train import check_parts, large_batch_note

PEER_SIZE = 0.10  # largest difference of its number of weights from that of the best, as a fraction
MAX_PEER_DRAWS = 100_000  # attempts to find a random cell of that size
DIRECTIONS_SINCE = "0.3.0"  # the version since which names of columns say in which direction they are better
MAX_DRAWS = 50_000  # attempts to find a cell that the constraints allow


def labels_of(settings: Settings) -> list[str]:
    """The `trained:` metrics that a search asks for."""
    return [] if is_supernet(settings) else [name for name in settings.search.metrics() if source_of(name) == "trained"]


def check_settings(command: str, settings: Settings) -> None:
    """Raises InputError for settings that no search can use, before any data are read."""
    if settings.arch is not None:
        raise InputError(
            f"Expected no arch= for nas {command}, which searches for one; train this one with `nas train`."
        )
    if not is_supernet(settings):
        check_validation_part(settings.search.metrics(), settings.data.validation)


def check(worker: Worker) -> None:
    """Raises InputError for what would stop the search later, such as missing data; logs what a user should know."""
    settings = worker.settings
    if is_supernet(settings):
        supernet_stage.check(settings)
        supernet = supernet_stage.new_strategy(worker)  # raises InputError if there are no data to halve
        log_warning(large_batch_note("strategy", settings.strategy.batch_size, supernet.batch_size))
        _ = worker.tables  # raises InputError if one is missing
    else:
        problem = SearchProblem(worker)
        problem.check()
        warm_start.check(problem)
        if next(problem.sample(Random(0), MAX_DRAWS), None) is None:
            raise problem.unsatisfied(MAX_DRAWS)
        for sentence in _remarks(problem):
            log_warning(sentence)
        for line in _table_remarks(problem):
            log_once(line)
    if labels_of(settings):
        check_parts(settings.label, len(worker.dataset.train))
        log_warning(large_batch_note("label", settings.label.batch_size, len(worker.dataset.train)))


def _columns(problem: SearchProblem) -> list[str]:
    """The goals and limited quantities that are columns of tables."""
    return [name for name in problem.names if source_of(name) == "table"]


def _remarks(problem: SearchProblem) -> Iterator[str | None]:
    """What a user should know of this search."""
    search = problem.settings.search
    yield problem.strategy.remark(search.budget)
    yield from direction_remarks(problem.terms)
    if _columns(problem) and search.constraints:
        words = ", ".join(search.constraints)
        yield f"Only architectures with {words} are evaluated; search.constraints=[] allows all."


def _table_remarks(problem: SearchProblem) -> list[str]:
    """What a user should know of the tables of a search: rows that it does not use, and why."""
    tables = problem.worker.tables
    return [] if tables is None else [*tables.remarks(), *tables.class_remarks(_columns(problem))]


def functions_of(settings: Settings) -> dict[str, Function]:
    """The functions among the metrics of a search, by module and name. Raises InputError if one cannot be imported."""
    names = [] if is_supernet(settings) else [n for n in settings.search.metrics() if source_of(n) == "python"]
    return {function_of(name): import_function(name) for name in names}


def hashes(functions: Mapping[str, Function]) -> Json:
    """What `config.json` stores of functions: the SHA-256 of their sources, by module and name."""
    return {"functions": {name: source_sha256(one) for name, one in functions.items()}} if functions else {}


def check_functions(run: Run) -> None:
    """Log a warning if a function of the run has another source than when the run was begun.

    Raises InputError if a function cannot be imported and is not given.
    """
    for name, before in run.extra.get("functions", {}).items():
        function = run.functions.get(name) or import_function(PYTHON + name)
        if (now := source_sha256(function)) != before:
            log_warning(
                f"The source of the function {name} has another SHA-256 ({now[:12]}) than when the run was begun "
                f"({before[:12]}): values of both may be mixed in its result."
            )


def depends_on_images(settings: Settings) -> bool:
    """Whether the result depends on the images: it does not if only tables, latency or a predictor decide."""
    return is_supernet(settings) or any(source_of(name) in ("proxy", "trained") for name in settings.search.metrics())


def problem_of(context: RunContext) -> SearchProblem:
    """The search problem of the run."""
    return SearchProblem(
        context.worker, context.run.store, context.executor, context.run.begun_before(constant_logits.SINCE)
    )


def search(context: RunContext) -> SearchResult:
    """Search to the end of the budget; the stored result if the search has ended before."""
    run, settings = context.run, context.run.settings
    stored = run.store.get("search/result")
    if stored is not None:
        result = SearchResult.from_json(stored)
        if not is_supernet(settings):
            problem_of(context).check_found(result)
        return result
    result = supernet_stage.search_supernet(context) if is_supernet(settings) else _ask_and_tell(context)
    run.store.put("search/result", result.to_json())
    return result


def _ask_and_tell(context: RunContext) -> SearchResult:
    run, settings, problem = context.run, context.run.settings, problem_of(context)
    problem.check_older()
    _check_directions(run, problem)
    with run.stage("search") as stage:
        warm_start.tell(problem)
        loop = Search(problem, settings.search.budget, settings.search.ask, run.store)
        context.watcher.stage("search", settings.search.budget, loop.evaluated)
        while not loop.finished:
            loop.step(stage.flush)
            context.watcher.update(loop.evaluated, "")
            stage.flush()
        result = _complete(loop.result(settings.search.objective), problem)
        tables = context.worker.tables
        if tables is None:
            return result
        return replace(
            result, top=[replace(one, percentile_ranks=percentile_ranks(tables, one.arch)) for one in result.top]
        )


def _check_directions(run: Run, problem: SearchProblem) -> None:
    """Store the directions of the goals when a search begins; raise InputError if it began with others.

    The version decides the direction of a column by its name: before `DIRECTIONS_SINCE`, higher was better in every
    column of accuracies.
    """
    now = {goal.name: goal.higher_is_better for goal in problem.goals}
    before = run.store.get("search/directions")
    if before is None:
        older = run.begun_before(DIRECTIONS_SINCE)
        by_name = [term.name for term in problem.terms if term.higher_is_better is None]
        changed = {label(name) for name in by_name if name.startswith(ACCURACY) and older is not None}
        before = {name: higher or name in changed for name, higher in now.items()}
    for name, higher in now.items():
        if before.get(name) != higher:
            is_better, was = ("higher", "lower") if higher else ("lower", "higher")
            raise InputError(
                f"Expected a search in which {is_better} is better for {name} but {run.folder} was begun by a version "
                f"for which {was} was; start a new run."
            )
    run.store.put("search/directions", now)


def best_so_far(run: Run) -> SearchResult | None:
    """The best of the evaluations that an interrupted search has made; None if it has none with a value.

    A supernet has no result before its end. The evaluations of the step that was interrupted count too.
    """
    settings, store = run.settings, run.store
    if is_supernet(settings):
        return None
    for evaluation in list(store.evaluations()):
        if store.from_history(evaluation.key) is None:
            store.append_history(evaluation.key)
    problem = SearchProblem(Worker(settings, run.folder), store)
    loop = Search(problem, settings.search.budget, settings.search.ask, store)
    loop.evaluated = store.history_length()
    limits = problem.strategy.limits
    if not any(one.result is not None and limits.hold(one.result) for one in store.history()):
        return None
    return replace(_complete(loop.result(settings.search.objective), problem), exhausted=False)


def _complete(result: SearchResult, problem: SearchProblem) -> SearchResult:
    """With what was known before, and the library of the strategy's model or of the predictor behind `predicted`."""
    settings, library = problem.settings, result.library
    if library is None and any(source_of(name) == PREDICTED for name in settings.search.metrics()):
        library = PREDICTORS.get(settings.predicted.model)().library
    return replace(result, library=library, warm_start=warm_start.summary(problem))


def random_peer(problem: SearchProblem, best: str, seed: int, folder: Path) -> str:
    """A random cell of another class with at most 10 % more or fewer weights than the best, within the constraints.

    Drawn uniformly by the run's seed, before any training; a cell whose logits do not depend on the image is skipped.
    `folder` is that of the run, for messages. Raises InputError if no such cell is found.
    """
    space, constraints, trained = problem.space, problem.constraints, problem.worker.trained
    size = trained.cost(space.parse(best)).params
    rng = Random(derive(seed, "random cell"))
    for _ in range(MAX_PEER_DRAWS):
        arch = space.canonical(space.sample(rng))
        if str(arch) == best or abs(trained.cost(arch).params - size) > PEER_SIZE * size:
            continue
        connected, older = trained.connected(arch), problem.older
        if not (connected or older) or not constraints.allow(arch):  # `allow` last: it may build the network
            continue
        if older is not None and not connected:
            raise constant_logits.refusal(str(folder), f"{arch}, its random cell", older)
        return str(arch)
    raise InputError(
        f"Expected a random cell within {PEER_SIZE:.0%} of the {size} weights of the best but {MAX_PEER_DRAWS} draws "
        f"had none; train the best alone with `nas train {folder}`, or start a new run with run.random=false."
    )
