"""The mutations that tests are tried with: what is changed, what is drawn, and what becomes of each."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from mutating.drawing import draw, mutation_of
from mutating.operators import OPERATORS, Place, changes_program, places
from mutating.results import append, read, row_of, summary
from mutating.selection import Measured, candidates, content_of, selected
from mutations import Worker, mutated

ROOT = Path(__file__).resolve().parent.parent


def mutants(text: str, operator: str) -> set[str]:
    found = [place for place in places(text.encode()) if place.operator == operator]
    return {place.apply(text.encode()).decode() for place in found}


@pytest.mark.parametrize(
    ("operator", "text", "expected"),
    [
        ("sign", "x = a + b", {"x = a - b"}),
        ("sign", "x = (a) / (b)", {"x = (a) * (b)"}),
        ("sign", "x = f(a  # less - than\n * b)", {"x = f(a  # less - than\n / b)"}),
        ("sign", "x = -(a)", {"x = (a)"}),
        ("sign", "x -= é", {"x += é"}),
        ("sign", "x = 'a' + b", set()),
        ("constant", "é = 'ß', 8", {"é = 'ß', 9", "é = 'ß', 7"}),
        ("constant", "x = f(0.5)", {"x = f(1.0)", "x = f(0.25)"}),
        ("constant", "x = 0, True", {"x = 1, True", "x = 0, False"}),
        ("comparison", "x = a < b <= c", {"x = a <= b <= c", "x = a < b < c"}),
        ("comparison", "x = a is not b", {"x = a is b"}),
        ("comparison", "x = a not in b", {"x = a in b"}),
        ("comparison", "if (a) == (b):\n    f()", {"if (a) != (b):\n    f()"}),
        ("boolean", "x = not (a or b)", {"x = (a or b)", "x = not (a and b)"}),
        ("boolean", "x = a and b and c", {"x = a or b and c", "x = a and b or c"}),
        ("statement", "f(\n    1,\n)\nx = 2", {"pass\nx = 2"}),
        ("statement", "def f(a):\n    a = 1\n    b = 2", {"def f(a):\n    pass\n    b = 2"}),
        ("statement", "def f(a):\n    a.b = 1", {"def f(a):\n    pass"}),
        ("statement", "def f():\n  if a:\n    return\n  return a", {"def f():\n  if a:\n    pass\n  return a"}),
        ("arguments", "f(a, 'b', *c, d=e)", {"f('b', a, *c, d=e)"}),
        ("arguments", "max(a, b) + f(a, a)", set()),
        ("default", "def f(a, b=3, *, c=True): ...", {"def f(a, b=4, *, c=True): ...", "def f(a, b=2, *, c=True): ...",
                                                      "def f(a, b=3, *, c=False): ..."}),
        ("default", "class A:\n    b: int = 0\n    c = 1", {"class A:\n    b: int = 1\n    c = 1"}),
    ],
)  # fmt: skip
def test_an_operator_changes_its_span_only(operator: str, text: str, expected: set[str]) -> None:
    assert mutants(text, operator) == expected
    for place in places(text.encode()):
        assert changes_program(text.encode(), place)
        assert place.line == text.encode()[: place.start].count(b"\n") + 1


@pytest.mark.parametrize(
    "text",
    [
        '"""What 3 + 4 is, not 5."""',
        'def f():\n    """Returns 3."""\n    return',
        "__all__ = ['a', *b[1:]]",
        "def f(a: Literal[1, 2]) -> Literal[-3]: ...",
        "class A:\n    a: Literal[1]",
        "x = f'{a + 1:3.2f} {not b}'",
        "log.warning('%s', a + 1)",
        "warnings.warn('a', stacklevel=2)",
        "print(a, b)",
        "if TYPE_CHECKING:\n    x = 1",
        "if __name__ == '__main__':\n    f(1)",
        "from a import b",
        "@dataclass(frozen=True)\nclass A: ...",
    ],
)
def test_what_is_said_or_only_read_by_tools_is_not_mutated(text: str) -> None:
    assert places(text.encode()) == []


def test_of_a_raise_only_the_whole_is_dropped() -> None:
    assert {place.after for place in places(b"raise E(f(3), a + 1)")} == {"pass"}


def test_a_place_knows_the_functions_around_it() -> None:
    text = b"x = 1\n@d\ndef f(a=2):\n    def g():\n        return 3\n"
    assert {(text[p.start : p.end], p.functions) for p in places(text)} == {(b"1", ()), (b"2", (2,)), (b"3", (4, 2))}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two modules, one with a long table, and the tests of one of them."""
    for folder in ("nas/core", "train", "tests/core", "tests/train", "tests/cli"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "nas/__init__.py").write_text("")
    (tmp_path / "nas/core/halves.py").write_text(
        "def half(a):\n    return a / 2\n\n\ndef down(a):\n    while a > 0:\n        a -= 1\n    return a\n\n\n"
        "def unused(a):\n    return a + 1\n\n\nLIMIT = 3\nassert LIMIT == 3\n"
    )
    (tmp_path / "train/table.py").write_text(f"TABLE = {list(range(2, 50))}\n")
    (tmp_path / "train/rates.py").write_text("RATE = -0.1\nMORE = RATE < 1 and not RATE\n")
    tests = {
        "core/test_halves.py": "def test_half():\n    assert half(4) == 2\n\n\ndef test_no():\n    assert half(0)\n",
        "core/test_down.py": "def test_down():\n    assert down(2) == 0\n",
        "train/test_other.py": "def test_down_too():\n    assert down(0) == 0\n",
        "cli/test_command.py": "def test_half_too():\n    assert half(0) == 0\n",
    }
    for name, text in tests.items():
        (tmp_path / "tests" / name).write_text(f"from nas.core.halves import down, half\n\n\n{text}")
    return tmp_path


def test_a_seed_always_draws_the_same(project: Path) -> None:
    drawn = draw(project, 5, 12, ("nas/core", "train"))
    assert draw(project, 5, 12, ("nas/core", "train")) == drawn
    assert draw(project, 5, 7, ("nas/core", "train")) == drawn[:7]
    assert [m for m in drawn if m.folder == "train"] == draw(project, 5, 6, ("train",))
    assert draw(project, 6, 12, ("nas/core", "train")) != drawn


def test_nothing_dominates_a_draw(project: Path) -> None:
    drawn = draw(project, 5, 8, ("nas/core", "train"))
    assert Counter(m.folder for m in drawn) == {"nas/core": 4, "train": 4}
    assert len({m.place.operator for m in drawn if m.folder == "train"}) == 4
    spans = [(m.file, m.place.operator, m.place.start) for m in draw(project, 5, 1000, ("nas/core", "train"))]
    assert len(spans) == len(set(spans)) > 50  # everything, each once


def test_every_operator_finds_places_in_this_project() -> None:
    drawn = draw(ROOT, 3, len(OPERATORS), ("nas/tables",))
    assert {mutation.place.operator for mutation in drawn} == set(OPERATORS)


def test_the_tests_of_a_file(project: Path) -> None:
    named, importing, others = candidates(project, "nas/core/halves.py")
    assert (named, importing, others) == (
        ["tests/core/test_halves.py"],
        ["tests/core/test_down.py", "tests/train/test_other.py"],
        [],
    )
    assert candidates(project, "train/deeper/table.py") == [[], [], ["tests/train/test_other.py"]]
    (project / "tests/train/deeper").mkdir()
    (project / "tests/train/deeper/test_table.py").write_text("def test_table():\n    pass\n")
    assert candidates(project, "train/deeper/table.py") == [
        ["tests/train/deeper/test_table.py"],
        [],
        ["tests/train/test_other.py"],  # what stands above holds for what lies below
    ]
    assert candidates(project, "train/other.py")[2] == []  # and not the other way round


def test_the_tests_of_a_file_outside_of_the_folders_drawn_by_default(project: Path) -> None:
    (project / "nas/runs").mkdir()
    (project / "nas/runs/lock.py").write_text("LIMIT = 3\n")
    (project / "nas/results").mkdir()
    (project / "nas/results/base.py").write_text("LIMIT = 3\n")
    for name in ("runs", "faults"):
        (project / "tests" / name).mkdir()
    importing = "from nas.runs import lock\n"
    for test in ("runs/test_lock.py", "cli/test_locks.py", "core/test_held.py", "faults/test_killed.py"):
        (project / "tests" / test).write_text(importing)
    (project / "tests/runs/test_folder.py").write_text("")
    (project / "tests/test_results.py").write_text("")
    (project / "tests/test_structure.py").write_text("")
    assert candidates(project, "nas/runs/lock.py") == [
        ["tests/runs/test_lock.py"],
        ["tests/cli/test_locks.py", "tests/core/test_held.py"],
        ["tests/runs/test_folder.py"],
    ]
    assert candidates(project, "nas/results/base.py") == [[], [], ["tests/test_results.py"]]
    (project / "nas/results/__init__.py").write_text("from nas.results.base import LIMIT\n")
    (project / "tests/cli/test_page.py").write_text("from nas.results import LIMIT\n")
    assert candidates(project, "nas/results/base.py") == [[], ["tests/cli/test_page.py"], ["tests/test_results.py"]]
    assert candidates(project, "nas/core/halves.py")[1] == ["tests/core/test_down.py", "tests/train/test_other.py"]


def test_a_single_file_is_drawn_from(project: Path) -> None:
    drawn = draw(project, 5, 4, ("nas/core/halves.py", "train"))
    assert {mutation.file for mutation in drawn if mutation.folder != "train"} == {"nas/core/halves.py"}
    with pytest.raises(ValueError, match="Python code but got 'nas/nowhere'"):
        draw(project, 5, 4, ("nas/nowhere",))


def test_tests_that_cannot_notice_are_not_run() -> None:
    def measured(seconds: float, *called: tuple[str, int], processes: bool = False) -> Measured:
        return Measured({"test": seconds}, (), frozenset(called), processes)

    known = {
        "slow": measured(2, ("a.py", 4)),
        "quick": measured(1, ("a.py", 4)),
        "elsewhere": measured(1, ("b.py", 4), ("a.py", 1)),
        "starts": measured(9, processes=True),
        "broken": Measured({}, ("test",), frozenset({("a.py", 4)}), False),
    }
    inside = mutation_of("", "a.py", b"1", Place("constant", 0, 1, "2", 5, (4, 1)))
    outside = mutation_of("", "a.py", b"1", Place("constant", 0, 1, "2", 5))
    groups = [["elsewhere"], ["slow", "broken", "quick"], ["starts"]]
    assert selected(groups, known, inside) == ["quick", "slow", "starts"]
    assert selected(groups, known, outside) == ["elsewhere", "quick", "slow", "starts"]


def test_what_was_measured_holds_until_the_code_or_the_test_changes() -> None:
    test = "tests/a/test_x.py"
    files = {test: 1, "tests/a/test_y.py": 1, "tests/a/conftest.py": 1, "train/b.py": 1, "docs/c.md": 1}

    def content(changed: str = "") -> str:
        lines = [f"100644 blob {2 if name == changed else value}\t{name}" for name, value in files.items()]
        return content_of("\n".join(lines), test)

    assert content() == content("tests/a/test_y.py") == content("docs/c.md")
    assert len({content(), content(test), content("tests/a/conftest.py"), content("train/b.py")}) == 4


@pytest.mark.landing
def test_killed_survived_and_the_like_are_told_apart(project: Path) -> None:
    file = "nas/core/halves.py"
    text = (project / file).read_bytes()
    found = {
        (text[place.start : place.end].decode(), place.after): mutation_of("nas/core", file, text, place)
        for place in places(text)
    }
    tests = [test for group in candidates(project, file) for test in group]
    worker = Worker(project, libraries=("hypothesis",), extra_seconds=0.5)
    try:
        measured = {test: worker.measure(test) for test in tests}
        seconds = {name: value for test in measured.values() for name, value in test.seconds.items()}

        def judged(before: str, after: str) -> tuple[str, str]:
            mutation = found[before, after]
            return worker.judge(mutation, selected([tests], measured, mutation), seconds)

        assert all(Measured.from_json(json.loads(json.dumps(m.to_json()))) == m for m in measured.values())
        assert measured["tests/core/test_halves.py"].failed == ("tests/core/test_halves.py::test_no",)
        assert measured["tests/core/test_down.py"].called >= {(file, 5)}
        assert (file, 1) not in measured["tests/core/test_down.py"].called
        assert not any(known.processes for known in measured.values())
        assert judged("/", "*") == ("killed", "tests/core/test_halves.py::test_half")
        assert judged("-=", "+=") == ("timeout", "tests/core/test_down.py::test_down")
        assert judged("3", "4") == ("import", "")
        assert judged(">", ">=")[0] == "killed"
        assert judged("+", "-") == ("survived", "")  # nothing calls it
    finally:
        worker.close()
    assert (project / file).read_bytes() == text


@pytest.mark.landing
def test_calls_are_recorded_also_after_what_ends_tracing(project: Path) -> None:
    """Another tracer, as AutoAttack's check of dynamic defences is one, and the end of the stack."""
    (project / "tests/core/test_traced.py").write_text(
        "import sys\n\nimport pytest\n\nfrom nas.core.halves import down, half, unused\n\n\n"
        "def test_another():\n    names = []\n"
        "    sys.settrace(lambda frame, event, argument: names.append(frame.f_code.co_name))\n    half(4)\n"
        "    sys.settrace(None)\n    down(1)\n    assert 'half' in names and 'down' not in names\n\n\n"
        "def endless():\n    endless()\n\n\n"
        "def test_the_end():\n    with pytest.raises(RecursionError):\n        endless()\n\n\n"
        "def test_after():\n    unused(1)\n"
    )
    worker = Worker(project, libraries=("hypothesis",))
    try:
        measured = worker.measure("tests/core/test_traced.py")
    finally:
        worker.close()
    assert not measured.failed
    assert measured.called >= {("nas/core/halves.py", line) for line in (1, 5, 11)}


def test_a_file_is_as_before_after_a_mutation(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 1\n")
    before = path.stat().st_mtime_ns
    mutation = mutation_of("", "a.py", b"x = 1\n", places(b"x = 1\n")[0])
    with mutated(path, mutation):
        assert path.read_text() == "x = 0\n"
        assert path.stat().st_mtime_ns != before
    assert path.read_text() == "x = 1\n"
    assert path.stat().st_mtime_ns == before


def test_rows_are_kept_and_survivors_shown_with_their_diff(tmp_path: Path) -> None:
    text = b"x = 1\ny = 2\n"
    mutations = [mutation_of("train", "train/a.py", text, place) for place in places(text)]
    for mutation, outcome in zip(mutations, ("killed", "survived", "import", "timeout"), strict=True):
        append(tmp_path / "rows.csv", row_of("abc", mutation, outcome, "", 3, 1.25))
    rows = read(tmp_path / "rows.csv")
    assert [row["key"] for row in rows] == [mutation.key for mutation in mutations]
    shown = summary(rows)
    assert "train                          4         1         1         1         1" in shown
    assert "train/a.py:1 (constant; 3 test files pass)\n@@ -1,2 +1,2 @@\n-x = 1\n+x = 2\n y = 2" in shown
    assert shown.count("@@") == 2
