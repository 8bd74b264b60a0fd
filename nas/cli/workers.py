"""Where a command that has no configuration does its work: its options, and what they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from nas.core.execution.executor import ExecutorSettings

Workers: Any = typer.Option(None, help="Processes, by default one per core; the results are the same.")
OnExecutor: Any = typer.Option("local", "--executor", help="local: this machine; ray: a cluster.")
Address: Any = typer.Option(None, metavar="HOST:PORT", help="Of the Ray cluster, or auto; else one is started here.")


def spread(workers: int | None, executor: str, address: str | None) -> ExecutorSettings:
    """Checked settings; `InputError` where they do not fit together."""
    from nas.core.errors import InputError
    from nas.core.execution.executor import ExecutorSettings

    how = ExecutorSettings(name=executor, workers=workers, address=address)
    try:
        how.check()
    except InputError as error:
        words = str(error).replace("executor=", "--executor ").replace("executor.", "--")
        raise InputError(words) from error
    return how
