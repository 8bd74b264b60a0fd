"""Nothing that a file, a name or another machine says runs code, escapes its folder or writes to a terminal."""

from __future__ import annotations

import ast
import io
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import result_factory
import torch
from torch import nn

from nas.cli.main import run_command
from nas.cli.output import output
from nas.core.errors import MAX_CHARACTERS, InputError, NasError, printable
from nas.core.io import checkpoint
from nas.eval import EvalSettings
from nas.eval.model_source import classify, load_model
from nas.report.text import accuracy_table
from nas.results import ScoreRow
from nas.runs import torchrun
from nas.scoring.rows import line_of

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("nas", "search_spaces", "strategies", "train", "eval", "bench")

# What must not be called, and the modules that may, with the reason.

FORBIDDEN: dict[str, dict[str, str]] = {
    "pickle": {
        "nas/core/execution/local_pool.py": "between a process and its own workers, through pipes",
        "nas/core/execution/pickling.py": "what is sent to them",
        "nas/core/execution/ray_pool.py": "the same through Ray",
        "nas/core/io/unpickle.py": "the reader that admits arrays and plain containers only",
    },
    "torch.load": {},
    "np.load": {},
    "yaml": {},
    "unpack": {},
    "evaluate": {},
    "shell": {},
    "import": {
        "nas/core/registry.py": "modules of the project, and entry points that the user installed",
        "nas/core/importing.py": "the user's own code, which the user names as package.module:factory or python:...",
        "nas/core/extras.py": "names in the project's own text",
        "nas/tables/official.py": "the packages of two benchmarks, by name",
        "nas/commands/list.py": "modules of the project",
        "eval/outputs.py": "the installed pyautoattack",
        "eval/attacks/library.py": "the installed torchattacks",
    },
    "listen": {},
}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a call's function; only the last name where it is called on something else."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else node.attr
    return node.id if isinstance(node, ast.Name) else ""


def sins(tree: ast.AST) -> Iterator[str]:
    """The kinds of forbidden things that a module does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PICKLES:
            yield "pickle"
        if isinstance(node, ast.Import) and any(name.name.partition(".")[0] in PICKLES for name in node.names):
            yield "pickle"
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        last = name.rpartition(".")[2]
        said = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
        if name == "torch.load" and said.get("weights_only") is not True:
            yield "torch.load"
        if name in ("np.load", "numpy.load") and said.get("allow_pickle") is not False:
            yield "np.load"
        if last == "read_pickle" and name != "read_pickle":
            yield "pickle"
        if name in ("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"):
            yield "yaml"
        if last in ("extractall", "extract_archive", "unpack_archive", "download_and_extract_archive"):
            yield "unpack"
        if (
            isinstance(node.func, ast.Name) and name in ("eval", "exec", "compile")
        ) or last == "load_state_dict_from_url":
            yield "evaluate"
        if name in ("os.system", "os.popen", "pty.spawn", "tempfile.mktemp") or said.get("shell"):
            yield "shell"
        if last in ("import_module", "__import__", "run_path", "run_module"):
            yield "import"
        if last in ("bind", "serve_forever", "HTTPServer", "create_server", "TCPStore", "start_server"):
            yield "listen"


def modules() -> list[Path]:
    return [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]


def test_nothing_forbidden_is_called_outside_the_named_modules() -> None:
    found = {(kind, str(file.relative_to(ROOT))) for file in modules() for kind in sins(ast.parse(file.read_text()))}
    named = {(kind, file) for kind, files in FORBIDDEN.items() for file in files}
    assert found - named == set()
    assert {pair for pair in named - found if (ROOT / pair[1]).exists()} == set(), "no longer needed"


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("pickle", "import pickle"),
        ("pickle", "from dill import loads"),
        ("pickle", "pandas.read_pickle(x)"),
        ("torch.load", "torch.load(x)"),
        ("torch.load", "torch.load(x, weights_only=False)"),
        ("np.load", "np.load(x)"),
        ("np.load", "np.load(x, allow_pickle=True)"),
        ("yaml", "yaml.load(x, Loader=yaml.Loader)"),
        ("unpack", "tar.extractall(x)"),
        ("unpack", "tarfile.open(x).extractall(y)"),
        ("evaluate", "eval(x)"),
        ("shell", "subprocess.run(x, shell=True)"),
        ("import", "importlib.import_module(x)"),
        ("listen", "socket.socket().bind(x)"),
    ],
)
def test_the_search_finds_it(kind: str, line: str) -> None:
    assert set(sins(ast.parse(line))) == {kind}


# files of networks


class Command:
    """Pickles into the making of a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


def evil(path: Path, mark: Path, wrap: Callable[[Any], Any] = lambda value: value) -> Path:
    torch.save(wrap(Command(mark)), path)
    return path


@pytest.mark.filterwarnings("ignore:.*torch.*")
def test_a_checkpoint_runs_nothing(tmp_path: Path) -> None:
    mark, path = tmp_path / "mark", tmp_path / "a.pt"
    evil(path, mark, lambda command: {"kind": "network", "weights": command})
    with pytest.raises(InputError, match="damaged"):
        checkpoint.load(path, "network")
    path.write_bytes(pickle.dumps(Command(mark)))  # torch's oldest layout
    with pytest.raises(InputError, match="damaged"):
        checkpoint.load(path, "network")
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), buffer)  # an archive with code in it
    path.write_bytes(buffer.getvalue())
    with pytest.raises(InputError):
        checkpoint.load(path, "network")
    assert not mark.exists()


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_the_weights_of_somebody_else_run_nothing(tmp_path: Path, name: str) -> None:
    path = evil(tmp_path / name, tmp_path / "mark", lambda command: {"state_dict": command})
    with pytest.raises(InputError, match="Expected the weights"):
        load_model(classify(f"torchvision:squeezenet1_1@{path}"), EvalSettings(), 0)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "option", ["checkpoint_path=a.pth", "pretrained_cfg=x", "pretrained_cfg_overlay={file: a.pth}"]
)
def test_no_option_makes_a_library_unpickle(option: str) -> None:
    pytest.importorskip("timm")
    with pytest.raises(InputError, match="give weights as timm:"):
        load_model(classify("timm:lcnet_050"), EvalSettings(model_options=["pretrained=false", option]), 0)


def test_a_checkpoint_that_unpacks_to_more_than_there_is_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(2**20))
    with pytest.raises(InputError, match="damaged"):
        checkpoint.load(tmp_path / "a.pt", "network")


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.mkdir ['mark']",
        "!!python/object/new:os.mkdir ['mark']",
        "!!python/name:os.mkdir",
        "!!python/module:antigravity",
        "${oc.env:HOME}",
        "${oc.decode:'1'}",
        "x${oc.env:HOME}y",
        "\\${oc.env:HOME}",
    ],
)
def test_yaml_says_values_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(f"extends: quickstart\nname: {text}\n")
    assert run_command(["search", "mine.yaml", "--dry-run"]) == 2
    assert run_command(["search", "quickstart", f"name={text}", "--dry-run"]) == 2
    error = capfd.readouterr().err
    assert len(error.splitlines()) == 2, error
    assert os.environ["HOME"] + "'" not in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml"]


# what is shown

HOSTILE = "a\x1b]0;title\x07\x1b[31mred\x9b2J\u202ereversed\r\b"


def test_an_error_is_one_printable_line() -> None:
    message = str(InputError(f"Expected a name but got {HOSTILE}\nand\u2028more\x85; change it."))
    assert message.isprintable()
    assert "\\x1b]0;title\\x07" in message
    assert message.endswith("change it.")
    assert str(NasError("plain é 数 – text")) == "plain é 数 – text"


def test_a_long_error_keeps_its_beginning_and_its_advice() -> None:
    message = str(InputError(f"Expected a name but got {'x' * 100_000}; shorten it."))
    assert len(message) <= MAX_CHARACTERS
    assert message.startswith("Expected a name but got xxx")
    assert message.endswith("xxx; shorten it.")


def test_what_is_printed_gives_a_terminal_no_orders(capfd: pytest.CaptureFixture[str]) -> None:
    with output(False) as out:
        out.emit({}, f"first {HOSTILE}\nsecond\t.")
    shown = capfd.readouterr().out
    assert shown.count("\n") == 2
    assert shown.replace("\n", "").isprintable()
    row = ScoreRow(HOSTILE, HOSTILE, {HOSTILE: 1.0}, 1.0, HOSTILE)
    assert line_of(row).replace("\n", "").isprintable()
    assert printable("│ table – é │\n") == "│ table – é │\n"


@pytest.mark.parametrize("name", ["[red]x[/red]", "[/nothing]", "[link=file:///]x", ":smile:"])
def test_names_are_no_markup(name: str) -> None:
    entry = result_factory.evaluation({"clean": 2, name: 1}, 4, name=name)
    assert accuracy_table([entry]).count(name) == 3  # the row, its attack's accuracy and its score


# who may connect


@pytest.mark.parametrize(("local", "given", "chosen"), [("2", None, "lo"), ("1", None, None), ("2", "eth7", "eth7")])
def test_processes_of_one_machine_stay_on_it(
    monkeypatch: pytest.MonkeyPatch, local: str, given: str | None, chosen: str | None
) -> None:
    """On several machines, or where the user says so, they take another interface."""
    monkeypatch.setattr("socket.if_nameindex", lambda: [(1, "lo"), (2, "eth0")])
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", local)
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        monkeypatch.setenv(name, given or "")
        if given is None:
            monkeypatch.delenv(name)
    torchrun._bind_to_loopback()
    assert os.environ.get("GLOO_SOCKET_IFNAME") == os.environ.get("NCCL_SOCKET_IFNAME") == chosen
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        monkeypatch.setenv(name, "")  # so that the old value comes back
