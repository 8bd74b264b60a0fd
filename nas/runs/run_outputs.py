"""Which run a network belongs to, and what a run's folder has to give: its settings, its best cell, a checkpoint."""

from __future__ import annotations

from pathlib import Path

from nas.core.config import Values
from nas.core.errors import InputError
from nas.eval.model_source import ModelSource, classify
from nas.results import EvalResult, RunResult, SearchResult, StudyResult, TrainResult
from nas.runs.run_folder import CONFIG, finished, read_config, reopen, result_of
from nas.train.exported import is_exported

DEPTH = 4  # a checkpoint lies at most so far below the folder of its run


def best_of(folder: Path) -> str:
    """The best architecture that a run's search found (finished or not afterwards), or the one it trained."""
    result = result_of(folder)
    if isinstance(result, TrainResult):
        return result.arch
    with reopen(folder) as run:
        found = run.store.get("search/result")
    if found is None:
        raise InputError(f"Expected a finished search but {folder} has none; continue it with `nas resume {folder}`.")
    return SearchResult.from_json(found).best.arch


def model_source(text: str) -> ModelSource:
    """What the words of a command name as a network; of a run, the checkpoint that it holds."""
    source = classify(text)
    if source.foreign:
        return source
    path = Path(text)
    return ModelSource(str((path if is_exported(path) else checkpoint_of(path)).resolve()))


def run_of(checkpoint: Path) -> Path | None:
    """The folder of the run that the checkpoint belongs to; None where it lies elsewhere."""
    for parent in list(checkpoint.parents)[:DEPTH]:
        try:
            if read_config(parent).command != StudyResult.command:
                return parent
        except InputError:  # no run, or somebody else's config.json
            continue
    return None


def checkpoint_of(path: Path) -> Path:
    """The checkpoint that `path` is or, for a run, holds."""
    if not path.is_dir():
        return path
    refuse_study(path)
    result = finished(path)
    if isinstance(result, (TrainResult, EvalResult)) and result.checkpoint:
        return path / result.checkpoint
    models = [str(entry.checkpoint) for entry in result.models] if isinstance(result, RunResult) else []
    if len(models) == 1:
        return path / models[0]
    if models:
        raise InputError(
            f"Expected one checkpoint but {path} has {len(models)}; give one of them: "
            f"{', '.join(str(path / model) for model in models)}."
        )
    raise InputError(f"Expected a checkpoint in {path} but this run trained nothing; train with `nas train {path}`.")


def settings_of(folder: Path) -> Values:
    """A run's settings as a base for another run, without its folder."""
    refuse_study(folder)
    values = read_config(folder).settings
    return {**values, "run": {**values["run"], "dir": None}}


def refuse_study(folder: Path) -> None:
    """`InputError` where the folder is a study and one run is wanted."""
    if read_config(folder).command == StudyResult.command:
        runs = ", ".join(str(path.parent) for path in sorted(folder.glob(f"seed-*/{CONFIG}")))
        raise InputError(
            f"Expected one run but {folder} is a study of several seeds; give one of {runs or 'its runs'}."
        )
