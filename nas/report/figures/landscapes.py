"""The picture of a loss landscape: the mean loss, the accuracy, and the loss around single images."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from nas.core.radius import radius
from nas.report.figures.drawing import EMBEDDED, KINDS
from nas.report.palette import INK, SOFT
from nas.results import Landscape

SIZE = (12.6, 3.7)  # inches
DPI = 130
SHADES = 12
LABELLED_LINES = 4  # about this many lines of equal values
COLOURS = "viridis"


def picture(landscape: Landscape, kind: str = "png") -> bytes:
    """The landscape of an evaluation as a file of this kind, with the same bytes for the same numbers."""
    style: Any = {
        **EMBEDDED,
        "svg.hashsalt": "landscape",
        "font.size": 9,
        "text.parse_math": False,
        "axes.labelcolor": INK,
        "axes.titlesize": 9.5,
    }
    with rc_context(style):
        figure = Figure(figsize=SIZE, facecolor="white", layout="constrained")
        panels: Any = figure.subfigures(1, 3, width_ratios=(1, 1, 1.5))
        left, middle, right = panels
        _surface(left.add_subplot(projection="3d"), landscape)
        _map(middle.add_subplot(), landscape)
        _examples(right, landscape)
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=DPI, metadata={KINDS.get(kind, "Software"): None})
    return file.getvalue()


def _units(landscape: Landscape) -> np.ndarray:
    """The coordinates in multiples of the attack's radius."""
    return np.array(landscape.axis) / landscape.eps


def _surface(axes: Any, landscape: Landscape) -> None:
    units, loss = _units(landscape), np.array(landscape.loss, dtype=float)
    across, along = np.meshgrid(units, units)  # rows run along the gradient
    axes.plot_surface(
        along, across, loss, cmap=COLOURS, rcount=len(units), ccount=len(units), lw=0.2, edgecolor="white"
    )
    axes.set_xlabel("gradient's sign (ε)", labelpad=1)
    axes.set_ylabel("random sign (ε)", labelpad=1)
    axes.tick_params(pad=0, labelsize=7.5, colors=SOFT)
    axes.view_init(elev=28, azim=-128)
    for coordinate in (axes.xaxis, axes.yaxis, axes.zaxis):
        coordinate.set_major_locator(MaxNLocator(4))
    axes.set_title(f"mean loss (nats), {landscape.images:,} images")
    axes.set_box_aspect(None, zoom=0.9)


def _map(axes: Axes, landscape: Landscape) -> None:
    units = _units(landscape)
    accuracy = 100 * np.array(landscape.accuracy)
    shades = axes.pcolormesh(units, units, accuracy, cmap="magma", vmin=0, vmax=100)
    _contours(axes, units, accuracy)
    _ball(axes, landscape.norm)
    axes.set_xlabel("random sign (ε)")
    axes.set_ylabel("gradient's sign (ε)")
    axes.set_aspect("equal")
    axes.set_title(f"accuracy (%), ε = {radius(landscape.eps)}")
    axes.figure.colorbar(shades, ax=axes, shrink=0.75)


def _examples(panel: Any, landscape: Landscape) -> None:
    units = _units(landscape)
    grids = [np.array(grid, dtype=float) for grid in landscape.examples]
    parts = panel.subplots(1, len(grids), squeeze=False)[0]
    for axes, grid in zip(parts, grids):
        axes.contourf(units, units, grid, levels=SHADES, cmap=COLOURS)
        _contours(axes, units, grid)
        _ball(axes, landscape.norm)
        axes.set_aspect("equal")
        axes.set_title(f"{grid.min():.2g} to {grid.max():.2g}", color=SOFT, fontsize=8)
        axes.tick_params(labelsize=7, colors=SOFT)
        axes.label_outer()
    panel.suptitle("loss around single images (nats)", fontsize=9.5)


def _contours(axes: Axes, units: np.ndarray, grid: np.ndarray) -> None:
    """Lines of equal values with their numbers, which can be read without colours."""
    finite = grid[np.isfinite(grid)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    levels = [level for level in MaxNLocator(LABELLED_LINES).tick_values(low, high) if low < level < high]
    if levels:
        lines = axes.contour(units, units, grid, levels=levels, colors="white", linewidths=0.6)
        labels = axes.clabel(lines, fontsize=6.5, fmt="%.3g")
        for label in labels or []:
            label.set_path_effects([withStroke(linewidth=1.5, foreground=INK)])


def _ball(axes: Axes, norm: str) -> None:
    """The boundary of the attack's ball.

    At the point (a, b) of the plane, a pixel has moved by up to |a| + |b| (L∞). The two directions are almost at right
    angles, so the length of the whole move is √(a² + b²) (L2).
    """
    angles = np.linspace(0, 2 * np.pi, 5 if norm == "Linf" else 90)
    for colour, style in ((INK, "-"), ("white", ":")):
        axes.plot(np.cos(angles), np.sin(angles), color=colour, lw=1.3, ls=style)
