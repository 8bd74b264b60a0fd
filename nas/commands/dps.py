"""`nas dps`: find settings of Eproxy that suit a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.commands.base import Extra, RunCommand

if TYPE_CHECKING:
    from nas.runs.context import Watcher
    from nas.runs.run_folder import Run
    from nas.settings.schema import Settings


class Dps(RunCommand):
    """Discrete proxy search."""

    name = "dps"

    def check(self, settings: Settings, extra: Extra, keep: bool = True) -> None:
        from nas.searches.dps import preflight

        preflight(settings)

    def execute(self, run: Run, watcher: Watcher) -> dict[str, Any]:
        from nas.searches.dps import carry_out

        return carry_out(run, watcher)
