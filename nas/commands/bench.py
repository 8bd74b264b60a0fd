"""`nas bench`: the project's benchmarks, as ratios."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from nas.commands.base import Argument, Command, Option, Output
from nas.core.errors import InputError


class Benchmark(Command):
    """Measure the project's speed and memory as ratios to a lower bound, and judge those that have a limit.

    Example: `nas bench build --json`.
    """

    name, place = "bench", 7
    arguments = (
        Argument("name", "The benchmark; `nas list benchmarks` shows all.", default="build"),
        Option("robustness", "The folder of the robustness dataset, for the benchmark `tables`.", "DIR", Path),
        Option("space", "A search space, for the benchmarks `proxies` and `build`: what its networks cost.", "NAME"),
    )

    def call(self, output: Output, name: str, robustness: Path | None, space: str | None) -> None:
        from nas.bench import BENCHES
        from nas.bench.base import text
        from nas.bench.build import BuildBench
        from nas.bench.proxies import ProxiesBench
        from nas.bench.tables import TablesBench
        from nas.search_spaces import SPACES

        bench = BENCHES.get(name)()
        if isinstance(bench, TablesBench):
            bench.folder = robustness
        elif robustness is not None:
            raise InputError(
                f"Expected --robustness with the benchmark tables only but got it with {name}; leave it out."
            )
        if isinstance(bench, (BuildBench, ProxiesBench)):
            bench.space = None if space is None else SPACES.get(space).name
        elif space is not None:
            raise InputError(
                f"Expected --space with the benchmarks build and proxies only but got it with {name}; leave it out."
            )
        result = bench.run(output.note)
        judged = bench.judged(result)
        lines = [json.dumps(result, indent=2), *map(text, judged)]
        output.emit({**result, "judged": list(map(asdict, judged))}, "\n".join(lines))
