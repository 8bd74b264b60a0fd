"""Damage to the files of a run: the file is truncated, or one bit at a random place is flipped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from comparing import differences
from faults import Case, Fault, ended_clearly, last_line
from forks import Ended
from kills import Reference
from run_progress import evaluated, training
from workload import Sandbox

from nas.core.errors import NasError

DAMAGES_PER_KIND = 8  # times that each kind of damage is done to each file
PIXELS = 8  # side of the images whose decoded form is cached
CLASSES = 10
IMAGES_PER_CLASS = 12
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


def flipped(path: Path, rng: np.random.Generator) -> str:
    """Flip one bit of the file; returns which bit."""
    content = bytearray(path.read_bytes())
    place, bit = int(rng.integers(len(content))), int(rng.integers(8))
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return f"bit {bit} of byte {place}"


def truncated(path: Path, rng: np.random.Generator) -> str:
    """Truncate the file; returns the new length in words."""
    content = path.read_bytes()
    size = int(rng.integers(len(content)))
    path.write_bytes(content[:size])
    return f"cut to {size} of {len(content)} bytes"


KINDS: tuple[Callable[[Path, np.random.Generator], str], ...] = (flipped, truncated)


def judge(ended: Ended, problems: Callable[[], list[str]], name: str) -> tuple[str, bool]:
    """How a command on damaged files ended, and whether that is as promised.

    Promised is the same result as without damage, or, if no good copy of the file is left, one line that names it.
    """
    if ended.code == 0:
        found = problems()
        return "; ".join(found) or ("named, same result" if name in ended.err else "same result"), not found
    good = ended_clearly(ended, 2) and name in last_line(ended)
    return "refused, named" if good else f"exit code {ended.code}: {last_line(ended)}", good


def damaged_search(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """Store and configuration of a run that was stopped in its search."""
    if quick:
        return
    run = sandbox.stopped("healthy", evaluated(2))
    for name in ("store.sqlite", "store.sqlite-wal", "config.json"):
        yield from _damaged(sandbox, reference, quick, run, name, "in the search")


def damaged_training(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """Store and checkpoints of a run that was stopped in a training."""
    run = sandbox.stopped("healthy", _second_epoch)
    for name in ("store.sqlite-wal", "last.pt", "best.pt"):
        yield from _damaged(sandbox, reference, quick, run, name, "in a training")


def damaged_finished(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """Result, configuration and store of a finished run."""
    for name in ("result.json",) if quick else ("result.json", "config.json", "store.sqlite"):
        yield from _damaged(sandbox, reference, quick, reference.run, name, "when finished")


def _second_epoch(run: Path) -> bool:
    """Whether a training has chosen a best network and continues."""
    return training(run) and any(run.glob("models/*/best.pt"))


def _damaged(sandbox: Sandbox, reference: Reference, quick: bool, run: Path, name: str, moment: str) -> Iterator[Case]:
    for kind in KINDS[: 1 if quick else None]:
        counts: dict[str, int] = {}
        bad = []
        for _ in range(1 if quick else DAMAGES_PER_KIND):
            copy = sandbox.copy(run, "damaged")
            path = next(copy.rglob(name))
            where = kind(path, sandbox.rng)
            ended = sandbox.resume(copy).wait()
            found, good = judge(ended, lambda: differences(copy, reference.run), name)  # noqa: B023
            counts[found] = counts.get(found, 0) + 1
            bad += [] if good else [f"{where}: {found}"]
        yield _case(f"{name} {kind.__name__}, {moment}", counts, bad)


def damaged_network(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """The damaged network of a finished run is attacked: it is refused, or the damage changes no outcome."""
    result = json.loads((reference.run / "result.json").read_text())["models"][0]
    path = sandbox.new("networks") / "best.pt"
    path.parent.mkdir()
    for kind in KINDS[: 1 if quick else None]:
        counts: dict[str, int] = {}
        bad = []
        for _ in range(1 if quick else DAMAGES_PER_KIND):
            shutil.copy(reference.run / result["checkpoint"], path)
            where = kind(path, sandbox.rng)
            data = (f"data.root={sandbox.folder / 'digits.npz'}", "data.name=npz")
            attack = (f"eval.n_test={result['n_test']}", "eval.attacks=[fgsm]")
            arguments = ("eval", str(path), *data, *attack, f"run.dir={sandbox.new('eval')}", "--json")
            ended = sandbox.forks.start(arguments, sandbox.folder).wait()
            found, good = judge(ended, lambda: _other(ended, result), path.name)  # noqa: B023
            counts[found] = counts.get(found, 0) + 1
            bad += [] if good else [f"{where}: {found}"]
        yield _case(f"best.pt {kind.__name__}, attacked again", counts, bad)


def _other(ended: Ended, result: dict[str, Any]) -> list[str]:
    same = json.loads(ended.out)["correct"]["clean"] == result["correct"]["clean"]
    return [] if same else ["other outcomes"]


def _case(fault: str, counts: dict[str, int], bad: list[str]) -> Case:
    text = "; ".join(f"{count} × {found}" for found, count in sorted(counts.items()))
    return Case(fault, text if not bad else f"{text} ({bad[0]})", not bad)


def damaged_cache(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """Decoded images in the user's cache are damaged: they are read from the originals again, with the same values."""
    images, cache = sandbox.folder / "images", sandbox.folder / "cache"
    write_images(images)
    first = _scored(sandbox, images, cache)
    files = [path for path in sorted(cache.rglob("*")) if path.is_file()]
    if not files:
        raise NasError("Expected decoded images in the cache but there are none.")
    for file in files:
        content = file.read_bytes()
        for kind in KINDS:
            bad, warned = [], 0
            for _ in range(1 if quick else DAMAGES_PER_KIND):
                file.write_bytes(content)
                where = kind(file, sandbox.rng)
                ended, values = _scored_with(sandbox, images, cache)
                warned += file.parent.name in ended.err or file.name in ended.err
                if ended.code != 0 or values != first or "Traceback" in ended.err:
                    bad.append(f"{where}: exit code {ended.code}, {last_line(ended)}")
            text = f"{warned} × named, always the same values" if not bad else bad[0]
            yield Case(f"cached {file.suffix} {kind.__name__}", text, not bad)


def _scored(sandbox: Sandbox, images: Path, cache: Path) -> Any:
    ended, values = _scored_with(sandbox, images, cache)
    if ended.code != 0:
        raise NasError(f"Scoring failed: {last_line(ended)}")
    return values


def _scored_with(sandbox: Sandbox, images: Path, cache: Path) -> tuple[Ended, Any]:
    arguments = ("score", CELL, "--proxies", "grad_norm", "scoring.channels=4", "proxies.grad_norm.batch_size=16")
    data = ("data.name=imagefolder", f"data.root={images}", f"data.size={PIXELS}", "--json")
    ended = sandbox.forks.start((*arguments, *data), sandbox.folder, {"cache": str(cache)}).wait()
    return ended, [row["scores"] for row in json.loads(ended.out)] if ended.code == 0 else None


def write_images(folder: Path) -> None:
    """Write random images into one folder per class."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(IMAGES_PER_CLASS):
            pixels = rng.integers(0, 256, (PIXELS, PIXELS, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"class{label}" / f"{number}.png")


FAULTS: tuple[Fault, ...] = (damaged_search, damaged_training, damaged_finished, damaged_network, damaged_cache)
