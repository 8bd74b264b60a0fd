"""How supernet searches came to their cells: the weights of operations, and the derived cell, after each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nas.report.palette import EMPTY, INK, OPERATIONS, SOFT, STUDY_GRID
from nas.search_spaces import NASBench201
from nas.search_spaces.nasbench201.cell import EDGES
from nas.search_spaces.nasbench201.cell import OPERATIONS as NAMES
from nas.studies.plots.drawing import picture_file
from nas.studies.supernets.runs import Epoch

PANEL_WIDTH = 3.0  # inches
PANEL_HEIGHT = 2.9
PANELS_PER_ROW = 4
COLOURS = [OPERATIONS.get(name, EMPTY) for name in NAMES]

Paths = Mapping[tuple[str, str, int], Sequence[Epoch]]  # strategy, length, seed → its epochs


def trajectories(paths: Paths, kind: str) -> bytes:
    """A panel for each strategy and length, as a file of this kind.

    Above, the weight of each operation in softmax(α), the mean over the six edges: a line for each seed. Below, the
    operation that each edge would derive after each epoch, for the first seed.
    """
    return picture_file(lambda: _figure(paths), kind, "trajectories")


def _figure(paths: Paths) -> Figure:
    searches = list(dict.fromkeys((strategy, length) for strategy, length, _ in paths))
    across = min(len(searches), PANELS_PER_ROW)
    down = -(-len(searches) // across)
    figure = Figure(figsize=(PANEL_WIDTH * across, PANEL_HEIGHT * down + 0.9), layout="constrained")
    panels = figure.subplots(2 * down, across, squeeze=False, height_ratios=[3, 2] * down)
    for axes in panels.flatten():
        axes.set_visible(False)
    for number, search in enumerate(searches):
        row, column = divmod(number, across)
        seeds = {seed: epochs for (*name, seed), epochs in paths.items() if tuple(name) == search}
        weights, cells = panels[2 * row, column], panels[2 * row + 1, column]
        weights.set_title(f"{search[0]}, {search[1]} length", loc="left", size=10.5, color=INK)
        _weights(weights, list(seeds.values()))
        _cells(cells, seeds[min(seeds)], min(seeds))
        if column == 0:
            weights.set_ylabel("mean weight", color=INK)
            cells.set_ylabel("edge", color=INK)
    labels = [f"{name} (above: dotted)" if name == "none" else name for name in NAMES]
    handles = [Patch(facecolor=colour, edgecolor=SOFT, lw=0.5, label=one) for one, colour in zip(labels, COLOURS)]
    figure.legend(handles=handles, frameon=False, loc="outside lower left", ncols=len(NAMES), labelcolor=INK)
    return figure


def _weights(axes: Any, seeds: Sequence[Sequence[Epoch]]) -> None:
    axes.set_visible(True)
    for epochs in seeds:
        numbers = np.arange(1, len(epochs) + 1)
        for values, name, colour in zip(np.array([epoch.weights for epoch in epochs]).T, NAMES, COLOURS):
            axes.plot(numbers, values, color=SOFT if name == "none" else colour, lw=1.2, alpha=0.8)
            if name == "none":
                axes.lines[-1].set_linestyle((0, (1, 1.5)))
    axes.set_ylim(0, 1)
    axes.set_xlim(0.5, max(map(len, seeds)) + 0.5)
    axes.grid(True, color=STUDY_GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, labelbottom=False)
    axes.spines[["top", "right"]].set_visible(False)


def _cells(axes: Any, epochs: Sequence[Epoch], seed: int) -> None:
    axes.set_visible(True)
    space = NASBench201()
    grid = np.array([[NAMES.index(name) for name in space.parse(epoch.arch).operations] for epoch in epochs]).T
    axes.pcolormesh(
        np.arange(len(epochs) + 1) + 0.5, np.arange(len(EDGES) + 1), grid, cmap=ListedColormap(COLOURS),
        vmin=-0.5, vmax=len(NAMES) - 0.5, edgecolors="white", linewidth=0.6,
    )  # fmt: skip
    axes.set_ylim(len(EDGES), 0)
    axes.set_yticks(np.arange(len(EDGES)) + 0.5, [f"{source}→{target}" for source, target in EDGES], size=7.5)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel(f"epoch (cell of seed {seed})", color=INK)
    axes.tick_params(length=0, colors=SOFT)
    axes.spines[:].set_visible(False)
