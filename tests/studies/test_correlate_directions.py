"""Whether higher or lower is better in a proxy or a column, and whose sizes a correlation is compared with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scored_cells import N, sizes

from nas.commands.tables.correlate import _text
from nas.strategies.proxies import PROXIES
from nas.studies.correlate import Correlations, ProxyCorrelation, correlate
from nas.tables import ArrayTable, Collection, read_accuracies


def test_proxies_of_which_lower_is_better_are_turned(
    cells: list[str], numbers: dict[str, np.ndarray], accuracies: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROXIES.components, "loss", replace(PROXIES.get("params"), name="loss", higher_is_better=False))
    scores = ArrayTable("s", cells, {"loss": -numbers["insight"], "flops": sizes(cells), "mine": numbers["insight"]})
    found = correlate([scores], accuracies, ["clean"], resamples=40)
    assert found.turned == ["loss"]
    assert found.unknown_direction == ["mine"]
    assert found.proxies["loss"] == found.proxies["mine"]
    assert found.proxies["loss"]["clean"].spearman > 0.5


def test_columns_of_which_lower_is_better_are_not_turned_but_told(
    cells: list[str], numbers: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """The better proxy comes first also where its rho with an error is the more negative one."""
    lines = [f"{text},{1 - value:.9f},1" for text, value in zip(cells, numbers["clean"])]
    (tmp_path / "a.csv").write_text("\n".join(["arch,test_err,acc_time", *lines]))
    tables = Collection({"accuracy:": read_accuracies(tmp_path / "a.csv")})
    scores = ArrayTable("s", cells, {"noise": numbers["clean"] * 0 + np.arange(N) % 7, "insight": numbers["insight"]})
    found = correlate([scores], tables, [], resamples=40)
    assert found.lower_columns == ["accuracy:test_err"]
    assert "lower is better, so a negative rho is good: accuracy:test_err" in _text(found, 1)
    assert found.proxies["insight"]["accuracy:test_err"].spearman < -0.5
    assert found.best_first() == found.best_first("kendall") == ["insight", "noise"]
    assert Correlations.from_json(found.to_json()) == found


def test_proxies_are_ordered_by_the_statistic_that_is_shown() -> None:
    def of(spearman: float | None, kendall: float) -> dict[str, ProxyCorrelation]:
        return {"clean": ProxyCorrelation(spearman, None, None, kendall, None, None, None)}

    proxies = {"a": of(0.5, 0.1), "b": of(0.2, 0.3), "c": of(None, 0.2)}
    found = Correlations(3, False, 3, {}, {}, ["clean"], proxies, {}, {}, [], [], {}, [])
    assert found.best_first() == ["a", "b", "c"]
    assert found.best_first("kendall") == ["b", "c", "a"]


def test_sizes_are_those_of_the_table_if_it_has_all(cells: list[str], numbers: dict[str, np.ndarray]) -> None:
    """With them, a proxy that is the table's own size has a rho of 1 with it, and nothing of it is left."""
    published = np.random.default_rng(1).permutation(N).astype(float)
    scores = ArrayTable("s", cells, {"insight": numbers["insight"], "mine": published})
    columns = {"val": numbers["clean"], "params": published}

    def compared(**changed: np.ndarray) -> Correlations:
        tables = Collection({"accuracy:": ArrayTable("t", cells, {**columns, **changed})})
        return correlate([scores], tables, ["accuracy:val"], resamples=40)

    found = compared()
    assert found.size_column == "accuracy:params"
    assert "params: those of the trained networks (accuracy:params)" in _text(found, 1)
    assert found.rho_with_params["mine"] == 1
    assert found.size["accuracy:val"].spearman == pytest.approx(stats.spearmanr(published, columns["val"]).statistic)
    x, y, z = (stats.rankdata(values) for values in (numbers["insight"], columns["val"], published))
    left = [values - np.polyval(np.polyfit(z, values, 1), z) for values in (x, y)]
    assert found.proxies["insight"]["accuracy:val"].partial_given_params == pytest.approx(np.corrcoef(left)[0, 1])
    lacking = compared(params=np.where(np.arange(N) == 3, np.nan, published))
    assert lacking.size_column == ""
    assert "trained networks" not in _text(lacking, 1)
    own = stats.spearmanr(sizes(cells), columns["val"]).statistic
    assert lacking.size["accuracy:val"].spearman == pytest.approx(own)


def test_every_registered_proxy_has_a_direction() -> None:
    assert all(isinstance(proxy.higher_is_better, bool) for proxy in PROXIES.components.values())
