"""The house rules that can be checked: imports point one way, everything is packaged, nothing names a machine."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked import Fork, Say

ROOT = Path(__file__).resolve().parent.parent
ORDER = (  # from the ground up; what a package may import besides itself is below
    "nas.core",
    "nas.results",
    "nas.search_spaces",
    ("nas.tables", "nas.strategies", "nas.train"),
    "nas.eval",
    "nas.objectives",
    "nas.settings",
    "nas.runs",
    "nas.searches",
    ("nas.scoring", "nas.report"),
    "nas.studies",
    "nas.export",
    "nas.bench",
    "nas.commands",
    "nas.cli",
    "nas.api",
)
FLOORS: dict[str, set[str]] = {"nas.configs": set()}  # package -> what it may import besides itself
for floor in ORDER:
    FLOORS |= {name: set(FLOORS) - set(floor) for name in ([floor] if isinstance(floor, str) else floor)}


def _folder(package: str) -> Path:
    name = package.removeprefix("nas.")
    return ROOT / "nas" / name if (ROOT / "nas" / name).is_dir() else ROOT / name


def _files(package: str) -> list[Path]:
    module = ROOT / "nas" / f"{package.removeprefix('nas.')}.py"
    return [module] if module.is_file() else list(_folder(package).rglob("*.py"))


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield from ([f"nas.{alias.name}" for alias in node.names] if node.module == "nas" else [node.module or ""])


@pytest.mark.parametrize("package", FLOORS)
def test_imports_point_one_way(package: str) -> None:
    files = _files(package)
    assert files
    for file in files:
        for name in _imports(file):
            if name.startswith("nas."):
                target = ".".join(name.split(".")[:2])
                if target in FLOORS:
                    assert target == package or target in FLOORS[package], f"{file} imports {name}"


def _modules() -> dict[str, Path]:
    """The files of the project by the name under which each is imported."""
    files = {"nas": ROOT / "nas"} | {package: _folder(package) for package in FLOORS}
    found = {}
    for package, top in files.items():
        for file in top.glob("*.py") if package == "nas" else top.rglob("*.py"):
            parts = file.relative_to(top).with_suffix("").parts
            found[".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)])] = file
    return found


def _imported(file: Path, modules: dict[str, Path]) -> set[str]:
    """The modules that a file imports, wherever in it; of a name that is none, the module that it stands in."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name if name in modules else name.rpartition(".")[0] for name in names} & set(modules)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """A way along the edges of a graph that ends where it began; empty where there is none."""
    finished: set[str] = set()

    def search(way: list[str]) -> list[str]:
        for name in sorted(graph[way[-1]] - finished):
            if name in way:
                return [*way[way.index(name) :], name]
            if found := search([*way, name]):
                return found
        finished.add(way[-1])
        return []

    return next(filter(None, (search([name]) for name in sorted(graph) if name not in finished)), [])


def test_there_is_no_circle_of_imports_between_files() -> None:
    """Imports inside functions and under TYPE_CHECKING count as well."""
    modules = _modules()
    graph = {name: _imported(file, modules) - {name} for name, file in modules.items()}
    assert sum(map(len, graph.values())) > len(graph)
    found = circle(graph)
    assert not found, " imports ".join(found)


def test_a_circle_is_found_and_named() -> None:
    ring = {"a": {"b", "d"}, "b": {"c"}, "c": {"d", "b"}, "d": set[str]()}
    assert circle(ring) == ["b", "c", "b"]
    assert circle({**ring, "c": {"d"}}) == []


WHERE_USED = {  # libraries that take long to import or may be absent
    *("PIL", "scipy", "sklearn", "torch", "torchvision", "xgboost", "safetensors", "ray", "autoattack", "pyautoattack"),
    "pandas",
    "fcntl",  # not on Windows
}


def _inside_functions(file: Path) -> list[str]:
    """The modules that a file imports inside functions."""
    tree = ast.parse(file.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    found: dict[int, str] = {}
    for node in (inner for function in functions for inner in ast.walk(function)):
        if isinstance(node, ast.Import):
            found[id(node)] = node.names[0].name
        elif isinstance(node, ast.ImportFrom):
            found[id(node)] = node.module or ""
    return list(found.values())


@pytest.mark.landing
def test_imports_stand_at_the_top() -> None:
    """All but heavy libraries, and what a command needs once it runs: `nas --help` waits for nothing."""
    inside = {}
    for file in _modules().values():
        name = file.relative_to(ROOT).as_posix()
        names = [one for one in _inside_functions(file) if one.partition(".")[0] not in WHERE_USED]
        if names and name != "nas/__init__.py" and not name.startswith(("nas/cli/", "nas/commands/")):
            inside[name] = names
    assert not inside


@pytest.mark.landing
def test_nothing_imports_the_package_itself() -> None:
    for file in _modules().values():
        assert "nas" not in _imports(file), file


FREE_FORM = {  # file -> lines with a dictionary of which no type says the keys, and why none does
    "eval/attacks/base.py": (1, "`Options`, which go to the attacks of a library by the names that they have there"),
    "nas/core/config/schema.py": (1, "`Values`, which only a schema that is made at run time checks"),
    "nas/core/io/checkpoint.py": (1, "`State`, what a checkpoint can hold: only who saves a part knows its keys"),
    "nas/core/io/records.py": (1, "`Json`, an object in JSON whose keys nobody fixed"),
    "nas/report/paper/rows.py": (1, "`Row`, a row of a CSV file whose keys are `COLUMNS`"),
    "train/training.py": (1, "a keyword argument whose name depends on the version of torch"),
}


def test_free_form_dictionaries_are_on_a_list_with_their_reason() -> None:
    """A name for one counts where it is defined: it says what stands in such a dictionary, and is used for that."""
    files = {file for package in FLOORS for file in _files(package)}
    lines = {
        str(file.relative_to(ROOT)): sum("dict[str, Any]" in line for line in file.read_text().splitlines())
        for file in files
    }
    found = {name: count for name, count in lines.items() if count}
    assert found == {name: count for name, (count, _) in FREE_FORM.items()}
    assert sum(found.values()) <= 40


def _config() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_listed() -> None:
    listed = set(_config()["options"]["packages"].split())
    found = {"nas"}
    for package in FLOORS:
        top = _folder(package)
        found |= {".".join([package, *file.parent.relative_to(top).parts]) for file in top.rglob("__init__.py")}
    assert listed == found


def test_the_smoke_selection_has_a_file_of_every_area() -> None:
    tree = ast.parse((ROOT / "tests/conftest.py").read_text())
    (files,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SMOKE"
    ]
    assert all((ROOT / "tests" / name).is_file() for name in files)
    areas = {folder.name for folder in (ROOT / "tests").iterdir() if list(folder.glob("test_*.py"))}
    assert {name.split("/")[0] for name in files} == areas


def test_tracked_files_name_no_machine_and_no_data_path() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not tracked:
        tracked = [
            str(p.relative_to(ROOT)) for folder in ("nas", "tests", "docs") for p in (ROOT / folder).rglob("*.py")
        ]
    shared = re.compile(r"\.\./sha" + r"red|(?<![\w.])/(wo" + r"rk|fa" + r"rm)/")
    allowed = {"tests/conftest.py", ".ci/run"}
    for name in tracked:
        if Path(name).suffix in (".png", ".npz") or name in allowed:
            continue
        assert not shared.search((ROOT / name).read_text(encoding="utf-8")), name


def import_everything(say: Say, folder: Path, installed: Path) -> None:
    """As `python -c` in that folder would, where the package is installed and nothing of it is imported yet."""
    os.chdir(folder)
    elsewhere = [
        path
        for path in sys.path
        if path and "__editable__" not in path
        if "site-packages" in path or not Path(path).is_relative_to(ROOT)  # the environment may lie in the checkout
    ]
    sys.path = ["", str(installed), *elsewhere]
    sys.meta_path = [
        finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", type(finder).__module__)
    ]
    sys.path_importer_cache.clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "nas"]:
        del sys.modules[name]
    import nas.bench
    import nas.commands
    import nas.eval
    import nas.search_spaces
    import nas.strategies.proxies
    import nas.train
    from nas.core.config import compose, shipped
    from nas.report.render import ENVIRONMENT

    assert "quickstart" in shipped()
    assert compose("quickstart")["space"] == "nasbench201"
    templates = ROOT / "nas/report/templates"
    assert ENVIRONMENT.list_templates() == sorted(
        file.relative_to(templates).as_posix() for file in templates.rglob("*") if file.is_file()
    )
    say(nas.train.__file__)


@pytest.mark.landing
def test_the_wheel_works_from_anywhere(tmp_path: Path) -> None:
    """An ordinary install, used beside a user's own train.py and eval.py, and inside the checkout."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "PACKAGE.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for name in ("nas", "search_spaces", "strategies", "train", "eval", "configs", "bench"):
        for file in (ROOT / name).rglob("*"):
            if file.suffix in (".py", ".yaml", ".typed", ".html", ".css", ".svg", ".tex", ".bib"):
                target = source / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)

    own = tmp_path / "own"
    own.mkdir()
    for name in ("train", "eval", "search_spaces"):
        (own / f"{name}.py").write_text(f"raise SystemExit('the wrong {name}')")
    for folder, expected in ((own, installed), (source, source)):
        with Fork(import_everything, folder, installed) as process:
            lines = process.lines.read()
            assert process.wait() == 0
        assert Path(lines.strip()).is_relative_to(expected), lines


EVERYWHERE = (  # of every run, of every worker
    *("nas.report.text", "nas.searches.search_stage"),
    *("nas.runs.stages.train_stage", "nas.runs.stages.eval_stage"),
)


@pytest.fixture(scope="module")
def slow_imports() -> dict[str, list[str]]:
    """What takes a second to import and is there after the import of each module, one after the other."""
    slow = ("scipy.stats", "matplotlib", "torchattacks", "sklearn", "jinja2")
    script = "import sys, json\nfound = {}\n" + "".join(
        f"import {module}; found[{module!r}] = sorted(set({slow}) & set(sys.modules))\n" for module in EVERYWHERE
    )
    command = [sys.executable, "-c", script + "print(json.dumps(found))"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.landing
@pytest.mark.parametrize("module", EVERYWHERE)
def test_what_takes_a_second_to_import_is_imported_where_it_is_used(
    module: str, slow_imports: dict[str, list[str]]
) -> None:
    assert slow_imports[module] == []


HEAVY = ("torch", "numpy", "scipy", "matplotlib", "omegaconf", "sklearn", "rich", "jinja2")


def test_help_imports_nothing_that_is_heavy() -> None:
    """`nas --help` reads every command's file; `nas bench start` measures what that takes."""
    script = f"""import sys
sys.argv = ["nas", "--help"]
from nas.cli.main import run_command
assert run_command(["--help"]) == 0
assert run_command(["tables", "predict", "--help"]) == 0
sys.exit(str(found) if (found := sorted(set({HEAVY}) & set(sys.modules))) else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "transfer" in done.stdout
