"""`nas eval`: attack a trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.commands.base import Extra, RunCommand

if TYPE_CHECKING:
    from nas.runs.context import Watcher
    from nas.runs.forecast import Cost
    from nas.runs.run_folder import Run
    from nas.runs.tasks import Jobs
    from nas.settings.schema import Settings


class Eval(RunCommand):
    """One evaluation."""

    name = "eval"

    def check(self, settings: Settings, extra: Extra, keep: bool = True) -> None:
        from nas.eval.networks.fitting import check_fits, unlike
        from nas.runs import eval_stage, train_stage
        from nas.runs.evaluation import GivenModel
        from nas.runs.tasks import Jobs
        from nas.settings import reach

        settings.once(self.name)
        reach.warn(self.name, settings)
        dataset = Jobs(settings, None, keep).dataset
        eval_stage.check(settings, dataset)
        given = GivenModel.from_json(extra)
        model = given.load(settings)
        check_fits(model, dataset, given.source.text, settings.eval)
        train_stage.say(unlike(model, dataset, given.source.text))

    def costs(self, jobs: Jobs, extra: Extra) -> dict[str, Cost]:
        """A network that is not ours is taken for a robust one."""
        from nas.runs import eval_stage
        from nas.runs.evaluation import GivenModel
        from nas.runs.forecast import Cost, measured, network_of, start_up, workers_of

        settings = jobs.settings
        given = GivenModel.from_json(extra)
        foreign = given.source.foreign
        method = "pgd" if foreign else settings.train.method
        network = given.load(settings).network if foreign else network_of(jobs, settings.one_arch)
        speed = measured(settings, jobs.dataset, network)
        attacking = eval_stage.cost(settings, [method], jobs.dataset, speed)
        return {"eval": Cost(attacking.seconds + start_up(workers_of(settings)), attacking.passes)}

    def execute(self, run: Run, watcher: Watcher) -> dict[str, Any]:
        from nas.eval.sources import ModelSource
        from nas.report import write_report
        from nas.runs.context import workshop
        from nas.runs.eval_stage import evaluate_all

        name = run.extra["name"]
        with workshop(run, watcher) as shop:
            entries = evaluate_all(shop, {name: ModelSource.from_json(run.extra)})
        with run.stage("report"):
            write_report(run.folder, run.signed({**entries[name], "seconds": run.seconds()}))
        return run.finish({**entries[name], "seconds": run.seconds()})
