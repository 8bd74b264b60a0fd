"""Several runs of the same settings under different seeds: what they say together."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from nas.core.repeated import mean_and_deviation, sign_flip, smallest_p, t_test

CORRUPTIONS = "corruptions"
SCORE = "hrs:"  # before the name of an attack: the harmonic robustness score under it


def together(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and deviation of every model's numbers over the repetitions, and paired tests of best against random.

    `results` are those of `nas run`, one per seed. Accuracies and scores are fractions.
    """
    by_name = [{entry["name"]: entry for entry in result["models"]} for result in results]
    first = results[0]["models"]
    models = []
    for entry in first:
        entries = [one[entry["name"]] for one in by_name]
        models.append(
            {
                "name": entry["name"],
                "training": entry["training"],
                "architectures": [one["architecture"] for one in entries],
                "params": [one["params"] for one in entries],
                "metrics": {
                    metric: _spread([value_of(one, metric) for one in entries]) for metric in metrics_of(entry)
                },
            }
        )
    tests = []
    for entry in first:
        cell, _, training = entry["name"].partition("-")
        other = f"random-{training}"
        if cell == "best" and other in by_name[0]:
            tests += [
                _test(metric, [one[entry["name"]] for one in by_name], [one[other] for one in by_name])
                for metric in metrics_of(entry)
            ]
    about = {key: first[0][key] for key in ("norm", "eps", "n_test")}
    return {**about, "models": models, "tests": tests, "smallest_p_flip": smallest_p(len(results))}


def metrics_of(entry: dict[str, Any]) -> list[str]:
    """The numbers of an evaluation that a study compares: clean, each attack, mean of corruptions, their scores."""
    corrupted = [CORRUPTIONS] if entry.get(CORRUPTIONS) else []
    return ["clean", *entry["attacks"], *corrupted, *(SCORE + name for name in [*entry["hrs"], *corrupted])]


def value_of(entry: dict[str, Any], metric: str) -> float:
    if metric == "clean":
        return entry["clean"]
    if metric.removeprefix(SCORE) == CORRUPTIONS:
        return entry[CORRUPTIONS]["hrs" if metric.startswith(SCORE) else "mean"]
    return entry["hrs"][metric.removeprefix(SCORE)] if metric.startswith(SCORE) else entry["attacks"][metric]


def _spread(values: list[float]) -> dict[str, Any]:
    mean, deviation = mean_and_deviation(values)
    return {"values": values, "mean": mean, "sd": deviation}


def _test(metric: str, best: list[dict[str, Any]], random: list[dict[str, Any]]) -> dict[str, Any]:
    """One number of the best cells against that of the random ones, seed by seed and image by image."""
    differences = [value_of(a, metric) - value_of(b, metric) for a, b in zip(best, random)]
    images = None
    if metric in best[0]["correct"]:
        images = asdict(
            t_test(_by_image([one["correct"][metric] for one in best], [one["correct"][metric] for one in random]))
        )
    return {
        "first": best[0]["name"],
        "second": random[0]["name"],
        "metric": metric,
        **_spread(differences),
        "seeds": asdict(t_test(differences)),
        "p_flip": sign_flip(differences),
        "images": images,
    }


def _by_image(best: list[str], random: list[str]) -> list[float]:
    """Per test image, the share of seeds whose best cell is right minus that whose random cell is: in [-1, 1].

    Every seed sees the same images, so the image (not image and seed) is what was drawn independently.
    """
    right, other = (
        np.array([[char == "1" for char in one] for one in texts], dtype=np.float64) for texts in (best, random)
    )
    return (right - other).mean(axis=0).tolist()
