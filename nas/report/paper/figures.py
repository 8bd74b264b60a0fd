"""The figures of a page as files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nas.core.io.files import os_errors_as_input_errors, write_atomic
from nas.core.io.records import Json
from nas.report.figures.drawing import drawings
from nas.report.figures.landscapes import picture
from nas.report.wording import picture_name
from nas.results import EvalResult


def write_figures(folder: Path, page: Json, networks: Sequence[EvalResult], kinds: Sequence[str]) -> list[Path]:
    """Write the curves and cells among the values of a page, and the loss landscapes of the networks, into a folder.

    Each is written once for each kind (`svg`, `pdf`); the paths are returned. Raises InputError if a file cannot be
    written.
    """
    paths = []
    for name, kind, content in _files(page, networks, kinds):
        path, number = folder / f"{name}.{kind}", 1
        while path in paths:  # two names of networks can differ in letters alone that names of files do not have
            number += 1
            path = folder / f"{name}-{number}.{kind}"
        paths.append(path)
        with os_errors_as_input_errors(paths[-1]):
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(paths[-1], lambda file, content=content: file.write(content))  # type: ignore[misc]
    return paths


def _files(page: Json, networks: Sequence[EvalResult], kinds: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
    for drawing in drawings(page):
        name = re.sub(r"[^\w.-]", "_", drawing.name)
        yield from ((name, kind, drawing.file(kind)) for kind in kinds)
    for network in networks:
        if (landscape := network.measures.landscape) is not None:
            name = Path(picture_name(network.name)).stem
            yield from ((name, kind, picture(landscape, kind)) for kind in kinds)
