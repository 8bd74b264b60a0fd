"""Whether two runs ended with the same result, report and weights, to the bit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

NETWORKS = ("best.pt", "final.pt", "last.pt")
IGNORED_KEYS = {"seconds", "memory_mb"}  # differ between two runs that are otherwise the same


def differences(run: Path, reference: Path) -> list[str]:
    """What differs between a finished run and the reference, times aside: result, report, weights of any checkpoint."""
    found = []
    if not (run / "result.json").is_file():
        return ["there is no result"]
    results = [json.loads((folder / "result.json").read_text()) for folder in (run, reference)]
    if not same(*results):
        found.append("the result differs")
    if comparable_page(run) != comparable_page(reference):
        found.append("the report differs")
    names = [
        str(path.relative_to(reference)) for kind in NETWORKS for path in sorted(reference.glob(f"models/*/{kind}"))
    ]
    missing = [name for name in names if not (run / name).is_file()]
    if missing:
        return [*found, f"there is no {', '.join(missing)}"]
    for name in names:
        one, other = (torch.load(folder / name, weights_only=True) for folder in (run, reference))
        if not same(one, other):
            found.append(f"{name} differs")
    return found


def comparable_page(run: Path) -> str:
    """The report without times, without the paths of the run now and at its start, without the number of workers."""
    began = json.loads((run / "config.json").read_text())["settings"]["run"]["dir"]
    text = (run / "report.html").read_text()
    for place in (began, str(run), Path(began).name, run.name):
        text = text.replace(place, "RUN")
    text = re.sub(r"<section><h2>Time per stage</h2>.*?</section>", "", text, flags=re.DOTALL)
    return re.sub(r"\b(workers: )\d+", r"\1N", text)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal to the bit; values under `IGNORED_KEYS` may differ."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        keys = one.keys() - IGNORED_KEYS
        return (
            isinstance(other, dict)
            and keys == other.keys() - IGNORED_KEYS
            and all(same(one[key], other[key]) for key in keys)
        )
    if isinstance(one, Sequence) and not isinstance(one, str):
        return isinstance(other, Sequence) and len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
