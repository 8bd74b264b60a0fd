"""The cell spaces of NDS: those of AmoebaNet, DARTS, ENAS, NASNet and PNAS, with the depth and width of the network.

Source: Radosavovic et al., "On Network Design Spaces for Visual Recognition", ICCV 2019 (arXiv:1905.13214).
"""

from nas.search_spaces.nds.point import NDSPoint
from nas.search_spaces.nds.space import NDSDARTS, NDSENAS, NDSPNAS, NDSAmoeba, NDSNASNet

__all__ = ["NDSDARTS", "NDSENAS", "NDSPNAS", "NDSAmoeba", "NDSNASNet", "NDSPoint"]
