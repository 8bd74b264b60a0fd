"""The residual networks of NDS: a number, a width and a stride of blocks for each stage.

Source: Radosavovic et al., "On Network Design Spaces for Visual Recognition", ICCV 2019 (arXiv:1905.13214).
"""

from nas.search_spaces.residual.architecture import ResidualArch
from nas.search_spaces.residual.space import NDSResNet, NDSResNeXtA, NDSResNeXtB

__all__ = ["NDSResNeXtA", "NDSResNeXtB", "NDSResNet", "ResidualArch"]
