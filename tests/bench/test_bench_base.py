"""A benchmark's figures are told beside their limits, and those beyond them are named."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from nas.bench import BENCHES, Bench, quickstart, spaces, start
from nas.bench.base import Limit, text
from nas.cli.main import run_command
from nas.search_spaces import SPACES

TEN = Limit("times.long", at_most=10, target=8, reason="it is long")


class Timed(Bench):
    """Two figures, of which one has a limit on both sides."""

    name = "timed"
    limits = (TEN, Limit("share", at_least=0.5, at_most=0.75), Limit("absent", at_most=1))

    def run(self, report: Any) -> dict[str, Any]:
        report("measuring")
        return {"times": {"long": 10.5}, "share": 0.5}


@pytest.mark.parametrize(("value", "kept"), [(10, True), (10.01, False), (0, True), (float("inf"), False)])
def test_at_most(value: float, kept: bool) -> None:
    found = TEN.judged({"times": {"long": value}})
    assert found is not None
    assert (found.figure, found.value, found.kept, found.target) == ("times.long", value, kept, 8)


@pytest.mark.parametrize(
    ("value", "kept"), [(0.49, False), (0.5, True), (0.75, True), (0.76, False), (float("nan"), False)]
)
def test_on_both_sides(value: float, kept: bool) -> None:
    assert Timed().missed({"share": value}) == ([] if kept else ["share"])


def test_a_figure_that_is_not_there_has_none() -> None:
    assert TEN.judged({"times": {}}) is TEN.judged({"times": 3}) is None


def test_figures_are_printed_beside_their_limits(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(BENCHES.components, "timed", Timed)
    assert run_command(["bench", "timed"]) == 0
    assert capfd.readouterr().out.splitlines()[-2:] == [
        "times.long: 10.5, at most 10 (the target was 8: it is long): MISSED",
        "share: 0.5, at least 0.5 and at most 0.75",
    ]
    assert run_command(["bench", "timed", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert [(one["figure"], one["kept"]) for one in result["judged"]] == [("times.long", False), ("share", True)]
    assert result["share"] == 0.5


def test_a_limit_that_is_kept_says_nothing_more() -> None:
    judged = Limit("a", at_least=1).judged({"a": 2})
    assert judged is not None
    assert text(judged) == "a: 2, at least 1"


def test_every_space_has_figures_with_limits() -> None:
    bench = spaces.SpacesBench()
    bench.cells, bench.first, bench.letters = 3, 50, 200
    lines: list[str] = []
    result = bench.run(lines.append)
    assert [one.figure for one in bench.judged(result)] == [
        *(f"{figure}.{space}" for figure in spaces.MOST for space in ("nasbench201", "darts")),
        "longest_text_seconds",
    ]
    assert all(set(result[figure]) == set(SPACES.names()) for figure in spaces.MOST)
    assert len(lines) == 4 * len(SPACES.names()) + 1


def test_the_quickstart_is_timed_beside_its_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def command(self: Any, folder: str, *more: str) -> Any:
        asked.append(more)
        return {"seconds": {"total": 100 if more else 150}}

    monkeypatch.setattr(quickstart.QuickstartBench, "command", command)
    bench = quickstart.QuickstartBench()
    result = bench.run(lambda line: None)
    assert asked == [("--dry-run",), ()]
    assert (result["forecast"], result["over_forecast"]) == (100, 1.5)
    assert [one.figure for one in bench.judged(result)] == ["seconds", "over_forecast"]
    assert bench.missed({"seconds": 301, "over_forecast": 2.1}) == ["seconds", "over_forecast"]
    assert bench.missed({"seconds": 299, "over_forecast": 0.4}) == ["over_forecast"]


def test_a_quickstart_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(Exception, match="exit code 1"):
        quickstart.QuickstartBench().command(str(tmp_path))


def test_how_soon_the_command_line_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "ROUNDS", 1)
    bench = start.StartBench()
    found = bench.run(lambda line: None)
    assert found.keys() == {"seconds", "import_seconds", "interpreter"}
    assert [one.figure for one in bench.judged(found)] == ["seconds", "import_seconds"]
