"""`nas resume`: continue a stopped run; `base/finished_run.py` is for a finished one."""

from __future__ import annotations

from pathlib import Path

from nas.commands import command_of
from nas.commands.base import Argument, Command, Output


class Resume(Command):
    """Continue a stopped run of any command. Its result is the same as if it had never been stopped.

    A finished run is not changed; its result is printed. The number of workers and the folder of the data may differ
    from before.
    Examples: `nas resume runs/quickstart-1`; `nas resume runs/quickstart-1 executor.workers=1`.
    """

    name, place = "resume", 8
    has_run = True
    arguments = (
        Argument("folder", "The folder of the run.", "RUN", Path),
        Argument("overrides", "executor.workers, data.root, ...", "[KEY=VALUE]...", list[str], None),
    )

    def call(self, output: Output, folder: Path, overrides: list[str]) -> None:
        from nas.runs.run_folder import reopen
        from nas.runs.torchrun import join_processes, run_follower
        from nas.settings.command_line import only_overrides

        with join_processes() as first:
            if not first:
                run_follower()
                return
            with reopen(folder, only_overrides(overrides)) as run:
                command_of(run.folder).complete(run, output)
