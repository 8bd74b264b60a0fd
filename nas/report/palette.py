"""The colours and line styles of pages and pictures, each defined once."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's palette, safe for colour-blind readers.
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
ORANGE = "#E69F00"
BLACK = "#000000"
GREY = "#555555"
MUTED = ("#332288", "#882255", "#999933")  # of Tol's palette

SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)  # curves of a study, in this order
SERIES_DASHES: Any = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1.5, 2)), (0, (9, 3)))
MARKERS = {  # marker of matplotlib → the same shape around (16, 6) as an SVG path
    "o": "M12 6a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "s": "M12.5 2.5h7v7h-7z",
    "^": "M16 1.5l4.5 8.5h-9z",
    "D": "M16 1.2l4.8 4.8-4.8 4.8-4.8-4.8z",
    "v": "M16 10.5l4.5-8.5h-9z",
    "P": "M14.5 1.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
    ">": "M20.5 6l-8.5 4.5v-9z",
}
HATCHES = ("", "////", "....", "xxxx", "----")  # of bars

CHECKPOINTS = (BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE, *MUTED, GREY)  # of a comparison
CELLS = {"best": BLUE, "random": VERMILION}  # cells of a run, by name
OTHER_CELLS = (GREEN, PURPLE, SKY, ORANGE, GREY)

DASHES: dict[str, tuple[float, ...]] = {  # by training method: lengths in points, alternately drawn and left out
    "standard": (4, 2.5),
    "pgd": (),
    "trades": (8, 2),
    "fgsm": (1.5, 1.5),
    "free": (6, 2, 1.5, 2),
}
OTHER_DASHES = (2, 4)

OPERATIONS = {
    "nor_conv_3x3": BLUE,
    "nor_conv_1x1": SKY,
    "sep_conv_5x5": BLUE,
    "sep_conv_3x3": SKY,
    "dil_conv_5x5": VERMILION,
    "dil_conv_3x3": ORANGE,
    "avg_pool_3x3": GREEN,
    "max_pool_3x3": PURPLE,
    "skip_connect": "#666666",
    "concat": "#A0A0A0",
}
OTHER_OPERATIONS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
NODE = "#23303d"  # nodes of a cell

DIVERGING = ("#7f3b08", VERMILION, "#f8f9fa", BLUE, "#053560")  # of a heat map, from -1 through 0 to 1
EMPTY = "#eceff1"  # cells of a heat map without a value

INK = "#1b2733"  # text
SOFT = "#56616c"  # less important text
AXIS = "#8a949e"  # axes, and points in the background
GRID = "#e6e9ec"
STUDY_GRID = "#e3e7ea"
HRS_LINE = "#c3cad0"
PAPER = "#f5f7f8"
RULE = "#dfe4e8"  # lines of tables
STRONG_RULE = "#aeb7bf"
INSIGNIFICANT_BAR = "#a5aeb6"  # of a difference
METER = "#9fb6c8"


def marker(number: int) -> str:
    """The marker of the cell, checkpoint or series with this number."""
    return list(MARKERS)[number % len(MARKERS)]


def series(number: int) -> dict[str, object]:
    """The look of a study's curve of this number; no two of the first 35 have the same line style and marker."""
    return {
        "color": SERIES[number % len(SERIES)],
        "linestyle": SERIES_DASHES[number % len(SERIES_DASHES)],
        "marker": marker(number),
        "markersize": 4,
    }
