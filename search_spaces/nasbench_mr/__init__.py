"""NAS-Bench-MR: networks of parallel branches at several resolutions, 27 numbers, about 3·10²³ configurations.

Source: Ding et al., "Learning Versatile Neural Architectures by Propagating Network Codes", ICLR 2022
(arXiv:2103.13253).
"""

from nas.search_spaces.nasbench_mr.configuration import Configuration
from nas.search_spaces.nasbench_mr.space import NASBenchMR

__all__ = ["Configuration", "NASBenchMR"]
