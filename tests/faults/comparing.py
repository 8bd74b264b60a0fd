"""Whether two runs ended with the same result, report and weights, to the bit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

NETWORKS = ("best.pt", "final.pt", "last.pt")
IGNORED_KEYS = {"seconds", "memory_mb"}  # differ between two runs that are otherwise the same
MAX_NAMED = 5  # largest number of differences of a file that are named


def differences(run: Path, reference: Path) -> list[str]:
    """What differs between a finished run and the reference: result, report, weights of any checkpoint.

    Times are ignored, and so is the state of the checkout, because a study with a record in the checkout changes it.
    """
    if not (run / "result.json").is_file():
        return ["there is no result"]
    found = _differing(
        "result.json", *(json.loads((folder / "result.json").read_text()) for folder in (run, reference))
    )
    if comparable_page(run) != comparable_page(reference):
        found.append("the report differs")
    names = [
        str(path.relative_to(reference)) for kind in NETWORKS for path in sorted(reference.glob(f"models/*/{kind}"))
    ]
    missing = [name for name in names if not (run / name).is_file()]
    if missing:
        return [*found, f"there is no {', '.join(missing)}"]
    for name in names:
        found += _differing(name, *(torch.load(folder / name, weights_only=True) for folder in (run, reference)))
    return found


def _differing(name: str, one: Any, other: Any) -> list[str]:
    """A text that names the places in which two contents of a file differ; none if they are the same."""
    places = [place.lstrip(".") for place in _places(_without_checkout(one), _without_checkout(other))]
    more = ", ..." if len(places) > MAX_NAMED else ""
    return [f"{name} differs in {', '.join(places[:MAX_NAMED])}{more}"] if places else []


def _places(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """The places at which two values differ; tensors, numbers and texts must be equal to the bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted((one.keys() | other.keys()) - IGNORED_KEYS, key=str):
            if key in one and key in other:
                yield from _places(one[key], other[key], f"{place}.{key}")
            else:
                yield f"{place}.{key}"
    elif not isinstance(one, str) and isinstance(one, Sequence) and isinstance(other, Sequence):
        if len(one) != len(other):
            yield place
        for position, (a, b) in enumerate(zip(one, other)):
            yield from _places(a, b, f"{place}[{position}]")
    elif isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if one.dtype != other.dtype or not torch.equal(one, other):
            yield place
    elif isinstance(one, torch.Tensor) or isinstance(other, torch.Tensor) or one != other:
        yield place


def _without_checkout(content: Any) -> Any:
    """The content of a file without the state of the checkout, which is part of its provenance."""
    if not isinstance(content, dict) or not isinstance(content.get("provenance"), dict):
        return content
    kept = {key: value for key, value in content["provenance"].items() if key != "source"}
    kept["earlier"] = [one for one in kept.get("earlier", []) if one["hardware"] != kept["hardware"]]
    return {**content, "provenance": kept}


def comparable_page(run: Path) -> str:
    """The report without times, paths of the run now and at its start, number of workers and state of the checkout."""
    began = json.loads((run / "config.json").read_text())["settings"]["run"]["dir"]
    text = (run / "report.html").read_text()
    for place in (began, str(run), Path(began).name, run.name):
        text = text.replace(place, "RUN")
    text = re.sub(r"<section><h2>Time per stage</h2>.*?</section>", "", text, flags=re.DOTALL)
    text = re.sub(r'<tr><th class="name">(source|other sessions)</th>.*?</tr>\n?', "", text, flags=re.DOTALL)
    return re.sub(r"\b(workers: )\d+", r"\1N", text)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal to the bit; values under `IGNORED_KEYS` may differ."""
    return next(_places(one, other), None) is None
