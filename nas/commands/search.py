"""`nas search`: find architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.commands.base import Extra, RunCommand

if TYPE_CHECKING:
    from nas.runs.context import Watcher
    from nas.runs.forecast import Cost
    from nas.runs.run_folder import Run
    from nas.runs.tasks import Jobs
    from nas.settings.schema import Settings


class Search(RunCommand):
    """A search alone."""

    name = "search"

    def check(self, settings: Settings, extra: Extra, keep: bool = True) -> None:
        from nas.runs import eval_stage, train_stage
        from nas.runs.tasks import Jobs
        from nas.searches import search_stage
        from nas.settings import reach

        settings.once(self.name)
        eval_stage.refuse_options_of_foreign_networks(self.name, settings)
        search_stage.check_settings(self.name, settings)
        search_stage.check(Jobs(settings, None, keep))
        train_stage.say(train_stage.one_image(settings, False, search_stage.labels_of(settings)))
        reach.warn(self.name, settings)

    def costs(self, jobs: Jobs, extra: Extra) -> dict[str, Cost]:
        from nas.searches import search_stage

        return {"search": search_stage.cost(jobs)}

    def execute(self, run: Run, watcher: Watcher) -> dict[str, Any]:
        from nas.runs.context import workshop
        from nas.searches.search_stage import depends_on_images, search

        with workshop(run, watcher, depends_on_images(run.settings)) as shop:
            found = search(shop)
        return run.finish({**found, "seconds": run.seconds()})
