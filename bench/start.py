"""How soon the command line answers, and how long `import nas` takes: `nas bench start`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from statistics import median
from typing import ClassVar

from nas.bench.base import Bench, Limit
from nas.bench.measuring.timing import seconds
from nas.core.io.records import Json

ROUNDS = 11  # of all, in turn; their medians count


class StartBench(Bench):
    """Seconds of `nas --help`, which reads the file of every command, of `import nas`, and of an idle interpreter."""

    name: ClassVar[str] = "start"
    limits: ClassVar[tuple[Limit, ...]] = (Limit("seconds", at_most=0.2), Limit("import_seconds", at_most=0.2))

    def run(self, report: Callable[[str], None]) -> Json:
        commands = (["-m", "nas", "--help"], ["-c", "import nas"], ["-c", "pass"])
        times = [[seconds(_start, command) for command in commands] for _ in range(ROUNDS)]
        took, imported, interpreter = (median(column) for column in zip(*times))
        report(f"nas --help: {took:.3f} s; import nas: {imported:.3f} s; an interpreter alone: {interpreter:.3f} s")
        return {
            "seconds": round(took, 3),
            "import_seconds": round(imported, 3),
            "interpreter": round(interpreter, 3),
        }


def _start(command: list[str]) -> None:
    subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
