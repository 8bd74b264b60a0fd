"""The settings of Eproxy and the file that has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from nas.core import config
from nas.core.errors import InputError
from nas.search_spaces import Network
from nas.search_spaces.nasbench201 import NASBench201
from nas.strategies.proxies.eproxy.proxy import eproxy
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.strategies.proxies.passes.probe import Probe

Tiny = Callable[..., Network]
Batch = tuple[Tensor, Tensor]
CONV = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"


def read(**values: Any) -> EproxyOptions:
    return config.checked(values, EproxyOptions)


def test_a_settings_file_takes_the_place_of_the_defaults(tmp_path: Path, tiny: Tiny, batch: Batch) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("lr: 0.7\nstages: 2\nc_mid: [4, 8]\nfeatures: [dot, net+dot]\nc_out: 3\n")
    options = read(settings=str(path), momentum=0.5)
    assert (options.lr, options.c_mid, options.momentum, options.settings) == (0.7, [4, 8], 0.5, None)
    assert read(settings=str(path), lr=0.7).lr == 0.7
    space = NASBench201()
    probe = Probe(tiny(space, space.parse(CONV)), *batch)
    assert eproxy(probe, EproxyOptions(settings=str(path), momentum=0.5)) == eproxy(probe, options)
    path.unlink()
    assert read(**config.plain(options)) == options  # a run goes on without the file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lrr: 1", "did you mean 'lr'"),
        ("lr: 0", "lr to be between 1e-06 and 100"),
        ("lr: fast", "lr"),
        ("features: [net+dott]", "dot"),
        ("features: [net+net]", "different names"),
        ("features: []", "features"),
        ("features: ['']", "features"),
        ("transform: 4", "odd"),
        ("c_mid: [8, 8]", "one value, or one for each of 3 stages"),
        ("stages: 4", "between 1 and 3"),
        ("init: he", "kaiming_normal"),
        ("alpha: -1", "alpha"),
        ("coefficient: 0", "coefficient"),
        ("settings: other.yaml", "another"),
        ("- 1", "keys and values"),
        ("iterations: 0", "iterations"),
        ("lr: .nan", "lr"),
        ("use_barrier: false\nc_mid: 64", "c_mid equal to proxies.eproxy.c_out=128"),
        ("use_barrier: false\nc_mid: [128, 64, 128]", "c_mid equal to proxies.eproxy.c_out=128"),
        ("use_barrier: false\nbarrier: 1", "no proxies.eproxy.barrier without"),
        ("use_barrier: false\nbarrier_init: xavier_normal", "no proxies.eproxy.barrier_init without"),
        ("use_barrier: sometimes", "use_barrier"),
    ],
)
def test_wrong_settings_are_told_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"mine\.yaml") as caught:
        read(settings=str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_from_before_there_was_a_switch_have_a_barrier(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("lr: 0.7\nbarrier: [7]\n")
    assert read(settings=str(path)).use_barrier
    assert read(settings="eproxy/nb201").use_barrier
    path.write_text("use_barrier: false\nc_mid: [32]\nc_out: 32\n")
    options = read(settings=str(path))
    assert (options.use_barrier, options.c_mid) == (False, [32])
    values = config.plain(EproxyOptions())
    del values["use_barrier"]  # as a run of before kept them
    assert read(**values) == EproxyOptions()


def test_missing_files_and_values_from_two_places(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        read(settings=str(tmp_path / "nowhere.yaml"))
    path = tmp_path / "mine.yaml"
    path.write_text("lr: 0.7\n")
    with pytest.raises(InputError, match="got both"):
        read(settings=str(path), lr=0.9)
