"""What a search will cost, from a few seconds of measuring."""

from __future__ import annotations

from itertools import islice
from random import Random
from statistics import median

from torch.nn import functional as F

from nas.core.images import unit_range
from nas.core.seeds import derive
from nas.eval.plan import make_attack
from nas.objectives.notation import LATENCY, TRAINED, parse, source_of
from nas.runs.stages.context import Worker
from nas.runs.stages.forecast import Cost, measure_speed, median_seconds, network_of, start_up_seconds, workers_of
from nas.searches import supernet_stage
from nas.searches.problem import SearchProblem
from nas.settings.schema import is_supernet
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet import PENALTIES
from nas.strategies.supernet.bilevel import Bilevel

FORECAST_CELLS = 24  # random feasible cells of a forecast
MAX_DRAWS = 20_000  # attempts to find that many


def cost(worker: Worker) -> Cost:
    """The cost of a search: its objective is timed on three cells.

    A pass of a supernet without gradients of weights counts as a full pass; its validation is left out. Each supernet
    of a search in stages is timed, and so is a penalty of α, whose gradient is of second order.
    """
    settings = worker.settings
    if is_supernet(settings):
        return _of_supernet(worker)
    workers, budget, each = workers_of(settings), settings.search.budget, _of_candidate(worker)
    return Cost(
        budget * each.seconds / min(workers, settings.search.ask) + start_up_seconds(workers),
        budget * each.passes,
    )


def feasible(worker: Worker) -> list[str]:
    """Random candidates within the constraints, the most expensive first, as searches drift towards large cells.

    Raises InputError if none is found.
    """
    rng = Random(derive(worker.settings.seed, "forecast"))
    problem = SearchProblem(worker)
    candidates = (arch for arch in problem.sample(rng, MAX_DRAWS) if problem.is_candidate(str(arch)))
    cells = list(islice(candidates, FORECAST_CELLS))
    if not cells:
        raise problem.unsatisfied(MAX_DRAWS)
    return [str(arch) for arch in sorted(cells, key=lambda arch: -worker.trained.cost(arch).macs)]


def _of_supernet(worker: Worker) -> Cost:
    strategy = supernet_stage.new_strategy(worker)
    batch = strategy.batch_size
    x = unit_range(strategy.weight_half.images[:batch])
    y = strategy.weight_half.labels[:batch]

    def step() -> None:
        strategy.supernet.zero_grad()
        F.cross_entropy(strategy.supernet(x), y).backward()

    seconds = passes = 0.0
    for phase in strategy.phases():
        whole = median_seconds(step, 3)
        seconds += phase.passes * whole
        passes += phase.passes
        if phase.penalised_steps and isinstance(strategy, Bilevel) and strategy.options.penalty is not None:
            counted = 1 + PENALTIES.get(strategy.options.penalty).passes
            measured = median_seconds(lambda: strategy.penalised_gradient((x, y)))  # type: ignore[union-attr]
            seconds += phase.penalised_steps * (measured - counted * whole)
    return Cost(seconds, passes * batch)


def _of_candidate(worker: Worker) -> Cost:
    """The cost of one candidate, without the cheap objective.

    The cost of a short training is computed from single steps; the rest is measured on three cells.
    """
    settings = worker.settings
    seconds = passes = 0.0
    names = [term.name for term in parse(settings.search.objective)]
    trained = [name for name in names if source_of(name) == "trained"]
    others = [name for name in names if source_of(name) in ("proxy", "table", "predicted", "python")]
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
