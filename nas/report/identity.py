"""How each model is named and drawn: colour and marker tell the cell, the line style tells the training."""

from __future__ import annotations

from dataclasses import dataclass

from nas.report.palette import CELLS, DASHES, MARKERS, OTHER_CELLS, OTHER_DASHES, marker
from nas.train.methods import METHODS

# As in the settings -> as in prose.
TRAININGS = {
    name: method.label for name, method in sorted(METHODS.components.items(), key=lambda item: item[1].adversarial)
}


@dataclass(frozen=True)
class Identity:
    """One model: the cell it was built from and its training."""

    cell: str
    training: str
    colour: str
    marker: str  # of matplotlib

    @property
    def method(self) -> str:
        """Its training in prose."""
        return TRAININGS.get(self.training, self.training)

    @property
    def label(self) -> str:
        return f"{self.cell}, {self.method}"

    @property
    def dashes(self) -> tuple[float, ...]:
        """On and off lengths of its line in points; empty for a full line."""
        return DASHES.get(self.training, OTHER_DASHES)

    @property
    def marker_path(self) -> str:
        """Its marker in the middle of a swatch, as a path of SVG."""
        return MARKERS[self.marker]


def identities(trainings: dict[str, str | None]) -> dict[str, Identity]:
    """Identities by model name, from each model's name and (where known) its training.

    A run calls its models `<cell>-<training>`; any other name stands for itself.
    """
    split = {}
    for name, training in trainings.items():
        cell, _, suffix = name.rpartition("-")
        if cell and suffix in TRAININGS:
            split[name] = (cell, suffix)
        else:
            split[name] = (name, training or "standard")
    cells = list(dict.fromkeys([*CELLS, *(cell for cell, _ in split.values())]))
    colours = [*CELLS.values(), *(OTHER_CELLS[number % len(OTHER_CELLS)] for number in range(len(cells) - len(CELLS)))]
    looks = {cell: (colour, marker(number)) for number, (cell, colour) in enumerate(zip(cells, colours))}
    return {name: Identity(cell, training, *looks[cell]) for name, (cell, training) in split.items()}
