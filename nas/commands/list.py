"""`nas list`: what there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nas.commands.base.arguments import Argument
from nas.commands.base.command import Command, Output
from nas.core.errors import InputError
from nas.core.registry import suggest


@dataclass(frozen=True)
class Row:
    """One component."""

    name: str
    description: str
    details: dict[str, str | float] = field(default_factory=dict)


Rows = list[Row]


def _documented(package: str, registry: str) -> Callable[[], Rows]:
    def rows() -> Rows:
        import importlib

        components = getattr(importlib.import_module(package), registry).components
        return [Row(name, _first_line(value)) for name, value in components.items()]

    return rows


def _first_line(component: Any) -> str:
    doc = getattr(component, "doc", None) or component.__doc__ or ""
    return doc.strip().splitlines()[0] if doc.strip() else ""


def _proxies() -> Rows:
    from nas.strategies.proxies import PROXIES

    return [
        Row(
            proxy.name,
            proxy.doc.splitlines()[0],
            {
                "higher_is_better": proxy.higher_is_better,
                "domain": proxy.domain,
                "mode": proxy.mode,
                "batch_norm": proxy.batch_norm,
                "passes": round(proxy.passes(proxy.Options()), 2),
                "batch_size": getattr(proxy.Options(), "batch_size", 0),
                "source": proxy.source,
            },
        )
        for proxy in PROXIES.components.values()
    ]


def _configs() -> Rows:
    from nas.core.config import describe, shipped

    return [Row(name, describe(name)) for name in shipped()]


KINDS: dict[str, Callable[[], Rows]] = {
    "configs": _configs,
    "spaces": _documented("nas.search_spaces", "SPACES"),
    "strategies": lambda: [
        *_documented("nas.strategies", "STRATEGIES")(),
        *_documented("nas.strategies.supernet", "SUPERNET_STRATEGIES")(),
    ],
    "proxies": _proxies,
    "predictors": _documented("nas.strategies.predictors", "PREDICTORS"),
    "attacks": _documented("nas.eval.attacks", "ATTACKS"),
    "corruptions": _documented("nas.eval.corruptions", "CORRUPTIONS"),
    "datasets": _documented("nas.core.data", "LOADERS"),
    "trainings": _documented("nas.train", "METHODS"),
    "benchmarks": _documented("nas.bench", "BENCHES"),
}


class List(Command):
    """List configurations, spaces, strategies, proxies, predictors, attacks, corruptions, trainings and the like."""

    name, place = "list", 12
    arguments = (Argument("kind", f"One of {', '.join(KINDS)}; all of them by default.", default=None),)

    def call(self, output: Output, kind: str | None) -> None:
        if kind is not None and kind not in KINDS:
            raise InputError(f"Expected one of {', '.join(KINDS)} but got {kind!r}{suggest(kind, list(KINDS))}.")
        listed = {name: rows() for name, rows in KINDS.items() if kind in (None, name)}
        rows = [
            {"name": row.name, "description": row.description, **row.details, "kind": kind}
            for kind, found in listed.items()
            for row in found
        ]
        output.emit(rows, "\n".join(_text(name, found) for name, found in listed.items()))


def _text(kind: str, rows: Rows) -> str:
    lines = [f"{kind}:"]
    width = max(len(row.name) for row in rows) + 2
    for row in rows:
        lines.append(f"  {row.name:<{width}}{row.description}")
        if row.details:
            details = ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in row.details.items())
            lines.append(" " * (width + 2) + details)
    return "\n".join(lines)
