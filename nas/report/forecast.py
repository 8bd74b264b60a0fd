"""A forecast of what a run will cost, for people."""

from __future__ import annotations

from nas.report.wording import rough_duration
from nas.runs.stages.forecast import SURVIVORS, Forecast


def forecast_text(forecast: Forecast) -> str:
    """Stage by stage."""
    value = forecast.to_json()
    repeated = f", {forecast.seeds} seeds one after the other" if forecast.seeds > 1 else ""
    lines = [f"forecast of nas {forecast.command} with {forecast.workers} worker(s){repeated}:"]
    for name, seconds in value["seconds"].items():
        count = value["image_passes"].get(name)
        note = f"  {count:,} forward+backward passes of one image" if count else ""
        lines.append(f"  {name:<7} {rough_duration(seconds):>12}{note}")
    shares = ", ".join(f"{share:.0%} ({name} training)" for name, share in SURVIVORS.items())
    lines.append(f"  memory  {value['memory_mb_per_process']:>9} MB per process")
    lines.append(f"assumed share of images that every attack leaves standing: {shares}")
    return "\n".join(lines)
