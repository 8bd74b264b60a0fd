"""The release's CRoZe against a literal transcription of what it does, and against scores computed with it."""

from __future__ import annotations

import copy
import csv
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.errors import NasError
from nas.search_spaces import SPACES, Network, SearchSpace
from nas.search_spaces.network import Body
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.passes.probe import Probe

Tiny = Callable[..., Network]
Batch = tuple[Tensor, Tensor]
OFFICIAL = PROXIES.get("croze_official")


@pytest.mark.parametrize("name", sorted(set(SPACES.names()) - {"nasbench201", "darts"}))
def test_networks_of_other_spaces_are_refused(name: str, tiny: Tiny, batch: Batch) -> None:
    other = SPACES.get(name)()
    with pytest.raises(NasError, match=r"of nasbench201 or darts, .* but got \w+; take croze instead"):
        OFFICIAL(Probe(tiny(other, other.sample(Random(0))), *batch))


def forward(body: Any, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits and the features of the release, by what they are called."""
    z: dict[str, Tensor] = {}
    if hasattr(body, "blocks"):
        z["0"] = out = body.stem(x)
        for stage, block in enumerate(body.blocks):
            for position, part in enumerate(block):
                out = part(out)
                if stage > 0 and position == 0:
                    z[str(stage)] = out
        z["3"] = out
        pooled = torch.relu(out).mean((2, 3))  # its normalisation is off
    else:
        z["0"] = before = out = body.stem0(x)
        for number, cell in enumerate(body.cells, start=1):
            before, out = out, cell(before, out)
            z[str(number)] = out
        pooled = out.mean((2, 3))
    z["pooled"] = pooled
    return pooled @ body.classifier.weight.T + body.classifier.bias, z


def places(body: Any) -> dict[str, str]:
    """Name of a module with weights → name of the features it is compared with."""
    found = {}
    seen = 0
    if hasattr(body, "blocks"):
        for stage, block in enumerate(body.blocks):
            for position, part in enumerate(block):
                seen += not (stage > 0 and position == 0)
                for name, module in part.named_modules():
                    if isinstance(module, nn.Conv2d):
                        found[f"blocks.{stage}.{position}.{name}"] = str(seen // 5)
    else:
        for number, cell in enumerate(body.cells, start=1):
            for name, module in cell.named_modules():
                if isinstance(module, nn.Conv2d):
                    found[f"cells.{number - 1}.{name}"] = str(number)
    return found | {"classifier": "pooled"}


def reference(probe: Probe) -> float:
    body = copy.deepcopy(probe.body).double().train()
    generator = probe.generator("croze_official")
    for module in list(body.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    if hasattr(body, "blocks"):
        for stage, block in enumerate(body.blocks):  # type: ignore[arg-type]
            for position, part in enumerate(block):
                if stage > 0 and position == 0:
                    continue
                for module in part.modules():
                    if isinstance(module, nn.Conv2d):
                        bound = 1 / np.sqrt(module.weight[0].numel())
                        draw = torch.rand(module.out_channels, generator=generator, dtype=torch.float64)
                        module.bias = nn.Parameter(2 * bound * draw - bound)
    for parameter in body.parameters():
        parameter.data = parameter.data.abs()
    layers = {name: module for name, module in body.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))}
    x, where = probe.images.double(), places(body)

    def gradients(inputs: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
        body.zero_grad()
        leaf = inputs.clone().requires_grad_(True)
        logits, z = forward(body, leaf)
        F.cross_entropy(logits, probe.labels).backward()
        found = {name: layer.weight.grad.clone() for name, layer in layers.items() if layer.weight.grad is not None}
        assert leaf.grad is not None
        return found, z, leaf.grad

    g, z, _ = gradients(x)
    theta = {name: layer.weight.detach().clone() for name, layer in layers.items()}
    for name, layer in layers.items():
        if name in g and g[name].norm() > 0:
            layer.weight.data = theta[name] + 2.0 * theta[name].norm() * g[name] / g[name].norm()
    signed = {name: layer.weight.detach().clone() for name, layer in layers.items()}
    for layer in layers.values():
        layer.weight.data = layer.weight.data.abs()
    clean, _, to_x = gradients(x)
    for name, layer in layers.items():
        layer.weight.data = signed[name]
    robust, z_r, _ = gradients((x - 0.01 * to_x.sign()).clamp(0, 1))
    total = 0.0
    for name, layer in layers.items():
        if name not in g:
            continue
        key = where.get(name, "0")
        one = (1 + cosine(layer.weight.detach(), theta[name])).sum()
        two = cosine(clean[name] + robust[name], g[name]).abs().sum()
        three = (1 + cosine(z_r[key], z[key])).sum()
        total += abs((one * two * three).item())
    return total


def cosine(a: Tensor, b: Tensor) -> Tensor:
    norms = a.pow(2).sum(0).sqrt() * b.pow(2).sum(0).sqrt()
    return torch.where(norms > 0, (a * b).sum(0) / norms, 0.0)


def test_it_is_the_reference(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    rng = Random(5)
    for _ in range(3):
        probe = Probe(tiny(space, space.sample(rng)), *batch)
        assert OFFICIAL(probe) == pytest.approx(reference(probe), rel=1e-5)


def test_later_cells_use_later_features(batch: Batch) -> None:
    """With five cells per stage the fifth cell no longer uses the stem."""
    space = SPACES.get("nasbench201")()
    torch.manual_seed(0)
    probe = Probe(space.build(space.largest(), 4, channels=2, cells_per_stage=5), *batch)
    assert set(places(probe.body).values()) == {"0", "1", "2", "3", "pooled"}
    assert OFFICIAL(probe) == pytest.approx(reference(probe), rel=1e-5)


def test_another_kind_of_network_is_refused(batch: Batch) -> None:
    class Other(Body):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 2, 3)
            self.classifier = nn.Linear(2, 4)

        def stages(self, x: Tensor) -> list[Tensor]:
            return [self.stem(x)]

        def pooled(self, last: Tensor) -> Tensor:
            return last

    with pytest.raises(NasError, match="take croze instead"):
        OFFICIAL(Probe(Network(Other()), *batch))


def released(data_dir: Path, number: int) -> tuple[list[float], list[float], list[float]]:
    """Our scores and the release's two of some classes, on the release's batch."""
    space = SPACES.get("nasbench201")()
    arrays = np.load(data_dir / "cifar10_train_first4000.npz")
    images = torch.tensor(arrays["images"][:8]).permute(0, 3, 1, 2).float() / 255
    labels = torch.tensor(arrays["labels"][:8].astype(np.int64))
    ours, theirs, again = [], [], []
    with open(data_dir / "croze_release_scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))[:number]
    for row in rows:
        torch.manual_seed(0)
        network = space.build(space.parse(row["arch_str"]), mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010))
        ours.append(OFFICIAL(Probe(network, images, labels)))
        theirs.append(float(row["score_init0"]))
        again.append(float(row["score_init1"]))
    return ours, theirs, again


@pytest.mark.landing
def test_a_few_scores_of_the_release(data_dir: Path) -> None:
    ours, theirs, _ = released(data_dir, 2)
    assert ours == pytest.approx(theirs, rel=0.1)


@pytest.mark.slow
def test_the_ranking_of_the_release(data_dir: Path) -> None:
    """On all 200 classes; the release's two initialisations have ρ = .999 with each other."""
    ours, theirs, again = released(data_dir, 200)
    assert spearmanr(ours, theirs)[0] >= 0.997
    assert spearmanr(ours, again)[0] >= 0.997
