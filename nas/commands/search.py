"""`nas search`: find architectures."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.commands.base import SEARCH_SETTINGS, RunCommand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nas.core.io.records import Json
    from nas.objectives.functions import Function
    from nas.results import FoundArchitecture, LimitedSearch, PercentileRank, Result, SearchResult, WarmStart
    from nas.runs.run_folder import Run
    from nas.runs.stages.context import Watcher, Worker
    from nas.runs.stages.forecast import Cost
    from nas.settings.schema import Settings

PRINTED_OF_FRONT = 10  # printed architectures of a Pareto front
PRINTED_REASONS = 3  # printed reasons of failed evaluations, the most frequent ones


class Search(RunCommand):
    """Search only: print the best architectures; `nas train RUN` trains the best one.

    Examples: `nas search quickstart`;
    `nas search cifar10-darts-croze-small search.budget=500 'search.constraints=params<=4e6'`.
    """

    name, place = "search", 2
    takes = ("name", "run.dir", *SEARCH_SETTINGS)
    later = ("model", "train", "eval")  # `nas train RUN`, `nas eval RUN`

    def settings(self, *args: Any, **given: Any) -> tuple[Settings, Any]:
        from nas.searches import search_stage

        settings, _ = super().settings(*args, **given)
        return settings, search_stage.functions_of(settings)

    def extra(self, given: Mapping[str, Function] | None) -> Json:
        from nas.searches import search_stage

        return search_stage.hashes(given or {})

    def repeat(self, settings: Json, extra: Json) -> tuple[str, bool]:
        """For a function that only the caller's program has, the call from Python that repeats the run."""
        from nas.objectives.functions import BY_HAND
        from nas.objectives.notation import function_of, label, parse

        terms = parse(settings["search"]["objective"])
        functions = {function_of(term.name) for term in terms if "<" in term.name or "python:__main__." in term.name}
        by_hand = all(term.name.startswith(BY_HAND) for term in terms)
        if not functions and not by_hand:
            return super().repeat(settings, extra)
        shown = {label(term.name): "max" if term.higher_is_better is not False else "min" for term in terms}
        directions = f", directions={shown}" if by_hand or any(t.higher_is_better is not None for t in terms) else ""
        file = f"'{settings['name']}.yaml'"
        if by_hand:
            return f"nas.open_search({file}{directions})", True
        function = functions.pop().rpartition(".")[2].replace("<lambda>", "function")
        return f"nas.search({file}, objective={function}{directions})", True

    def check(self, settings: Settings, given: Mapping[str, Function] | None = None, keep: bool = True) -> None:
        from nas.runs.stages import eval_stage, train_stage
        from nas.runs.stages.context import Worker
        from nas.searches import search_stage
        from nas.settings import attack_warnings

        settings.check_single_seed(self.name)
        eval_stage.refuse_options_of_foreign_networks(self.name, settings)
        search_stage.check_settings(self.name, settings)
        worker = Worker(settings, None, keep)
        worker.functions = dict(given or {})
        search_stage.check(worker)
        train_stage.log_warning(train_stage.one_image(settings, False, search_stage.labels_of(settings)))
        attack_warnings.warn(self.reader(), settings)

    def costs(self, worker: Worker, given: Any) -> dict[str, Cost]:
        from nas.searches import search_cost

        return {"search": search_cost.cost(worker)}

    def execute(self, run: Run, watcher: Watcher) -> Result:
        from nas.runs.stages.context import run_context
        from nas.searches.search_stage import check_functions, depends_on_images, search

        check_functions(run)
        with run_context(run, watcher, depends_on_images(run.settings)) as context:
            result = search(context)
        return run.finish(replace(result, seconds=run.seconds()))

    def presented(self, folder: Path, result: SearchResult) -> Json:
        return {**result.to_json(), "run": str(folder)}

    def summary(self, folder: Path, result: SearchResult) -> list[str]:
        from nas.runs.run_files import RESULT

        printed = result.top[:PRINTED_OF_FRONT] if len(result.goals) > 1 else result.top
        lines = [f"{number}. {one.arch}  {_metrics(one)}" for number, one in enumerate(printed, 1)]
        more = len(result.top) - len(printed)
        lines += [f"{more:,} more architectures of the front are in {folder / RESULT}"] if more else []
        lines += _percentile_ranks(result.best.percentile_ranks or {})
        if result.supernet is not None:
            why = f", stopped early: {result.supernet.stopped}" if result.supernet.stopped else ""
            lines.append(f"architecture of epoch {result.supernet.chosen_epoch} of {result.evaluated}{why}")
            warning = result.supernet.epochs[-1].warning
            lines += [f"warning: {warning}"] if warning else []
        else:
            failed = f", {result.failed} of them without a value" if result.failed else ""
            note = " (no further class found within the constraints and the rows of tables)" if result.exhausted else ""
            lines.append(f"{result.evaluated} classes evaluated{failed}{note}")
            lines += _within_limits(result.limited)
            lines += _known(result.warm_start)
            lines += [f"model fitted with {result.library}"] if result.library else []
            lines += _reasons(folder) if failed else []
        return [*lines, f"train the best: nas train {shlex.quote(str(folder))}"]

    def hints(self, folder: Path) -> list[str]:
        return [f"as a page: nas report {shlex.quote(str(folder))}"]


def _within_limits(limited: LimitedSearch | None) -> list[str]:
    """One line on the evaluations within the limits; none without limits."""
    if limited is None:
        return []
    joint = ", by whose quantities candidates were ranked too" if limited.joint else ""
    return [f"{limited.feasible:.2f} of them within the limits {', '.join(limited.limits)}{joint}"]


def _known(warm: WarmStart | None) -> list[str]:
    """One line on what was known before the search; none without a warm start."""
    if warm is None:
        return []
    best = "" if warm.best is None else f", the best of them {warm.best.arch}  {_metrics(warm.best)}"
    return [f"{warm.classes} other classes were known from {warm.source}{best}"]


def _metrics(one: FoundArchitecture) -> str:
    return " ".join(f"{name}={value:.6g}" for name, value in one.metrics.items() if value is not None)


def _percentile_ranks(columns: dict[str, PercentileRank]) -> list[str]:
    """The percentile ranks of the best architecture, in one line; no line if it has none."""
    texts = [f"{name} {one.value:.4g} ({one.percentile:.1f})" for name, one in columns.items() if one.value is not None]
    if not texts:
        return []
    return [
        "values of the first architecture in the tables (in brackets: percentage of all classes that are worse, equal "
        f"ones counting half): {', '.join(texts)}"
    ]


def _reasons(folder: Path) -> list[str]:
    """Why evaluations of a search failed: the most frequent reasons with their counts, from the store of the run."""
    from nas.core.storage.sqlite import SqliteStore
    from nas.runs.run_files import STORE
    from nas.searches.history import failures

    if not (folder / STORE).exists():
        return []
    with SqliteStore(folder / STORE) as store:
        counted = sorted(failures(store).items(), key=lambda item: -item[1])
    lines = [f"why: {count:,}× {reason}" for reason, count in counted[:PRINTED_REASONS]]
    more = len(counted) - PRINTED_REASONS
    page = f"{more} more reasons are in the report that nas report {shlex.quote(str(folder))} writes"
    return [*lines, page] if more > 0 else lines
