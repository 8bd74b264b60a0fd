"""The page of the Python face, whose functions and classes mkdocstrings describes when the site is built."""

from __future__ import annotations

import inspect

import nas.api
import nas.core.errors

INTRODUCTION = """\
# Python

Every function of `import nas`, with its arguments, results, errors and examples; the examples are tested. For a first
look: docs/tutorials/python.md."""


def page() -> str:
    things = [(name, getattr(nas.api, name)) for name in nas.api.__all__]
    functions = [name for name, thing in things if not inspect.isclass(thing)]
    classes = [name for name, thing in things if inspect.isclass(thing)]
    parts = [INTRODUCTION, "## Functions", *map(_described, functions)]
    parts += ["## Results", "What the functions return.", *map(_described, classes)]
    parts += ["## Errors", *(f"::: nas.core.errors.{name}" for name in ("NasError", "InputError"))]
    return "\n\n".join(parts) + "\n"


def _described(name: str) -> str:
    return f"::: {'nas.api' if inspect.isclass(getattr(nas.api, name)) else 'nas'}.{name}"
