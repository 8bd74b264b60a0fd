"""A tiny run, from search to report, on one search space of each family; its network exported and read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import TINY, nas_json
from families import one_per_family

SIZES = {  # the settings of a small network; without an entry a new space is run at the size of TINY
    "darts": ("channels=4", "cells=3"),
    "nds-amoeba": ("channels=4", "cells=3"),
    "nds-darts": ("channels=4", "cells=3"),
    "nds-enas": ("channels=4", "cells=3"),
    "nds-nasnet": ("channels=4", "cells=3"),
    "nds-pnas": ("channels=4", "cells=3"),
    "nasbench101": ("channels=4", "cells_per_stack=1"),
    "nasbench201": ("channels=4", "cells_per_stage=1"),
    "nasbench-mr": ("width_multiplier=0.1", "stem_stride=1"),
    "nds-resnet": ("width_multiplier=0.05",),
    "nds-resnext-a": ("width_multiplier=0.05",),
    "nds-resnext-b": ("width_multiplier=0.05",),
    "transnas-macro": ("channels=4", "blocks_per_layer=1"),
    "transnas-micro": ("channels=4", "blocks_per_layer=1"),
}
OWN = [text for text in TINY if not text.startswith(("model.", "scoring.", "train.epochs", "search.budget"))]


@pytest.mark.slow
@pytest.mark.parametrize("space", one_per_family())
def test_a_run_goes_from_the_search_to_the_report(space: str, tmp_path: Path, few_digits: str) -> None:
    sizes = [f"{part}.{size}" for part in ("model", "scoring") for size in SIZES.get(space, ("channels=4",))]
    more = ["search.budget=6", "search.objective=synflow", "train.epochs=1", "train.lr=0.01", "run.dir=run"]
    result = nas_json("run", "quickstart", f"space={space}", *OWN, *sizes, *more, few_digits, cwd=tmp_path)
    assert len(result["models"]) == 4
    assert {model["n_test"] for model in result["models"]} == {8}
    assert (tmp_path / "run" / "report.html").stat().st_size > 5000
    best = tmp_path / "run" / "models" / "best-standard" / "best.pt"
    again = nas_json("eval", str(best), "eval.attacks=fgsm", "run.dir=again", cwd=tmp_path)
    (first,) = (model for model in result["models"] if model["name"] == "best-standard")
    assert again["clean"] == first["clean"]
    assert again["attacks"]["fgsm"] == first["attacks"]["fgsm"]
    nas_json("export", str(best), "net", cwd=tmp_path)
    images = ("data.name=npz", few_digits, "data.size=8", "eval.n_test=8")
    exported = nas_json("eval", "net", *images, "eval.attacks=fgsm", cwd=tmp_path)
    assert exported["clean"] == first["clean"]
