"""The networks of DARTS: published sizes, what stands on an edge, drop-path, auxiliary head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations, product
from random import Random
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from nas.search_spaces import DARTS, Network
from nas.search_spaces.convolution import SlicedPointwise
from nas.search_spaces.darts import Genotype
from nas.search_spaces.darts.genotype import FAMILY, OPERATIONS
from nas.search_spaces.darts.network import DARTSBody
from nas.search_spaces.twocells.cell import CELLS, Edges
from nas.search_spaces.twocells.network import AuxiliaryHead, CellModule, drop_path
from nas.search_spaces.twocells.operations import FactorizedReduce, operation

SPACE = DARTS()
V2 = SPACE.parse(
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], reduce=["
    "('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), "
    "('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)])"
)


def everywhere(name: str) -> Edges:
    return ((name, 0), (name, 1)) * 4


def with_none(seed: int) -> Genotype:
    """A genotype with `none` on half of its edges and on both edges of node 2 of the reduction cell."""
    rng = Random(seed)
    genotype = SPACE.sample(rng)
    for cell in CELLS:
        for position in range(8):
            if rng.random() < 0.5 or (cell == "reduce" and position < 2):
                genotype = genotype.replace(cell, position, ("none", getattr(genotype, cell)[position][1]))
    return genotype


def body_of(genotype: Genotype, **settings: Any) -> DARTSBody:
    body = SPACE.build(genotype, **settings).body
    assert isinstance(body, DARTSBody)
    return body


# sizes


def test_published_weights_of_darts_v2() -> None:
    network = SPACE.build(V2)
    assert sum(p.numel() for p in network.parameters()) == SPACE.cost(V2).params == 3_349_342


def test_published_size_on_imagenet(count_macs: Callable[[Network, int], int]) -> None:
    """4.7 M weights as published. The paper says 574 M multiply-adds; the convolutions and linear layers have
    530 M, and readers of its release did not reach 574 M either (quark0/darts, issue 46)."""
    settings: dict[str, Any] = {"channels": 48, "cells": 14, "stem": "imagenet"}
    network = SPACE.build(V2, 1000, **settings)
    cost = SPACE.cost(V2, 1000, image_size=224, **settings)
    assert sum(p.numel() for p in network.parameters()) == cost.params == pytest.approx(4.7e6, abs=0.05e6)
    assert count_macs(network, 224) == cost.macs
    assert 500e6 < cost.macs < 600e6


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("settings", "image_size"),
    [
        ({"channels": 2, "cells": 3}, 1),
        ({"channels": 5, "cells": 4, "auxiliary": True}, 7),
        ({"channels": 3, "cells": 7, "stem": "imagenet"}, 33),
        ({"channels": 4, "cells": 8, "stem": "imagenet", "auxiliary": True}, 30),
    ],
)
def test_cost_is_exact_with_none(
    seed: int, settings: dict[str, Any], image_size: int, count_macs: Callable[[Network, int], int]
) -> None:
    genotype = with_none(seed)
    network = SPACE.build(genotype, 5, **settings)
    cost = SPACE.cost(genotype, 5, image_size=image_size, **settings)
    assert cost.params == sum(p.numel() for p in network.parameters())
    assert cost.macs == count_macs(network, image_size)


def test_the_largest_operation_is_the_largest_on_every_edge() -> None:
    largest = SPACE.largest()
    for cell in CELLS:
        for position in range(8):
            for name in OPERATIONS:
                changed = largest.replace(cell, position, (name, getattr(largest, cell)[position][1]))
                assert changed == largest or SPACE.cost(changed).params < SPACE.cost(largest).params


@pytest.mark.parametrize("seed", range(4))
def test_only_the_modules_of_the_genotype_are_built(seed: int) -> None:
    genotype = with_none(seed)
    kinds = Counter(type(module) for module in SPACE.build(genotype, channels=4, cells=8).modules())
    convs, bns, pools, identities, halved = (
        1 + 2 * 8 + 2,
        1 + 2 * 8,
        0,
        0,
        2,
    )  # stem, 8 cells, 2 after reductions
    for edges, copies, strided in ((genotype.normal, 6, False), (genotype.reduce, 2, True)):
        for name, source in edges:
            stride_2 = strided and source < 2
            skip = name == "skip_connect"
            convs += copies * (4 * name.startswith("sep") + 2 * name.startswith("dil") + 2 * (skip and stride_2))
            bns += copies * (2 * name.startswith("sep") + name.startswith("dil") + (skip and stride_2))
            pools += copies * ("pool" in name)
            identities += copies * (skip and not stride_2)
            halved += copies * (skip and stride_2)
    assert kinds[nn.Conv2d] + kinds[SlicedPointwise] == convs
    assert kinds[nn.BatchNorm2d] == bns
    assert kinds[nn.MaxPool2d] + kinds[nn.AvgPool2d] == pools
    assert kinds[nn.Identity] == identities + 1  # the CIFAR stem's second half
    assert kinds[FactorizedReduce] == halved


@pytest.mark.parametrize("cells", [3, 4, 5, 8, 14, 20])
def test_reductions_stand_at_the_thirds(cells: int) -> None:
    strides = [cell.stride for cell in body_of(V2, channels=2, cells=cells).cells]
    assert [layer for layer, stride in enumerate(strides) if stride == 2] == [cells // 3, 2 * cells // 3]


# operations


def conv_shapes(name: str, stride: int) -> list[tuple[int, int, int, int]]:
    convs = [module for module in operation(name, 6, stride).modules() if isinstance(module, nn.Conv2d)]
    return [(c.kernel_size[0], c.stride[0], c.dilation[0], c.groups) for c in convs]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_convolutions_are_those_of_the_paper(kernel: int, stride: int) -> None:
    sep, dil = f"sep_conv_{kernel}x{kernel}", f"dil_conv_{kernel}x{kernel}"
    assert conv_shapes(sep, stride) == [
        (kernel, stride, 1, 6), (1, 1, 1, 1), (kernel, 1, 1, 6), (1, 1, 1, 1)
    ]  # fmt: skip
    assert conv_shapes(dil, stride) == [(kernel, stride, 2, 6), (1, 1, 1, 1)]
    assert [type(module) for module in operation(dil, 6, stride)] == [  # type: ignore[arg-type, attr-defined]
        nn.ReLU, nn.Conv2d, nn.Conv2d, nn.BatchNorm2d
    ]  # fmt: skip


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", OPERATIONS[1:])
@pytest.mark.parametrize("size", [1, 6, 7])
def test_operations_keep_channels_and_divide_sides(name: str, stride: int, size: int) -> None:
    x = torch.rand(2, 6, size, size + 1)
    expected = (2, 6, -(-size // stride), -(-(size + 1) // stride))
    assert operation(name, 6, stride).eval()(x).shape == expected


def test_factorized_reduction_shifts_its_second_half_by_one_pixel() -> None:
    module = FactorizedReduce(3, 5).eval()
    x = torch.randn(2, 3, 7, 6)
    padded = functional.pad(x, (0, 0, 0, 1)).relu()  # an odd side gets a line of zeros
    first = torch.einsum("oc,bchw->bohw", module.conv_1.weight[:, :, 0, 0], padded[:, :, 0::2, 0::2])
    second = torch.einsum("oc,bchw->bohw", module.conv_2.weight[:, :, 0, 0], padded[:, :, 1::2, 1::2])
    torch.testing.assert_close(module(x), torch.cat([first, second], 1) / (1 + module.bn.eps) ** 0.5)


def test_a_cell_sums_its_edges_and_concatenates_its_nodes() -> None:
    edges: Edges = (
        ("skip_connect", 0), ("max_pool_3x3", 1), ("avg_pool_3x3", 2), ("none", 0),
        ("none", 1), ("none", 3), ("skip_connect", 3), ("skip_connect", 4),
    )  # fmt: skip
    cell = CellModule(FAMILY.cell(edges), 3, 4, 2, reduction=False, after_reduction=False).eval()
    before, x = torch.rand(1, 3, 5, 5), torch.rand(1, 4, 5, 5)
    a, b = cell.preprocess0(before), cell.preprocess1(x)
    two = a + functional.max_pool2d(b, 3, 1, 1)
    three = functional.avg_pool2d(two, 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(cell(before, x), torch.cat([two, three, torch.zeros_like(a), three], 1))


@pytest.mark.parametrize("shape", [(32, 32), (15, 10)])
def test_a_network_of_none_has_the_right_shapes(shape: tuple[int, int]) -> None:
    network = SPACE.build(Genotype(everywhere("none"), everywhere("none")), channels=4, cells=3)
    logits = network(torch.rand(2, 3, *shape))
    torch.testing.assert_close(logits, network.get_parameter("body.classifier.bias").expand(2, -1))
    assert [stage.shape[1:3] for stage in network.stages(torch.rand(2, 3, *shape))] == [
        (12, shape[0]), (16, shape[0]), (32, -(-shape[0] // 2)), (64, -(-shape[0] // 4))
    ]  # fmt: skip


def test_imagenet_stem_divides_by_eight() -> None:
    stages = SPACE.build(V2, channels=4, cells=3, stem="imagenet").stages(torch.rand(2, 3, 65, 64))
    assert [stage.shape[1:] for stage in stages] == [(4, 9, 8), (16, 9, 8), (32, 5, 4), (64, 3, 2)]


# training


def test_drop_path_zeroes_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropped = drop_path(torch.ones(4000, 2, 3, 3), 0.2)
    per_sample = dropped.flatten(1)
    assert (per_sample == per_sample[:, :1]).all()
    assert {round(value, 4) for value in per_sample[:, 0].tolist()} == {0.0, 1.25}
    assert per_sample[:, 0].mean().item() == pytest.approx(1.0, abs=0.03)


def test_drop_path_spares_identities_only() -> None:
    before = x = torch.rand(4, 3, 6, 6)

    def changes(name: str, reduction: bool) -> bool:
        cell = CellModule(FAMILY.cell(everywhere(name)), 3, 3, 4, reduction, after_reduction=False).train()
        return not torch.equal(cell(before, x, 0.9), cell(before, x, 0.0))

    torch.manual_seed(0)
    assert not changes("skip_connect", reduction=False)
    assert all(changes(name, reduction=False) for name in OPERATIONS[1:] if name != "skip_connect")
    assert changes("skip_connect", reduction=True)  # a factorised reduction is no identity


def test_drop_path_is_for_training_and_free_when_off() -> None:
    body, x = body_of(V2, channels=4, cells=3), torch.rand(4, 3, 8, 8)
    state = torch.random.get_rng_state()
    off = body.train()(x)
    assert torch.equal(state, torch.random.get_rng_state())
    body.drop_path = 0.5
    assert not torch.equal(body(x), off)
    state = torch.random.get_rng_state()
    torch.testing.assert_close(body.eval()(x), body(x))
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("stem", "size"),
    [("cifar", 8), ("cifar", 15), ("cifar", 32), ("cifar", 64), ("imagenet", 40), ("imagenet", 224)],
)
def test_auxiliary_head_runs_in_training_only(stem: str, size: int) -> None:
    network = SPACE.build(V2, 7, channels=2, cells=4, stem=stem, auxiliary=True)
    head = network.body.auxiliary
    assert isinstance(head, AuxiliaryHead)
    runs: list[torch.Size] = []
    head.register_forward_hook(lambda module, inputs, output: runs.append(inputs[0].shape))
    x = torch.rand(2, 3, size, size)
    torch.manual_seed(0)
    logits = network.train()(x)
    network.stages(x)
    assert network.eval().with_auxiliary(x)[1] is None
    assert runs == []
    main, extra = network.train().with_auxiliary(x)
    torch.testing.assert_close(main, logits)
    assert extra is not None
    assert extra.shape == (2, 7)
    last = network.stages(x)[-1]
    assert runs == [last.shape]  # 2/3 of the depth is past the second reduction
    (main.sum() + extra.sum()).backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("cells", [3, 4, 5, 8, 9, 14, 20])
def test_auxiliary_head_sees_the_cell_at_two_thirds_of_the_depth(cells: int) -> None:
    """The output of cell 2L//3, counted from 0, which is the second reduction (Liu et al., ICLR 2019)."""
    network = SPACE.build(V2, 3, channels=2, cells=cells, auxiliary=True).train()
    seen: dict[str, torch.Tensor] = {}
    cell = network.body.cells[2 * cells // 3]
    cell.register_forward_hook(lambda module, inputs, output: seen.update(cell=output))
    network.body.auxiliary.register_forward_hook(lambda module, inputs, output: seen.update(head=inputs[0]))
    network.with_auxiliary(torch.rand(2, 3, 32, 32))
    assert torch.equal(seen["head"], seen["cell"])
    assert seen["head"].shape[-1] == 8


@pytest.mark.parametrize(("stride", "side"), [(3, 8), (2, 7)])
def test_auxiliary_head_pools_as_published(stride: int, side: int) -> None:
    head = AuxiliaryHead(4, 3, stride).eval()
    x = torch.randn(2, 4, side, side)
    expected = head.layers(functional.avg_pool2d(x.relu(), 5, stride=stride))
    torch.testing.assert_close(head(x), expected)
    weights = 4 * 128 + 2 * 128 + 128 * 768 * 4 + 2 * 768 + 768 * 3 + 3
    assert sum(p.numel() for p in head.parameters()) == weights


def test_without_an_auxiliary_head_there_is_no_second_answer() -> None:
    network = SPACE.build(V2, channels=2, cells=3).train()
    assert network.with_auxiliary(torch.rand(2, 3, 8, 8))[1] is None


def test_edges_for_drawing() -> None:
    edges = SPACE.edges(V2.replace("reduce", 0, ("none", 0)))
    assert edges["normal"][0] == ("c_{k-2}", "0", "sep_conv_3x3")
    assert edges["normal"][7] == ("0", "3", "dil_conv_3x3")
    assert edges["normal"][8:] == [(node, "c_{k}", "concat") for node in "0123"]
    assert edges["reduce"][0] == ("c_{k-1}", "0", "max_pool_3x3")
    assert len(edges["reduce"]) == 7 + 4


def test_path_features_of_a_known_cell() -> None:
    values = dict(zip(SPACE.feature_names(), SPACE.features(Genotype(everywhere("skip_connect"), V2.reduce))))
    assert values["normal count skip_connect"] == 8
    assert values["normal paths skip from 0"] == 4
    assert values["normal longest path skip from 1"] == 1
    assert values["normal paths pool+sep+dil from 0"] == 0
    assert values["reduce paths pool from 0"] == 2  # into nodes 2 and 4
    assert values["reduce paths skip+pool from 0"] == 2 + 3  # and through node 2 into 3, 4 and 5
    assert values["reduce longest path skip+pool from 0"] == 2
    assert values["reduce edges from node 2"] == 3


KIND = {  # like operations count as one
    "skip_connect": "skip", "max_pool_3x3": "pool", "avg_pool_3x3": "pool", "sep_conv_3x3": "sep",
    "sep_conv_5x5": "sep", "dil_conv_3x3": "dil", "dil_conv_5x5": "dil",
}  # fmt: skip


def by_walking(cell: str, edges: Edges) -> dict[str, float]:
    """The features of a cell from a list of its edges and of all its paths, each as the kinds on it."""
    into = [(operation, source, 2 + place // 2) for place, (operation, source) in enumerate(edges)]
    ways: dict[int, list[list[str]]] = {}
    for start in (0, 1):
        at: dict[int, list[list[str]]] = {node: [[]] if node == start else [] for node in range(6)}
        for name, source, node in into:  # in topological order
            if name != "none":
                at[node] += [[*way, KIND[name]] for way in at[source]]
        ways[start] = [way for node in (2, 3, 4, 5) for way in at[node]]
    found: dict[str, float] = {f"count {name}": sum(one == name for one, _ in edges) for name in OPERATIONS}
    for place, (one, source) in enumerate(edges):
        found |= {f"edge {place} is {name}": one == name for name in OPERATIONS if name != "none"}
        found[f"input of edge {place}"] = source
    for node in range(5):
        found[f"edges from node {node}"] = sum(one != "none" and source == node for one, source in edges)
    for start, paths in ways.items():
        for size in (1, 2, 3, 4):
            for some in combinations(("skip", "pool", "sep", "dil"), size):
                lengths = [len(way) for way in paths if set(way) <= set(some)]
                label = f"{'+'.join(some)} from {start}"
                found[f"paths {label}"] = len(lengths)
                found[f"shortest path {label}"] = min(lengths, default=0)
                found[f"longest path {label}"] = max(lengths, default=0)
        active = [tuple(kind for kind in way if kind != "skip") for way in paths]
        for length in (0, 1, 2):
            for way in product(("pool", "sep", "dil"), repeat=length):
                found[f"ways {'>'.join(way) or 'identity'} from {start}"] = active.count(way)
    fed = {0, 1} | {node for way in (0, 1) for node in _reached(into, way)}
    for kind in ("pool", "sep", "dil"):
        found[f"live {kind}"] = sum(one != "none" and KIND[one] == kind and source in fed for one, source, _ in into)
    return {f"{cell} {name}": float(value) for name, value in found.items()}


def _reached(into: list[tuple[str, int, int]], start: int) -> set[int]:
    reached = {start}
    for name, source, node in into:
        if name != "none" and source in reached:
            reached.add(node)
    return reached


def test_features_are_those_of_all_edges_and_paths() -> None:
    rng = Random(5)
    for number in range(30):
        genotype = SPACE.canonical(SPACE.sample(rng))
        for _ in range(number % 4 * 3):  # some `none`, also of nodes that get nothing
            cell, place = rng.choice(("normal", "reduce")), rng.randrange(8)
            genotype = genotype.replace(cell, place, ("none", getattr(genotype, cell)[place][1]))
        genotype = SPACE.canonical(genotype)
        expected = {**by_walking("normal", genotype.normal), **by_walking("reduce", genotype.reduce)}
        assert len(expected) == len(SPACE.feature_names()) == 392
        assert dict(zip(SPACE.feature_names(), SPACE.features(genotype).tolist())) == expected


@pytest.mark.parametrize("name", OPERATIONS[1:])
def test_an_operation_keeps_the_size_unless_it_is_asked_to_halve_it(name: str) -> None:
    assert operation(name, 4)(torch.zeros(2, 4, 6, 6)).shape == (2, 4, 6, 6)
