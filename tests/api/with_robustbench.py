"""Run by the Python of an environment with robustbench: `python with_robustbench.py NETWORK IMAGES OUTPUT`.

Prints as JSON the accuracies of `robustbench.benchmark` on a network that was exported from here, and what
`nas.evaluate` gives for architectures of RobustBench.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyautoattack
import torch

sys.modules["autoattack"] = pyautoattack  # the name under which robustbench imports it
for part in ("state", "autoattack"):
    sys.modules[f"autoattack.{part}"] = importlib.import_module(f"pyautoattack.{part}")

import robustbench  # noqa: E402
import robustbench.data  # noqa: E402
import robustbench.eval  # noqa: E402
from robustbench.model_zoo.architectures.dm_wide_resnet import DMWideResNet, Swish  # noqa: E402
from robustbench.model_zoo.architectures.resnet import ResNet18  # noqa: E402
from robustbench.model_zoo.architectures.utils_architectures import normalize_model  # noqa: E402
from robustbench.model_zoo.architectures.wide_resnet import WideResNet  # noqa: E402

import nas  # noqa: E402

EPS = 0.3
MEAN, STD = (0.5, 0.45, 0.4), (0.25, 0.25, 0.25)


class AutoAttack:
    """pyautoattack with the keywords of autoattack."""

    def __init__(self, network: torch.nn.Module, log_path: None, **options: Any) -> None:
        self.attack = pyautoattack.AutoAttack(network, **options)

    def run_standard_evaluation(self, x: torch.Tensor, y: torch.Tensor, bs: int, state_path: None) -> torch.Tensor:
        return self.attack.run_standard_evaluation(x, y, batch_size=bs, state_path=state_path)[0]


def main(network: str, images: str, output: str) -> None:
    with np.load(images) as arrays:
        x = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2).contiguous().float() / 255
        y = torch.from_numpy(arrays["labels"])

    def local(n: int, *_: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return x[:n], y[:n]

    robustbench.eval.AutoAttack = AutoAttack
    for key in robustbench.data._clean_dataset_loaders:
        robustbench.data._clean_dataset_loaders[key] = local
    clean, robust = robustbench.benchmark(nas.load(network), n_examples=len(y), threat_model="Linf", eps=EPS)
    torch.manual_seed(0)
    architectures = {
        "WideResNet": WideResNet(depth=10, widen_factor=1),
        "ResNet": ResNet18(),
        "DMWideResNet": DMWideResNet(depth=10, width=1, activation_fn=Swish, mean=MEAN, std=STD),
        "normalised": normalize_model(WideResNet(depth=10, widen_factor=1), MEAN, STD),
    }
    found = {}
    for name, made in architectures.items():
        report = nas.evaluate(made, data=(x, y), attacks="fgsm", eps=EPS)
        made.eval()
        with torch.no_grad():
            right = made(x).argmax(1) == y
        found[name] = [report.correct["clean"].tolist(), right.tolist()]
    Path(output).write_text(json.dumps({"clean": clean, "robust": robust, "architectures": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
