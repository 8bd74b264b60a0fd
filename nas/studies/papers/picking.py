"""The setting of Eproxy that a task picks from the pool with its labelled networks, and the losses under it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from nas.searches.dps import preferred
from nas.searches.dps_fitness import agreement
from nas.strategies.proxies.eproxy.genes import OF_A_STAGE, SHARED, Genes
from nas.studies.papers.networks import Networks, key_of
from nas.studies.papers.scoring import Scores, pool_of

ERRORS = 1.0  # as in `nas dps`: settings within one standard error of the best count as equal to it


@dataclass(frozen=True)
class Picked:
    """A setting: its part that needs training, its FLOPs term, and its rho on the labels beside the release's."""

    trained: str
    alpha: float
    spearman: float
    spearman_plain: float


def pick(scores: Scores, networks: Networks, task: str) -> Picked | None:
    """The setting that ranks the labelled networks by the accuracies of a task, as `nas dps` picks among finalists.

    Every setting of the pool is tried with every value of the FLOPs term. None if the pool has no row yet.
    """
    labels = [float(value) for value in networks.accuracies(task, networks.labelled)]
    shares = [relative_flops(networks, arch) for arch in networks.labelled]
    rhos: dict[str, float] = {}
    parts: dict[str, tuple[str, float]] = {}
    for text in pool_of(scores.plan, scores.size):
        row = scores.pool.rows.get((text,))
        if row is None:
            continue
        for alpha in SHARED["alpha"]:
            name = str(replace(Genes().parse(text), alpha=alpha))
            parts[name] = text, alpha
            losses = [with_flops(loss, alpha, share) for loss, share in zip(row[1:], shares)]
            rhos[name] = agreement(losses, labels)
    if not rhos:
        return None
    plain = pool_of(scores.plan, scores.size)[0]
    found = preferred(rhos, plain, len(labels), ERRORS)
    return Picked(*parts[found], rhos[found], rhos[plain])


def with_flops(loss: float | None, alpha: float, share: float) -> float | None:
    """L · (1 + α · FLOPs / FLOPs of the largest)."""
    return None if loss is None else loss * (1 + alpha * share)


def relative_flops(networks: Networks, arch: str) -> float:
    """Multiply-accumulates as a part of those of the largest network of the space, as the FLOPs term of `nas dps`."""
    space: Any = networks.space
    return float(space.cost(space.parse(arch)).macs / space.cost(space.largest()).macs)


def picked_losses(scores: Scores, networks: Networks, picked: Picked) -> dict[str, float]:
    """The losses of the judged networks under a picked setting, as far as they have been computed."""
    losses = {}
    for arch in networks.judged:
        row = scores.picked.rows.get((picked.trained, key_of(arch)))
        loss = None if row is None else with_flops(row[1], picked.alpha, relative_flops(networks, arch))
        if loss is not None:
            losses[arch] = loss
    return losses


def in_words(setting: str, release: str) -> str:
    """The genes of a setting that differ from those of the release's; stages are numbered from the last one."""
    one, other = Genes().parse(setting), Genes().parse(release)
    words = [f"{gene} {getattr(one, gene)}" for gene in SHARED if getattr(one, gene) != getattr(other, gene)]
    if len(one.stages) != len(other.stages):
        words.append(f"{len(one.stages)} of {len(other.stages)} stages")
    for number, (stage, own) in enumerate(zip(one.stages, other.stages), start=1):
        changed = [gene for gene in OF_A_STAGE if getattr(stage, gene) != getattr(own, gene)]
        words += [f"{gene} {getattr(stage, gene)} in stage {number}" for gene in changed]
    return ", ".join(words) or "the release's"
