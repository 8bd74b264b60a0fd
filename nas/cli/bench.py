"""`nas bench`: the project's benchmarks, as ratios."""

from __future__ import annotations

import sys

import typer

from nas.cli.output import Json, output


def command(
    name: str = typer.Argument("build", help="Which benchmark; `nas list benchmarks` shows them."),
    as_json: bool = Json,
) -> None:
    """Measure the project against what the work must at least cost. Example: `nas bench build --json`."""
    import json

    from nas.bench import BENCHES

    bench = BENCHES.get(name)()
    with output(as_json) as out:
        result = bench.run(lambda line: print(line, file=sys.stderr, flush=True))
        out.emit(result, json.dumps(result, indent=2))
