"""`nas transfer`: adversarial examples of one network shown to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.commands.base import Extra, RunCommand

if TYPE_CHECKING:
    from nas.runs.context import Watcher
    from nas.runs.run_folder import Run
    from nas.settings.schema import Settings


class Transfer(RunCommand):
    """Examples of each network, counted on all."""

    name = "transfer"

    def check(self, settings: Settings, extra: Extra, keep: bool = True) -> None:
        from nas.runs.evaluation import GivenModel
        from nas.runs.transfer import Work
        from nas.settings import reach

        settings.once(self.name)
        given = {name: GivenModel.from_json(one) for name, one in extra["networks"].items()}
        Work(settings, given, None, keep).check()
        reach.warn(self.name, settings)

    def execute(self, run: Run, watcher: Watcher) -> dict[str, Any]:
        from nas.runs.transfer import carry_out

        return carry_out(run, watcher)
