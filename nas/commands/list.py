"""`nas list`: list the available components."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from nas.commands.base import Argument, Command, Output
from nas.core.errors import InputError
from nas.core.registry import Registry
from nas.core.suggestions import suggest


@dataclass(frozen=True)
class Row:
    """One component."""

    name: str
    description: str
    details: dict[str, str | float] = field(default_factory=dict)


REGISTRIES = {  # what each kind lists: registries, by module and name
    "configs": [],
    "spaces": [("nas.search_spaces", "SPACES")],
    "strategies": [("nas.strategies", "STRATEGIES"), ("nas.strategies.supernet", "SUPERNET_STRATEGIES")],
    "proxies": [("nas.strategies.proxies", "PROXIES")],
    "predictors": [("nas.strategies.predictors", "PREDICTORS")],
    "attacks": [("nas.eval.attacks", "ATTACKS")],
    "corruptions": [("nas.eval.corruptions", "CORRUPTIONS")],
    "datasets": [("nas.core.data", "LOADERS")],
    "trainings": [("nas.train", "METHODS")],
    "benchmarks": [("nas.bench", "BENCHES")],
}


def _rows(kind: str, output: Output) -> list[Row]:
    """The components of a kind; a note names each one of another package that cannot be used."""
    if kind == "configs":
        from nas.core.config import describe, shipped

        return [Row(name, describe(name)) for name in shipped()]
    rows = []
    for module, name in REGISTRIES[kind]:
        registry: Registry[Any] = getattr(import_module(module), name)
        details = _details_of_proxy if kind == "proxies" else lambda component: {}
        rows += [Row(name, _first_line(one), details(one)) for name, one in registry.components.items()]
        for reason in registry.unusable.values():
            output.note(reason)
    return rows


def _first_line(component: Any) -> str:
    doc = getattr(component, "doc", None) or component.__doc__ or ""
    return doc.strip().splitlines()[0] if doc.strip() else ""


def _details_of_proxy(proxy: Any) -> dict[str, str | float]:
    options = proxy.Options()
    return {
        "higher_is_better": proxy.higher_is_better,
        "domain": proxy.domain,
        "mode": proxy.mode,
        "batch_norm": proxy.batch_norm,
        "passes": round(proxy.passes(options), 2),
        "batch_size": getattr(options, "batch_size", 0),
        "source": proxy.source,
    }


class List(Command):
    """List recipes, spaces, strategies, proxies, predictors, attacks, corruptions, training methods and the like."""

    name, place = "list", 12
    arguments = (Argument("kind", f"One of {', '.join(REGISTRIES)}; by default all.", default=None),)

    def call(self, output: Output, kind: str | None) -> None:
        kind = "configs" if kind == "recipes" else kind  # what they are called everywhere else
        if kind is not None and kind not in REGISTRIES:
            raise InputError(
                f"Expected one of {', '.join(REGISTRIES)} but got {kind!r}{suggest(kind, list(REGISTRIES))}."
            )
        listed = {name: _rows(name, output) for name in REGISTRIES if kind in (None, name)}
        values = [
            {"name": row.name, "description": row.description, **row.details, "kind": kind}
            for kind, rows in listed.items()
            for row in rows
        ]
        output.emit(values, "\n".join(_text(kind, rows) for kind, rows in listed.items()))


def _text(kind: str, rows: list[Row]) -> str:
    lines = [f"{kind}:"]
    width = max(len(row.name) for row in rows) + 2
    for row in rows:
        lines.append(f"  {row.name:<{width}}{row.description}")
        if row.details:
            details = ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in row.details.items())
            lines.append(" " * (width + 2) + details)
    return "\n".join(lines)
