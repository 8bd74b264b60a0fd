"""The search stage of a run, by asking for metrics or with a supernet: what would stop it, what it costs, doing it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median

from torch.nn import functional as F

from nas.core.errors import InputError
from nas.core.images import unit_range
from nas.core.seeds import derive
from nas.eval.plan import make_attack
from nas.objectives import connected
from nas.objectives.notation import LATENCY, TRAINED, parse, source_of
from nas.objectives.short_training import check_judged
from nas.results import SearchResult
from nas.runs.stages.context import RunContext, Worker
from nas.runs.stages.forecast import Cost, measure_speed, median_seconds, network_of, start_up_seconds, workers_of
from nas.runs.stages.train_stage import log_warning
from nas.searches import supernet_stage
from nas.searches.loop import Search
from nas.searches.percentile_ranks import percentile_ranks
from nas.searches.problem import SearchProblem
from nas.settings.schema import Settings, is_supernet
from nas.strategies.proxies import PROXIES
from nas.train import check_parts, large_batch_note

SIZE = 0.10  # the random cell's weights differ from the best's by at most this share
PEER_DRAWS = 100_000  # random cells tried for one of that size
CHECKED_DRAWS = 50_000  # random cells looked at for one that the constraints allow
FORECAST_CELLS = 24  # random feasible cells that a forecast looks at
FORECAST_DRAWS = 20_000  # for so many


def labels_of(settings: Settings) -> list[str]:
    """The `trained:` metrics that a search asks for."""
    return [] if is_supernet(settings) else [name for name in settings.search.metrics() if source_of(name) == "trained"]


def check_settings(command: str, settings: Settings) -> None:
    """`InputError` for settings that no search can keep to, before any data are read."""
    if settings.arch is not None:
        raise InputError(
            f"Expected no arch= for nas {command}, which searches for one; train this one with `nas train`."
        )
    if not is_supernet(settings):
        check_judged(settings.search.metrics(), settings.data.validation)


def check(worker: Worker) -> None:
    """`InputError` for what would stop the search later."""
    settings = worker.settings
    if is_supernet(settings):
        supernet_stage.check(settings)
        supernet = supernet_stage.made(worker)  # has data to halve
        log_warning(large_batch_note("strategy", settings.strategy.batch_size, supernet.batch_size))
        _ = worker.tables  # which may be missing
    else:
        problem = SearchProblem(worker)
        problem.check()
        if next(problem.sample(Random(0), CHECKED_DRAWS), None) is None:
            raise problem.unsatisfied(CHECKED_DRAWS)
        log_warning(problem.strategy.remark(settings.search.budget))
    if labels_of(settings):
        check_parts(settings.label, len(worker.dataset.train))
        log_warning(large_batch_note("label", settings.label.batch_size, len(worker.dataset.train)))


def depends_on_images(settings: Settings) -> bool:
    """Whether what is found depends on the data: not where tables, latency or labels of others alone decide."""
    return is_supernet(settings) or any(source_of(name) in ("proxy", "trained") for name in settings.search.metrics())


def cost(worker: Worker) -> Cost:
    """Times the objective on three cells. Passes of a supernet that need no gradient of a weight count as whole ones;
    its validation is left out."""
    settings = worker.settings
    if is_supernet(settings):
        return _of_supernet(worker)
    workers, budget, each = workers_of(settings), settings.search.budget, _of_candidate(worker)
    return Cost(
        budget * each.seconds / min(workers, settings.search.ask) + start_up_seconds(workers),
        budget * each.passes,
    )


def feasible(worker: Worker) -> list[str]:
    """Random candidates within the constraints, the most expensive first, as searches drift towards large cells."""
    rng = Random(derive(worker.settings.seed, "forecast"))
    problem = SearchProblem(worker)
    candidates = (arch for arch in problem.sample(rng, FORECAST_DRAWS) if problem.is_candidate(str(arch)))
    found = list(islice(candidates, FORECAST_CELLS))
    if not found:
        raise problem.unsatisfied(FORECAST_DRAWS)
    return [str(arch) for arch in sorted(found, key=lambda arch: -worker.trained.cost(arch).macs)]


def _of_supernet(worker: Worker) -> Cost:
    strategy = supernet_stage.made(worker)
    batch = strategy.batch_size
    x = unit_range(strategy.weight_half.images[:batch])
    y = strategy.weight_half.labels[:batch]

    def step() -> None:
        strategy.supernet.zero_grad()
        F.cross_entropy(strategy.supernet(x), y).backward()

    passes = strategy.passes()
    return Cost(passes * median_seconds(step, 3), passes * batch)


def _of_candidate(worker: Worker) -> Cost:
    """Of one candidate of the search, its cheap values left out.

    What a short training costs is told from single steps; the rest is measured on three cells.
    """
    settings = worker.settings
    seconds = passes = 0.0
    names = [term.name for term in parse(settings.search.objective)]
    trained = [name for name in names if source_of(name) == "trained"]
    others = [name for name in names if source_of(name) in ("proxy", "table", "predicted")]
    problem, cells = SearchProblem(worker), feasible(worker)[:3]
    if others:
        seconds += median(median_seconds(lambda text=text: worker.score(text, others)) for text in cells)  # type: ignore[misc]
    if LATENCY in names:
        seconds += median(median_seconds(lambda text=text: problem.measure_latency(text)) for text in cells)  # type: ignore[misc]
    for name in others:
        if source_of(name) == "proxy":
            options = getattr(settings.proxies, name)
            passes += PROXIES.get(name).passes(options) * getattr(options, "batch_size", 0)
    if trained:
        label = settings.label
        speed = measure_speed(settings, worker.dataset, network_of(worker, cells[0]))
        images = len(worker.dataset.train) * label.epochs
        whole, inputs = label.passes
        seconds += images / speed.batch * (whole * speed.step + inputs * speed.attack_step)
        passes += images * (whole + inputs)
        attacks = {name.removeprefix(TRAINED).removeprefix("hrs:") for name in trained} - {"clean"}
        for name in attacks:
            count = min(label.n_val, len(worker.dataset.validation)) * make_attack(name, settings.eval).passes()
            seconds += count * speed.step / speed.batch
            passes += count
    return Cost(seconds, passes)


def problem_of(context: RunContext) -> SearchProblem:
    """What the run searches for."""
    return SearchProblem(context.worker, context.run.store, context.executor, context.run.begun_before(connected.SINCE))


def search(context: RunContext) -> SearchResult:
    """Search to the end of the budget (or take the result where that is done already)."""
    run, settings = context.run, context.run.settings
    kept = run.store.get("search/result")
    if kept is not None:
        found = SearchResult.from_json(kept)
        if not is_supernet(settings):
            problem_of(context).check_found(found)
        return found
    found = supernet_stage.search_supernet(context) if is_supernet(settings) else _ask_and_tell(context)
    run.store.put("search/result", found.to_json())
    return found


def _ask_and_tell(context: RunContext) -> SearchResult:
    run, settings, problem = context.run, context.run.settings, problem_of(context)
    problem.check_older()
    with run.stage("search") as stage:
        looking = Search(problem, settings.search.budget, settings.search.ask, run.store)
        context.watcher.stage("search", settings.search.budget)
        while not looking.finished:
            looking.step(stage.flush)
            context.watcher.update(looking.evaluated, "")
            stage.flush()
        found = looking.result(settings.search.objective)
        tables = context.worker.tables
        if tables is None:
            return found
        return replace(
            found, top=[replace(one, percentile_ranks=percentile_ranks(tables, one.arch)) for one in found.top]
        )


def random_peer(problem: SearchProblem, best: str, seed: int, folder: Path) -> str:
    """A random cell of another class whose weights differ from the best's by at most 10 %, within the constraints.

    Drawn uniformly by the run's seed, before any training; one whose logits do not depend on the image is passed over.
    `folder` is the run's, for messages.
    """
    space, constraints, trained = problem.space, problem.constraints, problem.worker.trained
    size = trained.cost(space.parse(best)).params
    rng = Random(derive(seed, "random cell"))
    for _ in range(PEER_DRAWS):
        arch = space.canonical(space.sample(rng))
        if str(arch) == best or abs(trained.cost(arch).params - size) > SIZE * size:
            continue
        alive, older = trained.connected(arch), problem.older
        if not (alive or older) or not constraints.allow(arch):  # in this order: they may build it to measure it
            continue
        if older is not None and not alive:
            raise connected.refusal(f"{folder}, whose random cell it is,", str(arch), older)
        return str(arch)
    raise InputError(
        f"Expected a random cell within {SIZE:.0%} of the {size} weights of the best but {PEER_DRAWS} draws had none; "
        f"train the best alone with `nas train {folder}`, or start a new run with run.random=false."
    )
