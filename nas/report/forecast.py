"""The forecast of the cost of a run, as text."""

from __future__ import annotations

from nas.report.wording import rough_duration
from nas.runs.stages.forecast import SURVIVORS, Forecast

ATTACKING = "eval"  # the stage whose cost depends on how many images withstand the attacks


def forecast_text(forecast: Forecast) -> str:
    """The forecast stage by stage, with the memory of a process and, if it attacks networks, what was assumed."""
    value = forecast.to_json()
    repeated = f", {forecast.seeds} seeds one after the other" if forecast.seeds > 1 else ""
    lines = [f"forecast of nas {forecast.command} with {forecast.workers} worker(s){repeated}:"]
    for name, seconds in value["seconds"].items():
        count = value["image_passes"].get(name)
        note = f"  {count:,} forward+backward passes of one image" if count else ""
        lines.append(f"  {name:<7} {rough_duration(seconds):>12}{note}")
    if forecast.published_search is not None:
        lines.append(f"  a search on the DARTS space took, as published: {forecast.published_search}")
    lines.append(f"  memory  {value['memory_mb_per_process']:>9} MB per process")
    if ATTACKING in forecast.stages:
        assumed = ", ".join(f"{fraction:.0%} ({name} training)" for name, fraction in SURVIVORS.items())
        lines.append(f"assumed share of images that stay correct under every attack: {assumed}")
    return "\n".join(lines)
