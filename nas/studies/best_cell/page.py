"""The tables of the study as Markdown, from the rows that there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.studies.best_cell.comparisons import MIN_PAIRS, compared, mean_interval
from nas.studies.best_cell.plan import EDGE_GPU, HARDWARE, IMAGES, MILESTONES, PIXEL3, QUERIES, VARIANTS, Task, blocks
from nas.studies.best_cell.published import best, within_limit
from nas.studies.best_cell.runs import Data, Row, Rows
from nas.studies.markdown import table

TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "ImageNet16-120": "ImageNet16-120"}
DEVICES = {"Edge GPU": EDGE_GPU, "Pixel 3": PIXEL3}


def page(rows: Rows, data: Data) -> str:
    """All tables; those without a single row are left out."""
    parts = [progress(rows, data)]
    for images in IMAGES:
        if _found(rows, Task(images)):
            parts += [f"### {TITLES[images]}", section(rows, images), tests(rows, images)]
    for images in HARDWARE:
        for device, limits in DEVICES.items():
            if any(_found(rows, Task(images, limit)) for limit in limits):
                parts += [f"### {TITLES[images]} within a latency of {device}", limited(rows, images, limits)]
    return "\n\n".join(part for part in parts if part)


def progress(rows: Rows, data: Data) -> str:
    """How many of the planned runs there are, and the seconds that one takes."""
    lines = []
    for variant in VARIANTS:
        planned = [block for block in blocks() if block.variant == variant and data.has(block.task)]
        tasks = dict.fromkeys(block.task for block in planned)
        there = {task: rows.of(variant, task) for task in tasks}
        seconds = [row.seconds for task, runs in there.items() if not task.limit for row in runs.values()]
        lines.append(
            [
                variant.name,
                f"{sum(map(len, there.values())):,} of {sum(len(block.seeds) for block in planned):,}",
                f"{np.median(seconds):.1f}" if seconds else "–",
            ]
        )
    return table(["strategy", "runs", "seconds each (median)"], lines)


def section(rows: Rows, images: str) -> str:
    """What each variant found on a set of images, beside the published figures."""
    lines = []
    for name, runs in _found(rows, Task(images)).items():
        known = best(name, images)
        reached = [row.optimum if row.optimum is not None else np.inf for row in runs.values()]
        median = float(np.median(reached))
        more = [_of_milestone(rows, name, images, after) for after in MILESTONES if after != QUERIES]
        lines.append(
            [
                name,
                str(len(runs)),
                _mean([row.val[QUERIES] for row in runs.values()]),
                "–" if known is None else f"{known[0]:.2f}",
                _mean([row.test[QUERIES] for row in runs.values()]),
                "–" if known is None else f"{known[1]:.2f}",
                f"{np.mean(np.isfinite(reached)):.0%}",
                f"{median:g}" if np.isfinite(median) else "–",
                *more,
            ]
        )
    after = [f"validation, {number} queries" for number in MILESTONES if number != QUERIES]
    head = ["strategy", "runs", "validation", "published", "test", "published", "optimum found", "median query", *after]
    return table(head, lines)


def tests(rows: Rows, images: str) -> str:
    """AG-Net, and the variant with the best mean of enough runs, against all others; empty if there are too few."""
    found = {
        name: {seed: row.val[QUERIES] or 0.0 for seed, row in runs.items()}
        for name, runs in _found(rows, Task(images)).items()
    }
    many = [name for name, values in found.items() if len(values) >= MIN_PAIRS]
    top = max(many, key=lambda name: np.mean(list(found[name].values())), default="agnet")
    lines = []
    for reference in dict.fromkeys(["agnet", top]):
        for one in compared(reference, found) if reference in found else ():
            label = f"{reference} − {one.other}"
            lines.append([label, str(one.runs), f"{one.difference:+.3f}", f"{one.paired:.2g}", f"{one.unpaired:.2g}"])
    head = ["validation, difference of", "common seeds", "points", "p, paired (Holm)", "p, unpaired (Holm)"]
    return table(head, lines) if lines else ""


def limited(rows: Rows, images: str, limits: Sequence[str]) -> str:
    """Accuracy of the best within each limit, and the share of the queries within it, beside the published ones."""
    lines = []
    for variant in VARIANTS:
        for joint in (False, True):
            cells = []
            for limit in limits:
                runs = rows.of(variant, Task(images, limit, joint)).values()
                known = within_limit(variant.name, limit, joint, images)
                cells.append(_within(list(runs)) + ("" if known is None else f" (published {known[0]}, {known[1]})"))
            if any(cells):
                lines.append([f"{variant.name}{', joint' if joint else ''}", *cells])
    return table(["validation accuracy, share within", *(limit.replace("_latency", "") for limit in limits)], lines)


def _within(runs: list[Row]) -> str:
    if not runs:
        return ""
    found = [value for row in runs if (value := row.val[QUERIES]) is not None]
    missing = f", {len(runs) - len(found)} of {len(runs)} runs found none" if len(found) < len(runs) else ""
    share = np.mean([row.feasible for row in runs])
    return f"{_mean(found) if found else '–'}, {share:.2f}{missing}"


def _found(rows: Rows, task: Task) -> dict[str, dict[int, Row]]:
    """The rows of the variants that have one, by seed."""
    found = {variant.name: rows.of(variant, task) for variant in VARIANTS}
    return {name: runs for name, runs in found.items() if runs}


def _of_milestone(rows: Rows, name: str, images: str, after: int) -> str:
    """The mean after so many queries, of the runs with enough: their first queries do not depend on the others."""
    (variant,) = (one for one in VARIANTS if one.name == name)
    by_seed = {
        seed: row.val[after]
        for queries in MILESTONES
        for seed, row in rows.of(variant, Task(images, queries=queries)).items()
        if after <= queries
    }
    return f"{_mean(list(by_seed.values()))} (runs: {len(by_seed)})" if by_seed else "–"


def _mean(values: Sequence[float | None]) -> str:
    """`91.55 [91.53, 91.57]`, the mean with its 95 % interval; without it for few values."""
    known = [value for value in values if value is not None]
    mean, low, high = mean_interval(known)
    return f"{mean:.2f}" if low is None or len(known) < MIN_PAIRS else f"{mean:.2f} [{low:.2f}, {high:.2f}]"
