"""What zero-cost proxies cost, compared with one forward and backward pass: `nas bench proxies`."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import median
from typing import ClassVar

import torch

from nas.bench.base import Bench, Limit
from nas.bench.measuring.scoring import batch, batch_size, built, score
from nas.bench.measuring.timing import forward_backward, peak_megabytes, seconds
from nas.bench.space_costs import LIMITS as SPACE_LIMITS
from nas.bench.space_costs import space_costs
from nas.core.io.records import Json
from nas.search_spaces import SPACES, SearchSpace

SUITE = ("grad_norm", "snip", "grasp", "fisher", "synflow", "plain", "l2_norm", "jacov", "epe_nas", "nwot", "zen")
GROUPS: dict[str, tuple[str, ...]] = {
    "croze": ("croze",),
    "suite13": SUITE,  # of NAS-Bench-Suite-Zero; its other two, params and flops, cost nothing
    "eproxy": ("eproxy",),
    **{
        name: (name,)
        for name in (*SUITE, "zico", "jacob_fro", "hessian", "linear_regions", "ntk_cond", "croze_official")
    },
}
# whose peak memory is measured; grasp and hessian are not among them, because they need second derivatives
MEMORY_GROUPS = ("croze", "eproxy", *(name for name in SUITE if name != "grasp"), "zico", "jacob_fro", "croze_official")
CELLS = 10
ROUNDS = 3  # measurements per cell of each group in `LIMITED`, in turn with an F+B; their median counts
LIMITED = ("croze", "suite13", "eproxy")  # other groups are measured once per cell
SAMPLE = 20  # networks scored one after the other for the rate


class ProxiesBench(Bench):
    """Time of proxies, building included, as a ratio to one F+B of the same network on a batch of the same size.

    Median over 10 random NAS-Bench-201 cells (C=16, N=5, 32×32 images); `suite13` are the proxies of
    NAS-Bench-Suite-Zero together. Also the peak memory as a ratio to that of an F+B, and CRoZe scores per second.
    With a `space`, only the costs of that space (`space_costs`).
    """

    name: ClassVar[str] = "proxies"
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("ratios.croze", at_most=3.3),
        Limit("ratios.suite13", at_most=6.4),
        Limit("ratios.eproxy", at_most=13.5, target=11.5, reason="its barrier convolutions already run at full speed"),
        *(Limit(f"memory.{group}", at_most=1.5) for group in MEMORY_GROUPS if group not in ("croze", "croze_official")),
        Limit("memory.croze", at_most=1.6, target=1.5, reason="the clean outputs of all layers are held during FGSM"),
        Limit("memory.croze_official", at_most=9.5, target=1.5, reason="it uses double precision, as its release does"),
        *SPACE_LIMITS,
    )
    space: str | None = None  # whose costs are measured, instead of the proxies on NAS-Bench-201

    def run(self, report: Callable[[str], None]) -> Json:
        where = {
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            "threads": torch.get_num_threads(),
        }
        if self.space is not None:
            return {"space": {"name": self.space, **space_costs(SPACES.get(self.space)(), report)}, **where}
        space = SPACES.get("nasbench201")()
        return {
            "ratios": ratios(space, report),
            "memory": memory(space, report),
            "croze_per_second": round(rate(space), 2),
            **where,
        }


def ratios(space: SearchSpace, report: Callable[[str], None], cells: int = CELLS, seed: int = 0) -> dict[str, float]:
    """For each group, the median over cells of (time of the proxies) / (time of one F+B on their batch)."""
    rng = Random(seed)
    batches = {batch_size(names): batch(batch_size(names)) for names in GROUPS.values()}
    warm = space.sample(rng)
    for names in GROUPS.values():  # warms up threads, kernels, caches
        score(space, warm, names, *batches[batch_size(names)])
    measured: dict[str, list[float]] = {group: [] for group in GROUPS}
    for number in range(1, cells + 1):
        arch = space.sample(rng)
        network = built(space, arch)
        for group, names in GROUPS.items():
            images, labels = batches[batch_size(names)]
            times = [
                (seconds(score, space, arch, names, images, labels), seconds(forward_backward, network, images, labels))
                for _ in range(ROUNDS if group in LIMITED else 1)
            ]
            measured[group].append(median(time for time, _ in times) / median(unit for _, unit in times))
        latest = ", ".join(f"{group} {values[-1]:.2f}" for group, values in measured.items())
        report(f"{number}/{cells} {arch}: {latest}")
    return {group: round(median(values), 3) for group, values in measured.items()}


def memory(space: SearchSpace, report: Callable[[str], None]) -> dict[str, float]:
    """Peak memory of proxies on the largest cell as a ratio to that of one F+B on a batch of the same size."""
    arch = str(space.largest())
    units = {
        size: peak_megabytes(_one_pass, space.name, arch, size)
        for size in {batch_size(GROUPS[group]) for group in MEMORY_GROUPS}
    }
    relative = {}
    for group in MEMORY_GROUPS:
        peak = peak_megabytes(_one_score, space.name, arch, GROUPS[group])
        unit = units[batch_size(GROUPS[group])]
        relative[group] = round(peak / unit, 3)
        report(f"peak memory of {group}: {peak:.0f} MB, of an F+B: {unit:.0f} MB")
    return relative


def _one_pass(space: str, text: str, size: int) -> Callable[[], object]:
    points = SPACES.get(space)()
    arch, images = points.parse(text), batch(size)
    forward_backward(built(points, arch), images[0][:2], images[1][:2])
    return lambda: forward_backward(built(points, arch), *images)


def _one_score(space: str, text: str, names: tuple[str, ...]) -> Callable[[], object]:
    points = SPACES.get(space)()
    arch, images = points.parse(text), batch(batch_size(names))
    score(points, arch, names, images[0][:2], images[1][:2])
    return lambda: score(points, arch, names, *images)


def rate(space: SearchSpace, seed: int = 1) -> float:
    """Architectures per second that `croze` scores, building included, over a random sample."""
    rng = Random(seed)
    images = batch(batch_size(("croze",)))
    sample = [space.sample(rng) for _ in range(SAMPLE)]

    def every() -> None:
        for arch in sample:
            score(space, arch, ("croze",), *images)

    return SAMPLE / seconds(every)
