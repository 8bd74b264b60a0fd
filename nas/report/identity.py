"""How each model is named and drawn: colour and marker stand for the cell, the line style for the training method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nas.report.palette import CELLS, DASHES, MARKERS, OTHER_CELLS, OTHER_DASHES, marker
from nas.results import UNKNOWN
from nas.train.methods import METHODS

# Training methods by their name in the settings; those that are not adversarial come first.
METHOD_LABELS = {
    name: method.label for name, method in sorted(METHODS.components.items(), key=lambda item: item[1].adversarial)
}


@dataclass(frozen=True)
class Identity:
    """The cell from which a model was built, and the method by which it was trained."""

    cell: str
    method: str  # as in the settings
    colour: str
    marker: str  # of matplotlib

    @property
    def method_label(self) -> str:
        return "training not known" if self.method == UNKNOWN else METHOD_LABELS.get(self.method, self.method)

    @property
    def label(self) -> str:
        """The cell, and the method if it is known."""
        return self.cell if self.method == UNKNOWN else f"{self.cell}, {self.method_label}"

    @property
    def dashes(self) -> tuple[float, ...]:
        """The lengths of dashes and gaps in its line, in turn, in points; empty for a solid line."""
        return DASHES.get(self.method, OTHER_DASHES)

    @property
    def marker_path(self) -> str:
        """The marker in the middle of a swatch, as an SVG path."""
        return MARKERS[self.marker]


def identities(methods: Mapping[str, str | None]) -> dict[str, Identity]:
    """The identities of models by name, from the method of each (None if it is unknown).

    A run calls its models `<cell>-<method>`; any other name is taken for that of a cell.
    """
    split = {}
    for name, method in methods.items():
        cell, _, suffix = name.rpartition("-")
        has_method = cell and suffix in {method, *METHOD_LABELS}
        split[name] = (cell, suffix) if has_method else (name, method or "standard")
    cells = list(dict.fromkeys([*CELLS, *(cell for cell, _ in split.values())]))
    colours = [*CELLS.values(), *(OTHER_CELLS[number % len(OTHER_CELLS)] for number in range(len(cells) - len(CELLS)))]
    looks = {cell: (colour, marker(number)) for number, (cell, colour) in enumerate(zip(cells, colours))}
    return {name: Identity(cell, method, *looks[cell]) for name, (cell, method) in split.items()}
