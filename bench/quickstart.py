"""How long the quickstart of the README takes: `nas bench quickstart`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from nas.bench.base import Bench, Limit
from nas.bench.measuring.timing import seconds
from nas.core.errors import NasError
from nas.core.io.records import Json


class QuickstartBench(Bench):
    """Seconds of the command `nas run quickstart`, and the ratio of its own time to the forecast made just before."""

    name: ClassVar[str] = "quickstart"
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("seconds", at_most=300.0),
        Limit("over_forecast", at_least=0.5, at_most=2.0),
    )
    options: tuple[str, ...] = ()  # overrides

    def run(self, report: Callable[[str], None]) -> Json:
        with TemporaryDirectory() as folder:
            forecast = self.command(folder, "--dry-run")["seconds"]["total"]
            report(f"forecast: {forecast:.0f} s")
            result: Json = {}
            took = seconds(lambda: result.update(self.command(folder)))
        own = result["seconds"]["total"]
        report(f"took: {took:.0f} s, by its own clock {own:.0f} s")
        return {"seconds": round(took, 1), "forecast": round(forecast, 1), "over_forecast": round(own / forecast, 3)}

    def command(self, folder: str, *more: str) -> Any:
        """The JSON of the command, run in a process of its own. Raises NasError if it fails."""
        command = [sys.executable, "-m", "nas", "run", "quickstart", *self.options, *more, "--json"]
        done = subprocess.run(command, cwd=Path(folder), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NasError(f"nas run quickstart ended with exit code {done.returncode}: {done.stderr[-500:]}")
        return json.loads(done.stdout)
