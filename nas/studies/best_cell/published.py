"""Published figures beside which those of the study stand.

Source: Lukasik, Jung and Keuper, "Learning Where To Look: Generative NAS is Surprisingly Efficient", ECCV 2022
(arXiv:2203.08734): the comparison on NAS-Bench-201 with 192 queries and that on HW-NAS-Bench (Edge GPU,
ImageNet16-120), means of 10 runs. Accuracies are in percent.
"""

from __future__ import annotations

from nas.studies.best_cell.plan import IMAGES

BEST = {  # validation and test accuracy by variant, in the order of IMAGES
    "random": ((91.12, 93.89), (72.08, 72.07), (45.87, 45.98)),
    "bananas": ((91.56, 94.30), (73.49, 73.50), (46.65, 46.51)),
    "bo": ((91.54, 94.22), (73.26, 73.22), (46.43, 46.40)),
    "xgb": ((91.54, 94.34), (73.10, 72.93), (46.48, 46.08)),
    "xgb-rank": ((91.48, 94.25), (73.20, 73.24), (46.40, 46.16)),
    "agnet": ((91.60, 94.37), (73.49, 73.51), (46.64, 46.43)),
}
EDGE_GPU = {  # by variant and joint: accuracy and feasible share below 2, 4, 6 and 8 ms
    ("random", False): ((37.2, 0.05), (41.7, 0.22), (44.9, 0.72), (45.7, 1.00)),
    ("agnet", False): ((39.7, 0.29), (42.8, 0.29), (45.3, 0.64), (46.3, 0.98)),
    ("agnet", True): ((39.1, 0.31), (43.3, 0.43), (45.0, 0.79), (46.2, 0.99)),
}
BOUNDS = (2, 4, 6, 8)


def best(variant: str, images: str) -> tuple[float, float] | None:
    """Validation and test accuracy of the best of 192 queries; None where nothing is published."""
    row = BEST.get(variant)
    return None if row is None else row[IMAGES.index(images)]


def within_limit(variant: str, limit: str, joint: bool, images: str) -> tuple[float, float] | None:
    """Accuracy of the best and feasible share of 192 queries; None where nothing is published."""
    row = EDGE_GPU.get((variant, joint))
    limits = [f"edgegpu_latency<={bound}" for bound in BOUNDS]
    return None if row is None or limit not in limits or images != IMAGES[-1] else row[limits.index(limit)]
