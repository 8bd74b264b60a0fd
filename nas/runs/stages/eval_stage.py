"""The stage that attacks networks: checks before the run, forecast of its cost, the task of a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas.core.data import Dataset, attacked
from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.core.storage.base import PrefixedFacts
from nas.eval import evaluate
from nas.eval.checks import check_passes
from nas.eval.corruptions.plan import CorruptionPlan
from nas.eval.measures import check_measures, measure_passes
from nas.eval.model_source import EvaluatedModel, ModelSource, load_model
from nas.eval.networks.fitting import check_fits
from nas.eval.plan import plan_of
from nas.results import EvalResult
from nas.runs.stages.context import RunContext, Task, Worker
from nas.runs.stages.forecast import SURVIVORS, Cost, Speed, makespan, workers_of
from nas.settings.schema import Settings
from nas.train import adversarial


def refuse_options_of_foreign_networks(command: str, settings: Settings) -> None:
    """Raise `InputError` for settings that only a foreign network can need."""
    for key in ("model_options", "normalise", "mean", "std"):
        if getattr(settings.eval, key):
            raise InputError(
                f"Expected no eval.{key} for nas {command}, which attacks networks of its own; leave it out."
            )


def check(settings: Settings, dataset: Dataset) -> None:
    """Raise `InputError` for what would stop an evaluation later. The default of eval.n_test becomes what there is."""
    settings.eval.attack_what_there_is(len(dataset.test))
    plan_of(settings.eval, dataset.num_classes, dataset.image_size)
    check_measures(settings.eval, dataset.num_classes, dataset.image_size)
    CorruptionPlan(settings.eval, dataset, attacked(dataset, settings.eval.n_test), settings.seed)


def cost(settings: Settings, methods: list[str], dataset: Dataset, speed: Speed) -> Cost:
    """The cost of the whole evaluation of one network for each of the training methods."""
    counts = [_passes(settings, method, dataset) for method in methods]
    seconds = [count * speed.step / speed.batch for count in counts]
    return Cost(makespan(seconds, workers_of(settings)), sum(counts))


def _passes(settings: Settings, method: str, dataset: Dataset) -> float:
    """How many passes the evaluation of one network takes.

    One pass takes about as long as in training, including the overhead of the libraries that attack.
    """
    survivors = SURVIVORS["adversarial" if adversarial(method) else "standard"]
    options = settings.eval
    total = min(options.checks_images, options.n_test) * survivors * check_passes(options, dataset.image_size)
    total += min(options.measure_images, options.n_test) * measure_passes(options, dataset.num_classes)
    corrupted = CorruptionPlan(options, dataset, attacked(dataset, options.n_test), 0)
    total += corrupted.ticks * min(options.batch_size, options.n_test) / 3  # forward only
    for label, attack in plan_of(options, dataset.num_classes, dataset.image_size):
        late = options.cascade and label in options.attacks[1:]
        total += options.n_test * attack.passes() * (survivors if late or len(attack.stages) > 1 else 1)
    return total


@dataclass(frozen=True)
class AttackTask(Task[EvalResult]):
    """Attacks one network."""

    name: str  # the store holds its outcomes under this name
    source: ModelSource  # a path may be relative to the run's folder

    def model(self, source: ModelSource, settings: Settings) -> EvaluatedModel:
        """The network to attack, from a source whose path is absolute."""
        return load_model(source, settings.eval, settings.seed)

    def run(self, worker: Worker) -> EvalResult:
        assert worker.folder is not None
        assert worker.open_store is not None
        settings, source = worker.settings, self.source.within(worker.folder)
        model = self.model(source, settings)
        check_fits(model, worker.dataset, self.source.described, settings.eval)
        with worker.open_store() as store:
            result = evaluate(
                model.network,
                worker.dataset,
                settings.eval,
                derive(settings.seed, "attack"),
                settings.torch_device(),
                PrefixedFacts(store, f"outcome/{self.name}/"),
                worker.reporter(store, f"eval/{self.name}"),
            )
        path = source.seen_from(worker.folder)
        return replace(
            result,
            name=self.name,
            arch=model.architecture,
            params=model.params,
            training=model.training,
            normalised=model.normalised_by,
            checkpoint=None if source.foreign else path,
            source=path if source.foreign else None,
        )


def evaluate_all(context: RunContext, tasks: Sequence[AttackTask]) -> dict[str, EvalResult]:
    """Attack every network; robust networks take longest and start first."""
    order = sorted(tasks, key=lambda task: task.name.endswith("standard"))
    with context.run.stage("eval") as stage:
        return context.all(stage, {task.name: task for task in order}, "attack")
