"""The residual spaces of NDS: notation, domains, changes; the networks are in `test_residual_network.py`."""

from __future__ import annotations

import json
from math import prod
from random import Random
from typing import Any

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces import SPACES
from nas.search_spaces.residual import NDSResNet, NDSResNeXtA, NDSResNeXtB, ResidualArch

RESNET = {
    "block_type": "res_basic_block",
    "bot_muls": [],
    "ds": [1, 5, 2, 3, 10],
    "num_gs": [],
    "ss": [4, 1, 2, 2, 2],
    "ws": [32, 32, 32, 192, 128],
}
RESNEXT = {
    "block_type": "res_bottleneck_block",
    "bot_muls": [1.0, 0.25, 0.5, 0.25],
    "ds": [1, 2, 2, 2],
    "num_gs": [1, 2, 4, 2],
    "ss": [8, 1, 2, 2],
    "ws": [64, 16, 128, 128],
}
# Radosavovic et al., ICCV 2019, table 1 (ResNeXt-A and -B); blocks and widths of the ResNet records for ImageNet
DOMAINS: dict[str, dict[str, set[Any]]] = {
    "nds-resnet": {
        "stem": {16, 32, 64},
        "ds": {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24},
        "ws": {16, 32, 48, 64, 96, 128, 192, 256, 384, 512},
    },
    "nds-resnext-a": {
        "stem": {64},
        "ds": {1, 2, 4, 8, 16},
        "ws": {16, 32, 64, 128, 256},
        "bot_muls": {0.25, 0.5, 1.0},
        "num_gs": {1, 2, 4},
    },
    "nds-resnext-b": {
        "stem": {64},
        "ds": {1, 2, 4, 8, 16},
        "ws": {64, 128, 256, 512, 1024},
        "bot_muls": {0.25, 0.5, 1.0},
        "num_gs": {1, 2, 4, 8, 16},
    },
}
COUNTS = {"nds-resnet": 622_080_000, "nds-resnext-a": 11_390_625, "nds-resnext-b": 52_734_375}
STRIDES = {"nds-resnet": (4, 1, 2, 2, 2), "nds-resnext-a": (8, 1, 2, 2), "nds-resnext-b": (8, 1, 2, 2)}


def record(net: dict[str, Any]) -> dict[str, Any]:
    """As in the files of NDS, with numbers of ten digits and lists of errors."""
    return {"job_id": "1", "flops": 1_157_078_480, "net": net, "optim": {"wd": 5e-05}, "test_ep_top1": [86.2, 80.9]}


def test_the_notation_is_the_records() -> None:
    for space, net in ((NDSResNet(), RESNET), (NDSResNeXtA(), RESNEXT)):
        arch = space.parse(json.dumps(net))
        assert str(arch) == json.dumps(net)
    assert arch == ResidualArch((1, 2, 2, 2), (64, 16, 128, 128), (8, 1, 2, 2), (1.0, 0.25, 0.5, 0.25), (1, 2, 4, 2))


@pytest.mark.parametrize("net", [RESNET, RESNEXT], ids=["resnet", "resnext"])
def test_it_is_read_as_users_have_it(net: dict[str, Any]) -> None:
    space = NDSResNet() if net is RESNET else NDSResNeXtA()
    expected = space.parse(json.dumps(net))
    empty = {key: value for key, value in net.items() if value}
    tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in net.items()}
    numpy = {key: [np.int64(one) for one in net[key]] for key in ("ds", "ws", "ss")}
    texts = [
        json.dumps(net, separators=(",", ":")),
        json.dumps(net, indent=2),
        json.dumps(dict(reversed(net.items()))),
        json.dumps({**net, "name": "mine"}),
        json.dumps({key: value for key, value in empty.items() if key != "block_type"}),
        json.dumps(record(net)),
        json.dumps([record(net)]),
        str(net),
        str(tuples),
        str(record(net)),
        str({**net, **numpy}),
        f"2019-05-27 13:25:46,379 net = {net}",
        json.dumps({**net, "ds": [float(one) for one in net["ds"]]}),
        json.dumps({**net, "num_gs": net["num_gs"][1:], "bot_muls": net["bot_muls"][1:]}),
        json.dumps({**net, "num_gs": net["num_gs"] or None, "bot_muls": net["bot_muls"] or None}),
    ]
    for text in texts:
        assert space.parse(text) == expected, text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ds": [1, 5, 2, 3]}, "5 entries of 'ws' and 4 of 'ds'"),
        ({"ds": [1, 5, 2, 3, 10, 2]}, "6 entries where one of the stem and 1 to 4 of stages should be"),
        ({"ds": [1]}, "1 entries where one of the stem"),
        ({"ds": [1, 5, 2, 0, 10]}, "0 where a number of blocks from 1 to 1024 should be at character"),
        ({"ds": [1, 5, 2, 2.5, 10]}, "2.5 where a number of blocks"),
        ({"ds": [1, 5, 2, True, 10]}, "true where a number of blocks"),
        ({"ws": [32, 32, 32, "192", 128]}, '"192" where a width from 1 to 16384 should be'),
        ({"ws": 5}, "5 where a list of whole numbers should be"),
        ({"ss": [4, 1, 2, 2, 9]}, "9 where a stride from 1 to 8 should be"),
        ({"ss": None}, "null where a list of whole numbers should be"),
        ({"block_type": "res_bottleneck_block"}, "the block 'res_bottleneck_block' instead of 'res_basic_block'"),
        ({"bot_muls": [1.0] * 5}, "'bot_muls', which basic blocks do not have,"),
        ({"wss": 1}, r"the unknown key 'wss' \(did you mean 'ws'"),
    ],
)
def test_a_wrong_network_is_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"Expected a network of nds-resnet but got {message}.*; write it as"):
        NDSResNet().parse(json.dumps({**RESNET, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_gs": [1, 3, 4, 2]}, "3 groups, which do not divide the inner width 4, at character"),
        ({"num_gs": [1, 2, 4]}, None),
        ({"num_gs": [4, 2]}, "2 entries of 'num_gs' and 4 of 'ds'"),
        ({"num_gs": []}, "0 entries of 'num_gs' and 4 of 'ds'"),
        ({"bot_muls": [1.0, 0.0, 0.5, 0.25]}, "0.0 where a bottleneck from 1e-06 to 64 should be"),
        ({"bot_muls": [1.0, "a", 0.5, 0.25]}, '"a" where a bottleneck'),
        ({"bot_muls": [1.0, 0.001, 0.5, 0.25]}, "2 groups, which do not divide the inner width 0,"),
        ({"block_type": "res_basic_block"}, "the block 'res_basic_block' instead of 'res_bottleneck_block'"),
    ],
)
def test_a_wrong_bottleneck_is_told(changes: dict[str, Any], message: str | None) -> None:
    text = json.dumps({**RESNEXT, **changes})
    if message is None:
        assert NDSResNeXtA().parse(text).num_gs == (1, 1, 2, 4), "the stem's entry may be missing"
        return
    with pytest.raises(InputError, match=rf"Expected a network of nds-resnext-a but got {message}.*; write it as"):
        NDSResNeXtA().parse(text)


def test_missing_and_double_records_are_told() -> None:
    space = NDSResNet()
    for key in ("ds", "ws", "ss"):
        with pytest.raises(InputError, match=f"no '{key}' in the object at character 1"):
            space.parse(json.dumps({name: value for name, value in RESNET.items() if name != key}))
    with pytest.raises(InputError, match="2 records, the second"):
        space.parse(json.dumps([record(RESNET), record(RESNET)]))
    with pytest.raises(InputError, match="two objects, the second"):
        space.parse(f"{RESNET}, {RESNET}")
    with pytest.raises(InputError, match="200001 characters"):
        space.parse("{" + " " * 200_000)


def test_records_for_cifar_are_read() -> None:
    """With three stages, the stem's stride 1, and values that the space does not draw."""
    net = {**RESNET, "ds": [1, 9, 7, 15], "ws": [16, 24, 40, 224], "ss": [1, 1, 2, 2]}
    space = NDSResNet()
    arch = space.parse(json.dumps(net))
    assert json.loads(str(arch)) == net
    rng = Random(0)
    for _ in range(50):
        assert space.parse(str(space.mutate(arch, rng))) != arch
    assert space.features(arch).shape == (len(space.feature_names()),)


@pytest.mark.parametrize("name", DOMAINS)
def test_the_domain_is_the_papers(name: str) -> None:
    space, rng = SPACES.get(name)(), Random(1)
    archs = [space.sample(rng) for _ in range(1500)]
    stages = len(STRIDES[name])
    for key, values in DOMAINS[name].items():
        if key == "stem":
            assert {arch.ws[0] for arch in archs} == values
            continue
        for place in range(1, stages):
            found = [getattr(arch, key)[place] for arch in archs]
            assert set(found) == values
            rarest = min(map(found.count, values))
            assert rarest > 1500 / len(values) * 0.6, "uniform"
    assert {arch.ss for arch in archs} == {STRIDES[name]}
    assert {arch.ds[0] for arch in archs} == {1}
    if "num_gs" in DOMAINS[name]:
        assert {(arch.num_gs[0], arch.bot_muls[0]) for arch in archs} == {(1, 1.0)}
    else:
        assert {(arch.num_gs, arch.bot_muls) for arch in archs} == {((), ())}
    sizes = {key: len(values) for key, values in DOMAINS[name].items()}
    stem = sizes.pop("stem")
    assert len(space) == COUNTS[name] == stem * prod(sizes.values()) ** (stages - 1)


@pytest.mark.parametrize("name", DOMAINS)
def test_a_mutation_changes_one_entry(name: str) -> None:
    space, rng = SPACES.get(name)(), Random(2)
    arch = space.sample(rng)
    changed = set()
    for _ in range(400):
        child = space.mutate(arch, rng)
        (entry,) = [
            (key, place)
            for key in ("ds", "ws", "ss", "bot_muls", "num_gs")
            for place, (a, b) in enumerate(zip(getattr(arch, key), getattr(child, key)))
            if a != b
        ]
        changed.add(entry)
    per_stage = len(DOMAINS[name]) - 1
    assert len(changed) == per_stage * (len(STRIDES[name]) - 1) + (name == "nds-resnet")
    assert len(space.neighbors(arch)) == {"nds-resnet": 82, "nds-resnext-a": 36, "nds-resnext-b": 42}[name]


def test_every_network_is_its_own_class() -> None:
    for name in DOMAINS:
        space, rng = SPACES.get(name)(), Random(3)
        for _ in range(50):
            arch = space.sample(rng)
            assert space.canonical(arch) == arch


def test_entries_without_a_meaning_do_not_make_another_class() -> None:
    space = NDSResNeXtA()
    expected = space.parse(json.dumps(RESNEXT))
    for changes in (
        {"ds": [3, 2, 2, 2]},
        {"ss": [1, 1, 2, 2]},
        {"bot_muls": [0.5, 0.26, 0.5, 0.25]},  # 4.16 of 16 channels are 4
        {"num_gs": [2, 2, 4, 2]},
    ):
        arch = space.parse(json.dumps({**RESNEXT, **changes}))
        assert space.canonical(arch) == expected
        assert space.cost(arch) == space.cost(expected)


def test_the_representative_of_any_ratio_can_be_read() -> None:
    space = NDSResNeXtA()
    for width, ratio in ((16384, 0.001), (1000, 0.0333), (7, 0.34), (3, 21.4)):
        net = {**RESNEXT, "ws": [64, 16, width, 128], "bot_muls": [1, 0.25, ratio, 0.25], "num_gs": [1, 2, 1, 2]}
        arch = space.canonical(space.parse(json.dumps(net)))
        assert space.parse(str(arch)) == arch == space.canonical(arch)
        assert space.cost(arch) == space.cost(space.parse(json.dumps(net)))


def test_edges_name_the_blocks() -> None:
    assert NDSResNet().edges(NDSResNet().parse(json.dumps(RESNET))) == {
        "network": [
            ("image", "stem", "32 wide"),
            ("stem", "1", "5 × 32 wide"),
            ("1", "2", "2 × 32 wide"),
            ("2", "3", "3 × 192 wide"),
            ("3", "4", "10 × 128 wide"),
        ]
    }
    edges = NDSResNeXtB().edges(NDSResNeXtB().parse(json.dumps(RESNEXT)))["network"]
    assert edges[2] == ("1", "2", "2 × 128 wide, 0.5, 4 groups")


def test_features_are_the_entries() -> None:
    space = NDSResNeXtA()
    arch = space.parse(json.dumps(RESNEXT))
    found = dict(zip(space.feature_names(), space.features(arch).tolist(), strict=True))
    assert (found["ws of stage 2 is 128"], found["ws of stage 2 is 64"]) == (1, 0)
    assert (found["log2 ws of stage 1"], found["log2 bot_muls of stage 3"], found["log2 num_gs of stage 2"]) == (
        4,
        -2,
        2,
    )
    assert (found["blocks"], found["layers"]) == (6, 20)
    assert found["log2 weights"] == pytest.approx(np.log2(space.cost(arch).params))
