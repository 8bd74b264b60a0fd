"""Which benchmarks the study covers, how their networks are scored, and where the accuracies come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.core.io.records import Json

SEED = 0
BATCH = 16  # CIFAR-10 images, as in the release of Eproxy
LABELS = 20  # networks with known accuracies from which a setting of Eproxy is picked
PROXIES = ("synflow", "nwot", "zen", "zico", "croze", "eproxy")
SMALL, OWN = "small", "own"  # sizes of the scored networks
WIDTH_SHARE = "width_share"
FEW = 12


@dataclass(frozen=True)
class SpacePlan:
    """One set of published networks. Its scores serve all its tasks, because a score does not depend on the task.

    `tasks` are files of accuracies under the folder of data, each with its column. `small` and `own` are the settings
    of the scored networks: those that this study can afford, and those of the release of Eproxy. `width_share` in them
    gives each network of NDS that part of its own width. `heads` are the channels before and after Eproxy's barrier in
    the release (`c_mid`, `c_out`), and `small_heads` the most that small networks have. `drawn_as` is the plan whose
    networks this one takes.
    """

    name: str
    space: str
    group: str  # plans of one group stand in one table
    title: str
    tasks: Mapping[str, tuple[str, str]]
    small: Mapping[str, Any]
    own: Mapping[str, Any]
    heads: tuple[int, int]
    lr: float = 1.2  # of Eproxy in the release
    networks: int = 200
    proxies: tuple[str, ...] = PROXIES
    settings: int = 40  # of Eproxy in the pool from which tasks pick; `FEW` where a loss is expensive, 0 for none
    small_heads: tuple[int, int] = (128, 32)
    drawn_as: str | None = None
    several_runs: bool = False  # whether isomorphic strings were trained one by one
    predicted: bool = True  # whether accuracies are predicted from graph features and from proxies
    shorter: Mapping[str, str] = field(default_factory=dict)  # shorter trainings of the first task -> their column

    @property
    def full_title(self) -> str:
        """The title with that of the group."""
        return self.title if self.title.startswith(self.group) else f"{self.group}, {self.title}"

    def scoring(self, size: str) -> Mapping[str, Any]:
        """The settings of the scored networks."""
        return self.small if size == SMALL else self.own

    def scored(self, size: str, arch: Any) -> Json:
        """The settings of the scored network of an architecture."""
        settings = dict(self.scoring(size))
        share = settings.pop(WIDTH_SHARE, None)
        return settings if share is None else {**settings, "channels": round(arch.width * share)}

    def eproxy(self, size: str) -> Json:
        """The options of Eproxy that differ from its defaults."""
        c_mid, c_out = (min(pair) for pair in zip(self.heads, self.small_heads)) if size == SMALL else self.heads
        return {"c_mid": [c_mid], "c_out": c_out, "lr": self.lr}


def _files(prefix: str, tasks: tuple[str, ...], column: str, suffix: str) -> dict[str, tuple[str, str]]:
    return {task: (f"{prefix}{task}{suffix}", column) for task in tasks}


_TRANSNAS = ("class_scene", "class_object", "segmentsemantic", "autoencoder")
_MR = ("cls-50-1000", "cls-50-100", "cls-10-1000", "seg", "video")


def _nds(name: str, space: str, title: str, file: str, small: Json) -> SpacePlan:
    tasks = {"imagenet": (file, "accuracy")}
    return SpacePlan(name, space, "NDS, ImageNet", title, tasks, small, {}, (512, 32), settings=FEW)


def _transnas(half: str, several_runs: bool) -> SpacePlan:
    title = f"TransNAS-Bench-101, {half}"
    tasks = _files(f"transnas_{half}_", _TRANSNAS, "val", ".csv")
    small = {"channels": 16}
    return SpacePlan(
        f"transnas-{half}", f"transnas-{half}", title, title, tasks, small, {}, (32, 32), 1.0, several_runs=several_runs
    )


def _darts(name: str, title: str, file: str) -> SpacePlan:
    return SpacePlan(
        name,
        "darts",
        "DARTS cells, CIFAR-10",
        title,
        {"cifar10": (file, "val")},
        {"channels": 8, "cells": 8},
        {},
        (512, 32),
        proxies=("synflow", "nwot", "croze"),
        settings=0,
        predicted=False,
    )


PLANS = (  # in the order in which they are scored
    _transnas("micro", several_runs=True),
    _nds("nds-resnext-a", "nds-resnext-a", "ResNeXt-A", "nds_ResNeXt-A_in.json", {"width_multiplier": 0.5}),
    SpacePlan(
        "nasbench101",
        "nasbench101",
        "NASBench-101",
        "CIFAR-10",
        {"cifar10": ("nasbench101_validation.csv", "val_108")},
        {"channels": 32},
        {},
        (512, 64),
        settings=FEW,
        small_heads=(512, 64),
        shorter={"4 epochs": "val_4", "12 epochs": "val_12", "36 epochs": "val_36"},
    ),
    SpacePlan(
        "nasbench101-narrow",
        "nasbench101",
        "NASBench-101",
        "CIFAR-10, half the channels",
        {"cifar10": ("nasbench101_validation.csv", "val_108")},
        {"channels": 16},
        {"channels": 64},
        (512, 64),
        settings=0,
        predicted=False,
        drawn_as="nasbench101",
    ),
    SpacePlan(
        "nasbench-mr",
        "nasbench-mr",
        "NAS-Bench-MR",
        "NAS-Bench-MR",
        _files("nasbench_mr_", _MR, "metric", ".json"),
        {"stem_stride": 2, "width_multiplier": 0.5},
        {"stem_stride": 1},
        (32, 32),
        1.0,
        settings=FEW,
    ),
    _nds("nds-darts", "nds-darts", "DARTS", "nds_DARTS_in.json", {WIDTH_SHARE: 0.25}),
    _nds("nds-amoeba", "nds-amoeba", "Amoeba", "nds_Amoeba_in.json", {WIDTH_SHARE: 0.25}),
    _nds(
        "nds-darts-fixed", "nds-darts", "DARTS, fixed width and depth", "nds_DARTS_fix-w-d_in.json", {WIDTH_SHARE: 0.25}
    ),
    _transnas("macro", several_runs=False),
    _darts("darts-trained", "trained networks", "darts_trained.csv"),
    _darts("darts-surrogate", "surrogate of NAS-Bench-301", "nasbench301_surrogate.csv"),
    SpacePlan(
        "nasbench201",
        "nasbench201",
        "NAS-Bench-201",
        "NAS-Bench-201",
        {
            "cifar10": ("nasbench201_cifar10.csv", "test"),
            "ImageNet16-120": ("nasbench201_ImageNet16-120.csv", "test"),
        },
        {"channels": 8, "cells_per_stage": 1},
        {},
        (128, 128),
        several_runs=True,
    ),
)
