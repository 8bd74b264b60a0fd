"""The page of a study: mean ± standard deviation over its seeds, and the tests of best against random."""

from __future__ import annotations

from nas.report.notes import provenance_table
from nas.report.render import render
from nas.report.run_data import RunData
from nas.results import StudyResult


def page(run: RunData) -> str:
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
        origin=provenance_table(result.provenance) if result.provenance else {},
    )
