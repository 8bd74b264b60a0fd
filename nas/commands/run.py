"""`nas run`: search, train, attack and report; with `seeds=N`, once for each of N seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.commands.base import SEARCH_SETTINGS, RunCommand

if TYPE_CHECKING:
    from nas.report.run_data import RunData
    from nas.results import EvalResult, Result, RunResult, SearchResult, StudyResult
    from nas.runs.run_folder import Run as OpenedRun
    from nas.runs.stages.context import RunContext, Watcher, Worker
    from nas.runs.stages.forecast import Cost
    from nas.runs.stages.train_stage import Model
    from nas.settings.schema import Settings


class _WholeRun(RunCommand):
    """What a run with one seed and a study with several seeds have in common."""

    takes = ("name", "seeds", "run.*", *SEARCH_SETTINGS, "train.*", "eval.*", "model.*")

    @classmethod
    def cli_name(cls) -> str:
        return "run"

    def command_of(self, settings: Settings) -> RunCommand:
        return Run() if settings.seeds == 1 else Study()

    def check(self, settings: Settings, given: Any = None, keep: bool = True) -> None:
        from nas.core.errors import InputError
        from nas.runs.stages import eval_stage, train_stage
        from nas.runs.stages.context import Worker
        from nas.searches import search_stage
        from nas.settings import attack_warnings
        from nas.train import check_selection

        eval_stage.refuse_options_of_foreign_networks(self.cli_name(), settings)
        search_stage.check_settings(self.cli_name(), settings)
        if settings.train.method != "standard":
            raise InputError(
                "Expected run.trainings=standard,pgd (or others) with `nas run` but got train.method; leave it out."
            )
        check_selection(settings.train, settings.data.validation)
        worker = Worker(settings, None, keep)
        search_stage.check(worker)
        train_stage.log_warning(train_stage.one_image(settings, True, search_stage.labels_of(settings)))
        attack_warnings.warn(self.reader(), settings)
        eval_stage.check(settings, worker.dataset)
        train_stage.check(settings, worker.dataset)

    def costs(self, worker: Worker, given: Any) -> dict[str, Cost]:
        from nas.runs.stages import eval_stage, train_stage
        from nas.runs.stages.forecast import measure_speed, network_of
        from nas.searches import search_cost

        settings = worker.settings
        methods = [method for method in settings.run.trainings for _ in range(2 if settings.run.random else 1)]
        searching = search_cost.cost(worker)
        speed = measure_speed(settings, worker.dataset, network_of(worker, search_cost.feasible(worker)[0]))
        return {
            "search": searching,
            "train": train_stage.cost(settings, methods, worker.dataset, speed),
            "eval": eval_stage.cost(settings, methods, worker.dataset, speed),
        }


class Run(_WholeRun):
    """Search, train the best and a random cell, attack them, and write a report.

    Examples: `nas run quickstart`; `nas run quickstart seed=1 search.budget=200 run.dir=my-run`;
    `nas run cifar10-nb201 data.root=/data/cifar10 --dry-run`. `nas run quickstart seeds=3` repeats the whole run
    with three seeds and reports mean ± standard deviation and paired tests against the random cells.
    """

    name, place = "run", 1

    def execute(self, run: OpenedRun, watcher: Watcher) -> Result:
        from nas.core.seeds import derive
        from nas.eval.model_source import ModelSource
        from nas.results import RunResult
        from nas.runs.differences import differences
        from nas.runs.stages.context import run_context
        from nas.runs.stages.eval_stage import AttackTask, evaluate_all
        from nas.runs.stages.train_stage import train_all
        from nas.searches.search_stage import search

        with run_context(run, watcher) as context:
            searched = search(context)
            models = _models(context, searched)
            trained = train_all(context, models)
            sources = {model.name: ModelSource(trained[model.name].checkpoint) for model in models}
            by_name = evaluate_all(context, [AttackTask(name, source) for name, source in sources.items()])
        settings, evaluated = run.settings, [by_name[model.name] for model in models]
        result = RunResult(
            arch=searched.best.arch,
            random_arch=next((model.arch for model in models if model.name.startswith("random")), None),
            space=settings.space,
            data=settings.data.name,
            seeds={"run": settings.seed, **{m.name: derive(settings.seed, "train", m.name) for m in models}},
            search=searched,
            models=evaluated,
            differences=differences(evaluated),
        )
        with run.stage("report"):
            self.report(run.folder, run.with_provenance(replace(result, seconds=run.seconds())))
        return run.finish(replace(result, seconds=run.seconds()))

    def summary(self, folder: Path, result: RunResult) -> list[str]:
        from nas.report.text import accuracy_table, report_line
        from nas.runs.difference_wording import correction
        from nas.runs.differences import corrected

        lines = [f"found: {result.arch}", accuracy_table(result.models), ""]
        for model in result.models:
            lines += [f"{model.name} {line}" for line in _notes_on(model)]
        rows = corrected(result).differences
        printed = [row for row in rows if row.first.startswith("best") and row.second.startswith("random")]
        lines += [f"{row.first} minus {row.second}, {row.metric}: {row.text}" for row in printed]
        more = len(rows) - len(printed)
        lines += [f"({more} more differences are in the report)"] if more else []
        lines += [correction(len(rows), "of the result")] if rows else []
        return [*lines, report_line(folder)]


def _models(context: RunContext, searched: SearchResult) -> list[Model]:
    """The networks to train: the best cell and a random one, each by every training method."""
    from nas.runs.stages.train_stage import Model
    from nas.searches.search_stage import problem_of, random_peer

    settings = context.run.settings
    best = searched.best.arch
    cells = {"best": best}
    if settings.run.random:
        cells["random"] = random_peer(problem_of(context), best, settings.seed, context.run.folder)
    return [
        Model(f"{cell}-{method}", arch, method) for cell, arch in cells.items() for method in settings.run.trainings
    ]


def _notes_on(model: EvalResult) -> list[str]:
    """The notes on one network, below the table of all networks."""
    from nas.report.notes import non_finite_notes
    from nas.report.text import check_lines, corruption_lines, remark_lines

    return [*non_finite_notes(model), *remark_lines(model), *corruption_lines(model)[:1], *check_lines(model.checks)]


class Study(_WholeRun):
    """What `nas run CONFIG seeds=N` makes: one run for each seed, and statistics over all of them."""

    name = "study"

    def execute(self, run: OpenedRun, watcher: Watcher) -> Result:
        from nas.runs.stages import several_seeds

        return several_seeds.execute(run, watcher, Run().finish, self.report)

    def page(self, run: RunData) -> str:
        from nas.report.pages.study import page

        return page(run)

    def summary(self, folder: Path, result: StudyResult) -> list[str]:
        from rich.table import Table

        from nas.report.text import report_line, table_text
        from nas.report.wording import metric as metric_title
        from nas.report.wording import probability_of_few, signed_points, spread

        metrics = list(result.models[0].metrics)
        seeds = len(result.seeds)
        lines = Table(title=f"{seeds} seeds, {result.n_test} test images, mean ± standard deviation in percent")
        lines.add_column("model", no_wrap=True)
        for metric in metrics:
            lines.add_column(metric_title(metric), justify="right")
        for model in result.models:
            lines.add_row(model.name, *(spread(model.metrics[metric]) for metric in metrics))
        texts = [table_text(lines)]
        for row in result.tests:
            values = ", ".join(signed_points(value) for value in row.values)
            texts.append(
                f"{row.first} minus {row.second}, {metric_title(row.metric)}: {values}; p "
                f"{probability_of_few(row.seeds.p)} (t), {probability_of_few(row.p_flip)} (sign flip)"
            )
        if result.tests:
            texts.append(
                f"(p-values are uncorrected; the sign-flip test cannot give less than {result.smallest_p_flip:.3g} "
                f"with {seeds} seeds)"
            )
        return [*texts, report_line(folder)]
