"""The small run in which faults are caused: it has every stage of a real run, uses real digits and takes seconds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from forks import Command, Forks

from nas.core.errors import NasError

IMAGES = 400
EPOCHS = 4
OVERRIDES = (
    *("data.name=npz", "data.size=8", "model.channels=4", "scoring.channels=4"),
    *("objective=trained:fgsm", "search.cheap=synflow", "search.budget=4", "search.ask=2", "search.constraints=[]"),
    *("strategy.name=warmup-move", "strategy.warmup=6", "strategy.pool=4", "strategy.tournament=2"),
    *("proxies.synflow.batch_size=16", "label.method=fgsm", "label.epochs=2", "label.batch_size=32"),
    *("label.validation_steps=2", "label.n_val=16", "label.crop=1", "label.flip=false"),
    *(f"train.epochs={EPOCHS}", "train.batch_size=16", "train.validation_steps=2", "train.save_steps=10"),
    *("run.trainings=[fgsm]", "eval.n_test=8", "eval.batch_size=4", "eval.sweep=[0.5,2]", "eval.sweep_attack=[fgsm]"),
    *("eval.attacks=[fgsm,pgd3,mifgsm,torchattacks:DIFGSM,autoattack]", "eval.eps=0.3"),
    *("eval.corruptions=[gaussian_noise,contrast,motion_blur,pixelate]", "eval.severities=[1,3,5]"),
)
QUICK = (  # more overrides, for the smallest run that still has every kind of work
    *("search.budget=2", "strategy.warmup=3", "strategy.pool=2", "strategy.tournament=1", "label.epochs=1"),
    *("train.batch_size=64", "train.save_steps=3", "run.random=false", "eval.n_test=4"),
    *("eval.attacks=[fgsm,torchattacks:DIFGSM,autoattack]", "eval.sweep=[]", "eval.corruptions=[]"),
)
UNUSED = ("eval.sweep_attack", "eval.severities")  # refused if there is no sweep and no corruption


def write_digits(path: Path) -> None:
    """Write the first of scikit-learn's handwritten digits, 8 by 8 pixels, as an .npz file."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images[:IMAGES] * (255 / 16)).astype(np.uint8)
    np.savez(path, images=images, labels=digits.target[:IMAGES].astype(np.uint8))


class Sandbox:
    """A folder in which runs are started, stopped, damaged and resumed."""

    def __init__(self, folder: Path, forks: Forks, seed: int, quick: bool = False) -> None:
        """`quick`: runs are as small as possible."""
        self.folder = folder
        used = tuple(text for text in OVERRIDES if not (quick and text.startswith(UNUSED)))
        self.overrides = used + QUICK if quick else used
        self.forks = forks
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.count = 0
        write_digits(folder / "digits.npz")

    def new(self, name: str) -> Path:
        """An unused path, for a new run."""
        self.count += 1
        return self.folder / f"{name}-{self.count:04d}"

    def start(self, run: Path, *overrides: str, workers: int = 1, inject: dict[str, Any] | None = None) -> Command:
        """Start the whole run from its beginning."""
        arguments = ("run", "quickstart", *self.overrides, f"data.root={self.folder / 'digits.npz'}")
        arguments += (f"executor.workers={workers}", *overrides, f"run.dir={run}")
        return self.forks.start(arguments, self.folder, inject)

    def resume(self, run: Path, *overrides: str) -> Command:
        return self.forks.start(("resume", str(run), *overrides), self.folder)

    def stopped(self, name: str, moment: Callable[[Path], bool], *overrides: str, workers: int = 1) -> Path:
        """A run that was killed at this moment. Raises `NasError` if the moment never came."""
        run = self.new(name)
        command = self.start(run, *overrides, workers=workers)
        if not command.until(lambda: moment(run)):
            raise NasError(f"The moment to stop {run} never came; it said: {command.wait().err}")
        command.kill()
        command.wait()
        return run

    def copy(self, run: Path, name: str) -> Path:
        """A copy of a run, to be damaged."""
        copied = self.new(name)
        shutil.copytree(run, copied)
        return copied

    def move(self, run: Path, folder: Path) -> Path:
        """Move a run into another folder; returns its new path."""
        return Path(shutil.move(run, folder / run.name))
