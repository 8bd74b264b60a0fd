"""TransNAS-Bench-101: a cell of NAS-Bench-201's graph in five layers (micro), and four to six residual layers (macro).

Source: Duan, Chen, Xu, Chen, Liang, Zhang and Li, CVPR 2021 (arXiv:2105.11871).
"""

from nas.search_spaces.transnas.macro import Layers
from nas.search_spaces.transnas.macro_space import TransNASMacro
from nas.search_spaces.transnas.micro import MicroCell
from nas.search_spaces.transnas.micro_space import TransNASMicro

__all__ = ["Layers", "MicroCell", "TransNASMacro", "TransNASMicro"]
