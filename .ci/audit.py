"""Look up published advisories for every package of an environment: `python .ci/audit.py PIP_AUDIT`.

Run by the Python of that environment; PIP_AUDIT is the program pip-audit, which has an environment of its own because
torchattacks holds `requests` at a version that pip-audit cannot use. Known exceptions stand in advisories.txt beside
this file. Exit code 1 where an advisory is found that is not among them. Where no service of advisories can be reached
the last line says so and the exit code is 0: nothing was looked up then.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

SERVICES = ("pypi", "osv")
EXCEPTIONS = Path(__file__).with_name("advisories.txt")

Report = dict[str, Any]


def exceptions(text: str) -> dict[tuple[str, str], str]:
    """(package, advisory) → the reason why it is accepted; one per line, `PACKAGE ADVISORY REASON`."""
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            package, advisory, reason = line.split(maxsplit=2)
            found[package.lower(), advisory] = reason
    return found


def judged(report: Report, accepted: dict[tuple[str, str], str]) -> tuple[list[str], list[str], int]:
    """What is new, what else is to be told, and how many packages were looked up.

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


def asked(program: str, service: str) -> tuple[Report | None, str]:
    """The report of one service, or none and why."""
    path = sysconfig.get_paths()["purelib"]
    command = [program, "--path", path, "--vulnerability-service", service, "--format", "json"]
    command += ["--skip-editable", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return None, f"pip-audit is not there ({error.strerror})"
    try:
        return json.loads(done.stdout), ""
    except ValueError:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return None, lines[-1][:300] if lines else f"exit code {done.returncode}"


def main(program: str) -> int:
    accepted = exceptions(EXCEPTIONS.read_text(encoding="utf-8"))
    reasons = []
    for service in SERVICES:
        report, why = asked(program, service)
        if report is None:
            reasons.append(f"{service}: {why}")
            continue
        new, told, count = judged(report, accepted)
        if count == 0:
            reasons.append(f"{service}: it knows none of {len(report['dependencies'])} packages")
            continue
        print("\n".join([*told, *new]))
        print(
            f"audit: {count} packages looked up at {service}, {len(new)} advisories that are not in {EXCEPTIONS.name}"
        )
        return 1 if new else 0
    print(f"audit: SKIPPED, nothing was looked up: no service of advisories answered ({'; '.join(reasons)})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
