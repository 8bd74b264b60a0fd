"""The method of a run as LaTeX: what was done, with what sources, seeds, settings and versions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.core.radius import radius
from nas.eval.plan import AttackOptions, make_attack
from nas.report.pages.sentences import summary
from nas.report.paper.bibliography import key_of
from nas.report.paper.citations import uses
from nas.report.paper.environment import render_tex
from nas.report.paper.escape import Tex, breakable, cite, code, tex
from nas.report.run_data import RunData
from nas.results import RunResult, StudyResult

STEP_SIZE = "step_size"
ELSEWHERE = ("name", "run.dir")  # settings that are names of this run and its folder


def method(run: RunData, name: str = "") -> Tex:
    """Paragraphs on the method of a run, to be pasted into a paper; `name` tells them from those of other runs."""
    settings = [*(code(f"{key}={_written(value)}") for key, value in _settings(run)), *_steps(run)]
    return render_tex(
        "paper/method.tex",
        of=Tex(f" of {breakable(name)}." if name else "."),
        done=_done(run),
        sources=list(_sources(run)),
        seeds=_seeds(run),
        archs=Tex("; ".join(f"{tex(cell)}: {code(arch)}" for cell, arch in _archs(run).items()) + ".")
        if _archs(run)
        else "",
        settings=Tex("; ".join(settings) + "."),
        versions=Tex("; ".join(f"{tex(package)} {tex(version)}" for package, version in _versions(run).items()) + "."),
    )


def _done(run: RunData) -> list[str]:
    sentences: list[str] = summary(run)["done"]
    if isinstance(run.result, StudyResult):
        return [f"A search, its trainings and its attacks on {run.data} were made with {len(run.result.seeds)} seeds."]
    return sentences or [f"The run was made by nas {run.command} on {run.data}."]


def _sources(run: RunData) -> Iterator[Tex]:
    """The sources of the run by kind: `attack: pgd20~\\cite{...}, fgsm~\\cite{...}`."""
    kinds: dict[str, list[Tex]] = {}
    for use in uses(run):
        kinds.setdefault(use.kind, []).append(Tex(tex(use.name) + cite(map(key_of, use.references))))
    yield from (Tex(f"{tex(kind)}: {', '.join(names)}") for kind, names in kinds.items())


def _seeds(run: RunData) -> Tex:
    if isinstance(run.result, StudyResult):
        return tex(f"{', '.join(map(str, run.result.seeds))}.")
    seeds = run.result.seeds if isinstance(run.result, RunResult) else {"run": run.settings.get("seed")}
    return Tex("; ".join(f"{tex(name)}: {tex(seed)}" for name, seed in seeds.items()) + ".")


def _archs(run: RunData) -> dict[str, str]:
    if isinstance(run.result, StudyResult):
        return {}
    return {name: arch for name, arch in run.cells().items() if arch}


def _versions(run: RunData) -> dict[str, str]:
    versions = dict(run.result.versions)
    provenance = run.result.provenance
    if provenance is not None:
        if provenance.source is not None:
            versions["source"] = provenance.source.commit + (" with changes" if provenance.source.changed else "")
        versions["SHA-256 of the settings"] = provenance.settings_sha256
        versions |= {key: str(value) for key in ("gpu", "cpu") if (value := provenance.hardware.get(key))}
    return versions or {"robust-nas": "of an unknown version"}


def _settings(run: RunData) -> Iterator[tuple[str, object]]:
    """The settings that had a part in the run."""
    yield from ((key, value) for key, value in _flat(run.settings) if run.acting is None or key in run.acting)


def _steps(run: RunData) -> list[Tex]:
    """The step size of each attack that uses the default of its own, which no setting shows."""
    chosen: Json = run.settings.get("eval") or {}
    if chosen.get(STEP_SIZE) is not None:
        return []
    sizes: dict[str, str] = {}
    for entry in run.evaluations:
        options = AttackOptions(eps=entry.eps, norm=entry.norm)
        for name in entry.worst_case.attacks:
            try:
                attack = make_attack(name, options)
            except InputError:  # an attack of a package that is not installed here
                continue
            if attack.reads is not None and STEP_SIZE in attack.reads:
                sizes[name] = radius(attack.step_size)
    return [Tex(f"step size of {code(name)}: {tex(size)}") for name, size in sizes.items()]


def _flat(values: Json, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every setting by its dotted key, without those that are not set."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif prefix + key not in ELSEWHERE and value is not None and value != []:
            yield prefix + key, value


def _written(value: object) -> str:
    """A setting as on the command line; of a path that begins at the root, the last part alone."""
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, str):
        return Path(value).name if os.path.isabs(value) else value
    return json.dumps(value)
