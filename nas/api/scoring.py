"""`nas.score`: proxy values of architectures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from nas.api.execution import Progress, shown
from nas.api.keywords import Data, SettingsGiven, data_keywords, overrides, plain_settings, settings_of, space_name
from nas.api.process import unchanged_process
from nas.api.registering import names_of
from nas.api.results import Scores
from nas.commands.score import Score
from nas.core.errors import InputError, NasError, without_resuming
from nas.results import ScoreRow
from nas.scoring.loop import ScoreWorker, default_row_settings, row_settings
from nas.scoring.loop import score as score_all
from nas.scoring.rows import SUFFIXES, RowFile
from nas.search_spaces import SPACES
from nas.search_spaces.architecture_source import ArchitectureSource
from nas.strategies.proxies import PROXIES

DEFAULT_PROXIES = ("croze", "params", "flops")
FILE = "scores.csv"  # in the folder `run`


def score(
    archs: Any,
    *,
    space: Any = None,
    proxies: str | Sequence[Any] = DEFAULT_PROXIES,
    data: Data = None,
    settings: SettingsGiven = None,
    seed: int | None = None,
    device: str | None = None,
    run: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Progress = False,
) -> Scores:
    """The values of zero-cost proxies of architectures, as `nas score` computes them.

    Args:
        archs: architectures, as texts or as points of the space; or a single one.
        space: the search space, by default NAS-Bench-201.
        proxies: names from `nas list proxies`, or "all". Which direction is better is a property of each proxy.
        data: a data set, an .npz file or a folder of class folders; digits by default.
        settings: other settings by their keys, such as `{"scoring.channels": 8}`.
        seed: draws weights and batch.
        run: a .csv or .jsonl file for the rows, or a folder for `scores.csv`; the same call continues it.
        workers: processes; by default the work is done in this one.
        progress: true shows it on standard error; a function is called with (done, total, note).

    Returns:
        A row for each architecture, in their order: `scores[0].scores["croze"]`, `scores.values("croze")`. A proxy
        without a value is missing in `scores`, and `reason` says why.

    Raises:
        InputError: if an architecture, proxy or setting does not exist, or data are missing.

    >>> import nas
    >>> cells = nas.space("nasbench201").draw(2, seed=1)
    >>> scores = nas.score(cells, proxies=["params", "synflow"], settings={"scoring.channels": 4})
    >>> [row.scores["params"] for row in scores]
    [615386.0, 316346.0]
    """
    names = _names(proxies)
    keywords = {**data_keywords(data), "space": space_name(space), "seed": seed, "device": device}
    words = overrides({**keywords, "executor.workers": workers}, settings)
    chosen = settings_of(Score().reader(tuple(names)), None, words)
    chosen.check_single_seed("score")
    search_space = SPACES.get(chosen.space)()
    texts = [archs] if isinstance(archs, str) or not isinstance(archs, Iterable) else list(archs)
    texts = [str(getattr(arch, "arch", arch)) for arch in texts]
    if not texts:
        raise InputError("Expected at least one architecture but got none; space.draw(10) gives ten of a space.")
    candidates = ArchitectureSource(search_space, texts)
    rows: dict[str, ScoreRow] = {}

    def keep(row: ScoreRow) -> None:
        rows[str(search_space.parse(row.arch))] = row

    with _messages_without_run(), unchanged_process(), ExitStack() as stack:
        file = None
        if run is not None:
            values, defaults = row_settings(chosen, names), default_row_settings(chosen, names)
            file = stack.enter_context(RowFile(_file(run), names, values, defaults, "run=", "another file in run="))
        watcher = stack.enter_context(shown(progress))
        watcher.stage("score", len(texts))
        score_all(candidates, ScoreWorker(chosen, names), file, keep, lambda done, failed: watcher.update(done, ""))
        for row in file.rows() if file is not None else ():
            rows.setdefault(str(search_space.parse(row.arch)), row)
    return Scores([rows[str(arch)] for _, arch in candidates.given], plain_settings(chosen), names)


@contextmanager
def _messages_without_run() -> Iterator[None]:
    """Errors advise to call the function again, as there is no run to resume."""
    try:
        yield
    except NasError as error:
        error.args = (without_resuming(str(error), "call it again", " with workers=1"),)
        raise


def _names(proxies: str | Sequence[Any]) -> list[str]:
    given = proxies.split(",") if isinstance(proxies, str) else names_of(proxies, PROXIES)
    names = list(dict.fromkeys(str(name).strip() for name in given or ()))
    names = PROXIES.names() if names == ["all"] else names
    if not names:
        raise InputError("Expected names of proxies but got none; `nas list proxies` shows them.")
    for name in names:
        PROXIES.get(name)
    return names


def _file(run: str | os.PathLike[str]) -> Path:
    path = Path(run).expanduser()
    path = path if path.suffix in SUFFIXES else path / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
