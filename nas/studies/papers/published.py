"""Published figures beside which those of the study stand: Spearman's rho and top-10 % retrieval (percent).

Source: Li et al., "Extensible and Efficient Proxy for Neural Architecture Search", ICCV 2023: Tables 2
(NASBench-101), 3 (NDS, ImageNet), 4 (TransNAS-Bench-101), 5 (NAS-Bench-MR, whose Cls-A, Cls-B and Cls-C are taken
to be cls-50-1000, cls-50-100 and cls-10-1000) and 7 (queries on NAS-Bench-201, whose TinyImg is ImageNet16-120).
"""

from __future__ import annotations

ROWS = ("synflow", "nwot", "zen", "zico", "eproxy", "eproxy+dps")
PUBLISHED: dict[tuple[str, str], tuple[tuple[float, int], ...]] = {  # by plan and task, in the order of `ROWS`
    ("nasbench101", "cifar10"): ((0.37, 23), (0.40, 29), (0.61, 39), (0.61, 45), (0.65, 31), (0.69, 38)),
    ("nds-darts", "imagenet"): ((0.21, 0), (0.66, 16), (0.21, 8), (0.24, 8), (0.51, 20), (0.85, 50)),
    ("nds-darts-fixed", "imagenet"): ((-0.36, 4), (0.20, 8), (0.13, 4), (0.01, 4), (0.31, 17), (0.53, 28)),
    ("nds-amoeba", "imagenet"): ((-0.25, 0), (0.42, 33), (0.21, 0), (0.18, 0), (0.66, 60), (0.66, 60)),
    ("nds-resnext-a", "imagenet"): ((0.42, 7), (0.73, 30), (0.60, 23), (0.52, 8), (0.73, 55), (0.83, 55)),
    ("transnas-micro", "class_scene"): ((0.46, 16), (0.57, 21), (0.57, 48), (0.30, 31), (0.15, 14), (0.70, 30)),
    ("transnas-micro", "class_object"): ((0.50, 16), (0.53, 21), (0.34, 32), (0.03, 16), (0.45, 34), (0.56, 44)),
    ("transnas-micro", "segmentsemantic"): ((0.32, 3), (0.52, 30), (0.37, 32), (0.07, 16), (0.36, 46), (0.81, 53)),
    ("transnas-micro", "autoencoder"): ((0.52, 34), (-0.02, 2), (0.15, 23), (0.19, 9), (0.61, 80), (0.80, 74)),
    ("nasbench-mr", "cls-50-1000"): ((0.25, 11), (0.37, 18), (0.41, 4), (0.40, 4), (0.52, 18), (0.57, 16)),
    ("nasbench-mr", "cls-50-100"): ((0.05, 14), (-0.20, 4), (0.50, 0), (0.52, 0), (0.06, 10), (0.53, 35)),
    ("nasbench-mr", "cls-10-1000"): ((0.37, 20), (-0.15, 2), (0.30, 1), (0.31, 1), (0.02, 10), (0.30, 18)),
    ("nasbench-mr", "seg"): ((0.43, 17), (0.50, 10), (0.49, 6), (0.48, 5), (0.38, 17), (0.60, 24)),
    ("nasbench-mr", "video"): ((0.45, 18), (-0.36, 1), (0.41, 0), (0.42, 0), (0.31, 11), (0.65, 33)),
}
ABLATION = {  # Table 1: rho by barrier, learning rate and iterations
    (False, 1.0, 10): 0.08,
    (False, 0.1, 10): -0.22,
    (False, 0.01, 10): -0.19,
    (False, 1.0, 100): 0.07,
    (False, 0.1, 100): 0.67,
    (False, 0.01, 100): 0.76,
    (True, 1.0, 10): 0.65,
    (True, 0.1, 10): 0.46,
    (True, 0.01, 10): 0.09,
    (True, 1.0, 100): 0.65,
    (True, 0.1, 100): 0.79,
    (True, 0.01, 100): 0.79,
}
QUERIES = {  # Table 7: the mean number of strings that are looked up until the best one is among them
    name: dict(zip(("cifar10", "cifar100", "ImageNet16-120"), row))
    for name, row in {
        "random search": (7782.1, 7621.2, 7726.1),
        "evolution": (563.2, 438.2, 715.1),
        "MCTS": (528.3, 405.4, 578.2),
        "LaNAS": (247.1, 187.5, 292.4),
        "WeakNAS": (182.1, 78.4, 268.4),
        "eproxy+dps, after 20 labels of cifar10": (58.0, 13.7, 74.0),
    }.items()
}


def published(plan: str, task: str, proxy: str) -> tuple[float, int] | None:
    """The rho and retrieval (percent) of a proxy in the paper; None if the paper has none."""
    row = PUBLISHED.get((plan, task))
    return row[ROWS.index(proxy)] if row is not None and proxy in ROWS else None
