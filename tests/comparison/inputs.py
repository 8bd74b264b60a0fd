"""Data, tables and code that the compared commands read: made once, for both trees, without the project's own code."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from PIL import Image
from robustness_folder import write_robustness

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CELLS = tuple(  # every string of NAS-Bench-201
    f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|" for a, b, c, d, e, f in itertools.product(OPERATIONS, repeat=6)
)
FEW = CELLS[7::131]  # 120 of them
NETWORKS = """\
from torch import nn


def make(classes: int = 10) -> nn.Module:
    import torch

    torch.manual_seed(classes)
    features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(features, nn.Linear(4, classes))


class NoGradient(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = make()

    def forward(self, images):
        import torch

        with torch.no_grad():
            return self.network(images)
"""
OWN = """\
# A recipe of one's own.
extends: quickstart
search: {objective: nwot, budget: 6, ask: 3}
strategy: {population: 3, tournament: 2}
"""


def _quality(text: str) -> float:
    """A made-up accuracy between .2 and .8 that depends on the operations and not on where they are."""
    worth = {"none": 0, "avg_pool_3x3": 3, "skip_connect": 4, "nor_conv_1x1": 7, "nor_conv_3x3": 9}
    points = [worth[word.split("~")[0].strip("|+")] for word in text.replace("+", "").split("|") if word]
    return round(0.2 + 0.6 * sum(points) / 54 + 0.001 * (points[5] % 7), 4)


def _images(folder: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    np.savez(folder / "digits.npz", images=images[:300], labels=digits.target[:300].astype(np.uint8))
    chosen = [place for place in range(300) if digits.target[place] < 3]
    for count, place in enumerate(chosen[:60]):
        part = "test" if count % 3 == 0 else "train"
        path = folder / "folders" / part / f"class {digits.target[place]}" / f"{place:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[place]).save(path)


def _tables(folder: Path) -> None:
    clean = [_quality(text) for text in CELLS]
    levels = [1.0, 8.0]
    values = {
        "clean": clean,
        "fgsm@Linf": [[round(value / 2, 4), round(value**2 / 4, 4)] for value in clean],
        "pgd@Linf": [[round(value**2, 4), round(value**3 / 4, 4)] for value in clean],
        "fog": [[round(value * (1 - level / 10), 4) for level in range(1, 6)] for value in clean],
    }
    write_robustness(folder / "robustness", "cifar10", CELLS, values, {"fgsm@Linf": levels, "pgd@Linf": levels})
    rng = np.random.default_rng(0)
    few = [(text, _quality(text)) for text in FEW]
    rows = [f"{text},{row},{value}" for row, (text, value) in enumerate(few)]
    (folder / "accuracy.csv").write_text("\n".join(["arch_str,index,cifar10_test_acc", *rows]) + "\n")
    rows = [f"{text},{value},{value / 2},{value / 3},{value / 4}" for text, value in few]
    header = "arch_str,cifar10#val_acc,cifar10#val_fgsm_8_acc,cifar10#val_pgd_8_acc,cifar10#autoattack"
    (folder / "robbench.csv").write_text("\n".join([header, *rows]) + "\n")
    rows = [f"{text},{1 + 3 * value}" for text, value in few]
    (folder / "latency.csv").write_text("\n".join(["arch_str,edgegpu_latency", *rows]) + "\n")
    rows = [f"{text},{value + 0.1 * rng.normal():.6f},{rng.normal():.6f},{value},1.0," for text, value in few]
    (folder / "scores.csv").write_text("\n".join(["arch,good,noise,flops,seconds,reason", *rows]) + "\n")
    rows = [f"{text},{value}" for text, value in few[:14]]
    (folder / "labels.csv").write_text("\n".join(["arch,accuracy", *rows]) + "\n")
    (folder / "cells.txt").write_text("\n".join(FEW[:4]) + "\n")


def make(folder: Path) -> None:
    """Write everything into a new folder."""
    folder.mkdir(parents=True)
    _images(folder)
    _tables(folder)
    (folder / "networks.py").write_text(NETWORKS)
    (folder / "own.yaml").write_text(OWN)
