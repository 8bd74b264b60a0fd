"""The audit of dependencies: fails on what is new, accepts what is listed, and says so where it could not be done."""

from __future__ import annotations

import configparser
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / ".ci" / "audit.py"
OLD = {"id": "PYSEC-1", "aliases": ["CVE-2000-1"], "fix_versions": ["2.0"]}
NEW = {"id": "CVE-2000-2", "aliases": [], "fix_versions": []}


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_of_dependencies", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    module = loaded()
    (tmp_path / "advisories.txt").write_text("# comment\n\ngone CVE-1 old\n[old]\nrequests CVE-2000-1 it is not used\n")
    monkeypatch.setattr(module, "EXCEPTIONS", tmp_path / "advisories.txt")
    monkeypatch.setattr(module, "resolved", lambda: ([], "no route"))
    return module


def program(folder: Path, answers: dict[str, Any]) -> str:
    """A pip-audit that gives these answers by service; a text is an error."""
    file = folder / "pip-audit"
    file.write_text(
        f"#!{sys.executable}\nimport json, sys\nanswers = json.loads({json.dumps(answers)!r})\n"
        "answer = answers[sys.argv[sys.argv.index('--vulnerability-service') + 1]]\n"
        "plain = '-r' in sys.argv\n"
        "assert plain or '--path' in sys.argv\n"
        "assert not plain or open(sys.argv[sys.argv.index('-r') + 1]).read() == 'requests==1.0\\nnumpy==2.0\\n'\n"
        "sys.exit(answer) if isinstance(answer, str) else print(json.dumps(answer))\n"
    )
    file.chmod(0o755)
    return str(file)


def report(*advisories: Any, name: str = "Requests") -> dict[str, Any]:
    return {"dependencies": [{"name": name, "version": "1.0", "vulns": list(advisories)}]}


SKIPPED = {"dependencies": [{"name": "requests", "skip_reason": "Dependency not found on PyPI"}]}


@pytest.mark.parametrize(
    ("answers", "code", "said"),
    [
        ({"pypi": report()}, 0, "1 packages looked up at pypi, 0 advisories"),
        ({"pypi": report(OLD)}, 0, "accepted  Requests 1.0: PYSEC-1 CVE-2000-1 (old: it is not used)"),
        ({"pypi": report(OLD, NEW)}, 1, "NEW       Requests 1.0: CVE-2000-2 (fixed in no version)"),
        ({"pypi": report(OLD, name="urllib3")}, 1, "NEW       urllib3 1.0: PYSEC-1 CVE-2000-1 (fixed in 2.0)"),
        ({"pypi": report()}, 0, "unneeded  requests CVE-2000-1"),
        ({"pypi": SKIPPED, "osv": report(NEW)}, 1, "1 packages looked up at osv"),
        ({"pypi": {"dependencies": [*report(NEW)["dependencies"], *SKIPPED["dependencies"]]}}, 1, "unknown   requests"),
        ({"pypi": SKIPPED, "osv": "no\nroute"}, 0, "SKIPPED, nothing was looked up"),
        ({"pypi": "no route", "osv": "no route"}, 0, "(pypi: no route; osv: no route)"),
    ],
)
def test_what_it_says(
    audit: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], answers: Any, code: int, said: str
) -> None:
    assert audit.main(program(tmp_path, answers)) == code
    assert said in capsys.readouterr().out


def test_a_plain_install_has_no_exception_of_an_extra(
    audit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = program(tmp_path, {"pypi": report(OLD)})
    assert audit.main(tool) == 0
    assert "audit of a plain install: SKIPPED" in capsys.readouterr().out
    monkeypatch.setattr(audit, "resolved", lambda: (["requests==1.0", "numpy==2.0"], ""))
    assert audit.main(tool) == 1
    first, second = capsys.readouterr().out.split("with every extra: 1 packages")
    assert first.startswith("accepted  Requests")
    assert "NEW       Requests 1.0: PYSEC-1 CVE-2000-1" in second
    assert "audit of a plain install: 1 packages looked up at pypi, 1 advisories" in second


def test_what_a_plain_install_brings_is_what_pip_resolves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = loaded()
    names = (("robust-nas", "1"), ("numpy", "2.0"), ("torch", "2.9"))
    packages = [{"metadata": {"name": name, "version": version}} for name, version in names]

    def pip(command: list[str], **more: Any) -> Any:
        assert command[1:5] == ["-m", "pip", "install", "--dry-run"]
        assert command[-1] == str(SCRIPT.parent.parent), "no extra"
        Path(command[command.index("--report") + 1]).write_text(json.dumps({"install": packages}))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(module.subprocess, "run", pip)
    assert module.resolved() == (["numpy==2.0", "torch==2.9"], "")
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: no route\n")
    monkeypatch.setattr(module.subprocess, "run", lambda command, **more: failed)
    assert module.resolved() == ([], "ERROR: no route")


def test_without_the_program_it_is_skipped(audit: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main("/nowhere/pip-audit") == 0
    assert "SKIPPED" in capsys.readouterr().out


def test_the_exceptions_have_reasons() -> None:
    text = SCRIPT.with_name("advisories.txt").read_text()
    lines = [line for line in text.splitlines() if line and line[0] not in "#["]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[\w-]+ (CVE-\d+-\d+|GHSA-[\w-]+|PYSEC-\d+-\d+) .{10,}", line), line


def test_the_exceptions_for_what_torchattacks_holds_are_of_its_extra() -> None:
    """A plain install has no exception for them; and it does not require torchattacks, which `dev` does."""
    text = SCRIPT.with_name("advisories.txt").read_text()
    plain, every = loaded().exceptions(text, extras=False), loaded().exceptions(text, extras=True)
    held = {"requests", "urllib3", "idna", "chardet"}
    assert not {package for package, _ in plain} & held
    assert {package for package, _ in every} & held
    assert all(reason.startswith("torchattacks: ") for (package, _), reason in every.items() if package in held)
    config = configparser.ConfigParser()
    config.read(SCRIPT.parent.parent / "setup.cfg")
    assert "torchattacks" not in config["options"]["install_requires"]
    wanted = "torchattacks >= 3.5.1"
    assert config["options.extras_require"]["torchattacks"].split("\n")[1:] == [wanted]
    assert wanted in config["options.extras_require"]["dev"].split("\n")
