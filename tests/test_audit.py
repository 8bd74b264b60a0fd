"""The audit of dependencies: fails on what is new, accepts what is listed, and says so where it could not be done."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / ".ci" / "audit.py"
OLD = {"id": "PYSEC-1", "aliases": ["CVE-2000-1"], "fix_versions": ["2.0"]}
NEW = {"id": "CVE-2000-2", "aliases": [], "fix_versions": []}


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_of_dependencies", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "advisories.txt").write_text("# comment\n\nrequests CVE-2000-1 it is not used\ngone CVE-1 old\n")
    monkeypatch.setattr(module, "EXCEPTIONS", tmp_path / "advisories.txt")
    return module


def program(folder: Path, answers: dict[str, Any]) -> str:
    """A pip-audit that gives these answers by service; a text is an error."""
    file = folder / "pip-audit"
    file.write_text(
        f"#!{sys.executable}\nimport json, sys\nanswers = json.loads({json.dumps(answers)!r})\n"
        "answer = answers[sys.argv[sys.argv.index('--vulnerability-service') + 1]]\n"
        "assert '--path' in sys.argv\n"
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
        ({"pypi": report(OLD)}, 0, "accepted  Requests 1.0: PYSEC-1 CVE-2000-1 (it is not used)"),
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


def test_without_the_program_it_is_skipped(audit: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main("/nowhere/pip-audit") == 0
    assert "SKIPPED" in capsys.readouterr().out


def test_the_exceptions_have_reasons() -> None:
    lines = [line for line in SCRIPT.with_name("advisories.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[\w-]+ (CVE-\d+-\d+|GHSA-[\w-]+|PYSEC-\d+-\d+) .{10,}", line), line
