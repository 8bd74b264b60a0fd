"""`nas search`: find architectures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nas.commands.arguments import CONFIG, OVERRIDES, SEARCHED
from nas.commands.run_command import RunCommand

if TYPE_CHECKING:
    from nas.results import Result
    from nas.runs.context import Watcher
    from nas.runs.forecast import Cost
    from nas.runs.run_folder import Run
    from nas.runs.tasks import Jobs
    from nas.settings.schema import Settings


class Search(RunCommand):
    """Search only; prints the best architectures and keeps the run, which `nas train RUN` takes.

    Examples: `nas search quickstart`;
    `nas search cifar10-darts-croze-small search.budget=500 'search.constraints=params<=4e6'`.
    """

    name, place = "search", 2
    arguments = (CONFIG, OVERRIDES)
    takes = ("name", "run.dir", *SEARCHED)
    later = ("model", "train", "eval")  # `nas train RUN`, `nas eval RUN`

    def settings(self, config: str, overrides: list[str]) -> tuple[Settings, None]:
        from nas.settings.typed import load
        from nas.settings.words import only_overrides

        return load(self.reader(), config, only_overrides(overrides)), None

    def check(self, settings: Settings, given: Any = None, keep: bool = True) -> None:
        from nas.runs import eval_stage, train_stage
        from nas.runs.tasks import Jobs
        from nas.searches import search_stage
        from nas.settings import reach

        settings.once(self.name)
        eval_stage.refuse_options_of_foreign_networks(self.name, settings)
        search_stage.check_settings(self.name, settings)
        search_stage.check(Jobs(settings, None, keep))
        train_stage.say(train_stage.one_image(settings, False, search_stage.labels_of(settings)))
        reach.warn(self.reader(), settings)

    def costs(self, jobs: Jobs, given: Any) -> dict[str, Cost]:
        from nas.searches import search_stage

        return {"search": search_stage.cost(jobs)}

    def execute(self, run: Run, watcher: Watcher) -> Result:
        from nas.runs.context import run_context
        from nas.searches.search_stage import depends_on_images, search

        with run_context(run, watcher, depends_on_images(run.settings)) as context:
            found = search(context)
        return run.finish(replace(found, seconds=run.seconds()))
