"""The page of a study: mean ± standard deviation over its seeds, and the tests of best against random."""

from __future__ import annotations

from omegaconf import OmegaConf

from nas.report.identity import identities
from nas.report.notes import provenance_table
from nas.report.paper.method import method
from nas.report.render import render
from nas.report.run_data import RunData
from nas.results import StudyResult
from nas.runs.repetitions import SCORE


def page(run: RunData) -> str:
    name, result = str(run.settings["name"]), run.result
    assert isinstance(result, StudyResult)
    of_best = [model for model in result.models if model.name.startswith("best")] or result.models
    robust = next((model for model in of_best if model.training != "standard"), of_best[0])
    models = identities({model.name: model.training for model in result.models})
    accuracies = {metric: one.mean for metric, one in robust.metrics.items() if not metric.startswith(SCORE)}
    return render(
        "study.html",
        title=f"{name}: {len(result.seeds)} seeds",
        heading=name,
        terms={"space": run.space, "data": run.data, "seeds": ", ".join(map(str, result.seeds))},
        run=run,
        result=result,
        labels={model: identity.label for model, identity in models.items()},
        robust=robust,
        weakest=min(accuracies, key=lambda metric: accuracies[metric]),
        settings=OmegaConf.to_yaml(OmegaConf.create(run.settings)),
        method=method(run),
        cells=list(zip(result.runs, robust.archs)),
        origin=provenance_table(result.provenance) if result.provenance else {},
    )
