"""What users type: architectures, configurations, overrides, and the names of networks to evaluate."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from contract import folder, target

from nas.core import config
from nas.core.errors import InputError
from nas.eval import EvalSettings
from nas.eval.model_source import classify, load_model
from nas.search_spaces import DARTS, NASBench201, SearchSpace
from nas.search_spaces.darts import Genotype
from nas.search_spaces.darts.published import PUBLISHED, published
from nas.search_spaces.nasbench_mr import NASBenchMR
from nas.search_spaces.residual import NDSResNeXtA
from nas.settings.schema import Settings, from_values, load

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|none~2|"
GENOTYPE = str(published("DARTS_V2"))


def text_of(data: bytes) -> str:
    """The bytes as a shell would pass them: those that are not UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def _reads(space: SearchSpace[Any], data: bytes) -> None:
    arch = space.parse(text_of(data))
    assert space.parse(str(arch)) == arch, str(arch)
    canonical = space.canonical(arch)
    assert space.canonical(canonical) == canonical, str(arch)


@target(
    "nasbench201",
    lambda: [
        CELL.encode(),
        CELL.replace("+", " + ").encode(),
        f"[2021-06-23 08:09:56] Structure(4 nodes with {CELL}) acc=91.7".encode(),
        b"12804",
        b"naslib:(4, 0, 3, 1, 4, 3)",
        str(NASBench201().parse(CELL).operations).encode(),
        b'[[["none", 0]], [["nor_conv_3x3", 0], ["none", 1]], [["none", 0], ["skip_connect", 1], ["none", 2]]]',
    ],
)
def nasbench201(data: bytes) -> None:
    """Cells of NAS-Bench-201 in every notation; a cell that was read is the same after writing and reading it."""
    _reads(NASBench201(), data)


def _paired(genotype: Genotype) -> str:
    """The genotype in the notation with a pair for each node."""
    normal, reduce = ([list(cell[at : at + 2]) for at in range(0, 8, 2)] for cell in (genotype.normal, genotype.reduce))
    return f"Genotype({normal}, range(2, 6), {reduce}, range(2, 6))"


@target(
    "darts",
    lambda: [
        GENOTYPE.encode(),
        GENOTYPE.replace("[2, 3, 4, 5]", "range(2, 6)").encode(),
        GENOTYPE.replace(", 0)", ", np.int64(0))").replace("[2, 3, 4, 5]", "list(range(2, 6))").encode(),
        f"2018-06-27 13:25:46,379 genotype = {GENOTYPE}\ntrain_acc 99.7".encode(),
        _paired(published("DARTS_V2")).encode(),
        str(vars(published("DARTS_V2"))).encode(),
        *(name.encode() for name in [*list(PUBLISHED)[:2], "pc-darts"]),
        json.dumps(
            {"name": "mine", "normal": [["none", 0], ["none", 1]] * 4, "reduce": [["none", 0], ["none", 1]] * 4}
        ).encode(),
    ],
)
def darts(data: bytes) -> None:
    """DARTS genotypes in every notation, and published names; the same after writing and reading them."""
    _reads(DARTS(), data)


RESNEXT = (
    '{"block_type": "res_bottleneck_block", "bot_muls": [1.0, 0.25, 0.5, 0.25], "ds": [1, 2, 2, 2], '
    '"num_gs": [1, 2, 4, 2], "ss": [8, 1, 2, 2], "ws": [64, 16, 128, 128]}'
)


@target(
    "residual",
    lambda: [
        RESNEXT.encode(),
        str(json.loads(RESNEXT)).encode(),
        f'{{"params": 277592, "net": {RESNEXT}, "test_ep_top1": [86.2]}}'.encode(),
        RESNEXT.replace("[8,", "[np.int64(8),").encode(),
    ],
)
def residual(data: bytes) -> None:
    """Residual networks of NDS as JSON, as a dict and in a record; the same after writing and reading them."""
    _reads(NDSResNeXtA(), data)


@target(
    "nasbench-mr",
    lambda: [
        str(next(iter(NASBenchMR()))).encode(),
        f"[{NASBenchMR().largest()}, 76.09]".encode(),
        str({"params": 0.5, **json.loads(str(NASBenchMR().largest()))}).encode(),
    ],
)
def nasbench_mr(data: bytes) -> None:
    """Configurations of NAS-Bench-MR as JSON, as a dict and in a pair; the same after writing and reading them."""
    _reads(NASBenchMR(), data)


@contextmanager
def _within(place: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(place)
    try:
        yield
    finally:
        os.chdir(before)


@target(
    "config",
    lambda: [
        b"extends: quickstart\nname: mine\nsearch:\n  objective: croze+params:min\n  constraints: [params<=1e6]\n",
        b"space: darts\nmodel: {channels: 8, cells: 4}\ntrain:\n  method: pgd\n  epochs: 2\neval: {attacks: [fgsm]}\n",
        b"data: &a {name: digits}\nseeds: &b 2\nseed: *b\n",
        b"strategy:\n  name: nsga2\n  population: 8\nlabel:\n  epochs: 1\nname: ${space}\n",
    ],
)
def configuration(data: bytes) -> None:
    """YAML files of settings; their plain values give the same settings."""
    with folder() as place, _within(place):
        (place / "mine.yaml").write_bytes(data)
        settings = load("mine.yaml", [])
        _stays(settings)


@target(
    "overrides",
    lambda: [
        b"search.budget=5\nstrategy.population=12",
        b"space=darts\nmodel.channels=8\ntrain.eps=8/255",
        b"objective=synflow\nsearch.constraints=params<=1e6,flops<=85%\neval.attacks=fgsm,pgd",
        b"strategy.name=local\nname=mine\nseed=7\ndata.size=8",
        b"arch=" + CELL.encode(),
    ],
)
def overrides(data: bytes) -> None:
    """Overrides (key=value) of a command line, one per line."""
    settings = load("quickstart", [line for line in text_of(data).split("\n") if config.OVERRIDE.match(line)])
    _stays(settings)


def _stays(settings: Settings) -> None:
    """Check that plain values, as a run stores them, give the same settings."""
    kept = json.dumps(config.plain(settings))
    assert json.dumps(config.plain(from_values(json.loads(kept), []))) == kept


@target(
    "sources",
    lambda: [
        b"timm:lcnet_050\nnum_classes=3",
        b"torchvision:squeezenet1_1\nnum_classes=3",
        b"timm:lcnet_050\nglobal_pool=max",
    ],
)
def source(data: bytes) -> None:
    """The name of a network to evaluate, and on a second line its options, joined by commas.

    Only modules that are missing or have no side effects are imported, and nothing is downloaded.
    """
    name, _, options = text_of(data).partition("\n")
    named = classify(name)
    assert 0 < len(named.label) <= 80
    if named.library is not None:
        if named.model not in ("lcnet_050", "squeezenet1_1"):
            named.native_images([])  # other models may be of any size, and making them may take any time
            return
    elif _runs(name.partition(":")[0]):
        raise InputError("Expected a module without side effects.")
    given = [option for option in options.split(",") if not option.startswith(("pretrained", "weights"))]
    with torch.no_grad():
        load_model(named, EvalSettings(model_options=["pretrained=false", *filter(None, given)]), 0)


def _runs(module: str) -> bool:
    """Whether importing the module, or calling its contents, may have side effects."""
    root = module.partition(".")[0]
    try:
        return root not in ("math", "package") and bool(root) and find_spec(root) is not None
    except (ImportError, ValueError):
        return False
