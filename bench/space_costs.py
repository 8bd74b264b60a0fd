"""What scoring the networks of one search space costs: `nas bench proxies --space NAME`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from statistics import median
from typing import Any

from torch import nn

from nas.bench.base import Limit
from nas.bench.measuring.scoring import batch, batch_size, built, score_built
from nas.bench.measuring.timing import forward_backward, seconds
from nas.core.io.records import Json
from nas.search_spaces import NASBench201, SearchSpace
from nas.strategies.proxies import PROXIES

ARCHITECTURES = 5
ROUNDS = 3  # of each measurement per architecture, in turn with the others; their median counts
POINTS = 200  # for the canonical form and the cost
LONG_PASS = 1.0  # seconds of an F+B, from which the time to build a network is compared with it
SHARE_OF_PASS = 0.06  # of a long F+B that building may take

LIMITS = (
    Limit("space.croze_to_nasbench201", at_most=1.3),
    Limit("space.building", at_most=1.5, target=1.0, reason="modules are made besides the drawing of weights"),
    Limit("space.canonical_ms", at_most=0.5),
    Limit("space.cost_ms", at_most=1.0),
)


def space_costs(space: SearchSpace[Any], report: Callable[[str], None], count: int = ARCHITECTURES) -> Json:
    """Medians over random architectures at the size that proxies score, 32×32 images, CRoZe's batch.

    `croze` is its time on a network that is built, in F+B, beside its `floor`, the F+B that its definition needs;
    `croze_to_nasbench201` is the ratio to `croze` of NAS-Bench-201. `building` is the time to build a network over the
    time that it may take: .06 F+B where an F+B takes a second, else that of drawing all weights once.
    """
    measured = [_one(space, arch, report) for arch in _drawn(space, count)]
    figures: Json = {name: float(f"{median(one[name] for one in measured):.3g}") for name in measured[0]}
    reference = median(_one(NASBench201(), arch, report)["croze"] for arch in _drawn(NASBench201(), count))
    croze = PROXIES.get("croze")
    return {
        **figures,
        "floor": round(croze.passes(croze.Options()), 3),
        "croze_to_nasbench201": round(figures["croze"] / reference, 3),
        "canonical_ms": _milliseconds(space, space.canonical),
        "cost_ms": _milliseconds(space, space.cost),
    }


def _drawn(space: SearchSpace[Any], count: int) -> list[Any]:
    rng = Random(0)
    return [space.sample(rng) for _ in range(count)]


def _one(space: SearchSpace[Any], arch: Any, report: Callable[[str], None]) -> dict[str, float]:
    images, labels = batch(batch_size(("croze",)))
    network = built(space, arch)
    forward_backward(network, images[:2], labels[:2])  # warms up: threads, kernels, caches
    times: dict[str, list[float]] = {"croze": [], "pass": [], "build": [], "draw": []}
    for _ in range(ROUNDS):
        times["croze"].append(seconds(score_built, network, ("croze",), images, labels))
        times["pass"].append(seconds(forward_backward, network, images, labels))
        times["build"].append(seconds(partial(space.build, arch, **vars(space.ScoringSettings()))))
        times["draw"].append(seconds(_draw_weights, network))
    croze, one_pass, build, draw = (median(values) for values in times.values())
    allowed = SHARE_OF_PASS * one_pass if one_pass >= LONG_PASS else draw
    report(
        f"{space.name}: croze {croze / one_pass:.2f} F+B of {one_pass:.3f} s, build {1000 * build:.1f} ms, "
        f"weights alone {1000 * draw:.1f} ms"
    )
    return {"croze": croze / one_pass, "pass_seconds": one_pass, "build_seconds": build, "building": build / allowed}


def _draw_weights(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()


def _milliseconds(space: SearchSpace[Any], action: Callable[[Any], object]) -> float:
    """Per point that has not been seen before; median of rounds."""
    rng = Random(1)
    action(space.largest())  # makes tables that are cached
    rounds = [[space.sample(rng) for _ in range(POINTS)] for _ in range(ROUNDS)]
    return float(f"{1000 * median(seconds(list, map(action, points)) for points in rounds) / POINTS:.3g}")
