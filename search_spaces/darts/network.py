"""The network of a DARTS genotype."""

from __future__ import annotations

from nas.search_spaces.twocells.network import TwoCellsBody


class DARTSBody(TwoCellsBody):
    """Stem, L cells of four nodes, mean over pixels, linear. Its first arguments are `genotype.cells`."""
