"""The defaults of every proxy, typed here from their sources; what each says of itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nas.strategies.proxies import PROXIES

TABLES = {"batch_size": 64}  # of the published score tables: zero-cost-nas and NAS-Bench-Suite-Zero
PROXY_OPTIONS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        ("grad_norm", "snip", "grasp", "fisher", "synflow", "plain", "l2_norm", "jacov", "epe_nas", "nwot", "zico"),
        TABLES,
    ),
    "zen": TABLES,
    "params": {},
    "flops": {},
    "jacob_fro": {**TABLES, "projections": 1},  # Hoffman et al. 2019, who use one
    "hessian": {"batch_size": 16, "iterations": 10},
    "linear_regions": {**TABLES, "crops": 1000, "pixels": 4, "initialisations": 3},  # the release: three repetitions
    "ntk_cond": {"batch_size": 32, "initialisations": 3},
    "croze": {  # docs/studies/croze.md: chosen on one half of the classes and reported on the other
        "batch_size": 16, "beta": 4.0, "epsilon": 0.01, "gamma": 0.0, "batch_norm": True, "absolute_weights": False,
        "features": "all", "weights": "all", "gradients": "first", "reduction": "sum", "ascend": True, "clamp": False,
    },
    "croze_official": {"batch_size": 8},  # the release
    "eproxy": {  # the release, config_nb201_mse_12e-1; the feature is that of Li et al., section 2.1
        "batch_size": 16, "iterations": 10, "lr": 1.2, "momentum": 0.9, "weight_decay": 0.00004, "stages": 3,
        "transform": [1], "use_barrier": True, "barrier": [3], "c_mid": [128], "c_out": 128, "features": ["net"],
        "coefficient": [1.0], "init": "default", "barrier_init": "default", "alpha": 0.0, "settings": None,
    },
}  # fmt: skip


def test_the_defaults_are_those_of_the_sources() -> None:
    assert {name: asdict(PROXIES.get(name).Options()) for name in PROXIES.names()} == PROXY_OPTIONS


# direction, network mode, domain: the definitions of each proxy
SAYS: dict[str, tuple[bool, str, str]] = {
    "croze": (True, "train", "linear"),
    "croze_official": (True, "train", "linear"),
    "epe_nas": (True, "train", "linear"),
    "eproxy": (False, "train", "linear"),  # a loss
    "fisher": (True, "train", "linear"),
    "flops": (True, "none", "linear"),
    "grad_norm": (True, "train", "linear"),
    "grasp": (True, "train", "linear"),
    "hessian": (False, "eval", "linear"),  # flatter is better
    "jacob_fro": (False, "train", "linear"),  # less sensitive is better
    "jacov": (True, "train", "linear"),
    "l2_norm": (True, "train", "linear"),
    "linear_regions": (True, "train", "linear"),
    "ntk_cond": (False, "train", "log"),  # well-conditioned is better
    "nwot": (True, "train", "log"),
    "params": (True, "none", "linear"),
    "plain": (True, "train", "linear"),
    "snip": (True, "train", "linear"),
    "synflow": (True, "train", "log"),
    "zen": (True, "train", "log"),
    "zico": (True, "train", "log"),
}
COST = {"params", "flops"}
TWO_BATCHES = {"zico"}  # Li et al., ICLR 2023: two batches


def test_each_proxy_says_its_direction_mode_and_domain() -> None:
    proxies = PROXIES.components.values()
    assert {one.name: (one.higher_is_better, one.mode, one.domain) for one in proxies} == SAYS
    assert {one.name for one in proxies if one.needs == "cost"} == COST
    assert {one.name: one.batches for one in proxies} == {name: 2 if name in TWO_BATCHES else 1 for name in SAYS}
