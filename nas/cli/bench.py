"""`nas bench`: the project's benchmarks, as ratios."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from nas.cli.output import Json, output


def command(
    name: str = typer.Argument("build", help="Which benchmark; `nas list benchmarks` shows them."),
    robustness: Path = typer.Option(None, metavar="DIR", help="The robustness dataset's folder, which `tables` reads."),
    as_json: bool = Json,
) -> None:
    """Measure the project against what the work must at least cost; figures with a limit are told beside it.

    Example: `nas bench build --json`.
    """
    import json

    from nas.bench import BENCHES
    from nas.bench.limits import text
    from nas.bench.tables import TablesBench
    from nas.core.errors import InputError

    bench = BENCHES.get(name)()
    if isinstance(bench, TablesBench):
        bench.folder = robustness
    elif robustness is not None:
        raise InputError(f"Expected --robustness with the benchmark tables only but got it with {name}; leave it out.")
    with output(as_json) as out:
        result = bench.run(lambda line: print(line, file=sys.stderr, flush=True))
        judged = bench.judged(result)
        lines = [json.dumps(result, indent=2), *map(text, judged)]
        out.emit({**result, "judged": judged}, "\n".join(lines))
