"""The page of a study: mean ± standard deviation over its seeds, and the tests of best against random."""

from __future__ import annotations

from nas.report.facts import Facts
from nas.report.render import render
from nas.report.wording import origin
from nas.results import StudyResult


def page(run: Facts) -> str:
    name, result = str(run.settings["name"]), run.result
    assert isinstance(result, StudyResult)
    best = next((model for model in result.models if model.name.startswith("best")), result.models[0])
    return render(
        "study.html",
        title=f"{name}: {len(result.seeds)} seeds",
        heading=name,
        terms={"space": run.space, "data": run.data, "seeds": ", ".join(map(str, result.seeds))},
        run=run,
        result=result,
        cells=list(zip(result.runs, best.archs)),
        origin=origin(result.provenance) if result.provenance else {},
    )
