"""The five cell spaces of NDS as data, and the depths and widths of their networks.

Source: Radosavovic, Johnson, Xie, Lo and Dollár, "On Network Design Spaces for Visual Recognition", ICCV 2019
(arXiv:1905.13214), section 3 and appendix A. The operations have the names of the published records.
"""

from __future__ import annotations

from nas.search_spaces.darts.genotype import OPERATIONS
from nas.search_spaces.twocells.family import Family

CIFAR_DEPTHS = (4, 8, 12, 16, 20)
IMAGENET_DEPTHS = (6, 10, 14, 18, 22)
WIDTHS = (32, 48, 64, 80, 96)

NASNET = Family(
    "NDS-NASNet",
    (
        "skip_connect",
        "avg_pool_3x3",
        "max_pool_3x3",
        "max_pool_5x5",
        "max_pool_7x7",
        "conv_1x1",
        "conv_3x3",
        "conv_3x1_1x3",
        "conv_7x1_1x7",
        "dil_conv_3x3",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "sep_conv_7x7",
    ),
    count=5,
    loose_ends=True,
)
AMOEBA = Family(
    "NDS-Amoeba",
    (
        "skip_connect",
        "avg_pool_3x3",
        "max_pool_3x3",
        "conv_7x1_1x7",
        "dil_sep_conv_3x3",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "sep_conv_7x7",
    ),
    count=5,
    loose_ends=True,
)
PNAS = Family(
    "NDS-PNAS",
    (
        "skip_connect",
        "avg_pool_3x3",
        "max_pool_3x3",
        "conv_7x1_1x7",
        "dil_conv_3x3",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "sep_conv_7x7",
    ),
    count=5,
)
ENAS = Family(
    "NDS-ENAS",
    ("skip_connect", "avg_pool_3x3", "max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5"),
    count=5,
    loose_ends=True,
)
DARTS = Family(
    "NDS-DARTS",
    OPERATIONS,
    count=4,
)
