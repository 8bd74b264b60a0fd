"""Discrete proxy search: find settings under which Eproxy ranks a few labelled architectures correctly."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from nas.core import config
from nas.core.errors import InputError
from nas.core.execution.executor import Executor, executor_for
from nas.core.io.files import write_text
from nas.core.seeds import derive
from nas.core.storage.base import Metrics, TaskResult
from nas.objectives import constant_logits
from nas.objectives.labels import Labels
from nas.results import Agreement, DpsResult, HeldOut
from nas.runs.run_folder import Run, Stage
from nas.runs.stages.context import Watcher
from nas.search_spaces import SPACES
from nas.searches.dps_fitness import agreement, compare
from nas.searches.dps_losses import BASELINE, LossTask, LossWorker, changes, options_of, variants
from nas.searches.loop import Search, Unconstrained
from nas.settings.schema import Settings
from nas.strategies import Goal
from nas.strategies.evolution import Evolution, EvolutionOptions
from nas.strategies.proxies.eproxy.genes import Genes

SETTINGS_FILE = "eproxy.yaml"  # in the run's folder


@dataclass(frozen=True)
class DPSOptions:
    """The length of the search; the first three defaults are those of the paper and its release."""

    evaluations: int = 200  # different settings, including those of the first population
    population: int = 40
    tournament: int = 10
    finalists: int = 5  # the best settings, which are evaluated again
    draws: int = 5  # evaluations of each finalist, including the first one
    errors: float = 1.0  # a rho at most this many standard errors below the best counts as equal to it

    def check(self) -> None:
        """Raises InputError if a value is impossible."""
        if self.evaluations < 1:
            raise InputError(f"Expected --evaluations of at least 1 but got {self.evaluations}.")
        if not 1 <= self.tournament <= self.population:
            raise InputError(
                f"Expected 1 <= --tournament <= --population but got {self.tournament} and {self.population}."
            )
        for name in ("finalists", "draws"):
            if getattr(self, name) < 1:
                raise InputError(f"Expected --{name} of at least 1 but got {getattr(self, name)}.")
        if not 0 <= self.errors <= 100:
            raise InputError(f"Expected --errors between 0 and 100 but got {self.errors}.")


def check(settings: Settings) -> None:
    """Check, before anything is written, for errors that would stop the run later. Raises InputError for them."""
    settings.check_single_seed("dps")
    if not settings.proxies.eproxy.use_barrier:
        raise InputError(
            "Expected Eproxy with its barrier, because nas dps searches the kernel and the initialisation of the "
            "barrier, but got proxies.eproxy.use_barrier=false; leave it out."
        )
    LossWorker(settings).losses()  # raises InputError if data are missing or too few for a batch


def execute(run: Run, watcher: Watcher) -> DpsResult:
    """Search for a setting, write its file, and report how well it ranks architectures that the search did not see."""
    settings, extra = run.settings, run.extra
    seen: Labels = [(text, value) for text, value in extra["labels"]]
    unseen: Labels = [(text, value) for text, value in extra["held_out"]]
    _check_constant(run, [text for text, _ in [*seen, *unseen]])
    work = LossWorker(settings, frozenset(text for text, _ in seen))
    with executor_for(work, settings.executor, settings.torch_device().type) as executor:
        search = SettingsSearch(run, seen, executor, watcher)
        run.check_data_unchanged(work.worker.dataset)
        with run.stage("dps") as stage:
            best = search.search(stage)
        with run.stage("held-out") as stage:
            report = search.report(best.setting, unseen, stage)
    text = settings_file(settings, best, len(seen))
    write_text(run.folder / SETTINGS_FILE, text)
    if extra["output"] is not None:
        write_text(Path(extra["output"]), text)
    return run.finish(
        DpsResult(
            setting=best.setting,
            options=config.plain(options_of(settings.proxies.eproxy, best.setting)),
            labels=Agreement(len(seen), best.spearman, best.spearman_plain),
            evaluated=best.evaluated,
            held_out=report,
            file=extra["output"] or str(SETTINGS_FILE),
            seconds=run.seconds(),
        )
    )


def _check_constant(run: Run, labelled: list[str]) -> None:
    """Log how many architectures are constant classifiers, which have no loss and come last in any ranking.

    Raises InputError if an older version began the run, because it gave such networks a loss.
    """
    space, scored = SPACES.get(run.settings.space)(), vars(run.settings.scoring)
    constant = [text for text in labelled if not space.connected(space.parse(text), **scored)]
    if not constant:
        return
    if (older := run.begun_before(constant_logits.SINCE)) is not None:
        raise constant_logits.refusal(str(run.folder), constant[0], older)
    logging.getLogger("nas").warning(
        "%d of the %d labelled architectures have no loss and rank last, such as %s. %s",
        len(constant),
        len(labelled),
        constant[0],
        constant_logits.REASON,
    )


LossExecutor = Executor[LossTask, list[float | str]]


@dataclass(frozen=True)
class BestSetting:
    """The best setting, and its rho and that of plain Eproxy on the labelled architectures.

    The store uses the names of the fields.
    """

    setting: str
    spearman: float
    spearman_plain: float
    evaluated: int


@dataclass(frozen=True)
class SettingsSearch:
    """The search of a run for the setting that ranks the labelled architectures `seen` best."""

    run: Run
    seen: Labels
    executor: LossExecutor
    watcher: Watcher

    def search(self, stage: Stage) -> BestSetting:
        """Search for the best setting. If the search of this run has already ended, return what it stored."""
        run, watcher = self.run, self.watcher
        stored = run.store.get("dps/found")
        if stored is not None:
            return BestSetting(**stored)
        options = DPSOptions(**run.extra["options"])
        goal = Goal("spearman")
        space: Any = Genes()
        strategy = EvolutionFromStart(
            space, (goal,), derive(run.settings.seed, "dps"), EvolutionOptions(options.population, options.tournament)
        )
        strategy.start = space.of(run.settings.proxies.eproxy)
        problem = Unconstrained(space, strategy, lambda keys, tick: (self._evaluate(key, tick) for key in keys))
        # one setting at a time, as published; workers score its architectures in parallel
        loop = Search(problem, options.evaluations, 1, run.store)
        watcher.stage("dps", options.evaluations, loop.evaluated)
        while not loop.finished:
            loop.step(stage.flush)
            best = max((one.result["spearman"] for one in run.store.history() if one.result), default=0.0)
            watcher.update(loop.evaluated, f"best rho {best:.3f}")
            stage.flush()
        plain = BASELINE if strategy.start is None else str(strategy.start)
        rhos = self._evaluate_finalists(plain, stage)
        setting = preferred(
            {text: rho for text, rho in rhos.items() if text != BASELINE}, plain, len(self.seen), options.errors
        )
        best_setting = BestSetting(setting, rhos[setting], rhos[plain], loop.evaluated)
        run.store.put("dps/found", asdict(best_setting))
        return best_setting

    def _evaluate_finalists(self, plain: str, stage: Stage) -> dict[str, float]:
        """The rhos of the best settings and the plain one, each the mean over draws of weights, features and batch.

        The rho of one draw is noisy (the training is chaotic), and the best of many such values is partly luck. So the
        finalists are evaluated again. Each is tried with all values of the FLOPs term, which share one training.
        """
        run, watcher = self.run, self.watcher
        options = DPSOptions(**run.extra["options"])
        first = {one.key: one.result for one in run.store.history() if one.result is not None}
        by_loss: dict[str, str] = {}  # the first of all settings that differ only in the FLOPs term
        for text in first:
            by_loss.setdefault(min(variants(text)), text)
        best = sorted(by_loss.values(), key=lambda text: -max(first[text][one] for one in variants(text)))[
            : options.finalists
        ]
        has_plain = any(min(variants(text)) == min(variants(plain)) for text in best)
        finalists = best if has_plain else [*best, plain]
        watcher.stage("again", len(finalists) * (options.draws - 1))
        rhos: dict[str, list[float]] = {}
        for number, text in enumerate(finalists):
            for draw in range(options.draws):
                key = f"again/{draw}/{text}"
                metrics = first.get(text) if draw == 0 else run.store.get(key)
                if metrics is None:
                    metrics = self._evaluate(text, stage.flush, draw).result or {}
                    run.store.put(key, metrics)
                for one in variants(text):
                    rhos.setdefault(one, []).append(metrics[one])
                watcher.update(number * (options.draws - 1) + draw, "")
                stage.flush()
        return {text: sum(values) / len(values) for text, values in rhos.items()}

    def _evaluate(self, text: str, tick: Callable[[], None], draw: int = 0) -> TaskResult[str, Metrics]:
        """How well a setting (`spearman`) and each of its `variants` rank the labelled architectures."""
        begun = time.perf_counter()
        texts = variants(text)
        losses: dict[str, list[float | None]] = {one: [None] * len(self.seen) for one in texts}
        for done in self.executor.map(enumerate(LossTask(arch, tuple(texts), draw) for arch, _ in self.seen), tick):
            for place, one in enumerate(texts):
                losses[one][done.key] = _loss(done.result, place)
        accuracies = [accuracy for _, accuracy in self.seen]
        rhos = {one: agreement(values, accuracies) for one, values in losses.items()}
        metrics = {"spearman": rhos[text], "failed": float(losses[text].count(None)), **rhos}
        return TaskResult(text, metrics, None, time.perf_counter() - begun)

    def report(self, setting: str, unseen: Labels, stage: Stage) -> HeldOut | None:
        """How plain Eproxy and the best setting rank unseen architectures; None if all their accuracies are equal."""
        if len({accuracy for _, accuracy in unseen}) < 2:
            return None
        store = self.run.store
        left = [text for text, _ in unseen if store.evaluation(f"held-out/{text}") is None]
        finished = len(unseen) - len(left)
        self.watcher.stage("held-out", len(unseen), finished)
        for done in self.executor.map(enumerate(LossTask(text, (BASELINE, setting)) for text in left), stage.flush):
            losses = {name: _loss(done.result, place) for place, name in enumerate(("plain", "dps"))}
            metrics = {name: loss for name, loss in losses.items() if loss is not None}
            store.record(TaskResult(f"held-out/{left[done.key]}", metrics, done.failure, done.seconds))
            finished += 1
            self.watcher.update(finished, "")
        evaluations = [store.evaluation(f"held-out/{text}") for text, _ in unseen]
        losses_of = {
            name: [(one.result or {}).get(name) if one else None for one in evaluations] for name in ("plain", "dps")
        }
        return compare(losses_of, [accuracy for _, accuracy in unseen])


def preferred(rhos: dict[str, float], plain: str, labels: int, errors: float) -> str:
    """Of the settings whose rho is within `errors` standard errors of the best, the one with the fewest changed genes.

    The FLOPs term does not count, since it is chosen without training; if several have as few changes, the best rho
    decides. The standard error of Spearman's rho on n labels is about (1 - rho²) / sqrt(n - 1). Most settings
    differ by less than that: without this rule, luck would decide among many. It is Breiman's one-standard-error rule
    (CART, 1984).
    """
    best = max(rhos.values())
    error = (1 - best**2) / math.sqrt(max(1, labels - 1))
    good = [text for text, rho in rhos.items() if rho >= best - errors * error]
    return min(good, key=lambda text: (changes(text, plain), -rhos[text]))


class EvolutionFromStart(Evolution):
    """Evolution whose first population is the configured setting and others that differ from it in one gene.

    The paper draws the whole first population at random; docs/studies/eproxy.md shows the results of that. The members
    of a tournament are drawn without replacement, as in the release of DPS; the paper does not say how.
    """

    draws_with_replacement = False
    start: Any = None  # without it, the whole first population is drawn

    def _propose(self) -> Any:
        if self.start is None or len(self.population) >= self.options.population:
            return super()._propose()
        space: Any = self.space
        return space.neighbor(self.start, self.rng) if self.population else self.start


def _loss(values: list[float | str] | None, place: int) -> float | None:
    value = None if values is None else values[place]
    return value if isinstance(value, float) else None


def settings_file(settings: Settings, best: BestSetting, count: int) -> str:
    """The YAML file that `proxies.eproxy.settings` takes."""
    values = config.plain(options_of(settings.proxies.eproxy, best.setting))
    del values["settings"]
    scored = ", ".join(f"{key} {value}" for key, value in vars(settings.scoring).items())
    return (
        f"# Settings of Eproxy by nas dps: the best of {best.evaluated}; Spearman's rho {best.spearman:.3f} on "
        f"{count} accuracies.\n# Space {settings.space}, seed {settings.seed}, data {settings.data.name}, scored "
        f"network: {scored}.\n" + OmegaConf.to_yaml(values)
    )
