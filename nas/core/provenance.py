"""Provenance of a result, as plain values: versions, machine, revision of the source, checksum of the settings."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

import torch

from nas.core.io.records import Json
from nas.version import __version__

PACKAGES = (
    "torch",
    "torchvision",
    "torchattacks",
    "autoattack",
    "pyautoattack",
    "numpy",
    "scipy",
    "scikit-learn",
    "omegaconf",
    "ray",
    "timm",
)
TIMEOUT_SECONDS = 10  # for an answer of git or of the system
Hardware = dict[str, str | float | None]  # properties of a machine by name; None for an unknown one


class Revision(TypedDict):
    """The commit of the project, and whether tracked files have been changed since."""

    commit: str
    changed: bool


class Environment(TypedDict):
    """What a process computes with; `source` is `None` if the project is not a git checkout."""

    versions: dict[str, str]
    hardware: Hardware
    source: Revision | None


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    installed = {"robust-nas": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed


def versions() -> dict[str, str]:
    """Versions of all packages that can influence a number."""
    return dict(_versions())


def hardware(device: torch.device) -> Hardware:
    """The machine of this process, with its GPU if `device` is one; `cores` are those that the system counts."""
    machine: Hardware = {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),  # of torch's kernels; rounding may depend on them
        "memory_gib": _memory(),
    }
    if device.type == "cuda" and torch.cuda.is_available():  # if it is not available, the GPU is on a cluster
        properties = torch.cuda.get_device_properties(device)
        machine["gpu"] = properties.name
        machine["gpu_memory_gib"] = round(properties.total_memory / 2**30, 1)
        machine["cuda"] = torch.version.cuda
        machine["cudnn"] = torch.backends.cudnn.version()
    return machine


@lru_cache(maxsize=1)
def _cpu() -> str:
    """The model of the processor, as the system names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:  # not Linux
        pass
    brand = _answer("sysctl", "-n", "machdep.cpu.brand_string") if platform.system() == "Darwin" else None
    return brand or platform.processor() or "unknown"


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):  # unknown on this system
        return None


@lru_cache(maxsize=1)
def revision() -> Revision | None:
    """The revision of the project according to git; `None` if it is not a checkout."""
    root = str(Path(__file__).resolve().parents[2])
    if not (Path(root) / ".git").exists():
        return None
    commit = _answer("git", "-C", root, "rev-parse", "HEAD")
    changes = _answer("git", "--no-optional-locks", "-C", root, "status", "--porcelain", "--untracked-files=no")
    return None if commit is None else {"commit": commit, "changed": changes != ""}


def _answer(*command: str) -> str | None:
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return None
    return completed.stdout.strip()


def environment(device: torch.device) -> Environment:
    return {"versions": versions(), "hardware": hardware(device), "source": revision()}


def settings_checksum(settings: Json, without: Iterable[str]) -> str:
    """SHA-256 of settings as JSON with sorted keys, in hexadecimal; the dotted keys in `without` are left out."""
    remaining = {key: dict(value) if isinstance(value, dict) else value for key, value in settings.items()}
    for key in without:
        section, _, name = key.partition(".")
        part = remaining[section] if name else remaining
        part.pop(name or section, None)
    text = json.dumps(remaining, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
