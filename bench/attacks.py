"""What an evaluation costs, compared with attacking every image with every attack: `nas bench attacks`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import ClassVar

import torch
from torch.nn import functional

from nas.bench.base import Bench, Limit
from nas.bench.measuring.timing import device, seconds
from nas.core.data import Dataset, DataSettings, attacked, load
from nas.core.images import unit_range
from nas.core.io.records import Json
from nas.core.optimisation.attack_steps import eval_mode
from nas.core.seeds import derive, seeded
from nas.core.storage.memory import InMemoryStore
from nas.eval import EvalSettings, evaluate
from nas.eval.networks.layout import ChannelsLast
from nas.eval.plan import plan_of
from nas.results import EvalResult
from nas.search_spaces import NASBench201, Network

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
CHANNELS = 8  # of the network
STEPS = 300  # of its short standard training
BATCH = 64
SETTINGS = EvalSettings(attacks=["fgsm", "pgd20", "autoattack"], eps=0.15, n_test=32, batch_size=32)
ROUNDS = 3


class AttacksBench(Bench):
    """Time to attack every image with every part of every attack, divided by the time of an evaluation.

    FGSM, PGD-20 and AutoAttack at eps .15 on 32 handwritten digits of 16×16 and a standard-trained NAS-Bench-201
    network (N=1, C=8). `early_drop` is for the usual evaluation, in which an attack drops an image after the first part
    that breaks it; `cascade` is for one in which the first successful attack drops it. Medians, in one process.
    """

    name: ClassVar[str] = "attacks"
    limits: ClassVar[tuple[Limit, ...]] = (Limit("ratios.early_drop", at_least=2),)

    def run(self, report: Callable[[str], None]) -> Json:
        return {
            **ratios(report),
            "floors": {"early_drop": 2.0},
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            "threads": torch.get_num_threads(),
        }


def trained(data: Dataset, channels: int = CHANNELS, steps: int = STEPS) -> Network:
    """A network after a short standard training."""
    space = NASBench201()
    where = device()
    with seeded(0):
        network = space.build(space.parse(CELL), channels=channels, cells_per_stage=1, mean=data.mean, std=data.std)
        network.to(where).to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True)
        x, y = unit_range(data.train.images).to(where), data.train.labels.to(where)
        for _ in range(steps):
            chosen = torch.randint(len(y), (BATCH,), device=where)
            optimizer.zero_grad()
            functional.cross_entropy(network(x[chosen]), y[chosen]).backward()
            optimizer.step()
    return network.eval().requires_grad_(False)


def everything(network: Network, data: Dataset, settings: EvalSettings) -> None:
    """Every part of every attack on every image, even if another part has broken it."""
    part = attacked(data, settings.n_test)
    model = ChannelsLast(network).eval()
    images, labels = unit_range(part.images).to(device()).contiguous(), part.labels.to(device())
    for label, attack in plan_of(settings, data.num_classes, data.image_size):
        for stage in attack.stages:
            for x, y in zip(images.split(settings.batch_size), labels.split(settings.batch_size)):
                seed = derive(0, label, stage)
                with seeded(seed), eval_mode(model):
                    x_adv = attack.perturb(model, x, y, stage, seed)
                with torch.no_grad():
                    model(x_adv).argmax(1)


def ratios(
    report: Callable[[str], None],
    settings: EvalSettings = SETTINGS,
    rounds: int = ROUNDS,
    channels: int = CHANNELS,
    steps: int = STEPS,
) -> Json:
    """`ratios` by name, and the seconds behind them."""
    data = load(DataSettings())
    network = trained(data, channels, steps)
    cascade = replace(settings, cascade=True)
    results: dict[str, EvalResult] = {}

    def evaluated(key: str, how: EvalSettings) -> None:
        results[key] = evaluate(network, data, how, 0, device(), InMemoryStore())

    actions: dict[str, Callable[[], None]] = {
        "everything": lambda: everything(network, data, settings),
        "early_drop": lambda: evaluated("early_drop", settings),
        "cascade": lambda: evaluated("cascade", cascade),
    }
    evaluated("early_drop", settings)  # warms up threads and kernels
    times: dict[str, list[float]] = {key: [] for key in actions}
    for number in range(1, rounds + 1):
        for key, action in actions.items():
            times[key].append(seconds(action))
        report(f"{number}/{rounds} " + ", ".join(f"{key} {value[-1]:.2f} s" for key, value in times.items()))
    middle = {key: median(values) for key, values in times.items()}
    return {
        "ratios": {key: round(middle["everything"] / middle[key], 2) for key in ("early_drop", "cascade")},
        "seconds": {key: round(value, 3) for key, value in middle.items()},
        "clean": results["early_drop"].clean,
        "worst_case": {key: result.worst_case.accuracy for key, result in results.items()},
    }
