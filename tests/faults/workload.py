"""The small run that faults are caused in: every stage of a real one, in seconds, on real digits."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
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
    *("eval.corruptions=[gaussian_noise,contrast]", "eval.severities=[3]"),
)
QUICK = (  # besides those, for the least that still has every stage
    *("search.budget=2", "strategy.warmup=3", "strategy.pool=2", "strategy.tournament=1", "label.epochs=1"),
    *("train.batch_size=64", "train.save_steps=3", "run.random=false", "eval.n_test=4"),
    *("eval.attacks=[fgsm,torchattacks:DIFGSM,autoattack]", "eval.sweep=[]", "eval.corruptions=[]"),
)
UNUSED = ("eval.sweep_attack", "eval.severities")  # without sweep and corruptions
SEARCHED = "evaluations"  # the table of a search
OUTCOMES = "outcome/"  # how the keys of attacked batches begin
NETWORKS = ("best.pt", "final.pt", "last.pt")
IGNORED_KEYS = ("seconds", "memory_mb")  # of a result, which differ between two runs that are the same


def write_digits(path: Path) -> None:
    """The first of scikit-learn's handwritten digits, 8 by 8, as an .npz file."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images[:IMAGES] * (255 / 16)).astype(np.uint8)
    np.savez(path, images=images, labels=digits.target[:IMAGES].astype(np.uint8))


class Sandbox:
    """A folder in which runs are started, stopped, damaged, and compared with one that nothing happened to."""

    def __init__(self, folder: Path, forks: Forks, seed: int, quick: bool = False) -> None:
        """`quick`: runs of the least size."""
        self.folder = folder
        used = tuple(text for text in OVERRIDES if not (quick and text.startswith(UNUSED)))
        self.overrides = used + QUICK if quick else used
        self.forks = forks
        self.rng = np.random.default_rng(seed)
        self.count = 0
        write_digits(folder / "digits.npz")

    def new(self, name: str) -> Path:
        """A path for a new run."""
        self.count += 1
        return self.folder / f"{name}-{self.count:04d}"

    def start(self, run: Path, *overrides: str, workers: int = 1, inject: dict[str, Any] | None = None) -> Command:
        """The whole run from its beginning."""
        arguments = ("run", "quickstart", *self.overrides, f"data.root={self.folder / 'digits.npz'}")
        arguments += (f"executor.workers={workers}", *overrides, f"run.dir={run}")
        return self.forks.start(arguments, self.folder, inject)

    def resume(self, run: Path, *overrides: str) -> Command:
        return self.forks.start(("resume", str(run), *overrides), self.folder)

    def stopped(self, name: str, moment: Callable[[Path], bool], *overrides: str, workers: int = 1) -> Path:
        """A run that was killed at a moment."""
        run = self.new(name)
        command = self.start(run, *overrides, workers=workers)
        if not command.until(lambda: moment(run)):
            raise NasError(f"The moment to stop {run} never came; it said: {command.wait().err}")
        command.kill()
        command.wait()
        return run

    def copy(self, run: Path, name: str) -> Path:
        """A copy to damage."""
        copied = self.new(name)
        shutil.copytree(run, copied)
        return copied

    def move(self, run: Path, folder: Path) -> Path:
        """The run in another folder."""
        return Path(shutil.move(run, folder / run.name))


# moments


def rows(run: Path, query: str) -> Any:
    """The value that a query gives from the store of a run under way; 0 while there is none."""
    try:
        connection = sqlite3.connect(f"file:{run / 'store.sqlite'}?mode=ro", uri=True, timeout=1)
    except sqlite3.Error:
        return 0
    try:
        found = connection.execute(query).fetchone()
        return 0 if found is None else found[0]
    except sqlite3.Error:
        return 0
    finally:
        connection.close()


def evaluated(count: int) -> Callable[[Path], bool]:
    """When so many evaluations of the search are kept."""
    return lambda run: rows(run, f"SELECT COUNT(*) FROM {SEARCHED}") >= count


def attacked(count: int) -> Callable[[Path], bool]:
    """When so many batches are attacked."""
    return lambda run: rows(run, f"SELECT COUNT(*) FROM facts WHERE key LIKE '{OUTCOMES}%'") >= count


def training(run: Path) -> bool:
    """When a training has a checkpoint."""
    return any(run.glob("models/*/last.pt"))


# what is there


def finished_work(run: Path) -> dict[str, tuple[Any, ...]]:
    """What is never done again: rows of the store by key, each with its number in the table, and finished trainings.

    Read from a copy, so that the recovery of a store that was killed is left to the one who resumes it. A row that is
    written again gets another number.
    """
    with tempfile.TemporaryDirectory() as place:
        for file in run.glob("store.sqlite*"):
            shutil.copy(file, place)
        path = Path(place, "store.sqlite")
        if not path.exists():
            return {}
        connection = sqlite3.connect(path)
        try:
            found = {
                f"{SEARCHED}/{row[1]}": row for row in connection.execute(f"SELECT rowid, * FROM {SEARCHED}").fetchall()
            }
            query = "SELECT rowid, * FROM facts WHERE key LIKE 'outcome/%' OR key LIKE 'cheap/%'"
            return found | {row[1]: row for row in connection.execute(query).fetchall()} | finished_trainings(run)
        except sqlite3.OperationalError:  # killed before the tables were made
            return {}
        finally:
            connection.close()


def finished_trainings(run: Path) -> dict[str, tuple[Any, ...]]:
    """When the last checkpoint of every finished training was written."""
    found = {}
    for path in run.glob("models/*/last.pt"):
        if torch.load(path, weights_only=True)["state"]["epoch"] == EPOCHS:
            found[f"trained/{path.parent.name}"] = (path.stat().st_mtime_ns,)
    return found


def stage(run: Path) -> str:
    """Which stage a run was killed in."""
    if not (run / "config.json").exists():
        return "before the run folder"
    if (run / "result.json").exists():
        return "after the result"
    with tempfile.TemporaryDirectory() as place:
        for file in run.glob("store.sqlite*"):
            shutil.copy(file, place)
        facts = _facts(Path(place, "store.sqlite"))
    if "search/result" not in facts:
        return "search: labelling" if any(run.glob("labels/*")) else "search: proxies"
    if "training" not in facts:
        return "training"
    shares = {key: value for key, value in facts.items() if key.startswith("progress/")}
    for _, (done, total, note) in sorted(shares.items()):
        if 0 < done < total:
            return f"attack: {note}"
    return "report" if shares and all(done == total for done, total, _ in shares.values()) else "attack: first"


def _facts(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    connection = sqlite3.connect(path)
    try:
        return {row[0]: json.loads(row[1]) for row in connection.execute("SELECT key, value FROM facts").fetchall()}
    except sqlite3.OperationalError:
        return {}
    finally:
        connection.close()


# comparison


def differences(run: Path, reference: Path) -> list[str]:
    """What of a finished run is not as in the reference, times aside: result, report, any weight of any checkpoint."""
    found = []
    if not (run / "result.json").is_file():
        return ["there is no result"]
    if comparable_result(run) != comparable_result(reference):
        found.append("the result differs")
    if comparable_page(run) != comparable_page(reference):
        found.append("the report differs")
    names = [
        str(path.relative_to(reference)) for kind in NETWORKS for path in sorted(reference.glob(f"models/*/{kind}"))
    ]
    missing = [name for name in names if not (run / name).is_file()]
    if missing:
        return [*found, f"there is no {', '.join(missing)}"]
    for name in names:
        one, other = (torch.load(folder / name, weights_only=True) for folder in (run, reference))
        if not same(one, other):
            found.append(f"{name} differs")
    return found


def comparable_result(run: Path) -> Any:
    """The content of `result.json` without times."""
    return _timeless(json.loads((run / "result.json").read_text()))


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(entry) for key, entry in value.items() if key not in IGNORED_KEYS}
    return [_timeless(entry) for entry in value] if isinstance(value, list) else value


def comparable_page(run: Path) -> str:
    """The report without its times, where the run is and was, and the number of workers."""
    began = json.loads((run / "config.json").read_text())["settings"]["run"]["dir"]
    text = (run / "report.html").read_text()
    for place in (began, str(run), Path(began).name, run.name):
        text = text.replace(place, "RUN")
    text = re.sub(r"<section><h2>Time per stage</h2>.*?</section>", "", text, flags=re.DOTALL)
    return re.sub(r"\b(workers: )\d+", r"\1N", text)


def same(one: Any, other: Any) -> bool:
    """Equal to the bit, times aside."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        keys = [key for key in one if key not in IGNORED_KEYS]
        others = [key for key in other if key not in IGNORED_KEYS] if isinstance(other, dict) else None
        return keys == others and all(same(one[key], other[key]) for key in keys)
    if isinstance(one, Sequence) and not isinstance(one, str):
        return isinstance(other, Sequence) and len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
