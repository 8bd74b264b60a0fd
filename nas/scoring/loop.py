"""Score many architectures: in order, in parallel, in constant memory, from where an earlier call stopped."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from nas.core import config
from nas.core.data import LOADERS, Dataset
from nas.core.data.formats.class_order import other_order
from nas.core.errors import InputError
from nas.core.execution.executor import LOCAL, ExecutorSettings, executor_for
from nas.core.storage.base import TaskResult
from nas.objectives import constant_logits
from nas.objectives.notation import builds
from nas.objectives.proxy_scorer import Scorer
from nas.results import ScoreRow
from nas.runs.definitions import EARLIER_DEFINITIONS, definitions
from nas.runs.metric_sources import load_once
from nas.runs.settings_checksum import with_earlier_defaults
from nas.runs.stages.context import Worker
from nas.scoring.rows import RowFile
from nas.search_spaces.architecture_source import ArchitectureSource, Candidate, digest
from nas.settings.schema import Settings, from_values
from nas.strategies.proxies import PROXIES

WINDOW = 32  # architectures per worker that may be handed out beyond the first unscored one
WORTHWHILE = 16  # architectures for which starting a worker pays off
MAX_REASON = 300  # characters of a reason


class Scored(NamedTuple):
    """The values of the proxies, the reasons of those that have none, and the seconds that they took together."""

    scores: dict[str, float]
    reasons: dict[str, str]
    seconds: float


class ScoreWorker:
    """Scores one architecture after the other; a process reads data and batch once, for its first architecture."""

    def __init__(self, settings: Settings, proxies: list[str]) -> None:
        self.settings = settings
        self.proxies = proxies

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without data and batch, which the other process reads and draws itself."""
        return ScoreWorker, (self.settings, self.proxies)

    def __call__(self, arch: str) -> Scored:
        scorer = self.scorer
        start = time.perf_counter()
        scores, reasons = scorer.try_score(arch)
        return Scored(scores, reasons, time.perf_counter() - start)

    @cached_property
    def scorer(self) -> Scorer:
        return Worker(self.settings, None).scorer(self.proxies)

    @property
    def immediate(self) -> bool:
        """Whether computing a score takes less time than sending it to a worker."""
        return all(PROXIES.get(name).needs == "cost" for name in self.proxies)

    def max_workers(self, left: int | None) -> int | None:
        """The most workers that are worth starting for `left` architectures; None if that is not limited.

        If the user sets the number of workers or a cluster, it is one worker per architecture, else as many as pay off.
        """
        executor = self.settings.executor
        if executor.workers is not None or executor.name != LOCAL:
            return left
        if self.immediate:
            return 1
        return None if left is None else max(1, left // WORTHWHILE)


def dataset_of(settings: Settings) -> Dataset:
    """The data of the settings, read once per process."""
    return load_once(LOADERS.get(settings.data.name), tuple(vars(settings.data).items()), True)


def row_settings(settings: Settings, proxies: list[str]) -> config.Values:
    """All settings and definitions that the values of a row depend on; not, for example, the number of workers."""
    dataset = dataset_of(settings)
    return {
        **_settings_of(settings, proxies, other_order(dataset.classes) is not None),
        **definitions(proxies, vars(settings.proxies), dataset),
    }


def default_row_settings(settings: Settings, proxies: list[str]) -> config.Values:
    """The row settings if only the space is set; their values are assumed where an older file lacks a setting."""
    earlier = with_earlier_defaults({"space": settings.space, "name": settings.name, "data": {}})
    defaults = from_values(earlier, [], proxies)
    return {**_settings_of(defaults, proxies, True), **EARLIER_DEFINITIONS}


def _settings_of(settings: Settings, proxies: list[str], has_orders: bool) -> config.Values:
    """The settings that values depend on; they include the order of classes only if two orders are possible."""
    values = config.plain(settings)
    unread = {"download"} if has_orders else {"download", "order"}
    return {
        "space": settings.space,
        "proxies": proxies,
        "seed": settings.seed,
        "device": settings.executor.computes_on(settings.torch_device().type),
        "executor.threads": settings.executor.threads,
        "executor.deterministic": settings.executor.deterministic,
        "data": {key: value for key, value in values["data"].items() if key not in unread},
        "scoring": values["scoring"],
        "model": values["model"],
        **{f"proxies.{name}": values["proxies"][name] for name in proxies},
    }


def counted_for(settings: Settings, proxies: list[str]) -> str:
    """The end of a summary: for which images `params` and `flops` are counted; empty without these proxies."""
    names = [name for name in ("params", "flops") if name in proxies]
    if not names:
        return ""
    dataset = dataset_of(settings)
    size = dataset.image_size
    return f"; {' and '.join(names)} are for {dataset.num_classes} classes of {size}x{size} images"


@dataclass
class Counts:
    """How many architectures were scored."""

    scored: int = 0  # by this call
    failed: int = 0  # of these, in at least one proxy
    before: int = 0  # in the file before this call

    def __str__(self) -> str:
        text = f"{self.scored:,} {'architecture' if self.scored == 1 else 'architectures'} scored"
        text += f", {self.failed:,} of them with failures" if self.failed else ""
        return text + (f"; {self.before:,} were in the file already" if self.before else "")


def score(
    candidates: ArchitectureSource,
    work: ScoreWorker,
    file: RowFile | None = None,
    show: Callable[[ScoreRow], None] | None = None,
    watch: Callable[[int, int], None] = lambda done, failed: None,
) -> Counts:
    """Score each candidate once, in order, and pass each row to the file and to `show` as soon as it is known.

    The rows are the same for any number of workers, except for their seconds. A failure is a row with its reason.
    `watch` is called with the number of candidates that are done (including repeated ones and those of earlier calls)
    and the number that failed. At most `WINDOW` candidates per worker are handed out ahead.

    Raises InputError before anything is written, for example if data are missing, or if an older version wrote into the
    file the value of a network whose logits do not depend on the image.
    """
    space = candidates.space
    seen: set[bytes] = set()
    for row in file.rows() if file is not None else ():
        arch = space.parse(row.arch)
        if any(map(builds, row.scores)) and not space.connected(arch, **asdict(work.settings.scoring)):
            assert file is not None
            raise InputError(
                f"Expected no value in {file.path} of a network whose logits do not depend on the image but there is "
                f"one of {row.arch}, from a version before {constant_logits.SINCE}; remove such lines (these "
                f"architectures then get a reason in place of a value), or choose {file.another}."
            )
        seen.add(digest(str(arch)))
    counts = Counts(before=len(seen))
    new = candidates.new(seen)
    first = next(new, None)
    if first is None:
        return counts
    _ = work.scorer  # raises InputError before anything is written if data are missing or the batch is too large
    if file is not None:
        file.begin()
    left = None if candidates.total is None else candidates.total - first.number + 1
    settings = work.settings
    done = first.number - 1

    def tick() -> None:
        watch(done, counts.failed)

    tick()
    how = settings.executor
    if how.name != LOCAL and work.immediate:
        how = ExecutorSettings(workers=1, threads=how.threads, deterministic=how.deterministic)
    chosen = executor_for(work, how, settings.torch_device().type, work.max_workers(left))
    waiting: deque[Candidate] = deque()

    def architectures() -> Iterator[str]:
        for candidate in chain([first], new):
            waiting.append(candidate)
            yield str(candidate.arch)

    with chosen as executor:
        for result in _in_order(executor.map(enumerate(architectures()), tick, WINDOW * executor.workers)):
            candidate = waiting.popleft()
            row = _row(candidate, str(space.canonical(candidate.arch)), result)
            if file is not None:
                file.add(row)
            if show is not None:
                show(row)
            counts.scored += 1
            counts.failed += row.reason is not None
            done = candidate.number
            tick()
    return counts


def _in_order(results: Iterable[TaskResult[int, Scored]]) -> Iterator[TaskResult[int, Scored]]:
    """Results in the order of their tasks, each as soon as all before it are there."""
    early: dict[int, TaskResult[int, Scored]] = {}
    index = 0
    for result in results:
        early[result.key] = result
        while index in early:
            yield early.pop(index)
            index += 1


def _row(candidate: Candidate, canonical: str, result: TaskResult[int, Scored]) -> ScoreRow:
    scored = result.result if result.result is not None else Scored({}, {}, result.seconds)
    names_of: dict[str, list[str]] = {}
    for name, why in scored.reasons.items():
        names_of.setdefault(why, []).append(name)
    reasons = [f"{', '.join(names)}: {why}" for why, names in names_of.items()]
    reasons += [result.failure] if result.failure is not None else []
    reason = "; ".join(" ".join(reason.split())[:MAX_REASON] for reason in reasons) if reasons else None
    return ScoreRow(candidate.text, canonical, scored.scores, round(scored.seconds, 4), reason)
