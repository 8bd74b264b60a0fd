"""Look up published advisories for two sets of packages: `python .ci/audit.py PIP_AUDIT`.

The first set is the environment of the Python that runs this, with every extra. The second is what a plain install of
the project (no extra) would bring today: pip resolves it and installs nothing. PIP_AUDIT is the program pip-audit; it
has an environment of its own because the extra torchattacks holds `requests` at a version that pip-audit cannot use.

Known exceptions are in advisories.txt beside this file; those below the name of an extra are for the first set only.
The exit code is 1 if an advisory is found that is not among them. If no advisory service can be reached, or pip cannot
resolve the set, nothing is looked up: a line says SKIPPED and the exit code is 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

SERVICES = ("pypi", "osv")
EXCEPTIONS = Path(__file__).with_name("advisories.txt")
PROJECT = Path(__file__).resolve().parent.parent

Report = dict[str, Any]


def exceptions(text: str, extras: bool) -> dict[tuple[str, str], str]:
    """(package, advisory) → the reason why it is accepted; one per line, `PACKAGE ADVISORY REASON`.

    Lines below `[EXTRA]` are accepted only if that extra is installed: they are left out unless `extras`.
    """
    found = {}
    extra = ""
    for line in text.splitlines():
        if line.startswith("["):
            extra = line.strip("[] ")
        elif line.strip() and not line.startswith("#") and (extras or not extra):
            package, advisory, reason = line.split(maxsplit=2)
            found[package.lower(), advisory] = f"{extra}: {reason}" if extra else reason
    return found


def judged(report: Report, accepted: dict[tuple[str, str], str]) -> tuple[list[str], list[str], int]:
    """Lines about new advisories, other lines to print, and the number of packages that were looked up.

    An advisory has several names (CVE-, GHSA-, PYSEC-); any of them may be in the list.
    """
    new, told, used = [], [], set()
    answered = [one for one in report["dependencies"] if "skip_reason" not in one]
    for one in answered:
        for advisory in one["vulns"]:
            names = [advisory["id"], *advisory.get("aliases", [])]
            known = [(one["name"].lower(), name) for name in names if (one["name"].lower(), name) in accepted]
            used |= set(known)
            line = f"{one['name']} {one['version']}: {' '.join(names)}"
            fixed = ", ".join(advisory.get("fix_versions", [])) or "no version"
            if known:
                told.append(f"accepted  {line} ({accepted[known[0]]})")
            else:
                new.append(f"NEW       {line} (fixed in {fixed})")
    there = {one["name"].lower() for one in answered}
    told += [f"unneeded  {' '.join(key)}" for key in accepted.keys() - used if key[0] in there]
    told += [f"unknown   {one['name']}: {one['skip_reason']}" for one in report["dependencies"] if "skip_reason" in one]
    return new, told, len(answered)


def resolved() -> tuple[list[str], str]:
    """`NAME==VERSION` of each package that `pip install .` would install into an empty environment, or none and why."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        done = subprocess.run(
            [*command, "--report", str(file), str(PROJECT)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or not file.is_file():
            return [], _last(done.stderr) or f"exit code {done.returncode}"
        packages = [one["metadata"] for one in json.loads(file.read_text(encoding="utf-8"))["install"]]
    return [f"{one['name']}=={one['version']}" for one in packages if one["name"] != "robust-nas"], ""


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def asked(program: str, what: list[str], service: str) -> tuple[Report | None, str]:
    """The report of one service on the packages that the options `what` name, or none and why."""
    command = [program, *what, "--vulnerability-service", service, "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return None, f"pip-audit is missing ({error.strerror})"
    try:
        return json.loads(done.stdout), ""
    except ValueError:
        return None, _last(done.stderr) or f"exit code {done.returncode}"


def look(title: str, program: str, what: list[str], extras: bool) -> int:
    """Look up one set of packages and print the advisories; returns the exit code."""
    accepted = exceptions(EXCEPTIONS.read_text(encoding="utf-8"), extras)
    reasons = []
    for service in SERVICES:
        report, why = asked(program, what, service)
        if report is None:
            reasons.append(f"{service}: {why}")
            continue
        new, told, count = judged(report, accepted)
        if count == 0:
            reasons.append(f"{service}: none of {len(report['dependencies'])} packages is known there")
            continue
        print("\n".join([*told, *new]))
        print(
            f"audit of {title}: {count} packages looked up at {service}, {len(new)} advisories that are not in "
            f"{EXCEPTIONS.name}"
        )
        return 1 if new else 0
    print(f"audit of {title}: SKIPPED, nothing was looked up: no advisory service answered ({'; '.join(reasons)})")
    return 0


def main(program: str) -> int:
    here = ["--path", sysconfig.get_paths()["purelib"], "--skip-editable"]
    code = look("this environment, with every extra", program, here, extras=True)
    title = "a plain install"
    packages, why = resolved()
    if not packages:
        print(f"audit of {title}: SKIPPED, nothing was looked up: pip cannot resolve it ({why})")
        return code
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text("".join(f"{one}\n" for one in packages), encoding="utf-8")
        return code | look(title, program, ["-r", str(file), "--no-deps", "--disable-pip"], extras=False)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
